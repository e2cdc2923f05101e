"""What a run is asked to do, from arguments or a TOML file."""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from difflib import get_close_matches
from operator import index
from pathlib import Path
from typing import Any

from tickreel.errors import InputError, StrategyError, UsageError
from tickreel.measure import Conventions
from tickreel.simulate.account import AccountSettings
from tickreel.simulate.strategy import Strategy, convert_parameter, parameters_of
from tickreel.units import NS_PER_DAY, format_duration, format_time, parse_duration, parse_time


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that a result depends on, beside code and data, and how wide to run it.

    symbols     "BTCUSDT" or "binance:BTCUSDT"; none: all of the store
    latency_ns  one way, to the venue and back
    feed_latency_ns  how long after its exchange time each row is seen, for rows without a local time alone
    every_ns    distance of equity samples
    uncross     drop levels of a book that on_book would see crossed or locked (docs/BOOKS.md, B5)
    parameters  of the strategy: name -> number
    instruments  TOML file whose facts of contracts win over those of the store
    batch_rows  rows handed to the engine at a time; changes nothing but speed
    jit         False runs the engine as plain Python, for a debugger
    """

    feed: str | None = None
    exchange: str | None = None
    symbols: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    capital: float = 100_000.0
    fee: float = 0.0004
    latency_ns: int = 0
    feed_latency_ns: int | None = None
    allow_short: bool = False
    uncross: bool = False
    every_ns: int = NS_PER_DAY
    periods: float | None = None
    risk_free: float = 0.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    instruments: str | None = None
    workers: int | None = None
    batch_rows: int | None = None
    jit: bool = True

    def account(self) -> AccountSettings:
        settings = AccountSettings(self.capital, self.fee, self.latency_ns, self.allow_short)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise UsageError naming the setting that cannot be."""
        self.account()
        for name in ("uncross", "jit"):
            if getattr(self, name) not in (True, False):
                raise UsageError(f"{name} {getattr(self, name)!r}: True or False")
        if self.feed_latency_ns is not None and not 0 <= self.feed_latency_ns < NS_PER_DAY:
            raise UsageError(f"feed_latency {self.feed_latency_ns} ns: 0 or more and less than a day")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers {self.workers}: 1 or more")

    def conventions(self) -> Conventions:
        return Conventions(self.every_ns, self.periods, self.risk_free)

    def recorded(self, **resolved: Any) -> dict[str, Any]:
        """Return what a result depends on, as plain values under the names of the options.

        resolved  what the run made of what was left out: feed, from_ns, to_ns, set
        """
        names = (
            "exchange",
            "symbols",
            "capital",
            "fee",
            "latency_ns",
            "feed_latency_ns",
            "allow_short",
            "uncross",
            "every_ns",
            "periods",
            "risk_free",
            "instruments",
        )
        return {name: getattr(self, name) for name in names} | resolved


def shown(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> text for people of the settings that run.json keeps."""
    lag_ns = settings["feed_latency_ns"]
    text = {
        "feed": settings["feed"],
        "exchange": settings["exchange"] or "all",
        "symbols": ", ".join(settings["symbols"]) or "all",
        "from": format_time(settings["from_ns"]),
        "to": format_time(settings["to_ns"]),
        "capital": f"{settings['capital']:,.12g} for each symbol",
        "fee": f"{settings['fee']:.12g} of notional",
        "latency": f"{format_duration(settings['latency_ns'])} one way",
        "clock": "local" if lag_ns is None else f"exchange + feed latency of {format_duration(lag_ns)}",
        "shorts": "allowed" if settings["allow_short"] else "not allowed",
        "crossed books": "uncrossed" if settings["uncross"] else "kept",
        "equity every": format_duration(settings["every_ns"]),
        "instruments": settings["instruments"] or "as the store has them",
    }
    return text | {f"set {name}": f"{value!r}" for name, value in settings["set"].items()}


ARGUMENTS = frozenset({
    "strategy", "store", "out", "parameters", "feed", "exchange", "symbols", "start", "end", "capital", "fee",
    "latency", "feed_latency", "allow_short", "uncross", "every", "periods", "risk_free", "instruments", "workers",
    "jit",
})  # fmt: skip
"""The arguments of backtest() and sweep(), which no parameter of a strategy can be called like."""


def settings_of(given: Mapping[str, Any], parameters: Mapping[str, Any]) -> RunSettings:
    """Return the settings of arguments of Python, by name as backtest() has them. Raises UsageError."""
    for name in given.keys() - ARGUMENTS:
        close = get_close_matches(name, ARGUMENTS, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"{name!r} is no setting; {hint}a parameter of the strategy belongs into the second argument,"
            f' {{"{name}": [...]}}; settings are {", ".join(sorted(ARGUMENTS))}'
        )
    found = dict(given)
    for name, field_name, parse in (
        ("start", "from_ns", parse_time), ("end", "to_ns", parse_time),
        ("latency", "latency_ns", parse_duration), ("feed_latency", "feed_latency_ns", parse_duration),
        ("every", "every_ns", parse_duration),
    ):  # fmt: skip
        value = found.pop(name, None)
        if value is not None:
            found[field_name] = parse(value, name)
    for name in found.keys() & _ACCEPTED.keys():
        accept, words = _ACCEPTED[name]
        try:
            found[name] = accept(found[name])
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{name} {found[name]!r}: {words}") from None
    return RunSettings(**found, parameters=parameters)


def call_text(settings: RunSettings) -> str:
    """Return the settings as arguments of backtest(), those with another value than the default: ", fee=0.0"."""
    default, found = RunSettings(), []
    for item in fields(RunSettings):
        value = getattr(settings, item.name)
        if item.name not in ("parameters", "batch_rows") and value != getattr(default, item.name):
            name, text = _IN_PYTHON.get(item.name, (item.name, repr))
            found.append(f", {name}={text(value)}")
    return "".join(found)


def _quoted(text: Callable[[int], str]) -> Callable[[int], str]:
    return lambda ns: repr(text(ns))


_IN_PYTHON: dict[str, tuple[str, Callable[[Any], str]]] = {
    "from_ns": ("start", _quoted(format_time)),
    "to_ns": ("end", _quoted(format_time)),
    "latency_ns": ("latency", _quoted(format_duration)),
    "feed_latency_ns": ("feed_latency", _quoted(format_duration)),
    "every_ns": ("every", _quoted(format_duration)),
}


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return index(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _symbols(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(_text, value))


def _or_none(accept: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else accept(value)


_ACCEPTED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "capital": (_number, "a number, e.g. 100_000"),
    "fee": (_number, "a fraction of notional, e.g. 0.0004; 0 for none"),
    "risk_free": (_number, "a fraction a year, e.g. 0.02; 0 for none"),
    "periods": (_or_none(_number), "periods a year, e.g. 365, or None for as many as fill one"),
    "workers": (_or_none(_whole), "a whole number, 1 or more, or None for all cores"),
    "symbols": (_symbols, 'a text or texts, e.g. ["BTCUSDT"]; () for all'),
    "exchange": (_or_none(_text), 'a text, e.g. "binance-futures", or None for all'),
    "feed": (_or_none(_text), "a text, or None for the primary one"),
    "instruments": (_or_none(os.fspath), "the path of a TOML file, or None"),
}
"""Argument -> (what makes a setting of its value, what to say where that fails)."""


def path_of(value: Any, name: str) -> Path:
    """Return a path that was given as an argument. Raises UsageError naming it."""
    try:
        return Path(value)
    except TypeError:
        raise UsageError(f"{name} {value!r}: a path, as text or pathlib.Path") from None


def check_names(strategy: type[Strategy], asked: Iterable[str]) -> None:
    """Raise StrategyError for a parameter called like a setting, UsageError for a name that is no parameter."""
    taken = [name for name in parameters_of(strategy) if name in ARGUMENTS]
    if taken:
        raise StrategyError(
            f"{strategy.__name__}.{taken[0]}: a setting of every run has that name, so backtest() could not tell"
            f" them apart; give the parameter another one, e.g. my_{taken[0]}"
        )
    known = parameters_of(strategy)
    for name in sorted(set(asked) - set(known)):
        missing = f"{strategy.__name__} has no parameter {name!r};"
        if name in ARGUMENTS:
            raise UsageError(
                f"{missing} that is a setting: give it as {_option(name)} (in Python {name}=...)"
            )
        if close := get_close_matches(name, ARGUMENTS, 1):
            raise UsageError(f"{missing} did you mean the setting {close[0]} ({_option(close[0])})?")
        raise UsageError(f"{missing} it has {', '.join(known) or 'none'}")


def _option(argument: str) -> str:
    """Return what the command line has for an argument of Python."""
    others = {
        "start": "--from",
        "end": "--to",
        "jit": "--no-jit",
        "parameters": "--set",
        "strategy": "STRATEGY",
    }
    return others.get(argument, "--" + argument.replace("_", "-"))


def one_set(strategy: type[Strategy], asked: Mapping[str, Any]) -> dict[str, float | int | bool]:
    """Return the parameters of a run, as asked. Raises UsageError, also for several values of one."""
    check_names(strategy, asked)
    for name, value in asked.items():
        if isinstance(value, (list, tuple)) or (isinstance(value, str) and {":", ","} & set(value)):
            raise UsageError(
                f"{strategy.__name__}.{name}: {value!r} is several values; a run takes one of each parameter:"
                " give one, or use sweep"
            )
    return {name: convert_parameter(strategy, name, value) for name, value in asked.items()}


_TOML = {
    "feed": ("feed", str),
    "exchange": ("exchange", str),
    "symbols": ("symbols", list),
    "from": ("from_ns", "time"),
    "to": ("to_ns", "time"),
    "capital": ("capital", float),
    "fee": ("fee", float),
    "latency": ("latency_ns", "duration"),
    "feed_latency": ("feed_latency_ns", "duration"),
    "allow_short": ("allow_short", bool),
    "uncross": ("uncross", bool),
    "every": ("every_ns", "duration"),
    "periods": ("periods", float),
    "risk_free": ("risk_free", float),
    "set": ("parameters", dict),
    "instruments": ("instruments", str),
    "workers": ("workers", int),
}


_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    "time": ((str, date, datetime), "a date, or a date with its time such as 2024-01-31T09:30:00 (UTC),"),
    "duration": ((str,), 'a text with its unit such as "5ms"'),
    str: ((str,), "a text"),
    float: ((float,), "a number"),
    int: ((int,), "a whole number"),
    bool: ((bool,), "true or false"),
    list: ((list,), 'a list of texts such as ["BTCUSDT"], not empty,'),
    dict: ((dict,), "a table of NAME = VALUE"),
}
"""Kind -> (types that TOML may give, what to say of any other). No bare number is a time: of what unit?"""
_PARSERS: dict[Any, Callable[[Any, str], int]] = {"time": parse_time, "duration": parse_duration}


def read_toml(path: Path) -> tuple[str | None, str | None, RunSettings]:
    """Return (strategy, store, settings) of a TOML file; what it leaves out has its default.

    Raises InputError naming the file and the key.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: {error}") from None
    strategy, store = table.pop("strategy", None), table.pop("store", None)
    for key, value in (("strategy", strategy), ("store", store)):
        if value is not None:
            _convert(path, key, value, str)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _TOML:
            known = ["strategy", "store", *_TOML]
            close = get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InputError(f"{path}: {key!r} is no setting; {hint}known are {', '.join(known)}")
        name, kind = _TOML[key]
        values[name] = _convert(path, key, value, kind)
    return strategy, store, RunSettings(**values)


def merged(settings: RunSettings, given: Mapping[str, Any]) -> RunSettings:
    """Return the settings with every value of `given` that is not None in its place."""
    known = {item.name for item in fields(RunSettings)}
    chosen = {name: value for name, value in given.items() if value not in (None, (), {}) and name in known}
    return replace(settings, **chosen)


def _convert(path: Path, key: str, value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    accepted, words = _KINDS[kind]
    if type(value) not in accepted or (kind is list and not _texts(value)):
        raise InputError(f"{path}: {key} is {value!r}; {words} belongs there")
    if kind is int and value < 1:
        raise InputError(f"{path}: {key} is {value!r}; 1 or more belongs there")
    if kind in _PARSERS:
        try:
            return _PARSERS[kind](value, f"{path}: {key}")
        except UsageError as error:
            raise InputError(str(error)) from None
    return tuple(value) if kind is list else value


def _texts(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(item, str) and item for item in value)
