"""Misbehaviour: each function returns what the server does instead of, or around, one good answer."""

import asyncio
import gzip
import io
from typing import Any

from aiohttp import web

from provider_server.server import Fault, Handler


def status(code: int, body: str = "", **headers: str) -> Fault:
    """Answer a status; header names are written with _ for -."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return web.Response(status=code, text=body, headers=named, content_type="application/json")

    return fault


def redirect(url: str, code: int = 302) -> Fault:
    return status(code, Location=url)


def html(code: int = 200) -> Fault:
    """Answer a page, as a proxy or a login does."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(status=code, text="<html>please log in</html>", content_type="text/html")

    return fault


def body(data: bytes, **headers: str) -> Fault:
    """Answer 200 with other bytes."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return web.Response(body=data, headers=named)

    return fault


def raw(data: bytes, *, wait_s: float = 0.0) -> Fault:
    """Put bytes on the wire, HTTP or not, and close."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(data)
        await asyncio.sleep(wait_s)
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    return fault


def reset() -> Fault:
    """Drop the connection before a byte is answered."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        _abort(request)
        return web.Response()

    return fault


def silence(seconds: float) -> Fault:
    """Answer nothing for so long: a half-open connection."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await reset()(request, handler)

    return fault


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def good(request: web.Request, handler: Handler) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the good answer."""
    answer: Any = await handler(request)
    return bytes(answer.body), dict(answer.headers)


def cut(share: float = 0.5) -> Fault:
    """Promise the whole body and drop the connection within it."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        answer = web.StreamResponse(headers={**headers, "Content-Length": str(len(data))})
        await answer.prepare(request)
        await answer.write(data[: int(len(data) * share)])
        await asyncio.sleep(0.02)
        _abort(request)
        return answer

    return fault


def lie(by: int) -> Fault:
    """Say a Content-Length that is wrong, and close."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data) + by}\r\nContent-Type: {headers['Content-Type']}\r\n\r\n"
        return await raw(head.encode() + data, wait_s=0.02)(request, handler)

    return fault


def shortened(share: float = 0.5) -> Fault:
    """Answer the first part of the body with a Content-Length that fits: only its packing shows that it is cut."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        return web.Response(body=data[: int(len(data) * share)], headers=headers)

    return fault


def flipped() -> Fault:
    """Change a byte in the middle."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        middle = len(data) // 2
        changed = data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]
        return web.Response(body=changed, headers=headers)

    return fault


def unpacked() -> Fault:
    """Answer as plain text what should be gzip."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        kept = {name: text for name, text in headers.items() if name.lower() != "content-encoding"}
        return web.Response(body=gzip.decompress(data), headers=kept)

    return fault


def without(name: str) -> Fault:
    """Leave out a header."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        kept = {other: text for other, text in headers.items() if other.lower() != name.lower()}
        return web.Response(body=data, headers=kept)

    return fault


def drip(bytes_per_s: int, seconds: float) -> Fault:
    """Give the body byte by byte, for so long: slow loris."""

    async def fault(request: web.Request, handler: Handler) -> web.StreamResponse:
        data, headers = await good(request, handler)
        answer = web.StreamResponse(headers={**headers, "Content-Length": str(len(data))})
        await answer.prepare(request)
        for place in range(min(len(data), int(bytes_per_s * seconds))):
            await answer.write(data[place : place + 1])
            await asyncio.sleep(1 / bytes_per_s)
        _abort(request)
        return answer

    return fault


def bomb(text_bytes: int = 512 << 20, line: bytes = b"\0", **headers: str) -> Fault:
    """A gzip of nothing but zeros, or one line, of some thousandth of that size."""
    packed = io.BytesIO()
    piece = line * ((1 << 20) // len(line))
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for _ in range(text_bytes >> 20):
            file.write(piece)
    return body(packed.getvalue(), **{"Content_Type": "application/gzip", **headers})
