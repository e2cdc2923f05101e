"""A strategy class to machine code: its callbacks put into the engine's loop, kept on disk."""

import hashlib
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
    play: Callable[..., None]
    look: Callable[..., bool]
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
    if jit:
        from tickreel.simulate import context_kernel  # noqa: F401 - teaches numba what ctx is

        callbacks = {name: _compiled(function, {}) for name, function in callbacks.items()}
    run = compiler.specialised(engine_kernel, "run", callbacks, key)
    play = compiler.specialised(engine_kernel, "play", callbacks, key)
    look = compiler.specialised(engine_kernel, "look", callbacks, key)
    end = compiler.specialised(engine_kernel, "end", callbacks, key)
    if isinstance(run, FunctionType):
        run, play, look, end = (_on_fields(one) for one in (run, play, look, end))
    return Engine(run, play, look, end, columns_read(callbacks_of(strategy)), code)


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
    def run(state: np.ndarray, *others: Any) -> Any:
        with np.errstate(all="ignore"):  # machine code does not warn of 1.0 / 0.0 either
            return function([_Fields(state[0])], *others)

    return run


def strategy_key(strategy: type[Strategy]) -> str:
    """Return a hash of everything that a strategy's behaviour depends on beside its parameters' values."""
    layout = [(name, str(dtype), shape) for name, (dtype, shape, _) in fields_of(strategy).items()]
    defaults = {name: repr(default) for name, (_, _, default) in fields_of(strategy).items()}
    callbacks = callbacks_of(strategy)
    code = source_key([callbacks[name] for name in sorted(callbacks)])
    text = f"{layout}{defaults}{sorted(callbacks)}{strategy.timer}{code}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _compiled(plain: Callable, made: dict[int, Any]) -> Any:
    """Return a function as machine code; plain functions that it calls are compiled as well.

    made  id -> machine code of those met before, None while one is being made
    An index out of bounds raises IndexError; without the check it would write over other memory.
    """
    from tickreel import jit as compiler

    space = dict(plain.__globals__)
    for name in {name for name, _ in globals_read(plain.__code__)}:
        value = space.get(name)
        if isinstance(value, FunctionType) and value.__module__.split(".")[0] not in ("numpy", "math"):
            if id(value) not in made:
                made[id(value)] = None
                made[id(value)] = _compiled(value, made)
            if made[id(value)] is None:
                raise StrategyError(f"{value.__qualname__} calls itself; compiled helpers must not")
            space[name] = made[id(value)]
    copy = FunctionType(plain.__code__, space, plain.__name__, plain.__defaults__, plain.__closure__)
    # The cache on disk loads the module of this name again; the user's own may have another path then.
    copy.__qualname__, copy.__module__ = plain.__qualname__, __name__
    machine = compiler.inlined(copy)
    if machine is not copy:
        machine.targetoptions["boundscheck"] = True  # type: ignore[attr-defined]
    return machine
