"""Reads one sealed segment through a memory map: columns and blocks that are not asked for cost nothing."""

import mmap
import os
from bisect import bisect_left
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tickreel.codecs import CODECS, patched
from tickreel.codecs.decimals import FLOAT_BITS, INVERSES, POWERS
from tickreel.errors import CorruptionError, disk_error
from tickreel.schema import Kind, RecordType
from tickreel.store import format as fmt
from tickreel.store.footer import Footer, unpack_footer

_TAIL_BYTES = 1 << 14
"""What is read at once from a file's end: the footer of a day of one symbol."""


class Segment:
    """An open segment; immutable, so it may be read while its file is replaced by a new one.

    Opening reads header, footer and trailer; a chunk's checksum is verified when it is first read.
    """

    def __init__(self, fd: int, path: Path) -> None:
        """Take over the file descriptor `fd`; `path` serves the messages."""
        self.path = path
        try:
            self.file_bytes = os.fstat(fd).st_size
            self.footer, self.fingerprint = _read_footer(fd, self.file_bytes, str(path))
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise disk_error(error, f"opening {path}") from error
        finally:
            os.close(fd)
        self._data = memoryview(self._map)
        self._verified = bytearray(self.footer.chunks.size)
        self._places = self.record.places
        self._scratch: np.ndarray | None = None

    @classmethod
    def open(cls, path: Path) -> "Segment":
        """Open a segment by path, not following a link at its last part."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise disk_error(error, f"opening {path}") from error
        return cls(fd, path)

    @property
    def record(self) -> RecordType:
        return self.footer.record

    @property
    def meta(self) -> fmt.Meta:
        return self.footer.meta

    @property
    def rows(self) -> int:
        return self.footer.rows

    @property
    def blocks(self) -> np.ndarray:
        """format.BLOCK[n]: row, rows, first_ns, last_ns of each block."""
        return self.footer.blocks

    @cached_property
    def last_times(self) -> list[int]:
        """Time of the last row of each block."""
        last: list[int] = self.footer.blocks["last_ns"].tolist()
        return last

    def rows_of(self, block: int) -> int:
        """Return how many rows a block has."""
        return min(self.footer.block_rows, self.footer.rows - block * self.footer.block_rows)

    def symbol_rows(self, symbol: str) -> tuple[int, int] | None:
        """Return [start, stop) of a symbol's rows, or None if it is not in here."""
        names = self.footer.names
        place = bisect_left(names, symbol)
        if place == len(names) or names[place] != symbol:
            return None
        row, rows = int(self.footer.symbols["row"][place]), int(self.footer.symbols["rows"][place])
        return row, row + rows

    def read(
        self, column: str, block: int, out: np.ndarray | None = None, rows: slice | None = None
    ) -> np.ndarray:
        """Return one column of one block in its kind's dtype.

        out   a buffer of that dtype with room for the rows (not for TEXT); what is returned is
              its beginning
        rows  [start, stop) within the block, None: all of them
        Raises CorruptionError, ValueError if `out` is too short.
        """
        place = self._places[column]
        kind = self.record.columns[place].kind
        chunk = self._chunk(place, block)
        start, count = self._span(block, rows)
        if kind is Kind.TEXT:
            out = np.empty(count, f"S{chunk.width}")
        elif out is None:
            out = np.empty(count, kind.dtype)
        elif len(out) < count:
            raise ValueError(f"out has room for {len(out)} of {count} rows")
        else:
            out = out[:count]
        if kind is Kind.DECIMAL and chunk.scale != FLOAT_BITS:
            if chunk.codec == patched.ID:
                self._decode(chunk, start, out, chunk.scale)
            else:
                from tickreel.codecs.decimal_kernel import to_floats

                integers = self._integers(count)
                self._decode(chunk, start, integers)
                to_floats(integers, POWERS[chunk.scale], INVERSES[chunk.scale], chunk.nulls != 0, out)
            return out
        self._decode(chunk, start, out)
        if kind is Kind.ENUM and count and int(out.max()) >= len(self.record.columns[place].choices):
            raise CorruptionError(
                f"{self._where(place, block)}: {int(out.max())} stands for nothing; {fmt.AGAIN}"
            )
        return out

    def landmarks(self, column: str, block: int) -> tuple[int, np.ndarray]:
        """Return (n, values of the rows n, 2n, 3n ... of a column of int64) as far as they are known undecoded."""
        chunk = self._chunk(self._places[column], block)
        if chunk.codec != patched.ID:
            return self.footer.block_rows, np.empty(0, np.int64)
        return patched.ROWS_ALONE, patched.landmarks(self._bytes(chunk), self.rows_of(block))

    def integers(self, column: str, block: int, rows: slice | None = None) -> tuple[np.ndarray, int]:
        """Return (int64[n], k) of a DECIMAL column, value = integer / 10^k; valid until the next call.

        rows  as for `read`
        Empty cells are the least int64. k is FLOAT_BITS where the integers are float64 bits.
        """
        chunk = self._chunk(self._places[column], block)
        start, count = self._span(block, rows)
        integers = self._integers(count)
        self._decode(chunk, start, integers.view(np.float64) if chunk.scale == FLOAT_BITS else integers)
        return integers, chunk.scale

    def release(self) -> None:
        """Let go of the buffer that decoding keeps; the next read makes another."""
        self._scratch = None

    def chunk_bytes(self, column: str, block: int) -> memoryview:
        """Return the verified bytes of a chunk as they lie in the file."""
        return self._bytes(self._chunk(self._places[column], block))

    def padding(self, column: str, block: int) -> memoryview:
        """Return the unused bytes after a chunk: zero, as the writer leaves them."""
        chunk = self._chunk(self._places[column], block)
        end = chunk.offset + chunk.length
        return self._data[end : end + -end % fmt.ALIGN]

    def _span(self, block: int, rows: slice | None) -> tuple[int, int]:
        """Return the first row and the count of some rows of a block."""
        count = self.rows_of(block)
        if rows is None:
            return 0, count
        start, stop, _ = rows.indices(count)
        return start, max(stop - start, 0)

    def _integers(self, count: int) -> np.ndarray:
        """Return a kept buffer: int64[count]."""
        if self._scratch is None or len(self._scratch) < count:
            self._scratch = np.empty(min(self.footer.block_rows, self.rows), np.int64)
        return self._scratch[:count]

    def _decode(self, chunk: "_Chunk", start: int, out: np.ndarray, scale: int | None = None) -> None:
        """Decode some rows of a chunk; as integers x 10^-scale if one is given, which `patched` does at once."""
        codec, data, rows = CODECS[chunk.codec], self._bytes(chunk), self.rows_of(chunk.block)
        try:
            if scale is not None:
                patched.decode_floats(data, rows, start, POWERS[scale], INVERSES[scale], out)
            elif len(out) == rows:
                codec.decode(data, out)
            elif hasattr(codec, "decode_rows"):
                codec.decode_rows(data, rows, start, out)
            else:
                whole = np.empty(rows, out.dtype)
                codec.decode(data, whole)
                out[:] = whole[start : start + len(out)]
        except CorruptionError as error:
            raise CorruptionError(f"{self._where(chunk.place, chunk.block)}: {error}; {fmt.AGAIN}") from None

    def _chunk(self, place: int, block: int) -> "_Chunk":
        # All fields at once: one field of a record of an array takes as long as the whole record.
        return _Chunk(place, block, *self.footer.chunks[block, place].item())

    def _bytes(self, chunk: "_Chunk") -> memoryview:
        data = self._data[chunk.offset : chunk.offset + chunk.length]
        number = chunk.block * len(self._places) + chunk.place
        if not self._verified[number]:
            if fmt.checksum(data) != chunk.checksum:
                raise CorruptionError(
                    f"{self._where(chunk.place, chunk.block)}: checksum does not fit; the disk or a program"
                    f" changed the file: {fmt.AGAIN}"
                )
            self._verified[number] = 1
        return data

    def _where(self, place: int, block: int) -> str:
        return f"{self.path}: block {block}, column {self.record.columns[place].name}"


class _Chunk(NamedTuple):
    """A record of format.CHUNK with its place."""

    place: int
    block: int
    offset: int
    length: int
    checksum: int
    low: int
    high: int
    codec: int
    scale: int
    nulls: int
    width: int
    zero: bytes


def _read_footer(fd: int, file_bytes: int, name: str) -> tuple[Footer, int]:
    """Return an open file's footer and its checksum. Read, not mapped: a first touch of a page costs more."""
    _refuse_short(file_bytes, fmt.HEADER_BYTES + fmt.TRAILER_BYTES, name)
    header, tail = (
        os.pread(fd, fmt.HEADER_BYTES, 0),
        os.pread(fd, _TAIL_BYTES, max(file_bytes - _TAIL_BYTES, 0)),
    )
    _refuse_short(len(tail), min(file_bytes, _TAIL_BYTES), name)
    fmt.check_header(header, name)
    start, length, fingerprint = fmt.check_trailer(tail[-fmt.TRAILER_BYTES :], file_bytes, name)
    footer = tail[-fmt.TRAILER_BYTES - length : -fmt.TRAILER_BYTES]
    if len(footer) < length:
        footer = os.pread(fd, length, start)
    if fmt.checksum(footer) != fingerprint:
        raise CorruptionError(f"{name}: the footer's checksum does not fit; {fmt.AGAIN}")
    return unpack_footer(footer, start, name), fingerprint


def _refuse_short(count: int, least: int, name: str) -> None:
    if count < least:
        raise CorruptionError(f"{name}: {count} bytes are too few for a segment; {fmt.AGAIN}")
