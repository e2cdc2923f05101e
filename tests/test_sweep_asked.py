"""What a sweep is asked for: values become parameters, and what is wrong is named with the next step."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import tickreel
from engine_strategies import Wild
from tickreel.cli.app import run
from tickreel.errors import StrategyError, UsageError
from tickreel.runs import RunResult, SweepResult
from tickreel.runs.axes import axes_of, set_of
from tickreel.runs.settings import ARGUMENTS
from tickreel.simulate.strategy import Param, Strategy
from tickreel.store.catalog import Store
from tickreel.strategies.momentum import Momentum


def test_values_are_the_decimals_that_a_person_would_type() -> None:
    axes = axes_of(Momentum, {"threshold": "0.1:0.5:5", "fraction": " 0.5, 1"})
    assert axes == {"threshold": [0.1, 0.2, 0.3, 0.4, 0.5], "fraction": [0.5, 1.0]}
    assert [set_of(axes, n) for n in (0, 1, 2, 9)] == [
        {"threshold": t, "fraction": f} for t, f in ((0.1, 0.5), (0.1, 1.0), (0.2, 0.5), (0.5, 1.0))
    ]
    assert axes_of(Momentum, {"threshold": "1e-3:1e-4:2"})["threshold"] == [0.001, 0.0001]
    assert axes_of(Momentum, {"threshold": "2:7:1"}) == {"threshold": [2.0], "fraction": [0.95]}
    assert axes_of(Momentum, {"threshold": "0:1e-99999999:1"})["threshold"] == [0.0]
    assert axes_of(Wild, {"seed": "5:1:3", "bad": "true,false"}) == {
        "seed": [5, 3, 1], "busy": [0.5], "bad": [True, False]
    }  # fmt: skip
    assert axes_of(Wild, {"seed": "1e3:2e3:2"}) == axes_of(Wild, {"seed": "1e3,2e3"})


@pytest.mark.parametrize("values", [np.array([0.5, 1.5]), (0.5, np.float32(1.5)), iter([0.5, 1.5])])
def test_values_come_from_whatever_holds_some(values) -> None:
    assert axes_of(Momentum, {"threshold": values})["threshold"] == [0.5, 1.5]
    assert axes_of(Momentum, {"threshold": np.array(0.5)})["threshold"] == [0.5]


@pytest.mark.parametrize(
    ("strategy", "asked", "told"),
    [
        (Momentum, {"thresold": 1}, "no parameter 'thresold'; it has threshold, fraction"),
        (Momentum, {"latncy": 1}, "did you mean the setting latency (--latency)"),
        (Momentum, {"fee": 1}, "no parameter 'fee'; that is a setting: give it as --fee (in Python fee=...)"),
        (Momentum, {"start": 1}, "give it as --from (in Python start=...)"),
        (Momentum, {"threshold": "a,b"}, "threshold: 'a' is not a finite float"),
        (Momentum, {"threshold": []}, "has no value; give one or more"),
        (Momentum, {"threshold": "0.1,"}, "'0.1,' has an empty value; write commas between values only"),
        (Momentum, {"threshold": "1:2"}, "'1:2' is not a:b:n; write e.g. threshold=0.001:0.01:10"),
        (Momentum, {"threshold": "1:x:3"}, "is not a:b:n"),
        (Momentum, {"threshold": "nan:1:3"}, "is not a:b:n"),
        (Momentum, {"threshold": "1:2:2.5"}, "is not a:b:n"),
        (Momentum, {"threshold": "1:2:0"}, "asks for 0 values; n is from 1 to 100,000"),
        (Momentum, {"threshold": "1:2:1000000000"}, "n is from 1 to 100,000"),
        (Momentum, {"threshold": "1:1e999:2"}, "beyond the largest float"),
        (Momentum, {"threshold": "0:1e99999999:3"}, "beyond the largest float"),
        (Wild, {"seed": "0:1e400:7"}, "beyond the largest float"),
        (Wild, {"seed": "0:1.5e308:7"}, "is not int, a whole number from"),
        (Momentum, {"threshold": "1:1:2"}, "both ends are the same; write threshold=1.0, or other ends"),
        (Momentum, {"threshold": "1:1.0000000000000002:5"}, "has 1.0 twice; there are fewer floats than that"),
        (Momentum, {"threshold": "1,2,1.0"}, "has 1.0 twice; give each value once"),
        (Momentum, {"threshold": "0:1:400", "fraction": "0:1:251"}, "threshold 400 x fraction 251 are 100,400 sets"),
        (Momentum, {"threshold": [True]}, "True is not a finite float"),
        (Momentum, {"threshold": b"12"}, "b'12' is not a finite float"),
        (Momentum, {"threshold": np.zeros((2, 2))}, "has 2 dimensions; give a list of values"),
        (Momentum, {"threshold": [[0.1]]}, "[0.1] is not a finite float"),
        (Momentum, None, "parameters None: expected a dict of names and values"),
        (Momentum, [("threshold", [0.1])], "expected a dict of names and values"),
        (Momentum, {1: [0.1]}, "expected a dict of names and values"),
        (Wild, {"seed": "1:2:3"}, "gives 1.5, and the parameter is int; choose n so that the steps are whole"),
        (Wild, {"seed": 1.5}, "seed: 1.5 is not int"),
        (Wild, {"seed": [True]}, "True is not int"),
        (Wild, {"seed": "9223372036854775808"}, "is not int, a whole number from -9223372036854775807 to"),
        (Wild, {"seed": "1e99999999"}, "is not int, a whole number from"),
        (Wild, {"bad": "0:1:2"}, "a range of true and false; write bad=true,false"),
        (Wild, {"bad": "yes"}, "bad: 'yes' is not bool; write true or false"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_named(strategy: type, asked, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        axes_of(strategy, asked)


def test_no_parameter_can_be_called_like_a_setting() -> None:
    assert set(inspect.signature(tickreel.backtest).parameters) == ARGUMENTS


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fees": 0.1}, r"'fees' is no setting; did you mean fee\?"),
        ({"threshold": [0.1]}, r'belongs into the second argument, {"threshold": \[\.\.\.\]}'),
        ({"capital": "abc"}, "capital 'abc': a number"),
        ({"fee": None}, "fee None: a fraction of notional"),
        ({"workers": "2"}, "workers '2': a whole number, 1 or more"),
        ({"symbols": None}, r"symbols None: a text or texts"),
        ({"symbols": [1]}, r"symbols \[1\]: a text or texts"),
        ({"risk_free": "a"}, "risk_free 'a': a fraction a year"),
        ({"periods": "a"}, "periods 'a': periods a year"),
        ({"exchange": 5}, "exchange 5: a text"),
        ({"instruments": 5}, "instruments 5: the path"),
        ({"jit": "no"}, "jit 'no': True or False"),
        ({"store": 5}, "store 5: a path"),
        ({"out": 5}, "out 5: a path"),
    ],
)
def test_settings_that_cannot_be_are_named(market_store: Store, given: dict, told: str) -> None:
    whole = {"store": market_store.root, **given}
    with pytest.raises(UsageError, match=told):
        tickreel.sweep("momentum", {}, **whole)
    if not {"fees", "threshold"} & set(given):
        with pytest.raises(UsageError, match=told):
            tickreel.backtest("momentum", **whole)


@pytest.mark.parametrize("values", ["[0.001, 0.002]", '"0.1:0.2:3"'])
def test_a_run_says_that_several_values_are_for_a_sweep(market_store, tmp_path, capsys, values) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(f'strategy = "momentum"\n[set]\nthreshold = {values}\n')
    assert run(["run", "--config", str(file), "--store", str(market_store.root)]) == 2
    assert (
        "is several values; a run takes one of each parameter: give one, or use sweep"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("kind", "told"), [(SweepResult, "folder of a sweep"), (RunResult, "run folder")])
def test_what_is_no_folder_is_refused(tmp_path: Path, kind: type, told: str) -> None:
    file = tmp_path / "file.py"
    file.write_text("")
    for path in (file, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match=f"is no {told}"):
            kind.open(path)


def test_a_strategy_that_cannot_be_compiled_says_so_before_anything_runs(market_store, tmp_path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "from tickreel import Strategy\nclass Broken(Strategy):\n    def on_trade(self, trade, ctx):\n"
        "        ctx.nothing()\n"
    )
    with pytest.raises(StrategyError, match=r"broken\.py"):
        tickreel.sweep(str(file), {}, store=market_store.root, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Clash(Strategy):
    """Parameters called like figures, and like what such a column is called."""

    fees = Param(0.5)
    set_fees = Param(0.25)
    failed = Param(1)

    def on_trade(self, trade, ctx):
        if ctx.idle and ctx.flat:
            ctx.buy(self.fees * ctx.equity / trade.price)


def test_no_column_takes_the_place_of_another(market_store: Store) -> None:
    given = {
        "store": market_store.root,
        "symbols": "ETHUSDT",
        "end": "2024-01-01T01:00",
        "workers": 1,
        "jit": False,
    }
    table = tickreel.sweep(Clash, {"fees": [0.5, 0.25], "set_fees": [1.0, 2.0]}, **given).table()
    assert list(table)[:4] == ["set_set_fees", "set_fees", "set_failed", "failed"]
    assert table["set_set_fees"].tolist() == [0.5, 0.5, 0.25, 0.25]
    assert table["set_fees"].tolist() == [1.0, 2.0, 1.0, 2.0]
    assert table["failed"].tolist() == [0, 0, 0, 0]
    assert table["fees"].max() < 100
