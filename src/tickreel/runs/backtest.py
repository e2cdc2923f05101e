"""backtest(): a strategy over the symbols of a store, all cores, into a run folder."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import tickreel
from tickreel.compute import Executor, Numbers, Outcome, Task, make_executor
from tickreel.errors import DiskError
from tickreel.runs.folder import RunFolder, check_out
from tickreel.runs.plan import RunPlan, note_ranges, plan_run, question_of, symbol_record
from tickreel.runs.result import Machine, RunRecord, RunResult, SymbolRecord
from tickreel.runs.settings import RunSettings, one_set, path_of, settings_of
from tickreel.runs.task import SymbolTask
from tickreel.scan import plan as scans
from tickreel.scan.plan import Stream
from tickreel.simulate.strategy import Strategy, parameters_of
from tickreel.store.catalog import Store
from tickreel.strategies.fresh import refuse_within_load
from tickreel.strategies.load import StrategyRef, load, reference
from tickreel.units import NS_PER_DAY

_MODULES = ("tickreel.runs.task", "tickreel.simulate.context_kernel", "tickreel.codecs.patched_kernel")
"""What a worker of a run needs beside its strategy."""

OnProgress = Callable[[str, Numbers], None]
"""Called with (exchange:symbol, {"trades"}) while a symbol runs, {"done": 1} at its end."""


def backtest(
    strategy: str | type[Strategy],
    *,
    store: str | os.PathLike[str] | None = None,
    symbols: str | Sequence[str] = (),
    exchange: str | None = None,
    start: Any = None,
    end: Any = None,
    capital: float = 100_000.0,
    fee: float = 0.0004,
    latency: str | int = 0,
    feed_latency: str | int | None = None,
    allow_short: bool = False,
    uncross: bool = False,
    every: str | int = NS_PER_DAY,
    periods: float | None = None,
    risk_free: float = 0.0,
    instruments: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    feed: str | None = None,
    jit: bool = True,
    **parameters: Any,
) -> RunResult:
    """Run a strategy over trades of a store; each symbol is an account of its own with `capital`.

        result = tickreel.backtest(Momentum, symbols=["BTCUSDT"], start="2024-01-01", threshold=0.002)

    strategy    "momentum", "my.py:Momentum" or a class derived from tickreel.Strategy
    store       folder of the store; else TICKREEL_STORE, else ./tape
    start, end  half-open range of local time: ISO text (UTC), date, datetime, or a whole number: ns
    fee         fraction of notional
    latency     one way, e.g. "5ms"; every: equity sampling, e.g. "1h"; a whole number is ns
    feed_latency  how long after its exchange time each row is seen; for feeds without local times alone
    uncross     of the books that on_book sees, drop the older side's levels where bid and ask meet or cross
    instruments  TOML file of contract facts that win over the store's (docs/INSTRUMENTS.md)
    out         folder for orders, fills, equity, metrics and report; None: a temporary one that
                lives as long as the result
    parameters  of the strategy
    A symbol that fails is in `result.failed` and stops no other. Raises UsageError, InputError,
    StrategyError; results are the same for any number of workers.
    """
    refuse_within_load()
    settings = settings_of({
        "feed": feed, "exchange": exchange, "symbols": symbols, "start": start, "end": end, "capital": capital,
        "fee": fee, "latency": latency, "feed_latency": feed_latency, "allow_short": allow_short,
        "uncross": uncross, "every": every, "periods": periods, "risk_free": risk_free,
        "instruments": instruments, "workers": workers, "jit": jit,
    }, parameters)  # fmt: skip
    target = path_of(out, "out") if out else None
    return run_backtest(store_at(store), reference(strategy), settings, out=target)


def store_at(path: str | os.PathLike[str] | None) -> Store:
    """Return the store at `path`, else at TICKREEL_STORE, else at ./tape."""
    return Store.existing(path_of(path or os.environ.get("TICKREEL_STORE") or "tape", "store"))


def run_backtest(
    store: Store,
    ref: StrategyRef,
    settings: RunSettings,
    *,
    out: Path | None = None,
    command: str = "",
    source: str | None = None,
    on_plan: Callable[[list[Stream]], None] | None = None,
    on_progress: OnProgress | None = None,
) -> RunResult:
    """Run, measure and write the folder; see `backtest`.

    command  the line that makes the run again; source  what must be said of the data, e.g. synthetic
    """
    began = time.perf_counter()
    check_out(out)
    strategy = load(ref)
    parameters = one_set(strategy, settings.parameters)
    with workers_for(store, settings) as executor, RunFolder.create(out) as folder:
        plan = plan_run(store, strategy, settings)
        if on_plan:
            on_plan(plan.streams)
        tasks = [
            _task(plan.task(store, stream, ref, settings, parameters=parameters, folder=folder.path))
            for stream in plan.streams
            if stream.name in plan.contracts
        ]
        outcomes = {outcome.task_id: outcome for outcome in run_tasks(executor, tasks, on_progress)}
        records = [_record(plan, stream, outcomes.get(stream.name)) for stream in plan.streams]
        whole = note_ranges(records, plan, settings)
        record = RunRecord(
            strategy=strategy.__name__, command=command or command_of("backtest", ref), source=source,
            from_ns=whole[0], to_ns=whole[1], code=plan.code,
            settings=plan.recorded(settings, whole, {**parameters_of(strategy), **parameters}),
            capital=settings.capital, conventions=asdict(settings.conventions()), symbols=records,
            wall_seconds=time.perf_counter() - began, workers=executor.workers,
            created=now_text(), machine=machine_of(),
        )  # fmt: skip
        return RunResult.write(folder, record)


def _task(task: SymbolTask) -> Task:
    stream = task.stream
    return Task(stream.name, "tickreel.runs.task:run_symbol", msgspec.to_builtins(task), weight=stream.rows)


def workers_for(store: Store, settings: RunSettings, each: int = 1) -> Executor:
    """Return an executor for `each` tasks a symbol, or fewer; its workers start while the caller makes the plan."""
    settings.check()
    tasks = each * len(scans.plan(store, question_of(settings)))
    # Plain Python stays in the main thread: Ctrl-C stops it there, and a debugger is at home.
    return make_executor(workers_of(settings, tasks), in_thread=settings.jit, modules=_MODULES)


def run_tasks(
    executor: Executor, tasks: list[Task], on_progress: OnProgress | None, *, in_order: bool = False
) -> Iterator[Outcome]:
    """Yield the outcomes as tasks end. Raises DiskError at once: no task can go on without room.

    in_order  start them as they are given, not the heaviest first
    """
    tell = on_progress or (lambda name, numbers: None)
    for outcome in executor.run(tasks, on_progress=tell, in_order=in_order):
        if not outcome.ok and isinstance(outcome.as_error(), DiskError):
            raise outcome.as_error()
        tell(outcome.task_id, {"done": 1})
        yield outcome


def _record(plan: RunPlan, stream: Stream, outcome: Outcome | None) -> SymbolRecord:
    record = symbol_record(plan, stream)
    if outcome is None:
        return record
    if outcome.ok:
        record.summary = outcome.value["summary"]
        record.refused = outcome.value["refused"]
        record.notes = [*record.notes, *outcome.value["notes"]]
        if outcome.value["book"]:
            record.data += f" {outcome.value['book']}"
    else:
        record.error, record.error_type = outcome.error, outcome.error_type
        record.traceback = outcome.traceback
    return record


def workers_of(settings: RunSettings, tasks: int) -> int:
    """Return how many tasks go on at a time."""
    from tickreel.compute import usable_cores

    return max(1, min(settings.workers or usable_cores(), tasks))


def command_of(function: str, ref: StrategyRef) -> str:
    """Return what a result of Python says in place of a command line."""
    where = ref.file or ref.module or "a class handed over"
    return f"tickreel.{function}({ref.name}) of {where}, from {Path(sys.argv[0]).name or 'Python'}"


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine_of() -> Machine:
    return Machine(
        tickreel=tickreel.__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        numba=version("numba"),
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
    )
