"""Tardis' instruments JSON: bytes to instruments, numbers exact whether they are texts or numbers.

A file is the answer of GET /v1/instruments/{exchange}, a list, or that of .../{symbol}, one object.
`changes` holds former values, each valid until its time. Unknown fields are passed over.
Source: https://docs.tardis.dev/api/instruments-metadata-api
"""

from decimal import Decimal
from typing import Any

import msgspec

from tickreel.errors import InputError
from tickreel.instruments.facts import FACTS, FactValue, convert, to_time
from tickreel.instruments.model import Fact, Instrument, dataset_symbol, history
from tickreel.instruments.venues import Amounts, amounts

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = {fact.tardis: name for name, fact in FACTS.items() if fact.tardis}
_SIZE = "contractMultiplier"
_CHANGING = {**{field: _FIELDS[field] for field in _FIELDS if field != "type"}, _SIZE: "multiplier"}
_FIXED = ("type", "inverse", "quanto", "contractType")


class _Item:
    """One object of a file, whose fields are read by name; errors name the file, the place and the field."""

    def __init__(self, values: dict[str, Any], place: str) -> None:
        self.values = values
        self.place = place

    def wrong(self, field: str, allowed: str) -> InputError:
        value = self.values.get(field)
        shown = str(value) if isinstance(value, Decimal) else "nothing" if value is None else repr(value)
        return InputError(f"{self.place}.{field}: {shown[:80]}; {allowed} belongs there")

    def text(self, field: str) -> str:
        value = self.values.get(field)
        if not isinstance(value, str) or not value:
            raise self.wrong(field, "a text")
        return value

    def flag(self, field: str) -> bool | None:
        value = self.values.get(field)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(field, "true or false")
        return value

    def time(self, field: str) -> int:
        try:
            return to_time(self.values.get(field))
        except ValueError as error:
            raise self.wrong(field, str(error)) from None

    def fact(self, field: str, name: str) -> FactValue | None:
        if self.values.get(field) is None:
            return None
        try:
            return convert(name, self.values[field])
        except ValueError as error:
            raise self.wrong(field, str(error)) from None


def split_items(data: bytes, file: str) -> list[bytes]:
    """Return the objects of a file, each as it stands there. Raises InputError."""
    body = data.strip()
    if not body:
        raise InputError(f"{file}: it is empty; a list of Tardis' instruments, or one, belongs there")
    try:
        return [bytes(item) for item in _ITEMS.decode(body if body.startswith(b"[") else b"[" + body + b"]")]
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{file}: {error}; a list of Tardis' instruments, or one, belongs there") from None


def read_item(raw: bytes, file: str, *, index: int = 0) -> Instrument:
    """Return the instrument of one object; the symbol is that of the datasets (`dataset_symbol`).

    Raises InputError naming file, index, field, the value found and what belongs there.
    """
    try:
        values = _DECODER.decode(raw)
    except (msgspec.DecodeError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{file}[{index}]: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{file}[{index}]: {raw[:40]!r}; an object belongs there")
    item = _Item(values, f"{file}[{index}]")
    exchange = item.text("exchange")
    symbol = dataset_symbol(item.text("datasetId" if values.get("datasetId") is not None else "id"))
    if item.fact("type", "kind") is None:
        raise item.wrong("type", FACTS["kind"].allowed)
    return Instrument(exchange, symbol, tuple(_facts(item, exchange, symbol, f"Tardis ({file})")))


def _facts(item: _Item, exchange: str, symbol: str, source: str) -> list[Fact]:
    changes = _changes(item)
    found = [Fact("kind", item.text("type"), source)]
    contract = _contract(item, changes)
    if contract:
        found.append(Fact("contract", contract, source))
    for field, name in _CHANGING.items():
        old = [(when, change.fact(field, name)) for when, change in changes if field in change.values]
        if len({when for when, _ in old}) < len(old):
            raise item.wrong("changes", f"one value of {field} for each time")
        facts = history(name, item.fact(field, name), old, source)
        if name != "multiplier" or amounts(exchange, symbol) is Amounts.CONTRACTS:
            # Where they count coins or dollars, or nobody knows what, Tardis' number is not what one of them is.
            found += facts
    for field, name in (("availableSince", "listed"), ("availableTo", "expiry")):
        # What Tardis recorded: after the venue's own dates, it counts where those are not given.
        if item.values.get(field) is not None:
            found.append(Fact(name, item.time(field), f"{source}, {field}"))
    if item.values["type"] == "spot" and amounts(exchange, symbol) is None and item.values.get(_SIZE) is None:
        found.append(Fact("multiplier", Decimal(1), f"{source}: spot"))
    return found


def _changes(item: _Item) -> list[tuple[int, _Item]]:
    listed = item.values.get("changes") or []
    if not isinstance(listed, list):
        raise item.wrong("changes", "a list of objects")
    found = []
    for number, values in enumerate(listed):
        if not isinstance(values, dict):
            raise item.wrong("changes", "a list of objects")
        change = _Item(values, f"{item.place}.changes[{number}]")
        for field in _FIXED:
            if field in values and values[field] != item.values.get(field):
                raise change.wrong(field, f"{item.values.get(field)!r}, which does not change,")
        found.append((change.time("until"), change))
    return found


def _contract(item: _Item, changes: list[tuple[int, _Item]]) -> str | None:
    """Return linear, inverse or quanto; None where the file does not tell, as for a spread or an index.

    Not inverse is linear or quanto: which of them, `quanto`, `contractType` or the settlement says.
    """
    inverse, quanto = item.flag("inverse"), item.flag("quanto")
    word = "" if item.values.get("contractType") is None else item.text("contractType")
    named = next((name for name in ("linear", "inverse", "quanto") if word.startswith(name + "_")), None)
    told = "quanto" if quanto else "inverse" if inverse else None
    if not told and inverse is False and (quanto is False or _settles_in_quote(item, changes)):
        told = "linear"
    if item.values["type"] == "spot":
        told = told or "linear"
    elif word and not named and not word.endswith("_option"):
        return None
    if (named and told not in (None, named)) or (named == "inverse" and inverse is False):
        raise item.wrong(
            "contractType", f"a contract type that is {told or 'not inverse'}, as inverse and quanto say,"
        )
    return named or told


def _settles_in_quote(item: _Item, changes: list[tuple[int, _Item]]) -> bool:
    """Return whether gains are paid, now and ever, in the currency of the price: then it is no quanto contract."""
    held = [
        {source.fact(field, _CHANGING[field]) for source in (item, *(change for _, change in changes))}
        - {None}
        for field in ("settlementCurrency", "quoteCurrency")
    ]
    return len(held[0]) == 1 and held[0] == held[1]
