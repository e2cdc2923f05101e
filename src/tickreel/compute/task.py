"""A unit of work by import path, with what became of it."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from tickreel import errors
from tickreel.errors import TaskError, TickreelError, UsageError

State = Literal["ok", "error", "crashed", "timeout", "cancelled"]
NO_WORKER = -1
"""The slot of a task that never started."""

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Task:
    """One call `function(arguments, progress)`, small and repeatable: a crash makes it run again.

    id          names the work, e.g. a hash of code, parameters and data; equal ids run once
    function    "package.module:name", importable in a new process (so not in __main__)
    arguments   plain data, see `plain.encode`; at most 1 MB
    weight      expected cost in any unit; the heaviest start first
    deadline_s  seconds that one attempt may take; None: no limit
    Raises UsageError that names the field.
    """

    id: str
    function: str
    arguments: dict[str, Any]
    weight: float = 1.0
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        if not self.id or not isinstance(self.id, str):
            raise UsageError(f"task id {self.id!r}: expected a text that is not empty")
        if not isinstance(self.function, str) or not _FUNCTION.fullmatch(self.function):
            raise UsageError(f"task {self.id}: function {self.function!r}: expected 'package.module:name'")
        if self.function.startswith("__main__:"):
            raise UsageError(
                f"task {self.id}: function {self.function!r}: a worker has another __main__; "
                "move the function to a module that can be imported"
            )
        if not math.isfinite(self.weight):
            raise UsageError(f"task {self.id}: weight {self.weight}: expected a finite number")
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise UsageError(f"task {self.id}: deadline_s {self.deadline_s}: expected more than 0, or None")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    state       ok: `value` holds the result; error: it raised; crashed: its process died twice;
                timeout: an attempt passed deadline_s; cancelled: as asked
    error       one line, empty if ok
    traceback   of the task's own code; where it is known, the stack of a crash
    attempts    times that it started, 0 to 2
    worker      slot, 0 to workers-1, of the last attempt; NO_WORKER if it never started
    seconds     spent in the last attempt
    error_type  class name: "InputError" for classes of tickreel.errors, "ValueError", "their.module.Name"
    exit_code   what the command line returns for it: 0 if ok
    message     the error text in full, of one or more lines
    """

    task_id: str
    state: State
    value: Any = None
    error: str = ""
    traceback: str = ""
    attempts: int = 0
    worker: int = NO_WORKER
    seconds: float = 0.0
    error_type: str = ""
    exit_code: int = 0
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.state == "ok"

    def as_error(self) -> TickreelError:
        """Return the exception to raise for a task that is not ok.

        It has the class and text that the task raised, where that is a class of tickreel.errors,
        else TaskError. Raises UsageError if the task is ok.
        """
        if self.ok:
            raise UsageError(f"task {self.task_id} is ok: it has no error to raise")
        kind = getattr(errors, self.error_type, None) if self.state == "error" else None
        if isinstance(kind, type) and issubclass(kind, TickreelError):
            return kind(self.message)
        return TaskError(f"task {self.task_id}: {self.error}")


def resolve(function: str) -> Callable[[dict[str, Any], Callable[..., None]], Any]:
    """Return the function at "package.module:name"; raises UsageError if there is none."""
    module_name, _, name = function.partition(":")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise UsageError(
            f"function {function!r}: there is no module {error.name!r}; "
            "install it, or add its folder to sys.path"
        ) from None
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"function {function!r}: {module_name} has no function {name!r}")
    return found
