"""Prints a header and one table per section."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.model import Row

_WIDTH = 170
_MET = {None: "", True: "[green]met[/]", False: "[red]not met[/]"}


class Report:
    """Writes to standard output, as wide as it needs where that is no terminal."""

    def __init__(self) -> None:
        console = Console()
        self._console = console if console.is_terminal else Console(width=_WIDTH)

    def header(self, machine: dict[str, str]) -> None:
        for name, text in machine.items():
            self._console.print(f"{name:>12}  {text}", highlight=False, soft_wrap=True)

    def section(self, name: str, title: str, rows: list[Row]) -> None:
        table = Table(title=f"\n{name}: {title}", title_justify="left", box=None, header_style="dim")
        for heading in ("what", "ours", "peer", "ratio", "bar", "", "note"):
            right = heading in ("ours", "peer", "ratio")
            table.add_column(heading, justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*_cells(row), _MET[row.met], escape(row.note))
        self._console.print(table)

    def failed(self, name: str, title: str, error: str) -> None:
        self._console.print(f"\n{name}: {title}", highlight=False)
        self._console.print(f"failed: {error}", style="red", highlight=False, markup=False)


def _cells(row: Row) -> tuple[str, ...]:
    peer = _number(row.peer, row.unit) + (f"  {row.against}" if row.against else "")
    bar = row.bar.text(row.unit) if row.bar else ""
    cells = (row.what, _number(row.ours, row.unit), peer, _number(row.ratio, ""), bar)
    return tuple(escape(text) for text in cells)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f} {unit}".rstrip()
