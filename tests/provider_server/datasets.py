"""GET /v1/{exchange}/{type}/{YYYY}/{MM}/{DD}/{SYMBOL}.csv.gz."""

import gzip
from typing import Any

from aiohttp import web

from tickreel.schema import GROUPS, MARKET_TYPES

EMPTY = gzip.compress(b"", mtime=0)


def routes(server: Any) -> list[web.RouteDef]:
    async def day_file(request: web.Request) -> web.StreamResponse:
        from provider_server.server import refusal

        exchange, type, year, month, day, name = (
            request.match_info[part] for part in ("exchange", "type", "y", "m", "d", "name")
        )
        if type not in MARKET_TYPES:
            raise refusal(400, f"invalid data type {type}")
        server.access(request, f"{year}-{month}-{day}")
        symbol = name.removesuffix(".csv.gz")
        found = [root / exchange / type / year / month / day / name for root in server.roots]
        path = next((path for path in found if path.is_file()), None)
        if path is None and symbol not in known_symbols(server, exchange):
            raise refusal(404, f"no such symbol: {symbol}")
        data = path.read_bytes() if path else EMPTY
        return web.Response(body=data, content_type="application/gzip", headers={"x-md5": "unknown"})

    return [web.get("/v1/{exchange}/{type}/{y:\\d{4}}/{m:\\d\\d}/{d:\\d\\d}/{name}", day_file)]


def known_symbols(server: Any, exchange: str) -> set[str]:
    """Return the symbols, as files are named, that an exchange has."""
    names = {
        path.name.removesuffix(".csv.gz")
        for root in server.roots
        for path in (root / exchange).glob("*/*/*/*/*.csv.gz")
    }
    return names | server.symbols | set(GROUPS)
