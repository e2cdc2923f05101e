"""The parameter sets of a sweep: what is asked for each parameter, and every combination of it."""

import math
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from tickreel.errors import UsageError
from tickreel.runs.settings import check_names
from tickreel.simulate.strategy import Strategy, convert_parameter, parameters_of

MOST_SETS = 100_000
_TOO_SMALL, _TOO_LARGE = -400, 400
"""Decimal exponents that no float has: a fraction of such a number would take all memory."""
Number = float | int | bool
Axes = dict[str, list[Number]]
"""Every parameter of the strategy -> its values; a set takes one of each."""


def axes_of(strategy: type[Strategy], asked: Mapping[str, Any]) -> Axes:
    """Return the values of all parameters; one that is not asked for has its default alone.

    asked  name -> "a:b:n" (n values from a to b, both among them), "v,w,...", a value, or some values
    Raises UsageError naming parameter, value, what is allowed and the next step.
    """
    if not isinstance(asked, Mapping) or not all(isinstance(name, str) for name in asked):
        raise UsageError(
            f"parameters {asked!r}: expected a dict of names and values, such as"
            ' {"threshold": [0.001, 0.002]}; {} leaves all at their defaults'
        )
    axes: Axes = {name: [default] for name, default in parameters_of(strategy).items()}
    check_names(strategy, asked)
    for name, value in asked.items():
        axes[name] = _values(strategy, name, value)
    if count_of(axes) > MOST_SETS:
        sizes = " x ".join(f"{name} {len(values):,}" for name, values in axes.items() if len(values) > 1)
        raise UsageError(
            f"{sizes} are {count_of(axes):,} sets, at most {MOST_SETS:,}: ask for fewer values, or sweep in parts"
        )
    return axes


def count_of(axes: Axes) -> int:
    """Return how many sets there are."""
    return math.prod(len(values) for values in axes.values())


def listed(axes: Axes) -> list[dict[str, Any]]:
    """Return the axes as a list, in which their order is safe: JSON is written with its keys sorted."""
    return [{"name": name, "values": values} for name, values in axes.items()]


def set_of(axes: Axes, number: int) -> dict[str, Number]:
    """Return the parameters of set `number`; the last parameter changes from each set to the next."""
    found: dict[str, Number] = {}
    for name, values in reversed(axes.items()):
        number, place = divmod(number, len(values))
        found[name] = values[place]
    return {name: found[name] for name in axes}


def _values(strategy: type[Strategy], name: str, asked: Any) -> list[Number]:
    where = f"{strategy.__name__}.{name}: {asked!r}"
    if isinstance(asked, str) and ":" in asked:
        values = _steps(strategy, name, asked)
        if len(values) > 1 and values[0] == values[-1]:
            raise UsageError(f"{where}: both ends are the same; write {name}={values[0]!r}, or other ends")
        hint = "there are fewer floats than that between the ends, ask for fewer values"
    else:
        values = [convert_parameter(strategy, name, part) for part in _parts(where, name, asked)]
        hint = "give each value once"
    seen: set[Number] = set()
    for value in values:
        if value in seen:
            raise UsageError(f"{where} has {value!r} twice; {hint}")
        seen.add(value)
    return values


def _parts(where: str, name: str, asked: Any) -> list[Any]:
    """Return the values of a list, an array, or text with commas: text without blanks, NumPy's as Python's."""
    dimensions: int = getattr(asked, "ndim", 1)
    if isinstance(asked, str):
        parts: list[Any] = [part.strip() for part in asked.split(",")]
    elif dimensions > 1:
        raise UsageError(f"{where} has {dimensions} dimensions; give a list of values")
    elif dimensions == 1 and isinstance(asked, Iterable) and not isinstance(asked, bytes):
        parts = list(asked)
    else:
        parts = [asked]
    if not parts or parts == [""]:
        raise UsageError(f"{where} has no value; give one or more, e.g. {name}=0.1,0.2")
    if "" in [part for part in parts if isinstance(part, str)]:
        raise UsageError(f"{where} has an empty value; write commas between values only, e.g. {name}=0.1,0.2")
    return [part.item() if hasattr(part, "item") else part for part in parts]


def _steps(strategy: type[Strategy], name: str, asked: str) -> list[Number]:
    """Return the values of "a:b:n": the floats nearest to the exact decimals, as typed one by one."""
    where = f"{strategy.__name__}.{name}: {asked!r}"
    kind = type(parameters_of(strategy)[name])
    if kind is bool:
        raise UsageError(f"{where} is a range of true and false; write {name}=true,false")
    try:
        first, last, count = asked.split(":")
        a, b, n = _exact(first, where), _exact(last, where), int(count)
    except (ValueError, InvalidOperation):
        raise UsageError(f"{where} is not a:b:n; write e.g. {name}=0.001:0.01:10") from None
    if not 1 <= n <= MOST_SETS:
        raise UsageError(f"{where} asks for {n:,} values; n is from 1 to {MOST_SETS:,}")
    exact = [a + (b - a) * step / max(n - 1, 1) for step in range(n)]
    if kind is int:
        for value in exact:
            if value.denominator != 1:
                raise UsageError(
                    f"{where} gives {float(value):g}, and the parameter is int; choose n so that the steps are"
                    f" whole, or list the values: {name}=1,2,5"
                )
    for end in (exact[0], exact[-1]):
        convert_parameter(strategy, name, kind(end))
    return [kind(value) for value in exact]


def _exact(text: str, where: str) -> Fraction:
    """Return a decimal as it is; ValueError or InvalidOperation for other text, UsageError beyond the floats."""
    found = Decimal(text.strip())
    if not found.is_finite():
        raise ValueError
    if found.adjusted() < _TOO_SMALL:
        return Fraction(0)
    if found.adjusted() > _TOO_LARGE or found.copy_abs() > Decimal(sys.float_info.max):
        raise UsageError(f"{where} has a value beyond the largest float, 1.8e308; use smaller ones")
    return Fraction(found)
