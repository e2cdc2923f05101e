"""A sorted run: rows in storage order in a file without a name, as compressed chunks."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard

from tickreel.codecs.decimals import Decimals
from tickreel.errors import DiskError, disk_error
from tickreel.ingest.order import take
from tickreel.sources.csv_rows import RowBatch
from tickreel.store.disk import write_all

CHUNK_BYTES = 1 << 18
"""Of rows in memory: what a merge holds of each of its runs."""
_LEVEL = 1


class Key(NamedTuple):
    """Where a row belongs: no two rows of a file have the same."""

    rank: int
    local_ns: int
    line: int


class Chunk(NamedTuple):
    """Where some rows of a run lie; dtypes are those of `_arrays`, first is the first row (name, ns, line)."""

    offset: int
    length: int
    rows: int
    dtypes: tuple[np.dtype, ...]
    first: tuple[int, int, int]


class Run:
    """Rows that are appended in storage order and read back by the chunk.

    The file loses its name as soon as it is open: whatever ends its process, nothing is left of it.
    Raises DiskError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.chunks: list[Chunk] = []
        self.bytes = self.rows = 0
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.unlink(path)
        except OSError as error:
            raise disk_error(error, f"creating {path}") from error

    def append(self, rows: RowBatch, order: np.ndarray) -> None:
        """Add rows in the order given, a chunk at a time."""
        most = max(1, CHUNK_BYTES * len(rows) // max(1, bytes_of(rows)))
        for start in range(0, len(rows), most):
            self._write(take(rows, order[start : start + most]))

    def read(self, chunk: Chunk) -> RowBatch:
        """Return the rows of a chunk: views of one piece of memory, not to be written to."""
        body, at, arrays = memoryview(self._unpacked(chunk)), 0, []
        for dtype in chunk.dtypes:
            arrays.append(np.frombuffer(body, dtype, chunk.rows, at))
            at += dtype.itemsize * chunk.rows
        return _batch(arrays, self._columns)

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, rows: RowBatch) -> None:
        arrays = _arrays(rows)
        self._columns = [(name, isinstance(values, Decimals)) for name, values in rows.columns.items()]
        # No run keeps a compressor: they are many, and each would hold a megabyte.
        pack = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        packed = pack.compress(b"".join([values.tobytes() for values in arrays]))
        write_all(self._fd, packed, str(self._path))
        dtypes = tuple(values.dtype for values in arrays)
        self.chunks.append(Chunk(self.bytes, len(packed), len(rows), dtypes, place_of(rows, 0)))
        self.bytes += len(packed)
        self.rows += len(rows)

    def _unpacked(self, chunk: Chunk) -> bytes:
        try:
            packed = os.pread(self._fd, chunk.length, chunk.offset)
            return zstandard.ZstdDecompressor().decompress(packed)
        except OSError as error:
            raise disk_error(error, f"reading {self._path}") from error
        except zstandard.ZstdError as error:
            raise DiskError(
                f"reading {self._path}: not what was written there ({error}): check the disk and run again"
            ) from None


def place_of(rows: RowBatch, row: int) -> tuple[int, int, int]:
    """Return (name, local ns, line) of a row."""
    return int(rows.name[row]), int(rows.array("local_ns")[row]), int(rows.line[row])


def bytes_of(rows: RowBatch) -> int:
    """Return the size of some rows in memory."""
    return sum(values.nbytes for values in _arrays(rows))


def joined(parts: list[RowBatch]) -> RowBatch:
    """Return rows one after the other; a text is as wide as the widest."""
    columns: dict[str, np.ndarray | Decimals] = {}
    for name, first in parts[0].columns.items():
        found = [part.columns[name] for part in parts]
        same = Decimals.concatenate if isinstance(first, Decimals) else np.concatenate
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
