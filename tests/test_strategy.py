"""What a user writes: declarations, names, what of it is compiled, and what is said where it cannot be."""

import os
from pathlib import Path

import numpy as np
import pytest

from engine_runs import Pages, engine, run_engine, to_rows
from engine_strategies import Quoter
from tickreel.errors import StrategyError, UsageError
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.compile import build, build_sets
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
    with pytest.raises(
        StrategyError, match=r'Silent\.on_timer is never called with timer = \'\'; set timer = "1m"'
    ):
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
    if case == "a loop of calls" and (not jit or os.environ.get("NUMBA_DISABLE_JIT") == "1"):
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
    "a maximum of NumPy's": (
        "class Mine(Strategy):\n    window = StateArray(3)\n    last: float = 0.0\n"
        "    def on_trade(self, trade, ctx):\n        self.last = np.max(self.window)\n",
        r"mine\.py:9: Mine cannot be compiled: write max\(\.\.\.\) as plain Python has it",
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


class Raising(Strategy):
    def on_trade(self, trade, ctx):
        if trade.local_ns > 1:
            raise ValueError("no such thing")


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(
    ("strategy", "message", "line"),
    [
        (Beyond, "IndexError: .*index of a StateArray lies outside", "self.window[self.count] = trade.price"),
        (Raising, "ValueError: no such thing", 'raise ValueError("no such thing")'),
    ],
)
def test_an_error_of_a_strategy_has_its_class_its_time_and_in_plain_python_its_line(
    strategy, message, line, jit
):
    run = AccountRun(strategy, engine(strategy, jit), {}, AccountSettings(), np.zeros(1, np.int64))
    with pytest.raises(StrategyError, match=f"{strategy.__name__} at 1970-.*{message}") as caught:
        run.feed(ROWS, Pages())
    plain = not jit or os.environ.get("NUMBA_DISABLE_JIT") == "1"
    assert ("--no-jit" in str(caught.value)) != plain
    if plain:
        number = 1 + [text.strip() for text in Path(__file__).read_text().splitlines()].index(line)
        assert str(caught.value).startswith(f"{__file__}:{number}: ")


def test_an_assertion_shows_its_class_and_line(user):
    text = "class Mine(Strategy):\n    def on_trade(self, trade, ctx):\n        assert trade.local_ns < 2\n"
    strategy = user(mine=text).Mine
    run = AccountRun(strategy, build(strategy, jit=False), {}, AccountSettings(), np.zeros(1, np.int64))
    with pytest.raises(StrategyError, match=r"mine\.py:7: Mine at 1970-01-01T.*2Z: AssertionError$"):
        run.feed(ROWS, Pages())


MISTAKES = {
    "a side as text": ("if trade.side == 'buy': ctx.buy(1.0)", r"compares a number with text.*side is \+1"),
    "by another name": (
        "side = trade.side\n        if side != 'sell': ctx.buy(1.0)",
        "compares a number with text",
    ),
    "among texts": ("if trade.side in ('buy', 'Buy'): ctx.buy(1.0)", "compares a number with text"),
    "a constant": ("if trade.side == BUY: ctx.buy(1.0)", "compares a number with text"),
    "in a helper": ("if bought(trade): ctx.buy(1.0)", r"trade\.side == 'buy' compares a number with text"),
    "a float into an int": (
        "self.count = trade.price",
        r"puts a float into int self\.count.*count: float = 0\.0",
    ),
    "a quotient": ("self.count = self.count / 2", "puts a float into int"),
    "added": ("self.count += trade.amount", "puts a float into int"),
    "through a local": ("x = max(trade.price, 1)\n        self.count = x", "puts a float into int"),
    "of an array": ("self.count = self.window[:2].mean()", "puts a float into int"),
    "into a bool": ("self.on = ctx.equity", "puts a float into bool"),
    "a parameter": ("self.size = 4", r"self\.size is a parameter, which a run does not change"),
    "a parameter, added to": ("self.size += 1", r"self\.size is a parameter"),
    "the position": ("ctx.position = 5", r"ctx\.position cannot be set: it follows from orders"),
    "the trade": ("trade.price = 5.0", r"trade\.price cannot be set: it is what happened"),
    "nothing bought": ("ctx.buy()", r"write ctx\.buy\(quantity\) or .*; here it is ctx\.buy\(\)"),
    "text bought": ("ctx.buy('1')", r"write ctx\.buy\(quantity\) or .*; here it is ctx\.buy\('1'\)"),
    "too much": ("ctx.sell(1.0, 2.0, 3.0)", r"write ctx\.sell\(quantity\)"),
    "another name": ("ctx[0].buy(amount=1.0)", r"write ctx\.buy\(quantity\)"),
    "no brackets": ("ctx.close", r"ctx\.close does nothing without brackets: write ctx\.close\(\)"),
    "brackets": ("if ctx.flat(): ctx.buy(1.0)", r"ctx\.flat is a value: leave out the brackets"),
    "an f-string": ("print(f'{trade.price}')", "an f-string cannot be made: print takes text and numbers"),
}
MISTAKEN = """
import math

BUY = "buy"

def bought(trade):
    return trade.side == "buy"

class Mine(Strategy):
    size = Param(2.0)
    window = StateArray(3)
    count: int = 0
    on: bool = False
    last: float = 0.0

    def on_trade(self, trade, ctx):
        {line}
"""


@pytest.mark.parametrize("case", MISTAKES)
def test_what_would_mean_something_else_is_refused(case, user):
    line, message = MISTAKES[case]
    module = user(mine=MISTAKEN.format(line=line))
    with pytest.raises(StrategyError, match=rf"mine\.py:\d+: .*{message}"):
        build(module.Mine, jit=False)


@pytest.mark.parametrize(
    "line",
    [
        "self.count = int(trade.price)",
        "self.count = math.floor(trade.price)",
        "self.count += trade.side",
        "self.count = trade.local_ns // 1000",
        "self.last = trade.side",
        "self.on = trade.price > self.last",
        "self.window[self.count % 3] = trade.price",
        "ctx.buy(1.0, limit=trade.price) if BUY == 'buy' else ctx.cancel_all()",
        "ctx[0].sell(quantity=1.0)",
        "print('at', trade.price)",
    ],
)
def test_what_is_right_is_not_refused(line, user):
    assert build(user(mine=MISTAKEN.format(line=line)).Mine, jit=False).key


def test_arguments_in_another_order_are_refused(user):
    module = user(mine="class Mine(Strategy):\n    def on_trade(self, ctx, trade): pass\n")
    with pytest.raises(
        StrategyError, match=r"takes \(self, ctx, trade\); write def on_trade\(self, trade, ctx\)"
    ):
        build(module.Mine)


def test_fields_may_have_names_of_numpy_s_methods():
    """Quoter.mean is a field; in plain Python a NumPy record would give its own method instead."""
    trades = [TwinTrade(100.0 + n, 1.0, 0, n, n) for n in range(8)]
    for jit in (True, False):
        _, state = run_engine(Quoter, {}, AccountSettings(), [0], trades, jit=jit)
        assert state["mean"][0] == 105.5


# Annotations, and settings that cannot be


def annotated(text):
    space = {"Param": Param, "StateArray": StateArray, "Strategy": Strategy}
    exec("class Noted(Strategy):\n    " + text.replace("; ", "\n    "), space)
    return space["Noted"]


@pytest.mark.parametrize(
    "text", ["last: float = 0", "last: 'float' = 0", "last: float = Param(0)", "last: float = 0.0"]
)
def test_the_annotation_decides(text):
    assert fields_of(annotated(text))["last"] == (np.dtype("f8"), (), 0.0)
    assert all(type(default) is float for default in parameters_of(annotated(text)).values())


@pytest.mark.parametrize("text", ["k: int = 0.5", "k: bool = 1", "k: int = True", "k: int = Param(0.5)"])
def test_an_annotation_that_contradicts_its_value_is_refused(text):
    with pytest.raises(StrategyError, match=r"Noted\.k: (int|bool) = .* contradicts itself; write k: "):
        fields_of(annotated(text))


def test_a_subclass_without_annotation_keeps_that_of_its_base():
    strategy = type("Sub", (annotated("last: float = 0; window: StateArray = StateArray(2)"),), {"last": 3})
    assert fields_of(strategy)["last"] == (np.dtype("f8"), (), 3.0)


@pytest.mark.parametrize("timer", ["0", "0s", 0])
def test_a_timer_of_nothing_never_rings(timer):
    strategy = type("Silent", (Strategy,), {"on_timer": lambda self, ctx: None, "timer": timer})
    with pytest.raises(StrategyError, match=r"Silent\.on_timer is never called with timer = .*; set timer"):
        callbacks_of(strategy)


def test_allow_short_is_yes_or_no():
    with pytest.raises(UsageError, match="allow_short 'no': True or False"):
        AccountSettings(allow_short="no").check()


@pytest.mark.parametrize("line", ["self.window[:-1] = self.window[1:]", "self.window[:] = self.window"])
def test_a_slice_into_a_slice_says_what_to_write(line, user):
    text = f"class Mine(Strategy):\n    window = StateArray(5)\n    def on_trade(self, trade, ctx):\n        {line}\n"
    with pytest.raises(StrategyError, match=r"mine\.py:8: an array cannot be put into a slice: write a loop"):
        build(user(mine=text).Mine)


def test_no_machine_code_is_made_or_loaded_twice():
    first = build(Momentum)
    assert build(Momentum) is first
    assert build_sets(build(Momentum)) is build_sets(first)
    assert build(Momentum, jit=False) is not first
    other = build(Declared)
    assert other is not first
    assert build_sets(other) is not build_sets(build(Momentum))
