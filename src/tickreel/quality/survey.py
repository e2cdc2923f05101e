"""The question of a report: what is there, what is missing against what was asked for, all of it measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from tickreel.compute import Task, make_executor
from tickreel.errors import UsageError
from tickreel.quality.meter import SMALLEST_GAP_NS
from tickreel.quality.segments import Measured
from tickreel.scan.plan import choose_feed
from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.units import NS_PER_DAY, day_of, day_start, format_duration, format_time

_BATCH = 16


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


@dataclass(slots=True)
class Stream:
    """What was looked for on one line of the map. days: asked, ascending; found: day -> figures."""

    key: StreamKey
    days: list[str] = field(default_factory=list)
    found: dict[str, Measured] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return [day for day in self.days if day not in self.found]


def survey(
    store: Store,
    asked: Asked,
    *,
    workers: int | None = None,
    on_plan: Callable[[int], None] = lambda segments: None,
    on_progress: Callable[[int], None] = lambda segments: None,
) -> tuple[str, list[Stream]]:
    """Return the feed and its streams, sorted by type in schema order, exchange and symbol, all measured.

    Raises UsageError for wrong words; a segment that cannot be read is `Measured.error`.
    """
    asked.check()
    feed = choose_feed(store, asked.feed)
    keys = [key for key in store.find(feed=feed, exchange=asked.exchange, from_ns=asked.from_ns, to_ns=asked.to_ns)
            if _is_asked(key, asked)]  # fmt: skip
    on_plan(len(keys))
    found: dict[StreamKey, Stream] = {}
    for key in _asked_streams(store, feed, asked, keys):
        found[key] = Stream(key)
    for measured in _measure(store, keys, asked.gap_ns, workers, on_progress):
        line = _stream_key(measured.key)
        found.setdefault(line, Stream(line)).found[measured.key.day] = measured
    for stream in found.values():
        stream.days = _asked_days(asked, keys, stream)
    return feed, [found[key] for key in sorted(found, key=_line)]


def _line(key: StreamKey) -> tuple[int, str, str, bool]:
    return key.type_order, key.exchange or "", key.symbol, key.group


def _stream_key(key: SegmentKey) -> StreamKey:
    return StreamKey(MARKET_TYPES.index(key.type), key.exchange, key.symbol, key.grouped)


def _is_asked(key: SegmentKey, asked: Asked) -> bool:
    if asked.types and key.type not in asked.types:
        return False
    return not asked.symbols or bool({key.symbol, f"{key.exchange}:{key.symbol}"} & {*asked.symbols})


def _asked_streams(store: Store, feed: str, asked: Asked, keys: Sequence[SegmentKey]) -> Iterator[StreamKey]:
    """Yield the product of what was asked: every symbol with every type."""
    own: dict[tuple[str | None, str], set[str]] = {}
    for key in keys:
        own.setdefault((key.exchange, key.symbol), set()).add(key.type)
    names = {*own}
    if asked.symbols:
        known = {(key.exchange, key.symbol) for key in store.find(feed=feed)}
        names = set(chain.from_iterable(_places(known, asked, text) for text in asked.symbols))
    types = {key.type for key in keys} or {MARKET_TYPES[0]}
    for exchange, symbol in names:
        for type in asked.types or own.get((exchange, symbol)) or types:
            yield StreamKey(MARKET_TYPES.index(type), exchange, symbol, symbol in GROUPS)


def _places(known: set[tuple[str, str]], asked: Asked, text: str) -> set[tuple[str | None, str]]:
    """Return (exchange, symbol) of one word of --symbols; exchange None if `known` has none for it."""
    exchange, colon, symbol = text.rpartition(":")
    if colon or asked.exchange:
        if colon and asked.exchange not in (None, exchange):
            raise UsageError(f"--symbols {text}: --exchange says {asked.exchange}; leave one of them out")
        return {(exchange or asked.exchange, symbol)}
    found: set[tuple[str | None, str]] = {place for place in known if place[1] == symbol}
    return found or {(None, symbol)}


def _asked_days(asked: Asked, keys: Sequence[SegmentKey], stream: Stream) -> list[str]:
    """Return the days of the range asked for; without one, those from its first to its last segment.

    A stream without any segment is looked for on the days of all others.
    """
    own = sorted(stream.found) or sorted({key.day for key in keys})
    first = asked.from_ns if asked.from_ns is not None else day_start(own[0]) if own else None
    last = asked.to_ns if asked.to_ns is not None else day_start(own[-1]) + NS_PER_DAY if own else None
    if first is None or last is None:
        return []
    return [day_of(ns) for ns in range(first, last, NS_PER_DAY)]


def _measure(
    store: Store,
    keys: Sequence[SegmentKey],
    gap_ns: int | None,
    workers: int | None,
    on_progress: Callable[[int], None],
) -> Iterator[Measured]:
    """Yield every segment's figures, in the order of the keys."""
    tasks = [
        Task(str(start), "tickreel.quality.segments:measure_segments", {
            "store": str(store.root), "gap_ns": gap_ns,
            "keys": [msgspec.to_builtins(key) for key in keys[start : start + _BATCH]],
        })
        for start in range(0, len(keys), _BATCH)
    ]  # fmt: skip
    done = 0
    with make_executor(min(workers, max(1, len(tasks))) if workers else None) as executor:
        if len(tasks) > 1:
            # Alone, so that no two workers compile the same thing at once.
            for outcome in executor.run([Task("warm", "tickreel.quality.warm:warm_up", {})]):
                if not outcome.ok:
                    raise outcome.as_error()
        for outcome in executor.run(tasks, in_order=True):
            if not outcome.ok:
                raise outcome.as_error()
            done += _BATCH
            on_progress(min(done, len(keys)))
            yield from msgspec.convert(outcome.value, list[Measured])
