"""Runs of strategies that watch the order book: from files to results, the same for any number of workers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tickreel
from engine_strategies import Watcher
from import_sample import DAY, START_US, dataset, put, take, trade, trades
from test_books import HEADER, TYPE, long_days
from test_engine_books import run_twin
from tickreel.books.book_kernel import BookRows
from tickreel.errors import UsageError
from tickreel.runs.events import Changes, events
from tickreel.simulate.account import AccountSettings
from tickreel.simulate.records import Rows
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_US
from twin_book import L2
from twin_engine import TwinTrade


class Slow(Watcher):
    """Watcher with a timer that a day has time for."""

    timer = "1ms"


TRADES = [(40 + 23 * number, 100 + (number % 17 - 8) / 10, 1 + number % 5) for number in range(300)]


def csv(rows: list[L2], symbol: str) -> bytes:
    lines = [
        f"binance,{symbol},{r.local_ns // 1000},{r.local_ns // 1000},{str(r.is_snapshot).lower()},{r.side},{r.price},{r.amount}\n"
        for r in rows
    ]
    return HEADER + "".join(lines).encode()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two symbols with trades and books of one day, one with trades alone."""
    root = tmp_path_factory.mktemp("books")
    book = [row for row in long_days(900) if row.local_ns < (START_US + 10_000) * NS_PER_US]
    for symbol in ("BTCUSDT", "ETHUSDT", "LTCUSDT"):
        lines = [trade(us, symbol=symbol, price=price, amount=amount) for us, price, amount in TRADES]
        put(dataset(root, symbol=symbol), trades(*lines))
        if symbol != "LTCUSDT":
            put(root / f"binance_{TYPE}_{DAY}_{symbol}.csv.gz", csv(book, symbol))
    made = Store(root / "tape")
    assert take(made, root, block_rows=32).exit_code == 0
    return made


times = st.lists(st.integers(0, 9), max_size=12).map(sorted)


@given(times, times, st.lists(st.integers(1, 12), max_size=5), st.lists(st.integers(1, 12), max_size=5))
def test_blocks_of_any_size_are_played_in_one_order(
    trades: list[int], changes: list[int], trade_cuts: list[int], change_cuts: list[int]
) -> None:
    def cut(rows: list[int], cuts: list[int]) -> list[np.ndarray]:
        return [part for part in np.split(np.array(rows, np.int64), sorted(cuts)) if len(part)]

    blocks = [Changes(BookRows(*[part] * 5), 0, after_gap=True) for part in cut(changes, change_cuts)]
    played: list[tuple[int, int]] = []
    gaps = 0
    for rows, change in events(iter([Rows(*[part] * 5) for part in cut(trades, trade_cuts)]), iter(blocks)):
        pair = [(int(when), 0) for when in rows.local_ns] + [(int(when), 1) for when in change.rows.local_ns]
        played += sorted(pair)
        gaps += change.after_gap
    assert played == sorted([(when, 0) for when in trades] + [(when, 1) for when in changes])
    assert gaps == len(blocks)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.reel"))}


def test_a_run_is_what_the_twin_does_for_any_number_of_workers(store: Store, tmp_path: Path) -> None:
    parameters = {"seed": 3, "busy": 0.3}
    found = []
    for workers, jit in ((1, True), (2, True), (1, False)):
        out = tmp_path / f"{workers}{jit}"
        result = tickreel.backtest(
            Slow, store=store.root, symbols=["BTCUSDT", "ETHUSDT"], out=out, workers=workers, jit=jit,
            latency="3us", **parameters,
        )  # fmt: skip
        assert not result.failed
        found.append(contents(out))
    assert found[0] == found[1] == found[2]
    tape = [
        TwinTrade(
            float(price), float(amount), 1, (START_US + us - 1_000) * NS_PER_US, (START_US + us) * NS_PER_US
        )
        for us, price, amount in TRADES
    ]
    book = [row for row in long_days(900) if row.local_ns < (START_US + 10_000) * NS_PER_US]
    wanted, _ = run_twin(Slow, parameters, AccountSettings(latency_ns=3_000), tape, book)
    fills = result.fills("BTCUSDT")
    assert len(wanted.fills) > 20
    for column in ("order_id", "venue_ns", "price", "quantity", "fee_nanos", "cash_nanos"):
        assert fills[column].tolist() == wanted.fills[column].tolist()


def test_every_set_of_a_sweep_is_what_its_run_is(store: Store) -> None:
    given = {"store": store.root, "symbols": ["BTCUSDT", "ETHUSDT"], "latency": "3us", "workers": 1}
    found = tickreel.sweep(Slow, {"seed": [3, 4], "busy": 0.3}, **given)
    for one in found.sets:
        assert not one.failed
        assert one.metrics == tickreel.backtest(Slow, **given, **one.parameters).metrics
    assert found.sets[0].metrics != found.sets[1].metrics


def test_a_symbol_without_a_book_is_named(store: Store) -> None:
    with pytest.raises(
        UsageError, match=r"Watcher.on_book: binance:LTCUSDT has trades, but no rows of incremental_book_L2"
    ):
        tickreel.backtest(Watcher, store=store.root)
