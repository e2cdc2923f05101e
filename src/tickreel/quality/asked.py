"""The question of a quality report, and which streams it names."""

from collections.abc import Iterable
from dataclasses import dataclass

from tickreel.errors import UsageError
from tickreel.quality.gaps import SMALLEST_GAP_NS
from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.store.catalog import SegmentKey
from tickreel.store.names import encode_exchange, readings
from tickreel.units import NS_PER_DAY, day_of, format_duration, format_time

MOST_DAYS = 36_525
"""Most days that a stream may be looked for on: a hundred years."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; what is left out matches all that is there. Times are midnights, half-open.

    symbols  "BTCUSDT" or "binance:BTCUSDT"; a group's name stands for its files
    gap_ns   threshold of a gap; None: the usual rule
    """

    feed: str | None = None
    exchange: str | None = None
    symbols: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    gap_ns: int | None = None

    def check(self) -> None:
        """Raise UsageError naming the option."""
        for type in self.types:
            if type not in MARKET_TYPES:
                raise UsageError(f"--types {type}: no record type; known are {', '.join(MARKET_TYPES)}")
        for name, ns in (("--from", self.from_ns), ("--to", self.to_ns)):
            if ns is not None and ns % NS_PER_DAY:
                raise UsageError(f"{name} {format_time(ns)}: a day is judged as a whole; give a midnight")
        if self.from_ns is not None and self.to_ns is not None and self.from_ns >= self.to_ns:
            raise UsageError("--from must be before --to: the range is half-open")
        if self.gap_ns is not None and not SMALLEST_GAP_NS <= self.gap_ns <= NS_PER_DAY:
            raise UsageError(f"--gap {format_duration(self.gap_ns)}: give 1s to 1d")

    def shown(self) -> dict[str, str]:
        """Return name -> text of what was asked, for people."""
        return {
            "exchange": self.exchange or "all of the store",
            "symbols": ", ".join(self.symbols) or "all of the store",
            "types": ", ".join(self.types) or "all of the store",
            "from": "first day there" if self.from_ns is None else day_of(self.from_ns),
            "to": "last day there" if self.to_ns is None else f"{day_of(self.to_ns)} (end excluded)",
            "gap": "usual rule" if self.gap_ns is None else f"longer than {format_duration(self.gap_ns)}",
        }


@dataclass(frozen=True, slots=True, order=True)
class StreamKey:
    """One line of the map; `exchange` is None where no exchange of the store has the symbol."""

    type_order: int
    exchange: str | None
    symbol: str
    group: bool

    @property
    def type(self) -> str:
        return MARKET_TYPES[self.type_order]

    @classmethod
    def of(cls, key: SegmentKey) -> "StreamKey":
        return cls(MARKET_TYPES.index(key.type), key.exchange, key.symbol, key.grouped)


def named_streams(asked: Asked, there: Iterable[StreamKey]) -> set[StreamKey]:
    """Return what is looked for, given all streams of the feed and exchange: every symbol with every type.

    Without symbols those that are there; without types those that each symbol has. A symbol that is
    nowhere has the types of the others, and no exchange unless it is named.
    """
    own: dict[_Place, set[int]] = {}
    for line in there:
        own.setdefault((line.exchange, line.symbol, line.group), set()).add(line.type_order)
    places = set(own)
    if asked.symbols:
        places = {place for text in asked.symbols for place in _places(own, asked, text)}
    types = {MARKET_TYPES.index(type) for type in asked.types}
    usual = set().union(*(own.get(place, ()) for place in places)) or {0}
    return {
        StreamKey(type, *place) for place in places for type in types or own.get(place) or usual
    }  # fmt: skip


_Place = tuple[str | None, str, bool]
"""Exchange, symbol, whether it is a group."""


def _places(known: Iterable[_Place], asked: Asked, text: str) -> set[_Place]:
    """Return what one word of --symbols names: the first of its readings that is there, else its last."""
    ways = readings(text, asked.exchange)
    for exchange, symbol in ways:
        found = {place for place in known if place[1] == symbol and exchange in (None, place[0])}
        if found:
            return found
    prefix, colon, _ = text.partition(":")
    if colon and asked.exchange not in (None, prefix) and encode_exchange(prefix) == prefix:
        raise UsageError(f"--symbols {text}: --exchange says {asked.exchange}; leave one of them out")
    exchange, symbol = ways[-1]
    return {(exchange, symbol, symbol in GROUPS)}
