"""One limiter for all workers of a provider: so many calls in any minute, and pauses that all keep."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

_WINDOW_S = 60.5
"""A little more than a minute: a server counts when a call arrives, not when it leaves."""


class Limiter:
    """Gives turns. Waiting can be cancelled at any time.

    calls_per_minute  0: no limit
    """

    def __init__(
        self,
        calls_per_minute: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._begun: deque[float] = deque(maxlen=calls_per_minute or 1)
        self._limited = calls_per_minute > 0
        self._paused_until = 0.0
        self._clock = clock
        self._sleep = sleep

    async def turn(self) -> None:
        """Return when a call may begin; it is counted."""
        while (wait := self._wait_s()) > 0:
            await self._sleep(wait)
        self._begun.append(self._clock())

    def pause(self, seconds: float) -> None:
        """Let nobody begin for so long."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _wait_s(self) -> float:
        now = self._clock()
        full = self._limited and len(self._begun) == self._begun.maxlen
        free = self._begun[0] + _WINDOW_S if full else 0.0
        return max(free, self._paused_until) - now
