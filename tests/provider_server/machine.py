"""tardis-machine: /replay-normalized, /ws-replay-normalized and /ws-stream-normalized of made-up exchanges.

All that they send is known: `Machine.happened`. A connection may have a `Plan`: after so many messages something is
done to it.
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
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import WSMsgType, web

from journal_sample import iso, message, trade
from provider_server.replay import replayed
from tickreel.units import parse_time

DAY_NS = 86_400_000_000_000
HISTORY_LATER_NS = 2_000_000
"""By how much another recorder, whose history is served, received later."""
TRADE_BEFORE_NS = 1_000_000
"""By how much a trade's exchange time is before it happens, as `journal_sample.trade` says."""


GARBAGE = {
    "text": b'garbage, {"type":"trade"',
    "no utf-8": b'{"type":"tra\x80e","symbol":"garbage"}',
    "no utf-8, no json": b'{"type":"trade","symbol":"\xffgarbage","price"1}',
    "nested": b'{"type":"trade","garbage":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
}


@dataclass(frozen=True)
class Plan:
    """What becomes of a connection after `after` messages; until then it is good.

    how      "" nothing; abort; close; half (a frame's beginning, then abort); noise (bytes that are no frame); one of
             GARBAGE (a text that is no message, and on); silence (no message more); dead (no answer to pings either);
             deaf (sends on, and reads nothing, not even that it is left); huge (a message over the limit); bomb (the same, deflated); full (1008, as after too much backpressure)
    overlap  so many earlier messages are sent again at its beginning
    """

    after: int = 0
    how: str = ""
    overlap: int = 0


class Sent(NamedTuple):
    """A message of an exchange, or the machine's own. number: of those of one exchange and type; 0 of the machine's own."""

    number: int
    at_ns: int
    raw: bytes
    exchange: str = ""
    type: str = ""


@dataclass
class Machine:
    """The exchanges and their connections. Attributes may be changed while it runs.

    exchanges, types  that there are; of each the same happens at once. A stream has those that it asks for, and begins
              with a snapshot of the book if it asks for that
    ahead_ns  by how much its clock is ahead
    happened  all that the exchanges sent, in order
    plan      makes the plan of each connection, by its number from 0
    history_fails  replays end with an error behind so many lines; None: they are whole
    refusal   the relay says it, with the key that it got in place of KEY, and hangs up with the same words
    inserted  place -> message that stands before it in replays of whole days
    """

    symbol: str = "BTCUSDT"
    exchanges: tuple[str, ...] = ("binance",)
    types: tuple[str, ...] = ("trade",)
    ahead_ns: int = 0
    happened: list[Sent] = field(default_factory=list)
    plan: Callable[[int], Plan] = lambda number: Plan()
    history_fails: int | None = None
    refusal: str = ""
    inserted: dict[int, bytes] = field(default_factory=dict)
    connections: int = 0
    closed: list[int | None] = field(default_factory=list)
    """Codes with which connections were closed."""
    open: int = 0
    opened_ns: int = 0
    """When the latest connection was made."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    pings: int = 0

    def __post_init__(self) -> None:
        self._rate = 0.0
        self._number = 0
        self._history: list[Sent] = []
        self._lock = threading.Lock()

    def trade(self, count: int = 1) -> None:
        """Let something happen now, of each type that there is."""
        with self._lock:
            for _ in range(count):
                self._number += 1
                now_ns = self._now_ns()
                for exchange in self.exchanges:
                    for type in self.types:
                        raw, line = (
                            _message(
                                type, self._number, local_ns, now_ns, symbol=self.symbol, exchange=exchange
                            )
                            for local_ns in (now_ns, now_ns + HISTORY_LATER_NS)
                        )
                        self.happened.append(Sent(self._number, now_ns, raw, exchange, type))
                        self._history.append(Sent(self._number, now_ns, line, exchange, type))

    def say(self, fields: dict[str, Any]) -> None:
        """Send any message."""
        with self._lock:
            self.happened.append(Sent(0, self._now_ns(), message(fields)))

    def _now_ns(self) -> int:
        return time.time_ns() + self.ahead_ns

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
        options = json.loads(request.query["options"])
        self.asked.append(options)
        plan = self.plan(number)
        socket = web.WebSocketResponse(autoping=False, compress=plan.how == "bomb")
        await socket.prepare(request)
        listening = asyncio.ensure_future(self._listen(socket, plan))
        self.open += 1
        now, sent = len(self.happened), 0
        place = max(0, now - plan.overlap)
        try:
            if "book_change" in options["dataTypes"]:
                await socket.send_str(_snapshot(options["exchange"], self.symbol, self._now_ns()).decode())
            while not socket.closed:
                if plan.how and sent >= plan.after:
                    if await self._harm(plan.how, socket, request):
                        break
                    plan = Plan()
                if place < len(self.happened):
                    found, place = self.happened[place], place + 1
                    # A book that is sent again would be other changes: its snapshot has them.
                    if _is_asked(found, options) and (place > now or found.type != "book_change"):
                        await socket.send_str(found.raw.decode())
                        sent += 1
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
        number, self.connections = self.connections, self.connections + 1
        plan = self.plan(number)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.asked.append(json.loads((await socket.receive()).data))
        listening = asyncio.ensure_future(self._listen(socket, plan))
        if self.refusal:
            told = self.refusal.replace("KEY", request.headers["Authorization"])
            await socket.send_str(told)
            await socket.close(code=4001, message=told.encode())
        place, sent = max(0, len(self.happened) - plan.overlap), 0
        with contextlib.suppress(ConnectionError):
            while not socket.closed:
                for found in self.happened[place:]:
                    if plan.how and sent >= plan.after:
                        await self._harm(plan.how, socket, request)
                        listening.cancel()
                        return socket
                    raw = trade(
                        found.number, found.at_ns, symbol=self.symbol, exchange="okx", localTimestamp=None
                    )
                    await socket.send_str(raw.decode())
                    place, sent = place + 1, sent + 1
                await asyncio.sleep(0.002)
        listening.cancel()
        return socket

    def relayed(self, name: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        """Return what the relay's history has of the same: no ids, milliseconds; `got`: when another recorder had it."""
        with self._lock:
            happened = [found for found in self.happened if found.type == "trade"]
        rows = []
        for found in happened:
            ms = (found.at_ns - TRADE_BEFORE_NS) // 1_000_000
            if start_ms <= ms <= end_ms:
                told = json.loads(found.raw)
                rows.append({
                    "timestamp": ms, "price": told["price"], "volume": told["amount"], "side": told["side"],
                    "fee": 0.01, "exchange": name, "got": (found.at_ns + HISTORY_LATER_NS) // 1_000_000,
                })  # fmt: skip
        return rows

    async def _listen(self, socket: web.WebSocketResponse, plan: Plan) -> None:
        """Answer pings, as a good peer does."""
        while plan.how not in ("dead", "deaf"):
            told = await socket.receive()
            if told.type is WSMsgType.PING:
                self.pings += 1
                await socket.pong(told.data)
            elif told.type is not WSMsgType.PONG:
                self.closed.append(socket.close_code)
                return

    async def _harm(self, how: str, socket: web.WebSocketResponse, request: web.Request) -> bool:
        """Do what a plan says; return whether that is the end."""
        transport = request.transport
        assert transport is not None
        if how in GARBAGE:
            # As bytes: what is no text cannot be sent as one.
            await socket._writer.send_frame(GARBAGE[how], WSMsgType.TEXT)
            return False
        if how == "deaf":
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
            await self._hear_the_end(socket)
        elif how == "bomb":
            data = _zeros(8 << 20)
            transport.write(bytes([0xC1, 127]) + len(data).to_bytes(8, "big") + data)
            await self._hear_the_end(socket)
        else:
            if how == "half":
                transport.write(bytes([0x81, 126, 4, 0]) + b"half of it")
                await asyncio.sleep(0.01)
            elif how == "noise":
                transport.write(b"\xff\xff no frame at all")
                await asyncio.sleep(0.05)
            transport.abort()
        return True

    async def _hear_the_end(self, socket: web.WebSocketResponse) -> None:
        """Wait until the other side has closed, as it must after such a message."""
        for _ in range(500):
            if socket.closed:
                return
            await asyncio.sleep(0.01)

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
        """Return what another recorder has of a range: the same messages, received a little later."""
        first, end = (parse_time(options[name]) - HISTORY_LATER_NS for name in ("from", "to"))
        if end - first < 60_000_000_000:
            return []
        with self._lock:
            start, stop = (
                bisect_left(self._history, at_ns, key=attrgetter("at_ns")) for at_ns in (first, end)
            )
            return [line.raw for line in self._history[start:stop] if _is_asked(line, options)]


def _is_asked(found: Sent, options: dict[str, Any]) -> bool:
    return not found.type or (found.exchange == options["exchange"] and found.type in options["dataTypes"])


def _message(type: str, number: int, local_ns: int, at_ns: int, *, symbol: str, exchange: str) -> bytes:
    """Return a message that tells its number: the id of a trade, the last price of a ticker, the price of a level."""
    if type == "trade":
        return trade(number, at_ns, symbol=symbol, exchange=exchange, localTimestamp=iso(local_ns))
    told: dict[str, Any] = {"lastPrice": number}
    if type == "book_change":
        told = {"isSnapshot": False, "bids": [{"price": number, "amount": 1}], "asks": []}
    times = {"timestamp": iso(at_ns), "localTimestamp": iso(local_ns)}
    return message({"type": type, "symbol": symbol, "exchange": exchange, **told, **times})


def _snapshot(exchange: str, symbol: str, at_ns: int) -> bytes:
    return message({
        "type": "book_change", "symbol": symbol, "exchange": exchange, "isSnapshot": True, "asks": [],
        "bids": [{"price": 0.5, "amount": 1}], "timestamp": iso(at_ns), "localTimestamp": iso(at_ns),
    })  # fmt: skip


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
