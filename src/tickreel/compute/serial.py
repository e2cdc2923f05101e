"""The backend without processes: one task at a time in this one, for debugging and workers=1."""

import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stdout

from tickreel.compute.call import Numbers, Progress, Reply, call
from tickreel.compute.executor import Event, Progressed, Replied, Started
from tickreel.errors import TaskError

_SLOT = 0
_LOOK_EVERY_S = 0.1


class SerialBackend:
    """Runs a call within `wait`. It cannot stop one: no deadline holds, and a crash is this process's own.

    Arguments and results are packed as for a worker, so both give the same values.
    in_thread  run it in a thread of its own while `wait` waits: machine code that holds the main thread would
               keep Ctrl-C from it, for ever if it has an endless loop. A call that is left so ends at its
               next report, or with the process.
    """

    slots = 1

    def __init__(self, *, in_thread: bool = False) -> None:
        self._in_thread = in_thread
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
            reply = self._answer(function, arguments)
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        deliver(Replied(_SLOT, reply))

    def kill(self, slot: int) -> None:
        self._call = None

    def close(self) -> None:
        self._call = None

    def _answer(self, function: str, arguments: bytes) -> Reply:
        progress = Progress(self._pass_on)
        if not self._in_thread:
            return call(function, arguments, progress)
        replies: list[Reply] = []
        thread = threading.Thread(
            target=lambda: replies.append(call(function, arguments, progress)), name="task", daemon=True
        )
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_LOOK_EVERY_S)
        except BaseException:
            self._deliver = None
            raise
        return replies[0]

    def _pass_on(self, numbers: Numbers) -> None:
        if self._deliver is None:
            raise TaskError("nobody waits for this task any more")
        try:
            with redirect_stdout(self._stdout):
                self._deliver(Progressed(_SLOT, numbers))
        except BaseException as error:
            # The caller's own callback failed: that is no error of the task.
            self._broken = error
            raise
