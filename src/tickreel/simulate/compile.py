"""A strategy class to machine code: its callbacks put into the engine's loop, kept on disk."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickreel.errors import StrategyError
from tickreel.simulate.reach import ALL_FIELDS, columns_read, source_key
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
    fields = columns_read(callbacks_of(strategy))
    return Engine(run, end, fields if fields <= ALL_FIELDS else ALL_FIELDS, code)


def strategy_key(strategy: type[Strategy]) -> str:
    """Return a hash of everything that a strategy's behaviour depends on beside its parameters' values."""
    layout = [(name, str(dtype), shape) for name, (dtype, shape, _) in fields_of(strategy).items()]
    defaults = {name: repr(default) for name, (_, _, default) in fields_of(strategy).items()}
    callbacks = callbacks_of(strategy)
    code = source_key([callbacks[name] for name in sorted(callbacks)])
    text = f"{layout}{defaults}{sorted(callbacks)}{strategy.timer}{code}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def explain(error: BaseException, strategy: type[Strategy]) -> StrategyError:
    """Return numba's complaint as one line of the user's file, and what to write instead."""
    text = str(error)
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    own = [place for place in places if "tickreel/simulate/" not in place[0].replace("\\", "/")]
    where = "{}:{}".format(*own[-1]) if own else strategy.__name__
    return StrategyError(f"{where}: {strategy.__name__} cannot be compiled: {_reason(text)}")


_HINTS = (
    (r"Unknown attribute '(\w+)' of type Record", "self.{0} is not declared: add `{0}: float = 0.0` to the class"),
    (r"Record[^\n]* has no attribute '(\w+)'|Field '(\w+)' was not found",
     "self.{0} is not declared: add `{0}: float = 0.0` to the class, or call a function of the module"),
    (r"Unknown attribute '(\w+)' of type Context", "ctx has no {0}: see docs/SEMANTICS.md for what it offers"),
    (r"Unknown attribute '(\w+)' of type \w*[Tt]uple\(?.*Trade", "a trade has no {0}"),
    (r"[Uu]ntyped global name '(\w+)'", "{0} cannot be compiled: use numbers, math, NumPy or own functions"),
    (r"No implementation of function Function\(<built-in function (\w+)>\)", "{0} does not take these types"),
)  # fmt: skip


def _reason(text: str) -> str:
    for pattern, hint in _HINTS:
        match = re.search(pattern, text)
        if match:
            return hint.format(*[group for group in match.groups() if group])
    lines = [line.strip() for line in text.splitlines() if line.strip() and "File " not in line]
    return " ".join(lines[:3])[:400]


def _with_compiled_helpers(function: Callable) -> Callable:
    """Return a copy of a callback whose plain helper functions are compiled, so that it may call them."""
    from types import FunctionType

    from tickreel import jit as compiler

    made: dict[int, Any] = {}

    def convert(plain: FunctionType) -> FunctionType:
        space = dict(plain.__globals__)
        for name in plain.__code__.co_names:
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
