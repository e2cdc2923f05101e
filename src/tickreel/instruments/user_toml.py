"""The user's own instruments file: TOML text to facts, every key checked.

[okex-swap.BTC-USDT-SWAP]
contract = "linear"
multiplier = "0.01"

[[okex-swap.BTC-USDT-SWAP.changes]]  # what held before
until = 2022-01-01
multiplier = "0.1"
"""

import difflib
import tomllib
from decimal import Decimal
from typing import Any

from tickreel.errors import InputError
from tickreel.instruments.facts import FACTS, FactValue, convert, to_time
from tickreel.instruments.model import Fact, dataset_symbol, history

CHANGES, UNTIL = "changes", "until"

UserFacts = dict[tuple[str, str], tuple[Fact, ...]]
"""(exchange, dataset symbol) -> facts."""


def parse_toml(data: bytes, file: str) -> UserFacts:
    """Return the facts of a user's file; InputError names file, key, value found and what belongs there."""
    try:
        document = tomllib.loads(data.decode(), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # not TOML, not UTF-8, no number, too deep
        raise InputError(f"{file}: {error}") from None
    found: UserFacts = {}
    for exchange, symbols in document.items():
        for symbol, table in _table(symbols, f"{file}: {exchange}").items():
            place = f"{file}: {exchange}.{symbol}"
            key = (exchange, dataset_symbol(symbol))
            if key in found:
                raise InputError(f"{place}: {key[1]} is here twice, written in two ways; leave one out")
            found[key] = tuple(_facts(_table(table, place), place, file))
    return found


def _facts(table: dict[str, Any], place: str, file: str) -> list[Fact]:
    changes = [
        (where := f"{place}.{CHANGES}[{number}]", _until(_table(change, where), where), change)
        for number, change in enumerate(_list(table.get(CHANGES, []), f"{place}.{CHANGES}"))
    ]
    now = _values({key: value for key, value in table.items() if key != CHANGES}, place)
    old: dict[str, dict[int, FactValue]] = {}
    for where, until, change in changes:
        for name, value in _values({k: v for k, v in change.items() if k != UNTIL}, where).items():
            if until in old.setdefault(name, {}):
                raise InputError(f"{where}.{UNTIL}: {name} has two values until that time; leave one out")
            old[name][until] = value
    names = dict.fromkeys([*now, *old])
    return [fact for n in names for fact in history(n, now.get(n), old.get(n, {}).items(), file)]


def _values(table: dict[str, Any], place: str) -> dict[str, FactValue]:
    values = {}
    for key, value in table.items():
        if key not in FACTS:
            near = difflib.get_close_matches(key, [*FACTS, CHANGES, UNTIL], 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join([*FACTS, CHANGES])}"
            raise InputError(f"{place}: {key!r} is no fact; {hint}")
        try:
            values[key] = convert(key, value)
        except ValueError as error:
            raise InputError(f"{place}.{key}: {_shown(value)}; {error} belongs there") from None
    return values


def _until(change: dict[str, Any], place: str) -> int:
    try:
        return to_time(change.get(UNTIL))
    except ValueError as error:
        raise InputError(f"{place}.{UNTIL}: {_shown(change.get(UNTIL))}; {error} belongs there") from None


def _table(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{place}: {_shown(value)}; a table [EXCHANGE.SYMBOL] of facts belongs there")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(
            f"{place}: {_shown(value)}; a list of tables [[EXCHANGE.SYMBOL.changes]] belongs there"
        )
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return str(value) if isinstance(value, Decimal) else repr(value)
