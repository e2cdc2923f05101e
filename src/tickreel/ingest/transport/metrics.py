"""The numbers of a running command for Prometheus: /metrics on loopback, and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from tickreel.errors import UsageError

_MOST_REQUEST_BYTES = 1 << 14
_READ_S = 5.0
HOSTS = ("localhost", "127.0.0.1", "[::1]")


@contextlib.asynccontextmanager
async def serve(port: int, text: Callable[[], str]) -> AsyncIterator[int]:
    """Answer `text()` to GET /metrics while used; yield the port. UsageError where the port is taken.

    port  0: any that is free
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            writer.write(_answer(head, text))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, "127.0.0.1", port, limit=_MOST_REQUEST_BYTES)
    except OSError as error:
        raise UsageError(f"--metrics {port}: {error.strerror or error}; choose another port") from None
    async with server:
        yield server.sockets[0].getsockname()[1]


def _answer(head: str, text: Callable[[], str]) -> bytes:
    """Return what is answered to the head of a request; only who asks for this host is answered."""
    request, *lines = head.split("\r\n")
    hosts = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:")]
    if len(hosts) != 1 or hosts[0].rpartition(":")[0].lower() not in HOSTS:
        return _response("403 Forbidden", "ask for localhost\n")
    if request.split(" ")[:2] != ["GET", "/metrics"]:
        return _response("404 Not Found", "GET /metrics\n")
    return _response("200 OK", text(), kind="text/plain; version=0.0.4; charset=utf-8")


def _response(status: str, body: str, *, kind: str = "text/plain; charset=utf-8") -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    return head.encode() + data
