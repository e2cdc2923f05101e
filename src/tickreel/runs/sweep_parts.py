"""A sweep parted into tasks of one symbol and some sets, and put together again set by set."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from tickreel.compute import Outcome, Task
from tickreel.errors import FailedError
from tickreel.measure import Account, Conventions, Performance, portfolio_performance
from tickreel.runs.axes import Axes, Number, count_of, set_of
from tickreel.runs.grid import boundaries
from tickreel.runs.plan import RunPlan, symbol_record
from tickreel.runs.result import SymbolRecord, account_of
from tickreel.runs.settings import RunSettings
from tickreel.runs.sweep_task import SweepTask
from tickreel.scan.plan import Stream
from tickreel.simulate.account import Summary
from tickreel.store.catalog import Store
from tickreel.strategies.load import StrategyRef

_MOST_SETS, _MOST_BOOK_SETS = 1_000, 32
"""Of a task: each set has its account in memory, and with on_book a book of its own."""
_MOST_SAMPLES = 4_000_000
"""Of a task: 160 MB of equity."""
_LEAST_SETS = 32
"""A task of fewer reads its symbol for little; only workers without work are worth that."""
_SHARES = 4
"""Tasks for each worker, about, so that none waits long for the last."""


@dataclass(frozen=True, slots=True)
class SetResult:
    """What one parameter set did.

    metrics  of all accounts together, as `run` gives them; None if every symbol failed
    returns  total return by symbol; None where it failed, or began with nothing
    failed   symbol -> error
    """

    parameters: dict[str, Number]
    metrics: Performance | None
    returns: dict[str, float | None]
    failed: dict[str, str]


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


def parts_of(
    store: Store,
    ref: StrategyRef,
    plan: RunPlan,
    settings: RunSettings,
    *,
    axes: Axes,
    workers: int,
    folder: Path,
) -> list[Part]:
    """Return the parts, by symbol, then by set; their files go into `folder`."""
    streams = [stream for stream in plan.streams if stream.name in plan.contracts]
    sets, rows = count_of(axes), sum(stream.rows for stream in streams)
    most = min(
        _MOST_BOOK_SETS if plan.changes else _MOST_SETS, max(1, _MOST_SAMPLES // len(boundaries(plan.grid)))
    )
    shared = {name: values[0] for name, values in axes.items() if len(values) == 1}
    found = []
    for number, stream in enumerate(streams):
        run = plan.task(store, stream, ref, settings, parameters=shared, folder=folder)
        for first, stop in _cuts(
            sets, most, stream.rows / rows * workers, streams=len(streams), workers=workers
        ):
            file = str(folder / f"{number}-{first}.npy")
            some = [set_of(axes, one) for one in range(first, stop)]
            own = [{name: value for name, value in one.items() if name not in shared} for one in some]
            found.append(Part(stream, SweepTask(run, first, own, file)))
    return found


def _cuts(sets: int, most: int, share: float, *, streams: int, workers: int) -> list[tuple[int, int]]:
    """Return the ranges of sets of one symbol's tasks.

    share  of all work that the symbol is, in workers
    """
    wanted = min(round(share * _SHARES), sets // _LEAST_SETS)
    if streams < workers:
        wanted = max(wanted, -(-workers // streams))
    count = min(max(wanted, -(-sets // most), 1), sets)
    edges = [sets * number // count for number in range(count + 1)]
    return list(pairwise(edges))


class Parts:
    """What the tasks of a sweep left: files of the sets that ran, errors of those that did not."""

    def __init__(self, plan: RunPlan, parts: list[Part], outcomes: dict[str, Outcome]) -> None:
        self._times_ns = boundaries(plan.grid)
        self._found: dict[str, list[tuple[Part, Outcome, Any]]] = {}
        for part in parts:
            outcome = outcomes[part.id]
            array = np.load(part.task.file, mmap_mode="r") if outcome.ok else None
            self._found.setdefault(part.stream.name, []).append((part, outcome, array))

    def record(self, plan: RunPlan, stream: Stream) -> SymbolRecord:
        """Return the record of a symbol: what of its rows was played, or the first error if no set ended."""
        record = symbol_record(plan, stream)
        found = self._found.get(stream.name, [])
        for _, outcome, array in found:
            if array is not None and array["ended"].any():
                ended = array[array["ended"]]
                names = ("events", "first_ns", "last_ns")
                record.summary = {name: int(ended[0][name]) for name in names}
                record.notes = [*record.notes, *outcome.value["notes"]]
                record.data += f" {outcome.value['book']}" if outcome.value["book"] else ""
                return record
        if found:
            _, outcome, _ = found[0]
            record.error = next(iter(outcome.value["failed"].values())) if outcome.ok else outcome.error
            record.error_type = outcome.error_type or FailedError.__name__
            record.traceback = outcome.traceback
        return record

    def sets(self, axes: Axes, records: list[SymbolRecord], conventions: Conventions) -> Iterator[SetResult]:
        """Yield the sets in order, measured."""
        for number in range(count_of(axes)):
            accounts: list[Account] = []
            returns: dict[str, float | None] = {}
            failed: dict[str, str] = {}
            for record in records:
                found = self._of(record, number)
                if isinstance(found, str):
                    failed[record.name] = found
                    returns[record.name] = None
                else:
                    accounts.append(found)
                    first, last = float(found.equity[0]), float(found.equity[-1])
                    returns[record.name] = last / first - 1.0 if first > 0 else None
            metrics = portfolio_performance(accounts, conventions)[2] if accounts else None
            yield SetResult(set_of(axes, number), metrics, returns, failed)

    def _of(self, record: SymbolRecord, number: int) -> Account | str:
        """Return what a set did over a symbol, or why it failed."""
        found = self._found.get(record.name)
        if found is None:
            return record.error
        place = bisect_right(found, number, key=lambda one: one[0].task.first) - 1
        part, outcome, array = found[place]
        if array is None:
            return outcome.error
        row = array[number - part.task.first]
        if not row["ended"]:
            return str(outcome.value["failed"][str(number)])
        summary = Summary(*(row[name].item() for name in Summary._fields))
        return account_of(summary, self._times_ns, row["curve"], record.range_ns)
