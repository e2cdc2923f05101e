"""One worker process as its parent sees it: start, talk, kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from io import FileIO

from tickreel.compute import frames
from tickreel.errors import TaskError, UsageError

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from tickreel.compute.worker import main; main(json.loads(sys.argv[2]), *map(int, sys.argv[3:]))"
)
_CHUNK_BYTES = 1 << 16
_EXIT_S = 1.0  # from the end of the pipes, which is late in a death, to the exit status
_END_S = 5.0
_CAUSES = {
    "SIGKILL": "kill -9, or the machine was out of memory",
    "SIGSEGV": "memory access outside of an array",
    "SIGBUS": "a mapped file shrank, or its disk failed",
    "SIGABRT": "compiled code gave up",
    "SIGFPE": "integer division by zero in compiled code",
    "SIGTERM": "asked to end from outside",
}


class WorkerProcess:
    """A new Python that serves calls. It shares nothing with this one but pipes and stderr.

    modules  what it imports before the first call
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        if not sys.executable:
            raise UsageError("workers need a Python to start, but sys.executable is empty; use workers=1")
        self.ready = False
        self.began_s = time.monotonic()
        self._parser = frames.NoteParser()
        self._pipes = ExitStack()
        try:
            with ExitStack() as theirs:
                calls, self._calls = _pipe(theirs, self._pipes)
                self._notes, notes = _pipe(self._pipes, theirs)
                self._faults, faults = _pipe(self._pipes, theirs)
                self._process = _popen(modules, calls, notes, faults)
        except OSError as error:
            self._pipes.close()
            raise TaskError(
                f"a worker process could not be started: {error.strerror or error}; use fewer workers, "
                "or raise the limits of processes (ulimit -u) and open files (ulimit -n)"
            ) from None
        for pipe in (self._notes, self._faults):
            os.set_blocking(pipe.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fileno(self) -> int:
        """The descriptor that becomes readable when there is something to `read`."""
        return self._notes.fileno()

    def give(self, function: str, arguments: bytes) -> None:
        """Send a call to a worker that is ready; one that is gone shows when it is read."""
        try:
            frames.send(self._calls.fileno(), frames.Call(function, arguments))
        except BrokenPipeError:
            return

    def read(self) -> tuple[list[frames.Note], bool]:
        """Return the messages that are there, and whether more can come.

        Raises msgspec.DecodeError for bytes that are no message.
        """
        notes: list[frames.Note] = []
        while part := self._notes.read(_CHUNK_BYTES):
            notes.extend(self._parser.feed(part))
        return notes, part is None

    def kill(self) -> None:
        """Stop the process at once, without waiting for its end, and close its pipes."""
        self._process.kill()
        self._pipes.close()

    def wait(self) -> None:
        """Wait for the end of a process that was killed, but not for one that hangs in the kernel."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

    def death(self) -> tuple[str, str]:
        """Return how the process ended, in words, with the Python stack of a crash.

        Kills a process that closed its pipes but lives on.
        """
        try:
            reason = _in_words(self._process.wait(_EXIT_S))
        except subprocess.TimeoutExpired:
            reason = "after closing its pipe"
        stack = (self._faults.read(_CHUNK_BYTES) or b"").decode("utf-8", "replace")
        self.kill()
        return reason, stack


def _pipe(reading: ExitStack, writing: ExitStack) -> tuple[FileIO, FileIO]:
    """Return both ends of a new pipe, each closed with the stack that it belongs to."""
    reader, writer = os.pipe()
    return reading.enter_context(FileIO(reader, "rb")), writing.enter_context(FileIO(writer, "wb"))


def _popen(modules: Sequence[str], *files: FileIO) -> subprocess.Popen[bytes]:
    path = json.dumps([folder for folder in sys.path if isinstance(folder, str)])
    handed = [file.fileno() for file in files]
    # Blocked here, the signal stays blocked in the child until it has chosen to ignore it; a Ctrl-C of
    # this moment reaches the parent as soon as the child is on the books.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-c",
                _BOOT,
                path,
                json.dumps(list(modules)),
                *map(str, handed),
                str(os.getpid()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a task prints must not mix with a document on the parent's stdout
            pass_fds=handed,
            env={**os.environ, "NUMBA_NUM_THREADS": "1"},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _in_words(status: int) -> str:
    if status >= 0:
        return f"by leaving with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        return f"by signal {-status}"
    return f"by {name} ({_CAUSES[name]})" if name in _CAUSES else f"by {name}"
