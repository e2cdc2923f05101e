"""What commands print: JSON documents, notes on stderr, tables and progress bars."""

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import typer

from tickreel.units import counted

_LONG_WAIT_S = 2.0
_IN_MEMORY_BYTES = 1 << 24
_LEAST_WIDTH = 40
"""A terminal that is narrower wraps lines: a time, the widest thing that must be whole, needs 30."""


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=1).decode())


def print_json_rows(head: dict[str, Any], name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Print one document: `head`, and under `name` a list of any length.

    It is put together on disk, so that memory stays bounded and an error on the way leaves no half of it.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as document:
        document.write(msgspec.json.encode(head)[:-1] + b"," + msgspec.json.encode(name) + b":[")
        for number, row in enumerate(rows):
            document.write((b",\n" if number else b"\n") + msgspec.json.encode(row))
        document.write(b"\n]}\n")
        document.seek(0)
        for line in document:
            sys.stdout.write(line.decode())


def error_document(message: str, kind: str, code: int) -> None:
    print_json({"error": {"type": kind, "message": message, "exit_code": code}})


def note_error(message: str) -> None:
    """Print an error on stderr."""
    typer.secho("error: ", err=True, nl=False, fg="red", bold=True)
    typer.echo(message, err=True)


def note(message: str) -> None:
    """Print a line for people on stderr."""
    typer.echo(message, err=True)


TableColumns = list[tuple[str, str]]
"""(heading, "left", "right" or "words") of each column; words may wrap."""


def print_table(
    columns: TableColumns,
    rows: Iterable[tuple[str, ...]],
    *,
    names: int = 1,
    ranks: Sequence[Any] | None = None,
) -> list[str]:
    """Print a table on standard output, none of it cut; return the headings of the columns left out.

    names, ranks  see `tickreel.report.columns.Sheet`
    """
    from tickreel.report.columns import Sheet

    sheet = Sheet(columns, ([escape(cell) for cell in row] for row in rows), names=names, ranks=ranks)
    console = _console()
    console.print(sheet)
    return sheet.left_out(console.width)


def note_left_out(headings: list[str], where: str) -> None:
    """Say which columns a table has no room for, and where they are."""
    if headings:
        named = ", ".join(headings[:6]) + (" ..." if len(headings) > 6 else "")
        note(f"{counted(len(headings), 'column')} ({named}) not shown; {where}")


def print_rich(renderable: Any, *, err: bool = False) -> None:
    """Print a rich renderable, 200 columns wide where the output is no terminal."""
    _console(err=err).print(renderable)


def _console(*, err: bool = False) -> Any:
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else 200, soft_wrap=False)
    console.width = max(console.width, _LEAST_WIDTH)
    return console


def escape(text: str) -> Any:
    """Return text that rich prints as it is, with control characters shown."""
    from rich.text import Text

    return Text("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text))


def wait_text(wait: Any, *, until: bool = False) -> str:
    """Return what a `Wait` says: for how long, with the time of day at its end, and why."""
    at = datetime.now(UTC) + timedelta(seconds=wait.seconds)
    return f"waits {wait.seconds:,.0f} s{f', until {at:%H:%M:%S} UTC' if until else ''}: {wait.why}"


class Bars:
    """Progress bars on stderr; where they are wanted and no terminal is, lines for long waits; else silent."""

    def __init__(self, progress: Any, *, lines: bool = False) -> None:
        self._progress = progress
        self._lines = lines
        self._told: set[str] = set()
        self._bars: dict[str, Any] = {}

    def waits(self, wait: Any) -> None:
        """Say once, by a line where no bar says it, what a `Wait` is for."""
        if self._lines and wait.seconds >= _LONG_WAIT_S and wait.why not in self._told:
            self._told.add(wait.why)
            note(wait_text(wait, until=True))

    def begin(self, name: str, total: float, *, unit: str = "") -> None:
        if self._progress is not None:
            # Not before: a command that is refused shows no bar.
            self._progress.start()
            self._bars[name] = self._progress.add_task(name, total=total or 1, unit=unit)

    def at(self, name: str, done: float, *, unit: str | None = None) -> None:
        if name in self._bars:
            more = {} if unit is None else {"unit": unit}
            self._progress.update(self._bars[name], completed=done, **more)

    def end(self, name: str) -> None:
        if name in self._bars:
            task = self._progress.tasks[self._bars[name]]
            self._progress.update(self._bars[name], completed=task.total)


@contextlib.contextmanager
def progress_bars(show: bool) -> Iterator[Bars]:
    """Yield Bars that show name, share, count and time left; nothing if `show` is false, or where no terminal is."""
    if not show or not sys.stderr.isatty():
        yield Bars(None, lines=show)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[unit]}", style="dim"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, refresh_per_second=8)
    try:
        yield Bars(progress)
    finally:
        if progress.live.is_started:
            progress.stop()


def counts(found: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Return (kind, count, first examples as text) of findings, most first."""
    rows = []
    for kind, finding in sorted(found.items(), key=lambda item: -item[1].count):
        places = ", ".join(f"line {line}" + (f" ({text})" if text else "") for line, text in finding.examples)
        rows.append((kind, finding.count, places))
    return rows
