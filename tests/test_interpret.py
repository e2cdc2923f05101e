"""Machine code and plain Python: what both give to the last bit, and that bounds are checked in both."""

import math

import numba
import numpy as np
import pytest

from engine_runs import Pages, assert_same, engine, run_engine, to_rows
from tickreel.errors import StrategyError
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.compile import build
from tickreel.simulate.strategy import StateArray, Strategy
from twin_engine import TwinTrade
from user_files import importer

TRADES = [TwinTrade(100.0 + (n * 37 % 101) / 7, 1.0 + n / 3, 1, n, n) for n in range(60)]
ZERO = 0.0
STEPS = (3, 0)


@pytest.fixture
def user(tmp_path, monkeypatch):
    return importer(tmp_path, monkeypatch)


@numba.njit
def set_at(values, place, value):
    values[place] = value


def share(part, whole=0.0):
    return part / whole


class Computes(Strategy):
    """Notes in `found` what may differ between machine code and Python."""

    prices = StateArray(50)
    found = StateArray(20)
    seen: int = 0
    hashed: int = 1

    def on_trade(self, trade, ctx):
        set_at(self.prices, self.seen % 50, trade.price)
        self.seen += 1
        part = self.prices[: min(self.seen, 37)]
        self.found[0] += self.prices.mean() + part.mean() + np.mean(part)
        self.found[1] += self.prices.sum() + np.sum(part)
        self.found[2] += self.prices.std() + np.std(part)
        self.found[3] += self.prices.var() + np.var(part)
        gains = 0.0
        self.found[5] = gains / ZERO
        self.found[6] = 1.0 / gains
        self.found[7] = share(trade.price)
        none = 0
        for _ in range(self.seen - self.seen):
            none += 1
        self.found[8] = 100 % none
        self.found[9] = 100 // STEPS[1]
        self.found[10] = math.sqrt(trade.price - 200.0)
        self.found[11] = math.log(gains)
        h = 1
        for _ in range(70):
            h = h * 3 + 1
        self.hashed = h
        self.found[12] = trade.price % 0.07 + trade.price // 0.07 + (-trade.price) % 0.07
        self.found[13] = math.sqrt(trade.price) * trade.amount - trade.price / 3
        self.found[14] += max(self.prices) - min(part)


class Reversion(Strategy):
    """The example of docs/ADD_A_STRATEGY.md, without its timer."""

    prices = StateArray(1000)
    seen: int = 0

    def on_trade(self, trade, ctx):
        self.prices[self.seen % 50] = trade.price
        self.seen += 1
        if self.seen >= 50 and ctx.idle:
            mean = self.prices[:50].mean()
            if ctx.flat and trade.price < mean * 0.998:
                ctx.buy(0.5 * ctx.equity / trade.price, limit=trade.price)
            elif ctx.long and trade.price > mean:
                ctx.close()


def test_plain_python_computes_as_machine_code_does():
    compiled, plain = (
        run_engine(Computes, {}, AccountSettings(), [0], TRADES, jit=jit)[1][0] for jit in (True, False)
    )
    for name in ("prices", "found"):
        np.testing.assert_array_equal(compiled[name], plain[name], strict=True)
    assert compiled["hashed"] == plain["hashed"] != 1


def test_a_function_given_to_numba_is_checked_for_bounds_as_well(user):
    text = """
    import numba

    @numba.njit
    def put(values, place):
        values[place] = 1.0

    class Beyond(Strategy):
        window = StateArray(3)
        k: int = 7

        def on_trade(self, trade, ctx):
            put(self.window, 3)
    """
    strategy = user(mine=text).Beyond
    for jit in (True, False):
        run = AccountRun(strategy, build(strategy, jit=jit), {}, AccountSettings(), np.zeros(1, np.int64))
        with pytest.raises(StrategyError, match="an index of a StateArray lies outside"):
            run.feed(to_rows(TRADES), Pages())


def test_one_reached_through_its_module_is_refused(user):
    helper = "import numba\n@numba.njit\ndef put(values, place):\n    values[place] = 1.0\n"
    text = """
    import helper
    class Beyond(Strategy):
        window = StateArray(3)
        def on_trade(self, trade, ctx):
            helper.put(self.window, 3)
    """
    strategy = user(helper=helper, mine=text).Beyond
    for jit in (True, False):
        with pytest.raises(
            StrategyError, match=r"mine\.py:\d+: helper\.put is .* write `from helper import put`"
        ):
            build(strategy, jit=jit)


def test_functions_that_call_each_other_run_as_plain_python():
    def even(count):
        return True if count == 0 else odd(count - 1)

    def odd(count):
        return False if count == 0 else even(count - 1)

    class Rings(Strategy):
        is_even: bool = False

        def on_trade(self, trade, ctx):
            self.is_even = even(4)

    run = AccountRun(Rings, engine(Rings, False), {}, AccountSettings(), np.zeros(1, np.int64))
    run.feed(to_rows(TRADES[:1]), Pages())
    assert run._state["is_even"][0]


def test_the_example_of_the_documents_is_the_same_in_both():
    written = [run_engine(Reversion, {}, AccountSettings(), [0], TRADES, jit=jit)[0] for jit in (True, False)]
    assert_same(*written)
    assert len(written[0].orders) > 0
