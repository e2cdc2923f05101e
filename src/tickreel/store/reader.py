"""Reads one sealed segment through a memory map: columns and blocks that are not asked for cost nothing."""

import mmap
import os
from bisect import bisect_left
from pathlib import Path

import numpy as np

from tickreel.codecs import CODECS, patched
from tickreel.codecs.decimals import FLOAT_BITS, INVERSES, POWERS
from tickreel.errors import CorruptionError, disk_error
from tickreel.schema import Kind, RecordType
from tickreel.store import format as fmt


class Segment:
    """An open segment; immutable, so it may be read while its file is replaced by a new one.

    Opening reads header, footer and trailer; a chunk's checksum is verified when it is first read.
    """

    def __init__(self, fd: int, path: Path) -> None:
        """Take over the file descriptor `fd`; `path` serves the messages."""
        self.path = path
        try:
            self.file_bytes = os.fstat(fd).st_size
            if self.file_bytes < fmt.HEADER_BYTES + fmt.TRAILER_BYTES:
                raise CorruptionError(
                    f"{path}: {self.file_bytes} bytes are too few for a segment; {fmt.AGAIN}"
                )
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise disk_error(error, f"opening {path}") from error
        finally:
            os.close(fd)
        self._data = memoryview(self._map)
        fmt.check_header(self._data[: fmt.HEADER_BYTES], str(path))
        trailer = self._data[-fmt.TRAILER_BYTES :]
        start, length, self.fingerprint = fmt.check_trailer(trailer, self.file_bytes, str(path))
        footer = self._data[start : start + length]
        if fmt.checksum(footer) != self.fingerprint:
            raise CorruptionError(f"{path}: the footer's checksum does not fit; {fmt.AGAIN}")
        self.footer = fmt.unpack_footer(footer, start, str(path))
        self._verified = np.zeros(self.footer.chunks.shape, bool)
        self._index = {name: i for i, name in enumerate(self.record.names)}
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
        """
        place = self._index[column]
        kind = self.record.columns[place].kind
        chunk = self.footer.chunks[block, place]
        start, count = self._span(block, rows)
        if kind is Kind.TEXT:
            out = np.empty(count, f"S{int(chunk['width'])}")
        elif out is None:
            out = np.empty(count, kind.dtype)
        else:
            out = out[:count]
        scale = int(chunk["scale"])
        if kind is Kind.DECIMAL and scale != FLOAT_BITS:
            if chunk["codec"] == patched.ID:
                self._decode(place, block, start, out, scale)
            else:
                from tickreel.codecs.decimal_kernel import to_floats

                integers, _ = self.integers(column, block, rows)
                to_floats(integers, POWERS[scale], INVERSES[scale], chunk["nulls"] != 0, out)
            return out
        self._decode(place, block, start, out)
        if kind is Kind.ENUM and count and int(out.max()) >= len(self.record.columns[place].choices):
            raise CorruptionError(
                f"{self._where(place, block)}: {int(out.max())} stands for nothing; {fmt.AGAIN}"
            )
        return out

    def integers(self, column: str, block: int, rows: slice | None = None) -> tuple[np.ndarray, int]:
        """Return (int64[n], k) of a DECIMAL column, value = integer / 10^k; valid until the next call.

        rows  as for `read`
        Empty cells are the least int64. k is FLOAT_BITS where the integers are float64 bits.
        """
        place = self._index[column]
        start, count = self._span(block, rows)
        if self._scratch is None or len(self._scratch) < count:
            self._scratch = np.empty(min(self.footer.block_rows, self.rows), np.int64)
        integers = self._scratch[:count]
        scale = int(self.footer.chunks["scale"][block, place])
        if scale == FLOAT_BITS:
            self._decode(place, block, start, integers.view(np.float64))
        else:
            self._decode(place, block, start, integers)
        return integers, scale

    def release(self) -> None:
        """Let go of the buffer that decoding keeps; the next read makes another."""
        self._scratch = None

    def chunk_bytes(self, column: str, block: int) -> memoryview:
        """Return the verified bytes of a chunk as they lie in the file."""
        return self._chunk(self._index[column], block)

    def padding(self, column: str, block: int) -> memoryview:
        """Return the unused bytes after a chunk: zero, as the writer leaves them."""
        chunk = self.footer.chunks[block, self._index[column]]
        end = int(chunk["offset"]) + int(chunk["length"])
        return self._data[end : end + -end % fmt.ALIGN]

    def _span(self, block: int, rows: slice | None) -> tuple[int, int]:
        """Return the first row and the count of some rows of a block."""
        count = int(self.footer.blocks["rows"][block])
        if rows is None:
            return 0, count
        start, stop, _ = rows.indices(count)
        return start, max(stop - start, 0)

    def _decode(self, place: int, block: int, start: int, out: np.ndarray, scale: int | None = None) -> None:
        """Decode some rows of a chunk; as integers x 10^-scale if one is given, which `patched` does at once."""
        codec = CODECS[int(self.footer.chunks["codec"][block, place])]
        data = self._chunk(place, block)
        rows = int(self.footer.blocks["rows"][block])
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
            raise CorruptionError(f"{self._where(place, block)}: {error}; {fmt.AGAIN}") from None

    def _chunk(self, place: int, block: int) -> memoryview:
        chunk = self.footer.chunks[block, place]
        start = int(chunk["offset"])
        data = self._data[start : start + int(chunk["length"])]
        if not self._verified[block, place]:
            if fmt.checksum(data) != int(chunk["checksum"]):
                raise CorruptionError(
                    f"{self._where(place, block)}: checksum does not fit; the disk or a program changed"
                    f" the file: {fmt.AGAIN}"
                )
            self._verified[block, place] = True
        return data

    def _where(self, place: int, block: int) -> str:
        return f"{self.path}: block {block}, column {self.record.columns[place].name}"
