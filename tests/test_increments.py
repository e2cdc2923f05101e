"""Tick and lot as trades show them: the divisor of all prices, in blocks of any size and of any scale."""

from decimal import Decimal
from math import gcd
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickreel.errors import UsageError
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.scan.increments import derived_facts
from tickreel.store.catalog import Store
from tickreel.units import parse_time

DAY = parse_time("2024-01-01")


def trades(folder: Path, prices: list[str], block_rows: int) -> Store:
    folder.mkdir()
    start = DAY // 1_000
    lines = [f"binance,X,{start + k},{start + k},,buy,{price},1\n" for k, price in enumerate(prices)]
    (folder / "binance_trades_2024-01-01_X.csv").write_text(
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n" + "".join(lines)
    )
    store = Store(folder / "tape")
    import_files(store, [str(folder)], ImportSettings(workers=1, block_rows=block_rows))
    return store


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 6)), min_size=1, max_size=40),
    st.sampled_from([1, 5, 25]),
    st.sampled_from([1, 3, 100]),
)
def test_the_tick_is_the_divisor_of_all_prices_in_blocks_of_any_size(
    tmp_path_factory, numbers, step, block_rows
):
    """The twin: fractions of all prices at once."""
    prices = [Decimal(number * step).scaleb(-scale) for number, scale in numbers]
    store = trades(tmp_path_factory.mktemp("x") / "f", [format(p, "f") for p in prices], block_rows)
    found = {fact.name: fact for fact in derived_facts(store, "binance", "X", day="2024-01-01")}
    whole = gcd(*(int(price * 10**6) for price in prices))
    assert found["tick"].value == Decimal(whole).scaleb(-6)
    assert found["lot"].value == 1


def test_no_tick_where_a_price_is_no_decimal_of_fifteen_digits(tmp_path):
    store = trades(tmp_path / "f", ["1.5", "1e-300"], 100)
    assert [fact.name for fact in derived_facts(store, "binance", "X", day="2024-01-01")] == ["lot"]


def test_the_made_up_market_has_the_ticks_that_it_was_made_with(market_store):
    found = derived_facts(market_store, "binance-futures", "BTCUSDT", day="2024-01-02")
    assert [(fact.name, str(fact.value)) for fact in found] == [("tick", "0.1"), ("lot", "0.001")]
    assert all(fact.source.startswith("derived from ") for fact in found)


def test_a_day_or_a_symbol_without_trades_is_an_error(market_store):
    for symbol, day in (("BTCUSDT", "2024-02-01"), ("NIXUSDT", "2024-01-01")):
        with pytest.raises(UsageError, match="in that time"):
            derived_facts(market_store, "binance-futures", symbol, day=day)
