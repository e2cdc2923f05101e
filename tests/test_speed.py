"""What was made fast stays fast: each figure is a ratio to something plain in the same run, the best of many turns."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from isal import igzip_lib

from engine_runs import Pages, engine
from tickreel.codecs import patched, pco
from tickreel.codecs.decimal_kernel import to_floats
from tickreel.jit import compiles, kernel
from tickreel.schema import RECORD_TYPES
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.records import Rows
from tickreel.sources.csv_rows import CsvParser
from tickreel.strategies.momentum import Momentum

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not compiles(), reason="plain Python has no speed to keep"),
]
ROWS = 1 << 16
TRADES = RECORD_TYPES["trades"]


def ratio(ours: Callable[[], Any], plain: Callable[[], Any], turns: int = 300) -> float:
    """Return the least time of ours by the least time of the other, taken in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for place, call in enumerate((ours, plain)):
            began = time.perf_counter()
            call()
            best[place] = min(best[place], time.perf_counter() - began)
    return best[0] / best[1]


def market() -> tuple[np.ndarray, np.ndarray]:
    """Return times and price ticks like those of a busy future."""
    rng = np.random.default_rng(1)
    steps = np.where(
        rng.random(ROWS) < 0.67, rng.integers(0, 4, ROWS), rng.integers(0, 1 << rng.integers(10, 20, ROWS))
    )
    moves = np.where(rng.random(ROWS) < 0.4, rng.integers(-8, 9, ROWS), 0)
    return 1_704_067_200_000_000_000 + np.cumsum(steps * 1_000), 422_653 + np.cumsum(moves)


def test_patched_decodes_faster_than_pcodec() -> None:
    for values in market():
        out = np.empty(ROWS, np.int64)
        fast, small = memoryview(patched.encode(values) or b""), memoryview(pco.encode(values))
        assert ratio(lambda: patched.decode(fast, out), lambda: pco.decode(small, out)) < 0.65


def test_lines_are_parsed_faster_than_they_are_unpacked() -> None:
    times, ticks = market()
    amounts = np.random.default_rng(2).integers(1, 4_000, ROWS)
    lines = [
        f"binance-futures,BTCUSDT,{us - 2_500},{us},{1_234_500_000 + row},{'buy' if amount & 4 else 'sell'},"
        f"{tick / 10},{amount / 1_000}\n"
        for row, (us, tick, amount) in enumerate(
            zip((times[:3_000] // 1_000).tolist(), ticks.tolist(), amounts.tolist(), strict=False)
        )
    ]
    header = ",".join(TRADES.csv_header) + "\n"
    text = "".join(lines).encode()
    packed = gzip.compress(text)
    parser = CsvParser(TRADES, "trades.csv")
    list(parser.feed(header.encode()))
    ours = ratio(lambda: list(parser.feed(text)), lambda: igzip_lib.decompress(packed, igzip_lib.DECOMP_GZIP))
    assert ours < 0.85


def test_floats_are_made_faster_than_by_division() -> None:
    _, ticks = market()
    out = np.empty(ROWS)
    ours = ratio(
        lambda: to_floats(ticks, 10.0, 0.1, False, out), lambda: np.true_divide(ticks, 10.0, out=out)
    )
    assert ours < 0.6


@kernel
def plain_momentum(prices, threshold):
    """The strategy without an engine: price by price, mark and drawdown, no order ever sent."""
    last, equity, peak, deepest, sent = 0.0, 100_000.0, 100_000.0, 0.0, 0
    for price in prices:
        equity = 100_000.0 + 0.0 * price
        peak = max(peak, equity)
        deepest = max(deepest, (peak - equity) / peak)
        if last > 0.0 and price > last * (1 + threshold):
            sent += 1
        last = price
    return sent, deepest


def test_a_quiet_trade_costs_little_more_than_without_an_engine() -> None:
    times, ticks = market()
    prices, none = ticks / 10.0, np.zeros(ROWS)
    rows = Rows(prices, none, np.zeros(ROWS, np.uint8), times, times)
    bounds = np.array([times[0]])

    run, pages = (
        AccountRun(Momentum, engine(Momentum, True), {"threshold": 0.5}, AccountSettings(), bounds),
        Pages(),
    )
    found = ratio(lambda: run.feed(rows, pages), lambda: plain_momentum(prices, 0.5))
    assert run._world.instruments[0].trades == 300 * ROWS
    assert found < 1.7
