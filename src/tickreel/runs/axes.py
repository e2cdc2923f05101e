"""The parameter sets of a sweep: what is asked for each parameter, and every combination of it."""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from tickreel.errors import UsageError
from tickreel.runs.settings import check_names
from tickreel.simulate.strategy import Strategy, convert_parameter, parameters_of

MOST_SETS = 100_000
Number = float | int | bool
Axes = dict[str, list[Number]]
"""Every parameter of the strategy -> its values; a set takes one of each."""


def axes_of(strategy: type[Strategy], asked: Mapping[str, Any]) -> Axes:
    """Return the values of all parameters; one that is not asked for has its default alone.

    asked  name -> "a:b:n" (n values from a to b, both among them), "v,w,...", a value, or some values
    Raises UsageError naming parameter, value, what is allowed and the next step.
    """
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


def set_of(axes: Axes, number: int) -> dict[str, Number]:
    """Return the parameters of set `number`; the last parameter changes from each set to the next."""
    found: dict[str, Number] = {}
    for name, values in reversed(axes.items()):
        number, place = divmod(number, len(values))
        found[name] = values[place]
    return {name: found[name] for name in axes}


def _values(strategy: type[Strategy], name: str, asked: Any) -> list[Number]:
    where = f"{strategy.__name__}.{name}"
    if isinstance(asked, str) and ":" in asked:
        values = _steps(strategy, name, asked)
    else:
        parts: Iterable[Any] = asked.split(",") if isinstance(asked, str) else _listed(asked)
        values = [convert_parameter(strategy, name, _bare(part)) for part in parts]
    if not values:
        raise UsageError(f"{where}: {asked!r} has no value; give one or more, e.g. {name}=0.1,0.2")
    seen: set[Number] = set()
    for value in values:
        if value in seen:
            raise UsageError(f"{where}: {asked!r} has {value!r} twice; give each value once")
        seen.add(value)
    return values


def _listed(asked: Any) -> Iterable[Any]:
    return asked if isinstance(asked, Iterable) else [asked]


def _bare(part: Any) -> Any:
    """Return text without blanks, and a number of NumPy's as Python's."""
    if isinstance(part, str):
        return part.strip()
    return part.item() if hasattr(part, "item") else part


def _steps(strategy: type[Strategy], name: str, asked: str) -> list[Number]:
    """Return the values of "a:b:n": the floats nearest to the exact decimals, as typed one by one."""
    where = f"{strategy.__name__}.{name}: {asked!r}"
    kind = type(parameters_of(strategy)[name])
    if kind is bool:
        raise UsageError(f"{where} is a range of true and false; write {name}=true,false")
    try:
        first, last, count = asked.split(":")
        a, b, n = Fraction(first.strip()), Fraction(last.strip()), int(count)
    except (ValueError, ZeroDivisionError):
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
    return [convert_parameter(strategy, name, int(v) if kind is int else _float(v, where)) for v in exact]


def _float(value: Fraction, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{where} has a value beyond the largest float, 1.8e308; use smaller ones") from None
