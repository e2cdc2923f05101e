"""Symbols whose price x amount is no money are refused; all others are taken."""

from pathlib import Path

import pytest

import tickreel
from tickreel.ingest.importer import ImportSettings, import_files
from tickreel.instruments import not_money
from tickreel.store.catalog import Store


@pytest.mark.parametrize(
    ("exchange", "symbol", "refused"),
    [
        ("binance", "BTCUSDT", False),
        ("binance-futures", "BTCUSDT_240628", False),
        ("binance-delivery", "BTCUSD_PERP", True),
        ("bybit", "BTCUSDT", False),
        ("bybit", "BTCPERP", False),
        ("bybit", "BTC-29MAR24", False),
        ("bybit", "BTCUSD", True),
        ("bybit", "BTCUSDH24", True),
        ("bybit-spot", "BTCUSDC", False),
        ("okex", "BTC-USDT", False),
        ("okex-swap", "BTC-USDT-SWAP", True),
        ("deribit", "BTC-PERPETUAL", True),
        ("deribit", "BTC-28JUN24-60000-C", True),
        ("deribit", "BTC_USDC-PERPETUAL", False),
        ("deribit", "BTC_USDT", False),
    ],
)
def test_which_symbols_are_refused(exchange: str, symbol: str, refused: bool) -> None:
    assert (not_money(exchange, symbol) is not None) == refused


def test_a_run_refuses_them_by_name_and_finishes_the_rest(tmp_path: Path) -> None:
    header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    for exchange, symbol in (("deribit", "BTC-PERPETUAL"), ("binance", "BTCUSDT")):
        rows = [
            f"{exchange},{symbol},{t},{t},,buy,{100 + t % 7},1\n"
            for t in range(1_704_067_200_000_000, 1_704_067_200_000_050)
        ]
        (tmp_path / f"{exchange}_trades_2024-01-01_{symbol}.csv").write_text(header + "".join(rows))
    import_files(Store(tmp_path / "tape"), [str(tmp_path)], ImportSettings(workers=1))
    result = tickreel.backtest("momentum", store=tmp_path / "tape", workers=1)
    assert list(result.symbols) == ["binance:BTCUSDT"]
    assert "inverse" in result.failed["deribit:BTC-PERPETUAL"][0]
