"""tardis-machine: /replay-normalized, /ws-replay-normalized, /ws-stream-normalized ..."""

from typing import Any

from aiohttp import web


def routes(server: Any) -> list[web.RouteDef]:
    return []
