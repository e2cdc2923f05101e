"""The server: a thread, its state, and what stands before every route: faults, latency, calls a minute."""

import asyncio
import json
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from provider_server import api, datasets, feeds, machine, relay

KEY = "TD.canary-5d1e07c3"
"""A key that may read everything."""

PARTS = (api, datasets, feeds, relay, machine)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """One request as it came; at: seconds of the monotonic clock."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class ProviderServer:
    """Used as `with ProviderServer(roots) as server`; attributes may be changed while it runs.

    roots    folders in the layout of Tardis' datasets; the first that has a file gives it
    symbols  that are known beside those of the files; any other is answered 404
    keys     key -> days that it may read, (from, to); the first day of a month needs none
    now      its clock, which says which days are ready; it stands still
    latency_s, calls_per_minute   of every answer; 0: none
    """

    roots: Sequence[Path] = ()
    symbols: set[str] = field(default_factory=set)
    keys: dict[str, tuple[str, str]] = field(default_factory=lambda: {KEY: ("2000-01-01", "2100-01-01")})
    now: datetime = datetime(2024, 6, 2, 8, tzinfo=UTC)
    latency_s: float = 0.0
    calls_per_minute: int = 0
    relay_page_rows: int = 1_000_000
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.machine = machine.Machine()
        self._faults: list[tuple[re.Pattern[str], deque[Fault]]] = []
        self._calls: deque[float] = deque()
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider server", daemon=True)
        self.port = 0

    def __enter__(self) -> "ProviderServer":
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The base URL, of the API and of the CSV files: their paths do not collide."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What makes all providers this server."""
        names = ("TARDIS", "TARDIS_MACHINE", "HOLYSHEEP")
        return {f"{name}_BASE_URL": self.url for name in names}

    def hurried(self, folder: Path, more: str = "") -> dict[str, str]:
        """Return `environment` with waits of a fiftieth between tries; more: lines of [tardis.limits]."""
        path = folder / "providers.toml"
        names = ("tardis-machine", "holysheep", "tardis")
        path.write_text("".join(f"[{name}.limits]\nbackoff_first_s = 0.02\n" for name in names) + more)
        return {**self.environment, "TICKREEL_CONFIG": str(path)}

    def fail(self, path: str, *faults: Fault, times: int = 1) -> None:
        """Give the next requests whose path matches a pattern these faults, one each."""
        self._faults.append((re.compile(path), deque(faults * times)))

    def renew(self) -> "ProviderServer":
        """Heal, and forget what was asked; return itself, for the next test."""
        self.heal()
        self.seen.clear()
        return self

    def heal(self) -> None:
        self._faults.clear()

    def asked(self, path: str = "") -> list[Seen]:
        """Return the requests so far whose path matches a pattern."""
        return [one for one in self.seen if re.search(path, one.path)]

    def access(self, request: web.Request, day: str) -> None:
        """Raise 401 unless the key may read a day."""
        key = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if key and key not in self.keys:
            raise refusal(401, f"Invalid API key: {key}")
        first, last = self.keys.get(key, ("", ""))
        if not day.endswith("-01") and not first <= day < last:
            raise refusal(
                401, "Unauthorized: free access is to the first day of each month, or extend your plan"
            )

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._before], client_max_size=1 << 24)
        for part in PARTS:
            app.add_routes(part.routes(self))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls, backlog=512)
        await site.start()
        self._pump = asyncio.ensure_future(self.machine.pump())
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _stop(self) -> None:
        self._pump.cancel()
        await self._runner.cleanup()

    @web.middleware
    async def _before(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        body = await request.read() if request.method == "POST" else b""
        self.seen.append(
            Seen(request.method, request.path, dict(request.query), dict(request.headers), body, time.monotonic())
        )  # fmt: skip
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            self._count_call()
            for pattern, faults in self._faults:
                if faults and pattern.search(request.path):
                    return await faults.popleft()(request, handler)
            return await handler(request)
        finally:
            self._at_once -= 1

    def _count_call(self) -> None:
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - 60:
            self._calls.popleft()
        if self.calls_per_minute and len(self._calls) >= self.calls_per_minute:
            wait = int(self._calls[0] + 60 - now) + 1
            raise refusal(429, "too many requests", {"Retry-After": str(wait)})
        self._calls.append(now)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> web.HTTPException:
    """Return an error as Tardis words it."""
    kind = {
        400: web.HTTPBadRequest, 401: web.HTTPUnauthorized, 404: web.HTTPNotFound, 429: web.HTTPTooManyRequests,
    }[status]  # fmt: skip
    return kind(
        text=json.dumps({"code": status, "message": message}),
        content_type="application/json",
        headers=headers,
    )
