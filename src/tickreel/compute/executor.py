"""What every executor does alike: order, de-duplication, retries, deadlines and cancellation."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from tickreel.compute import plain
from tickreel.compute.call import Numbers, Reply
from tickreel.compute.task import Outcome, State, Task
from tickreel.errors import TaskError, UsageError

MOST_ATTEMPTS = 2
_TICK_S = 0.1
"""How long a wait may last, so that a cancellation from another thread is soon seen."""

OnProgress = Callable[[str, Numbers], None]


@dataclass(frozen=True, slots=True)
class Started:
    """The task of a slot runs from now on."""

    slot: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """The task of a slot reported numbers."""

    slot: int
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Replied:
    """The task of a slot ended by itself; the slot is free."""

    slot: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Died:
    """The process of a slot died with its task; the slot is free."""

    slot: int
    reason: str
    traceback: str


Event = Started | Progressed | Replied | Died


class Backend(Protocol):
    """Where tasks run. It knows slots and calls, nothing of order, retries or deadlines.

    slots   how many tasks run at a time
    start   begins a call in a free slot, without waiting for it
    wait    delivers what happened, waiting at most `timeout_s` for the first event
    kill    stops the call of a slot at once and frees it; nothing is delivered of that call afterwards
    close   stops everything; leaves no process behind
    """

    slots: int

    def start(self, slot: int, function: str, arguments: bytes) -> None: ...

    def wait(self, timeout_s: float, deliver: Callable[[Event], None]) -> None: ...

    def kill(self, slot: int) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Job:
    task: Task
    arguments: bytes
    attempts: int = 0
    slot: int = -1
    started_s: float | None = None

    def seconds(self) -> float:
        return time.monotonic() - self.started_s if self.started_s is not None else 0.0

    def overdue(self) -> bool:
        return self.task.deadline_s is not None and self.seconds() > self.task.deadline_s

    def outcome(self, state: State, error: str, traceback: str = "") -> Outcome:
        return Outcome(
            self.task.id,
            state,
            error=error,
            traceback=traceback,
            attempts=self.attempts,
            worker=self.slot,
            seconds=self.seconds(),
            error_type=TaskError.__name__,
            exit_code=TaskError.exit_code,
            message=error,
        )


@dataclass(slots=True)
class _Run:
    waiting: deque[_Job]
    on_progress: OnProgress | None
    running: dict[int, _Job] = field(default_factory=dict)
    ended: deque[Outcome] = field(default_factory=deque)
    to_cancel: deque[str] = field(default_factory=deque)


class Executor:
    """Runs tasks on a backend; used by one thread, but for `cancel`. Close it, or use `with`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._latest: _Run | None = None
        self._driving = False
        self._closed = False

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return self._backend.slots

    def run(
        self, tasks: Iterable[Task], *, on_progress: OnProgress | None = None, in_order: bool = False
    ) -> Iterator[Outcome]:
        """Return an iterator of one outcome per task id, as tasks end; it works while it is iterated.

        on_progress  called with (task id, numbers) while the iterator waits
        in_order     start in the order given, instead of the heaviest first (ties: as given)
        A task whose worker dies runs once more, after the others. Leaving the iterator early stops
        what still runs. Raises UsageError for arguments that are not plain data, an id that names
        two different calls, or a closed executor; TaskError if no worker can be started.
        """
        if self._closed:
            raise UsageError("the executor is closed; make another one")
        jobs = _distinct(tasks)
        if not in_order:
            jobs.sort(key=lambda job: -job.task.weight)
        self._latest = run = _Run(deque(jobs), on_progress)
        return self._drive(run)

    def cancel(self, ids: Iterable[str]) -> None:
        """Stop these tasks of the latest run; may be called from any thread.

        The iterator gives each of them as "cancelled", as soon as it is iterated. Ids that are unknown
        or ended change nothing; a task that runs in this very process ends first.
        """
        if self._latest is not None:
            self._latest.to_cancel.extend(ids)

    def close(self) -> None:
        """Stop everything and leave no process behind; may be called twice."""
        self._closed = True
        self._backend.close()

    def __enter__(self) -> "Executor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _drive(self, run: _Run) -> Iterator[Outcome]:
        if self._driving:
            raise UsageError("the executor still runs other tasks; finish or close that iterator first")
        self._driving = True
        try:
            while run.waiting or run.running or run.ended:
                self._stop(run)
                self._fill(run)
                if run.ended:
                    left_s = time.monotonic()
                    yield run.ended.popleft()
                    _forgive(run, time.monotonic() - left_s)
                elif run.running:
                    self._backend.wait(_patience_s(run), lambda event: _take(run, event))
        finally:
            self._driving = False
            for slot in run.running:
                self._backend.kill(slot)

    def _fill(self, run: _Run) -> None:
        if self._closed:
            raise UsageError("the executor was closed while it ran; make another one")
        for slot in range(self._backend.slots):
            if not run.waiting:
                return
            if slot not in run.running:
                job = run.waiting.popleft()
                job.attempts, job.slot, job.started_s = job.attempts + 1, slot, None
                run.running[slot] = job
                self._backend.start(slot, job.task.function, job.arguments)

    def _stop(self, run: _Run) -> None:
        """End the tasks that are cancelled or overdue."""
        if run.to_cancel:
            ids = {run.to_cancel.popleft() for _ in range(len(run.to_cancel))}
            unwanted = [job for job in run.waiting if job.task.id in ids]
            run.waiting = deque(job for job in run.waiting if job.task.id not in ids)
            for slot, job in list(run.running.items()):
                if job.task.id in ids:
                    self._free(run, slot)
                    unwanted.append(job)
            run.ended.extend(job.outcome("cancelled", "cancelled as asked") for job in unwanted)
        for slot, job in list(run.running.items()):
            if job.overdue():
                self._free(run, slot)
                limit = f"its deadline of {job.task.deadline_s:g} s"
                run.ended.append(
                    job.outcome("timeout", f"stopped at {limit}; raise deadline_s or make the task smaller")
                )

    def _free(self, run: _Run, slot: int) -> None:
        del run.running[slot]
        self._backend.kill(slot)


def _distinct(tasks: Iterable[Task]) -> list[_Job]:
    jobs: dict[str, _Job] = {}
    for task in tasks:
        job = _Job(task, plain.encode(task.arguments, f"task {task.id}: arguments"))
        known = jobs.setdefault(task.id, job)
        if (known.task.function, known.arguments) != (task.function, job.arguments):
            raise UsageError(
                f"task id {task.id!r} names two different calls, of {known.task.function} and "
                f"{task.function}; give each call its own id"
            )
    return list(jobs.values())


def _patience_s(run: _Run) -> float:
    left = [
        job.task.deadline_s - job.seconds() for job in run.running.values() if job.task.deadline_s is not None
    ]
    return max(0.0, min([_TICK_S, *left]))


def _forgive(run: _Run, seconds: float) -> None:
    """Move the starts on by the time that the caller kept the iterator: a full pipe held the tasks up."""
    for job in run.running.values():
        if job.started_s is not None:
            job.started_s += seconds


def _take(run: _Run, event: Event) -> None:
    job = run.running[event.slot]
    if isinstance(event, Started):
        job.started_s = time.monotonic()
    elif isinstance(event, Progressed):
        if run.on_progress is not None:
            run.on_progress(job.task.id, event.numbers)
    elif isinstance(event, Replied):
        del run.running[event.slot]
        run.ended.append(_replied(job, event.reply))
    else:
        del run.running[event.slot]
        if job.attempts < MOST_ATTEMPTS:
            # Last, when less runs beside it: most deaths are for want of memory.
            run.waiting.append(job)
        else:
            text = f"its worker died {job.attempts} times, the last {event.reason}"
            run.ended.append(job.outcome("crashed", text, event.traceback))


def _replied(job: _Job, reply: Reply) -> Outcome:
    failed = bool(reply.error_type)
    return Outcome(
        job.task.id,
        "error" if failed else "ok",
        value=None if failed else plain.decode(reply.value),
        error=reply.error,
        traceback=reply.traceback,
        attempts=job.attempts,
        worker=job.slot,
        seconds=reply.seconds,
        error_type=reply.error_type,
        exit_code=reply.exit_code,
        message=reply.message,
    )
