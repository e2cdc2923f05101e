"""Sweeps: every set gives what a run with its parameters gives, however wide; what is asked; what is left."""

import inspect
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tickreel
from engine_runs import engine, to_rows
from engine_strategies import Wild
from report_sample import sample_view
from test_report import Page
from tickreel.errors import InputError, StrategyError, UsageError
from tickreel.report.sweep_html import MOST_SETS, page_data, sweep_html
from tickreel.report.sweep_terminal import sweep_table
from tickreel.report.view import SweepView
from tickreel.runs.axes import axes_of, count_of, set_of
from tickreel.runs.backtest import run_backtest
from tickreel.runs.settings import ARGUMENTS, RunSettings
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
    assert [place for place, error in enumerate(errors) if "more than 64 orders open" in error] == [2]
    assert [place for place, error in enumerate(errors) if "an index of a StateArray" in error] == [1, 3, 5]
    for one in (result.sets[0], result.sets[4]):
        assert one.metrics == tickreel.backtest(Fragile, **given, **one.parameters).metrics
    assert result.sets[1].metrics is None
    assert result.failed == {}
    assert "Failed symbols" in result.report.read_text("utf-8")
    lost = tickreel.sweep(Fragile, {"place": [7, 8]}, **given)
    assert list(lost.failed) == ["binance-futures:ETHUSDT"]
    assert lost.best is None
    assert "no set was measured" in repr(lost)


# What is asked


def test_values_are_the_decimals_that_a_person_would_type() -> None:
    axes = axes_of(Momentum, {"threshold": "0.1:0.5:5", "fraction": " 0.5, 1"})
    assert axes == {"threshold": [0.1, 0.2, 0.3, 0.4, 0.5], "fraction": [0.5, 1.0]}
    assert [set_of(axes, n) for n in (0, 1, 2, 9)] == [
        {"threshold": t, "fraction": f} for t, f in ((0.1, 0.5), (0.1, 1.0), (0.2, 0.5), (0.5, 1.0))
    ]
    assert axes_of(Momentum, {"threshold": "1e-3:1e-4:2"})["threshold"] == [0.001, 0.0001]
    assert axes_of(Momentum, {"threshold": "2:7:1"}) == {"threshold": [2.0], "fraction": [0.95]}
    assert axes_of(Momentum, {"threshold": np.array([0.5, 1.5])})["threshold"] == [0.5, 1.5]
    assert axes_of(Wild, {"seed": "5:1:3", "bad": "true,false"}) == {
        "seed": [5, 3, 1], "busy": [0.5], "bad": [True, False]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "asked", "told"),
    [
        (Momentum, {"thresold": 1}, "no parameter 'thresold'; it has threshold, fraction"),
        (Momentum, {"latncy": 1}, "did you mean the setting latency"),
        (Momentum, {"threshold": "a,b"}, "threshold: 'a' is not a finite float"),
        (Momentum, {"threshold": []}, "has no value; give one or more"),
        (Momentum, {"threshold": "1:2"}, "'1:2' is not a:b:n; write e.g. threshold=0.001:0.01:10"),
        (Momentum, {"threshold": "1:x:3"}, "is not a:b:n"),
        (Momentum, {"threshold": "1:2:2.5"}, "is not a:b:n"),
        (Momentum, {"threshold": "1:2:0"}, "asks for 0 values; n is from 1 to 100,000"),
        (Momentum, {"threshold": "1:2:1000000000"}, "n is from 1 to 100,000"),
        (Momentum, {"threshold": "1:1e999:2"}, "beyond the largest float"),
        (Momentum, {"threshold": "1:1:2"}, "has 1.0 twice"),
        (Momentum, {"threshold": "0:1:400", "fraction": "0:1:251"}, "threshold 400 x fraction 251 are 100,400 sets"),
        (Wild, {"seed": "1:2:3"}, "gives 1.5, and the parameter is int; choose n so that the steps are whole"),
        (Wild, {"seed": 1.5}, "seed: 1.5 is not int"),
        (Wild, {"bad": "0:1:2"}, "a range of true and false; write bad=true,false"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_named(strategy: type, asked: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("(", r"\(")):
        axes_of(strategy, asked)


def test_no_parameter_can_be_called_like_a_setting() -> None:
    assert set(inspect.signature(tickreel.backtest).parameters) == ARGUMENTS


def test_settings_that_are_none_are_named(market_store: Store) -> None:
    with pytest.raises(UsageError, match="'fees' is no setting; did you mean fee"):
        tickreel.sweep("momentum", {}, store=market_store.root, fees=0.1)


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
    assert kept["settings"]["set"] == metrics["axes"] == result.axes
    again = SweepResult.open(result.path)
    assert again.sets == result.sets
    assert again.document() == result.document()
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


def test_a_strategy_that_cannot_be_compiled_says_so_before_anything_runs(market_store, tmp_path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "from tickreel import Strategy\nclass Broken(Strategy):\n    def on_trade(self, trade, ctx):\n"
        "        ctx.nothing()\n"
    )
    with pytest.raises(StrategyError, match=r"broken\.py"):
        tickreel.sweep(str(file), {}, store=market_store.root, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


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


# The page


def many(sets: int) -> SweepView:
    view = sample_view()
    metrics = next(row["metrics"] for row in view["symbols"] if row["metrics"])
    shared = {name: view[name] for name in SweepView.__annotations__ if name in view and name != "symbols"}
    return {
        **shared, "axes": {"<b>": list(range(sets)), "one": [1]}, "symbols": ["a:X", "a:</script>"],
        "metrics": [metrics] * sets, "returns": {"a:X": [0.1] * sets, "a:</script>": [None] * sets},
        "failed": [1] * sets, "errors": [("a:</script>", "Traceback\n<i>: no", sets)],
    }  # fmt: skip


def test_the_page_holds_every_set_and_escapes_what_is_foreign() -> None:
    page = Page(sweep_html(many(5)))
    data = page.data()
    assert [axis["name"] for axis in data["axes"]] == ["<b>", "one"]
    names = [figure["name"] for figure in data["figures"]]
    assert {"total_return", "sharpe", "return of a:</script>"} <= set(names)
    assert "buy_and_hold" not in names
    assert all(len(column) == 5 for column in data["columns"])
    assert len(data["columns"]) == len(names)
    assert data["failed"] == [1] * 5
    assert "The best of 5 sets is chosen by chance too" in page.text
    assert not any(tag in ("b", "i") for tag, _ in page.elements)


def test_a_page_of_very_many_sets_keeps_the_chief_figures() -> None:
    view = many(MOST_SETS + 1)
    assert not any(figure["extra"] for figure in page_data(view)["figures"] if "of" not in figure["name"])
    assert "metrics.json has all" in sweep_html(view)


def test_one_set_is_no_choice() -> None:
    assert "by chance" not in sweep_html(many(1))
    assert sweep_table(many(1))


def test_metrics_are_plain(result: SweepResult) -> None:
    assert asdict(result.sets[0].metrics) == result.document()["sets"][0]["metrics"]
