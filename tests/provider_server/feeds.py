"""GET /v1/data-feeds/{exchange}: NDJSON of some minutes, a made-up message for each symbol and channel every 10 s."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web


def routes(server: Any) -> list[web.RouteDef]:
    from provider_server.server import refusal

    async def minutes(request: web.Request) -> web.StreamResponse:
        try:
            begin = datetime.fromisoformat(request.query["from"].replace("Z", "+00:00"))
            begin = begin.replace(tzinfo=begin.tzinfo or UTC, second=0, microsecond=0)
            begin += timedelta(minutes=int(request.query.get("offset", 0)))
            filters = json.loads(request.query.get("filters") or "[]")
            size = int(request.query.get("sliceSize", 1))
        except (KeyError, ValueError):
            raise refusal(400, "from must be in ISO 8601 format") from None
        if not 1 <= size <= 10:
            raise refusal(400, "sliceSize must be from 1 to 10")
        if len(str(request.url)) > 8_000:
            raise web.HTTPRequestURITooLong(text="URI too long")
        server.access(request, f"{begin:%Y-%m-%d}")
        lines = b"".join(minute(begin + timedelta(minutes=n), filters) for n in range(size))
        headers = {"Content-Encoding": "gzip", "x-slice-size": str(size), "x-suggested-slice-size": "5"}
        return web.Response(
            body=gzip.compress(lines, mtime=0), content_type="application/x-json-stream", headers=headers
        )

    return [web.get("/v1/data-feeds/{exchange}", minutes)]


def minute(begin: datetime, filters: list[dict[str, Any]]) -> bytes:
    """Return the lines of a minute; at 10 minutes past the hour the recorder was disconnected."""
    lines = []
    for second in range(0, 60, 10):
        for one in filters or [{"channel": "trade"}]:
            for symbol in one.get("symbols") or ["btcusdt"]:
                at = begin + timedelta(seconds=second, microseconds=len(lines))
                message = {"stream": f"{symbol}@{one['channel']}", "data": {"E": int(at.timestamp() * 1e3)}}
                lines.append(f"{at:%Y-%m-%dT%H:%M:%S.%f}1Z {json.dumps(message, separators=(',', ':'))}")
    if begin.minute == 10:
        lines.insert(3, "")
    return "".join(line + "\n" for line in lines).encode()
