"""A checkpoint as rows of book_levels and back: what a file holds becomes a book only if a book can have left it.

A file may be damaged where no checksum shows it, or be made up. One that keeps every rule here and lies
all the same gives another book, as a segment would: checksums are no signatures.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tickreel.books import book_kernel as k
from tickreel.books.book import MOST_TICKS, Book
from tickreel.books.rows import Source
from tickreel.codecs.decimals import FLOAT_BITS, MAX_SCALE
from tickreel.errors import CorruptionError
from tickreel.schema import BOOK_KINDS, BOOK_PARTS, BOOK_SIDES, NULL_TIME, RECORD_TYPES
from tickreel.store.format import Part
from tickreel.store.reader import Segment

RECORD = RECORD_TYPES["book_levels"]
ANEW = "remove it: it is made anew when a book is asked for"

_ROW = RECORD.names.index("row")
_STATE = 0
_CHANGES, _BOOK = range(len(BOOK_KINDS))
_OF_ALL = ("local_ns", "kind", "snapshot_ns", "in_snapshot", "scale")
"""Columns that say the same in all rows of a checkpoint."""

Columns = dict[str, np.ndarray]


class Checkpoint(NamedTuple):
    """A book, or the changes that lead to it, after the first `row` rows of its source."""

    row: int
    last_ns: int
    is_whole: bool
    snapshot_ns: int
    in_snapshot: bool
    scale: int
    levels: tuple[tuple[np.ndarray, np.ndarray], ...]
    """(prices int64[n], amounts) of the bids and of the asks."""
    rests_on: tuple[Part, ...] = ()
    """The days before that went into it, latest first, as `part_of` names them."""

    def put_into(self, book: Book) -> None:
        """Bring a book to this state; changes need the book that they go on from."""
        state = book.state.state
        if self.is_whole:
            book.forget()
            state[k.KNOWN], state[k.SNAPSHOT_NS] = k.WHOLE, self.snapshot_ns
        if state[k.KNOWN] == k.WHOLE:
            for side, (prices, amounts) in enumerate(self.levels):
                book.put(side, prices, amounts, self.scale)
        state[k.LAST_NS], state[k.LAST_SNAPSHOT] = self.last_ns, int(self.in_snapshot)


def rows_of(point: Checkpoint) -> dict[str, np.ndarray]:
    """Return a checkpoint as rows of book_levels: a line of its own, then the bids, then the asks."""
    counts = [1, *(len(prices) for prices, _ in point.levels)]
    total = sum(counts)
    prices = np.concatenate([[0], *(prices for prices, _ in point.levels)])
    amounts = np.concatenate([[0.0], *(amounts for _, amounts in point.levels)])
    return {
        "local_ns": np.full(total, point.last_ns),
        "row": np.full(total, point.row),
        "part": np.repeat(np.arange(len(BOOK_PARTS), dtype=np.uint8), counts),
        "kind": np.full(total, _BOOK if point.is_whole else _CHANGES, np.uint8),
        "snapshot_ns": np.full(total, point.snapshot_ns if point.is_whole else NULL_TIME),
        "in_snapshot": np.full(total, int(point.in_snapshot), np.uint8),
        "scale": np.full(total, point.scale),
        "price": prices,
        "amount": amounts,
    }


class CheckpointFile:
    """The checkpoints in an open file, each looked at before it is given.

    source  the rows that they were made from, beside the days that the file says it rests on
    Methods raise CorruptionError for what cannot be a book after some of these rows.
    """

    def __init__(self, file: Segment, source: Source) -> None:
        self._file, self._source = file, source
        self._rests_on = tuple(file.meta.parts[1:])
        self._lows, self._highs = (file.footer.chunks[name][:, _ROW] for name in ("low", "high"))
        edges = np.stack([self._lows, self._highs], axis=1).reshape(-1)
        least, most = 0 if self._rests_on else 1, source.stop - source.start
        if len(edges) and (edges[0] < least or edges[-1] > most or (edges[:-1] > edges[1:]).any()):
            raise CorruptionError(
                f"{file.path}: its checkpoints are not in order after rows {least} to {most}; {ANEW}"
            )

    def before(self, row: int) -> Checkpoint | None:
        """Return the one with the greatest row of at most `row`; only blocks that hold it are read."""
        last = int(np.searchsorted(self._lows, row, "right")) - 1
        if last < 0:
            return None
        blocks = [self._block(last)]
        numbers = blocks[0]["row"]
        found = int(numbers[np.searchsorted(numbers, row, "right") - 1])
        first = int(np.searchsorted(self._highs, found))
        self._refuse_more(found, (last - first - 1) * self._file.footer.block_rows)
        blocks = [*(self._block(block) for block in range(first, last)), *blocks]
        return self._looked_at(
            [_part(block, *np.searchsorted(block["row"], [found, found + 1])) for block in blocks]
        )

    def __iter__(self) -> Iterator[Checkpoint]:
        """Yield all of them, block by block."""
        waiting: list[Columns] = []
        for number in range(len(self._file.blocks)):
            block = self._block(number)
            rows = block["row"]
            for begin, end in pairwise([0, *(np.flatnonzero(rows[1:] != rows[:-1]) + 1).tolist(), len(rows)]):
                if waiting and waiting[0]["row"][0] != rows[begin]:
                    yield self._looked_at(waiting)
                    waiting = []
                self._refuse_more(int(rows[begin]), sum(len(part["row"]) for part in waiting))
                waiting.append(_part(block, begin, end))
        if waiting:
            yield self._looked_at(waiting)

    def _block(self, number: int) -> Columns:
        block = {name: self._file.read(name, number) for name in RECORD.names}
        rows = block["row"]
        if (rows[0], rows[-1]) != (self._lows[number], self._highs[number]) or (rows[:-1] > rows[1:]).any():
            raise CorruptionError(
                f"{self._file.path}: block {number}: its checkpoints are not in order; {ANEW}"
            )
        return block

    def _refuse_more(self, row: int, lines: int) -> None:
        """Raise CorruptionError for more levels than there were rows: no more than that is held in memory."""
        most = row + sum(part.lines for part in self._rests_on)
        if lines > most + 1:
            raise self._wrong(row, f"more than {most} levels after as many rows")

    def _looked_at(self, parts: list[Columns]) -> Checkpoint:
        columns = {name: np.concatenate([part[name] for part in parts]) for name in RECORD.names}
        head = {name: int(columns[name][0]) for name in RECORD.names[:-1]}
        part, price, amount = (columns[name] for name in ("part", "price", "amount"))
        levels = tuple((price[part == 1 + side], amount[part == 1 + side]) for side in range(len(BOOK_SIDES)))
        point = Checkpoint(
            head["row"], head["local_ns"], head["kind"] == _BOOK, head["snapshot_ns"], bool(head["in_snapshot"]),
            head["scale"], levels, self._rests_on,
        )  # fmt: skip
        self._refuse_more(point.row, len(part))
        if part[0] != _STATE or (part[1:] == _STATE).any() or (part[1:-1] > part[2:]).any():
            raise self._wrong(point.row, "its rows are not one of state, then bids, then asks")
        for name in _OF_ALL:
            if (columns[name] != columns[name][0]).any():
                raise self._wrong(point.row, f"{name} is not the same in all its rows")
        for what in (*self._wrong_place(point), *_wrong_snapshot(point), *_wrong_levels(point)):
            raise self._wrong(point.row, what)
        return point

    def _wrong_place(self, point: Checkpoint) -> Iterator[str]:
        """Yield what does not fit the rows that were replayed, by the footer of their segment."""
        segment = self._source.segment
        size = segment.footer.block_rows
        first, last = self._source.start // size, (self._source.start + max(point.row, 1) - 1) // size
        begin, end = (int(segment.blocks[name][last]) for name in ("first_ns", "last_ns"))
        if point.last_ns > end or (point.row and point.last_ns < begin):
            yield f"time {point.last_ns}, its last row is of {begin} to {end}"
        blocks = slice(first, last + 1 if point.row else first)
        scales = segment.footer.chunks["scale"][blocks, segment.record.names.index("price")]
        known = scales[scales != FLOAT_BITS]
        least = int(known.max(initial=0))
        most = least if len(known) == len(scales) and not self._rests_on else MAX_SCALE
        if not least <= point.scale <= most:
            yield f"scale {point.scale}, {least} to {most} fit its rows"

    def _wrong(self, row: int, what: str) -> CorruptionError:
        return CorruptionError(f"{self._file.path}: the checkpoint after row {row}: {what}; {ANEW}")


def _wrong_snapshot(point: Checkpoint) -> Iterator[str]:
    """Yield what no book rests on: one that is whole on a snapshot before it, changes on none."""
    snapshot_ns, last_ns = point.snapshot_ns, point.last_ns
    if not point.is_whole and (snapshot_ns != NULL_TIME or point.in_snapshot):
        yield f"changes that rest on a snapshot of {snapshot_ns}"
    if point.is_whole and not NULL_TIME < snapshot_ns <= last_ns:
        yield f"a book of {last_ns} that rests on a snapshot of {snapshot_ns}"
    if point.is_whole and point.in_snapshot and snapshot_ns != last_ns:
        yield f"a row of a snapshot at {last_ns}, which is of {snapshot_ns}"


def _wrong_levels(point: Checkpoint) -> Iterator[str]:
    """Yield what no ladder holds: levels best first, each once, within its range, none without an amount."""
    for name, sign, (prices, amounts) in zip(BOOK_SIDES, (1, -1), point.levels, strict=True):
        if len(prices) and not -MOST_TICKS < prices.min() <= prices.max() < MOST_TICKS:
            yield f"a {name} at {prices.min()} or {prices.max()} ticks, less than {MOST_TICKS} are allowed"
        elif (sign * prices[:-1] <= sign * prices[1:]).any():
            yield f"its {name}s are not best first"
        if np.isnan(amounts).any() or (point.is_whole and (amounts == 0).any()):
            yield f"a {name} without an amount"


def _part(block: Columns, begin: int, end: int) -> Columns:
    return {name: values[begin:end] for name, values in block.items()}
