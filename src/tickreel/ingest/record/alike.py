"""When a row of a history that says less is the event that came live: by what both have, for it has no id."""

from collections.abc import Iterable
from dataclasses import dataclass

from tickreel.ingest.record.fill_rows import Fill
from tickreel.schema import RECORD_TYPES, Kind
from tickreel.sources.machine import Rows

_BESIDES = 4
"""Exchange, symbol and the two times are compared by themselves."""


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

    Its unit is the coarsest of their times, its columns are those that each answer has in some row: what is
    compared by less is the same as before, while each answer has all that came live.
    """
    units: dict[str, int] = {}
    places: dict[str, set[int]] = {}
    for fill in fills:
        found: dict[str, set[int]] = {}
        for rows, unit_us in fill.lines():
            units[rows.type] = max(unit_us, units.get(rows.type, 1))
            cells = rows.text.rstrip("\n").split(",")
            found.setdefault(rows.type, set()).update(n for n, cell in enumerate(cells) if cell)
        for type, there in found.items():
            places[type] = places.get(type, there) & there
    return {type: Likeness(type, unit_us, _kinds(type, places[type])) for type, unit_us in units.items()}


def _kinds(type: str, places: set[int]) -> tuple[tuple[int, Kind], ...]:
    kinds = {column.csv: column.kind for column in RECORD_TYPES[type].columns}
    header = RECORD_TYPES[type].csv_header
    return tuple((place, kinds[header[place]]) for place in sorted(places) if place >= _BESIDES)
