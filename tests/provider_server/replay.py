"""The rows of CSV files as the messages of tardis-machine's replay: what a machine would map the same day to."""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tickreel.sources.machine import TYPES
from tickreel.units import parse_time

FIELDS = {
    "trades": {"id": "id", "side": "side", "price": "price", "amount": "amount"},
    "liquidations": {"id": "id", "side": "side", "price": "price", "amount": "amount"},
    "book_ticker": {
        "ask_amount": "askAmount", "ask_price": "askPrice", "bid_price": "bidPrice", "bid_amount": "bidAmount",
    },
    "derivative_ticker": {
        "funding_timestamp": "fundingTimestamp", "funding_rate": "fundingRate",
        "predicted_funding_rate": "predictedFundingRate", "open_interest": "openInterest",
        "last_price": "lastPrice", "index_price": "indexPrice", "mark_price": "markPrice",
    },
    "options_chain": {
        "type": "optionType", "strike_price": "strikePrice", "expiration": "expirationDate",
        "open_interest": "openInterest", "last_price": "lastPrice", "bid_price": "bestBidPrice",
        "bid_amount": "bestBidAmount", "bid_iv": "bestBidIV", "ask_price": "bestAskPrice",
        "ask_amount": "bestAskAmount", "ask_iv": "bestAskIV", "mark_price": "markPrice", "mark_iv": "markIV",
        "underlying_index": "underlyingIndex", "underlying_price": "underlyingPrice", "delta": "delta",
        "gamma": "gamma", "vega": "vega", "theta": "theta", "rho": "rho",
    },
}  # fmt: skip
"""Record type -> column of its file -> field of its message; an empty cell is an absent field."""
TIMES = {"fundingTimestamp", "expirationDate"}
TEXTS = {"id", "side", "optionType", "underlyingIndex"}
RECORDS = {name: type for type, name in TYPES.items()}


def replayed(roots: Sequence[Path], options: dict[str, Any]) -> Iterator[bytes]:
    """Yield the messages of a replay of one type and symbol, in the order of its files."""
    type = RECORDS[options["dataTypes"][0]]
    first_us, end_us = (parse_time(options[name]) // 1_000 for name in ("from", "to"))
    # A machine matches names of symbols whatever their case.
    name = f"{options['symbols'][0].upper()}.csv.gz"
    day = datetime.fromtimestamp(first_us / 1e6, UTC)
    for root in roots:
        path = root / options["exchange"] / type / f"{day:%Y/%m/%d}" / name
        for row in csv.DictReader(gzip.open(path, "rt")) if path.is_file() else ():
            if first_us <= int(row["local_timestamp"]) < end_us:
                yield line(type, row)


def line(type: str, row: dict[str, str]) -> bytes:
    fields = {
        "type": TYPES[type], "symbol": row["symbol"], "exchange": row["exchange"],
        **{field: value(field, row[column]) for column, field in FIELDS[type].items() if row[column]},
        "timestamp": iso(row["timestamp"]), "localTimestamp": iso(row["local_timestamp"]),
    }  # fmt: skip
    return json.dumps(fields, separators=(",", ":")).encode()


def value(field: str, cell: str) -> Any:
    return iso(cell) if field in TIMES else cell if field in TEXTS else float(cell)


def iso(us: str) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
