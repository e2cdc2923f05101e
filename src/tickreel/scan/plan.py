"""What a question needs: for every exchange and symbol the segments and rows that hold the answer."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from tickreel.errors import FailedError, UsageError
from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.names import check_feed, readings
from tickreel.store.reader import Segment
from tickreel.units import day_of, day_start


@dataclass(frozen=True, slots=True)
class Contents:
    """What an open segment says of one symbol: its rows are [start, stop).

    first_ns, last_ns, fingerprint  of the whole segment; the fingerprint is that of its footer
    """

    start: int
    stop: int
    first_ns: int
    last_ns: int
    fingerprint: int

    @classmethod
    def of(cls, segment: Segment, start: int, stop: int) -> "Contents":
        return cls(start, stop, segment.footer.first_ns, segment.footer.last_ns, segment.fingerprint)


@dataclass(frozen=True, slots=True)
class Slice:
    """One symbol's rows of one segment; `contents` is None until somebody has to open the segment."""

    key: SegmentKey
    contents: Contents | None = None


@dataclass(slots=True)
class Stream:
    """One symbol's slices in order of time, one a day; together they are read as one sequence of rows.

    rows, first_ns, last_ns, fingerprint are of a plan with `opened=True`.
    """

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
        return sum(found.stop - found.start for found in self._contents())

    @property
    def first_ns(self) -> int:
        """First time of the segments, ns UTC."""
        return min(found.first_ns for found in self._contents())

    @property
    def last_ns(self) -> int:
        """Last time of the segments, ns UTC."""
        return max(found.last_ns for found in self._contents())

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the slices hold."""
        digest = hashlib.sha256()
        for part, found in zip(self.slices, self._contents(), strict=True):
            digest.update(f"{part.key} {found.start} {found.stop} {found.fingerprint}\n".encode())
        return digest.hexdigest()[:32]

    def _contents(self) -> Iterator[Contents]:
        for part in self.slices:
            assert part.contents is not None, "plan(..., opened=True) gives it"
            yield part.contents


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


def plan(store: Store, question: Question, *, opened: bool = False) -> list[Stream]:
    """Return the streams that answer, sorted by exchange and symbol.

    A symbol's own segment is named by its path and not opened; a group's is, for its directory.
    opened  open every segment now: slices without rows are left out, rows, times and fingerprints
            are known, and a reader refuses a segment that was replaced since
    Raises UsageError naming a symbol or exchange that the store does not hold; FailedError where a
    symbol's day lies in two segments.
    """
    if question.type not in MARKET_TYPES:
        raise UsageError(f"{question.type!r} is not a record type; known are {', '.join(MARKET_TYPES)}")
    if None not in (question.from_ns, question.to_ns) and question.from_ns >= question.to_ns:  # type: ignore[operator]
        raise UsageError(
            "the range of time is empty: its first time must be before its end, which is not taken"
        )
    feed = choose_feed(store, question.feed)
    ways = {text: readings(text, question.exchange) for text in question.symbols}
    wanted = dict.fromkeys(reading for found in ways.values() for reading in found)
    streams: dict[tuple[str, str], Stream] = {}
    for key in _keys(store, feed, question, wanted):
        for symbol, part in _slices(store, key, wanted, opened=opened):
            place = (key.exchange, symbol)
            stream = streams.setdefault(place, Stream(feed, question.type, *place))
            stream.slices.append(part)
    chosen = _chosen(ways, streams)
    _refuse_missing(store, feed, question, chosen, streams)
    streams = {place: stream for place, stream in streams.items() if _fits(*place, chosen)}
    for stream in streams.values():
        stream.slices = list(_one_a_day(store, stream))
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


_Wanted = dict[tuple[str | None, str], None]
"""(exchange or None for any, symbol) in the order of the question; empty: all."""


def _keys(store: Store, feed: str, question: Question, wanted: _Wanted) -> Iterator[SegmentKey]:
    """Yield the keys that may answer: the symbols' own segments, and every group's."""
    symbols = {symbol for _, symbol in wanted} | set(GROUPS)
    for key in store.find(
        feed=feed, type=question.type, exchange=question.exchange, symbol=symbols if wanted else None,
        from_ns=question.from_ns, to_ns=question.to_ns,
    ):  # fmt: skip
        if key.grouped or _fits(key.exchange, key.symbol, wanted):
            yield key


def _slices(store: Store, key: SegmentKey, wanted: _Wanted, *, opened: bool) -> Iterator[tuple[str, Slice]]:
    """Yield (symbol, slice) of what is wanted; opens the segment if asked to, or for a group's directory."""
    if not (opened or key.grouped):
        yield key.symbol, Slice(key)
        return
    segment = store.open(key)
    for symbol in _asked(key.exchange, wanted) if wanted else segment.footer.names:
        # Looked up one by one: a group has thousands, and most often one is wanted.
        start, stop = segment.symbol_rows(symbol) or (0, 0)
        if start < stop:
            yield symbol, Slice(key, Contents.of(segment, start, stop))


def _one_a_day(store: Store, stream: Stream) -> Iterator[Slice]:
    """Yield the slices in order of time, one of each day. Raises FailedError where two have rows of the symbol."""
    slices = sorted(stream.slices, key=lambda part: (part.key.day, part.key.grouped))
    for _, found in groupby(slices, key=lambda part: part.key.day):
        parts = list(found)
        if len(parts) > 1:
            parts = [part for part in parts if part.contents or store.open(part.key).rows]
        if len(parts) > 1:
            one, other = (part.key for part in parts[:2])
            raise FailedError(
                f"{one} and {other} both have rows of {stream.symbol}, and which of them are true cannot be told;"
                f" remove one (tickreel rm --exchange {other.exchange} --symbols {other.symbol} --from {other.day}"
                " ...), or keep one under another feed"
            )
        yield from parts


def _asked(exchange: str, wanted: _Wanted) -> dict[str, None]:
    """Return the symbols wanted of an exchange, once each."""
    return dict.fromkeys(symbol for of, symbol in wanted if of in (None, exchange))


def _chosen(
    asked: dict[str, list[tuple[str | None, str]]], streams: dict[tuple[str, str], Stream]
) -> _Wanted:
    """Return for each text the first reading that there is, or its last: the usual one."""
    found = {*streams, *((None, symbol) for _, symbol in streams)}
    return {next((one for one in ways if one in found), ways[-1]): None for ways in asked.values()}


def _fits(exchange: str, symbol: str, wanted: _Wanted) -> bool:
    return not wanted or (exchange, symbol) in wanted or (None, symbol) in wanted


def _refuse_missing(
    store: Store, feed: str, question: Question, wanted: _Wanted, streams: dict[tuple[str, str], Stream]
) -> None:
    found = {*streams, *((None, symbol) for _, symbol in streams)}
    for exchange, symbol in wanted:
        if (exchange, symbol) not in found:
            have = sorted(
                {key.symbol for key in store.find(feed=feed, type=question.type, exchange=exchange)}
            )
            where = f"{feed}/{question.type}" + (f"/{exchange}" if exchange else "")
            some = ", ".join(have[:12]) + (" ..." if len(have) > 12 else "")
            if symbol in have:
                raise UsageError(
                    f"{symbol} is in {where}, but has no rows in that time (tickreel ls --days shows its days)"
                )
            raise UsageError(
                f"no rows of {symbol} in {where} in that time; it has {some or 'nothing'}"
                " (tickreel ls shows the days)"
            )
    if not wanted and not found:
        where = f"{feed}/{question.type}" + (f"/{question.exchange}" if question.exchange else "")
        raise UsageError(f"no rows in {where} in that time; tickreel ls shows what the store holds")
