"""A run as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tickreel.measure import Performance
from tickreel.report.columns import Sheet
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


def _best(rows: list[SymbolView], limit: int) -> Sheet:
    shown = min(limit, len(rows))
    columns = [("symbol", "left"), ("exchange", "left"), *((label, "right") for label in heads())]
    lines: list[list[str | Text]] = [
        [plain(row["symbol"]), Text(plain(row["exchange"]), "dim"), *cells(row["metrics"])]
        for row in rows[:limit]
    ]
    title = Text(f"Top performers ({shown:,} of {len(rows):,})", style="bold")
    # The last figures go first where there is no room.
    ranks = [max(place - 2, 0) for place in range(len(columns))]
    return Sheet(columns, lines, title=title, names=2, ranks=ranks)


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


def _errors(rows: list[SymbolView], limit: int) -> RenderableType:
    left_out = "with their capital they are left out of all sums above"
    title = Text(f"Errors ({len(rows):,} of the symbols failed; {left_out})", style="bold red")
    lines = [
        (plain(row["symbol"]), Text(plain(row["exchange"]), "dim"), plain(last_line(row["error"] or "")))
        for row in rows[:limit]
    ]
    columns = (("symbol", "left"), ("exchange", "left"), ("error", "words"))
    return Group(Sheet(columns, lines, title=title, names=2), *more(len(rows) - limit))


def more(count: int) -> list[Text]:
    """Return the line that counts what a table leaves out, if anything."""
    return [Text(f"and {count:,} more", style="dim")] if count > 0 else []


def plain(value: str) -> str:
    """Return foreign text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in value)
