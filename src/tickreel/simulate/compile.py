"""A strategy class to machine code: its callbacks put into the engine's loop, kept on disk."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any

from tickreel.simulate.check import check
from tickreel.simulate.interpret import interpreted, on_fields
from tickreel.simulate.reach import columns_read, source_key
from tickreel.simulate.remake import Remake
from tickreel.simulate.strategy import Strategy, callbacks_of, fields_of


@dataclass(frozen=True, slots=True)
class Engine:
    """The loop made for one strategy. `fields`: what of a trade must be decoded beside the price."""

    run: Callable[..., int]
    play: Callable[..., None]
    look: Callable[..., bool]
    end: Callable[..., None]
    fields: frozenset[str]
    key: str


_ENTRIES = ("run", "play", "look", "end")
"""Functions of engine_kernel, in the order of Engine's."""


def build(strategy: type[Strategy], *, jit: bool = True) -> Engine:
    """Return the engine for a strategy; machine code is made, or loaded, at the first call.

    jit  False runs the same source as plain Python, for a debugger; the results are the same
    """
    from tickreel import jit as compiler
    from tickreel.simulate import engine_kernel

    check(strategy)
    callbacks = callbacks_of(strategy)
    code = strategy_key(strategy)
    fields = columns_read(callbacks)
    if not (jit and compiler.compiles()):
        plain = interpreted(callbacks)
        run, play, look, end = (
            on_fields(compiler.specialised(engine_kernel, entry, plain, None)) for entry in _ENTRIES
        )
        return Engine(run, play, look, end, fields, code)
    return _machine(_Callbacks(code, _places(callbacks), fields, callbacks))


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """What machine code is made of. `code`, and the `places` that complaints name, tell it from any other."""

    code: str
    places: tuple[tuple[str, int], ...]
    fields: frozenset[str]
    functions: dict[str, Callable] = field(compare=False)


def _places(callbacks: dict[str, Callable]) -> tuple[tuple[str, int], ...]:
    codes = (getattr(function, "py_func", function).__code__ for function in callbacks.values())
    return tuple((code.co_filename, code.co_firstlineno) for code in codes)


@lru_cache(maxsize=1)  # numba gives no memory back: some 0.4 MiB each time that code is loaded from the disk
def _machine(callbacks: _Callbacks) -> Engine:
    from tickreel import jit as compiler
    from tickreel.simulate import (
        context_kernel,  # noqa: F401 - teaches numba what ctx is
        engine_kernel,
    )

    remake = Remake(_compiled)
    machine = {name: remake.function(function) for name, function in callbacks.functions.items()}  # type: ignore[arg-type]
    if "on_trade" in machine:
        # It is called for every trade, at one place: what a call hands over costs more than most of them do.
        machine["on_trade"].targetoptions["forceinline"] = True
    key = _machine_key(callbacks.code)
    run, play, look, end = (compiler.specialised(engine_kernel, entry, machine, key) for entry in _ENTRIES)
    return Engine(run, play, look, end, callbacks.fields, callbacks.code)


@lru_cache(maxsize=1)
def build_sets(engine: Engine) -> Callable[..., None]:
    """Return sets_kernel.run_sets with the engine of a strategy in it; the one before, if that is the same."""
    from tickreel import jit as compiler
    from tickreel.simulate import sets_kernel

    key = None if isinstance(engine.run, FunctionType) else _machine_key(engine.key)
    return compiler.specialised(sets_kernel, "run_sets", {"run": engine.run}, key)


def _machine_key(code: str) -> str:
    from tickreel import jit as compiler

    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    return f"{compiler.kernels_key()}-{own}-{code}"


def strategy_key(strategy: type[Strategy]) -> str:
    """Return a hash of everything that a strategy's behaviour depends on beside its parameters' values."""
    layout = [(name, str(dtype), shape) for name, (dtype, shape, _) in fields_of(strategy).items()]
    defaults = {name: repr(default) for name, (_, _, default) in fields_of(strategy).items()}
    callbacks = callbacks_of(strategy)
    code = source_key([callbacks[name] for name in sorted(callbacks)])
    text = f"{layout}{defaults}{sorted(callbacks)}{strategy.timer}{code}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _compiled(copy: FunctionType) -> Any:
    """Return a function as machine code that raises IndexError at an index out of bounds.

    Without the check it would write over other memory.
    """
    from tickreel import jit as compiler

    # The cache on disk loads the module of this name again; the user's own may have another path then.
    copy.__module__ = __name__
    machine: Any = compiler.inlined(copy)
    machine.targetoptions["boundscheck"] = True
    return machine
