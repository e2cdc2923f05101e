"""What is known of the contracts of a run, and whether their price x amount is money for all of it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tickreel.errors import UsageError, disk_error
from tickreel.instruments import Fact, Instrument, Terms, dataset_symbol
from tickreel.instruments.facts import value_text
from tickreel.instruments.money import money_facts
from tickreel.instruments.user_toml import UserFacts, parse_toml
from tickreel.instruments.venues import venue_facts
from tickreel.scan.plan import Stream
from tickreel.sources.tardis_instruments import read_item
from tickreel.store.catalog import Store
from tickreel.store.instruments import USER_FILE, exchange_file, find_item, read_file


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

    facts  name -> {"value", "source"} of those that its money rests on
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
    terms = instrument.at(first)
    if "settlement" in terms.facts:
        money["settlement"] = terms.facts["settlement"]
    facts = {name: {"value": _text(fact), "source": fact.source} for name, fact in money.items()}
    return Contract(float(Decimal(money["multiplier"].value)), facts, _notes(terms, fee, last))


def _notes(terms: Terms, fee: float, to_ns: int) -> list[str]:
    notes = []
    fees = {word: terms.facts.get(f"{word}_fee") for word in ("maker", "taker")}
    if any(fact is not None and float(fact.value) != fee for fact in fees.values()):
        told = ", ".join(f"{word} {_text(fact)}" for word, fact in fees.items() if fact)
        sources = " and ".join(dict.fromkeys(fact.source for fact in fees.values() if fact))
        notes.append(
            f"fees of the venue as the range begins: {told} of notional ({sources}); the run took {fee:.12g} for both"
        )
    expiry = terms.facts.get("expiry")
    if expiry is not None and terms.expiry is not None and terms.expiry < to_ns:
        notes.append(
            f"expires within the range, at {_text(expiry)} ({expiry.source}): settlement is not simulated,"
            " an open position is marked at the last trade"
        )
    return notes


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
