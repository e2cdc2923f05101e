"""A sweep as tables for the terminal."""

import re
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from tickreel.report.columns import Sheet, fitting
from tickreel.report.summary import last_line
from tickreel.report.sweep_summary import cautions, key_figures, ranked, speed, varied
from tickreel.report.terminal import STYLES, cells, heads, more, plain, titled
from tickreel.report.view import SweepView

_ERRORS = 10
Column = tuple[str, list[Text]]
"""Heading and cells."""


def sweep_table(view: SweepView, limit: int = 10) -> RenderableType:
    """Return the headline figures, the `limit` best sets and the errors."""
    parts: list[RenderableType] = [_headline(view), Text(f"Sharpe: {plain(view['sharpe'])}", style="dim")]
    order = ranked(view)
    if order:
        parts += [Text(), _Best(view, order[:limit])]
    if view["errors"]:
        parts += [Text(), _errors(view)]
    for told in cautions(view):
        parts += [Text(), Text(told, style="yellow")]
    return Group(*parts)


def _headline(view: SweepView) -> Table:
    table = titled(view)
    for label, value, note, mood in key_figures(view):
        if label == "Trades":
            note = f"{note}; {speed(view)}"
        table.add_row(label, Text(value, style=STYLES[mood]), plain(note))
    return table


class _Best:
    """The best sets, as wide as the console: parameters, return and failures whole, figures that still fit."""

    def __init__(self, view: SweepView, places: list[int]) -> None:
        names = varied(view)
        self._title = Text(f"Best sets ({len(places):,} of {len(view['metrics']):,})", style="bold")
        self._parameters: list[Column] = [
            (plain(name), [Text(f"{view['parameters'][place][name]!r}", style="bold") for place in places])
            for name in names
        ]
        rows = [cells(view["metrics"][place]) for place in places]
        gain, *self._figures = [(head, [row[k] for row in rows]) for k, head in enumerate(heads())]
        self._chief: list[Column] = [gain]
        if any(view["failed"]):
            self._chief.append(
                ("failed", [Text(f"{view['failed'][place]:,}", style="red") for place in places])
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = [*self._parameters, *self._chief, *self._figures]
        folded = [
            *((_folded(name), column) for name, column in self._parameters),
            *self._chief,
            *self._figures,
        ]
        columns = whole if len(self._fitting(whole, options)) == len(whole) else folded
        needed = len(self._parameters) + len(self._chief)
        chosen = self._fitting(columns, options)
        if chosen[:needed] == list(range(needed)):
            yield self._table([columns[place] for place in chosen])
        else:
            yield self._table(self._chief, self._in_words())

    def _fitting(self, columns: list[Column], options: ConsoleOptions) -> list[int]:
        """Return the places of the columns that fit: the last figures go first."""
        widths = [max(_width(head), *(text.cell_len for text in column)) for head, column in columns]
        first = len(columns) - len(self._figures)
        return fitting(
            widths, [max(0, place - first + 1) for place in range(len(columns))], options.max_width
        )

    def _table(self, columns: list[Column], words: Sequence[Text] = ()) -> Table:
        """Return the table; `words` are a last column, which wraps."""
        table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left", title=self._title)
        for head, _ in columns:
            table.add_column(Text(head), justify="right", no_wrap=True, vertical="top" if words else "bottom")
        if words:
            table.add_column("set")
        for line in zip(*(column for _, column in columns), *([words] if words else []), strict=True):
            table.add_row(*line)
        return table

    def _in_words(self) -> list[Text]:
        """Return the parameters of each set as text, for a narrow console or many of them."""
        sets = zip(*(column for _, column in self._parameters), strict=True)
        return [
            Text(", ").join(
                Text.assemble(f"{name} ", value)
                for (name, _), value in zip(self._parameters, line, strict=True)
            )
            for line in sets
        ]


_LONG_NAME = 12


def _folded(name: str) -> str:
    """Return a long name in lines, each of whole words."""
    lines = [""]
    for word in re.findall(r"[^_]*_*", name):
        if lines[-1] and len(lines[-1]) + len(word) > _LONG_NAME:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _width(head: str) -> int:
    return max(Text(line).cell_len for line in head.split("\n"))


def _errors(view: SweepView) -> RenderableType:
    title = Text("Errors; such a symbol is left out of the sums of such a set", style="bold red")
    lines = [
        (plain(name), f"{count:,}", plain(last_line(error)))
        for name, error, count in view["errors"][:_ERRORS]
    ]
    columns = (("symbol", "left"), ("sets", "right"), ("first error", "words"))
    return Group(Sheet(columns, lines, title=title), *more(len(view["errors"]) - _ERRORS))
