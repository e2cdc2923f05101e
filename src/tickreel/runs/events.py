"""One symbol's trades and changes of its order book, in step, for strategies that watch the book."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tickreel.books.book_kernel import BookRows
from tickreel.books.rows import RowReader
from tickreel.scan.plan import Stream, missing_days
from tickreel.scan.read import StreamReader
from tickreel.simulate.records import FAR, Rows
from tickreel.store.catalog import Store
from tickreel.units import day_of, day_start

CHANGES = "incremental_book_L2"


class Changes(NamedTuple):
    """Some rows of a book, whose prices are integers x 10^-scale; valid until the next are asked for.

    after_gap  a day is missing between them and what came before (rule B6)
    """

    rows: BookRows
    scale: int
    after_gap: bool = False


def changes_of(
    store: Store, stream: Stream, *, from_ns: int | None = None, to_ns: int | None = None
) -> Iterator[Changes]:
    """Yield the changes of a range of time, block by block. Raises CorruptionError, InputError, FailedError."""
    reader = RowReader()
    lag_ns = stream.lag_ns or 0
    last = day_start(stream.slices[0].key.day if from_ns is None else day_of(from_ns - lag_ns))
    for piece in StreamReader(store, stream, from_ns=from_ns, to_ns=to_ns).pieces():
        rows, scale = reader.read(piece.segment, piece.block)
        if lag_ns:
            rows = rows._replace(local_ns=rows.local_ns + lag_ns)
        day = day_start(piece.segment.meta.day)
        after_gap = day > last and bool(missing_days(stream, last, day))
        yield Changes(BookRows(*(column[piece.rows] for column in rows)), scale, after_gap)
        last = day


def events(trades: Iterator[Rows], changes: Iterator[Changes]) -> Iterator[tuple[Rows, Changes]]:
    """Yield blocks of both, cut so that no pair has rows of an earlier time than the pair before.

    Trades of a time never come in a later pair than changes of it.
    """
    rows, change = next(trades, _NO_TRADES), next(changes, _NO_CHANGES)
    while len(rows.local_ns) or len(change.rows.local_ns):
        trades_end, changes_end = _last(rows.local_ns), _last(change.rows.local_ns)
        if trades_end <= changes_end:
            # The next block of trades may have more of its last time, which come before the changes.
            early, change = _cut(change, int(np.searchsorted(change.rows.local_ns, trades_end)))
            yield rows, early
            rows = next(trades, _NO_TRADES)
        else:
            count = int(np.searchsorted(rows.local_ns, changes_end, "right"))
            yield Rows(*(column[:count] for column in rows)), change
            rows = Rows(*(column[count:] for column in rows))
            change = next(changes, _NO_CHANGES)


_NO_TIMES, _NO_NUMBERS, _NO_CODES = (np.empty(0, dtype) for dtype in (np.int64, np.float64, np.uint8))
_NO_TRADES = Rows(_NO_NUMBERS, _NO_NUMBERS, _NO_CODES, _NO_TIMES, _NO_TIMES)
_NO_CHANGES = Changes(BookRows(_NO_TIMES, _NO_CODES, _NO_CODES, _NO_TIMES, _NO_NUMBERS), 0)


def _last(times: np.ndarray) -> int:
    return int(times[-1]) if len(times) else FAR


def _cut(changes: Changes, count: int) -> tuple[Changes, Changes]:
    before, after = (
        BookRows(*(column[part] for column in changes.rows)) for part in (slice(count), slice(count, None))
    )
    return changes._replace(rows=before), changes._replace(rows=after, after_gap=False)
