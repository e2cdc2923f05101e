"""The engine writes what its plain twin writes, bit for bit: compiled or not, in blocks of any size."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_runs import assert_same, run_engine, run_twin
from engine_strategies import FILL, LIMIT_BUY, SCRIPT_LINES, TRADE, Quoter, Script, Wild
from hypothesis import given, settings
from hypothesis import strategies as st
from twin_engine import TwinTrade

from tickreel.simulate import account as account_module
from tickreel.simulate.account import AccountSettings
from tickreel.simulate.records import MAX_ORDERS
from tickreel.strategies.momentum import Momentum

GAPS = st.sampled_from([0, 0, 0, 1, 2, 3, 7, 10, 25, 60, 900])
STEPS = st.sampled_from([0, 0, 1, -1, 2, -2, 5, -5, 30, -30, 400, -400, 4000, -4000])
SIDES = st.sampled_from([0, 1, -1])


@st.composite
def tapes(draw):
    """Trades with many equal times, long gaps and jumps of the price."""
    moves = draw(st.lists(st.tuples(GAPS, STEPS, st.integers(1, 60), SIDES), max_size=70))
    now, ticks, trades = draw(st.integers(0, 30)), 10_000, []
    for gap, step, tenths, side in moves:
        now += gap
        ticks = max(ticks + step, 50)
        trades.append(TwinTrade(ticks / 100, tenths / 10, side, now - (tenths * 7) % 11, now))
    return trades


@st.composite
def accounts(draw):
    return AccountSettings(
        capital=draw(st.sampled_from([100_000.0, 1_000.0, 150.0, 1e-9, 0.1, 3.9e9])),
        fee=draw(st.sampled_from([0.0, 0.0004, 0.01, -0.0002])),
        latency_ns=draw(st.sampled_from([0, 0, 1, 2, 5, 10, 70])),
        allow_short=draw(st.booleans()),
    )


GRIDS = st.tuples(st.integers(-20, 30), st.sampled_from([1, 9, 40, 200]), st.integers(0, 40)).map(
    lambda grid: [grid[0] + grid[1] * place for place in range(grid[2])]
)


def check(strategy, parameters, account, grid, trades):
    wanted, _ = run_twin(strategy, parameters, account, grid, trades)
    for split in (0, 7, 1):
        assert_same(run_engine(strategy, parameters, account, grid, trades, split=split)[0], wanted)
    assert_same(run_engine(strategy, parameters, account, grid, trades, split=7, jit=False)[0], wanted)


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
    quiet = TwinTrade(100.0, 1.0, 0, 12_000, 12_000)
    trades = [*walk(6, 40), quiet, *(one._replace(local_ns=one.local_ns + 12_001) for one in walk(7, 40))]
    account, grid = AccountSettings(latency_ns=latency), range(0, 13_000, 1_000)
    wanted, _ = run_twin(Quoter, {}, account, grid, trades)
    assert len(wanted.orders) > 2_000
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


def test_answers_that_wait_for_a_long_time():
    """A large resting order is filled in 3,000 pieces before the first answer is received."""
    trades = [TwinTrade(101.0, 1.0, 0, now, now) for now in range(0, 20_000, 5)]
    trades[2:] = [one._replace(price=99.0, amount=0.25) for one in trades[2:]]
    account = AccountSettings(capital=1e6, latency_ns=15_000)
    state = script(
        (TRADE, 1, LIMIT_BUY, 2_000.0, 100.0),
        (TRADE, 1, LIMIT_BUY, 1_000.0, 99.5),
        (FILL, 5, LIMIT_BUY, 1.0, 99.5),
    )
    trades[-3_998] = trades[-3_998]._replace(price=101.0)
    late = [one._replace(local_ns=one.local_ns + 15_000) for one in trades]
    trades = [trades[0]._replace(local_ns=0), *late]
    grid = range(0, 40_000, 5_000)
    wanted, known = run_twin(Script, {}, account, grid, trades, state=state)
    assert len(wanted.fills) > 3_000
    for split in (0, 999):
        found, state_after = run_engine(Script, {}, account, grid, trades, split=split, state=state)
        assert_same(found, wanted)
        for name in ("kinds", "times", "prices", "positions", "cashes", "opens", "facts"):
            assert state_after[name][0].tolist() == getattr(known, name)


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
