"""Rows in file order to rows in storage order, in bounded memory.

Most files are in order already and pass through. The others are spilled: runs of some hundred
thousand rows, each sorted by (name, local time), memory-mapped, then merged name by name. Rows of
equal time keep their order in the file.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tickreel.codecs.decimals import Decimals
from tickreel.errors import disk_error
from tickreel.schema import Kind, RecordType
from tickreel.sources.csv_rows import RowBatch
from tickreel.store.disk import write_all
from tickreel.units import NS_PER_DAY

RUN_ROWS = 1 << 19
MERGE_ROWS = 1 << 19


class NotInOrder(Exception):
    """A row belongs before one that was already passed on: the file must be spilled."""


def in_order(batches: Iterable[RowBatch]) -> Iterator[tuple[int, int, RowBatch]]:
    """Yield (name, day number, rows) as they come, while they are of one name and in order.

    Rows that are out of order within one batch are put in order here. Raises NotInOrder.
    """
    name, last = -1, np.iinfo(np.int64).min
    for batch in batches:
        if not len(batch):
            continue
        times = batch.array("local_ns")
        if name < 0:
            name = int(batch.name[0])
        if (batch.name != name).any():
            raise NotInOrder
        if (times[1:] < times[:-1]).any():
            batch = take(batch, np.argsort(times, kind="stable"))
            times = batch.array("local_ns")
        if times[0] < last:
            raise NotInOrder
        last = int(times[-1])
        yield from ((name, day, rows) for day, rows in _by_day(batch))


class Spill:
    """Sorted runs of rows in a folder of their own, removed with `close`."""

    def __init__(self, folder: Path, record: RecordType) -> None:
        self._folder = folder
        self._record = record
        self._runs: list[tuple[np.ndarray, dict[int, slice]]] = []
        self._pending: list[np.ndarray] = []
        self._pending_rows = 0
        try:
            folder.mkdir()
        except OSError as error:
            raise disk_error(error, f"creating {folder}") from error

    def add(self, batch: RowBatch) -> None:
        self._pending.append(_pack(batch, self._record))
        self._pending_rows += len(batch)
        if self._pending_rows >= RUN_ROWS:
            self._write_run()

    def names(self) -> list[int]:
        """End the adding and return the numbers of the names that have rows."""
        if self._pending_rows:
            self._write_run()
        return sorted({name for _, places in self._runs for name in places})

    def rows_of(self, name: int) -> Iterator[tuple[int, RowBatch]]:
        """Yield (day number, rows) of one name in order of local time, then of line."""
        slices = [run[places[name]] for run, places in self._runs if name in places]
        while slices:
            most = max(1, MERGE_ROWS // len(slices))
            end = min(int(part["local_ns"][min(len(part), most) - 1]) for part in slices)
            counts = [int(np.searchsorted(part["local_ns"], end, "right")) for part in slices]
            rows = np.concatenate([part[:count] for part, count in zip(slices, counts, strict=True)])
            rows = rows[np.argsort(rows["local_ns"], kind="stable")]
            yield from _by_day(_unpack(rows, self._record))
            slices = [p[c:] for p, c in zip(slices, counts, strict=True) if c < len(p)]

    def close(self) -> None:
        self._runs = []
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def _write_run(self) -> None:
        widest = max((part.dtype for part in self._pending), key=lambda dtype: dtype.itemsize)
        rows = np.concatenate([part.astype(_widened(self._pending, widest)) for part in self._pending])
        rows = rows[np.lexsort((rows["local_ns"], rows["_name"]))]
        mapped = _mapped(rows, self._folder / f"{len(self._runs)}.run")
        found, starts = np.unique(rows["_name"], return_index=True)
        stops = [*starts[1:].tolist(), len(rows)]
        places = {
            name: slice(start, stop)
            for name, start, stop in zip(found.tolist(), starts.tolist(), stops, strict=True)
        }
        self._runs.append((mapped, places))
        self._pending, self._pending_rows = [], 0


def _mapped(rows: np.ndarray, path: Path) -> np.ndarray:
    """Return the same rows as a map of a new file. Its bytes are written first: a full disk is an error."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, rows.view(np.uint8).data, str(path))
        finally:
            os.close(fd)
        return np.memmap(path, rows.dtype, "r", shape=rows.shape)
    except OSError as error:
        raise disk_error(error, f"writing {path}") from error


def take(batch: RowBatch, rows: np.ndarray | slice) -> RowBatch:
    """Return some rows of a batch, in the order given."""
    columns = {name: values[rows] for name, values in batch.columns.items()}
    return RowBatch(batch.line[rows], batch.name[rows], columns, [], [])


def _by_day(batch: RowBatch) -> Iterator[tuple[int, RowBatch]]:
    days = batch.array("local_ns") // NS_PER_DAY
    cuts = np.flatnonzero(np.diff(days)) + 1
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(batch)], strict=True):
        yield int(days[start]), take(batch, slice(start, stop)) if cuts.size else batch


def _pack(batch: RowBatch, record: RecordType) -> np.ndarray:
    """Return the rows as one structured array, so that a run is one file."""
    fields: list[tuple[str, np.dtype | str]] = [("_name", "<i4"), ("_line", "<i8")]
    for column in record.columns:
        values = batch.columns[column.name]
        if isinstance(values, Decimals):
            fields += [(column.name, "<i8"), (f"{column.name}_scale", "i1")]
        else:
            fields.append((column.name, values.dtype))
    rows = np.empty(len(batch), fields)
    rows["_name"], rows["_line"] = batch.name, batch.line
    for column in record.columns:
        values = batch.columns[column.name]
        if isinstance(values, Decimals):
            rows[column.name], rows[f"{column.name}_scale"] = values.mantissa, values.scale
        else:
            rows[column.name] = values
    return rows


def _widened(parts: list[np.ndarray], like: np.dtype) -> np.dtype:
    """Return the dtype of `like` with every text as wide as the widest of all parts."""
    fields = []
    for name in like.names or ():
        widest = max((part.dtype[name] for part in parts), key=lambda dtype: dtype.itemsize)
        fields.append((name, widest))
    return np.dtype(fields)


def _unpack(rows: np.ndarray, record: RecordType) -> RowBatch:
    columns: dict[str, np.ndarray | Decimals] = {}
    for column in record.columns:
        values = np.ascontiguousarray(rows[column.name])
        if column.kind is Kind.DECIMAL:
            columns[column.name] = Decimals(values, np.ascontiguousarray(rows[f"{column.name}_scale"]))
        else:
            columns[column.name] = values
    return RowBatch(np.ascontiguousarray(rows["_line"]), np.ascontiguousarray(rows["_name"]), columns, [], [])
