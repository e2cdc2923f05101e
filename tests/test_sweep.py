"""Sweeps: every set gives what a run with its parameters gives, however wide; what is left behind."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tickreel
from engine_runs import engine, to_rows
from engine_strategies import Wild
from tickreel.errors import InputError, TaskError, TickreelError, UsageError
from tickreel.runs import plan as plan_module
from tickreel.runs.axes import axes_of, count_of, set_of
from tickreel.runs.backtest import run_backtest
from tickreel.runs.settings import RunSettings
from tickreel.runs.sweep import run_sweep
from tickreel.runs.sweep_parts import _cuts
from tickreel.runs.sweep_result import SweepResult
from tickreel.simulate import sets as sets_module
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.sets import SetRuns
from tickreel.simulate.strategy import Param, StateArray, Strategy
from tickreel.store.catalog import Store
from tickreel.strategies.load import find
from tickreel.strategies.momentum import Momentum
from tickreel.units import parse_time
from twin_engine import TwinTrade

MOMENTUM = find("momentum")
ASKED = {"threshold": "0.0001:0.001:4", "fraction": [0.25, 0.95]}


class Nowhere:
    def orders(self, rows: np.ndarray) -> None:
        pass

    fills = postings = orders


# The same as runs


@pytest.fixture(scope="module")
def runs(market_store: Store) -> list[tuple]:
    """What runs of their own say of each set of ASKED."""
    found = []
    axes = axes_of(Momentum, ASKED)
    for number in range(count_of(axes)):
        parameters = set_of(axes, number)
        result = run_backtest(market_store, MOMENTUM, RunSettings(workers=1, parameters=parameters))
        returns = {name: metrics.total_return for name, metrics in result.symbols.items()}
        found.append((parameters, result.metrics, returns, {}))
    assert min(metrics.fills for _, metrics, _, _ in found) > 0
    return found


@pytest.mark.parametrize(
    "changed",
    [{"workers": 1}, {"workers": 2}, {"workers": 1, "batch_rows": 97}],
)
def test_every_set_is_what_its_run_is(market_store: Store, runs: list[tuple], changed: dict) -> None:
    result = run_sweep(market_store, MOMENTUM, RunSettings(parameters=ASKED, **changed))
    assert [(s.parameters, s.metrics, s.returns, s.failed) for s in result.sets] == runs


def test_plain_python_gives_the_same(market_store: Store) -> None:
    cut = {
        "symbols": ("LINKUSDT",),
        "from_ns": parse_time("2024-01-03", "from"),
        "workers": 1,
        "parameters": ASKED,
    }
    plain, machine = (run_sweep(market_store, MOMENTUM, RunSettings(**cut, jit=jit)) for jit in (False, True))
    assert plain.sets == machine.sets


@pytest.mark.parametrize("symbols", [("ETHUSDT",), ()])
def test_sets_are_parted_where_workers_would_wait(market_store, runs, symbols, monkeypatch) -> None:
    from tickreel.runs import sweep_parts

    monkeypatch.setattr(sweep_parts, "_LEAST_SETS", 1)
    asked = RunSettings(parameters=ASKED, workers=2, symbols=symbols)
    result = run_sweep(market_store, MOMENTUM, asked)
    name = "binance-futures:ETHUSDT"
    assert [one.returns[name] for one in result.sets] == [returns[name] for _, _, returns, _ in runs]


@given(st.integers(1, 5000), st.integers(1, 1000), st.floats(0.001, 8), st.integers(1, 9), st.integers(1, 8))
def test_parts_cover_all_sets_once(sets: int, most: int, share: float, streams: int, workers: int) -> None:
    cuts = _cuts(sets, most, share, streams=streams, workers=workers)
    assert [number for first, stop in cuts for number in range(first, stop)] == list(range(sets))
    assert all(0 < stop - first <= most for first, stop in cuts)
    assert len(cuts) * streams >= min(workers, sets)


trades = st.lists(
    st.tuples(st.integers(0, 20), st.integers(90, 110), st.integers(1, 9), st.sampled_from((0, 1, -1))),
    max_size=40,
)


@pytest.mark.parametrize("answers", [4 * 64, 2 * 64])
@settings(deadline=None, max_examples=40)
@given(
    trades, st.lists(st.integers(1, 2**20), min_size=1, max_size=4), st.integers(1, 41), st.integers(0, 60)
)
def test_sets_side_by_side_do_what_each_does_alone(answers, rows, seeds, split, latency) -> None:
    """With room for as few answers as 128 every set with one on its way has to go on alone."""
    tape, now = [], 0
    for step, price, amount, side in rows:
        now += step
        tape.append(TwinTrade(float(price), float(amount), side, now, now))
    columns, bounds = to_rows(tape), np.array([0, 50, 200])
    account = AccountSettings(10_000.0, 0.001, latency, True)
    asked = [{"seed": seed, "busy": 0.9} for seed in seeds]
    built = engine(Wild, True)
    kept, sets_module._ANSWERS = sets_module._ANSWERS, answers
    try:
        side_by_side = SetRuns(Wild, built, asked, account, bounds)
    finally:
        sets_module._ANSWERS = kept
    pieces = [type(columns)(*(c[at : at + split] for c in columns)) for at in range(0, len(tape), split)]
    for piece in pieces:
        side_by_side.feed(piece)
    found = {number: (summary, samples.tobytes()) for number, summary, samples in side_by_side.finish()}
    assert not side_by_side.failed
    for number, parameters in enumerate(asked):
        alone = AccountRun(Wild, built, parameters, account, bounds)
        for piece in pieces:
            alone.feed(piece, Nowhere())
        summary, samples = alone.finish(Nowhere())
        assert found[number] == (summary, samples.tobytes())


class Fragile(Strategy):
    """Fails in its own ways: too many orders, an index out of bounds."""

    orders_at_once = Param(1)
    place = Param(0)
    window = StateArray(3)

    def on_trade(self, trade, ctx):
        self.window[self.place] = trade.price
        if ctx.open_orders == 0:
            for _ in range(self.orders_at_once):
                ctx.buy(1e-6)


@pytest.mark.parametrize("jit", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_set_that_fails_stops_no_other(market_store: Store, jit: bool) -> None:
    asked = {"orders_at_once": [1, 65, 2], "place": [0, 7]}
    given = {
        "store": market_store.root,
        "symbols": "ETHUSDT",
        "end": "2024-01-01T02:00",
        "workers": 1,
        "jit": jit,
    }
    result = tickreel.sweep(Fragile, asked, **given)
    errors = [next(iter(one.failed.values()), "") for one in result.sets]
    for one in result.sets[1:4]:
        alone = tickreel.backtest(Fragile, **given, **one.parameters)
        assert one.failed == {name: error for name, (error, _) in alone.failed.items()}
    assert [place for place, error in enumerate(errors) if "more than 64 orders open" in error] == [2]
    assert [place for place, error in enumerate(errors) if "an index of a StateArray" in error] == [1, 3, 5]
    for one in (result.sets[0], result.sets[4]):
        assert one.metrics == tickreel.backtest(Fragile, **given, **one.parameters).metrics
    assert result.sets[1].metrics is None
    assert result.failed == {}
    assert "Failed symbols" in result.report.read_text("utf-8")


@pytest.mark.parametrize("jit", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_symbol_that_fails_with_every_set_is_told_as_a_run_tells_it(market_store: Store, jit: bool) -> None:
    given = {
        "store": market_store.root,
        "symbols": "ETHUSDT",
        "end": "2024-01-01T02:00",
        "workers": 1,
        "jit": jit,
    }
    lost = tickreel.sweep(Fragile, {"place": [7, 8]}, **given)
    alone = tickreel.backtest(Fragile, **given, place=7)
    ((name, (error, traceback)),) = lost.failed.items()
    assert (name, error) == (next(iter(alone.failed)), alone.failed[name][0])
    assert traceback.splitlines()[-1] == alone.failed[name][1].splitlines()[-1]
    assert "IndexError" in traceback
    assert lost.record.symbols[0].error_type == alone.record.symbols[0].error_type == "StrategyError"
    assert lost.best is None
    assert lost.document()["best"] is None
    assert "no set was measured" in repr(lost)
    with pytest.raises(TaskError, match="IndexError"):
        lost.raise_failed()


class Partial(Strategy):
    """Fails with high k where the price is high: on one symbol only."""

    k = Param(0)
    seen: int = 0
    window = StateArray(3)

    def on_trade(self, trade, ctx):
        self.seen += 1
        if self.k > 2 and trade.price > 10_000.0:
            self.window[self.k] = 1.0
        if ctx.idle and ctx.flat and self.seen > 10:
            ctx.buy(0.9 * ctx.equity / trade.price)


def test_a_set_that_lost_a_symbol_is_not_the_best(market_store: Store) -> None:
    given = {
        "store": market_store.root,
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "end": "2024-01-01T06:00",
        "workers": 1,
    }
    found = tickreel.sweep(Partial, {"k": [0, 9]}, **given, jit=False)
    whole, lost = (one.metrics.total_return for one in found.sets)
    assert lost > whole  # ETHUSDT alone did better
    assert list(found.sets[1].failed) == ["binance-futures:BTCUSDT"]
    assert found.best.parameters == {"k": 0}
    assert found.document()["best"] == {"set": 0, "parameters": {"k": 0}, "failed": {}}
    assert found.failed == {}
    found.raise_failed()
    alone = [tickreel.backtest(Partial, **given, jit=False, k=k) for k in (0, 9)]
    assert [one.metrics for one in found.sets] == [one.metrics for one in alone]
    assert found.view()["played"] == sum(one.trades for one in alone)
    assert found.trades == alone[0].trades


@pytest.mark.parametrize("refused", [("BTCUSDT",), ("BTCUSDT", "ETHUSDT", "LINKUSDT")])
def test_a_symbol_that_is_refused_fails_with_every_set(
    market_store: Store, monkeypatch, refused: tuple
) -> None:
    def contract_of(known, stream, **settings):
        if stream.symbol in refused:
            raise UsageError(f"{stream.name}: its money is not known")
        return kept(known, stream, **settings)

    kept = plan_module.contract_of
    monkeypatch.setattr(plan_module, "contract_of", contract_of)
    result = run_sweep(market_store, MOMENTUM, RunSettings(parameters=ASKED, workers=1))
    alone = run_backtest(market_store, MOMENTUM, RunSettings(parameters=result.sets[3].parameters, workers=1))
    names = [f"binance-futures:{symbol}" for symbol in refused]
    assert list(result.failed) == list(alone.failed) == names
    assert result.sets[3].metrics == alone.metrics
    assert [list(one.failed) for one in result.sets] == [names] * 8
    assert (result.best is None) == (len(names) == 3)
    assert repr(result)


class Flood(Strategy):
    """Sends too many orders at its last row; then on_end, which a run does not come to."""

    at = Param(3)
    seen: int = 0
    window = StateArray(3)

    def on_trade(self, trade, ctx):
        self.seen += 1
        if self.seen == self.at:
            for _ in range(65):
                ctx.buy(1e-6)

    def on_end(self, ctx):
        self.window[self.at] = 1.0


@pytest.mark.parametrize("jit", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_set_that_fails_at_the_last_row_fails_as_its_run(jit: bool) -> None:
    rows = to_rows([TwinTrade(100.0, 1.0, 1, now, now) for now in range(1, 4)])
    account, bounds, built = AccountSettings(), np.array([0, 50]), engine(Flood, jit)
    side_by_side = SetRuns(Flood, built, [{"at": 3}, {"at": 2}, {"at": 9}], account, bounds)
    side_by_side.feed(rows)
    assert list(side_by_side.finish()) == []
    for number, parameters in enumerate(({"at": 3}, {"at": 2}, {"at": 9})):
        alone = AccountRun(Flood, built, parameters, account, bounds)
        with pytest.raises(TickreelError) as caught:
            alone.feed(rows, Nowhere())
            alone.finish(Nowhere())
        assert str(side_by_side.failed[number]) == str(caught.value)
        assert type(side_by_side.failed[number]) is type(caught.value)


# What is left


@pytest.fixture(scope="module")
def result(market_store: Store, tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    out = tmp_path_factory.mktemp("sweeps") / "sweep"
    return tickreel.sweep("momentum", ASKED, store=market_store.root, workers=1, out=out)


def test_the_folder_has_the_metrics_of_every_set_and_nothing_half(
    market_store: Store, result: SweepResult
) -> None:
    assert sorted(path.name for path in result.path.iterdir()) == [
        "metrics.json",
        "report.html",
        "sweep.json",
    ]
    assert [path.name for path in result.path.parent.iterdir()] == ["sweep"]
    metrics = json.loads((result.path / "metrics.json").read_text())
    assert metrics["sets"][3]["metrics"]["total_return"] == result.sets[3].metrics.total_return
    kept = json.loads((result.path / "sweep.json").read_text())
    assert kept["settings"]["set"] == metrics["axes"]
    assert metrics["axes"] == [{"name": name, "values": values} for name, values in result.axes.items()]
    again = SweepResult.open(result.path)
    assert again.sets == result.sets
    assert again.document() == result.document()
    assert repr(again) == repr(result)
    assert list(again.axes) == list(again.best.parameters) == ["threshold", "fraction"]  # JSON's are sorted
    assert again.table()["threshold"].tolist() == [one.parameters["threshold"] for one in result.sets]
    with pytest.raises(UsageError, match="already there"):
        tickreel.sweep("momentum", ASKED, out=result.path, store=market_store.root)


def test_a_folder_that_is_no_sweep_is_refused(result: SweepResult, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder of a sweep: it has no sweep\.json"):
        SweepResult.open(tmp_path)
    (tmp_path / "sweep.json").write_bytes((result.path / "sweep.json").read_bytes())
    (tmp_path / "metrics.json").write_text('{"sets": 1}')
    with pytest.raises(InputError, match=r"metrics\.json"):
        SweepResult.open(tmp_path)


def test_the_table_has_a_row_for_each_set(result: SweepResult) -> None:
    frame = result.to_polars()
    assert frame.height == len(result.sets)
    best = frame.sort("total_return", descending=True, maintain_order=True).row(0, named=True)
    assert result.best.parameters == {name: best[name] for name in result.axes}
    assert result.to_pandas()["fills"].tolist() == [one.metrics.fills for one in result.sets]
    assert np.isnan(result.table()["max_drawdown"]).all()  # of several accounts it is not known


def test_the_command_line_names_the_best_and_the_trap(market_store: Store, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tickreel", "sweep", "momentum", "--store", str(market_store.root)]
    words += [
        "--set",
        "threshold=0.0001:0.001:4",
        "--set",
        "fraction=0.25,0.95",
        "--no-jit",
        "--workers",
        "1",
    ]
    words += ["--symbols", "ETHUSDT", "--to", "2024-01-02", "--out", str(tmp_path / "a"), "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "Best sets (8 of 8)" in done.stdout
    assert "The best of 8 sets is chosen by chance too" in done.stdout
    assert done.stderr == ""
