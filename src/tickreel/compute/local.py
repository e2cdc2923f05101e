"""The backend of worker processes on this machine: one call at a time each, replaced when they die."""

import selectors
import time
from collections.abc import Callable, Sequence

import msgspec

from tickreel.compute import frames
from tickreel.compute.call import Reply
from tickreel.compute.executor import Died, Event, Progressed, Replied, Started
from tickreel.compute.process import WorkerProcess
from tickreel.errors import TaskError

_START_TRIES = 3
_START_S = 60.0
_CHECK_EVERY_S = 0.2


class LocalBackend:
    """A worker per slot, started when the slot is first used.

    modules  what every worker imports before its first task; if there are any, all workers start at once
    """

    def __init__(self, workers: int, modules: Sequence[str] = ()) -> None:
        self.slots = workers
        self._modules = modules
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, WorkerProcess] = {}
        self._pending: dict[int, tuple[str, bytes]] = {}  # calls whose worker is still starting
        self._busy: set[int] = set()
        self._begun: list[int] = []  # slots whose Started is still to be delivered
        self._dying: list[WorkerProcess] = []
        self._failed_starts = 0
        self._next_check_s = 0.0
        for slot in range(workers if modules else 0):
            self._spawn(slot)

    def start(self, slot: int, function: str, arguments: bytes) -> None:
        worker = self._workers.get(slot)
        if worker is None or not worker.alive:
            self._drop(slot)
            self._spawn(slot)
        elif worker.ready:
            self._busy.add(slot)
            self._begun.append(slot)
            worker.give(function, arguments)
            return
        self._pending[slot] = (function, arguments)

    def wait(self, timeout_s: float, deliver: Callable[[Event], None]) -> None:
        begun, self._begun = self._begun, []
        for slot in begun:
            deliver(Started(slot))
        for key, _ in self._selector.select(timeout_s):
            self._read(key.data, deliver)
        if time.monotonic() >= self._next_check_s:
            self._check(deliver)
            self._next_check_s = time.monotonic() + _CHECK_EVERY_S

    def kill(self, slot: int) -> None:
        self._drop(slot)

    def close(self) -> None:
        for slot in list(self._workers):
            self._drop(slot)
        while self._dying:
            self._dying[-1].wait()
            self._dying.pop()
        self._selector.close()

    def _spawn(self, slot: int) -> None:
        worker = self._workers[slot] = WorkerProcess(self._modules)
        self._selector.register(worker, selectors.EVENT_READ, slot)

    def _drop(self, slot: int) -> None:
        """Kill the worker of a slot, if any, and forget its call."""
        self._pending.pop(slot, None)
        self._busy.discard(slot)
        if slot in self._begun:
            self._begun.remove(slot)
        if worker := self._workers.pop(slot, None):
            self._selector.unregister(worker)
            worker.kill()
            self._dying.append(worker)

    def _read(self, slot: int, deliver: Callable[[Event], None]) -> None:
        worker = self._workers.get(slot)
        if worker is None:  # closed from within a callback of this very wait
            return
        try:
            notes, more = worker.read()
        except msgspec.DecodeError as error:
            self._lose(slot, f"after sending what is no message ({error})", "", deliver)
            return
        for note in notes:
            self._take(slot, note, deliver)
        if not more:
            self._lose(slot, *worker.death(), deliver)

    def _take(self, slot: int, note: frames.Note, deliver: Callable[[Event], None]) -> None:
        if isinstance(note, frames.Ready):
            self._workers[slot].ready = True
            self._failed_starts = 0
            if call := self._pending.pop(slot, None):
                self._busy.add(slot)
                deliver(Started(slot))
                self._workers[slot].give(*call)
        elif slot in self._busy:  # else a thread that outlived its task
            if isinstance(note, Reply):
                self._busy.remove(slot)
                deliver(Replied(slot, note))
            else:
                deliver(Progressed(slot, note.numbers))

    def _lose(self, slot: int, reason: str, stack: str, deliver: Callable[[Event], None]) -> None:
        """Take note of a dead worker: its start failed, or its task died with it, or it was idle."""
        call, busy = self._pending.get(slot), slot in self._busy
        self._drop(slot)
        if busy:
            deliver(Died(slot, reason, stack))
        elif call is not None:
            self._failed_starts += 1
            if self._failed_starts >= _START_TRIES:
                raise TaskError(
                    f"a worker process ended {reason} before it was ready, {_START_TRIES} times in a row; "
                    "what it printed to stderr tells why; workers=1 does without processes"
                )
            self._pending[slot] = call
            self._spawn(slot)

    def _check(self, deliver: Callable[[Event], None]) -> None:
        """Find what no pipe tells: a death hidden by a child that holds the pipe, a start that hangs."""
        for slot, worker in list(self._workers.items()):
            if not worker.alive:
                self._read(slot, deliver)
                if self._workers.get(slot) is worker:
                    self._lose(slot, *worker.death(), deliver)
            elif not worker.ready and time.monotonic() - worker.began_s > _START_S:
                self._lose(slot, f"by being stopped after {_START_S:g} s", "", deliver)
        self._dying = [worker for worker in self._dying if worker.alive]
