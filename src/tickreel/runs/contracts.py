"""What is known of the contracts of a run, and whether their price x amount is money for all of it."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from tickreel.errors import UsageError, disk_error
from tickreel.instruments import Fact, Instrument, dataset_symbol
from tickreel.instruments.facts import value_text
from tickreel.instruments.model import Span
from tickreel.instruments.money import money_facts
from tickreel.instruments.user_toml import UserFacts, parse_toml
from tickreel.instruments.venues import venue_facts
from tickreel.scan.plan import Stream
from tickreel.sources.tardis_instruments import read_item
from tickreel.store.catalog import Store
from tickreel.store.instruments import USER_FILE, exchange_file, find_item, read_file
from tickreel.units import format_time


class KnownInstruments:
    """Finds instruments. A fact counts from the first of these that has it: `file`, the store's copy of the
    user's TOML, the store's copy of Tardis' JSON, the venue's rule.

    file  a TOML of the user's for this call alone
    Raises UsageError, InputError, CorruptionError.
    """

    def __init__(self, store: Store, file: str | None = None) -> None:
        self._store = store
        self._users: list[UserFacts] = [] if file is None else [_read_user(Path(file))]
        stored = read_file(store, USER_FILE)
        if stored is not None:
            self._users.append(parse_toml(stored, f"instruments/{USER_FILE}"))
        self._bodies: dict[str, bytes] = {}

    def find(self, exchange: str, symbol: str) -> Instrument:
        """Return what is known of a symbol, at least what its exchange and name tell."""
        key = dataset_symbol(symbol)
        facts = [fact for user in self._users for fact in user.get((exchange, key), ())]
        facts += self._tardis(exchange, key)
        return Instrument(exchange, symbol, (*facts, *venue_facts(exchange, symbol)))

    def _tardis(self, exchange: str, symbol: str) -> tuple[Fact, ...]:
        if exchange not in self._bodies:
            self._bodies[exchange] = read_file(self._store, exchange_file(exchange)) or b""
        found = find_item(self._bodies[exchange], symbol)
        return read_item(found[1], found[0]).facts if found else ()


class Contract(msgspec.Struct, frozen=True):
    """What a run takes a symbol for.

    facts  name -> {"value", "source"} of those that its money rests on, settlement as the range begins
    notes  what a reader of the result must know of it
    """

    multiplier: float
    facts: dict[str, dict[str, str]]
    notes: list[str]


def contract_of(
    known: KnownInstruments, stream: Stream, *, fee: float, from_ns: int | None, to_ns: int | None
) -> Contract:
    """Return the contract of a symbol for the rows of a planned and opened stream in [from_ns, to_ns).

    Raises UsageError, which begins with "refused", if price x amount is not known to be money throughout.
    """
    first = stream.first_ns if from_ns is None else max(stream.first_ns, from_ns)
    last = stream.last_ns + 1 if to_ns is None else min(stream.last_ns + 1, to_ns)
    instrument = known.find(stream.exchange, stream.symbol)
    money = money_facts(instrument, first, last)
    if settlement := instrument.fact("settlement", first):
        money["settlement"] = settlement
    facts = {name: {"value": _text(fact), "source": fact.source} for name, fact in money.items()}
    return Contract(float(Decimal(money["multiplier"].value)), facts, _notes(instrument, fee, first, last))


_CHANGING = {
    "maker_fee": "the run took one fee throughout",
    "taker_fee": "the run took one fee throughout",
    "settlement": "the run counts all of it as one currency",
}
"""Facts that may change within a run without stopping it, and what the run makes of it."""


def _notes(instrument: Instrument, fee: float, from_ns: int, to_ns: int) -> list[str]:
    notes = []
    terms = instrument.at(from_ns)
    fees = {word: terms.facts.get(f"{word}_fee") for word in ("maker", "taker")}
    if any(fact is not None and float(fact.value) != fee for fact in fees.values()):
        told = ", ".join(f"{word} {_text(fact)}" for word, fact in fees.items() if fact)
        sources = " and ".join(dict.fromkeys(fact.source for fact in fees.values() if fact))
        notes.append(
            f"fees of the venue as the range begins: {told} of notional ({sources}); the run took {fee:.12g} for both"
        )
    for name, taken in _CHANGING.items():
        if changes := _changes(instrument.spans(name, from_ns, to_ns)):
            notes.append(f"{name} changes within the range, {', '.join(changes)}: {taken}")
    for since, until, expiry in instrument.spans("expiry", from_ns, to_ns):
        if expiry is not None and (since or from_ns) <= int(expiry.value) < (until or to_ns):
            notes.append(
                f"expires within the range, at {_text(expiry)} ({expiry.source}): settlement is not simulated,"
                " an open position is marked at the last trade"
            )
    return notes


def _changes(spans: list[Span]) -> list[str]:
    """Return what a fact changes to and when, once for each change of its value."""
    return [
        f"from {_held(before)} to {_held(after)} at {format_time(after.from_ns or 0)}"
        for before, after in pairwise(spans)
        if (before.fact and before.fact.value) != (after.fact and after.fact.value)
    ]


def _held(span: Span) -> str:
    return f"{_text(span.fact)} ({span.fact.source})" if span.fact else "unknown"


def _text(fact: Fact) -> str:
    return value_text(fact.name, fact.value)


def _read_user(path: Path) -> UserFacts:
    try:
        return parse_toml(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise UsageError(f"--instruments {path}: no such file") from None
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error


def notes_of(symbols: list[Any]) -> list[str]:
    """Return the notes of all symbols, each once, with the symbols that it is of."""
    found: dict[str, list[str]] = {}
    for symbol in symbols:
        for note in symbol.notes:
            found.setdefault(note, []).append(symbol.name)
    return [
        f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}: {note}" for note, names in found.items()
    ]
