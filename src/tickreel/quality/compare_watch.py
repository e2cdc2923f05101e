"""Compares two feeds again and again: at each look what is new since the last one, with a line in a log."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tickreel.errors import FailedError, InputError, UsageError, disk_error
from tickreel.quality.compare import Asked, Day, compare, stores_of, streams_of
from tickreel.quality.compare_limits import Limits
from tickreel.quality.compare_view import view
from tickreel.units import NS_PER_DAY, day_start

SUMMED = (
    "rows_a", "rows_b", "matched", "missing", "extra", "different", "late", "given_up", "days", "days_a", "days_b",
)  # fmt: skip
_LAGS = ("lag_p50_ns", "lag_p99_ns")


Counts = dict[str, int | None]
Stream = tuple[str, str, str]
"""Type, exchange, and symbol or group."""
_HEAD = b'{"at_ns":'
"""How a line of a log begins."""


class Look(msgspec.Struct, frozen=True):
    """One look, a line of the log.

    from_ns, to_ns    what was compared: [from, to); equal times where nothing is new
    last_a_ns, last_b_ns  the last row of each feed, null before there is one
    found, since      counts of this look, and of all looks; a day that several looks see is counted once
    exceeded          sentences on the limits that were passed; alert: by this look, or by all for the first time
    """

    at_ns: int
    a: str
    b: str
    from_ns: int
    to_ns: int
    last_a_ns: int | None
    last_b_ns: int | None
    found: Counts
    since: Counts
    exceeded: list[str]
    alert: bool


class Watch:
    """Looks at two feeds. What both have of each stream is due; and what one of them has had for `delay_ns`.

    looks  those of the log so far, to go on from
    """

    def __init__(
        self,
        asked: Asked,
        limits: Limits,
        *,
        delay_ns: int,
        looks: list[Look] | None = None,
        workers: int | None = None,
    ) -> None:
        self._asked, self._limits, self._delay_ns, self._workers = asked, limits, delay_ns, workers
        self._stores = stores_of(asked)
        streams_of(self._stores, replace(asked, from_ns=None, to_ns=None))  # refuses names that are nowhere
        self._looks = list(looks or [])
        self._since: Counts = dict.fromkeys(SUMMED, 0)
        if self._looks:
            self._since |= self._looks[-1].since
        self._alone = set[tuple[Any, ...]]()
        # What the looks of the log have seen, one after the other.
        self._seen = (self._looks[0].from_ns, self._looks[-1].to_ns) if self._looks else (0, 0)
        self._days = set[tuple[Any, ...]]()

    def look(self, now_ns: int) -> Look:
        """Compare what is due and was not yet compared. Raises as `compare`."""
        lasts = self._lasts(0), self._lasts(1)
        last_a_ns, last_b_ns = (max(found.values(), default=None) for found in lasts)
        begin = self._looks[-1].to_ns if self._looks else self._asked.from_ns
        end = self._due(lasts, now_ns)
        start = end if begin is None else begin
        end = max(start, end)
        compared = self._compared(start, end) if start < end else None
        if compared is None:
            end = start
        found, new_days = self._counts(compared), self._count_days(compared or [])
        before, days = self._limits.passed(self._since), self._since["days"]
        self._since = {name: (self._since[name] or 0) + (found[name] or 0) for name in SUMMED}
        self._since["days"] = (days or 0) + new_days
        now, of_all = self._limits.passed(found), self._limits.passed(self._since)
        look = Look(
            now_ns, self._asked.a.text, self._asked.b.text, start, end, last_a_ns, last_b_ns, found, self._since,
            [*now, *(f"in all {text}" for text in of_all)], bool(now or (of_all and not before)),
        )  # fmt: skip
        self._remember(look)
        return look

    def _remember(self, look: Look) -> None:
        """Keep the look, and of those before it what may yet tell what is due."""
        old = [other for other in self._looks if other.at_ns <= look.at_ns - self._delay_ns]
        self._looks = [*old[-1:], *self._looks[len(old) :], look]

    def _due(self, lasts: tuple[dict[Stream, int], dict[Stream, int]], now_ns: int) -> int:
        """Return the time up to which both feeds must have all rows."""
        a, b = lasts
        newest = max([*a.values(), *b.values()], default=0)
        # A stream that has been silent for the delay keeps no other waiting.
        known = [
            min(a[of], b[of]) for of in a.keys() & b.keys() if max(a[of], b[of]) >= newest - self._delay_ns
        ]
        both = min(known) - self._asked.rules.window_ns if known else 0
        waited = [
            ns
            for look in self._looks
            if look.at_ns <= now_ns - self._delay_ns
            for ns in (look.last_a_ns, look.last_b_ns)
            if ns is not None
        ]
        return max([both, *(ns + 1 for ns in waited)])

    def _lasts(self, side: int) -> dict[Stream, int]:
        """Return the time of a feed's last row of each stream that is asked for."""
        store, feed = self._stores[side], (self._asked.a, self._asked.b)[side]
        latest = {}
        for type in self._asked.types or (None,):
            for key in store.find(feed=feed.name, type=type, exchange=self._asked.exchange):
                if key.grouped or self._is_asked(key.exchange, key.symbol):
                    latest[key.type, key.exchange, key.symbol] = key
        segments = {of: store.open(key) for of, key in latest.items()}
        return {of: segment.footer.last_ns for of, segment in segments.items() if segment.rows}

    def _is_asked(self, exchange: str, symbol: str) -> bool:
        wanted = self._asked.symbols
        return not wanted or symbol in wanted or f"{exchange}:{symbol}" in wanted

    def _compared(self, start: int, end: int) -> list[Day] | None:
        """Return the days with what is new, None if a segment was replaced meanwhile: the next look tries again."""
        asked = replace(self._asked, from_ns=start, to_ns=end)
        try:
            return [day for day in compare(asked, workers=self._workers) if self._is_new(day)]
        except UsageError:  # the names were found before: there is nothing in that time
            return []
        except FailedError as error:
            if type(error) is not FailedError:
                raise
            return None

    def _counts(self, days: list[Day] | None) -> Counts:
        if days is None:
            return dict.fromkeys((*SUMMED, *_LAGS), 0)
        totals: Any = view(self._asked, self._limits, days)["totals"]
        return {name: totals[name] for name in (*SUMMED, *_LAGS)}

    def _count_days(self, days: list[Day]) -> int:
        """Return how many days that both feeds hold no look before has seen: a day that goes on is seen by many."""
        before = len(self._days)
        self._days.update(
            (day.of, day.day) for day in days if day.alone is None and not self._was_seen(day.day)
        )
        return len(self._days) - before

    def _was_seen(self, day: str) -> bool:
        start, end = self._seen
        return start < end and start < day_start(day) + NS_PER_DAY and day_start(day) < end

    def _is_new(self, day: Day) -> bool:
        """Return whether a day says something new: one that a feed holds alone does so once."""
        told = (day.of, day.day, day.alone)
        if day.alone is None:
            return True
        is_new = told not in self._alone
        self._alone.add(told)
        return is_new


def read_log(path: Path, asked: Asked) -> list[Look]:
    """Return the looks of a log, none if it is not there; a last line that was cut off is passed over.

    Raises InputError for what is no look, UsageError for a log of other feeds.
    """
    try:
        *lines, torn = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except IsADirectoryError:
        raise UsageError(f"--log {path}: is a folder; name a file, e.g. {path / 'watch.jsonl'}") from None
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
    looks = []
    if not (torn.startswith(_HEAD) or _HEAD.startswith(torn)):
        raise InputError(
            f"{path}: its last line is no look of a watch, nor the beginning of one; name another --log"
        )
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            looks.append(msgspec.json.decode(line, type=Look))
        except msgspec.DecodeError as error:
            raise InputError(
                f"{path}: line {number} is no look of a watch ({error}); name another --log"
            ) from None
    for look in looks[:1]:
        if (look.a, look.b) != (asked.a.text, asked.b.text):
            raise UsageError(
                f"--log {path} is of {look.a} and {look.b}; name another for {asked.a.text} and {asked.b.text}"
            )
    return looks


def append_log(path: Path, look: Look) -> None:
    """Add a line to a log, durable on return."""
    try:
        with open(path, "ab+") as file:
            file.seek(0)
            # A line that a crash cut off goes.
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(msgspec.json.encode(look) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(error, f"writing {path}") from error
