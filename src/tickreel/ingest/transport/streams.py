"""Follows a live stream over a WebSocket, through every loss of its connection, until it is stopped."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from tickreel.errors import NetworkError
from tickreel.ingest.transport.refusals import shown_url
from tickreel.ingest.transport.session import Do, Session
from tickreel.ingest.transport.wire import Broken

_ROOM_S = 0.01
_PING_S = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """Where a stream is, and what is sent once it is open: nothing where the address says all."""

    url: str
    subscribe: str = ""


class Socket(Protocol):
    """One open connection. `receive` gives a message, None for a pong; raises Broken when it ends."""

    async def receive(self) -> bytes | None: ...

    async def send(self, text: str) -> None: ...

    async def ping(self) -> None: ...

    async def drop(self) -> None: ...


Connect = Callable[[Call], AbstractAsyncContextManager[Socket]]
"""Opens a connection. Raises Broken, or NetworkError where there is no use in trying again."""


class Sink(Protocol):
    """Who takes what comes. Called in the loop's thread; nothing of it may wait.

    has_room  False: nothing is read until it is True again, so that the sender is held up; `held` says so
    message   returns whether it was data: a provider may say in a message that it refuses
    """

    @property
    def has_room(self) -> bool: ...

    def opened(self) -> None: ...

    def message(self, data: bytes) -> bool: ...

    def lost(self, why: str) -> None: ...

    def held(self) -> None: ...


async def follow(call: Call, session: Session, sink: Sink, connect: Connect) -> None:
    """Bring everything that a stream sends to `sink`; cancel it to stop. Raises NetworkError when it gives up."""
    clock = asyncio.get_running_loop().time
    while True:
        step = session.next(clock())
        if step.do is Do.GIVE_UP:
            raise NetworkError(f"{shown_url(call.url)}: {step.why}; start it again when the network is back")
        if step.do is Do.WAIT:
            await asyncio.sleep(step.until_s - clock())
            continue
        session.connecting()
        try:
            async with connect(call) as socket:
                if call.subscribe:
                    await socket.send(call.subscribe)
                session.opened(clock())
                sink.opened()
                await _listen(socket, session, sink)
        except Broken as broken:
            session.lost(clock(), str(broken))
            sink.lost(str(broken))


async def _listen(socket: Socket, session: Session, sink: Sink) -> None:
    """Read until the connection ends, which raises Broken."""
    clock = asyncio.get_running_loop().time
    found: list[str] = []
    watch = asyncio.ensure_future(_watch(socket, session, found))
    receive, message, heard = socket.receive, sink.message, session.heard
    try:
        while True:
            data = await receive()
            if data is None:
                session.ponged()
                continue
            heard(clock(), is_data=message(data))
            if not sink.has_room:
                sink.held()
                while not sink.has_room:
                    session.resumed(clock())
                    await asyncio.sleep(_ROOM_S)
    except Broken as broken:
        # Who dropped it knows why.
        raise Broken(found[0] if found else str(broken)) from None
    finally:
        watch.cancel()
        # Waited for without taking a cancel of this task for the end of that one.
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(socket: Socket, session: Session, found: list[str]) -> None:
    """Ping, and drop the connection when it is dead: a half-open one says nothing by itself."""
    clock = asyncio.get_running_loop().time
    while True:
        step = session.next(clock())
        if step.do is Do.DROP:
            found.append(step.why)
            await socket.drop()
            return
        if step.do is Do.PING:
            # One that does not even take a ping is found dead by the answer that does not come.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PING_S):
                    await socket.ping()
            continue
        await asyncio.sleep(max(0.0, step.until_s - clock()))
