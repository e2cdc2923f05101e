"""Marks of many rows at once are those of row after row, to the bit."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tickreel.jit import kernels_key, specialised
from tickreel.simulate import engine_kernel, records
from tickreel.simulate.engine_kernel import extremes, mark

PRICES = st.lists(
    st.sampled_from([42_000.0, 42_000.1, 41_999.9, 42_017.3, 0.0, -37.63]) | st.floats(allow_infinity=False),
    min_size=1,
    max_size=40,
)
HELD = st.sampled_from([0.0, 1.0, -1.0, 2.2619047]) | st.floats(-1e6, 1e6)
compiled_mark = specialised(engine_kernel, "mark", {}, kernels_key())


def one_by_one(account: np.record, instrument: np.record, prices: list[float]) -> None:
    """Rule M1 as it is written: a mark at every row."""
    for price in prices:
        account.equity = account.cash_nanos / 1e9 + instrument.position * instrument.multiplier * price
        if account.equity > account.peak:
            account.deepest = max(account.deepest, (account.peak - account.trough) / account.peak)
            account.peak = account.trough = account.equity
        elif account.equity < account.trough:
            account.trough = account.equity


@settings(deadline=None)
@given(PRICES, HELD, st.floats(0.0, 2e5), st.floats(0.0, 5e4), st.data())
def test_marks_of_many_rows(
    prices: list[float], held: float, peak: float, fall: float, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(prices)))) | {len(prices)})
    found = []
    for marked in (one_by_one, mark, compiled_mark):
        accounts, instruments = records.zeros(records.ACCOUNT, 1), records.zeros(records.INSTRUMENT, 1)
        account, instrument = accounts[0], instruments[0]
        account.cash_nanos, account.peak, account.trough = (
            100_000 * 10**9,
            peak + 1.0,
            max(peak + 1.0 - fall, 1e-9),
        )
        instrument.position, instrument.multiplier = held, 1.0
        with np.errstate(all="ignore"):
            for start, stop in zip((0, *cuts), cuts, strict=False):
                marked(account, instrument, np.array(prices[start:stop]))
        found.append(accounts.tobytes())
    assert found[0] == found[1] == found[2]


def test_prices_in_whatever_order_have_the_same_extremes() -> None:
    assert extremes(np.array([3.0, 0.5, 1e9, 0.0])) == (0.0, 1e9)
    assert all(math.isnan(value) for value in extremes(np.array([3.0, -0.5])))
    assert engine_kernel.SHOWN > 1
