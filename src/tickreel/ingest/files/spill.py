"""Rows of many symbols, or out of order, to rows in storage order, in bounded memory.

An external merge sort. Rows are collected, sorted by (name, time, line) and written as a run;
`FAN` runs of one level are merged into one of the next, so that a merge never has many more than
that to look at, and the work is linear in the rows but for a small logarithm. The last merge
yields the rows. Memory: some `RUN_BYTES` while collecting, some chunks of each run while merging.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from tickreel.errors import disk_error
from tickreel.ingest.files.order import take
from tickreel.ingest.files.run import CHUNK, Key, Run, bytes_of, joined, place_of
from tickreel.sources.csv_batch import RowBatch
from tickreel.units import NS_PER_DAY

RUN_BYTES = 1 << 26
FAN = 128
STEP_CHUNKS = 64
"""How many chunks a merge takes in before it passes rows on."""


class Spill:
    """Sorted runs of rows, in files that end with this object or its process.

    names  (exchange, symbol) by number; may grow while rows are added
    """

    def __init__(self, folder: Path, names: Sequence[tuple[str, str]]) -> None:
        self._folder = folder
        self._names = names
        self._ranks = np.empty(0, np.uint16)
        self._levels: list[list[Run]] = [[]]
        self._made = 0
        self._pending: list[RowBatch] = []
        self._pending_bytes = 0
        try:
            folder.mkdir()
        except OSError as error:
            raise disk_error(error, f"creating {folder}") from error

    @property
    def bytes_per_row(self) -> float:
        """What a row takes on the disk, as far as rows are written."""
        runs = self._runs()
        return sum(run.bytes for run in runs) / max(1, sum(run.rows for run in runs))

    def add(self, batch: RowBatch) -> None:
        """Take in rows, in the order of the file."""
        self._pending.append(batch)
        self._pending_bytes += bytes_of(batch)
        if self._pending_bytes >= RUN_BYTES:
            self._end_run()

    def rows(self) -> Iterator[tuple[int, int, RowBatch]]:
        """End the adding and yield (name, day number, rows) by symbol bytewise, time and line."""
        if self._pending:
            self._end_run()
        for rows in merged(self._runs(), self._ranked()):
            days = rows.times // NS_PER_DAY
            cuts = np.flatnonzero((days[1:] != days[:-1]) | (rows.name[1:] != rows.name[:-1])) + 1
            for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(rows)], strict=True):
                yield int(rows.name[start]), int(days[start]), take(rows, slice(start, stop))

    def __enter__(self) -> "Spill":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for run in self._runs():
            run.close()
        self._folder.rmdir()

    def _runs(self) -> list[Run]:
        """Return all runs in the order of the file: those of the higher levels came first."""
        return [run for level in reversed(self._levels) for run in level]

    def _ranked(self) -> np.ndarray:
        """Return uint16[names]: the place of each name among all, bytewise.

        Two names keep their order when others come in between: a run that was sorted stays so.
        """
        if len(self._ranks) < len(self._names):
            order = sorted(range(len(self._names)), key=lambda number: _bytewise(self._names[number]))
            self._ranks = np.empty(len(order), np.uint16)
            self._ranks[order] = np.arange(len(order), dtype=np.uint16)
        return self._ranks

    def _end_run(self) -> None:
        rows = joined(self._pending)
        self._pending, self._pending_bytes = [], 0
        run = self._new_run(level=0)
        run.append(rows, storage_order(rows, self._ranked()))
        self._thin(level=0)

    def _thin(self, level: int) -> None:
        """Merge the runs of a level into one of the next if they are many."""
        runs = self._levels[level]
        if len(runs) < FAN:
            return
        if level + 1 == len(self._levels):
            self._levels.append([])
        run = self._new_run(level=level + 1)
        for rows in merged(runs, self._ranked()):
            run.append(rows, np.arange(len(rows)))
        for old in runs:
            old.close()
        self._levels[level] = []
        self._thin(level + 1)

    def _new_run(self, *, level: int) -> Run:
        run = Run(self._folder / f"{self._made}.run")
        self._made += 1
        self._levels[level].append(run)
        return run


def merged(runs: Sequence[Run], ranks: np.ndarray) -> Iterator[RowBatch]:
    """Yield the rows of all runs in storage order.

    Chunks are taken in by their first rows. What comes before the first row of all chunks to come
    is complete, is put in order and passed on; of each run less than a chunk waits.
    """
    of_runs = [run.chunks for run in runs]
    owner = np.repeat(np.arange(len(runs)), [len(chunks) for chunks in of_runs])
    chunks = np.concatenate([np.empty(0, CHUNK), *of_runs])
    coming = np.lexsort((chunks["line"], chunks["time_ns"], ranks[chunks["name"]]))
    waiting: list[deque[RowBatch]] = [deque() for _ in runs]
    for start in range(0, len(coming), STEP_CHUNKS):
        stop = start + STEP_CHUNKS
        for place in coming[start:stop]:
            waiting[owner[place]].append(runs[owner[place]].read(chunks[place]))
        first = chunks[coming[stop]] if stop < len(coming) else None
        limit = None if first is None else _key((first["name"], first["time_ns"], first["line"]), ranks)
        ready = [part for parts in waiting for part in _before(limit, parts, ranks)]
        if ready:
            rows = joined(ready)
            yield take(rows, storage_order(rows, ranks))


def storage_order(rows: RowBatch, ranks: np.ndarray) -> np.ndarray:
    """Return the order by (rank of the name, time), rows of equal time as they stand."""
    rank, times = ranks[rows.name], rows.times
    order = np.argsort(rank, kind="stable")
    rank, sorted_times = rank[order], times[order]
    if ((sorted_times[1:] < sorted_times[:-1]) & (rank[1:] == rank[:-1])).any():
        return np.lexsort((times, ranks[rows.name]))
    return order


def _before(limit: Key | None, parts: deque[RowBatch], ranks: np.ndarray) -> Iterator[RowBatch]:
    """Take out and yield what comes before `limit` (None: all) of some rows in order."""
    while parts:
        rows = parts.popleft()
        count = len(rows)
        if limit is not None:
            count = bisect_left(range(count), limit, key=lambda row: _key(place_of(rows, row), ranks))
        if count:
            yield take(rows, slice(0, count))
        if count < len(rows):
            parts.appendleft(take(rows, slice(count, None)))
            return


def _key(place: tuple[int, int, int], ranks: np.ndarray) -> Key:
    name, time_ns, line = place
    return Key(int(ranks[name]), int(time_ns), int(line))


def _bytewise(name: tuple[str, str]) -> tuple[bytes, bytes]:
    # Names that are no Unicode are among them, though their rows were set aside.
    return name[0].encode("utf-8", "surrogateescape"), name[1].encode("utf-8", "surrogateescape")
