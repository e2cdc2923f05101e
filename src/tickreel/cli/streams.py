"""Standard streams that may be closed: a command does its work, and ends as it would, whoever listens."""

import io
import os
import sys
from typing import Any


def outlive_readers() -> None:
    """Make standard output and error take everything, whether they are closed already or their reader leaves."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file that is opened, perhaps one of the store's, would get this number and the notes.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _lasting(sys.stdout, 1), _lasting(sys.stderr, 2)


def finish() -> None:
    """Write out what is buffered; what cannot be written is dropped, so that the exit code stays."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            _silence(descriptor)


def _lasting(stream: Any, descriptor: int) -> io.TextIOWrapper:
    raw = _Lasting(descriptor, "wb", closefd=False)
    lines = descriptor == 2 or raw.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(raw), getattr(stream, "encoding", "utf-8"), getattr(stream, "errors", None),
        line_buffering=lines,
    )  # fmt: skip


class _Lasting(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            _silence(self.fileno())
            return len(data)


def _silence(descriptor: int) -> None:
    empty = os.open(os.devnull, os.O_WRONLY)
    os.dup2(empty, descriptor)
    os.close(empty)
