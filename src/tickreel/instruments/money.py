"""Whether quantity x price x multiplier is money for a whole stretch of time, and what is missing if not."""

import re
from itertools import pairwise

from tickreel.errors import UsageError
from tickreel.instruments.facts import FACTS, MONEY, value_text
from tickreel.instruments.model import Fact, Instrument, Span
from tickreel.instruments.venues import Amounts, amounts
from tickreel.units import format_time

_NEEDED = ("contract", "multiplier")
_TAKEN_KINDS = ("spot", "perpetual", "future", "option")
_IMPORT = "import Tardis' instruments of the exchange (tickreel instruments import FILE.json)"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def money_facts(instrument: Instrument, from_ns: int, to_ns: int) -> dict[str, Fact]:
    """Return the facts that make quantity x price x multiplier money in all of [from_ns, to_ns).

    These are "contract", which is linear, and "multiplier"; and "kind", if it is known.
    Raises UsageError saying what speaks against it, or what is not known and how to supply it.
    """
    _check_life(instrument, from_ns, to_ns)
    spans = {name: instrument.spans(name, from_ns, to_ns) for name in MONEY}
    for name, taken in (("kind", _TAKEN_KINDS), ("contract", ("linear",))):
        for _, fact in _known(spans[name]):
            if fact.value not in taken:
                raise UsageError(
                    f"refused: it is {'a ' * (name == 'kind')}{fact.value} ({fact.source}), so price x amount is no"
                    " money; the venue's economics come with a later version: leave it out with --symbols"
                )
    missing = [name for name in _NEEDED if len(_known(spans[name])) < len(spans[name])]
    if missing:
        raise UsageError(_missing(instrument, missing, spans[missing[0]]))
    return {name: _constant(name, spans[name]) for name in MONEY if name in _NEEDED or _known(spans[name])}


def _check_life(instrument: Instrument, from_ns: int, to_ns: int) -> None:
    terms = instrument.at(from_ns)
    if terms.expiry is not None and terms.expiry <= from_ns:
        raise UsageError(
            f"refused: it expired at {_dated(terms.facts['expiry'])}, before the range, which begins at"
            f" {format_time(from_ns)}; mend the fact, or leave it out with --symbols"
        )
    if terms.listed is not None and terms.listed >= to_ns:
        raise UsageError(
            f"refused: it is not listed before {_dated(terms.facts['listed'])}, and the range ends at"
            f" {format_time(to_ns)}; mend the fact, or leave it out with --symbols"
        )


def _constant(name: str, spans: list[Span]) -> Fact:
    """Return the one fact that the spans hold; UsageError if its value changes from one to the next."""
    facts = _known(spans)
    for (_, before), (since, after) in pairwise(facts):
        if before.value != after.value:
            raise UsageError(
                f"refused: its {name} changes from {value_text(name, before.value)} to"
                f" {value_text(name, after.value)} at {format_time(since or 0)} ({after.source}); run the time"
                " before and the time after it apart, with --to and --from"
            )
    return facts[0][1]


def _missing(instrument: Instrument, names: list[str], spans: list[Span]) -> str:
    """Return what to say of facts that are not known; `spans`: those of the first."""
    counted = amounts(instrument.exchange, instrument.symbol)
    before = f"its amounts {counted}, and " if counted is Amounts.CONTRACTS else ""
    gap = next(span for span in spans if span.fact is None)
    when = f" from {format_time(gap.from_ns or 0)} to {format_time(gap.to_ns or 0)}" if len(spans) > 1 else ""
    told = " and ".join(f"its {name} ({FACTS[name].doc})" for name in names)
    # Of a venue without a rule Tardis' multiplier is not taken: its JSON would be of no use.
    of_use = counted is not None or names != ["multiplier"]
    or_json = f"{_IMPORT}, or " if of_use else ""
    return (
        f"refused: {before}{told} {'is' if len(names) == 1 else 'are'} not known{when}, so price x amount may be"
        f" no money; {or_json}write {toml_line(instrument, names)} into instruments.toml and run: tickreel instruments import"
        " instruments.toml"
    )


def toml_line(instrument: Instrument, names: list[str]) -> str:
    """Return the line of a user's file that supplies facts, with words in the place of their values."""
    keys = (
        key if _BARE_KEY.fullmatch(key) else f'"{key}"' for key in (instrument.exchange, instrument.symbol)
    )
    values = ", ".join(f'{name} = "{"|".join(FACTS[name].choices) or "NUMBER"}"' for name in names)
    return f"{'.'.join(keys)} = {{ {values} }}"


def _known(spans: list[Span]) -> list[tuple[int | None, Fact]]:
    """Return (beginning, fact) of the spans in which a fact holds."""
    return [(span.from_ns, span.fact) for span in spans if span.fact is not None]


def _dated(fact: Fact) -> str:
    return f"{value_text(fact.name, fact.value)} ({fact.source})"
