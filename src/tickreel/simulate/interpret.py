"""Plain Python that computes as machine code does: for debuggers, and to compare the two."""

import math
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from tickreel.simulate.remake import Remake


def interpreted(callbacks: dict[str, Callable]) -> dict[str, Callable]:
    """Return the callbacks as plain functions in which numbers divide, overflow and round as NumPy's do."""
    remake = Remake(_with_numbers, value=_number, loops=True)
    return {name: remake.function(function) for name, function in callbacks.items()}  # type: ignore[arg-type]


def on_fields(function: Callable) -> Callable:
    """Return a function of the engine that gets the strategy's record, so that callbacks get a `self`."""

    def run(state: np.ndarray, *others: Any) -> Any:
        with np.errstate(all="ignore"):  # machine code does not warn of 1.0 / 0.0 either
            return function([_Fields(state[0])], *others)

    return run


class _Fields:
    """A strategy's `self` in plain Python: its record, whose fields hide NumPy's own `mean`, `size` and such."""

    __slots__ = ("_record",)

    def __init__(self, record: np.record) -> None:
        object.__setattr__(self, "_record", record)

    def __getattr__(self, name: str) -> Any:
        value = self._record[name]
        return value.view(_Values) if isinstance(value, np.ndarray) else value

    def __setattr__(self, name: str, value: Any) -> None:
        self._record[name] = value


class _Values(np.ndarray):
    """A StateArray in plain Python; its sums go from first to last, as numba's, not in pairs as NumPy's."""

    def sum(self, *args: Any, **kwargs: Any) -> Any:
        total = np.float64(0.0)
        for value in self.flat:
            total += value
        return total

    def prod(self, *args: Any, **kwargs: Any) -> Any:
        total = np.float64(1.0)
        for value in self.flat:
            total *= value
        return total

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        return self.sum() / np.float64(self.size)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        mean, total = self.mean(), np.float64(0.0)
        for value in self.flat:
            total += (value - mean) * (value - mean)
        return total / np.float64(self.size)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        return np.sqrt(self.var())

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(function, "__name__", "")
        if function in _SUMS and isinstance(args[0], _Values):
            return getattr(args[0], name)()
        return super().__array_function__(function, types, args, kwargs)


_SUMS = (np.sum, np.prod, np.mean, np.var, np.std)


def _number(value: Any) -> Any:
    """Return a Python number as NumPy's, and `math` without its errors; tuples part by part."""
    if type(value) is float:
        return np.float64(value)
    if type(value) is int and -(2**63) <= value < 2**63:
        return np.int64(value)
    if type(value) is tuple:
        return tuple(map(_number, value))
    if value is math:
        return _MATH
    return getattr(_MATH, value.__name__) if getattr(value, "__module__", None) == "math" else value


def _with_numbers(copy: FunctionType) -> FunctionType:
    copy.__code__ = _numbers_in(copy.__code__)
    copy.__defaults__ = _number(copy.__defaults__)
    return copy


def _numbers_in(code: CodeType) -> CodeType:
    constants = (_numbers_in(one) if isinstance(one, CodeType) else _number(one) for one in code.co_consts)
    return code.replace(co_consts=tuple(constants))


def _without_errors(function: Callable) -> Callable:
    """Return a function of `math` that gives nan or inf where the processor does, instead of raising."""

    def computed(*values: Any) -> Any:
        try:
            found = function(*values)
        except (ValueError, OverflowError):
            same = getattr(np, _NUMPY_NAMES.get(function.__name__, function.__name__), None)
            found = same(*(np.float64(value) for value in values)) if same else math.nan
        return _number(found)

    computed.__name__ = function.__name__
    return computed


_NUMPY_NAMES = {"pow": "power", "atanh": "arctanh", "acos": "arccos", "asin": "arcsin", "acosh": "arccosh"}
_MATH = ModuleType("math")
for _name, _found in vars(math).items():
    setattr(
        _MATH, _name, _without_errors(_found) if callable(_found) and _name[0] != "_" else _number(_found)
    )
