"""The one place that opens WebSockets: aiohttp, TLS verified, the key put into its header here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tickreel import __version__
from tickreel.config import Key, Profile
from tickreel.errors import UsageError
from tickreel.ingest.transport.redirects import STATUSES
from tickreel.ingest.transport.refusals import refusal, shown_url
from tickreel.ingest.transport.retry import Why
from tickreel.ingest.transport.sockets import proxy_of, said
from tickreel.ingest.transport.streams import Call
from tickreel.ingest.transport.wire import Broken, is_local

_CLOSE_S = 0.3
_DEFLATE_BITS = 15
_LASTING = {401: Why.REFUSED, 403: Why.REFUSED, 404: Why.MISSING}


class WebSockets:
    """Opens the streams of one provider; used as `async with`, and `connect` is its one method."""

    def __init__(self, profile: Profile, key: Key | None) -> None:
        self._profile, self._key = profile, key
        self._session: Any = None

    async def __aenter__(self) -> "WebSockets":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._profile.limits.connect_s),
            middlewares=(_no_redirect,),
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @contextlib.asynccontextmanager
    async def connect(self, call: Call) -> AsyncIterator["_Socket"]:
        """Open a connection. Raises Broken; RefusedError or MissingError where asking again is no use."""
        socket = _Socket(await self._opened(call), self._key)
        try:
            yield socket
        finally:
            await socket.drop()

    async def _opened(self, call: Call) -> Any:
        profile = self._profile
        try:
            async with asyncio.timeout(profile.limits.answer_s):
                return await self._session.ws_connect(
                    call.url, headers=self._headers(call.url), proxy=proxy_of(call.url),
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S), autoping=False, decode_text=False,
                    compress=_DEFLATE_BITS, max_msg_size=profile.stream.max_message_bytes,
                )  # fmt: skip
        except aiohttp.WSServerHandshakeError as error:
            if why := _LASTING.get(error.status):
                raise refusal(why, error.status, "", profile=profile, key=self._key, url=call.url) from None
            raise Broken(f"it answered {error.status} where a WebSocket was asked for") from None
        except TimeoutError:
            raise Broken(f"no answer within {profile.limits.answer_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(self._hidden(said(error))) from None

    def _hidden(self, text: str) -> str:
        return self._key.hide_in(text) if self._key else text

    def _headers(self, url: str) -> dict[str, str]:
        """Return the headers of a connection. UsageError where the key would go over an open wire."""
        key, rule = self._key, self._profile.key
        headers = {"User-Agent": f"tickreel/{__version__}", **self._profile.headers}
        if key is None:
            return headers
        if urlsplit(url).scheme != "wss" and not is_local(url):
            raise UsageError(
                f"{shown_url(url)} would get the key of {key.place} unencrypted; use a wss:// address, or set"
                f' use = "never" in [{self._profile.name}.key] of your providers.toml'
            )
        return headers | {rule.header: f"{rule.scheme} {key.reveal()}".strip()}


class _Socket:
    """One open connection; see `streams.Socket`. A provider may repeat the key that it got: it goes no further."""

    def __init__(self, socket: Any, key: Key | None) -> None:
        self._socket, self._key = socket, key
        self._secret = key.reveal().encode() if key else None

    async def receive(self) -> bytes | None:
        while True:
            message = await self._socket.receive()
            kind = message.type
            if kind is aiohttp.WSMsgType.TEXT or kind is aiohttp.WSMsgType.BINARY:
                data = message.data
                return data if self._secret is None or self._secret not in data else self._hidden(data)
            if kind is aiohttp.WSMsgType.PONG:
                return None
            if kind is not aiohttp.WSMsgType.PING:
                ended = _ended(message, self._socket.close_code)
                raise Broken(self._key.hide_in(ended) if self._key else ended)
            try:
                await self._socket.pong(message.data)
            except (aiohttp.ClientError, OSError) as error:
                raise Broken(said(error)) from None

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(said(error)) from None

    async def ping(self) -> None:
        try:
            await self._socket.ping()
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(said(error)) from None

    def _hidden(self, data: bytes) -> bytes:
        return data.replace(self._secret or b"", b"[key]")

    async def drop(self) -> None:
        """Close, without waiting long for a peer that may be gone, or goes on sending: aiohttp waits for each message anew."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(2 * _CLOSE_S):
                await self._socket.close()


def _ended(message: Any, code: int | None) -> str:
    """Say how a connection ended."""
    if message.type is aiohttp.WSMsgType.ERROR:
        error = message.data
        return f"broken: {said(error) if isinstance(error, BaseException) else error}"
    if message.type is aiohttp.WSMsgType.CLOSE:
        reason = "".join(letter if letter.isprintable() else " " for letter in message.extra or "")[:123]
        return f"closed by the provider: {message.data}" + (f" {reason}" if reason else "")
    return "lost without a word" if code in (None, 1006) else f"closed: {code}"


async def _no_redirect(request: Any, handler: Any) -> Any:
    """Refuse to be led elsewhere: a stream's key is for the address that was given."""
    response = await handler(request)
    if response.status in STATUSES:
        response.close()
        raise Broken(
            f"it answered {response.status}: a stream is not followed to another address; set its own"
        )
    return response
