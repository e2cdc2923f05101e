"""What a user writes: declarations, names, what of it is compiled, and what is said where it cannot be."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine_runs import Pages, engine, run_engine, to_rows
from engine_strategies import Quoter
from tickreel.errors import StrategyError, UsageError
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.compile import build
from tickreel.simulate.strategy import (
    Param,
    StateArray,
    Strategy,
    callbacks_of,
    convert_parameter,
    fields_of,
    make_state,
    parameters_of,
)
from tickreel.strategies.momentum import Momentum
from twin_engine import TwinTrade
from user_files import importer

ROWS = to_rows([TwinTrade(100.0 + n % 3, 1.0, 0, n, n) for n in range(4)])


@pytest.fixture
def user(tmp_path, monkeypatch):
    return importer(tmp_path, monkeypatch)


# Declarations


class Declared(Strategy):
    ratio = Param(0.5)
    steps = Param(3)
    on = Param(False)
    last: float = -1.5
    count: int = 7
    ready: bool = True
    window = StateArray(5)

    def on_trade(self, trade, ctx):
        pass


def test_fields_are_parameters_and_state_in_order():
    names = {
        name: (dtype.str, shape, default) for name, (dtype, shape, default) in fields_of(Declared).items()
    }
    assert names == {
        "ratio": ("<f8", (), 0.5),
        "steps": ("<i8", (), 3),
        "on": ("|b1", (), False),
        "last": ("<f8", (), -1.5),
        "count": ("<i8", (), 7),
        "ready": ("|b1", (), True),
        "window": ("<f8", (5,), 0.0),
    }
    assert parameters_of(Declared) == {"ratio": 0.5, "steps": 3, "on": False}
    state = make_state(Declared, {"steps": 4})
    *values, window = state[0].tolist()
    assert values == [0.5, 4, False, -1.5, 7, True]
    assert window.tolist() == [0.0] * 5


class Derived(Declared):
    ratio = Param(0.75)
    steps = 9
    more: int = 1


def test_a_subclass_adds_and_replaces():
    assert list(fields_of(Derived)) == ["ratio", "steps", "on", "last", "count", "ready", "window", "more"]
    assert parameters_of(Derived) == {"ratio": 0.75, "on": False}
    assert make_state(Derived, {})["steps"][0] == 9
    with pytest.raises(UsageError, match="Derived has no parameter 'steps'; it has ratio, on"):
        make_state(Derived, {"steps": 1})


def test_a_strategy_without_fields_has_a_state_all_the_same():
    assert len(make_state(type("Bare", (Strategy,), {"on_end": lambda self, ctx: None}), {})) == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [("text", "str"), ([1], "list"), (None, "NoneType"), (1j, "complex"), (Param("x"), "str")],
)
def test_a_field_of_another_type_is_refused(value, kind):
    strategy = type("Odd", (Strategy,), {"thing": value})
    with pytest.raises(StrategyError, match=rf"Odd\.thing is a {kind}; .* float, int, bool or StateArray"):
        fields_of(strategy)


def test_an_annotation_without_a_value_is_refused():
    strategy = type("Odd", (Strategy,), {"__annotations__": {"last": float}})
    with pytest.raises(StrategyError, match=r"Odd\.last has no value; write last: float = 0\.0"):
        fields_of(strategy)


@pytest.mark.parametrize("length", [0, -1, 2.5, "3"])
def test_a_state_array_has_a_length(length):
    with pytest.raises(StrategyError, match="whole number of at least 1"):
        StateArray(length)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("ratio", "0.25", 0.25), ("ratio", 1, 1.0), ("steps", "12", 12), ("steps", 5.0, 5), ("on", "true", True),
     ("on", False, False), ("on", "1", True), ("steps", str(2**63 - 1), 2**63 - 1)],
)  # fmt: skip
def test_a_parameter_takes_its_default_s_type(name, text, value):
    found = convert_parameter(Declared, name, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [("ratio", "many"), ("ratio", "nan"), ("ratio", "inf"), ("steps", "2.5"), ("steps", 2.5), ("on", "yes"),
     ("on", 2), ("steps", "9" * 400), ("steps", str(2**63)), ("steps", None)],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(name, text):
    with pytest.raises(UsageError, match=rf"Declared\.{name}: '?{str(text)[:20]}.* is not "):
        convert_parameter(Declared, name, text)


@pytest.mark.parametrize("name", ["on_ticker", "on_liquidation"])
def test_callbacks_of_later_versions_say_so(name):
    strategy = type("Early", (Strategy,), {name: lambda self, event, ctx: None})
    with pytest.raises(
        StrategyError,
        match=rf"Early\.{name}: this version replays trades and order books; use on_trade or on_book",
    ):
        callbacks_of(strategy)


def test_unknown_callbacks_no_callback_and_a_timer_that_never_rings():
    with pytest.raises(StrategyError, match=r"Odd\.on_trades is none of on_start, on_trade"):
        callbacks_of(type("Odd", (Strategy,), {"on_trades": lambda self, trade, ctx: None}))
    with pytest.raises(StrategyError, match=r"Empty has no callback; define on_trade\(self, trade, ctx\)"):
        callbacks_of(type("Empty", (Strategy,), {}))
    with pytest.raises(StrategyError, match=r'Silent\.on_timer is never called; set timer = "1m"'):
        callbacks_of(type("Silent", (Strategy,), {"on_timer": lambda self, ctx: None}))
    with pytest.raises(StrategyError, match=r"Soon\.timer: 'soon' is not a duration"):
        strategy = type("Soon", (Strategy,), {"on_timer": lambda self, ctx: None, "timer": "soon"})
        AccountRun(strategy, engine(Momentum, False), {}, AccountSettings(), np.zeros(0, np.int64))


@pytest.mark.parametrize(
    "change",
    [{"capital": 0.0}, {"capital": 4e9}, {"capital": float("nan")}, {"capital": 4e-10}, {"fee": 0.1},
     {"fee": float("nan")}, {"latency_ns": -1}, {"latency_ns": 86_400 * 10**9}],
)  # fmt: skip
def test_an_account_that_cannot_be(change):
    with pytest.raises(UsageError, match=next(iter(change)).split("_")[0]):
        AccountRun(Momentum, engine(Momentum, False), {}, AccountSettings(**change), np.zeros(0, np.int64))


# What cannot be compiled: the message has the file, the line and the way out.

REFUSED = {
    "an undeclared field": ("self.foo = trade.price", r"self\.foo is not declared: add `foo: float = 0\.0`"),
    "one that is read": ("if self.foo: ctx.buy(1.0)", r"self\.foo is not declared"),
    "a method": ("self.signal(trade)", "make signal a function of the file, outside the class"),
    "a list": ("x = [trade.price]", r"a list cannot be made: use .*StateArray\(n\)"),
    "a list in a loop": ("x = sum([p for p in (1.0, 2.0)])", "a list cannot be made: use a loop"),
    "a dict": ("x = {1: trade.price}", "a dict cannot be made"),
    "an import": ("import random", "import at the top of the file"),
    "a try": ("try: ctx.buy(1.0)\n        except ValueError: pass", "try cannot be used"),
    "a print of ctx": ("print(ctx)", "print takes numbers and text, not ctx"),
    "a print of the trade": ("print('at', trade)", "print takes numbers and text, not trade"),
    "an attribute of ctx": ("x = ctx.balance", "ctx has no balance; it has now_ns, price, position, flat"),
    "the engine's own memory": ("x = ctx.account[0].cash_nanos", "ctx has no account"),
    "a method of ctx": ("ctx.purchase(1.0)", "ctx has no purchase; it has .*buy, sell, close, cancel"),
    "a field of the trade": ("x = trade.volume", "trade has no volume; it has price, amount, side"),
    "an unknown name": ("ctx.buy(quantity)", "quantity is not defined"),
    "a global": (
        "ctx.buy(TABLE[0])",
        "uses the global 'TABLE', a list; compiled code may use numbers, tuples",
    ),
    "a loop of calls": ("ctx.buy(again(2.0))", "again calls itself"),
}
BODY = """
TABLE = [1.0]

def again(x):
    return again(x - 1.0) if x > 0.0 else x

class Mine(Strategy):
    known: float = 0.0

    def on_trade(self, trade, ctx):
        self.known = trade.price
        {line}

    def signal(self, trade):
        return trade.price > 1.0
"""


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("jit", [True, False])
def test_the_line_and_what_to_write_instead(case, jit, user):
    line, message = REFUSED[case]
    module = user(mine=BODY.format(line=line))
    if case == "a loop of calls" and not jit:
        assert build(module.Mine, jit=False).key  # plain Python has no quarrel with it
        return
    with pytest.raises(StrategyError, match=message) as caught:
        build(module.Mine, jit=jit)
    if "global" not in case and "loop of calls" not in case:
        text = Path(module.__file__).read_text()
        place = text.split("\n").index(f"        {line.splitlines()[0]}") + 1
        assert str(caught.value).startswith(f"{module.__file__}:{place}: ")


def test_a_callback_with_other_arguments(user):
    module = user(mine="class Mine(Strategy):\n    def on_trade(self, trade): pass\n")
    with pytest.raises(
        StrategyError, match=r"mine\.py:6: Mine.on_trade takes \(self, trade\); write def on_trade"
    ):
        build(module.Mine)
    module = user(mine="class Mine(Strategy):\n    def on_end(self, *all): pass\n")
    with pytest.raises(StrategyError, match=r"takes \(self, \*all\); write def on_end\(self, ctx\)"):
        build(module.Mine)


def test_an_unknown_field_of_a_fill(user):
    module = user(
        mine="class Mine(Strategy):\n    def on_fill(self, fill, ctx):\n        ctx.buy(fill.amount)\n"
    )
    with pytest.raises(StrategyError, match=r"mine\.py:7: fill has no amount; it has order_id, side, price"):
        build(module.Mine)


COMPILER = {
    "an array": (
        "class Mine(Strategy):\n    def on_trade(self, trade, ctx):\n        ctx.buy(np.zeros(3)[0])\n",
        r"mine\.py:7: Mine cannot be compiled: (it makes a list, an array|zeros does not take these types)",
    ),
    "within a helper": (
        "def helper(trade):\n    return trade.nope\n"
        "class Mine(Strategy):\n    def on_trade(self, trade, ctx):\n        ctx.buy(helper(trade))\n",
        r"mine\.py:6: Mine cannot be compiled: a Trade has no nope",
    ),
    "text where a number belongs": (
        "class Mine(Strategy):\n    last: float = 0.0\n"
        "    def on_trade(self, trade, ctx):\n        self.last = 'high'\n",
        r"mine\.py:8: Mine cannot be compiled: a Literal\[str\]\(high\) is put where a float64 belongs",
    ),
}


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
@pytest.mark.parametrize("case", COMPILER)
def test_what_only_the_compiler_finds(case, user):
    text, message = COMPILER[case]
    strategy = user(mine=text).Mine
    run = AccountRun(strategy, build(strategy), {}, AccountSettings(), np.zeros(1, np.int64))
    with pytest.raises(StrategyError, match=message):
        run.feed(ROWS, Pages())


class Beyond(Strategy):
    window = StateArray(3)
    count: int = 0

    def on_trade(self, trade, ctx):
        self.window[self.count] = trade.price
        self.count += 1


@pytest.mark.parametrize("jit", [True, False])
def test_an_index_out_of_bounds_stops_the_run(jit):
    run = AccountRun(Beyond, engine(Beyond, jit), {}, AccountSettings(), np.zeros(1, np.int64))
    with pytest.raises(StrategyError, match=r"Beyond at 1970-.*index of a StateArray.*too large.*--no-jit"):
        run.feed(ROWS, Pages())


def test_fields_may_have_names_of_numpy_s_methods():
    """Quoter.mean is a field; in plain Python a NumPy record would give its own method instead."""
    trades = [TwinTrade(100.0 + n, 1.0, 0, n, n) for n in range(8)]
    for jit in (True, False):
        _, state = run_engine(Quoter, {}, AccountSettings(), [0], trades, jit=jit)
        assert state["mean"][0] == 105.5
