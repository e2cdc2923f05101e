"""Which days a download asks for, and which the store has: the segments themselves say it."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tickreel.errors import InputError, UsageError
from tickreel.ingest.files.places import find_place, parts_of
from tickreel.ingest.files.recorded import Recorded, find_recorded
from tickreel.instruments import dataset_symbol
from tickreel.schema import MARKET_TYPES
from tickreel.sources.tardis_http import DayFile
from tickreel.sources.tardis_names import read_name
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.names import encode_symbol
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, day_start, format_time

_EXCHANGE = re.compile(r"[a-z0-9][a-z0-9-]*")
_MOST_DAYS = 1_000_000
TARDIS_BEGINS = "2019-03-30"
"""The first day of Tardis' history, and so of a tardis-machine's."""
_FIRST_DAY, _LAST_DAY = "2009-01-03", "2100-01-01"
"""Bitcoin's first day: a relay may have days that Tardis has not. No year after these is meant."""
_HISTORY_AFTER_NS = 600 * NS_PER_S
"""How long after its end a day is taken to be whole in a history that does not say so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: every type of every symbol on every day of [from_ns, to_ns)."""

    exchange: str
    types: tuple[str, ...]
    symbols: tuple[str, ...]
    from_ns: int
    to_ns: int

    def files(self) -> list[DayFile]:
        """Return the days, ordered by day, type and symbol as given. UsageError for what cannot be."""
        self._check()
        days = [day_of(ns) for ns in range(self.from_ns, self.to_ns, NS_PER_DAY)]
        if len(days) * len(self.types) * len(self.symbols) > _MOST_DAYS:
            raise UsageError(f"that is more than {_MOST_DAYS:,} days of symbols; ask for it in parts")
        found = [
            DayFile(self.exchange, type, symbol, day)
            for day in days
            for type in self.types
            for symbol in self.symbols
        ]
        return list({file.path: file for file in found}.values())

    def _check(self) -> None:
        if not _EXCHANGE.fullmatch(self.exchange):
            raise UsageError(
                f"--exchange {self.exchange!r}: an exchange's name has a-z 0-9 -, e.g. binance-futures"
            )
        for type in self.types:
            if type not in MARKET_TYPES:
                raise UsageError(f"--type {type}: known are {', '.join(MARKET_TYPES)}")
        for symbol in self.symbols:
            try:
                encode_symbol(symbol)
            except InputError as error:
                raise UsageError(f"--symbols: {error}") from None
        if not self.types or not self.symbols:
            raise UsageError("name at least one --type and one of --symbols")
        for name, ns in (("--from", self.from_ns), ("--to", self.to_ns)):
            if ns % NS_PER_DAY:
                raise UsageError(f"{name} {format_time(ns)}: days are downloaded as a whole; give a midnight")
        if self.from_ns < day_start(_FIRST_DAY) or self.to_ns > day_start(_LAST_DAY):
            raise UsageError(
                f"--from {day_of(self.from_ns)} --to {day_of(self.to_ns)}: days of {_FIRST_DAY} to {_LAST_DAY} can be"
                f" asked for; Tardis' history begins {TARDIS_BEGINS}"
            )
        if self.from_ns >= self.to_ns:
            raise UsageError(
                f"--from {day_of(self.from_ns)} --to {day_of(self.to_ns)}: --to is the first day not taken any more,"
                " so it is later than --from"
            )


def is_covered(store: Store, feed: str, file: DayFile) -> bool:
    """Return whether the store has a day of a provider: some segment has a part of its file, a copy of it included.

    A day that came empty has a segment without rows, so it is not asked for again either.
    """
    name = read_name(file.path)
    assert name is not None
    key = SegmentKey(feed, file.type, file.exchange, name.symbol, file.day, name.grouped)
    if any(read_name(part.source) == name for part in parts_of(store, key)):
        return True
    source = file.source(feed)
    place = find_place(store, feed, file.type, source)
    found = [{part.source for part in parts_of(store, key)} for key in place.segments] if place else []
    return bool(found) and all(source in sources for sources in found)


def check_begun(files: Sequence[DayFile]) -> None:
    """Raise UsageError for days before Tardis' first."""
    first = min((file.day for file in files), default=TARDIS_BEGINS)
    if first < TARDIS_BEGINS:
        raise UsageError(f"--from {first}: Tardis' history begins {TARDIS_BEGINS}; ask for days from then on")


def not_over(file: DayFile) -> str:
    """Return why a history cannot have the whole of a day by now, "" if it can: half of it would count as all."""
    if time.time_ns() >= day_start(file.day) + NS_PER_DAY + _HISTORY_AFTER_NS:
        return ""
    return f"its day is not over: ask when it has been for {_HISTORY_AFTER_NS // (60 * NS_PER_S)} minutes"


@dataclass(slots=True)
class Coverage:
    """Days that a store has, with what they lack ("" if nothing is known to), and days that it lacks."""

    there: dict[DayFile, str] = field(default_factory=dict)
    lacking: list[DayFile] = field(default_factory=list)


def coverage(store: Store, feed: str, files: Sequence[DayFile]) -> Coverage:
    """Return which days of a provider the store has: those that it brought, and those that were recorded from it.

    A recorded day is never asked for: its rows would be there twice, or in the way of each other.
    """
    found = Coverage()
    for file in files:
        if is_covered(store, feed, file):
            found.there[file] = ""
        elif recorded := _recorded(store, feed, file):
            found.there[file] = recorded.lacks
        else:
            found.lacking.append(file)
    return found


def _recorded(store: Store, feed: str, file: DayFile) -> Recorded | None:
    """Return what was recorded of a day: under the name of its rows, in which a symbol may be BTC/USD."""
    for symbol in dict.fromkeys((dataset_symbol(file.symbol), file.symbol.upper())):
        key = SegmentKey(feed, file.type, file.exchange, symbol, file.day)
        if found := find_recorded(store, key):
            return found
    return None
