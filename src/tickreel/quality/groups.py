"""What is found of the symbols of a group: of each rule the worst, and which symbols are worst."""

from dataclasses import dataclass

import msgspec

from tickreel.quality.figures import Figures, Place
from tickreel.quality.rule import WARNING, Verdict
from tickreel.quality.verdicts import BY_NAME, judge, placed
from tickreel.store.catalog import SegmentKey

WORST_SYMBOLS = 5


class SymbolVerdict(msgspec.Struct, frozen=True):
    """The worst that was found of one symbol of a group."""

    symbol: str
    rows: int
    verdict: Verdict


@dataclass(slots=True)
class _Case:
    """The worst symbol of one rule; `symbols`: of how many it speaks."""

    order: tuple[int, float]
    symbol: str
    verdict: Verdict
    symbols: int = 0


class Symbols:
    """Judges symbol after symbol; what it keeps does not grow with them.

    worst  up to WORST_SYMBOLS with a warning or worse, worst first
    """

    def __init__(self, key: SegmentKey) -> None:
        self._key = key
        self._cases: dict[str, _Case] = {}
        self._symbols = 0
        self.worst: list[SymbolVerdict] = []

    def add(self, symbol: str, figures: Figures, places: dict[str, list[Place]]) -> None:
        """Add a symbol that has rows."""
        self._symbols += 1
        told = [
            placed(verdict, figures, places)
            for verdict in judge(figures, self._key, only=lambda rule: not rule.whole)
        ]
        for verdict in told:
            order = (verdict.severity, BY_NAME[verdict.rule].size(figures))
            case = self._cases.setdefault(verdict.rule, _Case(order, symbol, verdict))
            case.symbols += 1
            if order > case.order:
                case.order, case.symbol, case.verdict = order, symbol, verdict
        if told and told[0].severity >= WARNING:
            self.worst.append(SymbolVerdict(symbol, figures["rows"], told[0]))
            self.worst.sort(key=lambda entry: (-entry.verdict.severity, -entry.rows, entry.symbol))
            del self.worst[WORST_SYMBOLS:]

    def verdicts(self) -> list[Verdict]:
        """Return one verdict for each rule that spoke: as severe as of its worst symbol, which it names."""
        return [
            Verdict(
                rule,
                case.verdict.severity,
                f"{case.symbols:,} of {self._symbols:,} symbols, worst {case.symbol}: {case.verdict.text}",
            )
            for rule, case in self._cases.items()
        ]
