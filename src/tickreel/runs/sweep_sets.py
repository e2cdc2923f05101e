"""The sets of a sweep, measured as its tasks end; the files of the tasks are removed as they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from tickreel.compute import Outcome
from tickreel.errors import disk_error
from tickreel.measure import Performance
from tickreel.runs.axes import Axes, Number, count_of, set_of
from tickreel.runs.grid import boundaries
from tickreel.runs.plan import RunPlan, range_of_symbol, symbol_record
from tickreel.runs.result import SymbolRecord
from tickreel.runs.settings import RunSettings
from tickreel.runs.sweep_parts import Cut, Part
from tickreel.runs.sweep_sums import Sums
from tickreel.runs.sweep_task import record_of


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


class _Some:
    """Sets [first, stop), to which the symbols are added one after the other, in the order of the plan."""

    def __init__(self, cut: Cut) -> None:
        self.first, self.stop = cut
        self.sums: Sums | None = None
        self.returns: list[dict[str, float | None]] = [{} for _ in range(*cut)]
        self.failed: list[dict[str, str]] = [{} for _ in range(*cut)]
        self.waiting: dict[str, tuple[Part, Outcome]] = {}
        self.added = 0

    def all_with(self, error: str) -> dict[int, str]:
        return dict.fromkeys(range(self.first, self.stop), error)

    def lose(self, symbol: str, errors: dict[int, str]) -> None:
        """Note that a symbol failed with some sets, by number."""
        for number, error in errors.items():
            self.failed[number - self.first][symbol] = error
            self.returns[number - self.first][symbol] = None


class _Failure(NamedTuple):
    """The first set that failed over a symbol, with its error as a run has it."""

    number: int
    error: str
    error_type: str
    traceback: str


class Sets:
    """Takes the outcomes of the tasks, in any order.

    on_measured  called with the number of sets that are measured
    """

    def __init__(
        self,
        plan: RunPlan,
        settings: RunSettings,
        *,
        axes: Axes,
        cuts: list[Cut],
        parts: list[Part],
        on_measured: Callable[[int], None],
    ) -> None:
        self._settings, self._axes, self._on_measured = settings, axes, on_measured
        self._times_ns = boundaries(plan.grid)
        self._conventions = settings.conventions()
        self._parts = {part.id: part for part in parts}
        self._some = {cut[0]: _Some(cut) for cut in cuts}
        self._found: dict[int, SetResult] = {}
        self._failures: dict[str, _Failure] = {}
        self._records = [symbol_record(plan, stream) for stream in plan.streams]

    def take(self, outcome: Outcome) -> None:
        """Add what a task left to its sets; measure those that it was the last of. Raises DiskError."""
        part = self._parts[outcome.task_id]
        some = self._some[part.task.first]
        some.waiting[part.stream.name] = part, outcome
        self._add_waiting(some)

    def finish(self) -> tuple[list[SymbolRecord], list[SetResult]]:
        """Return the symbols, with what was played of them or the first error, and all sets, in order."""
        for some in list(self._some.values()):
            self._add_waiting(some)  # those that have no task: every symbol was refused
        for record in self._records:
            if record.summary is None and record.name in self._failures:
                _, record.error, record.error_type, record.traceback = self._failures[record.name]
        return self._records, [self._found[number] for number in range(count_of(self._axes))]

    def _add_waiting(self, some: _Some) -> None:
        while some.added < len(self._records):
            record = self._records[some.added]
            if record.error:
                some.lose(record.name, some.all_with(record.error))
            elif record.name in some.waiting:
                self._add(some, record, *some.waiting.pop(record.name))
            else:
                return
            some.added += 1
        self._measure(some)
        del self._some[some.first]

    def _add(self, some: _Some, record: SymbolRecord, part: Part, outcome: Outcome) -> None:
        if not outcome.ok:
            failure = _Failure(some.first, outcome.error, outcome.error_type, outcome.traceback)
            self._note(record.name, failure)
            some.lose(record.name, some.all_with(outcome.error))
            return
        found, errors = _taken(part, len(self._times_ns))
        if errors:
            first = min(errors)
            told = outcome.value["error_type"], outcome.value["traceback"]
            self._note(record.name, _Failure(first, errors[first], *told))
        if found["ended"].any():
            self._note_played(record, found[found["ended"]][0], outcome)
        some.sums = some.sums or Sums(len(found), self._times_ns)
        gains = some.sums.add(found, range_of_symbol(record, self._settings))
        for returns, gain in zip(some.returns, gains.tolist(), strict=True):
            returns[record.name] = gain if gain == gain else None
        some.lose(record.name, errors)

    def _note(self, symbol: str, failure: _Failure) -> None:
        known = self._failures.get(symbol, failure)
        self._failures[symbol] = min(known, failure)

    def _note_played(self, record: SymbolRecord, row: np.void, outcome: Outcome) -> None:
        if record.summary is None:
            record.summary = {name: int(row[name]) for name in ("events", "first_ns", "last_ns")}
            record.notes = [*record.notes, *outcome.value["notes"]]
            record.data += f" {outcome.value['book']}" if outcome.value["book"] else ""

    def _measure(self, some: _Some) -> None:
        for place, number in enumerate(range(some.first, some.stop)):
            metrics = some.sums.measure(place, self._conventions) if some.sums else None
            self._found[number] = SetResult(
                set_of(self._axes, number), metrics, some.returns[place], some.failed[place]
            )
            self._on_measured(len(self._found))


def _taken(part: Part, samples: int) -> tuple[np.ndarray, dict[int, str]]:
    """Return what a task left, record_of[sets] and errors by set number, and remove its files."""
    path, errors_path = Path(part.task.file), Path(part.task.errors_file)
    try:
        found = np.frombuffer(path.read_bytes(), record_of(samples))
        errors = msgspec.json.decode(errors_path.read_bytes(), type=dict[int, str])
        path.unlink()
        errors_path.unlink()
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
    return found, errors
