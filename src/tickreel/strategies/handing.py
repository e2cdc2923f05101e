"""Hands a class over to other processes as plain data, with all that it reaches, as it is in memory now."""

import linecache
import math
from collections import namedtuple
from collections.abc import Callable, Iterable
from enum import Enum
from importlib import import_module
from io import StringIO
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import msgspec
import numpy as np

from tickreel.errors import StrategyError
from tickreel.simulate.check import check
from tickreel.simulate.compile import strategy_key
from tickreel.simulate.reach import codes_of, globals_read, source_of
from tickreel.simulate.strategy import (
    Param,
    StateArray,
    Strategy,
    callbacks_of,
    fields_of,
    parameters_of,
)
from tickreel.strategies.fresh import is_users

_MOST_BYTES = 100_000
_BUILTINS = (bool, int, float, complex, str, bytes, type(None))


class HandedFunction(msgspec.Struct, frozen=True):
    """A function: the `place`th code of a file; its globals and what it takes from around it are spaces."""

    file: int
    place: int
    qualname: str
    space: str
    outer: str


class Handed(msgspec.Struct, frozen=True):
    """A class as plain data.

    files      name and text of the files that the functions are in
    bindings   Python that gives spaces, the modules as far as reached, and defaults their values
    fields     Python that makes the class's parameters and state, and its timer
    callbacks  name -> which function
    """

    files: tuple[tuple[str, str], ...]
    functions: tuple[HandedFunction, ...]
    bindings: str
    fields: str
    callbacks: tuple[tuple[str, int], ...]


def hand_over(strategy: type[Strategy]) -> Handed:
    """Return a class, wherever it was made, as data from which `take_over` makes the same.

    Raises StrategyError for a mistake in it, and for what has no text: code typed at a prompt, objects.
    """
    check(strategy)
    hands = _Hands(strategy.__name__)
    callbacks = tuple((name, hands.function(found)) for name, found in callbacks_of(strategy).items())
    handed = Handed(
        tuple(hands.files.items()), tuple(hands.functions), "\n".join(hands.bindings),
        _fields(strategy), callbacks,
    )  # fmt: skip
    if strategy_key(take_over(strategy.__name__, handed)) != strategy_key(strategy):
        raise StrategyError(
            f"{strategy.__name__} would not be the same in another process; put it into a file and name it:"
            f" my.py:{strategy.__name__}"
        )
    return handed


def take_over(name: str, handed: Handed) -> type[Strategy]:
    """Return the class that was handed over."""
    for file, text in handed.files:
        _remember(file, text)
    spaces = _Spaces()
    codes = [codes_of(*handed.files[one.file])[one.place] for one in handed.functions]
    made = [_function(code, one, spaces) for code, one in zip(codes, handed.functions, strict=True)]
    exec(handed.bindings, {**_WORDS, "spaces": spaces, "functions": made})
    for function, one in zip(made, handed.functions, strict=True):
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            cell.cell_contents = getattr(spaces[one.outer], free)
    body: dict[str, Any] = {}
    exec(handed.fields, {**_WORDS, "Param": Param, "StateArray": StateArray}, body)
    return type(name, (Strategy,), body | {callback: made[place] for callback, place in handed.callbacks})


class _Spaces(dict[str, ModuleType]):
    """Name -> a module with only what is reached of it."""

    def __missing__(self, name: str) -> ModuleType:
        return self.setdefault(name, ModuleType(name))


def _function(code: CodeType, one: HandedFunction, spaces: _Spaces) -> FunctionType:
    closure = tuple(CellType() for _ in code.co_freevars)
    function = FunctionType(code, vars(spaces[one.space]), code.co_name, None, closure)
    function.__qualname__ = one.qualname
    return function


def _remember(file: str, text: str) -> None:
    """Let messages and `source_of` see the text that runs, where the file is gone or has another."""
    lines = StringIO(text).readlines()
    if linecache.getlines(file) != lines:
        linecache.cache[file] = (len(text), None, lines, file)


def _fields(strategy: type[Strategy]) -> str:
    parameters = parameters_of(strategy)
    lines = [f"timer = {strategy.timer!r}"]
    for name, (_, shape, default) in fields_of(strategy).items():
        value = f"StateArray({shape[0]})" if shape else repr(default)
        lines.append(f"{name} = {f'Param({value})' if name in parameters else value}")
    return "\n".join(lines)


def _array(value: np.ndarray) -> str:
    return f"np.frombuffer({value.tobytes()!r}, {value.dtype.str!r}).reshape({value.shape!r})"


def _member(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def _enum(base: str, name: str, members: list[tuple[str, Any]]) -> Any:
    return _member("enum", base)(name, members)


_WORDS: dict[str, Any] = {
    "inf": math.inf, "nan": math.nan, "np": np, "namedtuple": namedtuple, "module": import_module,
    "member": _member, "enum": _enum,
}  # fmt: skip


class _Hands:
    """Collects what a class's functions reach; each thing once."""

    def __init__(self, strategy: str) -> None:
        self.files: dict[str, str] = {}
        self.functions: list[HandedFunction] = []
        self.bindings: list[str] = []
        self._strategy = strategy
        self._places: dict[int, int] = {}
        self._bound: set[tuple[str, str]] = set()
        self._kept: list[Any] = []  # so that no id is given twice

    def function(self, function: Callable) -> int:
        """Return the place of a function in `functions`; put it there, with what it reaches."""
        if id(function) in self._places:
            return self._places[id(function)]
        place = self._places[id(function)] = len(self.functions)
        self._kept.append(function)
        source = source_of(function)
        if source is None:
            raise StrategyError(self._without_text(function))
        self.files[source.file] = source.text
        space, outer = function.__globals__.get("__name__", "__main__"), f"around {place}"
        file = list(self.files).index(source.file)
        self.functions.append(HandedFunction(file, source.place, function.__qualname__, space, outer))
        self._bind_names(function, space, outer)
        for name in ("__defaults__", "__kwdefaults__"):
            if value := getattr(function, name):
                items = value.values() if isinstance(value, dict) else value
                texts = [self._value(function, "a default", item) for item in items]
                text = "".join(f"{one}, " for one in texts)
                pairs = f"dict(zip({tuple(value)!r}, ({text})))" if isinstance(value, dict) else f"({text})"
                self.bindings.append(f"functions[{place}].{name} = {pairs}")
        return place

    def _bind_names(self, function: Callable, space: str, outer: str) -> None:
        for name, taken in sorted(set(globals_read(function.__code__))):
            if name in function.__globals__:
                self._bind(function, space, name, function.__globals__[name], taken)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name == "__class__":
                code = function.__code__
                raise StrategyError(
                    f"{code.co_filename}:{code.co_firstlineno}: {function.__qualname__} uses super(), which machine"
                    " code does not know: make what both need a function of the file, and call that"
                )
            self._bind(function, outer, name, cell.cell_contents, ())

    def _bind(self, user: Callable, space: str, name: str, value: Any, taken: Iterable[str]) -> None:
        """Bind a name of a space; of a module of the user's, bind what is taken of it as well."""
        first, *rest = [*taken, ""]
        if isinstance(value, ModuleType) and is_users(value) and first and hasattr(value, first):
            self._bind(user, value.__name__, first, getattr(value, first), rest[:-1])
        if (space, name) not in self._bound:
            self._bound.add((space, name))
            text = self._value(user, f"the global {name!r}", value)
            self.bindings.append(f"setattr(spaces[{space!r}], {name!r}, {text})")

    def _value(self, user: Callable, what: str, value: Any) -> str:
        """Return Python of a value that compiled code may use."""
        value = getattr(value, "py_func", value)
        if isinstance(value, ModuleType):
            return f"spaces[{value.__name__!r}]" if is_users(value) else f"module({value.__name__!r})"
        if isinstance(value, Enum):
            return f"{self._value(user, what, type(value))}[{value.name!r}]"
        if type(value) in _BUILTINS:
            return repr(value)
        if type(value) is tuple:
            return "(" + "".join(f"{self._value(user, what, item)}, " for item in value) + ")"
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
            if value.nbytes <= _MOST_BYTES:
                return _array(np.asarray(value)) + ("[()]" if isinstance(value, np.generic) else "")
        elif found := self._imported(value) or self._of_type(user, what, value):
            return found
        elif isinstance(value, FunctionType):
            return f"functions[{self.function(value)}]"
        raise StrategyError(
            f"{user.__code__.co_filename}:{user.__code__.co_firstlineno}: {user.__qualname__} uses {what}, a"
            f" {type(value).__name__}, which cannot be handed to other processes: make it a number or a small"
            f" array, or name the strategy by its file: my.py:{self._strategy}"
        )

    def _imported(self, value: Any) -> str:
        """Return Python that imports a function or type of an installed module, or "" if it is none."""
        name = getattr(value, "__qualname__", getattr(value, "__name__", ""))
        home = "numpy" if isinstance(value, np.ufunc) else getattr(value, "__module__", None)
        if not callable(value):
            return ""
        try:
            module = import_module(home) if isinstance(home, str) and home != "__main__" else None
        except ImportError:
            return ""
        if module is None or is_users(module) or getattr(module, name, None) is not value:
            return ""
        return f"member({home!r}, {name!r})"

    def _of_type(self, user: Callable, what: str, value: Any) -> str:
        """Return Python that makes an enum or a named tuple of the user's anew, or ""."""
        if not isinstance(value, type):
            return ""
        if issubclass(value, Enum):
            base = next(one for one in value.__mro__ if one.__module__ == "enum").__name__
            members = [(name, member.value) for name, member in value.__members__.items()]
            texts = [f"({name!r}, {self._value(user, what, number)})" for name, number in members]
            return f"enum({base!r}, {value.__name__!r}, [{', '.join(texts)}])"
        if issubclass(value, tuple) and hasattr(value, "_fields"):
            return f"namedtuple({value.__name__!r}, {value._fields!r})"
        return ""

    def _without_text(self, function: Callable) -> str:
        code = function.__code__
        name = f"{function.__qualname__} of {code.co_filename}"
        if code.co_filename in ("<string>", "<stdin>"):
            return (
                f"{self._strategy} has no text that other processes could get: it comes from a prompt, `python -c`"
                f" or standard input; put it into a file and name it, my.py:{self._strategy}, or use IPython"
            )
        return (
            f"the text of {name}, line {code.co_firstlineno}, is not that of the code in memory: the file was"
            " changed since it was imported, or the code was made by a program; start anew, or name the"
            f" strategy by its file: my.py:{self._strategy}"
        )
