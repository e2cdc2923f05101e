"""How fast does the momentum strategy run from the store, beside the loop that everybody writes first?"""

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import market
from bench.arithmetic import second_core
from bench.child import call
from bench.model import BenchError, Row, Settings, at_least, at_most
from bench.peers import naive
from bench.timing import alternate

TITLE = "momentum from the store, marks and drawdown at every trade"
HEADLINE_TRADES = 2_300_000_000
_SLICE_ROWS = 200_000
_CHECK_ROWS = 50_000
_PARAMETERS = {"threshold": 0.001, "fraction": 0.95}
_BUSY_PARAMETERS = {"threshold": 0.0001, "fraction": 0.95}
"""Makes many fills of few trades: for the comparison of results, not for the time."""
_CAPITAL, _FEE = 100_000.0, 0.0004


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.momentum:measure", settings.plain())
    loop = call("bench.sections.momentum:measure_naive", settings.plain())
    core = second_core(settings.rounds)
    one, two, slow = found["one"], found["two"], loop["speed"]
    extrapolated = found["trades"] / slow / 1e6
    ten_seconds = found["fixed_s"] + HEADLINE_TRADES / two / 1e6
    return [
        Row(f"{found['trades']:,} trades, 1 worker", one, "M trades/s", slow, "naive Python loop",
            note=f"per CPU second: {found['one_cpu']:.0f} M"),
        Row(f"{found['trades']:,} trades, 2 workers", two, "M trades/s", slow, "naive Python loop",
            at_least(230.0), note="workers warm; the loop on one core"),
        Row("two workers against one", two / one, "x", core, "plain arithmetic", at_least(1.7),
            note="the bar holds when the machine gives two full cores"),
        Row("2.3 billion trades, 2 workers, extrapolated", ten_seconds, "s", HEADLINE_TRADES / slow / 1e6,
            "naive Python loop", at_most(10.0), note=f"with {found['fixed_s']:.1f} s of start and report"),
        Row("naive loop over the same trades, extrapolated", peer=extrapolated, unit="s",
            against="naive Python loop", note=f"measured on {loop['rows']:,} trades"),
        Row("results equal", note=f"{loop['fills']:,} fills, equity and drawdown of {loop['compared']:,} trades;"
            " 1 and 2 workers alike"),
    ]  # fmt: skip


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M trades/s with one and two warm workers, and what a whole backtest takes beside: in a child."""
    from tickreel import backtest
    from tickreel.compute import make_executor

    settings = Settings.of(plain)
    store = market.synthetic(settings).store
    with tempfile.TemporaryDirectory(dir=settings.work) as folder:
        tasks, trades = _tasks(store, Path(folder))
        values: list[dict[str, Any]] = []
        with make_executor(1) as one, make_executor(2) as two:

            def go(executor: Any) -> Callable[[], None]:
                return lambda: values.append(_summaries(executor.run(tasks)))

            times = alternate(settings.rounds, {"one": go(one), "two": go(two)})
    if any(value != values[0] for value in values):
        raise BenchError("momentum: one and two workers give other results")
    whole = []
    for _ in range(settings.rounds):
        began = time.perf_counter()
        backtest("momentum", store=store, workers=2).raise_failed()
        whole.append(time.perf_counter() - began)
    return {
        "trades": trades,
        "one": trades / times["one"].wall / 1e6,
        "one_cpu": trades / times["one"].cpu / 1e6,
        "two": trades / times["two"].wall / 1e6,
        "fixed_s": max(0.0, median(whole) - times["two"].wall),
    }


def _tasks(store: Path, folder: Path) -> tuple[list[Any], int]:
    """Return the tasks that a backtest makes, for executors that are kept warm, and their trades."""
    import msgspec

    from tickreel.compute import Task
    from tickreel.runs.task import SymbolTask
    from tickreel.scan import open_store
    from tickreel.strategies.load import find
    from tickreel.units import NS_PER_DAY

    streams = open_store(store).streams()
    first = min(stream.slices[0].first_ns for stream in streams) // NS_PER_DAY * NS_PER_DAY
    grid = (first, NS_PER_DAY, len(market.DAYS) + 1)
    tasks = []
    for stream in streams:
        task = SymbolTask(
            store=str(store), stream=stream, strategy=find("momentum"), parameters=dict(_PARAMETERS),
            capital=_CAPITAL, fee=_FEE, latency_ns=0, allow_short=False, from_ns=None, to_ns=None,
            grid=grid, folder=str(folder), batch_rows=None, jit=True,
        )  # fmt: skip
        arguments = msgspec.to_builtins(task)
        tasks.append(Task(stream.name, "tickreel.runs.task:run_symbol", arguments, weight=stream.rows))
    return tasks, sum(stream.rows for stream in streams)


def _summaries(outcomes: Any) -> dict[str, Any]:
    found = {}
    for outcome in outcomes:
        if not outcome.ok:
            raise BenchError(f"momentum: {outcome.error}\n{outcome.traceback}")
        found[outcome.task_id] = outcome.value
    return found


def measure_naive(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M trades/s of the naive loop on a slice, after its results were found equal: in a child."""
    settings = Settings.of(plain)
    data = market.synthetic(settings)
    parts, rows = [], 0
    for file in data.files:
        if data.keys[file.path].symbol == market.SYMBOLS[0] and rows < _SLICE_ROWS:
            parts.append(naive.records(file.trades()))
            rows += len(parts[-1])
    records = np.concatenate(parts)[:_SLICE_ROWS]
    fills = _compare(data.store, records, _PARAMETERS)
    fills += _compare(data.store, records[:_CHECK_ROWS], _BUSY_PARAMETERS)
    seconds = []
    for _ in range(settings.rounds):
        began = time.perf_counter()
        naive.momentum(records, **_PARAMETERS, capital=_CAPITAL, fee=_FEE)
        seconds.append(time.perf_counter() - began)
    speed = len(records) / median(seconds) / 1e6
    return {"speed": speed, "rows": len(records), "fills": fills, "compared": len(records)}


def _compare(store: Path, records: np.ndarray, parameters: dict[str, float]) -> int:
    """Raise BenchError unless both give the same fills, equity and drawdown; return how many fills."""
    from tickreel import backtest

    cut = int(records["local_timestamp"][-1])
    slice_ = records[: np.searchsorted(records["local_timestamp"], cut)]
    settings = {"capital": _CAPITAL, "fee": _FEE}
    result = backtest(
        "momentum", store=store, symbols=market.SYMBOLS[0], end=cut, workers=1, **settings, **parameters
    )
    result.raise_failed()
    (record,) = result.record.symbols
    summary = record.summary or {}
    if summary["events"] != len(slice_):
        raise BenchError(f"momentum: {summary['events']} trades replayed where the slice has {len(slice_)}")
    loop = naive.momentum(slice_, **parameters, **settings)
    columns = result.fills(market.SYMBOLS[0])
    mine = [naive.Fill(*row) for row in zip(*(columns[name].tolist() for name in naive.Fill._fields), strict=True)]
    same = mine == loop.fills and math.isclose(summary["equity"], loop.equity, rel_tol=1e-12)
    if not same or summary["max_drawdown"] != loop.max_drawdown:
        first = next((pair for pair in zip(mine, loop.fills, strict=False) if pair[0] != pair[1]), None)
        raise BenchError(
            f"momentum {parameters}: {len(mine)} fills, {summary['equity']}, {summary['max_drawdown']};"
            f" naive: {len(loop.fills)}, {loop.equity}, {loop.max_drawdown}; first difference {first}"
        )
    return len(mine)
