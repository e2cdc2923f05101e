"""The engine writes what its plain twin writes, bit for bit: compiled or not, in blocks of any size."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_runs import Pages, assert_same, engine, run_engine, run_twin
from engine_strategies import FILL, LIMIT_BUY, SCRIPT_LINES, TRADE, Quoter, Script, Wild
from tickreel.errors import StrategyError
from tickreel.simulate import account as account_module
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.records import MAX_ORDERS, LateTimes, Rows
from tickreel.simulate.strategy import StateArray, Strategy
from tickreel.strategies.momentum import Momentum
from twin_engine import TwinTrade

GAPS = (0, 0, 0, 0, 1, 2, 3, 7, 10, 25, 60, 900)
STEPS = (0, 0, 1, 2, 5, 30, 400)


@st.composite
def tapes(draw):
    """Trades with many equal times, long gaps and jumps of the price."""
    count, wild = draw(st.integers(0, 140)), draw(st.booleans())
    numbers = random.Random(draw(st.integers(0, 2**32)))
    now, ticks, trades = numbers.randrange(30), 10_000, []
    for _ in range(count):
        now += numbers.choice(GAPS[:-2] if numbers.random() < 0.9 else GAPS)
        ticks = max(ticks + numbers.choice(STEPS if wild else STEPS[:-1]) * numbers.choice((-1, 1)), 50)
        amount, side = numbers.randrange(1, 60) / 10, numbers.choice((-1, 0, 1))
        trades.append(TwinTrade(ticks / 100, amount, side, now - numbers.randrange(11), now))
    return trades


@st.composite
def accounts(draw):
    return AccountSettings(
        capital=draw(st.sampled_from([100_000.0, 1_000.0, 150.0, 1e-9, 0.1, 3.9e9])),
        fee=draw(st.sampled_from([0.0, 0.0004, 0.01, -0.0002])),
        latency_ns=draw(st.sampled_from([0, 0, 1, 2, 5, 10, 70])),
        allow_short=draw(st.booleans()),
        multiplier=draw(st.sampled_from([1.0, 1.0, 0.01, 0.0001, 10.0, 1 / 3])),
    )


GRIDS = st.tuples(st.integers(-20, 30), st.sampled_from([1, 9, 40, 200]), st.integers(0, 40)).map(
    lambda grid: [grid[0] + grid[1] * place for place in range(grid[2])]
)


def check(strategy, parameters, account, grid, trades):
    wanted, _ = run_twin(strategy, parameters, account, grid, trades)
    for split in (0, 7, 1):
        assert_same(run_engine(strategy, parameters, account, grid, trades, split=split)[0], wanted)
    if len(trades) < 50:  # plain Python is slow
        assert_same(run_engine(strategy, parameters, account, grid, trades, split=7, jit=False)[0], wanted)
    if "local_ns" not in engine(strategy, True).fields:
        for split in (0, 7, 1):
            found, _ = run_engine(strategy, parameters, account, grid, trades, split=split, late=True)
            assert_same(found, wanted)


class Fragile(Strategy):
    """Reads no time, and fails at a price of 13."""

    levels = StateArray(3)

    def on_trade(self, trade, ctx):
        self.levels[int(trade.price) - 10] = 1.0


@pytest.mark.parametrize("jit", [True, False])
def test_an_error_where_no_times_were_decoded_names_its_own(jit):
    trades = [
        TwinTrade(price, 1.0, 1, ns, ns)
        for price, ns in ((10, 1), (11, 2), (12, 5_000_000_000), (13, 9 * 10**9))
    ]
    with pytest.raises(StrategyError, match="1970-01-01T00:00:09Z"):
        run_engine(Fragile, {}, AccountSettings(), [0], trades, split=2, jit=jit, late=True)


def test_times_are_asked_for_where_one_is_needed_and_nowhere_else():
    """Blocks of ten: the first begins the run, the third holds a sampling boundary, in the fifth an order is sent."""
    asked = []

    def block(number):
        start = 10 * number
        prices = np.full(10, 100.0 if number < 4 else 101.0)
        prices[:5] = 100.0 if number == 4 else prices[5]
        none, times = np.zeros(10), np.arange(start, start + 10)
        late = LateTimes(
            lambda start, stop: asked.append((number, start, stop)) or times[start:stop], start + 9
        )
        return Rows(prices, none, np.zeros(10, np.uint8), times, np.empty(0, np.int64)), late

    run = AccountRun(Momentum, engine(Momentum, True), {}, AccountSettings(), np.array([0, 25]))
    pages = Pages()
    for number in range(7):
        run.feed(*block(number)[:1], pages, block(number)[1])
    # From the row on at which it was sent.
    assert asked == [(0, 0, 10), (2, 0, 10), (4, 5, 10)]
    run.finish(pages)
    assert pages.table("orders")["sent_ns"].tolist() == [45]


@settings(max_examples=40, deadline=None)
@given(tapes(), accounts(), GRIDS, st.sampled_from([0.001, 0.0001, 0.02]), st.sampled_from([0.95, 1.0, 0.3]))
def test_momentum(trades, account, grid, threshold, fraction):
    check(Momentum, {"threshold": threshold, "fraction": fraction}, account, grid, trades)


@settings(max_examples=150, deadline=None)
@given(tapes(), accounts(), GRIDS, st.integers(0, 10**9), st.sampled_from([0.1, 0.5, 1.0]), st.booleans())
def test_a_wild_strategy(trades, account, grid, seed, busy, bad):
    check(Wild, {"seed": seed, "busy": busy, "bad": bad}, account, grid, trades)


@settings(max_examples=50, deadline=None)
@given(tapes(), accounts(), GRIDS, st.sampled_from([0.0, 0.0005, 0.01]), st.sampled_from([0.1, 1.0, 30.0]))
def test_a_market_maker(trades, account, grid, width, size):
    check(Quoter, {"width": width, "size": size}, account, grid, trades)


def walk(seed, count, gap=4):
    """A long random walk with bursts of equal times."""
    numbers = np.random.default_rng(seed)
    ticks = 10_000 + np.cumsum(numbers.integers(-12, 13, count))
    times = np.cumsum(numbers.integers(0, gap, count))
    amounts = numbers.integers(1, 50, count) / 10
    return [
        TwinTrade(float(tick) / 100, float(amount), int(side), int(now), int(now))
        for tick, amount, side, now in zip(ticks, amounts, numbers.integers(-1, 2, count), times, strict=True)
    ]


@pytest.mark.parametrize("latency", [0, 40])
def test_outputs_that_fill_up_are_emptied_without_a_trace(latency, monkeypatch):
    monkeypatch.setattr(account_module, "_OUT_ROWS", 3 * MAX_ORDERS)
    trades = walk(5, 1_500)
    account = AccountSettings(latency_ns=latency, allow_short=True)
    parameters, grid = {"busy": 1.0, "bad": False}, range(0, 2_000, 50)
    wanted, _ = run_twin(Wild, parameters, account, grid, trades)
    assert len(wanted.orders) > 6 * MAX_ORDERS
    for split in (0, 100):
        assert_same(run_engine(Wild, parameters, account, grid, trades, split=split)[0], wanted)


@pytest.mark.parametrize("latency", [0, 3])
def test_orders_without_number_between_two_trades(latency, monkeypatch):
    """Every timer cancels two orders and sends two: far more rows of output than one trade is given."""
    monkeypatch.setattr(account_module, "_OUT_ROWS", 3 * MAX_ORDERS)
    quiet = TwinTrade(100.0, 1.0, 0, 4_000, 4_000)
    trades = [*walk(6, 40), quiet, *(one._replace(local_ns=one.local_ns + 4_001) for one in walk(7, 40))]
    account, grid = AccountSettings(latency_ns=latency), range(0, 5_000, 500)
    wanted, _ = run_twin(Quoter, {}, account, grid, trades)
    assert len(wanted.orders) > 700
    for split in (0, 1):
        assert_same(run_engine(Quoter, {}, account, grid, trades, split=split)[0], wanted)
    assert_same(run_engine(Quoter, {}, account, grid, trades, jit=False)[0], wanted)


def script(*lines):
    """Return the Script's fields for (kind of call, its number, what, quantity, limit) ..."""
    fields = {name: np.zeros(SCRIPT_LINES) for name in ("when", "number", "what", "quantity", "limit")}
    for place, values in enumerate(lines):
        for name, value in zip(fields, values, strict=True):
            fields[name][place] = value
    return fields


def test_answers_that_wait_for_a_long_time(monkeypatch):
    """Two large resting orders are filled in 600 pieces before the first answer is received."""
    monkeypatch.setattr(account_module, "_ANSWERS", 3 * MAX_ORDERS)
    times = [0, *range(3_000, 6_000, 5), *range(6_000, 9_000, 100)]
    trades = [TwinTrade(99.0, 0.25, -1, now, now) for now in times]
    trades[0] = trades[1] = trades[1]._replace(price=101.0, local_ns=0)
    trades[2] = trades[2]._replace(price=101.0)
    account = AccountSettings(capital=1e6, latency_ns=2_990)
    state = script(
        (TRADE, 1, LIMIT_BUY, 100.0, 100.0),
        (TRADE, 2, LIMIT_BUY, 200.0, 99.5),
        (FILL, 5, LIMIT_BUY, 1.0, 99.5),
    )
    grid = range(0, 10_000, 1_000)
    wanted, known = run_twin(Script, {}, account, grid, trades, state=state)
    assert len(wanted.fills) > 600
    assert wanted.orders["answered_ns"].min() > 6_000
    for split in (0, 99):
        found, after = run_engine(Script, {}, account, grid, trades, split=split, state=state)
        assert_same(found, wanted)
        for name in ("kinds", "times", "prices", "positions", "cashes", "opens", "facts"):
            assert after[name][0].tolist() == getattr(known, name)


HERE = Path(__file__).parent
DIGEST = """
import hashlib, sys
sys.path.insert(0, {here!r})
from engine_runs import run_engine
from engine_strategies import Quoter, Wild
from test_engine_twin import walk
from tickreel.simulate.account import AccountSettings
digest = hashlib.sha256()
for strategy in (Wild, Quoter):
    account = AccountSettings(capital=2_000.0, latency_ns=6, allow_short=True)
    written, _ = run_engine(strategy, {{}}, account, range(0, 600, 25), walk(8, 250), split=50)
    for table in written[:4]:
        for column in table.dtype.names:
            digest.update(table[column].tobytes())
    digest.update(repr(written.summary).encode())
print(digest.hexdigest(), len(written.fills))
"""


def test_with_the_jit_off_the_same_bytes():
    def run(off):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": off, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-W", "error", "-c", DIGEST.format(here=str(HERE))]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    digest, fills = run("0").split()
    assert int(fills) > 10
    assert run("1").split() == [digest, fills]
