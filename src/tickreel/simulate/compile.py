"""A strategy class to machine code: its callbacks put into the engine's loop, kept on disk."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from tickreel.errors import StrategyError
from tickreel.simulate.check import check
from tickreel.simulate.reach import columns_read, globals_read, source_key
from tickreel.simulate.strategy import Strategy, callbacks_of, fields_of


@dataclass(frozen=True, slots=True)
class Engine:
    """The loop made for one strategy. `fields`: what of a trade must be decoded beside price and time."""

    run: Callable[..., int]
    end: Callable[..., None]
    fields: frozenset[str]
    key: str


def build(strategy: type[Strategy], *, jit: bool = True) -> Engine:
    """Return the engine for a strategy; machine code is made, or loaded, at the first call.

    jit  False runs the same source as plain Python, for a debugger; the results are the same
    """
    from tickreel import jit as compiler
    from tickreel.simulate import engine_kernel

    check(strategy)
    callbacks = callbacks_of(strategy)
    code = strategy_key(strategy)
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    key = f"{compiler.kernels_key()}-{own}-{code}" if jit else None
    wrap: Callable[[Any], Any] = compiler.inlined if jit else (lambda function: function)
    if jit:
        from tickreel.simulate import context_kernel  # noqa: F401 - teaches numba what ctx is

        callbacks = {name: wrap(_with_compiled_helpers(function)) for name, function in callbacks.items()}
    run = compiler.specialised(engine_kernel, "run", callbacks, key)
    end = compiler.specialised(engine_kernel, "end", callbacks, key)
    if isinstance(run, FunctionType):
        run, end = _on_fields(run), _on_fields(end)
    return Engine(run, end, columns_read(callbacks_of(strategy)), code)


class _Fields:
    """A strategy's `self` in plain Python: its record, whose fields hide NumPy's own `mean`, `size` and such."""

    __slots__ = ("_record",)

    def __init__(self, record: np.record) -> None:
        object.__setattr__(self, "_record", record)

    def __getattr__(self, name: str) -> Any:
        return self._record[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self._record[name] = value


def _on_fields(function: Callable) -> Callable:
    return lambda state, *others: function([_Fields(state[0])], *others)


def strategy_key(strategy: type[Strategy]) -> str:
    """Return a hash of everything that a strategy's behaviour depends on beside its parameters' values."""
    layout = [(name, str(dtype), shape) for name, (dtype, shape, _) in fields_of(strategy).items()]
    defaults = {name: repr(default) for name, (_, _, default) in fields_of(strategy).items()}
    callbacks = callbacks_of(strategy)
    code = source_key([callbacks[name] for name in sorted(callbacks)])
    text = f"{layout}{defaults}{sorted(callbacks)}{strategy.timer}{code}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


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
    own = [place for place in found if not re.search(r"[\\/](numba|tickreel[\\/]simulate)[\\/]", place[0])]
    where = "{}:{}: ".format(*own[0]) if own else ""
    return StrategyError(f"{where}{strategy.__name__} cannot be compiled: {_reason(text)}")


_HINTS = (
    (r"NRT required", "it makes a list, an array or text while it runs: use numbers or a StateArray(n) of the class"),
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


def _with_compiled_helpers(function: Callable) -> Callable:
    """Return a copy of a callback whose plain helper functions are compiled, so that it may call them."""
    from tickreel import jit as compiler

    made: dict[int, Any] = {}

    def convert(plain: FunctionType) -> FunctionType:
        space = dict(plain.__globals__)
        for name in {name for name, _ in globals_read(plain.__code__)}:
            value = space.get(name)
            if isinstance(value, FunctionType) and value.__module__.split(".")[0] not in ("numpy", "math"):
                if id(value) not in made:
                    made[id(value)] = None
                    made[id(value)] = compiler.inlined(convert(value))
                if made[id(value)] is None:
                    raise StrategyError(f"{value.__qualname__} calls itself; compiled helpers must not")
                space[name] = made[id(value)]
        copy = FunctionType(plain.__code__, space, plain.__name__, plain.__defaults__, plain.__closure__)
        # The cache on disk loads the module of this name again; the user's own may have another path then.
        copy.__qualname__, copy.__module__ = plain.__qualname__, __name__
        return copy

    return convert(function)  # type: ignore[arg-type]
