"""Instruments in the form of Tardis' JSON, one for each venue and habit; made up after the venues' documents."""

import json
from pathlib import Path
from typing import Any

from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.instruments import dataset_symbol
from tickreel.store.catalog import Store

COMMON = {"active": True, "availableSince": "2019-03-30T00:00:00.000Z", "priceIncrement": 0.1}

ITEMS: dict[str, dict[str, Any]] = {
    "binance": {
        "id": "btcusdt", "datasetId": "BTCUSDT", "exchange": "binance", "baseCurrency": "BTC",
        "quoteCurrency": "USDT", "type": "spot", "priceIncrement": 0.01, "amountIncrement": 0.00001,
        "minTradeAmount": 0.00001, "minNotional": 5, "makerFee": 0.001, "takerFee": 0.001,
        "availableSince": "2019-03-30T00:00:00.000Z", "active": True, "somethingNew": {"a": [1]},
        "changes": [{"until": "2023-10-24T07:00:00.000Z", "minNotional": 10}],
    },
    "binance-futures": {
        **COMMON, "id": "btcusdt_240628", "exchange": "binance-futures", "baseCurrency": "BTC",
        "quoteCurrency": "USDT", "type": "future", "contractType": "linear_future", "inverse": False,
        "contractMultiplier": 1, "settlementCurrency": "USDT", "amountIncrement": "0.001",
        "makerFee": "0.0002", "takerFee": "0.0005", "expiry": "2024-06-28T08:00:00.000Z",
    },
    "binance-delivery": {
        **COMMON, "id": "btcusd_perp", "exchange": "binance-delivery", "baseCurrency": "BTC",
        "quoteCurrency": "USD", "type": "perpetual", "contractType": "inverse_perpetual", "inverse": True,
        "contractMultiplier": 100, "settlementCurrency": "BTC", "amountIncrement": 1,
    },
    "bybit": {
        **COMMON, "id": "BTCUSD", "exchange": "bybit", "baseCurrency": "BTC", "quoteCurrency": "USD",
        "type": "perpetual", "inverse": True, "contractMultiplier": 1, "settlementCurrency": "BTC",
        "amountIncrement": 1,
    },
    "okex-swap": {
        **COMMON, "id": "BTC-USDT-SWAP", "exchange": "okex-swap", "baseCurrency": "BTC",
        "quoteCurrency": "USDT", "type": "perpetual", "contractType": "linear_perpetual", "inverse": False,
        "contractMultiplier": "0.01", "settlementCurrency": "USDT", "amountIncrement": 0.01,
        "makerFee": 0.0002, "takerFee": 0.0005,
        "changes": [
            {"until": "2022-01-01T00:00:00.000Z", "contractMultiplier": 0.1, "priceIncrement": "0.5"},
            {"until": "2020-06-01T00:00:00.000Z", "priceIncrement": 1},
        ],
    },
    "deribit": {
        **COMMON, "id": "AVAX_USDC-29MAY26-8d6-P", "exchange": "deribit", "baseCurrency": "AVAX",
        "quoteCurrency": "USDC", "type": "option", "contractType": "put_option", "inverse": False,
        "contractMultiplier": 1000, "settlementCurrency": "USDC", "amountIncrement": 1, "optionType": "put",
        "strikePrice": 8.6, "expiry": "2026-05-29T08:00:00.000Z", "priceIncrement": 0.0001,
    },
    "bitmex": {
        **COMMON, "id": "ETHUSD", "exchange": "bitmex", "baseCurrency": "ETH", "quoteCurrency": "USD",
        "type": "perpetual", "contractType": "quanto_perpetual", "inverse": False, "quanto": True,
        "contractMultiplier": 0.000001, "settlementCurrency": "XBT", "amountIncrement": 1,
    },
}  # fmt: skip


def write_json(path: Path, *items: dict[str, Any], single: bool = False) -> Path:
    """Write a file as Tardis answers: a list, or one object."""
    path.write_text(json.dumps(items[0] if single else list(items)))
    return path


def store_of(folder: Path, *rows: tuple[str, str], day: str = "2024-01-01", amount: str = "2") -> Store:
    """Return a store with 50 trades of each (exchange, symbol), priced 100 to 106, one a ms from 00:00 on."""
    from tickreel.units import day_start

    start = day_start(day) // 1_000
    for exchange, symbol in rows:
        lines = [
            f"{exchange},{symbol},{t},{t},,buy,{100 + k % 7},{amount}\n"
            for k, t in enumerate(range(start, start + 50_000, 1_000))
        ]
        name = folder / f"{exchange}_trades_{day}_{dataset_symbol(symbol)}.csv"
        name.write_text("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n" + "".join(lines))
    store = Store(folder / "tape")
    import_files(store, [str(folder)], ImportSettings(types=("trades",), workers=1))
    return store
