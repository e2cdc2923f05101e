"""The call of a task's function, the same in a worker and in-process: bytes in, a Reply out."""

import time
import traceback
from collections.abc import Callable

import msgspec

from tickreel import errors
from tickreel.compute import plain
from tickreel.compute.task import resolve
from tickreel.errors import TickreelError

Numbers = dict[str, int | float | str]
PROGRESS_EVERY_S = 0.05
_LONGEST_LINE = 1_000
_LONGEST_TEXT_BYTES = 100_000


class Reply(msgspec.Struct, tag=True, frozen=True):
    """How one call ended; `value` is packed and counts only if `error_type` is empty."""

    seconds: float
    value: bytes = b""
    error_type: str = ""
    error: str = ""
    message: str = ""
    traceback: str = ""
    exit_code: int = 0


class Progress:
    """What a task calls as progress(rows=5, done=0.2).

    The first report is passed on, then at most one in PROGRESS_EVERY_S; the others are dropped.
    """

    def __init__(self, send: Callable[[Numbers], None]) -> None:
        self._send = send
        self._next_s = 0.0

    def __call__(self, **numbers: int | float | str) -> None:
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + PROGRESS_EVERY_S
            self._send({name: _number(value) for name, value in numbers.items()})


def call(function: str, arguments: bytes, progress: Progress) -> Reply:
    """Call the function and return how it ended; whatever it raises is told in the reply."""
    began = time.perf_counter()
    try:
        value = resolve(function)(plain.decode(arguments), progress)
        packed = plain.encode(value, f"the result of {function}")
    # A task runs other people's code, which may raise anything: it goes to the caller whole.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return failed(error, time.perf_counter() - began)
    return Reply(time.perf_counter() - began, packed)


def failed(error: BaseException, seconds: float = 0.0) -> Reply:
    """Return what is told of a call that raised an error."""
    own = isinstance(error, TickreelError)
    message = str(error) if own else "".join(traceback.format_exception_only(error)).strip()
    inner = error.__traceback__.tb_next if error.__traceback__ else None
    stack = "".join(traceback.format_exception(type(error), error, inner))
    return Reply(
        seconds,
        error_type=_type_name(error),
        error=one_line(message),
        message=_text(message),
        traceback=_text(stack),
        exit_code=error.exit_code if isinstance(error, TickreelError) else TickreelError.exit_code,
    )


def _type_name(error: BaseException) -> str:
    """Return the name that `Outcome.as_error` looks up: of the nearest class in tickreel.errors, if any."""
    for kind in type(error).__mro__:
        if kind.__module__ == errors.__name__:
            return kind.__name__
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def one_line(text: str) -> str:
    """Return a text with every run of blanks and line ends as one blank, cut after 1,000 characters."""
    return " ".join(_text(text).split())[:_LONGEST_LINE]


def _text(text: str) -> str:
    """Return a text that can be encoded; of a very long one the end, where the cause stands."""
    return text.encode("utf-8", "backslashreplace")[-_LONGEST_TEXT_BYTES:].decode("utf-8", "ignore")


def _number(value: int | float | str) -> int | float | str:
    return value if type(value) in (int, float, str) else float(value)
