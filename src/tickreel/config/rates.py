"""A rate card: what each provider charges for what, since when, and who says so."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tickreel.config import tables
from tickreel.errors import InputError, UsageError, disk_error

UNITS = ("trades", "messages", "calls", "gigabytes")
BUILT_IN = "built-in rates.toml"

_MOST, _DECIMALS = Decimal(10) ** 15, 30
_ALLOWED = {
    "price": f"a number of 0 or more, below 1e15, of at most {_DECIMALS} decimals",
    "rate": f"a number above 0, below 1e15, of at most {_DECIMALS} decimals",
    "percent": "a number from 0 to 100",
}
_Text = Annotated[str, msgspec.Meta(min_length=1, description="a text")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=10**15, description="a whole number of 0 or more")]
_Number = Annotated[Decimal, msgspec.Meta(description=_ALLOWED["price"])]
_Rate = Annotated[Decimal, msgspec.Meta(description=_ALLOWED["rate"])]
_Percent = Annotated[Decimal, msgspec.Meta(description=_ALLOWED["percent"])]


class Price(msgspec.Struct, frozen=True):
    """What `per` units cost, and how many a month cost nothing."""

    price: _Number
    per: Annotated[int, msgspec.Meta(ge=1, le=10**15, description="a whole number of 1 or more")] = 1
    free: _Count = 0


_FREE = Price(Decimal(0))
"""A unit that a provider's table does not name."""


class Discount(msgspec.Struct, frozen=True):
    """Percent off the sums of all units, from `at_least` of one unit a month on."""

    unit: Literal["trades", "messages", "calls", "gigabytes"]
    at_least: _Count
    percent: _Percent


class Provider(msgspec.Struct, frozen=True):
    """What one provider charges. rate: the card's currency for one of its price list."""

    key: str
    name: _Text
    currency: _Text
    rate: _Rate
    date: Annotated[date, msgspec.Meta(description="a date, e.g. 2026-11-22")]
    source: _Text
    monthly: _Number = Decimal(0)
    trades: Price = _FREE
    messages: Price = _FREE
    calls: Price = _FREE
    gigabytes: Price = _FREE
    discounts: dict[str, Discount] = {}


@dataclass(frozen=True, slots=True)
class Card:
    """All providers of a card, in its order; `source` is the file, `currency` that of sums, `note` for who reads them."""

    source: str
    currency: str
    note: str
    providers: tuple[Provider, ...]


def card_text() -> str:
    """Return the built-in card as it is written."""
    return resources.files("tickreel.config").joinpath("rates.toml").read_text("utf-8")


def load_card(path: Path | None = None, *, environment: Mapping[str, str] = os.environ) -> Card:
    """Return the card of a file, else of TICKREEL_RATES, else the built-in one.

    Raises UsageError for a file that is not there, InputError for what no card can say: with file, table, key, value
    and what belongs there.
    """
    chosen = path or environment.get("TICKREEL_RATES")
    if not chosen:
        return parse_card(card_text(), BUILT_IN)
    try:
        text = Path(chosen).expanduser().read_text("utf-8")
    except FileNotFoundError:
        named = "--card" if path else "TICKREEL_RATES"
        raise UsageError(
            f"{named} {chosen}: no such file; tickreel cost --print-card prints one to begin with"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{chosen}: is no text in UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise disk_error(error, f"reading {chosen}") from error
    return parse_card(text, str(chosen))


def parse_card(text: str, source: str) -> Card:
    """Return a card from TOML. source: its name in errors. Raises InputError."""
    try:
        # No number of a card ever is a float.
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as error:
        raise InputError(f"{source}: is no TOML: {error}") from None

    def origin(path: tables.Path) -> str:
        return source

    currency, note = document.pop("currency", None), document.pop("note", "")
    if not isinstance(currency, str) or not currency:
        raise InputError(
            f'{source}: currency = {currency!r}: the currency of all sums belongs there, e.g. "USD"'
        )
    if not isinstance(note, str):
        raise InputError(f"{source}: note = {note!r}: a text belongs there")
    if not document:
        raise InputError(f"{source}: has no provider; write a table for each, e.g. [relay]")
    return Card(
        source, currency, note, tuple(_provider(key, table, origin) for key, table in document.items())
    )


def _provider(key: str, table: Any, origin: tables.Origin) -> Provider:
    found = tables.build(Provider, table, (key,), origin, key=key)
    _check(found, (key,), origin)
    for unit in UNITS:
        _check(getattr(found, unit), (key, unit), origin)
    for name, discount in found.discounts.items():
        _check(discount, (key, "discounts", name), origin)
    return found


def _check(found: msgspec.Struct, path: tables.Path, origin: tables.Origin) -> None:
    """Refuse decimals that are out of bounds: TOML has nan, inf and 1e999999."""
    for name in found.__struct_fields__:
        value = getattr(found, name)
        if isinstance(value, Decimal) and not _fits(name, value):
            raise tables.wrong((*path, name), str(value), _ALLOWED.get(name, _ALLOWED["price"]), origin)


def _fits(name: str, value: Decimal) -> bool:
    if not value.is_finite() or value < 0 or -int(value.as_tuple().exponent) > _DECIMALS:
        return False
    return value <= 100 if name == "percent" else value < _MOST and (name != "rate" or value > 0)
