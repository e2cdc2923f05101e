"""A sweep as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tickreel.report.summary import last_line, time_range
from tickreel.report.sweep_summary import chance, key_figures, ranked, set_of, speed, varied
from tickreel.report.terminal import STYLES, cells, heads, plain
from tickreel.report.view import SweepView

_ERRORS = 10


def sweep_table(view: SweepView, limit: int = 10) -> RenderableType:
    """Return the headline figures, the `limit` best sets and the errors."""
    parts: list[RenderableType] = [_headline(view), Text(f"Sharpe: {plain(view['sharpe'])}", style="dim")]
    order = ranked(view)
    if order:
        parts += [Text(), _best(view, order[:limit])]
    if view["errors"]:
        parts += [Text(), _errors(view)]
    if told := chance(view):
        parts += [Text(), Text(told, style="yellow")]
    return Group(*parts)


def _headline(view: SweepView) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left")
    table.title = Text.assemble((plain(view["strategy"]), "bold"), f"  {time_range(view)}")
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    if view["source"]:
        table.add_row("Source", "", Text(plain(view["source"]), style="bold yellow"))
    for label, value, note, mood in key_figures(view):
        if label == "Trades":
            note = f"{note}: {speed(view)}"
        table.add_row(label, Text(value, style=STYLES[mood]), plain(note))
    return table


def _best(view: SweepView, places: list[int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.title = Text(f"Best sets ({len(places):,} of {len(view['metrics']):,})", style="bold")
    names = varied(view)
    for name in names:
        table.add_column(Text(plain(name)), justify="right", no_wrap=True)
    for label in heads():
        table.add_column(label, justify="right", no_wrap=True)
    for place in places:
        parameters = set_of(view, place)
        values = [Text(f"{parameters[name]!r}", style="bold") for name in names]
        table.add_row(*values, *cells(view["metrics"][place]))
    return table


def _errors(view: SweepView) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.title = Text("Errors; such a symbol is left out of the sums of such a set", style="bold red")
    for heading in ("symbol", "sets", "first error"):
        table.add_column(heading, justify="right" if heading == "sets" else "left")
    for name, error, count in view["errors"][:_ERRORS]:
        table.add_row(Text(plain(name)), f"{count:,}", Text(plain(last_line(error))))
    if len(view["errors"]) > _ERRORS:
        table.add_row(Text(f"and {len(view['errors']) - _ERRORS:,} more", style="dim"), "", "")
    return table
