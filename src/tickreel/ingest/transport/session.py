"""When a live stream connects, pings, is taken for dead, waits and gives up: events in, the next action out; pure.

Times are seconds of a monotonic clock, so that no jump of the wall's ends a connection.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tickreel.config.profile import Stream
from tickreel.ingest.transport.retry import backoff_s


class Do(Enum):
    """What is to be done now."""

    CONNECT = "connect"
    PING = "ping"
    DROP = "drop"
    WAIT = "wait"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Step:
    """One action. until_s: when to ask again, if nothing happens before; why: of DROP and GIVE_UP."""

    do: Do
    until_s: float = 0.0
    why: str = ""


class Session:
    """The state of one stream over all its connections.

    failures  in a row since the last data: a connection that brings none, but a refusal, is no success
    """

    def __init__(self, stream: Stream, *, chance: Callable[[], float]) -> None:
        self._stream, self._chance = stream, chance
        self._state = "waiting"
        self._until_s = 0.0
        self._opened_s = self._heard_s = self._pinged_s = self._last_ping_s = 0.0
        self._has_pinged = False
        self.failures = 0
        self._why = ""

    def next(self, now_s: float) -> Step:
        """Return what is to be done; WAIT until its time, or until an event."""
        if self._state == "waiting":
            if self.failures >= self._stream.tries:
                return Step(Do.GIVE_UP, why=f"{self._why}, {self.failures} times in a row")
            return Step(Do.WAIT, self._until_s) if now_s < self._until_s else Step(Do.CONNECT)
        if self._state == "connecting":
            return Step(Do.WAIT, float("inf"))
        return self._next_of_open(now_s)

    def _next_of_open(self, now_s: float) -> Step:
        stream = self._stream
        if self._has_pinged and now_s >= self._pinged_s + stream.pong_s:
            return Step(Do.DROP, why=f"no answer to a ping within {stream.pong_s:g} s")
        if now_s >= self._heard_s + stream.dead_after_s:
            return Step(Do.DROP, why=f"no message for {stream.dead_after_s:g} s")
        if not self._has_pinged and now_s >= self._last_ping_s + stream.ping_s:
            self._has_pinged, self._pinged_s, self._last_ping_s = True, now_s, now_s
            return Step(Do.PING)
        pong_s = self._pinged_s + stream.pong_s if self._has_pinged else self._last_ping_s + stream.ping_s
        return Step(Do.WAIT, min(pong_s, self._heard_s + stream.dead_after_s))

    def connecting(self) -> None:
        self._state = "connecting"

    def opened(self, now_s: float) -> None:
        self._state = "open"
        self._opened_s = self._heard_s = self._last_ping_s = now_s
        self._has_pinged = False

    def heard(self, now_s: float, *, is_data: bool) -> None:
        """A message came. One that is no data shows that a connection is sound if it lasts."""
        self._heard_s = now_s
        if is_data or now_s >= self._opened_s + self._stream.backoff_most_s:
            self.failures = 0

    def ponged(self) -> None:
        self._has_pinged = False

    def resumed(self, now_s: float) -> None:
        """Nothing was read for a while, for want of room: what was due meanwhile is due anew."""
        self._heard_s = self._last_ping_s = now_s
        self._has_pinged = False

    def lost(self, now_s: float, why: str) -> None:
        """A connection ended, or could not be made."""
        self._state, self._why = "waiting", why
        self.failures += 1
        stream = self._stream
        wait_s = backoff_s(
            self.failures, self._chance(), first_s=stream.backoff_first_s, most_s=stream.backoff_most_s
        )
        self._until_s = now_s + wait_s
