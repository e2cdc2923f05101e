"""Raw messages of exchanges, as recorded, to rows of Tardis' files: for tests alone, as plain as can be.

A row is a dictionary of texts by CSV column, with its type. Numbers keep the digits that were sent.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Cells = dict[str, object]
Rows = Iterator[tuple[str, Cells]]

_NO_TRADE = ("INSURANCE_FUND", "ADL", "NA")


def read(path: Path) -> Rows:
    """Yield (type, row) of a capture, in order; messages without rows of a type are passed over."""
    to_rows = next(make for start, make in _CAPTURES.items() if path.name.startswith(start))
    with gzip.open(path, "rt") as file:
        for line in file:
            if found := _message(line, in_ns=not path.name.startswith("cryptofeed")):
                local_us, message = found
                for type, cells in to_rows(message):
                    clock = cells.pop("timestamp", None)
                    yield type, cells | {"timestamp": clock or local_us, "local_timestamp": local_us}


def text(header: Iterable[str], rows: Iterable[Cells]) -> bytes:
    """Return rows as a file; what is missing or null is an empty cell."""
    names = tuple(header)
    lines = [names, *(["" if row.get(name) is None else str(row[name]) for name in names] for row in rows)]
    return ("\n".join(map(",".join, lines)) + "\n").encode()


def _message(line: str, *, in_ns: bool) -> tuple[int, Any] | None:
    """Return (local us, message), or None for what the recorder itself said or sent."""
    if in_ns:
        local, _, body = line.partition(" ")
        return int(local) // 1_000, json.loads(body, parse_float=str)
    local, colon, body = line.partition(": ")
    where, arrow, answered = local.rpartition(" -> ")
    if not colon or "<-" in local or local.startswith("configuration") or (arrow and "/depth?" not in where):
        return None
    message = json.loads(body, parse_float=str)
    if arrow:
        message["s"] = where.partition("symbol=")[2].partition("&")[0]
    return round(float(answered) * 1e6), message


def _key(exchange: str, symbol: str, ms: Any = None) -> Cells:
    return {"exchange": exchange, "symbol": symbol.upper(), "timestamp": int(ms) * 1_000 if ms else None}


def _level(key: Cells, snapshot: bool, side: str, price: Any, amount: Any) -> tuple[str, Cells]:
    flag = "true" if snapshot else "false"
    return "incremental_book_L2", key | {"is_snapshot": flag, "side": side, "price": price, "amount": amount}


def _ladder(key: Cells, snapshot: bool, bids: Iterable[list], asks: Iterable[list]) -> Rows:
    for side, levels in (("bid", bids), ("ask", asks)):
        for price, amount, *_ in levels:
            yield _level(key, snapshot, side, price, amount)


def _binance(exchange: str) -> Callable[[Any], Rows]:
    def rows(message: Any) -> Rows:
        data = message.get("data", message)
        stream = message.get("stream", "")
        key = _key(exchange, data.get("s", "BTCUSDT"), data.get("E"))
        if "lastUpdateId" in data:
            yield from _ladder(key, True, data["bids"], data["asks"])
        elif "@depth" in stream:
            yield from _ladder(key, False, data["b"], data["a"])
        elif stream.endswith("@bookTicker"):
            yield "book_ticker", key | {
                "ask_amount": data["A"], "ask_price": data["a"], "bid_price": data["b"], "bid_amount": data["B"],
            }  # fmt: skip
        elif stream.endswith("@trade") and data.get("X") not in _NO_TRADE:
            side = "sell" if data["m"] else "buy"
            yield "trades", key | {
                "timestamp": data["T"] * 1_000, "id": data["t"], "side": side, "price": data["p"], "amount": data["q"],
            }  # fmt: skip

    return rows


def _bybit(message: Any) -> Rows:
    topic, data = message.get("topic", ""), message.get("data")
    if topic.startswith("trade."):
        for trade in data:
            yield "trades", _key("bybit", trade["symbol"], trade["trade_time_ms"]) | {
                "id": trade["trade_id"], "side": trade["side"].lower(), "price": trade["price"], "amount": trade["size"],
            }  # fmt: skip
    elif topic.startswith("orderBookL2_25."):
        levels = data if isinstance(data, list) else data.get("order_book") or [
            level for what in ("delete", "update", "insert") for level in data.get(what, [])
        ]  # fmt: skip
        for level in levels:
            key = _key("bybit", level["symbol"]) | {"timestamp": int(message["timestamp_e6"])}
            side = "bid" if level["side"] == "Buy" else "ask"
            yield _level(key, message["type"] == "snapshot", side, level["price"], level.get("size", 0))


def _deribit(message: Any) -> Rows:
    parameters = message.get("params", {})
    channel, data = parameters.get("channel", ""), parameters.get("data")
    if channel.startswith("book."):
        key = _key("deribit", data["instrument_name"], data["timestamp"])
        sides = ([level[1:] for level in data[side]] for side in ("bids", "asks"))
        yield from _ladder(key, data["type"] == "snapshot", *sides)
    elif channel.startswith("ticker.") and "greeks" in data:
        coin, expiry, strike, letter = data["instrument_name"].split("-")
        yield "options_chain", _key("deribit", data["instrument_name"], data["timestamp"]) | {
            "type": "put" if letter == "P" else "call", "strike_price": strike,
            **{name: data[name] for name in _OPTION_CELLS}, **data["greeks"],
            **{f"{side}_{what}": data[f"best_{side}_{what}"] for side in ("bid", "ask") for what in ("price", "amount")},
        }  # fmt: skip
    elif channel.startswith("ticker."):
        yield "derivative_ticker", _key("deribit", data["instrument_name"], data["timestamp"]) | {
            "funding_rate": data.get("current_funding"), **{name: data[name] for name in _TICKER_CELLS},
        }  # fmt: skip


_TICKER_CELLS = ("open_interest", "last_price", "index_price", "mark_price")
_OPTION_CELLS = (
    "open_interest", "last_price", "bid_iv", "ask_iv", "mark_price", "mark_iv", "underlying_index", "underlying_price",
)  # fmt: skip


def _okx(message: Any) -> Rows:
    channel = message.get("arg", {}).get("channel")
    for data in message.get("data", []):
        symbol = message["arg"]["instId"]
        exchange = (
            "okex-swap" if symbol.endswith("-SWAP") else ("okex-futures" if symbol[-1].isdigit() else "okex")
        )
        key = _key(exchange, symbol, data["ts"])
        if channel == "trades":
            yield "trades", key | {
                "id": data["tradeId"], "side": data["side"], "price": data["px"], "amount": data["sz"],
            }  # fmt: skip
        elif channel == "books":
            yield from _ladder(key, message["action"] == "snapshot", data["bids"], data["asks"])
        elif channel == "tickers":
            yield "book_ticker", key | {
                "ask_amount": data["askSz"], "ask_price": data["askPx"], "bid_price": data["bidPx"], "bid_amount": data["bidSz"],
            }  # fmt: skip
            if exchange != "okex":
                yield "derivative_ticker", key | {"last_price": data["last"]}


_CAPTURES: dict[str, Callable[[Any], Rows]] = {
    "binance-futures": _binance("binance-futures"),
    "binance_": _binance("binance"),
    "cryptofeed_BINANCE_FUTURES": _binance("binance-futures"),
    "cryptofeed_BYBIT": _bybit,
    "cryptofeed_DERIBIT": _deribit,
    "cryptofeed_OKX": _okx,
}
