"""What a rule is: when it speaks, how severe it is, and where it points."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from tickreel.quality.figures import Figures


class Severity(IntEnum):
    """note: to know; warning: look before you rely on it; bad: results over it cannot be trusted."""

    NOTE = 1
    WARNING = 2
    BAD = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Verdict(msgspec.Struct, frozen=True):
    """One sentence. `rule` is a name in verdicts.RULES or EXTRA_RULES, `severity` 1 to 3."""

    rule: str
    severity: int
    text: str


NOTE, WARNING, BAD = Severity
Found = tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """When something is said, and how severe it is; `doc` states the thresholds.

    figure  the greater it is the worse is the day; with "-" before it: the less
    place   kind of the places where it is found, if that is not `figure`
    whole   of a group: judged over all symbols together, not over each
    clocks  asked where rows have both clocks, and only there
    mild    (exchange or None for any, type) where it is never more than a note
    """

    name: str
    doc: str
    look: Callable[[Figures], Found]
    figure: str
    place: str = ""
    whole: bool = False
    clocks: bool = False
    mild: tuple[tuple[str | None, str], ...] = ()

    @property
    def kind(self) -> str:
        return self.place or self.figure

    def size(self, figures: Figures) -> float:
        """Return how bad it is, to compare days of one severity."""
        name = self.figure.lstrip("-")
        return figures.get(name, 0) * (-1 if name != self.figure else 1)


def graded(value: float, *, warning: float, bad: float = math.inf) -> Severity:
    return BAD if value >= bad else WARNING if value >= warning else NOTE
