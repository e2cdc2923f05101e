"""Every fact that may be known of an instrument, declared once: names, values, Tardis' fields, documents.

Source of the fields: https://docs.tardis.dev/api/instruments-metadata-api
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tickreel.errors import UsageError
from tickreel.units import format_time, parse_time

FactValue = Decimal | str | int
"""An exact decimal, a text, or a time in ns UTC."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_MOST_DIGITS = 30


class Value(StrEnum):
    """What a fact's value is; the text is what a message says belongs there."""

    CHOICE = "one of"
    TEXT = "a text"
    TIME = "an ISO 8601 time"
    POSITIVE = "a number above 0"
    NOT_NEGATIVE = "a number of 0 or more"
    RATE = "a fraction between -0.1 and 0.1"


@dataclass(frozen=True, slots=True)
class FactType:
    """A fact's value and meaning. `tardis`: the field of Tardis' JSON that holds it as it is, if one does."""

    value: Value
    doc: str
    tardis: str = ""
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return f"{self.value} {', '.join(self.choices)}" if self.choices else str(self.value)


_KINDS = ("spot", "perpetual", "future", "option", "combo", "prediction")

FACTS: dict[str, FactType] = {
    "kind": FactType(Value.CHOICE, "what is traded", "type", _KINDS),
    "contract": FactType(
        Value.CHOICE, "how its value follows the price", "", ("linear", "inverse", "quanto")
    ),
    "multiplier": FactType(
        Value.POSITIVE,
        "what one unit of `amount` stands for: base coins if linear, quote currency if inverse",
    ),
    "base": FactType(Value.TEXT, "base currency", "baseCurrency"),
    "quote": FactType(Value.TEXT, "quote currency, that of the price", "quoteCurrency"),
    "settlement": FactType(Value.TEXT, "currency of gains and fees", "settlementCurrency"),
    "tick": FactType(Value.POSITIVE, "least step of the price", "priceIncrement"),
    "lot": FactType(Value.POSITIVE, "least step of the amount", "amountIncrement"),
    "min_amount": FactType(Value.NOT_NEGATIVE, "smallest amount of an order", "minTradeAmount"),
    "min_notional": FactType(Value.NOT_NEGATIVE, "smallest value of an order", "minNotional"),
    "maker_fee": FactType(Value.RATE, "fee of a resting order, of notional", "makerFee"),
    "taker_fee": FactType(Value.RATE, "fee of a taker, of notional", "takerFee"),
    "listed": FactType(Value.TIME, "when trading begins", "listing"),
    "expiry": FactType(Value.TIME, "when trading ends", "expiry"),
    "strike": FactType(Value.POSITIVE, "strike price of an option", "strikePrice"),
    "option_type": FactType(Value.CHOICE, "right of an option", "optionType", ("call", "put")),
}

MONEY = ("kind", "contract", "multiplier")
"""Facts that decide what a fill costs; never derived from data."""


def convert(name: str, value: Any) -> FactValue:
    """Return a fact's value from JSON or TOML. Raises ValueError saying what belongs there."""
    fact = FACTS[name]
    if fact.value is Value.TIME:
        return to_time(value)
    if fact.value in (Value.CHOICE, Value.TEXT):
        if isinstance(value, str) and value and (not fact.choices or value in fact.choices):
            return value
        raise ValueError(fact.allowed)
    number = _to_decimal(value)
    if number is None or not _ALLOWED[fact.value](number):
        raise ValueError(fact.allowed)
    return number


def to_time(value: Any) -> int:
    """Return ns UTC of an ISO 8601 text or a TOML date or time; ValueError for anything else."""
    if isinstance(value, str | date):
        try:
            return parse_time(value)
        except UsageError:
            pass
    raise ValueError(Value.TIME)


def value_text(name: str, value: FactValue) -> str:
    """Return a value as people and TOML files write it: decimals in full, without an exponent."""
    if FACTS[name].value is Value.TIME:
        return format_time(int(value))
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


_ALLOWED = {
    Value.POSITIVE: lambda number: number > 0,
    Value.NOT_NEGATIVE: lambda number: number >= 0,
    Value.RATE: lambda number: abs(number) < Decimal("0.1"),
}


def _to_decimal(value: Any) -> Decimal | None:
    """Return the exact decimal of a text or a number, None for anything else or of absurd size."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    text = str(value)
    if len(text) > 2 * _MOST_DIGITS or not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    return number if number == 0 or abs(number.adjusted()) <= _MOST_DIGITS else None
