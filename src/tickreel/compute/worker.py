"""The main loop of a worker process: take a call, run it, reply; end when the parent is gone."""

import faulthandler
import importlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tickreel.compute import frames
from tickreel.compute.call import Numbers, Progress, call

_WATCH_EVERY_S = 0.2


def main(modules: list[str], calls_fd: int, notes_fd: int, faults_fd: int, parent: int) -> None:
    """Serve until the calls end.

    modules             imported before the first call is taken
    calls_fd, notes_fd  pipes, see `frames`
    faults_fd           pipe that gets the Python stack if the process crashes
    parent              process id of the executor
    """
    # Ctrl-C reaches the whole group of a terminal. The parent answers it, and it alone; it blocked the
    # signal while it started us, so that none came before this line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for fd in (calls_fd, notes_fd, faults_fd):
        os.set_inheritable(fd, False)
    sys.stdout = sys.stderr  # descriptor 1 is the parent's stderr too, but would be buffered
    faulthandler.enable(faults_fd, all_threads=False)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _Worker(calls_fd, notes_fd, faults_fd).serve(modules)
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(1)


class _Worker:
    def __init__(self, calls_fd: int, notes_fd: int, faults_fd: int) -> None:
        self._calls_fd, self._notes_fd, self._faults_fd = calls_fd, notes_fd, faults_fd
        self._lock = threading.Lock()
        self._room = select.poll()
        self._room.register(notes_fd, select.POLLOUT)

    def serve(self, modules: list[str]) -> None:
        try:
            self._send(frames.Ready())
            for name in modules:
                importlib.import_module(name)
            while (wanted := frames.receive_call(self._calls_fd)) is not None:
                with _killed_if_closed(self._faults_fd):
                    reply = call(wanted.function, wanted.arguments, Progress(self._note))
                self._send(reply)
        except BrokenPipeError:
            return

    def _note(self, numbers: Numbers) -> None:
        """Send progress; a pipe that nobody empties must not hold the task up, so then it is dropped."""
        if self._room.poll(0):
            self._send(frames.ProgressNote(numbers))

    def _send(self, note: frames.Note) -> None:
        with self._lock:
            frames.send(self._notes_fd, note)


@contextmanager
def _killed_if_closed(fd: int) -> Iterator[None]:
    """Have the kernel end this process (SIGIO) once the other end of `fd`, the pipe for crashes, is closed.

    The parent does not read that one while a call runs, so the only event that can come is its death: of the
    pipe for calls the kernel may still tell what it has written after we have read it. The thread of `_end_with` sees
    the death too, but not within a call that keeps the interpreter's lock.
    """
    if sys.platform == "linux":
        import fcntl

        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC)
        try:
            yield
        finally:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    else:
        yield
