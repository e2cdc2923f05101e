"""Compares one symbol's rows of one day in two feeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from tickreel.quality.compare_kernel import match
from tickreel.quality.compare_rows import Common, FeedRows, empty_window
from tickreel.quality.compare_terms import COUNTS, DONE, FIELDS, NEED_A, NEED_B, NO_ROOM_A, Terms, Window
from tickreel.quality.times_kernel import HALF, PLACES
from tickreel.quality.waiting_kernel import ROW, Waiting, make_waiting, move
from tickreel.scan.plan import Stream
from tickreel.scan.read import open_slice
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_MS, NS_PER_S

MOST_WAITING = 1 << 19
"""Rows of each feed that wait for their partner at most: some 225 MB for both, where so many do."""
MOST_WINDOW_NS = 3_600 * NS_PER_S
"""Longest window and tolerance of time."""
_ROOM = 1 << 10
_AROUND = 4
"""Windows before and after the day whose rows may be partners."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a match is. Tolerances: what still counts as equal.

    window_ns  how far apart partners may be, on the local clocks, else on the exchange's
    late_ns    B's local time after A's by more than that is late
    """

    time_ns: int = 0
    price: float = 0.0
    amount: float = 0.0
    window_ns: int = 10 * NS_PER_S
    late_ns: int = 100 * NS_PER_MS
    most_waiting: int = MOST_WAITING

    def terms(self, span: tuple[int, int], *, has_lag: bool) -> Terms:
        """Return them for the kernel; rows of `span` are counted."""
        near = bool(self.time_ns or self.price or self.amount)
        return Terms(
            self.window_ns, self.time_ns, self.price, self.amount, near,
            self.late_ns, *span, has_lag, self.most_waiting,
        )  # fmt: skip


class Lags(msgspec.Struct, frozen=True):
    """Lags of pairs, local time of B - local time of A: bins of offsets.py that are not empty, with their counts."""

    bins: list[int] = []
    counts: list[int] = []
    least_ns: int = 0
    greatest_ns: int = 0


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row that is missing, extra, different or late; of the first of its kind on that day."""

    kind: str
    type: str
    exchange: str
    symbol: str
    day: str
    a: dict[str, Any] | None = None
    b: dict[str, Any] | None = None


class Compared(msgspec.Struct, frozen=True):
    """What was found of one symbol and day.

    clock   which one orders both feeds; there are lags, and rows that are late, on local clocks alone
    fields  of the rows that differ how many in what
    """

    matched_by: Literal["id", "content"]
    clock: Literal["local", "exchange"]
    rows_a: int
    rows_b: int
    matched: int
    missing: int
    extra: int
    different: int
    late: int
    given_up: int
    fields: dict[str, int]
    lags: Lags
    examples: list[Example]


_COUNTED = ("rows_a", "rows_b", "matched", "missing", "extra", "different", "late", "given_up")


def compare_day(
    stores: tuple[Store, Store], streams: tuple[Stream, Stream], day: str, span: tuple[int, int], rules: Rules
) -> Compared:
    """Return what is different between two feeds in a span of a day, [from, to) in ns UTC.

    streams  of A and of B, with the slices of the day and of those around it: their rows may be partners
    Rows count by their own feed's clock; a pair counts with A's row.
    """
    pairs = list(zip(stores, streams, strict=True))
    common = Common.of(open_slice(store, part) for store, stream in pairs for part in stream.slices)
    wide = span[0] - _AROUND * rules.window_ns, span[1] + _AROUND * rules.window_ns
    a, b = (FeedRows(store, stream, wide, common, rules.window_ns) for store, stream in pairs)
    by_id = a.has_ids() and b.has_ids()
    terms = rules.terms(span, has_lag=common.local)
    counts, bins = match_windows(a.windows(by_id=by_id), b.windows(by_id=by_id), terms)
    examples = [
        Example(kind, streams[0].type, streams[0].exchange, streams[0].symbol, day, one, other)
        for kind, one, other in _examples(counts, a, b)
    ]
    found = {name: int(counts[name]) for name in _COUNTED}
    fields = dict(zip(FIELDS, counts["fields"].tolist(), strict=True))
    return Compared(
        "id" if by_id else "content", "local" if common.local else "exchange",
        **found, fields=fields, lags=_lags(counts, bins), examples=examples,
    )  # fmt: skip


def match_windows(a: Iterator[Window], b: Iterator[Window], terms: Terms) -> tuple[np.void, np.ndarray]:
    """Match all rows of two feeds; return the counts, one record of COUNTS, and the lags by bin."""
    counts, bins, new = np.zeros(1, COUNTS), np.zeros(2 * HALF, np.int64), np.zeros(1, ROW)
    rows_a = rows_b = empty_window(is_last=False)
    waiting_a, waiting_b = (make_waiting(min(_ROOM, terms.most)) for _ in range(2))
    while (needed := match(rows_a, rows_b, waiting_a, waiting_b, terms, counts, bins, new)) != DONE:
        if needed == NEED_A:
            rows_a, counts["head_a"] = next(a), 0
        elif needed == NEED_B:
            rows_b, counts["head_b"] = next(b), 0
        elif needed == NO_ROOM_A:
            waiting_a = _wider(waiting_a, new)
        else:
            waiting_b = _wider(waiting_b, new)
    return counts[0], bins


def _wider(waiting: Waiting, new: np.ndarray) -> Waiting:
    wider = make_waiting(2 * len(waiting.rows))
    move(waiting, wider, new)
    return wider


def _lags(counts: np.void, bins: np.ndarray) -> Lags:
    places = np.flatnonzero(bins)
    return Lags(places.tolist(), bins[places].tolist(), int(counts["lag_min_ns"]), int(counts["lag_max_ns"]))


def _examples(counts: np.void, a: FeedRows, b: FeedRows) -> Iterator[tuple[str, Any, Any]]:
    for number in counts["missing_at"][: counts["missing"]].tolist():
        yield "missing", a.row(number), None
    for number in counts["extra_at"][: counts["extra"]].tolist():
        yield "extra", None, b.row(number)
    for kind in ("different", "late"):
        for one, other in counts[f"{kind}_at"][: min(counts[kind], PLACES)].tolist():
            yield kind, a.row(one), b.row(other)
