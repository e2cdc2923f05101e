"""Made-up files of a day, and what `tickreel quality` says of them."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from import_sample import DAY_US, START_US, put, take
from tickreel.cli.app import run
from tickreel.quality.rule import Severity
from tickreel.schema import RECORD_TYPES

TRADE = {"timestamp": 0, "local_timestamp": 0, "id": 0, "side": "buy", "price": 100, "amount": 1}
QUOTE = {
    "timestamp": 0,
    "local_timestamp": 0,
    "ask_amount": 1,
    "ask_price": 101,
    "bid_price": 100,
    "bid_amount": 1,
}
LEVEL = {
    "timestamp": 0,
    "local_timestamp": 0,
    "is_snapshot": "false",
    "side": "bid",
    "price": 100,
    "amount": 1,
}
TICKER = {
    "timestamp": 0, "local_timestamp": 0, "funding_timestamp": START_US, "funding_rate": 0.0001,
    "predicted_funding_rate": "", "open_interest": 1, "last_price": 1, "index_price": 1, "mark_price": 1,
}  # fmt: skip
SAMPLES = {"trades": TRADE, "quotes": QUOTE, "incremental_book_L2": LEVEL, "derivative_ticker": TICKER}
EVERY_US = 10_000_000
"""Distance of rows: with this many a day no silence is a gap."""

Rows = list[dict[str, Any]]


def usual(
    type: str = "trades", day: int = 0, count: int = DAY_US // EVERY_US, every_us: int = EVERY_US
) -> Rows:
    """Return rows all over a day, 1 ms and 3 us behind the exchange's clock, ids without a hole."""
    start = START_US + day * DAY_US
    rows = []
    for number in range(count):
        local = start + number * every_us + 3
        row = SAMPLES[type] | {"timestamp": local - 1_003, "local_timestamp": local}
        rows.append(row | ({"id": day * count + number + 1} if "id" in row else {}))
    return rows


def write(
    root: Path,
    rows: Rows,
    type: str = "trades",
    symbol: str = "BTCUSDT",
    day: str = "2024-01-01",
    exchange: str = "binance",
) -> Path:
    keys = RECORD_TYPES[type].shape(local=not rows or "local_timestamp" in rows[0]).csv_header
    lines = [",".join(keys)]
    for row in rows:
        cells = {"exchange": exchange, "symbol": symbol} | row
        lines.append(",".join(str(cells[key]) for key in keys))
    path = root.joinpath(exchange, type, *day.split("-"), f"{symbol.replace(':', '-')}.csv")
    return put(path, "\n".join([*lines, ""]).encode())


def document(place: Path, *words: object, code: int = 0) -> dict[str, Any]:
    """Import the files of a folder and return the JSON document of `tickreel quality`."""
    take(place / "tape", place / "files")
    return called(place, *words, code=code)


def called(place: Path, *words: object, code: int = 0) -> dict[str, Any]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        found = run(["quality", "--store", str(place / "tape"), "--workers", "1", "--json", *map(str, words)])
    assert found == code, text.getvalue()
    return json.loads(text.getvalue())


def verdicts(found: dict[str, Any], day: int = 0) -> dict[str, tuple[str, str]]:
    """Return rule -> (severity, text) of one day."""
    return {
        verdict["rule"]: (Severity(verdict["severity"]).word, verdict["text"])
        for verdict in found["days"][day]["verdicts"]
    }


def changed(rows: Rows, **values: Any) -> Rows:
    return [
        row | {name: value(row) if callable(value) else value for name, value in values.items()}
        for row in rows
    ]


def without(rows: Rows, first: int, last: int) -> Rows:
    return rows[:first] + rows[last:]


def fill(place: Path) -> None:
    for symbol, days in (("AUSDT", (1, 2, 4)), ("BUSDT", (1,))):
        for day in days:
            write(place / "files", usual(day=day - 1, count=40), symbol=symbol, day=f"2024-01-0{day}")
    write(place / "files", [], symbol="BUSDT", day="2024-01-02")
    write(place / "files", usual("quotes", count=40), "quotes", "AUSDT")
