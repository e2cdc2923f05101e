"""A sorted run: rows in storage order in a file without a name, as compressed chunks."""

import os
from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard

from tickreel.codecs import number_text
from tickreel.codecs.decimals import Decimals
from tickreel.errors import DiskError, disk_error
from tickreel.ingest.files.order import take
from tickreel.sources.csv_batch import RowBatch
from tickreel.store.disk import write_all

CHUNK_BYTES = 1 << 18
"""Of rows in memory: what a merge holds of each of its runs."""
_LEVEL = 1


class Key(NamedTuple):
    """Where a row belongs: no two rows of a file have the same."""

    rank: int
    time_ns: int
    line: int


CHUNK = np.dtype([(name, "i8") for name in ("offset", "length", "rows", "layout", "name", "time_ns", "line")])
"""Where some rows of a run lie, the number of their layout, and their first row.

A large day has a hundred thousand of them, which as objects would take more than its rows in memory do.
"""


class Run:
    """Rows that are appended in storage order and read back by the chunk.

    The file loses its name as soon as it is open: whatever ends its process, nothing is left of it.
    Raises DiskError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chunks = array("q")
        self._layouts: list[tuple[np.dtype, ...]] = []
        self.bytes = self.rows = 0
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.unlink(path)
        except OSError as error:
            raise disk_error(error, f"creating {path}") from error

    @property
    def chunks(self) -> np.ndarray:
        """CHUNK[n], in order of the rows."""
        return np.frombuffer(self._chunks, CHUNK).copy() if self._chunks else np.empty(0, CHUNK)

    def append(self, rows: RowBatch, order: np.ndarray) -> None:
        """Add rows in the order given, a chunk at a time."""
        most = max(1, CHUNK_BYTES * len(rows) // max(1, bytes_of(rows)))
        for start in range(0, len(rows), most):
            self._write(take(rows, order[start : start + most]))

    def read(self, chunk: np.void) -> RowBatch:
        """Return the rows of one of `chunks`: views of one piece of memory, not to be written to."""
        body, at, arrays = memoryview(self._unpacked(chunk)), 0, []
        rows = int(chunk["rows"])
        for dtype in self._layouts[chunk["layout"]]:
            arrays.append(np.frombuffer(body, dtype, rows, at))
            at += dtype.itemsize * rows
        return _batch(arrays, self._columns)

    def close(self) -> None:
        """Let the file go; harmless when it is gone."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, rows: RowBatch) -> None:
        arrays = _arrays(rows)
        self._columns = [(name, isinstance(values, Decimals)) for name, values in rows.columns.items()]
        # No run keeps a compressor: they are many, and each would hold a megabyte.
        pack = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        packed = pack.compress(b"".join([values.tobytes() for values in arrays]))
        write_all(self._fd, packed, str(self._path))
        layout = tuple(values.dtype for values in arrays)
        if layout not in self._layouts:
            self._layouts.append(layout)
        self._chunks.extend(
            (self.bytes, len(packed), len(rows), self._layouts.index(layout), *place_of(rows, 0))
        )
        self.bytes += len(packed)
        self.rows += len(rows)

    def _unpacked(self, chunk: np.void) -> bytes:
        try:
            packed = os.pread(self._fd, int(chunk["length"]), int(chunk["offset"]))
            return zstandard.ZstdDecompressor().decompress(packed)
        except OSError as error:
            raise disk_error(error, f"reading {self._path}") from error
        except zstandard.ZstdError as error:
            raise DiskError(
                f"reading {self._path}: not what was written there ({error}): check the disk and run again"
            ) from None


def place_of(rows: RowBatch, row: int) -> tuple[int, int, int]:
    """Return (name, time in ns, line) of a row."""
    return int(rows.name[row]), int(rows.times[row]), int(rows.line[row])


def bytes_of(rows: RowBatch) -> int:
    """Return the size of some rows in memory."""
    return sum(values.nbytes for values in _arrays(rows))


def joined(parts: list[RowBatch]) -> RowBatch:
    """Return rows one after the other; a text is as wide as the widest."""
    columns: dict[str, np.ndarray | Decimals] = {}
    for name, first in parts[0].columns.items():
        found = [part.columns[name] for part in parts]
        same = Decimals.concatenate if isinstance(first, Decimals) else number_text.joined
        columns[name] = same(found)  # type: ignore[arg-type]
    line = np.concatenate([part.line for part in parts])
    return RowBatch(line, np.concatenate([part.name for part in parts]), columns, [], [])


def _arrays(rows: RowBatch) -> list[np.ndarray]:
    arrays = [rows.line, rows.name]
    for values in rows.columns.values():
        arrays += [values.mantissa, values.scale] if isinstance(values, Decimals) else [values]
    return arrays


def _batch(arrays: list[np.ndarray], columns: list[tuple[str, bool]]) -> RowBatch:
    line, name, *rest = arrays
    found: dict[str, np.ndarray | Decimals] = {}
    values = iter(rest)
    for column, decimal in columns:
        found[column] = Decimals(next(values), next(values)) if decimal else next(values)
    return RowBatch(line, name, found, [], [])
