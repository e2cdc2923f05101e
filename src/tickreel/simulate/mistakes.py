"""Reads a callback for what would run and mean something else: text beside numbers, a float cut to an int."""

import ast
from collections.abc import Callable, Iterator
from typing import Any

from tickreel.simulate.records import Fill, Trade

_CALLS = {
    "buy": ((1, 2), ("quantity", "limit"), "ctx.buy(quantity) or ctx.buy(quantity, limit), both numbers"),
    "sell": ((1, 2), ("quantity", "limit"), "ctx.sell(quantity) or ctx.sell(quantity, limit), both numbers"),
    "cancel": ((1, 1), ("order_id",), "ctx.cancel(order_id), a number that ctx.buy or ctx.sell returned"),
    "close": ((0, 0), (), "ctx.close()"),
    "cancel_all": ((0, 0), (), "ctx.cancel_all()"),
}
"""Method of ctx -> (fewest and most arguments, their names, how it is written)."""

_NUMBERS = {*Trade._fields, *Fill._fields}
_FLOATS = {"price", "amount", "quantity", "position", "cash", "equity"}
_FLOATS |= {"bid", "ask", "bid_amount", "ask_amount", "mid", "spread"}
_KEEP = {"min", "max", "abs", "sum"}
_SIDE = "; side is +1 for a buyer, -1 for a seller, 0 if unknown"


def complaints(
    body: list[ast.stmt],
    known: dict[str, str],
    parameters: set[str],
    kinds: dict[str, str],
    constants: dict[str, Any],
) -> Iterator[tuple[ast.AST, str]]:
    """Yield (node, what is wrong and what to write instead).

    known       argument's name -> what it stands for: self, ctx, trade, fill, book
    parameters  fields that are Params; kinds: field -> "float", "int", "bool" or "array"
    constants   globals of the function
    """
    reader = _Reader(known, kinds, _locals(body))
    nodes = [node for statement in body for node in ast.walk(statement)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        yield from ((node, text) for text in text_compared(node, constants, reader.is_number) if text)
        if isinstance(node, ast.Attribute):
            yield from _attribute(node, reader.role(node.value), called, parameters)
        yield from _call(node, reader)
        yield from ((node, text) for text in _cut(node, reader, kinds))


def text_compared(
    node: ast.AST, constants: dict[str, Any], is_number: Callable[[ast.AST], bool]
) -> Iterator[str]:
    """Yield what is wrong with a comparison of a number with text, which holds for no number."""
    if not isinstance(node, ast.Compare):
        return
    sides = [node.left, *node.comparators]
    texts = [side for side in sides if _is_text(side, constants)]
    if texts and any(is_number(side) for side in sides if side not in texts):
        hint = _SIDE if "side" in ast.unparse(node) else ""
        yield f"{ast.unparse(node)} compares a number with text, which is never equal{hint}"


def is_number(node: ast.AST) -> bool:
    """Return whether an expression outside of a callback is surely a number: a field of a trade or a fill."""
    return isinstance(node, ast.Attribute) and node.attr in _NUMBERS


class _Reader:
    """Tells what an expression of a callback is, as far as its text says it."""

    def __init__(
        self, known: dict[str, str], kinds: dict[str, str], local: dict[str, list[ast.expr]]
    ) -> None:
        self._known, self._kinds, self._local = known, kinds, local
        self._asked: set[str] = set()

    def role(self, node: ast.AST) -> str:
        """Return "self", "ctx", "trade", "fill", "book" or "" for what an attribute is taken of."""
        if isinstance(node, ast.Subscript) and self.role(node.value) == "ctx":
            return "ctx"
        return self._known.get(node.id, "") if isinstance(node, ast.Name) else ""

    def is_number(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return bool(self._of_local(node, self.is_number))
        if isinstance(node, ast.Attribute):
            return bool(self.role(node.value)) or is_number(node)
        return isinstance(node, ast.Constant) and isinstance(node.value, int | float)

    def is_float(self, node: ast.AST) -> bool:
        """Return whether an expression is surely a float; what is not known is none."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, float)
        if isinstance(node, ast.Name):
            return self._of_local(node, self.is_float)
        if isinstance(node, ast.Attribute):
            role = self.role(node.value)
            return (
                self._kinds.get(node.attr) == "float"
                if role == "self"
                else bool(role) and node.attr in _FLOATS
            )
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.Div) or self.is_float(node.left) or self.is_float(node.right)
        if isinstance(node, ast.UnaryOp):
            return not isinstance(node.op, ast.Not) and self.is_float(node.operand)
        if isinstance(node, ast.IfExp):
            return self.is_float(node.body) or self.is_float(node.orelse)
        if isinstance(node, ast.Subscript):
            return self._is_array(node.value) and not isinstance(node.slice, ast.Slice)
        return isinstance(node, ast.Call) and self._gives_float(node)

    def _gives_float(self, node: ast.Call) -> bool:
        called, arguments = node.func, node.args
        if isinstance(called, ast.Name):
            if called.id == "round":
                return len(arguments) == 2 and self.is_float(arguments[0])
            return called.id == "float" or (called.id in _KEEP and any(map(self.is_float, arguments)))
        if not isinstance(called, ast.Attribute):
            return False
        if isinstance(called.value, ast.Name) and called.value.id == "math":
            return called.attr not in (
                "floor",
                "ceil",
                "trunc",
                "isnan",
                "isinf",
                "isfinite",
                "gcd",
                "comb",
                "isqrt",
                "factorial",
            )
        if isinstance(called.value, ast.Name) and called.value.id in ("np", "numpy"):
            return called.attr in ("floor", "ceil", "sqrt", "exp", "log", "float64", "mean", "std")
        return self._is_array(called.value) and called.attr in ("mean", "sum", "min", "max", "std", "var")

    def _is_array(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            return self._is_array(node.value)
        found = isinstance(node, ast.Attribute) and self.role(node.value) == "self"
        return found and self._kinds.get(node.attr) == "array"  # type: ignore[attr-defined]

    def _of_local(self, node: ast.Name, question: Callable[[ast.AST], bool]) -> bool:
        """Ask of all that is assigned to a local name, but not while that is being asked already."""
        if node.id in self._asked or node.id not in self._local:
            return False
        self._asked.add(node.id)
        try:
            return any(question(value) for value in self._local[node.id])
        finally:
            self._asked.discard(node.id)


def _locals(body: list[ast.stmt]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for statement in body:
        for node in ast.walk(statement):
            for target, value in _assigned(node):
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(value)
    return found


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield (target, value) of an assignment; of `a, b = c, d` both pairs."""
    if isinstance(node, ast.AugAssign):
        value = (
            ast.BinOp(ast.Name(node.target.id), node.op, node.value)
            if isinstance(node.target, ast.Name)
            else (ast.BinOp(ast.Constant(0), node.op, node.value))
        )
        yield node.target, ast.copy_location(value, node)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=False)
            else:
                yield target, node.value


def _attribute(
    node: ast.Attribute, role: str, called: set[int], parameters: set[str]
) -> Iterator[tuple[ast.AST, str]]:
    written = isinstance(node.ctx, ast.Store | ast.Del)
    name = ast.unparse(node)
    if written and role == "self" and node.attr in parameters:
        yield node, f"{name} is a parameter, which a run does not change: make a state field for what changes"
    elif written and role == "ctx":
        yield (
            node,
            f"{name} cannot be set: it follows from orders and trades; send an order, e.g. ctx.buy(quantity)",
        )
    elif written and role in ("trade", "fill", "book"):
        yield node, f"{name} cannot be set: it is what happened; use a variable of your own"
    elif role == "ctx" and node.attr in _CALLS and id(node) not in called:
        yield node, f"{name} does nothing without brackets: write {_CALLS[node.attr][2]}"


def _call(node: ast.AST, reader: _Reader) -> Iterator[tuple[ast.AST, str]]:
    """Yield what is wrong with the arguments of a method of ctx."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return
    if reader.role(node.func.value) != "ctx":
        return
    name = node.func.attr
    if name not in _CALLS:
        if name[0] != "_":
            yield node, f"ctx.{name} is a value: leave out the brackets"
        return
    (fewest, most), names, usage = _CALLS[name]
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    if any(isinstance(one, ast.Starred) for one in given) or any(k.arg is None for k in node.keywords):
        return
    unknown = [keyword.arg for keyword in node.keywords if keyword.arg not in names]
    text = any(
        isinstance(one, ast.Constant) and not isinstance(one.value, int | float | None) for one in given
    )
    if not fewest <= len(given) <= most or unknown or text:
        yield node, f"write {usage}; here it is {ast.unparse(node)}"


def _is_text(node: ast.AST, constants: dict[str, Any]) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_is_text(item, constants) for item in node.elts)
    if isinstance(node, ast.Name):
        return isinstance(constants.get(node.id), str)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _cut(node: ast.AST, reader: _Reader, kinds: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with an assignment of a float to a field that holds none."""
    for target, value in _assigned(node):
        if not isinstance(target, ast.Attribute) or reader.role(target.value) != "self":
            continue
        kind = kinds.get(target.attr)
        if kind in ("int", "bool") and reader.is_float(value):
            yield (
                f"{ast.unparse(node)} puts a float into {kind} self.{target.attr}, which keeps no fraction: give the"
                f" field a float as its default, `{target.attr}: float = 0.0`, or write {kind}(...)"
            )
