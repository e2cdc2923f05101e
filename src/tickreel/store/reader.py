"""Reads one sealed segment through a memory map: columns and blocks that are not asked for cost nothing."""

import mmap
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from tickreel.codecs import CODECS, counted_text, number_text, patched
from tickreel.codecs.decimals import FLOAT_BITS, INVERSES, POWERS
from tickreel.errors import CorruptionError, disk_error
from tickreel.schema import NULL_TIME, RECORD_TYPES, Kind, RecordType
from tickreel.store import format as fmt
from tickreel.store.footer import Footer, unpack_footer

_TAIL_BYTES = 1 << 14
"""What is read at once from a file's end: the footer of a day of one symbol."""

_Chunk = tuple[int, ...]
"""A record of format.CHUNK; a plain tuple, for one is made at each read of a block."""
_OFFSET, _LENGTH, _CHECKSUM, _CODEC, _SCALE, _NULLS, _WIDTH = (
    list(fmt.CHUNK.fields or ()).index(name)
    for name in ("offset", "length", "checksum", "codec", "scale", "nulls", "width")
)
_POWERS, _INVERSES = POWERS.tolist(), INVERSES.tolist()


class Segment:
    """An open segment; immutable, so it may be read while its file is replaced by a new one.

    Opening reads header, footer and trailer; a chunk's checksum is verified when it is first read.
    """

    def __init__(self, fd: int, path: Path) -> None:
        """Take over the file descriptor `fd`; `path` serves the messages."""
        self.path = path
        try:
            self._file = _identity(os.fstat(fd))
            self.file_bytes = self._file[2]
            self.footer, self.fingerprint = _read_footer(fd, self.file_bytes, str(path))
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise disk_error(error, f"opening {path}") from error
        finally:
            os.close(fd)
        self._data = memoryview(self._map)
        self._chunks = self.footer.chunks
        self._verified = bytearray(self._chunks.size)
        self._places = self.record.places
        self._kinds = self.record.kinds
        self._scratch: np.ndarray | None = None

    @classmethod
    def open(cls, path: Path) -> "Segment":
        """Open a segment by path, not following a link at its last part."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise disk_error(error, f"opening {path}") from error
        return cls(fd, path)

    def is_current(self) -> bool:
        """Return whether the file that was opened still lies at its path."""
        try:
            return _identity(os.lstat(self.path)) == self._file
        except OSError:
            return False

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
    def first_times(self) -> list[int]:
        """Time of the first row of each block."""
        first: list[int] = self.footer.blocks["first_ns"].tolist()
        return first

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
        A column that the type may have and this segment has not is empty in every row.
        Raises CorruptionError, ValueError if `out` is too short.
        """
        return self.read_columns((column,), block, {} if out is None else {column: out}, rows)[column]

    def read_columns(
        self, columns: Sequence[str], block: int, outs: Mapping[str, np.ndarray], rows: slice | None = None
    ) -> dict[str, np.ndarray]:
        """Return what `read` does for each of some columns; those without a buffer in `outs` get fresh arrays."""
        total = self.rows_of(block)
        start, count = (0, total) if rows is None else _span(rows, total)
        found = {}
        for name in columns:
            try:
                place = self._places[name]
            except KeyError:
                found[name] = self._absent(name, count, outs.get(name))
                continue
            kind, chunk = self._kinds[place], self._chunk(place, block)
            out = outs.get(name)
            if kind is Kind.TEXT:
                out = np.empty(count, f"S{chunk[_WIDTH]}")
            elif out is None:
                out = np.empty(count, kind.dtype)
            elif len(out) < count:
                raise ValueError(f"out has room for {len(out)} of {count} rows")
            found[name] = out = out[:count]
            self._read(place, block, chunk, total, start, out)
        return found

    def _read(self, place: int, block: int, chunk: _Chunk, total: int, start: int, out: np.ndarray) -> None:
        kind, scale = self._kinds[place], chunk[_SCALE]
        if kind is not Kind.DECIMAL or scale == FLOAT_BITS:
            self._decode(place, block, chunk, total, start, out)
            if kind is Kind.ENUM and (top := int(out.max(initial=0))) >= len(
                self.record.columns[place].choices
            ):
                raise CorruptionError(f"{self._where(place, block)}: {top} stands for nothing; {fmt.AGAIN}")
        elif chunk[_CODEC] == patched.ID:
            self._decode(place, block, chunk, total, start, out, scale)
        else:
            from tickreel.codecs.decimal_kernel import to_floats

            integers = self._integers(len(out))
            self._decode(place, block, chunk, total, start, integers)
            to_floats(integers, _POWERS[scale], _INVERSES[scale], chunk[_NULLS] != 0, out)

    def _absent(self, column: str, count: int, out: np.ndarray | None) -> np.ndarray:
        """Return the cells of a column that is not stored: times, or decimals."""
        kind = RECORD_TYPES[self.record.name].widest.column(column).kind
        out = np.empty(count, kind.dtype) if out is None else out[:count]
        out[:] = NULL_TIME if kind is Kind.TIME else np.nan
        return out

    def landmarks(self, column: str, block: int) -> tuple[int, np.ndarray]:
        """Return (n, values of the rows n, 2n, 3n ... of a column of int64) as far as they are known undecoded."""
        place = self._places[column]
        chunk = self._chunk(place, block)
        if chunk[_CODEC] != patched.ID:
            return self.footer.block_rows, np.empty(0, np.int64)
        return patched.ROWS_ALONE, patched.landmarks(self._bytes(place, block, chunk), self.rows_of(block))

    def integers(self, column: str, block: int, rows: slice | None = None) -> tuple[np.ndarray, int]:
        """Return (int64[n], k) of a DECIMAL column, value = integer / 10^k; valid until the next call.

        rows  as for `read`
        Empty cells are the least int64. k is FLOAT_BITS where the integers are float64 bits.
        """
        place, total = self._places[column], self.rows_of(block)
        chunk = self._chunk(place, block)
        start, count = (0, total) if rows is None else _span(rows, total)
        integers, scale = self._integers(count), chunk[_SCALE]
        out = integers.view(np.float64) if scale == FLOAT_BITS else integers
        self._decode(place, block, chunk, total, start, out)
        return integers, scale

    def numbers(
        self, column: str, block: int, out: np.ndarray, rows: slice | None = None
    ) -> np.ndarray | None:
        """Return int64[n] of texts that are kept as whole numbers: no text is made; None for another block.

        out, rows  as for `read`, but `out` int64 with room for all rows of the block
        """
        place, total = self._places[column], self.rows_of(block)
        chunk = self._chunk(place, block)
        codec = CODECS[chunk[_CODEC]]
        if codec not in (counted_text, number_text):
            return None
        start, count = (0, total) if rows is None else _span(rows, total)
        try:
            codec.decode_numbers(self._bytes(place, block, chunk), out[:total])
        except CorruptionError as error:
            raise CorruptionError(f"{self._where(place, block)}: {error}; {fmt.AGAIN}") from None
        return out[start : start + count]

    def release(self) -> None:
        """Let go of the buffer that decoding keeps; the next read makes another."""
        self._scratch = None

    def chunk_bytes(self, column: str, block: int) -> memoryview:
        """Return the verified bytes of a chunk as they lie in the file."""
        place = self._places[column]
        return self._bytes(place, block, self._chunk(place, block))

    def padding(self, column: str, block: int) -> memoryview:
        """Return the unused bytes after a chunk: zero, as the writer leaves them."""
        chunk = self._chunk(self._places[column], block)
        end = chunk[_OFFSET] + chunk[_LENGTH]
        return self._data[end : end + -end % fmt.ALIGN]

    def _integers(self, count: int) -> np.ndarray:
        """Return a kept buffer: int64[count]."""
        if self._scratch is None or len(self._scratch) < count:
            self._scratch = np.empty(min(self.footer.block_rows, self.rows), np.int64)
        return self._scratch[:count]

    def _decode(
        self,
        place: int,
        block: int,
        chunk: _Chunk,
        rows: int,
        start: int,
        out: np.ndarray,
        scale: int | None = None,
    ) -> None:
        """Decode some of a chunk's rows; as integers x 10^-scale if one is given, which `patched` does at once."""
        data, codec = self._bytes(place, block, chunk), CODECS[chunk[_CODEC]]
        try:
            if scale is not None:
                patched.decode_floats(data, rows, start, _POWERS[scale], _INVERSES[scale], out)
            elif len(out) == rows:
                codec.decode(data, out)
            elif hasattr(codec, "decode_rows"):
                codec.decode_rows(data, rows, start, out)
            else:
                whole = np.empty(rows, out.dtype)
                codec.decode(data, whole)
                out[:] = whole[start : start + len(out)]
        except CorruptionError as error:
            raise CorruptionError(f"{self._where(place, block)}: {error}; {fmt.AGAIN}") from None

    def _chunk(self, place: int, block: int) -> _Chunk:
        # All fields at once: one field of a record of an array takes as long as the whole record.
        found: _Chunk = self._chunks[block, place].item()
        return found

    def _bytes(self, place: int, block: int, chunk: _Chunk) -> memoryview:
        at = chunk[_OFFSET]
        data = self._data[at : at + chunk[_LENGTH]]
        number = block * len(self._kinds) + place
        if not self._verified[number]:
            if fmt.checksum(data) != chunk[_CHECKSUM]:
                raise CorruptionError(
                    f"{self._where(place, block)}: checksum does not fit; the disk or a program"
                    f" changed the file: {fmt.AGAIN}"
                )
            self._verified[number] = 1
        return data

    def _where(self, place: int, block: int) -> str:
        return f"{self.path}: block {block}, column {self.record.columns[place].name}"


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    """Return what tells a file from another in its place."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _span(rows: slice, count: int) -> tuple[int, int]:
    """Return the first row and the count of some of `count` rows."""
    start, stop, _ = rows.indices(count)
    return start, max(stop - start, 0)


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
