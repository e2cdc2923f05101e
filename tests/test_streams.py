"""When a stream connects, pings, is dropped and gives up, on a clock of the test; and the loop around it, on sockets of the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickreel.config import Key, load_profile
from tickreel.config.profile import Stream
from tickreel.errors import NetworkError, UsageError
from tickreel.ingest.transport.session import Do, Session, Step
from tickreel.ingest.transport.streams import Call, Socket, follow
from tickreel.ingest.transport.websockets import WebSockets
from tickreel.ingest.transport.wire import Broken

CALL = Call("ws://127.0.0.1:9/stream?options=long")


def session(chance: float = 1.0, **stream: float) -> Session:
    return Session(Stream(**stream), chance=lambda: chance)


def until_connect(of: Session, now_s: float) -> float:
    """Return when it connects again."""
    step = of.next(now_s)
    while step.do is Do.WAIT:
        now_s = step.until_s
        step = of.next(now_s)
    assert step.do is Do.CONNECT, step
    return now_s


def test_it_waits_1_2_4_to_60_seconds_and_gives_up_after_100_tries() -> None:
    stream = session()
    now_s, waits = 0.0, []
    for _ in range(99):
        stream.connecting()
        stream.lost(now_s, "refused")
        then_s, now_s = now_s, until_connect(stream, now_s)
        waits.append(now_s - then_s)
    assert waits == [1, 2, 4, 8, 16, 32] + [60] * 93
    stream.connecting()
    stream.lost(now_s, "refused")
    assert stream.next(now_s) == Step(Do.GIVE_UP, why="refused, 100 times in a row")


def test_half_of_a_wait_is_chance() -> None:
    for chance, wait_s in ((0.0, 0.5), (0.5, 0.75), (1.0, 1.0)):
        stream = session(chance)
        stream.lost(0, "x")
        assert until_connect(stream, 0) == wait_s


def test_a_message_is_success_and_a_connection_alone_is_not() -> None:
    stream = session()
    for _ in range(3):
        stream.connecting()
        stream.opened(0)
        stream.lost(0, "closed at once")
    assert stream.failures == 3
    stream.opened(0)
    stream.heard(0, is_data=True)
    stream.lost(0, "x")
    assert until_connect(stream, 0) == 1


def test_a_refusal_in_a_message_is_no_success_but_a_connection_that_lasts_is() -> None:
    stream = session()
    for _ in range(3):
        stream.connecting()
        stream.opened(100)
        stream.heard(100, is_data=False)
        stream.lost(100, "refused")
    assert stream.failures == 3
    stream.opened(100)
    stream.heard(159, is_data=False)
    assert stream.failures == 3
    stream.heard(160, is_data=False)
    assert stream.failures == 0


def test_a_ping_is_sent_each_20_seconds_and_answered_within_10() -> None:
    stream = session()
    stream.opened(0)
    assert stream.next(0) == Step(Do.WAIT, 20)
    stream.heard(19, is_data=True)
    assert stream.next(20) == Step(Do.PING)
    assert stream.next(20) == Step(Do.WAIT, 30)
    stream.ponged()
    assert stream.next(30) == Step(Do.WAIT, 40)
    assert stream.next(40) == Step(Do.PING)
    stream.heard(49, is_data=True)
    assert stream.next(50) == Step(Do.DROP, why="no answer to a ping within 10 s")


def test_30_seconds_without_a_message_are_death_though_pings_are_answered() -> None:
    stream = session()
    stream.opened(5)
    assert stream.next(25) == Step(Do.PING)
    stream.ponged()
    assert stream.next(34.9) == Step(Do.WAIT, 35)
    assert stream.next(35) == Step(Do.DROP, why="no message for 30 s")


@given(st.lists(st.floats(0.1, 19), max_size=20))
def test_a_half_open_connection_is_noticed_in_time(waits: list[float]) -> None:
    """It takes pings and answers none: noticed within ping interval and time-out, whatever messages came before."""
    stream = session(dead_after_s=86_400)
    stream.opened(0)
    now_s = 0.0
    for wait_s in waits:
        now_s += wait_s
        stream.heard(now_s, is_data=True)
        while stream.next(now_s).do is Do.PING:
            stream.ponged()
    end_s = now_s
    while (step := stream.next(end_s)).do is not Do.DROP:
        end_s = step.until_s if step.do is Do.WAIT else end_s
    assert end_s - now_s <= 30.001


def test_what_was_due_while_nothing_was_read_is_due_anew() -> None:
    stream = session()
    stream.opened(0)
    assert stream.next(20) == Step(Do.PING)
    stream.resumed(100)
    assert stream.next(100) == Step(Do.WAIT, 120)


class Taken:
    """A sink that keeps what comes. room: how often it says that it has none."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.full = 0

    @property
    def has_room(self) -> bool:
        self.full -= 1
        return self.full < 0

    def opened(self) -> None:
        self.events.append("opened")

    def message(self, data: bytes) -> bool:
        self.events.append(data.decode())
        return not data.startswith(b"no")

    def lost(self, why: str) -> None:
        self.events.append(f"lost: {why}")

    def held(self) -> None:
        self.events.append("held")


class Wire:
    """A connection that gives messages; an exception ends it, None is a pong, a number waits."""

    def __init__(self, script: list[bytes | float | Exception | None]) -> None:
        self.script, self.sent, self.dropped = script, [], asyncio.Event()

    async def receive(self) -> bytes | None:
        item = self.script.pop(0) if self.script else Broken("the end")
        while isinstance(item, float):
            try:
                async with asyncio.timeout(item):
                    await self.dropped.wait()
                raise Broken("dropped")
            except TimeoutError:
                item = self.script.pop(0) if self.script else Broken("the end")
        if isinstance(item, Exception):
            raise item
        return item

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def ping(self) -> None:
        self.sent.append("ping")

    async def drop(self) -> None:
        self.dropped.set()


def connecting(*wires: Wire | Exception) -> Callable[[Call], contextlib.AbstractAsyncContextManager[Socket]]:
    coming = list(wires)

    @contextlib.asynccontextmanager
    async def connect(call: Call) -> AsyncIterator[Socket]:
        wire = coming.pop(0) if coming else Broken("nobody there")
        if isinstance(wire, Exception):
            raise wire
        yield wire

    return connect


QUICK = {"backoff_first_s": 0.001, "backoff_most_s": 0.001, "tries": 3}


def followed(
    *wires: Wire | Exception, sink: Taken | None = None, call: Call = CALL, **stream: float
) -> list[str]:
    sink = sink or Taken()
    with pytest.raises(NetworkError, match=r"ws://127.0.0.1:9/stream: .*, 3 times in a row"):
        asyncio.run(follow(call, session(**{**QUICK, **stream}), sink, connecting(*wires)))
    return sink.events


def test_what_comes_goes_to_the_sink_through_every_loss() -> None:
    wires = Wire([b"1", None, b"2", Broken("cut")]), Broken("refused"), Wire([b"3"])
    assert followed(*wires) == [
        "opened", "1", "2", "lost: cut", "lost: refused", "opened", "3", "lost: the end",
        "lost: nobody there", "lost: nobody there",
    ]  # fmt: skip


def test_a_dead_connection_is_dropped_and_the_reason_is_that_of_the_clock() -> None:
    events = followed(Wire([b"1", 30.0]), dead_after_s=0.05)
    assert events[:3] == ["opened", "1", "lost: no message for 0.05 s"]


def test_a_connection_that_answers_no_ping_is_dropped() -> None:
    wire = Wire([b"1", 30.0])
    events = followed(wire, ping_s=0.02, pong_s=0.02)
    assert events[2] == "lost: no answer to a ping within 0.02 s"
    assert wire.sent == ["ping"]


def test_nothing_is_read_while_there_is_no_room() -> None:
    sink = Taken()
    sink.full = 3
    assert followed(Wire([b"1", b"2"]), sink=sink, dead_after_s=0.015)[:4] == ["opened", "1", "held", "2"]


def test_what_is_wanted_is_said_once_a_connection() -> None:
    first, second = Wire([b"1"]), Wire([b"2"])
    followed(first, second, call=Call(CALL.url, "subscribe"))
    assert (first.sent, second.sent) == (["subscribe"], ["subscribe"])


def test_a_cancelled_stream_ends_at_once() -> None:
    async def run() -> None:
        task = asyncio.ensure_future(follow(CALL, session(), Taken(), connecting(Wire([b"1", 60.0]))))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 5))


def test_refusals_in_messages_are_counted() -> None:
    wires = [Wire([b"no, not you"]) for _ in range(5)]
    assert followed(*wires).count("no, not you") == 3


def test_a_cancel_while_a_connection_is_being_lost_ends_it() -> None:
    """The end of the one who watches a connection is not taken for the end of all, nor that for the other."""

    class Slow(Wire):
        async def drop(self) -> None:
            self.dropped.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            await asyncio.sleep(0.05)

    async def run() -> int:
        wires = [Slow([b"1", 30.0]), *(Wire([b"1"]) for _ in range(50))]
        sink = Taken()
        going = follow(CALL, session(**QUICK, dead_after_s=0.02), sink, connecting(*wires))
        task = asyncio.ensure_future(going)
        while len(sink.events) < 2 or not wires[0].dropped.is_set():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return sink.events.count("opened")

    assert asyncio.run(asyncio.wait_for(run(), 5)) == 1


def test_a_key_does_not_go_over_an_open_wire() -> None:
    profile = load_profile("holysheep", environment={}).profile
    sockets = WebSockets(profile, Key("secret-1", "argument api_key"))
    assert sockets._headers("wss://stream.example/v1")["Authorization"] == "Bearer secret-1"
    assert "Authorization" in sockets._headers("ws://127.0.0.1:8001/v1")
    with pytest.raises(UsageError, match="would get the key of argument api_key unencrypted") as error:
        sockets._headers("ws://stream.example/v1")
    assert "secret-1" not in str(error.value)
