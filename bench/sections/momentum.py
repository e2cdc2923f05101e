"""How fast does the momentum strategy run from the store, beside the loop that everybody writes first?"""

import math
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import market
from bench.arithmetic import second_core
from bench.child import call
from bench.model import Bar, BenchError, Row, Settings, at_least, at_most
from bench.peers import naive
from bench.timing import alternate

TITLE = "momentum from the store, marks and drawdown at every trade"
HEADLINE_TRADES = 2_300_000_000
_SLICE_ROWS = 200_000
_CHECK_ROWS = 50_000
_PARAMETERS = {"threshold": 0.001, "fraction": 0.95}
_BUSY_PARAMETERS = {"threshold": 0.0001, "fraction": 0.95}
"""Makes many fills of few trades: for the comparison of results, not for the time."""
_NOTE = "from the times of all trades and of a tenth; unsure below 80 million"
_NAIVE = "naive Python loop"
_CAPITAL, _FEE = 100_000.0, 0.0004


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.momentum:measure", settings.plain())
    loop, trades, fixed_s = found["naive"], found["trades"], found["fixed_s"]
    slow = loop["speed"]
    warm, replay = found["warm"], found["replay"]
    one, two = replay["1"], replay["2"]
    headline_s = fixed_s + HEADLINE_TRADES / two / 1e6 if two else None
    return [
        _speed(f"{trades:,} trades, 1 warm worker", warm["1"], slow),
        _speed(f"{trades:,} trades, 2 warm workers", warm["2"], slow),
        _speed("the same without fixed cost, 1 worker", one, slow, note=_NOTE),
        _speed("the same without fixed cost, 2 workers", two, slow, at_least(230.0), _NOTE),
        Row(
            "two workers against one", two / one if one and two else None, "x",
            second_core(settings.rounds), "plain arithmetic", at_least(1.7),
            "the bar holds when the machine gives two full cores",
        ),
        Row(
            "2.3 billion trades, 2 workers, extrapolated", headline_s, "s",
            HEADLINE_TRADES / slow / 1e6, _NAIVE, at_most(10.0), f"{fixed_s:.1f} s of it start and report",
        ),
        Row(
            "naive loop over all trades, extrapolated", None, "s", trades / slow / 1e6, _NAIVE,
            note=f"measured on {loop['rows']:,} trades",
        ),
        Row(
            "results equal", note=f"{loop['fills']:,} fills, equity and drawdown of {loop['rows']:,} trades"
            " beside the loop; 1 and 2 workers alike",
        ),
    ]  # fmt: skip


def _speed(what: str, ours: float | None, slow: float, bar: Bar | None = None, note: str = "") -> Row:
    return Row(what, ours, "M trades/s", slow, _NAIVE, bar, note)


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M trades/s with one and two warm workers and of the naive loop, and the fixed cost: in a child."""
    from tickreel import backtest
    from tickreel.compute import make_executor

    settings = Settings.of(plain)
    data = market.wide(settings)
    with tempfile.TemporaryDirectory(dir=settings.work) as folder:
        small, few = _tasks(data.tenth, Path(folder))
        large, many = _tasks(data.store, Path(folder))
        values: list[dict[str, Any]] = []
        with make_executor(1) as one, make_executor(2) as two:
            calls = {
                "1 few": lambda: _summaries(one.run(small)),
                "1 many": lambda: values.append(_summaries(one.run(large))),
                "2 few": lambda: _summaries(two.run(small)),
                "2 many": lambda: values.append(_summaries(two.run(large))),
            }
            seconds = {name: taken.wall for name, taken in alternate(settings.rounds, calls).items()}
    if any(value != values[0] for value in values):
        raise BenchError("momentum: one and two workers give other results")
    whole = []
    for _ in range(settings.rounds):
        began = time.perf_counter()
        backtest("momentum", store=data.store, workers=2).raise_failed()
        whole.append(time.perf_counter() - began)
    replay = {}
    for workers in ("1", "2"):
        more = seconds[f"{workers} many"] - seconds[f"{workers} few"]
        replay[workers] = (many - few) / more / 1e6 if more > 0 else None
    return {
        "naive": _naive(settings, data),
        "trades": many,
        "warm": {workers: many / seconds[f"{workers} many"] / 1e6 for workers in ("1", "2")},
        "replay": replay,
        "fixed_s": max(0.0, median(whole) - (many / replay["2"] / 1e6 if replay["2"] else 0.0)),
    }


def _tasks(store: Path, folder: Path) -> tuple[list[Any], int]:
    """Return the tasks that a backtest makes, for executors that are kept warm, and their trades."""
    import msgspec

    from tickreel.compute import Task
    from tickreel.runs.task import SymbolTask
    from tickreel.simulate.compile import strategy_key
    from tickreel.strategies.load import find, load
    from tickreel.tape import open_store
    from tickreel.units import NS_PER_DAY

    streams = open_store(store).streams()
    first = min(stream.first_ns for stream in streams) // NS_PER_DAY * NS_PER_DAY
    grid = (first, NS_PER_DAY, market.WIDE_DAYS + 1)
    ref = find("momentum")
    code, tasks = strategy_key(load(ref)), []
    for stream in streams:
        task = SymbolTask(
            store=str(store), stream=stream, changes=None, strategy=ref, code=code,
            parameters=dict(_PARAMETERS), capital=_CAPITAL, fee=_FEE, latency_ns=0, allow_short=False, uncross=False,
            multiplier=1.0, from_ns=None, to_ns=None,
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
        found[outcome.task_id] = outcome.value["summary"]
    return found


def _naive(settings: Settings, data: market.Dataset) -> dict[str, Any]:
    """Return M trades/s of the naive loop on a slice, after its results were found equal."""
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
    return {"speed": speed, "rows": len(records), "fills": fills}


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
    mine = [
        naive.Fill(*row) for row in zip(*(columns[name].tolist() for name in naive.Fill._fields), strict=True)
    ]
    same = mine == loop.fills and math.isclose(summary["equity"], loop.equity, rel_tol=1e-12)
    if not same or summary["max_drawdown"] != loop.max_drawdown:
        first = next((pair for pair in zip(mine, loop.fills, strict=False) if pair[0] != pair[1]), None)
        raise BenchError(
            f"momentum {parameters}: {len(mine)} fills, {summary['equity']}, {summary['max_drawdown']};"
            f" naive: {len(loop.fills)}, {loop.equity}, {loop.max_drawdown}; first difference {first}"
        )
    return len(mine)
