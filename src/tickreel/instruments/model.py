"""Facts with their source and their time, and the instrument that they are of."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from tickreel.instruments.facts import FactValue

_EVER, _FOREVER = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of an instrument: `value` holds in [from_ns, to_ns), ns UTC; None: without end."""

    name: str
    value: FactValue
    source: str
    from_ns: int | None = None
    to_ns: int | None = None

    def holds(self, time_ns: int) -> bool:
        return self._from <= time_ns < self._to

    @property
    def _from(self) -> int:
        return _EVER if self.from_ns is None else self.from_ns

    @property
    def _to(self) -> int:
        return _FOREVER if self.to_ns is None else self.to_ns


@dataclass(frozen=True, slots=True)
class Terms:
    """What an instrument is at one time. Meanings: `facts.FACTS`; None: not known.

    facts  name -> the fact, with its source and validity
    """

    facts: Mapping[str, Fact]
    kind: str | None = None
    contract: str | None = None
    multiplier: Decimal | None = None
    base: str | None = None
    quote: str | None = None
    settlement: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    min_amount: Decimal | None = None
    min_notional: Decimal | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    listed: int | None = None
    expiry: int | None = None
    strike: Decimal | None = None
    option_type: str | None = None

    @property
    def multiplier_currency(self) -> str | None:
        """The currency that `multiplier` counts: the base coin, or the quote currency if inverse."""
        return {"linear": self.base, "inverse": self.quote}.get(self.contract or "")


class Span(NamedTuple):
    """A stretch of time, [from_ns, to_ns), in which one fact holds, or none is known."""

    from_ns: int | None
    to_ns: int | None
    fact: Fact | None


@dataclass(frozen=True, slots=True)
class Instrument:
    """All that is known of one instrument. `facts`: strongest source first; the first that holds counts."""

    exchange: str
    symbol: str
    facts: tuple[Fact, ...]

    def fact(self, name: str, time_ns: int) -> Fact | None:
        """Return the fact in force at a time, or None."""
        return next((fact for fact in self.facts if fact.name == name and fact.holds(time_ns)), None)

    def at(self, time_ns: int) -> Terms:
        """Return the terms in force at a time, ns UTC."""
        names = {fact.name for fact in self.facts}
        found = {name: fact for name in names if (fact := self.fact(name, time_ns)) is not None}
        return Terms(found, **{name: fact.value for name, fact in found.items()})  # type: ignore[arg-type]

    def spans(self, name: str, from_ns: int | None = None, to_ns: int | None = None) -> list[Span]:
        """Return what holds over [from_ns, to_ns), in order of time, one span for each fact."""
        first = _EVER if from_ns is None else from_ns
        last = _FOREVER if to_ns is None else to_ns
        bounds = {bound for fact in self.facts if fact.name == name for bound in (fact._from, fact._to)}
        cuts = [first, *sorted(bound for bound in bounds if first < bound < last), last]
        found: list[tuple[int, int, Fact | None]] = []
        for begin, end in pairwise(cuts):
            fact = self.fact(name, begin)
            if found and found[-1][2] == fact:
                begin = found.pop()[0]
            found.append((begin, end, fact))
        return [Span(None if b == _EVER else b, None if e == _FOREVER else e, fact) for b, e, fact in found]


def history(
    name: str, value: FactValue | None, changes: Iterable[tuple[int, FactValue | None]], source: str
) -> list[Fact]:
    """Return the facts of a value and of those before it.

    value    what holds after the last change; None: not known
    changes  (until_ns, value or None): what held until then, from the change before it; in any order
    """
    facts, since = [], None
    for until, old in sorted(changes, key=lambda change: change[0]):
        if old is not None:
            facts.append(Fact(name, old, source, since, until))
        since = until
    return facts if value is None else [*facts, Fact(name, value, source, since)]


def dataset_symbol(symbol: str) -> str:
    """Return a symbol as Tardis writes it into file names: what symbols are compared by."""
    return re.sub(r"[/:]", "-", symbol).upper()
