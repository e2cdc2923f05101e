"""How much two feeds may differ before they are no longer equal."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tickreel.errors import UsageError
from tickreel.units import counted

_LIMIT = re.compile(r"(\d+(?:\.\d+)?)(%?)")
NONE = "none"


@dataclass(frozen=True, slots=True)
class Limit:
    """A count, or with `is_share` a number of percent; `most` None: no limit. text: as it was written."""

    text: str
    most: Decimal | None
    is_share: bool = False

    def is_passed(self, count: int, whole: int) -> bool:
        if self.most is None:
            return False
        return Decimal(100 * count) > self.most * whole if self.is_share else count > self.most


def parse_limit(text: str, name: str) -> Limit:
    """Return the limit that "10", "0.01%" or "none" means. Raises UsageError naming the option."""
    match = _LIMIT.fullmatch(text.strip())
    if text.strip() == NONE:
        return Limit(NONE, None)
    if match:
        most, is_share = Decimal(match[1]), bool(match[2])
        if is_share and most <= 100:
            return Limit(match[0], most, True)
        if not is_share and most == int(most):
            return Limit(match[0], most)
    raise UsageError(f"{name} {text!r}: write a count (10), a share of the rows (0.01%), or {NONE}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of missing, different and late rows (shares are of A's rows), of extra ones (of B's), of days of one feed alone."""

    missing: Limit = Limit("0", Decimal(0))
    extra: Limit = Limit("0", Decimal(0))
    different: Limit = Limit("0", Decimal(0))
    late: Limit = Limit(NONE, None)
    days: Limit = Limit("0", Decimal(0))

    def shown(self) -> dict[str, str]:
        return {name: getattr(self, name).text for name in self.__slots__}

    def passed(self, totals: Any) -> list[str]:
        """Return a sentence for each limit that counts (a SumView) pass."""
        alone = totals["days_a"] + totals["days_b"]
        cases = (
            (self.missing, totals["missing"], totals["rows_a"], "row", "of A missing in B", "A's rows"),
            (self.extra, totals["extra"], totals["rows_b"], "row", "of B not in A", "B's rows"),
            (self.different, totals["different"], totals["rows_a"], "row", "different", "A's rows"),
            (self.late, totals["late"] or 0, totals["rows_a"], "row", "late in B", "A's rows"),
            (self.days, alone, alone + totals["days"], "day", "held by one feed alone", "all days"),
        )
        return [
            f"{counted(count, noun)} {what}: more than {limit.text}{f' of {of}' if limit.is_share else ''}"
            for limit, count, whole, noun, what, of in cases
            if limit.is_passed(count, whole)
        ]
