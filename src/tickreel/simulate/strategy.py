"""What a user writes: a Strategy with parameters, state and callbacks."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from numbers import Number
from typing import Any

import numpy as np

from tickreel.errors import StrategyError, UsageError
from tickreel.units import parse_duration

CALLBACKS = {
    "on_start": ("self", "ctx"),
    "on_trade": ("self", "trade", "ctx"),
    "on_book": ("self", "book", "ctx"),
    "on_fill": ("self", "fill", "ctx"),
    "on_timer": ("self", "ctx"),
    "on_end": ("self", "ctx"),
}
"""The callbacks that the engine knows and their arguments; only those that a strategy defines are called."""

_LATER = ("on_ticker", "on_liquidation")
_DTYPES = {float: np.dtype("f8"), int: np.dtype("i8"), bool: np.dtype("?")}


class Param:
    """A parameter of a strategy: what `--set` and sweeps may change. Its type is its default's."""

    def __init__(self, default: float) -> None:
        self.default = default
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self.default


class StateArray:
    """A state field of `length` float64 values, zero at the start: a window, a histogram."""

    def __init__(self, length: int) -> None:
        if not isinstance(length, int) or length < 1:
            raise StrategyError(f"StateArray({length!r}): the length is a whole number of at least 1")
        self.length = length


class Strategy:
    """Base of all strategies. Class attributes are parameters (Param) and state; methods are callbacks.

        class Momentum(Strategy):
            threshold = Param(0.001)     # a parameter
            last: float = 0.0            # state: a float, int or bool, or a StateArray
            timer = "1m"                 # calls on_timer at every full minute UTC

            def on_trade(self, trade, ctx): ...

    on_start(self, ctx), on_end(self, ctx)    at the first and after the last event of the run
    on_trade(self, trade, ctx)                for each trade, after the orders that it fills
    on_book(self, book, ctx)                  for each message of the order book, when it is whole
    on_fill(self, fill, ctx)                  when the answer to an order reaches the strategy
    on_timer(self, ctx)                       at multiples of `timer`

    The methods are compiled: they may use numbers, their own state, `math`, NumPy and functions of
    the same file, not lists of objects, files or print.
    """

    timer: str = ""


def fields_of(strategy: type[Strategy]) -> dict[str, tuple[np.dtype, tuple[int, ...], Any]]:
    """Return name -> (dtype, shape, default) of parameters and state, in the order of their definition.

    Raises StrategyError naming the attribute that is neither.
    """
    values: dict[str, Any] = {}
    for owner in reversed(strategy.__mro__):
        if owner in (object, Strategy):
            continue
        values |= vars(owner)
        for name in vars(owner).get("__annotations__", {}):
            if name not in vars(owner):
                raise StrategyError(f"{strategy.__name__}.{name} has no value; write {name}: float = 0.0")
    return {
        name: _field(strategy, name, value)
        for name, value in values.items()
        if not (name.startswith("__") or name == "timer" or callable(value) or isinstance(value, property))
    }


def parameters_of(strategy: type[Strategy]) -> dict[str, Any]:
    """Return name -> default of the parameters; one that a subclass sets to a plain value is none."""
    values = {name: value for owner in reversed(strategy.__mro__) for name, value in vars(owner).items()}
    return {
        name: _as_annotated(strategy, name, value.default)
        for name, value in values.items()
        if isinstance(value, Param)
    }


def callbacks_of(strategy: type[Strategy]) -> dict[str, Callable]:
    """Return the callbacks that a strategy defines. StrategyError if there is none, or one not known."""
    for name in dir(strategy):
        if name in _LATER:
            raise StrategyError(
                f"{strategy.__name__}.{name}: this version replays trades and order books; use on_trade or on_book"
            )
        if name.startswith("on_") and name not in CALLBACKS:
            raise StrategyError(f"{strategy.__name__}.{name} is none of {', '.join(CALLBACKS)}")
    found = {name: getattr(strategy, name) for name in CALLBACKS if hasattr(strategy, name)}
    if not found:
        raise StrategyError(f"{strategy.__name__} has no callback; define on_trade(self, trade, ctx)")
    if "on_timer" in found and parse_duration(strategy.timer or 0, f"{strategy.__name__}.timer") < 1:
        raise StrategyError(
            f"{strategy.__name__}.on_timer is never called with timer = {strategy.timer!r};"
            ' set timer = "1m" in the class'
        )
    return found


def timer_ns(strategy: type[Strategy]) -> int:
    """Return the distance of two calls of on_timer, ns; 0 without a timer. Raises StrategyError."""
    if not strategy.timer:
        return 0
    where = f"{strategy.__name__}.timer"
    if not isinstance(strategy.timer, str):
        raise StrategyError(f'{where} = {strategy.timer!r}: a duration is a text with its unit, e.g. "60s"')
    try:
        found = parse_duration(strategy.timer, where)
    except UsageError as error:
        raise StrategyError(str(error)) from None
    if found < 1:
        raise StrategyError(
            f"{where} = {strategy.timer!r}: a timer's distance is above 0; leave it out for none"
        )
    return found


def make_state(strategy: type[Strategy], settings: Mapping[str, Any]) -> np.ndarray:
    """Return the strategy's record (recarray of one row) with `settings` in place of defaults.

    Raises UsageError for a name that is no parameter or a value that does not fit its type.
    """
    return make_states(strategy, [settings])


def make_states(strategy: type[Strategy], sets: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return the strategy's record with each of some settings; see make_state."""
    fields = fields_of(strategy)
    known = parameters_of(strategy)
    layout: list[Any] = [(name, dtype, shape) for name, (dtype, shape, _) in fields.items()]
    states = np.zeros(len(sets), np.dtype(layout or [("_", "i8")], align=True)).view(np.recarray)
    for name, (_, shape, default) in fields.items():
        if not shape:  # a StateArray is zeros already, of memory that nothing has touched
            states[name] = default
    for place, settings in enumerate(sets):
        for name, value in settings.items():
            if name not in known:
                raise UsageError(
                    f"{strategy.__name__} has no parameter {name!r}; it has {', '.join(known) or 'none'}"
                )
            states[name][place] = convert_parameter(strategy, name, value)
    return states


def convert_parameter(strategy: type[Strategy], name: str, value: Any) -> float | int | bool:
    """Return a value, perhaps text, as the type of the parameter's default; UsageError if it does not fit."""
    kind = type(parameters_of(strategy)[name])
    where = f"{strategy.__name__}.{name}: {value!r}"
    try:
        return _CONVERSIONS[kind](value)
    except (ValueError, KeyError, OverflowError, TypeError, InvalidOperation):
        raise UsageError(f"{where} is not {_ALLOWED[kind]}") from None


def _to_bool(value: Any) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]


def _to_int(value: Any) -> int:
    """Return a whole number of at most 63 bits; text may be as that of a float: 1e3."""
    exact = Decimal(value.strip()) if isinstance(value, str) else _number(value)
    if not -(2**63) < exact < 2**63 or exact != int(exact):
        raise ValueError
    return int(exact)


def _to_float(value: Any) -> float:
    found = float(value if isinstance(value, str) else _number(value))
    if not np.isfinite(found):
        raise ValueError
    return found


def _number(value: Any) -> Any:
    """Return a number; TypeError for true and false, bytes, and whatever else Python would make one of."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Number):
        raise TypeError
    return value


_CONVERSIONS: dict[type, Callable[[Any], float | int | bool]] = {
    float: _to_float,
    int: _to_int,
    bool: _to_bool,
}
_ALLOWED = {
    float: "a finite float",
    int: "int, a whole number from -9223372036854775807 to 9223372036854775807",
    bool: "bool; write true or false",
}


def _field(strategy: type[Strategy], name: str, value: Any) -> tuple[np.dtype, tuple[int, ...], Any]:
    if isinstance(value, StateArray):
        return _DTYPES[float], (value.length,), 0.0
    default = _as_annotated(strategy, name, value.default if isinstance(value, Param) else value)
    if type(default) not in _DTYPES:
        raise StrategyError(
            f"{strategy.__name__}.{name} is a {type(default).__name__}; parameters and state are float, int,"
            " bool or StateArray(n)"
        )
    return _DTYPES[type(default)], (), default


def _as_annotated(strategy: type[Strategy], name: str, default: Any) -> Any:
    """Return a default as its annotation says, `last: float = 0` as 0.0; StrategyError if they contradict."""
    owners = (owner for owner in strategy.__mro__ if name in vars(owner).get("__annotations__", {}))
    said = next((owner.__annotations__[name] for owner in owners), None)
    kind = {"float": float, "int": int, "bool": bool}.get(getattr(said, "__name__", str(said)))
    if kind is float and type(default) is int:
        return float(default)
    if kind is not None and type(default) in _DTYPES and type(default) is not kind:
        raise StrategyError(
            f"{strategy.__name__}.{name}: {kind.__name__} = {default!r} contradicts itself; write"
            f" {name}: {type(default).__name__} = {default!r}, or a value that is {kind.__name__}"
        )
    return default
