"""Makes functions of the user's anew, with all that they call, so that nothing runs in another way than asked."""

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

from tickreel.errors import StrategyError
from tickreel.simulate.reach import globals_read


class Remake:
    """Copies functions, each once, with a namespace in which every function that they call is such a copy.

    finish  what becomes of a copy
    value   what becomes of a number or module that they use
    loops   whether functions may call each other in a ring
    Those that the user gave to numba are made from their own text like all others: else they would run
    without a check of bounds, and compiled where plain Python was asked for.
    """

    def __init__(
        self,
        finish: Callable[[FunctionType], Any],
        *,
        value: Callable[[Any], Any] = lambda value: value,
        loops: bool = False,
    ) -> None:
        self._finish, self._other, self._loops = finish, value, loops
        self._made: dict[int, Any] = {}

    def function(self, plain: FunctionType) -> Any:
        """Return what is made of a function. Raises StrategyError for a ring of calls, and for module.compiled."""
        if id(plain) in self._made:
            if self._made[id(plain)] is None:
                raise StrategyError(f"{plain.__qualname__} calls itself; compiled helpers must not")
            return self._made[id(plain)]
        space = dict(plain.__globals__)
        cells = tuple(CellType() for _ in plain.__closure__ or ())
        copy = FunctionType(plain.__code__, space, plain.__name__, plain.__defaults__, cells or None)
        copy.__qualname__, copy.__kwdefaults__ = plain.__qualname__, plain.__kwdefaults__
        self._made[id(plain)] = copy if self._loops else None
        for name, taken in set(globals_read(plain.__code__)):
            if name in plain.__globals__:
                _refuse_compiled_member(plain, name, taken)
                space[name] = self._value(plain.__globals__[name])
        for cell, old in zip(cells, plain.__closure__ or (), strict=True):
            cell.cell_contents = self._value(old.cell_contents)
        self._made[id(plain)] = self._finish(copy)
        return self._made[id(plain)]

    def _value(self, value: Any) -> Any:
        plain = getattr(value, "py_func", value)
        if isinstance(plain, FunctionType) and plain.__module__.split(".")[0] not in ("numpy", "math"):
            return self.function(plain)
        return self._other(value)


def _refuse_compiled_member(user: FunctionType, name: str, taken: tuple[str, ...]) -> None:
    """Raise StrategyError for a function of numba's reached as module.function: no copy can take its place."""
    value, path = user.__globals__[name], name
    for attribute in taken:
        value, home, path = getattr(value, attribute, None), path, f"{path}.{attribute}"
        if hasattr(value, "py_func"):
            raise StrategyError(
                f"{user.__code__.co_filename}:{user.__code__.co_firstlineno}: {path} is compiled without a check"
                f" of bounds: write `from {home} import {attribute}`, and call {attribute}(...)"
            )
