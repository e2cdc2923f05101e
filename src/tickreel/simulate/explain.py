"""An error of the compiler as one line of the user's file, and what to write instead."""

import os
import re

from tickreel.errors import StrategyError
from tickreel.simulate.strategy import Strategy

_NOT_THE_USER_S = r"[\\/](numba|numpy|tickreel[\\/](simulate|runs|compute|jit\.py))"


def compiling(error: BaseException) -> bool:
    """Return whether an error came up while machine code was made, not while it ran."""
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("numba."):
            return True
        trace = trace.tb_next
    return False


def explain(error: BaseException, strategy: type[Strategy]) -> StrategyError:
    """Return numba's complaint as one line of the user's file, and what to write instead.

    What `check` finds never comes here; this is for types, and for functions that a callback calls.
    """
    text = str(error)
    places = re.findall(r'File "([^"]+)", line (\d+)|(?:at|from) (\S+\.py) \((\d+)\)', text)
    found = [(os.path.abspath(first or second), line or number) for first, line, second, number in places]
    own = [place for place in found if not re.search(_NOT_THE_USER_S, place[0])]
    where = "{}:{}: ".format(*own[0]) if own else ""
    return StrategyError(f"{where}{strategy.__name__} cannot be compiled: {_reason(text)}")


def raised(error: BaseException, strategy: type[Strategy], when: str, *, plain: bool) -> StrategyError:
    """Return an error that a strategy raised while it ran, with its time; in plain Python with its line."""
    where = _line_of(error) if plain else ""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, IndexError):
        text += ": an index of a StateArray lies outside of it, or ctx[k] is none"
    advice = "" if plain else "; run with --no-jit (jit=False) to see the line"
    return StrategyError(f"{where}{strategy.__name__} at {when}: {text}{advice}")


def _line_of(error: BaseException) -> str:
    """Return "FILE:LINE: " of the last line of the user's own on the way to the error."""
    found = ""
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if not re.search(_NOT_THE_USER_S, code.co_filename):
            found = f"{code.co_filename}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return found


_HINTS = (
    (r"(book\.\w+ takes a whole number, not a \w+)", "{0}"),
    (r"NRT required", "it makes a list, an array or text while it runs: use numbers or a StateArray(n) of the class"),
    (r"Function\(<(?:built-in )?function _?(?:npy_)?(max|min)\b",
     "write {0}(...) as plain Python has it, without np and not as a method: {0}(self.prices)"),
    (r"Unknown attribute '(\w+)' of type Module\(<module '([\w.]+)'",
     "{1}.{0} cannot be reached through its module: write `from {1} import {0}`"),
    (r"Unknown attribute '(\w+)' of type (\w+)", "a {1} has no {0}"),
    (r"[Uu]ntyped global name '(\w+)'", "{0} cannot be compiled: use numbers, math, NumPy or own functions"),
    (r"No implementation of function Function\(<(?:built-in )?function _?(\w+)",
     "{0} does not take these types, or cannot be compiled"),
    (r"Cannot cast (\S+) to (\w+)", "a {0} is put where a {1} belongs"),
)  # fmt: skip
_NOISE = ("Failed in", "During:", "File ", "<source", "- Resolution")


def _reason(text: str) -> str:
    for pattern, hint in _HINTS:
        match = re.search(pattern, text)
        if match:
            return hint.format(*match.groups())
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(_NOISE)
    ]
    return " ".join(lines[:2])[:300] or "numba gives no reason"
