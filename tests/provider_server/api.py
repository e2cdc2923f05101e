"""GET /v1/exchanges[/{exchange}], /v1/instruments/{exchange}[/{symbol}], /v1/api-key-info."""

from datetime import timedelta
from typing import Any

from aiohttp import web

from provider_server.datasets import known_symbols
from tickreel.schema import MARKET_TYPES

SINCE = "2019-11-17T00:00:00.000Z"


def routes(server: Any) -> list[web.RouteDef]:
    from provider_server.server import refusal

    def exchanges() -> list[str]:
        return sorted({path.name for root in server.roots for path in root.iterdir() if path.is_dir()})

    def need_key(request: web.Request) -> str:
        key = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if key not in server.keys:
            raise refusal(401, f"Invalid API key: {key}")
        return key

    async def listing(request: web.Request) -> web.Response:
        return web.json_response([{"id": name, "name": name, "enabled": True} for name in exchanges()])

    async def details(request: web.Request) -> web.Response:
        name = request.match_info["exchange"]
        if name not in exchanges():
            raise refusal(404, f"no such exchange: {name}")
        # The day before yesterday is ready; yesterday is at 6 h.
        ready = (server.now - timedelta(hours=6)).replace(hour=0, minute=0, second=0, microsecond=0)
        symbols = [
            {"id": symbol, "type": "perpetual", "availableSince": SINCE, "dataTypes": [*MARKET_TYPES]}
            for symbol in sorted(known_symbols(server, name))
        ]
        sets = {
            "formats": ["csv"], "exportedFrom": SINCE, "exportedUntil": ready.isoformat().replace("+00:00", "Z"),
            "stats": {"trades": 1, "bookChanges": 1}, "symbols": symbols,
        }  # fmt: skip
        return web.json_response({
            "id": name, "name": name, "enabled": True, "availableSince": SINCE, "availableChannels": ["trade"],
            "availableSymbols": symbols, "incidentReports": [], "datasets": sets,
        })  # fmt: skip

    async def instruments(request: web.Request) -> web.Response:
        need_key(request)
        rows = [instrument(symbol, request.match_info["exchange"]) for symbol in ("BTCUSDT", "ETHUSDT")]
        symbol = request.match_info.get("symbol")
        if symbol is None:
            return web.json_response(rows)
        found = [row for row in rows if row["id"] == symbol.upper()]
        if not found:
            raise refusal(404, f"no such instrument: {symbol}")
        return web.json_response(found[0])

    async def key_info(request: web.Request) -> web.Response:
        first, last = server.keys[need_key(request)]
        rows = [{
            "exchange": name, "accessType": "subscription", "dataPlan": "pro", "symbols": [],
            "from": f"{first}T00:00:00.000Z", "to": f"{last}T00:00:00.000Z",
        } for name in exchanges()]  # fmt: skip
        return web.json_response(rows)

    return [
        web.get("/v1/exchanges", listing),
        web.get("/v1/exchanges/{exchange}", details),
        web.get("/v1/instruments/{exchange}", instruments),
        web.get("/v1/instruments/{exchange}/{symbol}", instruments),
        web.get("/v1/api-key-info", key_info),
    ]


def instrument(symbol: str, exchange: str) -> dict[str, Any]:
    return {
        "id": symbol, "datasetId": symbol, "exchange": exchange, "baseCurrency": symbol[:3],
        "quoteCurrency": "USDT", "type": "perpetual", "active": True, "availableSince": SINCE,
        "priceIncrement": 0.1, "amountIncrement": 0.001, "minTradeAmount": 0.001, "makerFee": 0.0002,
        "takerFee": 0.0004, "inverse": False, "contractMultiplier": 1, "quanto": False,
    }  # fmt: skip
