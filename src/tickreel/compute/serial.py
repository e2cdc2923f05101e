"""The backend without processes: one task at a time in this one, for debugging and workers=1."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout

from tickreel.compute.call import Numbers, Progress, call
from tickreel.compute.executor import Event, Progressed, Replied, Started

_SLOT = 0


class SerialBackend:
    """Runs a call within `wait`. It cannot stop one: no deadline holds, and a crash is this process's own.

    Arguments and results are packed as for a worker, so both give the same values.
    """

    slots = 1

    def __init__(self) -> None:
        self._call: tuple[str, bytes] | None = None
        self._deliver: Callable[[Event], None] | None = None
        self._broken: BaseException | None = None
        self._stdout = sys.stdout

    def start(self, slot: int, function: str, arguments: bytes) -> None:
        self._call = (function, arguments)

    def wait(self, timeout_s: float, deliver: Callable[[Event], None]) -> None:
        if self._call is None:
            return
        (function, arguments), self._call = self._call, None
        self._deliver, self._stdout = deliver, sys.stdout
        deliver(Started(_SLOT))
        # A worker's stdout is its parent's stderr; so is a task's here.
        with redirect_stdout(sys.stderr):
            reply = call(function, arguments, Progress(self._pass_on))
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        deliver(Replied(_SLOT, reply))

    def kill(self, slot: int) -> None:
        self._call = None

    def close(self) -> None:
        self._call = None

    def _pass_on(self, numbers: Numbers) -> None:
        assert self._deliver is not None
        try:
            with redirect_stdout(self._stdout):
                self._deliver(Progressed(_SLOT, numbers))
        except BaseException as error:
            # The caller's own callback failed: that is no error of the task.
            self._broken = error
            raise
