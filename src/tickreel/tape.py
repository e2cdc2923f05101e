"""Tape: a store opened for reading from Python."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, SupportsIndex

from tickreel.errors import UsageError
from tickreel.scan.merge import BUDGET_BYTES, Batch, merge
from tickreel.scan.plan import Question, Stream, choose_feed, plan, plan_each
from tickreel.scan.read import Block, StreamReader
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.kept import KeptStore
from tickreel.units import parse_time

if TYPE_CHECKING:
    from tickreel.books.at import BookAt

_FEW_SLICES = 2
"""Of so many days at most, segments are kept open: a minute may lie on both sides of midnight."""

Time = str | date | datetime | SupportsIndex


def open_store(path: str | os.PathLike[str] | None = None, *, feed: str | None = None) -> "Tape":
    """Open the store at `path` (else TICKREEL_STORE, else ./tape) for reading.

    feed  the feed to read; None is the primary one
    Raises UsageError if there is no store.
    """
    return Tape(Store.existing(path or os.environ.get("TICKREEL_STORE") or "tape"), feed)


class Tape:
    """A store for reading. Ranges are half-open, UTC; times are ISO text, dates or ns.

    Order and ranges follow local time; where a provider gives none, exchange time, and `local_ns` is empty.
    """

    def __init__(self, store: Store, feed: str | None) -> None:
        self.store = store
        self.feed = choose_feed(store, feed)
        self._kept = KeptStore(store.root)

    def __repr__(self) -> str:
        names = sorted({f"{key.exchange}:{key.symbol}" for key in self.segments()})
        shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        return f"<tickreel store {self.store.root}, feed {self.feed}: {len(names)} symbols: {shown}>"

    def segments(self, type: str | None = None, exchange: str | None = None) -> list[SegmentKey]:
        """Return the keys of all segments of the feed, sorted."""
        return list(self.store.find(feed=self.feed, type=type, exchange=exchange))

    def streams(
        self,
        symbols: str | Sequence[str] = (),
        *,
        exchange: str | None = None,
        type: str = "trades",
        start: Time | None = None,
        end: Time | None = None,
    ) -> list[Stream]:
        """Return what a scan would read, one stream per exchange and symbol; opens every segment of it."""
        return plan(self.store, self._question(symbols, exchange, type, start, end), opened=True)

    def scan(
        self,
        symbols: str | Sequence[str] = (),
        *,
        exchange: str | None = None,
        type: str = "trades",
        start: Time | None = None,
        end: Time | None = None,
        columns: Sequence[str] | None = None,
        reuse: bool = False,
    ) -> Iterator[Block]:
        """Yield blocks of NumPy arrays, symbol after symbol, each in order of time.

            for block in tape.scan("BTCUSDT", start="2024-01-01", end="2024-02-01"):
                block["price"]          # float64; see schema for all columns

        columns  names to decode, one or more; None: the type's own. An optional one, `fee` of trades, is NaN
                 where there is none
        reuse    overwrite the arrays of a block by the next one's: faster, for those who copy
        """
        question = self._question(symbols, exchange, type, start, end)
        for stream in plan(self.store, question):
            store = self._kept if len(stream.slices) <= _FEW_SLICES else self.store
            reader = StreamReader(
                store, stream, columns,
                from_ns=question.from_ns, to_ns=question.to_ns, reuse=reuse,
            )  # fmt: skip
            yield from reader.blocks()

    def merge(
        self,
        symbols: str | Sequence[str] = (),
        *,
        types: str | Sequence[str] = "trades",
        exchange: str | None = None,
        feeds: str | Sequence[str] = (),
        start: Time | None = None,
        end: Time | None = None,
        columns: Mapping[str, Sequence[str]] | None = None,
        partial: bool = False,
        budget_bytes: int = BUDGET_BYTES,
    ) -> Iterator[Batch]:
        """Yield batches of all streams in one order: time, then type, exchange, symbol, feed, row.

            for batch in tape.merge("BTCUSDT", types=["trades", "incremental_book_L2"]):
                batch.time_ns, batch.stream, batch.row   # of each row: time, stream's number, index in:
                batch.columns[0]["price"]                # the rows of batch.streams[0], in their order

        feeds    names of feeds; none: the tape's own
        columns  record type to names to decode, e.g. {"trades": ["price"]}, or none; others have their own
        partial  take what is there; a symbol needs rows in one of the types and feeds, not in each
        budget_bytes  of decoded rows, however many streams there are; see `scan.merge`
        Raises UsageError for a symbol that one of the types and feeds does not hold in that time.
        """
        asked = dict.fromkeys((types,) if isinstance(types, str) else types)
        named = dict.fromkeys((feeds,) if isinstance(feeds, str) else feeds)
        if not asked:
            raise UsageError("types is empty: name one or more")
        if unknown := set(columns or ()) - set(asked):
            raise UsageError(f"columns of {', '.join(sorted(unknown))}: types has {', '.join(asked)}")
        question = self._question(symbols, exchange, "", start, end)
        questions = [
            replace(question, feed=feed, type=type) for feed in named or {self.feed: None} for type in asked
        ]
        return merge(
            self.store, plan_each(self.store, questions, partial=partial), columns,
            from_ns=question.from_ns, to_ns=question.to_ns, budget_bytes=budget_bytes,
        )  # fmt: skip

    def book(
        self,
        symbol: str,
        at: Time,
        *,
        exchange: str | None = None,
        depth: int | None = None,
        uncross: bool = False,
    ) -> "BookAt":
        """Return the order book as it stood at a time: after every message that had arrived by then.

            book = tape.book("BTCUSDT", "2024-01-01T12:00", depth=10)
            book.bids.price, book.bids.amount       # float64, best first; see books.at.BookAt

        depth    levels of each side at most, 0: none; None: all
        uncross  drop the older side's levels where bid and ask meet or cross
        Raises UsageError for another depth or time, and where the store has no such book, e.g. before
        the first snapshot.
        """
        from tickreel.books.at import book_at

        return book_at(
            self.store, symbol, parse_time(at, "at"),
            exchange=exchange, feed=self.feed, depth=depth, uncross=uncross,
        )  # fmt: skip

    def to_arrow(
        self,
        symbols: str | Sequence[str] = (),
        *,
        exchange: str | None = None,
        type: str = "trades",
        start: Time | None = None,
        end: Time | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[Any]:
        """Yield pyarrow.RecordBatch for each block that `scan` yields; needs the extra [arrow].

        exchange and symbol come first, times are timestamp[ns, UTC]; what is empty or NaN is null.
        """
        from tickreel.scan.arrow import record_batch

        blocks = self.scan(symbols, exchange=exchange, type=type, start=start, end=end, columns=columns)
        return (record_batch(block, type) for block in blocks)

    def to_polars(
        self,
        symbols: str | Sequence[str] = (),
        *,
        exchange: str | None = None,
        type: str = "trades",
        start: Time | None = None,
        end: Time | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[Any]:
        """Yield polars.DataFrame for each block that `scan` yields, as `to_arrow`; needs the extra [arrow]."""
        from tickreel.scan.arrow import extra

        polars = extra("polars")
        found = self.to_arrow(symbols, exchange=exchange, type=type, start=start, end=end, columns=columns)
        return (polars.from_arrow(batch) for batch in found)

    def to_pandas(
        self,
        symbols: str | Sequence[str] = (),
        *,
        exchange: str | None = None,
        type: str = "trades",
        start: Time | None = None,
        end: Time | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[Any]:
        """Yield pandas.DataFrame for each block that `scan` yields, as `to_arrow`; needs the extra [arrow]."""
        from tickreel.scan.arrow import extra

        extra("pandas")
        found = self.to_arrow(symbols, exchange=exchange, type=type, start=start, end=end, columns=columns)
        return (batch.to_pandas() for batch in found)

    def _question(
        self, symbols: str | Sequence[str], exchange: str | None, type: str, start: Any, end: Any
    ) -> Question:
        names = (symbols,) if isinstance(symbols, str) else tuple(symbols)
        return Question(
            type, self.feed, exchange, names,
            None if start is None else parse_time(start, "start"),
            None if end is None else parse_time(end, "end"),
        )  # fmt: skip
