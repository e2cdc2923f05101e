"""The book of a symbol at a time: the nearest checkpoint, and the rows from there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tickreel.books import checkpoints
from tickreel.books.book import Book, Levels
from tickreel.books.checkpoints import Source
from tickreel.errors import UsageError
from tickreel.scan.plan import Question, Slice, plan
from tickreel.scan.read import open_slice
from tickreel.schema import GROUPS
from tickreel.store.catalog import SegmentKey, Store
from tickreel.units import NS_PER_DAY, day_of, day_start, format_time

TYPE = "incremental_book_L2"


@dataclass(frozen=True, slots=True)
class BookAt:
    """A book as it stood at `at_ns`: after every message that had arrived by then.

    last_ns      local time of the last message
    snapshot_ns  local time of the snapshot that the book rests on
    bids, asks   the best levels, best first: price, amount float64[n]
    """

    exchange: str
    symbol: str
    at_ns: int
    last_ns: int
    snapshot_ns: int
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
        """Whether the best bid is above the best ask, which no venue lets stand."""
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
    """Return the book of one symbol ("BTCUSDT" or "binance:BTCUSDT") at a time, ns UTC of the local clock.

    depth    levels of each side at most; None: all
    uncross  drop the older side's levels where bid and ask meet or cross, message by message
    Raises UsageError where the store has no such book: another symbol, a day that is missing, a
    time before the first snapshot.
    """
    start = day_start(day_of(at_ns))
    streams = plan(store, Question(TYPE, feed, exchange, (symbol,), None, start + NS_PER_DAY))
    if len(streams) > 1:
        raise UsageError(f"{symbol}: of {', '.join(s.name for s in streams)}; name one, as {streams[0].name}")
    (stream,) = streams
    days = _days_before(stream.slices, start)
    if not days or days[0][0].key.day != day_of(at_ns):
        raise UsageError(
            f"{stream.name}: no rows of {TYPE} on {day_of(at_ns)}, the last before are of"
            f" {stream.slices[-1].key.day}; tickreel ls --days lists them"
        )
    book = Book(uncross=uncross)
    _bring(book, store, days, stream.symbol, at_ns + 1)
    book.close()
    if not book.is_known:
        raise UsageError(
            f"{stream.name}: no snapshot between {days[-1][0].key.day} and {format_time(at_ns)}, so the book is"
            " not known; name a later time, or import the day before"
        )
    return BookAt(
        stream.exchange,
        stream.symbol,
        at_ns,
        book.last_ns,
        book.snapshot_ns,
        book.bids(depth),
        book.asks(depth),
    )


def book_before(store: Store, key: SegmentKey, symbol: str) -> Book | None:
    """Return the book that the rows of a symbol in a segment go on with, None if it is not known (rule B6)."""
    start = day_start(key.day)
    day_before = store.find(
        feed=key.feed, type=TYPE, exchange=key.exchange, symbol={key.symbol, symbol, *GROUPS},
        from_ns=start - NS_PER_DAY, to_ns=start,
    )  # fmt: skip
    if not any(day_before):
        return None
    try:
        (stream,) = plan(store, Question(TYPE, key.feed, key.exchange, (symbol,), None, start))
    except UsageError:  # no row of the symbol in a group
        return None
    book = Book()
    _bring(book, store, _days_before(stream.slices, start - NS_PER_DAY), symbol, start)
    book.close()
    return book if book.is_known else None


def _days_before(slices: list[Slice], start: int) -> list[list[Slice]]:
    """Return the slices of the day that begins at `start` and of those right before it, latest day first."""
    by_day: dict[str, list[Slice]] = {}
    for part in slices:
        by_day.setdefault(part.key.day, []).append(part)
    days = []
    while (found := by_day.get(day_of(start))) is not None:
        days.append(found)
        start -= NS_PER_DAY
    return days


def _bring(book: Book, store: Store, days: list[list[Slice]], symbol: str, end_ns: int) -> None:
    """Bring a book to what it is before `end_ns`: from the last checkpoint of all, over the days after it."""
    waiting: list[tuple[Source, int, checkpoints.Checkpoint | None]] = []
    for source, key in _sources(store, days, symbol):
        row = _rows_before(source, end_ns)
        point = checkpoints.find(store, key, source, row, uncross=book.is_uncrossing)
        waiting.append((source, row, point))
        if point is not None and point.is_whole:
            break
    for source, row, point in reversed(waiting):
        if point is not None:
            point.put_into(book)
        checkpoints.replay(book, source, point.row if point else 0, row)


def _sources(store: Store, days: list[list[Slice]], symbol: str) -> Iterator[tuple[Source, SegmentKey]]:
    """Yield the rows of the days, latest first."""
    for parts in days:
        for part in reversed(parts):
            segment = open_slice(store, part)
            rows = segment.symbol_rows(symbol)
            if rows is not None:
                yield Source(segment, symbol, *rows), part.key


def _rows_before(source: Source, end_ns: int) -> int:
    """Return how many rows of a source are before a time; the times of one or two blocks are decoded."""
    count = 0
    for block, begin, end in source.blocks():
        if int(source.segment.blocks["last_ns"][block]) < end_ns:
            count += end - begin
            continue
        times = source.segment.read("local_ns", block)[begin:end]
        before = int(np.searchsorted(times, end_ns))
        count += before
        # The block's last time may be that of the next symbol in a group, and this one's rows go on.
        if before < end - begin:
            break
    return count
