"""The one place that opens sockets for HTTP: aiohttp, TLS verified, the key put into its header here."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from tickreel.config.profile import Limits
from tickreel.ingest.transport.wire import Answer, Broken, Request, is_local

_BUFFER_BYTES = 1 << 18


class Sockets:
    """Open connections to providers; used as `async with`, and `request` is its one method."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._session: Any = None

    async def __aenter__(self) -> "Sockets":
        # Neither cookies nor .netrc: who asks is said by the key alone.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_s),
            auto_decompress=False,
            read_bufsize=_BUFFER_BYTES,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @contextlib.asynccontextmanager
    async def request(self, request: Request) -> AsyncIterator[Answer]:
        """Ask; redirects are not followed. Raises Broken, while asking and while the body is read."""
        headers = {**request.headers, **request.own}
        if request.key:
            headers[request.key_header] = f"{request.key_scheme} {request.key.reveal()}".strip()
        try:
            async with self._session.request(
                request.method, request.url, headers=headers, data=request.body or None,
                allow_redirects=False, proxy=proxy_of(request.url),
            ) as response:  # fmt: skip
                try:
                    yield Answer(response.status, _lowered(response.headers), _pieces(response))
                finally:
                    # What is not read to its end is not drained: it may be of any size.
                    if not response.content.at_eof():
                        response.close()
        except aiohttp.ClientConnectorCertificateError as error:
            raise Broken(f"no safe connection ({said(error)})", lasting=True) from None
        except aiohttp.InvalidURL:
            raise Broken("its address cannot be asked", lasting=True) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Broken(said(error), away=True) from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise Broken(said(error)) from None


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise Broken(said(error)) from None


def _lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): text for name, text in headers.items()}


def said(error: BaseException) -> str:
    """Return what failed, in a line, without what was sent."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} is not known; is there a network?"
    if isinstance(error, TimeoutError):
        return "the connection took too long"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return str(getattr(error, "certificate_error", error))
    told = (
        getattr(error, "strerror", None)
        or getattr(error, "message", None)
        or str(error)
        or type(error).__name__
    )
    return str(told).splitlines()[0][:200]


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for an address; none for this machine's own."""
    parts = urlsplit(url)
    if is_local(url) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get({"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme))
