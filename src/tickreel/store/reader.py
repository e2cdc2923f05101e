"""Reads one sealed segment through a memory map: columns and blocks that are not asked for cost nothing."""

import mmap
import os
from pathlib import Path

import numpy as np

from tickreel.codecs import CODECS
from tickreel.codecs.decimals import FLOAT_BITS, NULL_MANTISSA, POWERS
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
        try:
            place = self.footer.names.index(symbol)
        except ValueError:
            return None
        row, rows = int(self.footer.symbols["row"][place]), int(self.footer.symbols["rows"][place])
        return row, row + rows

    def read(self, column: str, block: int, out: np.ndarray | None = None) -> np.ndarray:
        """Return one column of one block in its kind's dtype.

        out  a buffer of that dtype with room for the block (not for TEXT); what is returned is
             its beginning
        """
        place = self._index[column]
        kind = self.record.columns[place].kind
        chunk = self.footer.chunks[block, place]
        rows = int(self.footer.blocks["rows"][block])
        if kind is Kind.TEXT:
            out = np.empty(rows, f"S{int(chunk['width'])}")
        elif out is None:
            out = np.empty(rows, kind.dtype)
        else:
            out = out[:rows]
        scale = int(chunk["scale"])
        if kind is Kind.DECIMAL and scale != FLOAT_BITS:
            integers, _ = self.integers(column, block)
            np.true_divide(integers, POWERS[scale], out=out)
            if chunk["nulls"]:
                out[integers == NULL_MANTISSA] = np.nan
            return out
        self._decode(place, block, out)
        if kind is Kind.ENUM and int(out.max()) >= len(self.record.columns[place].choices):
            raise CorruptionError(
                f"{self._where(place, block)}: {int(out.max())} stands for nothing; {fmt.AGAIN}"
            )
        return out

    def integers(self, column: str, block: int) -> tuple[np.ndarray, int]:
        """Return (int64[n], k) of a DECIMAL column, value = integer / 10^k; valid until the next call.

        Empty cells are the least int64. k is FLOAT_BITS where the integers are float64 bits.
        """
        place = self._index[column]
        rows = int(self.footer.blocks["rows"][block])
        if self._scratch is None or len(self._scratch) < rows:
            self._scratch = np.empty(max(rows, min(self.footer.block_rows, self.rows)), np.int64)
        integers = self._scratch[:rows]
        scale = int(self.footer.chunks["scale"][block, place])
        if scale == FLOAT_BITS:
            self._decode(place, block, integers.view(np.float64))
        else:
            self._decode(place, block, integers)
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

    def _decode(self, place: int, block: int, out: np.ndarray) -> None:
        codec = CODECS[int(self.footer.chunks["codec"][block, place])]
        data = self._chunk(place, block)
        try:
            codec.decode(data, out)
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
