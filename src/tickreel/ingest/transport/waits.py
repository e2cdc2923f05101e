"""What requests wait for, so that somebody can be told: until when, and why."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Wait:
    """So many seconds pass before a request goes on. why: who said or did what, in words."""

    seconds: float
    why: str


OnWait = Callable[[Wait], None]


class Waits:
    """The waits of all requests of a client; read from any thread. on_wait: called as each begins."""

    def __init__(self, on_wait: OnWait) -> None:
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._open: dict[int, tuple[float, Wait]] = {}

    def begin(self, seconds: float, why: str) -> int:
        """Note a wait, which ends by itself; return its number."""
        wait = Wait(seconds, why)
        with self._lock:
            number = next(self._numbers)
            self._open[number] = time.monotonic() + seconds, wait
        self._on_wait(wait)
        return number

    def end(self, number: int) -> None:
        """End a wait before its time."""
        with self._lock:
            self._open.pop(number, None)

    def now(self) -> Wait | None:
        """Return the wait that ends last, with the seconds that are left of it; None if nothing is waited for."""
        now_s = time.monotonic()
        with self._lock:
            self._open = {number: one for number, one in self._open.items() if one[0] > now_s}
            until_s, wait = max(self._open.values(), key=lambda one: one[0], default=(0.0, None))
        return replace(wait, seconds=until_s - now_s) if wait else None
