"""The table of executors, with the choice for a number of workers."""

import os
from collections.abc import Callable, Sequence

from tickreel.compute.executor import Backend, Executor
from tickreel.compute.local import LocalBackend
from tickreel.compute.serial import SerialBackend
from tickreel.errors import UsageError

EXECUTORS: dict[str, Callable[[int, Sequence[str]], Backend]] = {
    "serial": lambda workers, modules: SerialBackend(),
    "local": LocalBackend,
}
"""Name -> maker of a backend with so many workers, which import these modules before their first task."""


def make_executor(
    workers: int | None = None, *, isolate: bool = False, in_thread: bool = False, modules: Sequence[str] = ()
) -> Executor:
    """Return an executor with `workers` tasks at a time; None: one per core that this process may use.

    1 runs in this process, unless `isolate` asks for a process of its own, which a deadline needs and
    which survives a crash, or `in_thread` asks for a thread, so that Ctrl-C ends a wait for machine code.
    modules  start the processes now, not when the first task comes, and have them import these meanwhile
    Raises UsageError for less than 1.
    """
    count = usable_cores() if workers is None else workers
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(
            f"workers: {workers!r}: expected a whole number of 1 or more, "
            f"or none for all {usable_cores()} cores"
        )
    if count == 1 and in_thread and not isolate:
        return Executor(SerialBackend(in_thread=True))
    name = "serial" if count == 1 and not isolate else "local"
    return Executor(EXECUTORS[name](count, modules))


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
