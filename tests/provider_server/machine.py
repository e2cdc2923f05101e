"""tardis-machine: /replay-normalized, /ws-replay-normalized and /ws-stream-normalized of a made-up exchange.

The exchange's every trade is known: `Machine.happened`. A connection may have a `Plan`: after so many
messages something is done to it.
"""

import asyncio
import contextlib
import json
import threading
import time
import zlib
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from journal_sample import iso, message, trade
from provider_server.replay import replayed
from tickreel.units import parse_time

DAY_NS = 86_400_000_000_000
HISTORY_LATER_NS = 2_000_000
"""By how much another recorder, whose history is served, received later."""


@dataclass(frozen=True)
class Plan:
    """What becomes of a connection after `after` messages; until then it is good.

    how      "" nothing; abort; close; half (a frame's beginning, then abort); noise (bytes that are no frame); text
             (a text that is no message, and on); silence (no message more); dead (no answer to pings either); huge (a
             message over the limit); bomb (the same, deflated); full (1008, as after too much backpressure)
    overlap  so many earlier messages are sent again at its beginning
    """

    after: int = 0
    how: str = ""
    overlap: int = 0


@dataclass
class Machine:
    """The exchange and its connections. Attributes may be changed while it runs.

    happened  (number, local time ns, message) of all that the exchange sent, in order
    plan      makes the plan of each connection, by its number from 0
    history_fails  replays end with an error behind so many lines; None: they are whole
    refusal   the relay says it, with the key that it got in place of KEY, and hangs up with the same words
    inserted  place -> message that stands before it in replays of whole days
    """

    symbol: str = "BTCUSDT"
    happened: list[tuple[int, int, bytes]] = field(default_factory=list)
    plan: Callable[[int], Plan] = lambda number: Plan()
    history_fails: int | None = None
    refusal: str = ""
    inserted: dict[int, bytes] = field(default_factory=dict)
    connections: int = 0
    open: int = 0
    opened_ns: int = 0
    """When the latest connection was made."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    pings: int = 0

    def __post_init__(self) -> None:
        self._rate = 0.0
        self._trades = 0
        self._history: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()

    def trade(self, count: int = 1) -> None:
        """Let trades happen now."""
        with self._lock:
            for _ in range(count):
                self._trades += 1
                now_ns = time.time_ns()
                raw = trade(self._trades, now_ns, symbol=self.symbol)
                self.happened.append((self._trades, now_ns, raw))
                later = iso(now_ns + HISTORY_LATER_NS)
                line = trade(self._trades, now_ns, symbol=self.symbol, localTimestamp=later)
                self._history.append((now_ns, line))

    def say(self, fields: dict[str, Any]) -> None:
        """Send any message."""
        with self._lock:
            self.happened.append((0, time.time_ns(), message(fields)))

    def run(self, trades_per_s: float) -> None:
        """Let trades happen from now on; 0 stops."""
        self._rate = trades_per_s

    async def pump(self) -> None:
        due, then_s = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now_s = time.monotonic()
            due += min(0.05, now_s - then_s) * self._rate
            then_s = now_s
            self.trade(int(due))
            due -= int(due)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        number, self.connections = self.connections, self.connections + 1
        self.opened_ns = time.time_ns()
        self.asked.append(json.loads(request.query["options"]))
        plan = self.plan(number)
        socket = web.WebSocketResponse(autoping=False, compress=plan.how == "bomb")
        await socket.prepare(request)
        listening = asyncio.ensure_future(self._listen(socket, plan))
        self.open += 1
        place, sent = max(0, len(self.happened) - plan.overlap), 0
        try:
            while not socket.closed:
                if plan.how and sent >= plan.after:
                    if await self._harm(plan.how, socket, request):
                        break
                    plan = Plan()
                if place < len(self.happened):
                    await socket.send_str(self.happened[place][2].decode())
                    place, sent = place + 1, sent + 1
                else:
                    await asyncio.sleep(0.002)
        except (ConnectionError, RuntimeError):
            pass
        finally:
            self.open -= 1
            listening.cancel()
        return socket

    async def market(self, request: web.Request) -> web.StreamResponse:
        """The relay's stream: its own name of the exchange, and no local times; what is wanted is said in a message."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.asked.append(json.loads((await socket.receive()).data))
        self.connections += 1
        if self.refusal:
            told = self.refusal.replace("KEY", request.headers["Authorization"])
            await socket.send_str(told)
            await socket.close(code=4001, message=told.encode())
        place = len(self.happened)
        with contextlib.suppress(ConnectionError):
            while not socket.closed:
                for number, at_ns, _ in self.happened[place:]:
                    raw = trade(number, at_ns, symbol=self.symbol, exchange="okx", localTimestamp=None)
                    await socket.send_str(raw.decode())
                    place += 1
                await asyncio.sleep(0.002)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, plan: Plan) -> None:
        """Answer pings, as a good peer does."""
        while plan.how != "dead":
            told = await socket.receive()
            if told.type is WSMsgType.PING:
                self.pings += 1
                await socket.pong(told.data)
            elif told.type is not WSMsgType.PONG:
                return

    async def _harm(self, how: str, socket: web.WebSocketResponse, request: web.Request) -> bool:
        """Do what a plan says; return whether that is the end."""
        transport = request.transport
        assert transport is not None
        if how == "text":
            await socket.send_str('garbage, {"type":"trade"')
            return False
        if how in ("silence", "dead"):
            while not socket.closed and not transport.is_closing():
                await asyncio.sleep(0.01)
        elif how == "close":
            await socket.close(code=1011, message=b"the exchange is gone")
        elif how == "full":
            await socket.close(code=1008, message=b"Too much backpressure")
        elif how == "huge":
            await socket.send_str("x" * (1 << 20))
            await asyncio.sleep(0.1)
        elif how == "bomb":
            data = _zeros(8 << 20)
            transport.write(bytes([0xC1, 127]) + len(data).to_bytes(8, "big") + data)
            await asyncio.sleep(0.5)
        else:
            if how == "half":
                transport.write(bytes([0x81, 126, 4, 0]) + b"half of it")
                await asyncio.sleep(0.01)
            elif how == "noise":
                transport.write(b"\xff\xff no frame at all")
                await asyncio.sleep(0.05)
            transport.abort()
        return True

    async def replay(self, request: web.Request, roots: Sequence[Path]) -> web.StreamResponse:
        options = json.loads(request.query["options"])
        self.asked.append(options)
        if parse_time(options["to"]) - parse_time(options["from"]) == DAY_NS:
            return self._day(list(replayed(roots, options)))
        lines = self.history(options)
        answer = web.StreamResponse(headers={"Content-Type": "application/x-json-stream"})
        pieces = [
            b"".join(line + b"\n" for line in lines[at : at + 1_000]) for at in range(0, len(lines), 1_000)
        ]
        if self.history_fails is not None:
            pieces = [line + b"\n" for line in lines[: self.history_fails]] + [
                b'{"message":"the slice is not there"}'
            ]
        with contextlib.suppress(ConnectionError):  # who asked was killed
            await answer.prepare(request)
            for piece in pieces:
                await answer.write(piece)
            await answer.write_eof()
        return answer

    def _day(self, lines: list[bytes]) -> web.Response:
        """Answer a whole day, which comes from files."""
        for place, lost in sorted(self.inserted.items(), reverse=True):
            lines.insert(place, lost)
        body = b"".join(line + b"\n" for line in lines[: self.history_fails])
        failed = b"" if self.history_fails is None else b'{"message":"the slice is not there"}'
        return web.Response(body=body + failed, content_type="application/x-json-stream")

    async def ws_replay(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for line in self.history(json.loads(request.query["options"])):
            await socket.send_str(line.decode())
        await socket.close(code=1000, message=b"WS replay-normalized finished")
        return socket

    def history(self, options: dict[str, Any]) -> list[bytes]:
        """Return what another recorder has of a range: the same trades, received a little later."""
        first, end = (parse_time(options[name]) - HISTORY_LATER_NS for name in ("from", "to"))
        if end - first < 60_000_000_000 or "trade" not in options["dataTypes"]:
            return []
        with self._lock:
            start, stop = (bisect_left(self._history, at_ns, key=itemgetter(0)) for at_ns in (first, end))
            return [line for _, line in self._history[start:stop]]


@cache
def _zeros(count: int) -> bytes:
    """Return so many zeros as a WebSocket deflates them, to a thousandth."""
    pack = zlib.compressobj(wbits=-15)
    return (pack.compress(bytes(count)) + pack.flush(zlib.Z_SYNC_FLUSH))[:-4]


def routes(server: Any) -> list[web.RouteDef]:
    machine: Machine = server.machine
    return [
        web.get("/v1/replay-normalized", partial(machine.replay, roots=server.roots)),
        web.get("/v1/ws-stream-normalized", machine.stream),
        web.get("/v1/market", machine.market),
        web.get("/v1/ws-replay-normalized", machine.ws_replay),
    ]
