"""The wall clock of a recorder, and a clock beside it that is never set: what was set shows, and how long ago."""

import time
from collections.abc import Callable

from tickreel.units import NS_PER_S

STEP_NS = 5 * NS_PER_S
"""What the two clocks go apart by from one look to the next, at least, if one was set: drift and busy machines make less."""


class Clock:
    """Two clocks. Times of rows, gaps and days are the wall's; what lasts is measured by the steady one.

    now_ns     ns UTC, and may be set at any moment
    steady_ns  ns since some moment, never set
    """

    def __init__(
        self, now_ns: Callable[[], int] = time.time_ns, steady_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.now_ns, self.steady_ns = now_ns, steady_ns
        self._set_ns = steady_ns()
        self._ahead_ns = now_ns() - self._set_ns

    def look(self) -> int:
        """Return by how much the wall clock was set since the last look, ns; 0 if it was not."""
        steady_ns = self.steady_ns()
        before_ns, self._ahead_ns = self._ahead_ns, self.now_ns() - steady_ns
        step_ns = self._ahead_ns - before_ns
        if abs(step_ns) < STEP_NS:
            return 0
        self._set_ns = steady_ns
        return step_ns

    @property
    def settled_ns(self) -> int:
        """How long ago the wall clock was set, or the recorder began: since then both agree."""
        return self.steady_ns() - self._set_ns
