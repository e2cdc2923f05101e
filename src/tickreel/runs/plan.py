"""What a run or a sweep is made of before it begins: symbols, contracts, grid and compiled code."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tickreel.books.book import Book
from tickreel.errors import StrategyError, UsageError
from tickreel.runs.contracts import Contract, KnownInstruments, contract_of
from tickreel.runs.events import CHANGES
from tickreel.runs.grid import Grid, plan_grid, range_of
from tickreel.runs.result import SymbolRecord
from tickreel.runs.settings import RunSettings
from tickreel.runs.task import SymbolTask
from tickreel.scan import plan as scans
from tickreel.scan.plan import Question, Slice, Stream, missing_days
from tickreel.scan.read import contents, open_slice
from tickreel.simulate.account import AccountRun
from tickreel.simulate.compile import build
from tickreel.simulate.strategy import Strategy, callbacks_of, timer_ns
from tickreel.store.catalog import Store
from tickreel.strategies.load import StrategyRef
from tickreel.units import day_of, format_duration

MAX_TIMERS = 1_000_000_000
"""Calls of on_timer a symbol; more would go on for minutes in machine code and for ever in plain Python."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """streams  the trades of each symbol; changes of the order books, by symbol, if the strategy watches them
    contracts, refused  by symbol: those whose money is known, and the errors of the others
    code  fingerprint of the strategy
    """

    streams: list[Stream]
    changes: dict[str, Stream]
    contracts: dict[str, Contract]
    refused: dict[str, UsageError]
    grid: Grid
    code: str

    def task(
        self,
        store: Store,
        stream: Stream,
        ref: StrategyRef,
        settings: RunSettings,
        *,
        parameters: dict[str, Any],
        folder: Path,
    ) -> SymbolTask:
        """Return what a worker needs to run one symbol."""
        return SymbolTask(
            store=str(store.root), stream=stream, changes=self.changes.get(stream.name), strategy=ref,
            code=self.code, parameters=parameters, capital=settings.capital, fee=settings.fee,
            latency_ns=settings.latency_ns, allow_short=settings.allow_short, uncross=settings.uncross,
            from_ns=settings.from_ns, to_ns=settings.to_ns, multiplier=self.contracts[stream.name].multiplier,
            grid=self.grid, folder=str(folder), batch_rows=settings.batch_rows, jit=settings.jit,
        )  # fmt: skip

    def recorded(self, settings: RunSettings, whole: tuple[int, int], parameters: Any) -> dict[str, Any]:
        """Return the settings as a run keeps them, with what it made of those that were left out."""
        return settings.recorded(
            feed=self.streams[0].feed, symbols=[stream.name for stream in self.streams],
            from_ns=whole[0] if settings.from_ns is None else settings.from_ns,
            to_ns=whole[1] if settings.to_ns is None else settings.to_ns,
            set=parameters,
        )  # fmt: skip


def plan_run(store: Store, strategy: type[Strategy], settings: RunSettings) -> RunPlan:
    """Return the plan of a run; the strategy is compiled. Raises UsageError, InputError, StrategyError."""
    settings.check()
    settings.conventions()
    streams = scans.plan(store, question_of(settings), opened=True)
    for stream in streams:
        _set_clock(stream, settings.feed_latency_ns)
    grid = plan_grid(streams, settings)
    contracts, refused = _contracts(store, streams, settings)
    changes = _changes(store, streams, strategy, settings)
    _check_timer(strategy, grid)
    return RunPlan(streams, changes, contracts, refused, grid, _warm_up(strategy, settings))


def question_of(settings: RunSettings) -> Question:
    """Return what a run asks of a store: all days with rows that it sees in its range of time."""
    lag_ns = settings.feed_latency_ns or 0
    from_ns, to_ns = (None if ns is None else ns - lag_ns for ns in (settings.from_ns, settings.to_ns))
    return Question("trades", settings.feed, settings.exchange, settings.symbols, from_ns, to_ns)


def _set_clock(stream: Stream, lag_ns: int | None) -> None:
    """Let an opened stream be read on the local clock, with the lag that was declared for rows without one.

    Raises UsageError where it is needed and missing, or given and contradicts the rows.
    """
    days = {part.contents.clock: part.key.day for part in stream.slices if part.contents and _has_rows(part)}
    stream.lag_ns = lag_ns
    whose = f"{stream.name}: rows of {stream.feed}/{stream.type}"
    if len(days) > 1:
        raise UsageError(
            f"{whose} have local times on {days['local_ns']} and none on {days['exchange_ns']}, and a run has one"
            " clock: run such days apart (--from, --to)"
        )
    if lag_ns is None and "exchange_ns" in days:
        raise UsageError(
            f"{whose} have no local times, so nothing says when a strategy would have seen them; declare how long"
            ' after its exchange time each arrives: --feed-latency 50ms (in Python feed_latency="50ms")'
        )
    if lag_ns is not None and "local_ns" in days:
        raise UsageError(
            f"{whose} have local times, which say when each arrived: --feed-latency {format_duration(lag_ns)}"
            " contradicts them; leave it out"
        )


def _has_rows(part: Slice) -> bool:
    return part.contents is not None and part.contents.start < part.contents.stop


def symbol_record(plan: RunPlan, stream: Stream) -> SymbolRecord:
    """Return the record of a symbol as it is before its run; if it is refused, with the error."""
    record = SymbolRecord(stream.exchange, stream.symbol, stream.fingerprint)
    if stream.name in plan.changes:
        record.data += f" {plan.changes[stream.name].fingerprint}"
    if stream.name in plan.refused:
        record.error, record.error_type = str(plan.refused[stream.name]), UsageError.__name__
    else:
        contract = plan.contracts[stream.name]
        record.instrument, record.notes = contract.facts, contract.notes
    return record


def note_ranges(records: list[SymbolRecord], plan: RunPlan, settings: RunSettings) -> tuple[int, int]:
    """Note each symbol's range of time and its days without data; return the range of all together."""
    streams, changes = plan.streams, plan.changes
    first_ns, last_ns = (min(one.first_ns for one in streams), max(one.last_ns for one in streams))
    asked = range_of(first_ns, last_ns, settings)
    # Days are those of the segments.
    lag_ns = settings.feed_latency_ns or 0
    for symbol, stream in zip(records, streams, strict=True):
        bounds = settings.from_ns or asked[0] - lag_ns, settings.to_ns or asked[1] - lag_ns
        symbol.missing_days = missing_days(stream, *bounds)
        if stream.name in changes:
            symbol.missing_book_days = missing_days(changes[stream.name], *bounds)
        symbol.days = len({part.key.day for part in stream.slices if part.key.day >= day_of(bounds[0])})
        symbol.range_ns = range_of_symbol(symbol, settings)
    ranges = [symbol.range_ns for symbol in records if symbol.range_ns]
    return (min(one[0] for one in ranges), max(one[1] for one in ranges)) if ranges else asked


def range_of_symbol(symbol: SymbolRecord, settings: RunSettings) -> tuple[int, int] | None:
    """Return what the figures of a symbol that ran speak of; None if it had no trade."""
    if not (symbol.summary and symbol.summary["events"]):
        return None
    return range_of(symbol.summary["first_ns"], symbol.summary["last_ns"], settings)


def _check_timer(strategy: type[Strategy], grid: Grid) -> None:
    _, every, count = grid
    calls = every * (count - 1) // (timer_ns(strategy) or every)
    if calls > MAX_TIMERS:
        raise StrategyError(
            f"{strategy.__name__}.timer = {strategy.timer!r} is up to {calls:,} calls of on_timer over this range,"
            f" at most {MAX_TIMERS:,}: widen it, or shorten the range"
        )


def _warm_up(strategy: type[Strategy], settings: RunSettings) -> str:
    """Compile before the workers start, so that none does it at the same time; return the code's key."""
    engine = build(strategy, jit=settings.jit)
    book = Book() if "on_book" in callbacks_of(strategy) else None
    run = AccountRun(strategy, engine, {}, settings.account(), np.zeros(1, np.int64), book)
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
        question = replace(
            question_of(settings),
            type=CHANGES,
            feed=stream.feed,
            exchange=stream.exchange,
            symbols=(stream.symbol,),
        )
        try:
            (changes,) = scans.plan(store, question)
            changes.slices = [_opened(store, part, stream.symbol) for part in changes.slices]
            if not changes.rows:
                raise ValueError("its days are empty")
        except (UsageError, ValueError) as error:
            raise UsageError(
                f"{strategy.__name__}.on_book: {stream.name} has trades, but no rows of {CHANGES} in that time;"
                " import them, or name other symbols"
            ) from error
        _set_clock(changes, settings.feed_latency_ns)
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
