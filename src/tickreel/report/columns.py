"""Tables as wide as the terminal: columns that fit whole, or a paragraph for each row; nothing is cut."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

GAP = 2
"""Blanks between two columns."""
_LEAST_WORDS = 40
"""A column of words wraps, but not into less."""

_INDENT = 2

Columns = Sequence[tuple[str, str]]
"""(heading, "left", "right" or "words") of each column; words may wrap."""


def fitting(widths: Sequence[int], ranks: Sequence[Any], room: int) -> list[int]:
    """Return the places of the columns that fit, in their order.

    ranks  of each column: the lowest is there at any width, then those that still fit, in the order of ranks
    """
    chosen: list[int] = []
    for place in sorted(range(len(widths)), key=ranks.__getitem__):
        needed = widths[place] + (GAP if chosen else 0)
        if not chosen or needed <= room:
            chosen.append(place)
            room -= needed
    return sorted(chosen)


class Sheet:
    """A table. Where its columns do not fit, those wanted least are left out, or each row is a paragraph.

    names  the first columns that say whose row it is: a paragraph begins with them
    ranks  of each column: those of the lowest are always there, others while they fit, in the order of ranks;
           None leaves none out
    """

    def __init__(
        self,
        columns: Columns,
        rows: Iterable[Sequence[str | Text]],
        *,
        title: Text | None = None,
        names: int = 1,
        ranks: Sequence[Any] | None = None,
    ) -> None:
        self._columns = columns
        self._rows = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        self._title = title
        self._names = names
        self._ranks = ranks or [0] * len(columns)
        self._widths = [self._width(place) for place in range(len(columns))]

    def _width(self, place: int) -> int:
        heading, side = self._columns[place]
        width = max((row[place].cell_len for row in self._rows), default=0)
        return max(Text(heading).cell_len, min(width, _LEAST_WORDS) if side == "words" else width)

    def shown(self, width: int) -> list[int] | None:
        """Return the places of the columns that are shown; None for a paragraph of all for each row."""
        shown = fitting(self._widths, self._ranks, width)
        whole = sum(self._widths[place] for place in shown) + GAP * (len(shown) - 1) <= width
        needed = {place for place, rank in enumerate(self._ranks) if rank == min(self._ranks)}
        return shown if whole and needed <= set(shown) else None

    def left_out(self, width: int) -> list[str]:
        """Return the headings of the columns that are not shown."""
        shown = self.shown(width)
        if shown is None:
            return []
        return [heading for place, (heading, _) in enumerate(self._columns) if place not in shown]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._title is not None:
            yield self._title
        shown = self.shown(options.max_width)
        if shown is not None:
            yield self._table(shown)
            return
        for row in self._rows:
            yield Text("  ").join(cell for cell in row[: self._names] if cell)
            for line in _filled(console, self._told(row), options.max_width - _INDENT):
                yield Text.assemble(" " * _INDENT, line)

    def _table(self, shown: list[int]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading, side in (self._columns[place] for place in shown):
            table.add_column(
                Text(heading), justify="right" if side == "right" else "left", no_wrap=side != "words"
            )
        for row in self._rows:
            table.add_row(*(row[place] for place in shown))
        return table

    def _told(self, row: list[Text]) -> list[Text]:
        """Return what is beside the names, each with its heading."""
        pairs = list(zip(self._columns, row, strict=True))[self._names :]
        return [Text.assemble((f"{heading} ", "dim"), cell) if heading else cell
                for (heading, _), cell in pairs if cell]  # fmt: skip


def _filled(console: Console, parts: list[Text], width: int) -> list[Text]:
    """Return parts, with commas between them, as lines; one that is longer than a line is wrapped by words."""
    lines: list[Text] = []
    for number, part in enumerate(parts, 1):
        text = part + Text(",") if number < len(parts) else part
        if lines and lines[-1].cell_len + 1 + text.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], " ", text)
        else:
            lines += text.wrap(console, width)
    return lines
