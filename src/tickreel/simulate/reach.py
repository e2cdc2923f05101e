"""What a strategy reaches: the key of its machine code, and the columns that it reads."""

import ast
import dis
import hashlib
import inspect
import itertools
import linecache
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from tickreel.errors import StrategyError

ALL_FIELDS = frozenset({"price", "amount", "side", "exchange_ns", "local_ns"})
_PLAIN = (int, float, bool, str, bytes, complex, type(None), np.generic, Enum)
_LIBRARIES = ("numpy", "math", "cmath", "numba", "operator")
_SENDS = ("buy", "sell")
_PARSING = threading.Lock()
"""ast.parse of Python 3.11 counts its depth for all threads in one place, and linecache is one too."""


def source_key(functions: list[Callable]) -> str:
    """Return a hash of all code and constants that the functions reach, over any depth of calls.

    Raises StrategyError naming a global whose value cannot be told apart from another.
    """
    digest = hashlib.sha256()
    _walk([getattr(function, "py_func", function) for function in functions], digest, set())
    return digest.hexdigest()[:24]


def columns_read(callbacks: dict[str, Callable]) -> frozenset[str]:
    """Return the fields of a trade that the callbacks may read, beside the price.

    A trade or ctx that is handed on as a whole counts as all of them, as does code without source;
    a limit order needs the traded amounts, and `ctx.now_ns` is the local time.
    """
    found: set[str] = set()
    for name, function in callbacks.items():
        definition = definition_of(function)
        if definition is None or definition.args.vararg or definition.args.kwarg:
            return ALL_FIELDS
        arguments = arguments_of(definition)
        uses = _Uses(arguments[1] if name == "on_trade" else "", arguments[-1])
        uses.visit(definition)
        if uses.escapes:
            return ALL_FIELDS
        found |= uses.fields
    return frozenset(found) & ALL_FIELDS


class Source(NamedTuple):
    """Where a function's text is: the `place`th piece of code of a file, and the file's text."""

    file: str
    text: str
    place: int


def source_of(function: Callable) -> Source | None:
    """Return the text of a function, or None if none can be had that compiles to the very same code.

    That is so at a prompt, for text given to `exec`, and for a file that was changed since.
    """
    code = function.__code__
    with _PARSING:
        linecache.checkcache(code.co_filename)
        text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    try:
        codes = codes_of(code.co_filename, text)
    except (SyntaxError, ValueError):
        return None
    for place, other in enumerate(codes):
        if _named(other) == _named(code) and _digest(other) == _digest(code):
            return Source(code.co_filename, text, place)
    return None


@lru_cache(maxsize=16)
def codes_of(file: str, text: str) -> list[CodeType]:
    """Return all code of a text, that of functions inside it included, in an order of its own."""
    codes = [compile(text, file, "exec", dont_inherit=True)]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return codes


def definition_of(function: Callable) -> ast.FunctionDef | None:
    """Return the syntax of a function with the line numbers of its file, or None if it cannot be had."""
    source = source_of(function)
    if source is None or hasattr(function, "__wrapped__"):
        return None
    for node in ast.walk(_syntax_of(source.text)):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if (node.name, first) == _named(function.__code__):
                return node
    return None


@lru_cache(maxsize=16)
def _syntax_of(text: str) -> ast.Module:
    with _PARSING:
        return ast.parse(text)


def arguments_of(definition: ast.FunctionDef) -> list[str]:
    """Return the names of a function's arguments."""
    return [argument.arg for argument in (*definition.args.posonlyargs, *definition.args.args)]


def globals_read(code: CodeType) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each global that code reads, functions inside it included, and the attributes taken of it."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for place, step in enumerate(steps):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            taken = itertools.takewhile(
                lambda s: s.opname in ("LOAD_ATTR", "LOAD_METHOD"), steps[place + 1 :]
            )
            yield step.argval, tuple(attribute.argval for attribute in taken)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from globals_read(constant)


class _Uses(ast.NodeVisitor):
    """Collects `trade.<field>`; notes whether `trade` or `ctx` is used in any other way."""

    def __init__(self, trade: str, ctx: str) -> None:
        self.fields: set[str] = set()
        self.escapes = False
        self._trade, self._ctx = trade, ctx

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = self._owner(node.value)
        if owner and owner == self._trade:
            self.fields.add(node.attr)
        elif owner and node.attr in _SENDS:
            self.fields.add("amount")
        elif owner and node.attr == "now_ns":
            self.fields.add("local_ns")

    def visit_Call(self, node: ast.Call) -> None:
        sends = isinstance(node.func, ast.Attribute) and node.func.attr in _SENDS
        if sends and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred) and not node.keywords:
            self._owner(node.func.value)  # type: ignore[attr-defined]
            self.visit(node.args[0])
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in (self._trade, self._ctx):
            self.escapes = True

    def _owner(self, node: ast.expr) -> str:
        """Return the name that stands for the trade or for ctx, or "" after a look into what else it is."""
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == self._ctx
        ):
            self.visit(node.slice)
            return self._ctx
        if isinstance(node, ast.Name) and node.id in (self._trade, self._ctx):
            return node.id
        self.visit(node)
        return ""


def _walk(values: list[Any], digest: "hashlib._Hash", seen: set[int]) -> None:
    for function in values:
        if id(function) in seen:
            continue
        seen.add(id(function))
        digest.update(f"{function.__qualname__}{function.__defaults__!r}{function.__kwdefaults__!r}".encode())
        _code(function.__code__, digest)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        outer = {name: cell.cell_contents for name, cell in cells}
        for name, taken in sorted({*globals_read(function.__code__), *((name, ()) for name in outer)}):
            if name in outer or name in function.__globals__:
                value = outer.get(name, function.__globals__.get(name))
                digest.update(".".join((name, *taken)).encode())
                _value(name, _member(value, taken), function, digest, seen)


def _named(code: CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


def _digest(code: CodeType) -> bytes:
    digest = hashlib.sha256()
    _code(code, digest)
    return digest.digest()


def _code(code: CodeType, digest: "hashlib._Hash") -> None:
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _code(constant, digest)
        else:
            digest.update(f"{type(constant).__name__}{constant!r}".encode())


def _member(value: Any, taken: tuple[str, ...]) -> Any:
    """Return what the attributes taken of a module of the user's lead to; a library's stands for itself."""
    for attribute in taken:
        if not isinstance(value, ModuleType) or _of_library(value) or not hasattr(value, attribute):
            break
        value = getattr(value, attribute)
    return value


def _of_library(module: ModuleType) -> bool:
    return module.__name__.split(".")[0] in _LIBRARIES


def _value(name: str, value: Any, user: Callable, digest: "hashlib._Hash", seen: set[int]) -> None:
    value = getattr(value, "py_func", value)
    if inspect.isfunction(value):
        library = value.__module__.split(".")[0]
        if library in _LIBRARIES:
            digest.update(value.__qualname__.encode())
        else:
            _walk([value], digest, seen)
    elif isinstance(value, ModuleType):
        _module(value, digest)
    elif isinstance(value, _PLAIN):
        digest.update(f"{type(value).__name__}{value!r}".encode())
    elif isinstance(value, tuple):
        digest.update(f"{type(value).__qualname__}{len(value)}".encode())
        for item in value:
            _value(name, item, user, digest, seen)
    elif isinstance(value, type) and issubclass(value, Enum):
        digest.update(repr(list(value)).encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif inspect.isbuiltin(value) or isinstance(value, (type, np.ufunc)):
        digest.update(getattr(value, "__qualname__", getattr(value, "__name__", "")).encode())
        digest.update(repr(getattr(value, "_fields", ())).encode())
    else:
        raise StrategyError(
            f"{user.__code__.co_filename}:{user.__code__.co_firstlineno}: {user.__qualname__} uses the global"
            f" {name!r}, a {type(value).__name__}; compiled code may use numbers, tuples, arrays and functions:"
            " make it a Param, a state field or a constant"
        )


def _module(module: ModuleType, digest: "hashlib._Hash") -> None:
    digest.update(f"{module.__name__} {getattr(module, '__version__', '')}".encode())
    file = getattr(module, "__file__", None)
    if not _of_library(module) and file:
        digest.update(Path(file).read_bytes())
