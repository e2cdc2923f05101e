"""Rows that are in storage order already, as those of most files are; the others are spilled."""

from collections.abc import Iterable, Iterator

import numpy as np

from tickreel.sources.csv_batch import RowBatch
from tickreel.units import NS_PER_DAY


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
        times = batch.times
        if name < 0:
            name = int(batch.name[0])
        if (batch.name != name).any():
            raise NotInOrder
        if (times[1:] < times[:-1]).any():
            batch = take(batch, np.argsort(times, kind="stable"))
            times = batch.times
        if times[0] < last:
            raise NotInOrder
        last = int(times[-1])
        yield from ((name, day, rows) for day, rows in _by_day(batch))


def take(batch: RowBatch, rows: np.ndarray | slice) -> RowBatch:
    """Return some rows of a batch, in the order given."""
    columns = {name: values[rows] for name, values in batch.columns.items()}
    return RowBatch(batch.line[rows], batch.name[rows], columns, [], [])


def _by_day(batch: RowBatch) -> Iterator[tuple[int, RowBatch]]:
    times = batch.times
    if times[0] // NS_PER_DAY == times[-1] // NS_PER_DAY:
        yield int(times[0] // NS_PER_DAY), batch
        return
    days = times // NS_PER_DAY
    cuts = np.flatnonzero(np.diff(days)) + 1
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(batch)], strict=True):
        yield int(days[start]), take(batch, slice(start, stop))
