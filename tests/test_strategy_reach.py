"""What a strategy reaches: the key of its machine code changes with it, and the columns it reads are decoded."""

import numpy as np
import pytest

from engine_runs import Pages, engine, run_engine, to_rows
from engine_strategies import Quoter, Script, Wild
from tickreel.simulate import records as r
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.compile import build, strategy_key
from tickreel.simulate.reach import ALL_FIELDS, columns_read
from tickreel.simulate.strategy import CALLBACKS, Strategy, callbacks_of
from tickreel.strategies.momentum import Momentum
from twin_engine import TwinTrade
from user_files import importer

ROWS = to_rows([TwinTrade(100.0 + n % 3, 1.0, 0, n, n) for n in range(4)])


@pytest.fixture
def user(tmp_path, monkeypatch):
    return importer(tmp_path, monkeypatch)


# The key of machine code

REACHES = """
import rates
from more import deep

LEVEL = 2.0
PAIR = (1.0, (2.0, 3.0))
CURVE = np.array([1.0, 2.0])

class Mode(IntEnum):
    FAST = 1

def helper(x, scale=1.0):
    return deep(x) * scale + LEVEL

class Mine(Strategy):
    threshold = Param(0.5)
    last: float = 0.0
    timer = "1m"

    def on_trade(self, trade, ctx):
        def inner(x):
            return x * PAIR[0] + CURVE[0]
        if helper(trade.price) > rates.fee(1.0) + rates.BASE * Mode.FAST:
            ctx.buy(inner(2.0))

    def on_timer(self, ctx):
        pass
"""
RATES = "SPARE = 1.0\nBASE = 0.25\ndef fee(x):\n    return x * SPARE\n"
MORE = "INNER = 4.0\ndef deeper(x):\n    return x * INNER\ndef deep(x):\n    return deeper(x) + 1.0\n"


def key_of(user, mine=REACHES, rates=RATES, more=MORE):
    return strategy_key(user(rates=rates, more=more, mine=mine).Mine)


CHANGES = {
    "the callback": ("mine", "ctx.buy(", "ctx.sell("),
    "another callback": ("mine", "        pass", "        ctx.close()"),
    "a constant": ("mine", "LEVEL = 2.0", "LEVEL = 2.5"),
    "an int for a float": ("mine", "LEVEL = 2.0", "LEVEL = 2"),
    "a tuple read by an inner function": ("mine", "PAIR = (1.0, (2.0, 3.0))", "PAIR = (1.0, (2.0, 4.0))"),
    "an array": ("mine", "[1.0, 2.0]", "[1.0, 2.5]"),
    "an enum": ("mine", "FAST = 1", "FAST = 2"),
    "a helper": ("mine", "* scale + LEVEL", "* scale - LEVEL"),
    "a helper's default": ("mine", "scale=1.0", "scale=1.5"),
    "an inner function": ("mine", "x * PAIR[0] +", "x * PAIR[0] -"),
    "a helper's helper": ("more", "x * INNER", "x / INNER"),
    "a constant of a helper's helper": ("more", "INNER = 4.0", "INNER = 4.5"),
    "a constant reached through a module": ("rates", "BASE = 0.25", "BASE = 0.5"),
    "a constant of a function reached through a module": ("rates", "SPARE = 1.0", "SPARE = 1.5"),
    "a parameter's default": ("mine", "Param(0.5)", "Param(0.75)"),
    "a field": ("mine", "last: float = 0.0", "last: int = 0"),
    "the timer": ("mine", '"1m"', '"2m"'),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_key_changes_with_everything_that_is_reached(case, user):
    file, old, new = CHANGES[case]
    texts = {"mine": REACHES, "rates": RATES, "more": MORE}
    assert old in texts[file]
    before = key_of(user)
    assert key_of(user, **{file: texts[file].replace(old, new)}) != before


def test_the_key_stays_where_nothing_reached_changes(user):
    before = key_of(user)
    assert key_of(user) == before
    assert key_of(user, mine=REACHES + "\nUNUSED = 3\n\ndef other():\n    return UNUSED\n") == before
    assert key_of(user, mine="# a comment\n" + REACHES) == before


def test_an_attribute_named_like_a_global_is_not_that_global(user):
    module = user(
        mine="""
        price = [1.0]

        def position(ctx):
            return ctx.position

        class Mine(Strategy):
            def on_trade(self, trade, ctx):
                if position(ctx) == 0.0 and trade.price > 100.5:
                    ctx.buy(1.0)
        """
    )
    for jit in (True, False):
        run = AccountRun(
            module.Mine, build(module.Mine, jit=jit), {}, AccountSettings(), np.zeros(0, np.int64)
        )
        run.feed(ROWS, Pages())
        assert run.finish(Pages())[0].fills == 1


# The columns that must be decoded

COLUMNS = {
    "pass": set(),
    "x = trade.price": {"price"},
    "x = trade.amount * trade.side": {"amount", "side"},
    "x = trade.exchange_ns + trade.local_ns": {"exchange_ns", "local_ns"},
    "ctx.buy(1.0)": set(),
    "ctx[0].buy(1.0)": set(),
    "ctx.buy(trade.amount)": {"amount"},
    "ctx.sell(1.0, 2.0)": {"amount"},
    "ctx.buy(1.0, limit=2.0)": {"amount"},
    "ctx.buy(quantity=1.0)": {"amount"},
    "ctx.sell(*(1.0, 2.0))": {"amount"},
    "ctx[0].sell(1.0, 2.0)": {"amount"},
    "send = ctx.buy": {"amount"},
    "x = ctx.now_ns + ctx[0].now_ns": {"local_ns"},
    "x = ctx.price * ctx.equity": set(),
    "x = math.sqrt(trade.price)": {"price"},
    "x = (lambda p: p * trade.side)(1.0)": {"side"},
    "x = ctx[int(trade.amount)].price": {"amount"},
    "x = trade[1]": ALL_FIELDS,
    "x = trade[1].real": ALL_FIELDS,
    "other = trade": ALL_FIELDS,
    "other = ctx": ALL_FIELDS,
    "helper(trade)": ALL_FIELDS,
    "helper(self, ctx)": ALL_FIELDS,
    "x = getattr(trade, 'amount')": ALL_FIELDS,
}


@pytest.mark.parametrize("line", COLUMNS)
def test_columns_read(line, user):
    module = user(mine=f"class Mine(Strategy):\n    def on_trade(self, trade, ctx):\n        {line}\n")
    assert columns_read(callbacks_of(module.Mine)) == COLUMNS[line]


def test_columns_of_other_callbacks_and_of_code_without_source(user):
    assert columns_read(callbacks_of(Momentum)) == {"price"}
    assert columns_read(callbacks_of(Quoter)) == {"price", "amount"}
    assert columns_read(callbacks_of(Wild)) == columns_read(callbacks_of(Script)) == ALL_FIELDS
    module = user(
        mine="""
        class Mine(Strategy):
            def on_fill(self, trade, ctx):
                ctx.sell(trade.price)

        class Renamed(Strategy):
            def on_trade(self, t, c):
                c.buy(t.amount)

        class Positional(Strategy):
            def on_trade(self, trade, ctx, /):
                ctx.buy(trade.side)
        """
    )
    assert columns_read(callbacks_of(module.Mine)) == set()
    assert columns_read(callbacks_of(module.Renamed)) == {"amount"}
    assert columns_read(callbacks_of(module.Positional)) == {"side"}
    space = {"Strategy": Strategy}
    exec("class Told(Strategy):\n    def on_trade(self, trade, ctx): pass", space)
    assert columns_read(callbacks_of(space["Told"])) == ALL_FIELDS
    assert columns_read({"on_trade": lambda self, trade, ctx: None}) == ALL_FIELDS


def test_columns_that_are_not_read_change_nothing():
    trades = [TwinTrade(100.0 + n % 7, 1.0, 1, n, n) for n in range(60)]
    wanted, _ = run_engine(Momentum, {}, AccountSettings(), [0], trades)
    rows = to_rows(trades)
    blind = r.Rows(rows.price, rows.price * np.nan, np.zeros(60, np.uint8), rows.local_ns, rows.local_ns)
    run = AccountRun(Momentum, engine(Momentum, True), {}, AccountSettings(), np.zeros(1, np.int64))
    run.feed(blind, Pages())
    assert run.finish(Pages())[0] == wanted.summary
    assert wanted.summary.fills > 2


def test_the_callbacks_that_strategies_may_define():
    assert list(CALLBACKS) == ["on_start", "on_trade", "on_book", "on_fill", "on_timer", "on_end"]
