"""The book of a symbol at a time: the nearest checkpoint, and the rows from there."""

import contextlib
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tickreel.books import checkpoints
from tickreel.books.book import Book, Levels
from tickreel.books.checkpoint_rows import Checkpoint
from tickreel.books.rows import Source
from tickreel.errors import UsageError
from tickreel.scan.plan import Question, Stream, plan, slice_on
from tickreel.scan.read import open_slice
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Part
from tickreel.units import NS_PER_DAY, day_of, day_start, format_time

TYPE = "incremental_book_L2"


@dataclass(frozen=True, slots=True)
class BookAt:
    """A book as it stood at `at_ns`: after every message that had arrived by then.

    Times are local ones; where a provider gives none, those of the exchange.
    last_ns      time of the last message
    snapshot_ns  time of the snapshot that the book rests on
    uncross      whether levels that met or crossed were dropped
    bids, asks   the best levels, best first: price, amount float64[n]
    """

    exchange: str
    symbol: str
    at_ns: int
    last_ns: int
    snapshot_ns: int
    uncross: bool
    bids: Levels
    asks: Levels

    @property
    def best_bid(self) -> float:
        """The highest bid, NaN where there is none."""
        return float(self.bids.price[0]) if len(self.bids.price) else np.nan

    @property
    def best_ask(self) -> float:
        """The lowest ask, NaN where there is none."""
        return float(self.asks.price[0]) if len(self.asks.price) else np.nan

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is above the best ask, which no venue lets stand; a locked book is not."""
        return self.best_bid > self.best_ask


def book_at(
    store: Store,
    symbol: str,
    at_ns: int,
    *,
    exchange: str | None = None,
    feed: str | None = None,
    depth: int | None = None,
    uncross: bool = False,
) -> BookAt:
    """Return the book of one symbol ("BTCUSDT" or "binance:BTCUSDT") at a time, ns UTC on the clock of its rows.

    exchange  None: the one with rows of the symbol on that day
    depth     levels of each side at most, 0: none; None: all
    uncross   drop the older side's levels where bid and ask meet or cross, message by message
    Raises UsageError for another depth, and where the store has no such book: another symbol, a day
    that is missing, a time before the first snapshot.
    """
    depth = _checked(depth)
    stream = _stream_on(store, Question(TYPE, feed, exchange, (symbol,)), day_of(at_ns))
    book = Book(uncross=uncross)
    first_day = _bring(book, store, stream, day_of(at_ns), at_ns + 1)
    book.close()
    if not book.is_known:
        raise UsageError(
            f"{stream.name}: no snapshot between {first_day} and {format_time(at_ns)}, so the book is"
            " not known; name a later time, or import the day before"
        )
    return BookAt(
        stream.exchange,
        stream.symbol,
        at_ns,
        book.last_ns,
        book.snapshot_ns,
        uncross,
        book.bids(depth),
        book.asks(depth),
    )


def _checked(depth: int | None) -> int | None:
    with contextlib.suppress(TypeError):
        if depth is None or (not isinstance(depth, bool) and operator.index(depth) >= 0):
            return depth
    raise UsageError(
        f"depth: {depth!r} is no number of levels; write a whole number of 0 or more, None for all"
    )


def book_before(store: Store, key: SegmentKey, symbol: str) -> Book | None:
    """Return the book that the rows of a symbol in a segment go on with, None if it is not known (rule B6)."""
    book = Book()
    stream = Stream(key.feed, TYPE, key.exchange, symbol)
    _bring(book, store, stream, _day_before(key.day), day_start(key.day))
    book.close()
    return book if book.is_known else None


def bring_before(book: Book, store: Store, stream: Stream, end_ns: int) -> None:
    """Bring a new book to what it is after the last message before a time, ns UTC; unknown if it cannot be known.

    stream  of TYPE; of its slices none is asked for. Raises CorruptionError, InputError, FailedError.
    """
    _bring(book, store, stream, day_of(end_ns), end_ns)
    book.close()


def _stream_on(store: Store, question: Question, day: str) -> Stream:
    """Return the one stream that has rows on a day; its other days are not looked for. Raises UsageError."""
    start = day_start(day)
    end = start + NS_PER_DAY
    try:
        streams = plan(store, replace(question, from_ns=start, to_ns=end))
    except UsageError:
        streams = plan(store, replace(question, to_ns=end))
    if len(streams) > 1:
        raise UsageError(
            f"{question.symbols[0]}: of {', '.join(s.name for s in streams)}; name one, as {streams[0].name}"
        )
    (stream,) = streams
    if stream.slices[-1].key.day != day:
        raise UsageError(
            f"{stream.name}: no rows of {TYPE} on {day}, the last before are of {stream.slices[-1].key.day};"
            " tickreel ls --days lists them"
        )
    return stream


def _bring(book: Book, store: Store, stream: Stream, day: str, end_ns: int) -> str:
    """Bring a book to what it is before `end_ns` of a day; return the first day that was looked at.

    It begins with the last checkpoint of all, or where the days right before that one begin.
    """
    find = partial(_checkpoint, store, stream, uncross=book.is_uncrossing)
    waiting: list[tuple[Source, SegmentKey, int, Checkpoint | None]] = []
    for source, key in _sources(store, stream, day):
        day = key.day
        row = _rows_before(source, end_ns)
        waiting.append((source, key, row, find(source, key, row)))
        if (point := waiting[-1][-1]) is not None and point.is_whole:
            break
    rests_on: tuple[Part, ...] = ()
    for source, key, row, point in reversed(waiting):
        if point is None and book.is_known and book.is_uncrossing:
            checkpoints.go_on(store, key, source, book, rests_on)
            point = find(source, key, row)
        if point is not None:
            point.put_into(book)
        checkpoints.replay(book, source, point.row if point else 0, row)
        rests_on = (
            checkpoints.part_of(source, uncross=book.is_uncrossing),
            *(point.rests_on if point else rests_on),
        )
    return day


def _checkpoint(
    store: Store, stream: Stream, source: Source, key: SegmentKey, row: int, *, uncross: bool
) -> Checkpoint | None:
    before = days_before(store, key, stream.symbol)
    return checkpoints.find(store, key, source, row, uncross=uncross, before=before)


def days_before(store: Store, key: SegmentKey, symbol: str) -> Iterator[Source]:
    """Yield the rows of a symbol on the days right before a segment's, latest first, as far as there are any."""
    stream = Stream(key.feed, TYPE, key.exchange, symbol)
    return (source for source, _ in _sources(store, stream, _day_before(key.day)))


def _sources(store: Store, stream: Stream, day: str) -> Iterator[tuple[Source, SegmentKey]]:
    """Yield the rows of a day and of those right before it, latest first, each found when it is asked for."""
    while (part := slice_on(store, stream, day)) is not None:
        segment = open_slice(store, part)
        rows = segment.symbol_rows(stream.symbol)
        if rows is not None:
            yield Source(segment, stream.symbol, *rows), part.key
        day = _day_before(day)


def _day_before(day: str) -> str:
    return day_of(day_start(day) - NS_PER_DAY)


def _rows_before(source: Source, end_ns: int) -> int:
    """Return how many rows of a source are before a time; the times of one or two blocks are decoded."""
    count = 0
    for block, begin, end in source.blocks():
        if int(source.segment.blocks["last_ns"][block]) < end_ns:
            count += end - begin
            continue
        times = source.segment.read(source.segment.record.time, block)[begin:end]
        before = int(np.searchsorted(times, end_ns))
        count += before
        # The block's last time may be that of the next symbol in a group, and this one's rows go on.
        if before < end - begin:
            break
    return count
