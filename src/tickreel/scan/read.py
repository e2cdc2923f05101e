"""A stream's blocks: decodes only the columns asked for, and only blocks that the time range touches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tickreel.errors import CorruptionError, FailedError, UsageError
from tickreel.scan.plan import Slice, Stream
from tickreel.schema import RECORD_TYPES, Kind, RecordType
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment


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
    """Some rows of a block of an open segment, not yet decoded."""

    segment: Segment
    block: int
    rows: slice
    exchange: str
    symbol: str

    def read(self, columns: Sequence[str] | None = None) -> Block:
        """Decode columns (None: all) into fresh arrays."""
        names = columns or self.segment.record.names
        found = {name: self.segment.read(name, self.block)[self.rows] for name in names}
        return Block(self.exchange, self.symbol, found)


class StreamReader:
    """Reads one stream; buffers are kept from block to block.

    columns  names in the order wanted; None: all
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
        self._record = RECORD_TYPES[stream.type]
        self._columns = check_columns(self._record, columns)
        self._from, self._to = from_ns, to_ns
        self._buffers: dict[str, np.ndarray] | None = {} if reuse else None

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in order of time. Raises CorruptionError, and FailedError if the store changed."""
        for piece in self.pieces():
            yield self._read(piece)

    def pieces(self) -> Iterator[Piece]:
        """Yield where the rows are, in order of time; only times at the edges of the range are decoded."""
        for part in self._stream.slices:
            if self._outside(part):
                continue
            segment = open_slice(self._store, part)
            for block in _touched(segment, part, self._from, self._to):
                rows = self._rows(segment, part, block)
                if rows.start < rows.stop:
                    yield Piece(segment, block, rows, self._stream.exchange, self._stream.symbol)

    def _outside(self, part: Slice) -> bool:
        return (self._to is not None and part.first_ns >= self._to) or (
            self._from is not None and part.last_ns < self._from
        )

    def _rows(self, segment: Segment, part: Slice, block: int) -> slice:
        """Return the rows of a block that are the slice's and in the range of time."""
        first, count = int(segment.blocks["row"][block]), int(segment.blocks["rows"][block])
        start, stop = max(part.start - first, 0), min(part.stop - first, count)
        low, high = int(segment.blocks["first_ns"][block]), int(segment.blocks["last_ns"][block])
        late = self._from is not None and low < self._from
        early = self._to is not None and high >= self._to
        if late or early:
            times = segment.read(self._record.time, block)[start:stop]
            begin = int(np.searchsorted(times, self._from)) if self._from is not None else 0
            end = int(np.searchsorted(times, self._to)) if self._to is not None else len(times)
            start, stop = start + begin, start + end
        return slice(start, stop)

    def _read(self, piece: Piece) -> Block:
        if self._buffers is None:
            return piece.read(self._columns)
        columns = {}
        for name in self._columns:
            out = self._buffer(name, piece.segment)
            columns[name] = piece.segment.read(name, piece.block, out)[piece.rows]
        return Block(piece.exchange, piece.symbol, columns)

    def _buffer(self, name: str, segment: Segment) -> np.ndarray | None:
        assert self._buffers is not None
        kind = self._record.column(name).kind
        if kind is Kind.TEXT:
            return None
        rows = segment.footer.block_rows
        if name not in self._buffers or len(self._buffers[name]) < rows:
            self._buffers[name] = np.empty(rows, kind.dtype)
        return self._buffers[name]


def open_slice(store: Store, part: Slice) -> Segment:
    """Open the segment of a slice; FailedError if it is no longer the one that was planned."""
    try:
        segment = store.open(part.key)
    except FileNotFoundError:
        raise FailedError(f"{part.key} was removed while it was being read; run again") from None
    if segment.fingerprint != part.fingerprint:
        raise FailedError(f"{part.key} was replaced while it was being read; run again")
    return segment


def check_columns(record: RecordType, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of columns to read; UsageError for one that the record type has not."""
    for name in columns or ():
        if name not in record.names:
            raise UsageError(f"{record.name} has no column {name!r}; it has {', '.join(record.names)}")
    return tuple(columns) if columns else record.names


def _touched(segment: Segment, part: Slice, from_ns: int | None, to_ns: int | None) -> Iterator[int]:
    """Yield the blocks that hold rows of the slice and may hold rows of the time range."""
    blocks = segment.blocks
    if not len(blocks):
        return
    size = segment.footer.block_rows
    for block in range(part.start // size, -(-part.stop // size)):
        if block >= len(blocks):
            raise CorruptionError(f"{segment.path}: rows up to {part.stop} where {segment.rows} are")
        after = to_ns is not None and int(blocks["first_ns"][block]) >= to_ns
        before = from_ns is not None and int(blocks["last_ns"][block]) < from_ns
        if not (after or before):
            yield block
