"""What a question needs: for every exchange and symbol the segments and rows that hold the answer."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tickreel.errors import UsageError
from tickreel.schema import MARKET_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.names import check_feed
from tickreel.store.reader import Segment
from tickreel.units import day_of, day_start


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows [start, stop) of one segment, all of one symbol; the fingerprint is that of its footer."""

    key: SegmentKey
    start: int
    stop: int
    first_ns: int
    last_ns: int
    fingerprint: int
    file_bytes: int


@dataclass(slots=True)
class Stream:
    """One symbol's slices in order of time; together they are read as one sequence of rows."""

    feed: str
    type: str
    exchange: str
    symbol: str
    slices: list[Slice] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def rows(self) -> int:
        """Rows of the slices; a range of time may need fewer."""
        return sum(part.stop - part.start for part in self.slices)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the slices hold."""
        digest = hashlib.sha256()
        for part in self.slices:
            digest.update(f"{part.key} {part.start} {part.stop} {part.fingerprint}\n".encode())
        return digest.hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a store; what is left out matches all. Times are half-open, ns UTC, local clock.

    symbols  "BTCUSDT" or "binance:BTCUSDT"
    """

    type: str = "trades"
    feed: str | None = None
    exchange: str | None = None
    symbols: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None


def plan(store: Store, question: Question) -> list[Stream]:
    """Return the streams that answer, sorted by exchange and symbol; empty slices are left out.

    Raises UsageError naming a symbol or exchange that the store does not hold.
    """
    if question.type not in MARKET_TYPES:
        raise UsageError(f"{question.type!r} is not a record type; known are {', '.join(MARKET_TYPES)}")
    if None not in (question.from_ns, question.to_ns) and question.from_ns >= question.to_ns:  # type: ignore[operator]
        raise UsageError("--from must be before --to: the range is half-open")
    feed = choose_feed(store, question.feed)
    wanted = [_wanted(text, question.exchange) for text in question.symbols]
    streams: dict[tuple[str, str], Stream] = {}
    for key in _keys(store, feed, question, wanted):
        segment = store.open(key)
        for symbol, start, stop in _directory(segment):
            if start == stop or (wanted and not any(_fits(key.exchange, symbol, want) for want in wanted)):
                continue
            stream = streams.setdefault(
                (key.exchange, symbol), Stream(feed, question.type, key.exchange, symbol)
            )
            stream.slices.append(_slice(segment, key, start, stop))
    _refuse_missing(store, feed, question, wanted, streams)
    for stream in streams.values():
        stream.slices.sort(key=lambda part: (part.key.day, part.key.grouped))
    return [streams[name] for name in sorted(streams)]


def choose_feed(store: Store, feed: str | None) -> str:
    """Return the feed to read: the one asked for, else the primary. UsageError if it has no folder."""
    chosen = check_feed(feed) if feed else store.primary()
    if chosen is None or chosen not in store.feeds():
        raise UsageError(
            f"{store.root} has no feed {chosen!r}; it has {', '.join(store.feeds()) or 'none'}: choose with --feed"
        )
    return chosen


def missing_days(stream: Stream, from_ns: int, to_ns: int) -> list[str]:
    """Return the UTC days of [from, to) for which the stream has no segment."""
    have = {part.key.day for part in stream.slices}
    first, last = day_start(day_of(from_ns)), day_start(day_of(to_ns - 1))
    step = 86_400_000_000_000
    return [day for day in (day_of(ns) for ns in range(first, last + 1, step)) if day not in have]


def _keys(
    store: Store, feed: str, question: Question, wanted: Sequence[tuple[str | None, str]]
) -> Iterator[SegmentKey]:
    """Yield the keys that may answer: the symbols' own segments, and every group's."""
    for key in store.find(
        feed=feed, type=question.type, exchange=question.exchange,
        from_ns=question.from_ns, to_ns=question.to_ns,
    ):  # fmt: skip
        if key.grouped or not wanted or any(_fits(key.exchange, key.symbol, want) for want in wanted):
            yield key


def _directory(segment: Segment) -> Iterable[tuple[str, int, int]]:
    symbols = segment.footer.symbols
    starts, counts = symbols["row"].tolist(), symbols["rows"].tolist()
    return [
        (name, start, start + count)
        for name, start, count in zip(segment.footer.names, starts, counts, strict=True)
    ]


def _slice(segment: Segment, key: SegmentKey, start: int, stop: int) -> Slice:
    first, last = segment.footer.first_ns, segment.footer.last_ns
    return Slice(key, start, stop, first, last, segment.fingerprint, segment.file_bytes)


def _wanted(text: str, exchange: str | None) -> tuple[str | None, str]:
    """Return (exchange or None, symbol) of "EXCHANGE:SYMBOL" or "SYMBOL"."""
    name, colon, symbol = text.partition(":")
    if not colon:
        return exchange, text
    if exchange and name != exchange:
        raise UsageError(f"--symbols {text}: --exchange says {exchange}; leave one of them out")
    return name, symbol


def _fits(exchange: str, symbol: str, want: tuple[str | None, str]) -> bool:
    return want[0] in (None, exchange) and want[1] == symbol


def _refuse_missing(
    store: Store,
    feed: str,
    question: Question,
    wanted: Sequence[tuple[str | None, str]],
    found: dict[tuple[str, str], Stream],
) -> None:
    for exchange, symbol in wanted:
        if not any(_fits(*name, (exchange, symbol)) for name in found):
            have = sorted(
                {key.symbol for key in store.find(feed=feed, type=question.type, exchange=exchange)}
            )
            where = f"{feed}/{question.type}" + (f"/{exchange}" if exchange else "")
            some = ", ".join(have[:12]) + (" ..." if len(have) > 12 else "")
            raise UsageError(
                f"no rows of {symbol} in {where} in that time; it has {some or 'nothing'}"
                " (tickreel ls shows the days)"
            )
    if not wanted and not found:
        where = f"{feed}/{question.type}" + (f"/{question.exchange}" if question.exchange else "")
        raise UsageError(f"no rows in {where} in that time; tickreel ls shows what the store holds")
