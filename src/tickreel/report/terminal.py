"""A run as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tickreel.measure import Performance
from tickreel.report.figures import FORMATS, number
from tickreel.report.summary import (
    assumed_clock,
    failed,
    key_figures,
    last_line,
    ranked,
    row_return,
    speed,
    time_range,
    tone,
)
from tickreel.report.view import RunView, SweepView, SymbolView

_COLUMNS = {
    "total_return": "return",
    "buy_and_hold": "buy & hold",
    "sharpe": "Sharpe",
    "max_drawdown": "max drawdown",
    "round_trips": "trips",
    "fees": "fees",
}
STYLES = {"gain": "green", "loss": "red", "": ""}


def run_table(view: RunView, limit: int = 10) -> RenderableType:
    """Return the headline figures, the `limit` best symbols and up to `limit` errors."""
    parts: list[RenderableType] = [_headline(view), Text(f"Sharpe: {plain(view['sharpe'])}", style="dim")]
    best = [row for row in ranked(view) if row_return(row) is not None]
    if best and limit > 0:
        parts += [Text(), _best(best, limit)]
    if errors := failed(view):
        parts += [Text(), _errors(errors, limit)]
    return Group(*parts)


def titled(view: RunView | SweepView) -> Table:
    """Return the table of key figures, with its title and where the data came from."""
    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left")
    table.title = Text.assemble((plain(view["strategy"]), "bold"), f"  {time_range(view)}")
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    if view["source"]:
        table.add_row("Source", "", Text(plain(view["source"]), style="bold yellow"))
    if clock := assumed_clock(view):
        table.add_row("Clock", "", clock)
    return table


def _headline(view: RunView) -> Table:
    table = titled(view)
    table.add_row("Symbols tested", number(len(view["symbols"]), "count"), "")
    for label, value, note, mood in key_figures(view):
        if label == "Trades":
            label, note = "Trades processed", speed(view)
        table.add_row(label, Text(value, style=STYLES[mood]), plain(note))
    return table


def _best(rows: list[SymbolView], limit: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    shown = min(limit, len(rows))
    table.title = Text(f"Top performers ({shown:,} of {len(rows):,})", style="bold")
    table.add_column("symbol")
    table.add_column("exchange", style="dim")
    for label in heads():
        table.add_column(label, justify="right", no_wrap=True)
    for row in rows[:limit]:
        table.add_row(Text(plain(row["symbol"])), Text(plain(row["exchange"])), *cells(row["metrics"]))
    return table


def heads() -> list[str]:
    """Return the headings of `cells`."""
    return list(_COLUMNS.values())


def cells(metrics: Performance | None) -> list[Text]:
    """Return the figures of a line of a table."""
    found = []
    for name in _COLUMNS:
        value = getattr(metrics, name, None)
        note = ""
        if name == "max_drawdown" and value is None:
            value, note = getattr(metrics, name + "_sampled", None), " sampled"
        style = STYLES[tone(value)] if FORMATS[name] == "gain" else ""
        found.append(Text(number(value, FORMATS[name]) + note, style=style))
    return found


def _errors(rows: list[SymbolView], limit: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    left_out = "with their capital they are left out of all sums above"
    table.title = Text(f"Errors ({len(rows):,} of the symbols failed; {left_out})", style="bold red")
    table.add_column("symbol")
    table.add_column("exchange", style="dim")
    table.add_column("error")
    for row in rows[:limit]:
        last = last_line(row["error"] or "")
        table.add_row(Text(plain(row["symbol"])), Text(plain(row["exchange"])), Text(plain(last)))
    if len(rows) > limit:
        table.add_row(Text(f"and {len(rows) - limit:,} more", style="dim"), "", "")
    return table


def plain(value: str) -> str:
    """Return foreign text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in value)
