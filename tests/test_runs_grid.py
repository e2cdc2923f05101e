"""The range that a figure speaks of, and the grid of samples: one rule, whatever else is in the run."""

import json

import numpy as np
import pytest

import tickreel
from tickreel import Param, Strategy
from tickreel.errors import StrategyError
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.runs.grid import boundaries, range_of
from tickreel.runs.settings import RunSettings
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, parse_time

HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
HOUR = NS_PER_DAY // 24
START = parse_time("2024-01-01")


class Holds(Strategy):
    share = Param(0.5)

    def on_trade(self, trade, ctx):
        if ctx.idle and ctx.flat:
            ctx.buy(self.share * ctx.equity / trade.price)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """LONG has 70 days, SHORT 15 of them; the first and the last trade of a day are at 06:00 and 18:00."""
    folder = tmp_path_factory.mktemp("grid")
    for symbol, first, count in (("LONG", 0, 70), ("SHORT", 20, 40)):
        for day in range(first, first + count):
            lines = []
            for number in range(25):
                us = (START + day * NS_PER_DAY + 6 * HOUR + number * HOUR // 2) // 1000
                price = 100 + (day * 7 + number * 3) % 11
                lines.append(f"binance,{symbol},{us},{us},{number},buy,{price},5\n")
            name = (
                f"binance_trades_{np.datetime64(START + day * NS_PER_DAY, 'ns').astype('M8[D]')}_{symbol}.csv"
            )
            (folder / name).write_text(HEADER + "".join(lines))
    store = Store(folder / "tape")
    import_files(store, [str(folder)], ImportSettings(workers=1))
    return store


def run(store, **settings):
    return tickreel.backtest(Holds, store=store.root, workers=1, jit=False, **settings)


def test_a_symbol_s_figures_do_not_depend_on_the_others(store):
    alone = run(store, symbols="SHORT")
    together = run(store)
    assert together.symbols["binance:SHORT"] == alone.symbols["binance:SHORT"]
    assert alone.metrics.periods == 38  # of 40 days the first and the last are not whole
    assert together.metrics.periods == 68
    assert (together.record.from_ns, together.record.to_ns) == (
        START + 6 * HOUR,
        START + 69 * NS_PER_DAY + 18 * HOUR + 1,
    )


@pytest.mark.parametrize(
    ("asked", "periods"),
    [
        ({}, 68),
        ({"start": "2023-01-01"}, 68),
        ({"start": "2023-01-01", "end": "2025-01-01"}, 68),
        ({"start": "2024-01-01"}, 69),
        ({"start": "2024-01-01", "end": "2024-03-11"}, 70),
        ({"start": "2024-01-01T23:00", "end": "2024-01-30T01:00"}, 28),
        ({"start": "2024-01-01", "end": "2024-02-01T12:00"}, 31),
        ({"start": "2024-01-10", "end": "2024-01-11"}, 1),
        ({"start": "2024-01-10T01:00", "end": "2024-01-10T23:00"}, 0),
    ],
)
def test_whole_periods_alone_count(store, asked, periods):
    assert run(store, symbols="LONG", **asked).metrics.periods == periods


def test_year_and_months_are_the_same_for_any_interval(store):
    daily = run(store, symbols="LONG").metrics
    assert list(daily.months) == ["2024-01", "2024-02", "2024-03"]
    for every in ("1w", "1h", "7h", "36h"):
        other = run(store, symbols="LONG", every=every).metrics
        assert (other.annual_return, other.months) == (daily.annual_return, daily.months)
    assert run(store, symbols="LONG", every="1w").metrics.periods == 9


def test_boundaries_and_ranges():
    assert boundaries((0, 10 * NS_PER_DAY, 5)).tolist() == [
        day * NS_PER_DAY for day in (0, 10, 20, 30, 31, 40)
    ]
    assert boundaries((-NS_PER_DAY, NS_PER_DAY // 2, 3)).tolist() == [-NS_PER_DAY, -NS_PER_DAY // 2, 0]
    day = NS_PER_DAY
    assert range_of(5, 9, RunSettings()) == (5, 10)
    assert range_of(5 + day, 9 + day, RunSettings(from_ns=6, to_ns=8 + 2 * day)) == (6, 8 + 2 * day)
    assert range_of(5 + day, 9 + day, RunSettings(from_ns=5, to_ns=10 + 2 * day)) == (5 + day, 10 + day)


def test_every_parameter_is_recorded_and_none_is_called_like_a_setting(store, tmp_path):
    result = run(store, symbols="SHORT", out=tmp_path / "run")
    for name in ("run.json", "metrics.json"):
        assert json.loads((tmp_path / "run" / name).read_text())["settings"]["set"]["share"] == 0.5
    assert result.view()["settings"]["set share"] == "0.5"
    for name in ("periods", "fee", "start", "jit", "symbols", "out"):
        strategy = type("Named", (Holds,), {name: Param(1.0)})
        with pytest.raises(StrategyError, match=rf"Named\.{name}: a setting of every run has that name"):
            tickreel.backtest(strategy, store=store.root)
