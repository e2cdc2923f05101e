"""POST /v1/tardis/trades: the guide's relay, over the rows of the CSV files, and what its stream sent."""

import csv
import gzip
import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

NAMES = {"binance": "binance", "bybit": "bybit", "okx": "okex", "deribit": "deribit"}


def routes(server: Any) -> list[web.RouteDef]:
    from provider_server.server import refusal

    async def trades(request: web.Request) -> web.Response:
        key = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if key not in server.keys:
            raise web.HTTPUnauthorized(
                text='{"error":"Unauthorized","message":"Invalid API key or key has expired"}',
                content_type="application/json",
            )
        try:
            query = json.loads(await request.read())["query"]
            start, end = int(query["start_ms"]), int(query["end_ms"])
            symbol, names = query["symbol"], query["exchange"].split(",")
        except (KeyError, ValueError, TypeError, AttributeError):
            raise refusal(400, "query needs symbol, exchange, start_ms, end_ms") from None
        rows: list[dict[str, Any]] = []
        for name in names:
            if name not in NAMES:
                raise refusal(400, f"unknown exchange {name}")
            rows += [row for row in rows_of(server, name, symbol, start, end)]
            if symbol == server.machine.symbol:
                rows += server.machine.relayed(name, start, end)
        return web.json_response({"trades": rows[: server.relay_page_rows]})

    return [web.post("/v1/tardis/trades", trades)]


def rows_of(server: Any, name: str, symbol: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """Return the trades with start <= time <= end, as the relay words them, in order of exchange time."""
    days = {
        f"{datetime.fromtimestamp(ms / 1e3, UTC):%Y/%m/%d}"
        for ms in (*range(start_ms, end_ms, 86_400_000), start_ms, end_ms)
    }
    found = []
    for root in server.roots:
        for day in sorted(days):
            path = root / NAMES[name] / "trades" / day / f"{symbol}.csv.gz"
            for row in csv.DictReader(gzip.open(path, "rt")) if path.is_file() else ():
                ms = int(row["timestamp"]) // 1_000
                if start_ms <= ms <= end_ms:
                    found.append({
                        "timestamp": ms, "price": float(row["price"]), "volume": float(row["amount"]),
                        "side": row["side"], "fee": round(float(row["price"]) * 0.0004, 6), "exchange": name,
                    })  # fmt: skip
    return sorted(found, key=lambda row: row["timestamp"])
