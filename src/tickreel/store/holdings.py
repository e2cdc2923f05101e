"""What a store holds of each feed, type, exchange and symbol: days, rows, bytes, which times, and what lies between."""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Any

from tickreel.errors import TickreelError
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.gaps import joined, lagged, missed
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_DAY, day_start

Span = tuple[int, int]
"""[from, to) in ns UTC."""


def holdings(store: Store) -> Iterator[dict[str, Any]]:
    """Yield an entry for each symbol's or group's files, sorted as `Store.find` does.

    intervals  from the first row of a file to its last, over all days that follow each other; a file without rows
               covers its day. Files that make up one day have an interval each. Without what a recorder missed
               and no history filled: see `tickreel.store.gaps`
    gaps       what lies between the intervals, and what was missed before the first and after the last
    lagged     gaps that history filled, whose rows have exchange time + a declared delay for their local time: in the
               intervals, by day
    damaged    errors of segments that cannot be opened: they count as days alone
    """
    for name, keys in groupby(
        store.find(), key=lambda key: (key.feed, key.type, key.exchange, key.symbol, key.grouped)
    ):
        yield dict(zip(("feed", "type", "exchange", "symbol", "group"), name, strict=True)) | _entry(
            store, list(keys)
        )


def _entry(store: Store, keys: list[SegmentKey]) -> dict[str, Any]:
    symbols = set[str]()
    rows = size = 0
    days: list[tuple[int, list[Span]]] = []
    lost: list[Span] = []
    late: list[dict[str, int]] = []
    damaged = []
    for key in keys:
        try:
            segment = store.open(key)
        except (TickreelError, FileNotFoundError) as error:
            damaged.append(str(error))
            continue
        symbols.update(segment.footer.names)
        rows += segment.rows
        size += segment.file_bytes
        days.append((day_start(key.day), joined(_covered(segment, day_start(key.day)))))
        lost += missed(segment.meta.parts)
        late += [
            {"from_ns": start, "to_ns": end, "lag_ns": lag_ns}
            for lag_ns, spans in lagged(segment.meta.parts).items()
            for start, end in spans
        ]
    lost = joined(lost)
    found = list(_without(_over_midnight(days), lost))
    between = [(before[1], after[0]) for before, after in pairwise(found)]
    return {
        "symbols": len(symbols), "from": keys[0].day, "to": keys[-1].day, "days": len(keys),
        "rows": rows, "bytes": size,
        "intervals": [{"from_ns": start, "to_ns": end} for start, end in found],
        "gaps": [{"from_ns": start, "to_ns": end} for start, end in joined(between + lost)],
        "lagged": late,
        "damaged": damaged,
    }  # fmt: skip


def _covered(segment: Segment, day_ns: int) -> list[Span]:
    """Return the times of a segment's files, of one without rows the whole day."""
    spans = [part.interval for part in segment.meta.parts if part.interval is not None]
    return spans or [(day_ns, day_ns + NS_PER_DAY)]


def _without(spans: Iterable[Span], lost: list[Span]) -> Iterator[Span]:
    """Yield what is left of spans; both given sorted and apart."""
    place = 0
    for start, end in spans:
        while place < len(lost) and lost[place][0] < end:
            before, after = lost[place]
            if start < before:
                yield start, before
            start = max(start, after)
            if after > end:  # it may reach into the next span
                break
            place += 1
        if start < end:
            yield start, end


def _over_midnight(days: list[tuple[int, list[Span]]]) -> Iterator[Span]:
    """Yield the spans of ascending days, the last of a day and the first of the next as one."""
    before_ns, last = 0, None
    for day_ns, spans in days:
        for place, span in enumerate(spans):
            if last is not None and place == 0 and day_ns == before_ns + NS_PER_DAY:
                last = last[0], span[1]
                continue
            if last is not None:
                yield last
            last = span
        before_ns = day_ns
    if last is not None:
        yield last
