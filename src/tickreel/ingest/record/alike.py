"""When a row of a history that says less is the event that came live: by what both have, for it has no id."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tickreel.ingest.record.fill_rows import Fill
from tickreel.schema import RECORD_TYPES, Kind
from tickreel.sources.machine import Rows

_BESIDES = 4
"""Exchange, symbol and the two times are compared by themselves."""
_UNITS_US = (1_000_000, 1_000, 1)
"""What history's times may be whole numbers of: judged by all of them, for a relay may write zeros for what it does not know."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What rows of a type are compared by.

    unit_us  what history's times are whole numbers of: those of live rows are cut to it
    kinds    place -> kind of each column that history has, in a line of CSV
    """

    type: str
    unit_us: int
    kinds: tuple[tuple[int, Kind], ...]

    def of(self, rows: Rows) -> str:
        """Return what a row shares with all that are alike; numbers count, not how they are written."""
        cells = rows.text.rstrip("\n").split(",")
        same = [self._same(cells[place], kind) for place, kind in self.kinds]
        return ",".join((self.type, rows.symbol.upper(), str(rows.exchange_us // self.unit_us), *same))

    def _same(self, cell: str, kind: Kind) -> str:
        try:
            if kind is Kind.TIME:
                return str(int(cell) // self.unit_us)
            # A zero has one sign.
            return repr(float(cell) + 0.0) if kind is Kind.DECIMAL else cell
        except ValueError:
            return cell


def likenesses(fills: Iterable[Fill]) -> dict[str, Likeness]:
    """Return the likeness of each type of which some answer has rows without an id; one for all answers.

    Its unit is the coarsest of their times, its columns are those that each answer has in some row, and, of columns
    that may be empty, in each: what is compared by less is the same as before, while each answer has all that came live.
    """
    about: dict[str, _Found] = {}
    for fill in fills:
        of_fill: dict[str, _Found] = {}
        for rows in fill.lines():
            of_fill.setdefault(rows.type, _Found()).add(rows)
        for type, found in of_fill.items():
            about[type] = about[type].and_of(found) if type in about else found
    return {type: Likeness(type, found.unit_us, _kinds(type, found)) for type, found in about.items()}


@dataclass(slots=True)
class _Found:
    """What rows of a type have.

    unit_us     the coarsest unit of which all times are whole numbers
    some, each  places of the columns that some row has, and that each has
    """

    unit_us: int = _UNITS_US[0]
    some: set[int] = field(default_factory=set)
    each: set[int] | None = None

    def add(self, rows: Rows) -> None:
        self.unit_us = next(
            unit for unit in _UNITS_US if unit <= self.unit_us and rows.exchange_us % unit == 0
        )
        there = {place for place, cell in enumerate(rows.text.rstrip("\n").split(",")) if cell}
        self.some |= there
        self.each = there if self.each is None else self.each & there

    def and_of(self, other: "_Found") -> "_Found":
        """Return what the rows of two answers have."""
        each = (self.each or set()) & (other.each or set())
        return _Found(max(self.unit_us, other.unit_us), self.some & other.some, each)


def _kinds(type: str, found: _Found) -> tuple[tuple[int, Kind], ...]:
    columns = {column.csv: column for column in RECORD_TYPES[type].columns}
    kinds = []
    for place in sorted(found.some):
        if place >= _BESIDES:
            column = columns[RECORD_TYPES[type].csv_header[place]]
            may_be_empty = column.nullable or column.kind is not Kind.DECIMAL
            if not may_be_empty or place in (found.each or set()):
                kinds.append((place, column.kind))
    return tuple(kinds)
