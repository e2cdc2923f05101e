"""A sweep parted into tasks of one symbol and some sets."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

from tickreel.compute import Task
from tickreel.runs.axes import Axes, count_of, set_of
from tickreel.runs.grid import boundaries
from tickreel.runs.plan import RunPlan
from tickreel.runs.settings import RunSettings
from tickreel.runs.sweep_task import SweepTask, record_of
from tickreel.scan.plan import Stream
from tickreel.simulate.sets import bytes_of_set
from tickreel.simulate.strategy import Strategy
from tickreel.store.catalog import Store
from tickreel.strategies.load import StrategyRef

_SETS_OF_A_TASK, _BOOK_SETS_OF_A_TASK = 1_000, 32
"""At most; with on_book each set has a book of its own."""
_BYTES_OF_A_TASK = 160_000_000
"""At most, of states, accounts and equity samples, unless a single set takes more."""
_LEAST_SETS = 32
"""A task of fewer reads its symbol for little; only workers without work are worth that."""
_SHARES = 4
"""Tasks for each worker, about, so that none waits long for the last."""
_MUCH_SCRATCH_BYTES = 256_000_000
"""With more than that for some sets, their symbols come in the order in which they are added up."""

Cut = tuple[int, int]
"""Sets [first, stop)."""


class Part(NamedTuple):
    """The task of some sets over one symbol."""

    stream: Stream
    task: SweepTask

    @property
    def id(self) -> str:
        return f"{self.stream.name} from set {self.task.first}"

    def as_task(self) -> Task:
        weight = float(self.stream.rows * len(self.task.sets))
        return Task(
            self.id, "tickreel.runs.sweep_task:run_part", msgspec.to_builtins(self.task), weight=weight
        )


def cuts_of(strategy: type[Strategy], plan: RunPlan, axes: Axes, workers: int) -> list[Cut]:
    """Return the ranges of sets that tasks take, the same for all symbols."""
    rows = [stream.rows for stream in plan.streams if stream.name in plan.contracts]
    samples = len(boundaries(plan.grid))
    each = bytes_of_set(strategy, samples) + record_of(samples).itemsize
    most = min(_BOOK_SETS_OF_A_TASK if plan.changes else _SETS_OF_A_TASK, max(1, _BYTES_OF_A_TASK // each))
    share = max(rows, default=0) / max(sum(rows), 1)
    return _cuts(count_of(axes), most, share * workers, streams=len(rows), workers=workers)


def _cuts(sets: int, most: int, share: float, *, streams: int, workers: int) -> list[Cut]:
    """Return the ranges of sets.

    share  of all work that the largest symbol is, in workers
    """
    wanted = min(round(share * _SHARES), sets // _LEAST_SETS)
    if streams < workers:
        wanted = max(wanted, -(-workers // max(streams, 1)))
    count = min(max(wanted, -(-sets // most), 1), sets)
    edges = [sets * number // count for number in range(count + 1)]
    return list(pairwise(edges))


def parts_of(
    store: Store,
    ref: StrategyRef,
    plan: RunPlan,
    settings: RunSettings,
    *,
    axes: Axes,
    cuts: list[Cut],
    folder: Path,
) -> list[Part]:
    """Return the parts in the order in which they are to start; their files go into `folder`.

    All symbols of some sets come before the next sets, so that few files wait for others: the heaviest
    first, so that no worker is left with it at the end, unless these files are large.
    """
    streams = [stream for stream in plan.streams if stream.name in plan.contracts]
    record_bytes = record_of(len(boundaries(plan.grid))).itemsize
    shared = {name: values[0] for name, values in axes.items() if len(values) == 1}
    runs = {
        stream.name: plan.task(store, stream, ref, settings, parameters=shared, folder=folder)
        for stream in streams
    }
    numbers = {stream.name: number for number, stream in enumerate(streams)}
    found = []
    for first, stop in cuts:
        some = [set_of(axes, one) for one in range(first, stop)]
        own = [{name: value for name, value in one.items() if name not in shared} for one in some]
        much = (stop - first) * record_bytes * len(streams) > _MUCH_SCRATCH_BYTES
        for stream in streams if much else sorted(streams, key=lambda one: -one.rows):
            file = str(folder / f"{numbers[stream.name]}-{first}")
            found.append(Part(stream, SweepTask(runs[stream.name], first, own, file)))
    return found
