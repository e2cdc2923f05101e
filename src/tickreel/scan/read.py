"""A stream's blocks: decodes only the columns asked for, and only blocks that the time range touches."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tickreel.errors import CorruptionError, FailedError, UsageError
from tickreel.scan.plan import Contents, Slice, Stream
from tickreel.schema import RECORD_TYPES, Kind, RecordType
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment

_LINE, _LARGE_PAGE = 64, 1 << 21
"""Bytes of a line of the cache, and of a large page of memory."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one symbol. `columns`: arrays of one length, see schema for dtypes and units."""

    exchange: str
    symbol: str
    columns: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Piece(NamedTuple):
    """Some rows of a block of an open segment, not yet decoded. lag_ns: as that of a Stream."""

    segment: Segment
    block: int
    rows: slice
    exchange: str
    symbol: str
    lag_ns: int | None = None

    @property
    def last_ns(self) -> int | None:
        """Time of the last row, where that is known before it is decoded."""
        if len(self.segment.footer.names) > 1 or self.rows.stop != self.segment.rows_of(self.block):
            return None
        return self.segment.last_times[self.block] + (self.lag_ns or 0)

    def read(self, columns: Sequence[str]) -> Block:
        """Decode columns into fresh arrays."""
        found = self.segment.read_columns(columns, self.block, {}, self.rows)
        if self.lag_ns is not None:
            self.date(found)
        return Block(self.exchange, self.symbol, found)

    def date(self, columns: dict[str, np.ndarray]) -> None:
        """Give the rows, decoded, the times of their arrival where these follow from the lag."""
        if "local_ns" in columns and not self.segment.record.has_local:
            times = self.segment.read("exchange_ns", self.block, columns["local_ns"], self.rows)
            times += self.lag_ns or 0


class StreamReader:
    """Reads one stream; buffers are kept from block to block.

    columns  names in the order wanted, one or more; None: the type's own, without optional ones
    reuse    the arrays of a block are overwritten by the next: no allocation, for engines
    """

    def __init__(
        self,
        store: Store,
        stream: Stream,
        columns: Sequence[str] | None = None,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        reuse: bool = False,
    ) -> None:
        self._store = store
        self._stream = stream
        self._record = RECORD_TYPES[stream.type].widest
        self._columns = check_columns(RECORD_TYPES[stream.type], columns)
        if not self._columns:
            raise UsageError("columns is empty: name one or more, or leave it out for all")
        lag_ns = stream.lag_ns or 0
        self._from, self._to = (None if ns is None else ns - lag_ns for ns in (from_ns, to_ns))
        self._buffers: dict[str, np.ndarray] | None = {} if reuse else None
        self._rows = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in order of time. Raises CorruptionError, and FailedError if the store changed."""
        for piece in self.pieces():
            yield self.read(piece)

    def pieces(self) -> Iterator[Piece]:
        """Yield where the rows are, in order of time; only times at the edges of the range are decoded."""
        for part in self._stream.slices:
            if part.contents is not None and _outside(part.contents, self._from, self._to):
                continue
            segment = open_slice(self._store, part)
            found = contents(segment, part, self._stream.symbol)
            exchange, symbol, lag_ns = self._stream.exchange, self._stream.symbol, self._stream.lag_ns
            for block, rows in row_ranges(segment, found, self._from, self._to):
                yield Piece(segment, block, rows, exchange, symbol, lag_ns)

    def read(self, piece: Piece, columns: Sequence[str] | None = None) -> Block:
        """Decode some rows; columns: of those that the reader was made for, None: all."""
        names = self._columns if columns is None else columns
        if self._buffers is None:
            return piece.read(names)
        segment, block, rows, exchange, symbol, lag_ns = piece
        if self._rows < segment.footer.block_rows:
            self._make_buffers(segment.footer.block_rows)
        found = segment.read_columns(names, block, self._buffers, rows)
        if lag_ns is not None:
            piece.date(found)
        return Block(exchange, symbol, found)

    def _make_buffers(self, rows: int) -> None:
        """Make room for blocks of so many rows in each column but texts, whose width differs."""
        kinds = {name: self._record.column(name).kind for name in self._columns}
        dtypes = {name: kind.dtype for name, kind in kinds.items() if kind is not Kind.TEXT}
        self._buffers, self._rows = _room(dtypes, rows), rows


def open_slice(store: Store, part: Slice) -> Segment:
    """Open the segment of a slice; FailedError if it is no longer the one that was opened for the plan."""
    try:
        segment = store.open(part.key)
    except FileNotFoundError:
        raise FailedError(f"{part.key} was removed while it was being read; run again") from None
    if part.contents is not None and segment.fingerprint != part.contents.fingerprint:
        raise FailedError(f"{part.key} was replaced while it was being read; run again")
    return segment


def contents(segment: Segment, part: Slice, symbol: str) -> Contents:
    """Return where a slice's rows are in its open segment."""
    return part.contents or Contents.of(segment, *(segment.symbol_rows(symbol) or (0, 0)))


def row_ranges(
    segment: Segment, found: Contents, from_ns: int | None, to_ns: int | None
) -> Iterator[tuple[int, slice]]:
    """Yield (block, rows of it) that are a slice's and in the range of time, in order, none empty.

    Only times of blocks at the edges of the range are decoded.
    """
    footer, size = segment.footer, segment.footer.block_rows
    if found.stop > segment.rows:
        raise CorruptionError(f"{segment.path}: rows up to {found.stop} where {segment.rows} are")
    if found.start >= found.stop:
        return
    if (from_ns is None or from_ns <= footer.first_ns) and (to_ns is None or to_ns > footer.last_ns):
        # All rows: most segments of a run, without a look at the tables.
        for block in range(found.start // size, -(-found.stop // size)):
            first = block * size
            yield block, slice(max(found.start - first, 0), min(found.stop - first, segment.rows_of(block)))
        return
    for block in _touched(segment, found, from_ns, to_ns):
        rows = _rows(segment, found, block, from_ns, to_ns)
        if rows.start < rows.stop:
            yield block, rows


def check_columns(record: RecordType, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of columns to read, the type's own for None; UsageError for one that it cannot have."""
    for name in columns or ():
        if name not in record.widest.places:
            raise UsageError(f"{record.name} has no column {name!r}; it has {', '.join(record.widest.names)}")
    return record.names if columns is None else tuple(columns)


def _outside(found: Contents, from_ns: int | None, to_ns: int | None) -> bool:
    return (to_ns is not None and found.first_ns >= to_ns) or (
        from_ns is not None and found.last_ns < from_ns
    )


def _touched(segment: Segment, found: Contents, from_ns: int | None, to_ns: int | None) -> Iterable[int]:
    """Return the blocks that hold rows of the slice and may hold rows of the time range."""
    size = segment.footer.block_rows
    first, stop = found.start // size, -(-found.stop // size)
    if len(segment.footer.names) > 1:
        # Of a group: times begin anew with each symbol.
        blocks = segment.blocks[first:stop]
        touched = np.ones(len(blocks), np.bool_)
        if from_ns is not None:
            touched &= blocks["last_ns"] >= from_ns
        if to_ns is not None:
            touched &= blocks["first_ns"] < to_ns
        return (np.flatnonzero(touched) + first).tolist()
    if from_ns is not None:
        first = bisect_left(segment.last_times, from_ns, first, stop)
    if to_ns is not None:
        stop = bisect_left(segment.first_times, to_ns, first, stop)
    return range(first, stop)


def _rows(segment: Segment, found: Contents, block: int, from_ns: int | None, to_ns: int | None) -> slice:
    """Return the rows of a block that are the slice's and in the range of time."""
    first = block * segment.footer.block_rows
    start, stop = max(found.start - first, 0), min(found.stop - first, segment.rows_of(block))
    if from_ns is not None and segment.first_times[block] < from_ns:
        start = _first_at(segment, block, start, stop, from_ns)
    if to_ns is not None and segment.last_times[block] >= to_ns:
        stop = _first_at(segment, block, start, stop, to_ns)
    return slice(start, stop)


def _first_at(segment: Segment, block: int, start: int, stop: int, ns: int) -> int:
    """Return the first row in [start, stop) of a block whose time is `ns` or later, `stop` if there is none."""
    # Only the part between two times that are known without decoding.
    every, known = segment.landmarks(segment.record.time, block)
    first, last = start // every, max(stop - 1, start) // every
    part = first + int(np.searchsorted(known[first:last], ns))
    start, stop = max(start, part * every), min(stop, (part + 1) * every)
    times = segment.read(segment.record.time, block, rows=slice(start, stop))
    return start + int(np.searchsorted(times, ns))


def _room(dtypes: dict[str, np.dtype], rows: int) -> dict[str, np.ndarray]:
    """Return an array of so many rows for each dtype, all in one piece.

    A large one begins where a large page of memory may: blocks then cost fewer page faults and cache misses.
    """
    sizes = {name: -(-rows * dtype.itemsize // _LINE) * _LINE for name, dtype in dtypes.items()}
    need = sum(sizes.values())
    page = _LARGE_PAGE if need > _LARGE_PAGE // 2 else _LINE
    # NumPy asks for large pages where an array has two of them or more.
    piece = np.empty(max(need + page, 2 * _LARGE_PAGE + 1) if page == _LARGE_PAGE else need + page, np.uint8)
    at = -piece.ctypes.data % page
    found = {}
    for name, dtype in dtypes.items():
        found[name] = piece[at : at + rows * dtype.itemsize].view(dtype)
        at += sizes[name]
    return found
