"""What a question needs: for every exchange and symbol the segments and rows that hold the answer."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from tickreel.errors import FailedError, UsageError
from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.names import check_feed, readings
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_DAY, day_of, day_start


@dataclass(frozen=True, slots=True)
class Contents:
    """What an open segment says of one symbol: its rows are [start, stop).

    first_ns, last_ns, fingerprint  of the whole segment; the fingerprint is that of its footer
    clock  the column that its rows are ordered by
    """

    start: int
    stop: int
    first_ns: int
    last_ns: int
    fingerprint: int
    clock: str

    @classmethod
    def of(cls, segment: Segment, start: int, stop: int) -> "Contents":
        footer = segment.footer
        return cls(start, stop, footer.first_ns, footer.last_ns, segment.fingerprint, segment.record.time)


@dataclass(frozen=True, slots=True)
class Slice:
    """One symbol's rows of one segment; `contents` is None until somebody has to open the segment."""

    key: SegmentKey
    contents: Contents | None = None


@dataclass(slots=True)
class Stream:
    """One symbol's slices in order of time, one a day; together they are read as one sequence of rows.

    rows, first_ns, last_ns, fingerprint are of a plan with `opened=True`.
    lag_ns  rows without a local clock are read as if each had arrived so long after its exchange time;
            None: as they are, in order of exchange time and with empty local times
    """

    feed: str
    type: str
    exchange: str
    symbol: str
    slices: list[Slice] = field(default_factory=list)
    lag_ns: int | None = None

    @property
    def name(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def rows(self) -> int:
        """Rows of the slices; a range of time may need fewer."""
        return sum(found.stop - found.start for found in self._contents())

    @property
    def first_ns(self) -> int:
        """First time of the segments, ns UTC; with a lag, of arrival."""
        return min(found.first_ns for found in self._contents()) + (self.lag_ns or 0)

    @property
    def last_ns(self) -> int:
        """Last time of the segments, ns UTC; with a lag, of arrival."""
        return max(found.last_ns for found in self._contents()) + (self.lag_ns or 0)

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
    """What is asked of a store; what is left out matches all. Times are half-open, ns UTC, on the clock of the rows.

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
    found = _find(store, question, opened=opened)
    _refuse_missing(store, found)
    return _sorted(store, found)


def plan_each(store: Store, questions: Sequence[Question], *, partial: bool = False) -> list[Stream]:
    """Return the streams of questions that differ in type and feed alone, question after question, as `plan`.

    partial  take what is there: a symbol is refused if none of the questions has rows of it
    """
    found = [_find(store, question, opened=False) for question in questions]
    if not partial:
        for one in found:
            _refuse_missing(store, one, "; partial (--partial) takes what is there" * (len(found) > 1))
    absent = [text for text in questions[0].symbols if all(one.lacks(text) for one in found)]
    if absent or not any(one.streams for one in found):
        of = f" of {', '.join(absent)}" if absent else ""
        places = ", ".join(dict.fromkeys(one.place for one in found))
        raise UsageError(
            f"no rows{of} in any of {places} in that time; tickreel ls --days shows what there is"
        )
    return [stream for one in found for stream in _sorted(store, one)]


def slice_on(store: Store, stream: Stream, day: str) -> Slice | None:
    """Return a stream's rows of one UTC day, None if there are none; only groups of that day are opened.

    Raises FailedError where they lie in two segments.
    """
    start = day_start(day)
    question = Question(stream.type, stream.feed, stream.exchange, (), start, start + NS_PER_DAY)
    wanted: _Wanted = {(stream.exchange, stream.symbol): None}
    found = Stream(stream.feed, stream.type, stream.exchange, stream.symbol)
    for key in _keys(store, stream.feed, question, wanted):
        found.slices += (part for _, part in _slices(store, key, wanted, opened=False))
    return next(_one_a_day(store, found), None)


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


def _find(store: Store, question: Question, *, opened: bool) -> "_Found":
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
    return _Found(question, feed, ways, streams, {symbol for _, symbol in streams})


class _Found(NamedTuple):
    """What may answer a question. asked: text -> what it may mean; streams: by (exchange, symbol)."""

    question: Question
    feed: str
    asked: dict[str, list[tuple[str | None, str]]]
    streams: dict[tuple[str, str], Stream]
    symbols: set[str]

    @property
    def chosen(self) -> _Wanted:
        """For each text the first reading that there is, or its last: the usual one."""
        return {next(filter(self._has, ways), ways[-1]): None for ways in self.asked.values()}

    @property
    def place(self) -> str:
        """Where it was looked for."""
        where = f"{self.feed}/{self.question.type}"
        return f"{where}/{self.question.exchange}" if self.question.exchange else where

    def lacks(self, text: str) -> bool:
        return not any(map(self._has, self.asked[text]))

    def _has(self, reading: tuple[str | None, str]) -> bool:
        exchange, symbol = reading
        return reading in self.streams or (
            exchange is None and any(symbol == name for _, name in self.streams)
        )


def _sorted(store: Store, found: _Found) -> list[Stream]:
    """Return the streams that were chosen, each with one slice a day."""
    chosen = found.chosen
    streams = [found.streams[place] for place in sorted(found.streams) if _fits(*place, chosen)]
    for stream in streams:
        stream.slices = list(_one_a_day(store, stream))
    return streams


def _fits(exchange: str, symbol: str, wanted: _Wanted) -> bool:
    return not wanted or (exchange, symbol) in wanted or (None, symbol) in wanted


def _refuse_missing(store: Store, found: _Found, hint: str = "") -> None:
    """Raise UsageError for the first text of which there is nothing, saying what there is."""
    question = found.question
    for text, ways in found.asked.items():
        if not found.lacks(text):
            continue
        exchange, symbol = ways[-1]
        have = sorted(
            {key.symbol for key in store.find(feed=found.feed, type=question.type, exchange=exchange)}
        )
        where = f"{found.feed}/{question.type}" + (f"/{exchange}" if exchange else "")
        some = ", ".join(have[:12]) + (" ..." if len(have) > 12 else "")
        if symbol in have:
            raise UsageError(
                f"{symbol} is in {where}, but has no rows in that time (tickreel ls --days shows its days){hint}"
            )
        raise UsageError(
            f"no rows of {symbol} in {where} in that time; it has {some or 'nothing'}"
            f" (tickreel ls shows the days){hint}"
        )
    if not found.asked and not found.streams:
        raise UsageError(
            f"no rows in {found.place} in that time; tickreel ls shows what the store holds{hint}"
        )
