"""sweep(): a strategy with many parameter sets over the symbols of a store, few scans of the data for all."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tickreel.errors import disk_error
from tickreel.report.view import OneSet
from tickreel.runs.axes import axes_of, count_of, listed
from tickreel.runs.backtest import (
    OnProgress,
    command_of,
    machine_of,
    now_text,
    run_tasks,
    store_at,
    workers_for,
)
from tickreel.runs.folder import RunFolder, check_out
from tickreel.runs.plan import note_ranges, plan_run
from tickreel.runs.result import RunRecord
from tickreel.runs.settings import RunSettings, call_text, path_of, settings_of
from tickreel.runs.sweep_parts import cuts_of, parts_of
from tickreel.runs.sweep_result import SweepResult
from tickreel.runs.sweep_sets import Sets
from tickreel.simulate.account import AccountSettings
from tickreel.simulate.compile import build
from tickreel.simulate.sets import SetRuns
from tickreel.simulate.strategy import Strategy, callbacks_of
from tickreel.store.catalog import Store
from tickreel.strategies.fresh import refuse_within_load
from tickreel.strategies.load import StrategyRef, load, reference


def sweep(
    strategy: str | type[Strategy],
    parameters: Mapping[str, Any],
    *,
    store: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> SweepResult:
    """Run a strategy with every combination of parameter values; a scan of the data serves many.

        result = tickreel.sweep("momentum", {"threshold": "0.0005:0.005:10", "fraction": [0.5, 0.95]},
                                symbols=["BTCUSDT"], latency="5ms")

    parameters  name -> a value, some values (list, array), or "a:b:n": n values from a to b, both among them
    settings    symbols, start, latency ... as backtest() has them
    out         folder for metrics and report; None: a temporary one that lives as long as the result
    The metrics of a set are those of backtest() with its parameters, for any number of workers. A symbol that
    fails with a set is in its `failed` and stops no other. Raises UsageError, InputError, StrategyError.
    """
    refuse_within_load()
    asked = settings_of(settings, parameters)
    place, ref = store_at(store), reference(strategy)
    named = repr(strategy) if isinstance(strategy, str) else ref.name
    one_set = OneSet(f"tickreel.backtest({named}, store={str(place.root)!r}{call_text(asked)}", ", ", ")")
    return run_sweep(place, ref, asked, out=path_of(out, "out") if out else None, one_set=one_set)


def run_sweep(
    store: Store,
    ref: StrategyRef,
    settings: RunSettings,
    *,
    out: Path | None = None,
    command: str = "",
    source: str | None = None,
    one_set: OneSet | None = None,
    on_plan: Callable[[dict[str, float], int], None] | None = None,
    on_progress: OnProgress | None = None,
    on_measured: Callable[[int], None] | None = None,
) -> SweepResult:
    """Run, measure and write the folder; see `sweep`.

    settings     `parameters` are what axes_of takes
    one_set      the line that runs one set
    on_plan      called with task id -> trades x sets, and the number of sets; "trades" of on_progress are x sets, too
    on_measured  called with the number of sets whose metrics are known
    """
    began = time.perf_counter()
    check_out(out)
    strategy = load(ref)
    axes = axes_of(strategy, settings.parameters)
    with workers_for(store, settings, count_of(axes)) as executor, RunFolder.create(out) as folder:
        plan = plan_run(store, strategy, settings)
        _warm_up(strategy, settings)
        cuts = cuts_of(strategy, plan, axes, executor.workers)
        scratch = folder.path / "parts"
        parts = parts_of(store, ref, plan, settings, axes=axes, cuts=cuts, folder=scratch)
        tasks = [part.as_task() for part in parts]
        if on_plan:
            on_plan({task.id: task.weight for task in tasks}, count_of(axes))
        tell = on_measured or (lambda count: None)
        measured = Sets(plan, settings, axes=axes, cuts=cuts, parts=parts, on_measured=tell)
        with _scratch(scratch):
            for outcome in run_tasks(executor, tasks, on_progress, in_order=True):
                measured.take(outcome)
        records, sets = measured.finish()
        whole = note_ranges(records, plan, settings)
        record = RunRecord(
            strategy=strategy.__name__, command=command or command_of("sweep", ref), source=source,
            from_ns=whole[0], to_ns=whole[1], code=plan.code,
            settings=plan.recorded(settings, whole, listed(axes)),
            capital=settings.capital, conventions=asdict(settings.conventions()), symbols=records,
            wall_seconds=time.perf_counter() - began, workers=executor.workers,
            created=now_text(), machine=machine_of(),
        )  # fmt: skip
        return SweepResult.write(folder, record, sets, one_set)


@contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """Have a folder for what tasks leave, gone at the end."""
    try:
        folder.mkdir()
        yield
        shutil.rmtree(folder)
    except OSError as error:
        raise disk_error(error, f"working in {folder}") from error


def _warm_up(strategy: type[Strategy], settings: RunSettings) -> None:
    if settings.jit and "on_book" not in callbacks_of(strategy):
        SetRuns(strategy, build(strategy), [{}], AccountSettings(), np.zeros(1, np.int64)).warm_up()
