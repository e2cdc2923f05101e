"""What a strategy reaches: the key of its machine code, and the columns that it reads."""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from tickreel.errors import StrategyError

ALL_FIELDS = frozenset({"price", "amount", "side", "exchange_ns", "local_ns"})
_PLAIN = (int, float, bool, str, bytes, complex, type(None), np.generic)
_LIBRARIES = ("numpy", "math", "cmath", "numba", "operator")


def source_key(functions: list[Callable]) -> str:
    """Return a hash of all code and constants that the functions reach, over any depth of calls.

    Raises StrategyError naming a global whose value cannot be told apart from another.
    """
    digest = hashlib.sha256()
    _walk([getattr(function, "py_func", function) for function in functions], digest, set())
    return digest.hexdigest()[:24]


def columns_read(callbacks: dict[str, Callable]) -> frozenset[str]:
    """Return the fields of a trade that the callbacks may read, beside price and time.

    A trade or ctx that is handed on as a whole counts as all of them, as does code without source;
    a limit order needs the traded amounts.
    """
    found: set[str] = set()
    for name, function in callbacks.items():
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError, SyntaxError):
            return ALL_FIELDS
        (definition,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        arguments = [argument.arg for argument in definition.args.args]
        trade = arguments[1] if name == "on_trade" and len(arguments) > 1 else ""
        uses = _Uses(trade, arguments[-1])
        uses.visit(definition)
        if uses.escapes:
            return ALL_FIELDS
        found |= uses.fields
    return frozenset(found) & ALL_FIELDS


class _Uses(ast.NodeVisitor):
    """Collects `trade.<field>`; notes whether `trade` or `ctx` is used in any other way."""

    def __init__(self, trade: str, ctx: str) -> None:
        self.fields: set[str] = set()
        self.escapes = False
        self._names = {trade, ctx}
        self._trade, self._ctx = trade, ctx

    def visit_Attribute(self, node: ast.Attribute) -> None:
        base = node.value
        while isinstance(base, ast.Subscript):
            self.visit(base.slice)
            base = base.value
        if isinstance(base, ast.Name) and base.id in self._names:
            if base.id == self._trade:
                self.fields.add(node.attr)
        else:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        sends = isinstance(node.func, ast.Attribute) and node.func.attr in ("buy", "sell")
        if sends and (len(node.args) > 1 or node.keywords):
            self.fields.add("amount")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self._names:
            self.escapes = True


def _walk(values: list[Any], digest: "hashlib._Hash", seen: set[int]) -> None:
    for function in values:
        if id(function) in seen:
            continue
        seen.add(id(function))
        digest.update(f"{function.__qualname__}{function.__defaults__!r}".encode())
        _code(function.__code__, digest)
        reached = inspect.getclosurevars(function)
        for name, value in sorted({**reached.globals, **reached.nonlocals}.items()):
            digest.update(name.encode())
            _value(name, value, function, digest, seen)


def _code(code: CodeType, digest: "hashlib._Hash") -> None:
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _code(constant, digest)
        else:
            digest.update(f"{type(constant).__name__}{constant!r}".encode())


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
    elif isinstance(value, tuple) and all(isinstance(item, _PLAIN) for item in value):
        digest.update(repr(value).encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif inspect.isbuiltin(value) or isinstance(value, (type, np.ufunc)):
        digest.update(getattr(value, "__qualname__", getattr(value, "__name__", "")).encode())
    else:
        raise StrategyError(
            f"{user.__code__.co_filename}:{user.__code__.co_firstlineno}: {user.__qualname__} uses the global"
            f" {name!r}, a {type(value).__name__}; compiled code may use numbers, tuples, arrays and functions:"
            " make it a Param, a state field or a constant"
        )


def _module(module: ModuleType, digest: "hashlib._Hash") -> None:
    digest.update(f"{module.__name__} {getattr(module, '__version__', '')}".encode())
    file = getattr(module, "__file__", None)
    if module.__name__.split(".")[0] not in _LIBRARIES and file:
        digest.update(Path(file).read_bytes())
