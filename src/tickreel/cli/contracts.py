"""What `instruments show` tells: the facts in force, their sources, and what a run would say."""

import time
from typing import Any, NamedTuple

from tickreel.cli.listing import listing
from tickreel.errors import UsageError
from tickreel.instruments import FACTS, Instrument
from tickreel.instruments.facts import value_text
from tickreel.instruments.money import money_facts
from tickreel.runs.contracts import KnownInstruments
from tickreel.scan.increments import derived_facts
from tickreel.scan.plan import choose_feed
from tickreel.store.catalog import Store
from tickreel.store.instruments import file_names
from tickreel.store.names import readings
from tickreel.units import day_of, day_start


class _Asked(NamedTuple):
    """A symbol to tell of; `day`: the last that has data, None without any."""

    exchange: str
    symbol: str
    day: str | None


def descriptions(
    store: Store, symbol: str | None, *, exchange: str | None, feed: str | None, at_ns: int | None
) -> list[dict[str, Any]]:
    """Return one description for each symbol, as plain data; keys: docs/OPERATIONS.md.

    symbol  "[EXCHANGE:]SYMBOL", with tick and lot derived from a day of trades if nothing else tells
            them; None: every symbol of the feed
    at_ns   None: the beginning of the symbol's last day, or of today without data
    Raises UsageError if the symbol has no data and its exchange is not named.
    """
    known = KnownInstruments(store)
    found = []
    for where, name, last in _asked(store, symbol, exchange, feed):
        when = at_ns if at_ns is not None else day_start(last or day_of(time.time_ns()))
        instrument = known.find(where, name)
        if symbol is not None and last is not None:
            instrument = _with_derived(store, instrument, when, feed)
        found.append(_description(instrument, when))
    return found


def _asked(store: Store, symbol: str | None, exchange: str | None, feed: str | None) -> list[_Asked]:
    if store.primary() is None and not file_names(store):
        Store.existing(store.root)
    asked = () if symbol is None else (symbol,)
    try:
        chosen = choose_feed(store, feed)
        rows = listing(store, feed=chosen, type=None, exchange=exchange, symbols=asked, days=False)
    except UsageError:
        where, name = readings(symbol or "", exchange)[-1]
        if not (where and name):
            raise
        return [_Asked(where, name, None)]
    days: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row["exchange"], row["symbol"])
        days[key] = max(days.get(key, ""), row["to"])
    return [_Asked(*key, day) for key, day in sorted(days.items())]


def _with_derived(store: Store, instrument: Instrument, when: int, feed: str | None) -> Instrument:
    """Add what the day's trades show of tick and lot, as the weakest facts."""
    terms = instrument.at(when)
    if terms.tick is not None and terms.lot is not None:
        return instrument
    try:
        facts = derived_facts(store, instrument.exchange, instrument.symbol, day=day_of(when), feed=feed)
    except UsageError:
        return instrument  # no trades on that day
    return Instrument(instrument.exchange, instrument.symbol, (*instrument.facts, *facts))


def _description(instrument: Instrument, when: int) -> dict[str, Any]:
    terms = instrument.at(when)
    facts = [terms.facts[name] for name in FACTS if name in terms.facts]
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "at_ns": when,
        "multiplier_currency": terms.multiplier_currency,
        "facts": [
            {
                "name": fact.name, "value": value_text(fact.name, fact.value), "source": fact.source,
                "from_ns": fact.from_ns, "to_ns": fact.to_ns,
            }
            for fact in facts
        ],
        "unknown": [name for name in FACTS if name not in terms.facts],
        "refused": _refusal(instrument, when),
    }  # fmt: skip


def _refusal(instrument: Instrument, when: int) -> str | None:
    """Return why a run at that time would refuse the symbol, or None."""
    try:
        money_facts(instrument, when, when + 1)
    except UsageError as error:
        return str(error)
    return None
