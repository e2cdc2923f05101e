"""Reads a strategy's text before it is compiled: names that do not exist, and what machine code cannot do."""

import ast
import builtins
import inspect
from collections.abc import Callable, Iterable
from types import FunctionType

from tickreel.errors import StrategyError
from tickreel.simulate import mistakes
from tickreel.simulate.book_view import BookView
from tickreel.simulate.context import Context
from tickreel.simulate.reach import definition_of, globals_read
from tickreel.simulate.records import Fill, Trade
from tickreel.simulate.strategy import CALLBACKS, Strategy, callbacks_of, fields_of, parameters_of

_OFFERED = {
    "ctx": tuple(name for name in vars(Context) if name[0] != "_" and name not in Context.__slots__),
    "trade": Trade._fields,
    "fill": Fill._fields,
    "book": tuple(name for name in vars(BookView) if name[0] != "_" and name not in BookView.__slots__),
}
_INSTEAD: dict[type[ast.AST], str] = {
    ast.List: "a list cannot be made: use numbers, a tuple or a StateArray(n) of the class",
    ast.ListComp: "a list cannot be made: use a loop, and numbers or a StateArray(n) of the class",
    ast.GeneratorExp: "a generator cannot be made: use a loop",
    ast.Dict: "a dict cannot be made: use numbers or a StateArray(n) of the class",
    ast.DictComp: "a dict cannot be made: use numbers or a StateArray(n) of the class",
    ast.Set: "a set cannot be made: use numbers or a StateArray(n) of the class",
    ast.SetComp: "a set cannot be made: use numbers or a StateArray(n) of the class",
    ast.JoinedStr: "an f-string cannot be made: print takes text and numbers side by side, print('at', ctx.price)",
    ast.Import: "import at the top of the file",
    ast.ImportFrom: "import at the top of the file",
    ast.Try: "try cannot be used: test the value before it is used",
    ast.With: "with cannot be used: a strategy opens nothing",
    ast.Global: "a global cannot be set: make it a state field of the class, e.g. `count: int = 0`",
}


def check(strategy: type[Strategy]) -> None:
    """Raise StrategyError naming the line of the first thing that cannot be, and what to write instead."""
    kinds = _kinds(strategy)
    parameters = set(parameters_of(strategy))
    for name, function in callbacks_of(strategy).items():
        _signature(strategy, name, function)
        definition = definition_of(function)
        if definition is None:
            continue
        known = {argument: argument for argument in CALLBACKS[name]}
        for statement in definition.body:
            for node in ast.walk(statement):
                complaint = _complaint(node, known, strategy, kinds) or _unknown_name(node, function)
                if complaint:
                    raise StrategyError(f"{_place(function, node)}: {complaint}")
        space = function.__globals__
        for node, complaint in mistakes.complaints(definition.body, known, parameters, kinds, space):
            raise StrategyError(f"{_place(function, node)}: {complaint}")
    for function in _helpers(callbacks_of(strategy).values()):
        definition = definition_of(function)
        for node in ast.walk(definition) if definition else ():
            for complaint in mistakes.text_compared(node, function.__globals__, mistakes.is_number):
                raise StrategyError(f"{_place(function, node)}: {complaint}")


def _kinds(strategy: type[Strategy]) -> dict[str, str]:
    """Return field -> "float", "int", "bool" or "array"."""
    names = {"f": "float", "i": "int", "b": "bool"}
    return {
        name: "array" if shape else names[dtype.kind]
        for name, (dtype, shape, _) in fields_of(strategy).items()
    }


def _helpers(functions: Iterable[Callable]) -> list[FunctionType]:
    """Return the plain functions that these call, over any depth, each once."""
    found: dict[int, FunctionType] = {}
    unread = list(functions)
    while unread:
        function = unread.pop()
        for name, _ in globals_read(function.__code__):
            value = function.__globals__.get(name)
            if not isinstance(value, FunctionType) or value.__module__.split(".")[0] in ("numpy", "math"):
                continue
            if id(value) not in found:
                found[id(value)] = value
                unread.append(value)
    return list(found.values())


def _place(function: Callable, node: ast.AST) -> str:
    return f"{function.__code__.co_filename}:{getattr(node, 'lineno', function.__code__.co_firstlineno)}"


def _signature(strategy: type[Strategy], name: str, function: Callable) -> None:
    parameters = inspect.signature(function).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = tuple(one.name for one in parameters)
    # By position alone `on_trade(self, ctx, trade)` would give a trade the name ctx.
    if names != CALLBACKS[name] or any(one.kind not in plain for one in parameters):
        code = function.__code__
        raise StrategyError(
            f"{code.co_filename}:{code.co_firstlineno}: {strategy.__name__}.{name} takes"
            f" ({', '.join(map(str, parameters))}); write def {name}({', '.join(CALLBACKS[name])})"
        )


def _complaint(node: ast.AST, known: dict[str, str], strategy: type[Strategy], kinds: dict[str, str]) -> str:
    """Return what is wrong with a piece of a callback, or "".

    known  argument's name -> what it stands for; kinds as `_kinds` gives them
    """
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        what = known.get(node.value.id, "")
        if what == "self" and node.attr not in kinds:
            return _not_a_field(strategy, node.attr)
        if what in _OFFERED and node.attr not in _OFFERED[what]:
            return f"{node.value.id} has no {node.attr}; it has {', '.join(_OFFERED[what])}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in known:
                return f"print takes numbers and text, not {argument.id}: print its fields"
    if (
        isinstance(node, ast.Assign)
        and any(map(_is_slice, node.targets))
        and _is_array(node.value, known, kinds)
    ):
        return (
            "an array cannot be put into a slice: write a loop, `for i in range(n - 1): self.prices[i] ="
            " self.prices[i + 1]`, or better keep a ring, `self.prices[self.seen % n] = trade.price`"
        )
    return _INSTEAD.get(type(node), "")


def _is_slice(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)


def _is_array(node: ast.expr, known: dict[str, str], kinds: dict[str, str]) -> bool:
    """Return whether a value is a slice, or a StateArray as a whole."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return known.get(node.value.id) == "self" and kinds.get(node.attr) == "array"
    return _is_slice(node)


def _not_a_field(strategy: type[Strategy], name: str) -> str:
    if callable(getattr(strategy, name, None)):
        return (
            f"self.{name}: only callbacks are compiled; make {name} a function of the file, outside the class,"
            f" and call {name}(...) with what it needs"
        )
    return (
        f"self.{name} is not declared: add `{name}: float = 0.0` (or int, bool, StateArray(n)) to the class"
    )


def _unknown_name(node: ast.AST, function: Callable) -> str:
    """Return what is wrong with a name that is neither local nor global; names of inner functions pass."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        code = function.__code__
        inner = any(inspect.iscode(constant) for constant in code.co_consts)
        local = node.id in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
        if not (inner or local or node.id in function.__globals__ or hasattr(builtins, node.id)):
            return f"{node.id} is not defined"
    return ""
