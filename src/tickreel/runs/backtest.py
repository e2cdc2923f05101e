"""backtest(): a strategy over the symbols of a store, all cores, into a run folder."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import tickreel
from tickreel.books.book import Book
from tickreel.compute import Numbers, Outcome, Task, make_executor
from tickreel.errors import DiskError, StrategyError, UsageError
from tickreel.runs.contracts import Contract, KnownInstruments, contract_of
from tickreel.runs.events import CHANGES
from tickreel.runs.folder import RunFolder, check_out
from tickreel.runs.grid import Grid, plan_grid, range_of
from tickreel.runs.result import Machine, RunRecord, RunResult, SymbolRecord
from tickreel.runs.settings import RunSettings
from tickreel.runs.task import SymbolTask
from tickreel.scan.plan import Question, Slice, Stream, missing_days, plan
from tickreel.scan.read import contents, open_slice
from tickreel.simulate.account import AccountRun
from tickreel.simulate.compile import build
from tickreel.simulate.strategy import (
    Strategy,
    callbacks_of,
    convert_parameter,
    make_state,
    parameters_of,
    timer_ns,
)
from tickreel.store.catalog import Store
from tickreel.strategies.fresh import refuse_within_load
from tickreel.strategies.load import StrategyRef, load, reference
from tickreel.units import NS_PER_DAY, parse_duration, parse_time

MAX_TIMERS = 1_000_000_000
"""Calls of on_timer a symbol; more would go on for minutes in machine code and for ever in plain Python."""

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
    uncross     of the books that on_book sees, drop the older side's levels where bid and ask meet or cross
    instruments  TOML file of contract facts that win over the store's (docs/INSTRUMENTS.md)
    out         folder for orders, fills, equity, metrics and report; None: a temporary one that
                lives as long as the result
    parameters  of the strategy
    A symbol that fails is in `result.failed` and stops no other. Raises UsageError, InputError,
    StrategyError; results are the same for any number of workers.
    """
    refuse_within_load()
    names = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    settings = RunSettings(
        feed=feed, exchange=exchange, symbols=names,
        from_ns=None if start is None else parse_time(start, "start"),
        to_ns=None if end is None else parse_time(end, "end"),
        capital=float(capital), fee=float(fee), latency_ns=parse_duration(latency, "latency"),
        allow_short=allow_short, uncross=uncross, every_ns=parse_duration(every, "every"),
        periods=periods, risk_free=risk_free, parameters=parameters, workers=workers, jit=jit,
        instruments=None if instruments is None else os.fspath(instruments),
    )  # fmt: skip
    place = Store.existing(store or os.environ.get("TICKREEL_STORE") or "tape")
    return run_backtest(place, reference(strategy), settings, out=Path(out) if out else None)


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
    parameters = {name: convert_parameter(strategy, name, v) for name, v in _known(strategy, settings)}
    settings.check()
    conventions = settings.conventions()
    question = Question(
        "trades", settings.feed, settings.exchange, settings.symbols, settings.from_ns, settings.to_ns
    )
    streams = plan(store, question, opened=True)
    grid = plan_grid(streams, settings)
    contracts, refused = _contracts(store, streams, settings)
    changes = _changes(store, streams, strategy, settings)
    _check_timer(strategy, grid)
    code = _warm_up(strategy, settings, parameters)
    if on_plan:
        on_plan(streams)
    with RunFolder.create(out) as folder:
        tasks = [
            _task(
                store,
                stream,
                changes.get(stream.name),
                contracts[stream.name],
                ref,
                code,
                settings,
                parameters,
                grid,
                folder.path,
            )
            for stream in streams
            if stream.name in contracts
        ]
        outcomes = _run(tasks, settings, on_progress or (lambda name, numbers: None))
        records = [
            _record(stream, changes.get(stream.name), outcomes.get(stream.name), contracts, refused)
            for stream in streams
        ]
        whole = _ranges(records, streams, changes, settings)
        record = RunRecord(
            strategy=strategy.__name__, command=command or _command(ref), source=source,
            from_ns=whole[0], to_ns=whole[1], code=code,
            settings=settings.recorded(
                feed=streams[0].feed, symbols=[stream.name for stream in streams],
                from_ns=whole[0] if settings.from_ns is None else settings.from_ns,
                to_ns=whole[1] if settings.to_ns is None else settings.to_ns,
                set={**parameters_of(strategy), **parameters},
            ),
            capital=settings.capital, conventions=asdict(conventions), symbols=records,
            wall_seconds=time.perf_counter() - began, workers=_workers(settings, len(tasks)),
            created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), machine=_machine(),
        )  # fmt: skip
        return RunResult.write(folder, record)


def _known(strategy: type[Strategy], settings: RunSettings) -> Iterable[tuple[str, Any]]:
    taken = [name for name in parameters_of(strategy) if name in signature(backtest).parameters]
    if taken:
        raise StrategyError(
            f"{strategy.__name__}.{taken[0]}: a setting of every run has that name, so backtest() could not tell"
            f" them apart; give the parameter another one, e.g. my_{taken[0]}"
        )
    for name in set(settings.parameters) - set(parameters_of(strategy)):
        if close := get_close_matches(name, signature(backtest).parameters, 1):
            raise UsageError(
                f"{strategy.__name__} has no parameter {name!r}; did you mean the setting {close[0]}?"
            )
    make_state(strategy, settings.parameters)  # refuses a name that is no parameter
    return settings.parameters.items()


def _check_timer(strategy: type[Strategy], grid: Grid) -> None:
    _, every, count = grid
    calls = every * (count - 1) // (timer_ns(strategy) or every)
    if calls > MAX_TIMERS:
        raise StrategyError(
            f"{strategy.__name__}.timer = {strategy.timer!r} is up to {calls:,} calls of on_timer over this range,"
            f" at most {MAX_TIMERS:,}: widen it, or shorten the range"
        )


def _warm_up(strategy: type[Strategy], settings: RunSettings, parameters: dict[str, Any]) -> str:
    """Compile before the workers start, so that none does it at the same time; return the code's key."""
    engine = build(strategy, jit=settings.jit)
    book = Book() if "on_book" in callbacks_of(strategy) else None
    run = AccountRun(strategy, engine, parameters, settings.account(), np.zeros(1, np.int64), book)
    if settings.jit:
        run.warm_up()
    return engine.key


def _changes(
    store: Store, streams: list[Stream], strategy: type[Strategy], settings: RunSettings
) -> dict[str, Stream]:
    """Return the changes of the order books of all symbols, for a strategy with on_book; else nothing.

    Raises UsageError naming a symbol that has none in the range.
    """
    if "on_book" not in callbacks_of(strategy):
        return {}
    found = {}
    for stream in streams:
        question = Question(
            CHANGES, stream.feed, stream.exchange, (stream.symbol,), settings.from_ns, settings.to_ns
        )
        try:
            (changes,) = plan(store, question)
            changes.slices = [_opened(store, part, stream.symbol) for part in changes.slices]
            if not changes.rows:
                raise ValueError("its days are empty")
        except (UsageError, ValueError) as error:
            raise UsageError(
                f"{strategy.__name__}.on_book: {stream.name} has trades, but no rows of {CHANGES} in that time;"
                " import them, or name other symbols"
            ) from error
        found[stream.name] = changes
    return found


def _opened(store: Store, part: Slice, symbol: str) -> Slice:
    """Return a slice with its contents; unlike `plan`, days without rows stay: a book goes on over them."""
    return part if part.contents else Slice(part.key, contents(open_slice(store, part), part, symbol))


def _contracts(
    store: Store, streams: list[Stream], settings: RunSettings
) -> tuple[dict[str, Contract], dict[str, UsageError]]:
    """Return the contracts of the symbols whose money is known, and the errors of the others."""
    known = KnownInstruments(store, settings.instruments)
    contracts, refused = {}, {}
    for stream in streams:
        try:
            contracts[stream.name] = contract_of(
                known, stream, fee=settings.fee, from_ns=settings.from_ns, to_ns=settings.to_ns
            )
        except UsageError as error:
            refused[stream.name] = error
    return contracts, refused


def _task(
    store: Store,
    stream: Stream,
    changes: Stream | None,
    contract: Contract,
    ref: StrategyRef,
    code: str,
    settings: RunSettings,
    parameters: dict[str, Any],
    grid: Grid,
    folder: Path,
) -> Task:
    task = SymbolTask(
        store=str(store.root), stream=stream, changes=changes, strategy=ref, code=code, parameters=parameters,
        capital=settings.capital, fee=settings.fee, latency_ns=settings.latency_ns,
        allow_short=settings.allow_short, uncross=settings.uncross, from_ns=settings.from_ns, to_ns=settings.to_ns,
        multiplier=contract.multiplier, grid=grid, folder=str(folder), batch_rows=settings.batch_rows, jit=settings.jit,
    )  # fmt: skip
    return Task(stream.name, "tickreel.runs.task:run_symbol", msgspec.to_builtins(task), weight=stream.rows)


def _run(tasks: list[Task], settings: RunSettings, on_progress: OnProgress) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    # Plain Python stays in the main thread: Ctrl-C stops it there, and a debugger is at home.
    with make_executor(_workers(settings, len(tasks)), in_thread=settings.jit) as executor:
        for outcome in executor.run(tasks, on_progress=on_progress):
            if not outcome.ok and isinstance(outcome.as_error(), DiskError):
                raise outcome.as_error()
            outcomes[outcome.task_id] = outcome
            on_progress(outcome.task_id, {"done": 1})
    return outcomes


def _record(
    stream: Stream,
    changes: Stream | None,
    outcome: Outcome | None,
    contracts: dict[str, Contract],
    refused: dict[str, UsageError],
) -> SymbolRecord:
    record = SymbolRecord(stream.exchange, stream.symbol, stream.fingerprint)
    if changes is not None:
        record.data += f" {changes.fingerprint}"
    if outcome is None:
        record.error, record.error_type = str(refused[stream.name]), UsageError.__name__
        return record
    contract = contracts[stream.name]
    record.instrument, record.notes = contract.facts, contract.notes
    if outcome.ok:
        record.summary = outcome.value["summary"]
        record.refused = outcome.value["refused"]
        record.notes = [*contract.notes, *outcome.value["notes"]]
        if outcome.value["book"]:
            record.data += f" {outcome.value['book']}"
    else:
        record.error, record.error_type = outcome.error, outcome.error_type
        record.traceback = outcome.traceback
    return record


def _ranges(
    records: list[SymbolRecord], streams: list[Stream], changes: dict[str, Stream], settings: RunSettings
) -> tuple[int, int]:
    """Note each symbol's range of time and its days without data; return the range of all together.

    changes  of the order books, by symbol, if the strategy watches them
    """
    first_ns, last_ns = (min(one.first_ns for one in streams), max(one.last_ns for one in streams))
    asked = range_of(first_ns, last_ns, settings)
    for symbol, stream in zip(records, streams, strict=True):
        bounds = settings.from_ns or asked[0], settings.to_ns or asked[1]
        symbol.missing_days = missing_days(stream, *bounds)
        if stream.name in changes:
            symbol.missing_book_days = missing_days(changes[stream.name], *bounds)
        symbol.days = len({part.key.day for part in stream.slices})
        if symbol.summary and symbol.summary["events"]:
            symbol.range_ns = range_of(symbol.summary["first_ns"], symbol.summary["last_ns"], settings)
    ranges = [symbol.range_ns for symbol in records if symbol.range_ns]
    return (min(one[0] for one in ranges), max(one[1] for one in ranges)) if ranges else asked


def _workers(settings: RunSettings, tasks: int) -> int:
    from tickreel.compute import usable_cores

    if settings.workers is not None and settings.workers < 1:
        raise UsageError(f"workers {settings.workers}: 1 or more")
    return max(1, min(settings.workers or usable_cores(), tasks))


def _command(ref: StrategyRef) -> str:
    where = ref.file or ref.module or "a class handed over"
    return f"tickreel.backtest({ref.name}) of {where}, from {Path(sys.argv[0]).name or 'Python'}"


def _machine() -> Machine:
    return Machine(
        tickreel=tickreel.__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        numba=version("numba"),
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
    )
