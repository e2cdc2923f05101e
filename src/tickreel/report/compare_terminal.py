"""A comparison of two feeds as tables for the terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tickreel.report.columns import Sheet
from tickreel.report.compare_view import CompareView, DayView, StreamView, SumView
from tickreel.report.figures import NONE, counted
from tickreel.report.terminal import plain
from tickreel.report.words import percent, spoken_ns, spoken_time
from tickreel.units import NS_PER_DAY, day_start, format_time

_COUNTS = (
    ("matched", "green"),
    ("missing", "bold red"),
    ("extra", "bold red"),
    ("different", "bold red"),
    ("late", "yellow"),
)


def compare_table(view: CompareView, limit: int = 20) -> RenderableType:
    """Return totals, streams, days with something to say and first examples, up to `limit` lines of each."""
    parts: list[RenderableType] = [_title(view), _totals(view)]
    parts += [Text(), _streams(view, limit)]
    if told := [day for day in view["days"] if trouble(day)]:
        parts += [Text(), _days(view, told, limit)]
    if view["examples"]:
        parts += [Text(), _examples(view, limit)]
    parts += [Text(), _verdict(view)]
    return Group(*parts)


def trouble(found: SumView) -> int:
    """Return how much is to be said of a day or stream: rows and days that are not as they should be."""
    rows = found["missing"] + found["extra"] + found["different"] + (found["late"] or 0)
    return rows + found["alone_a"] + found["alone_b"] + found["days_a"] + found["days_b"]


def lag_text(found: SumView) -> str:
    """Return the median and the 99th percentile of the lag, or why there are none."""
    if found["lag_p50_ns"] is None or found["lag_p99_ns"] is None:
        return f"no lag: {found['lag_none']}"
    return f"B after A by {spoken_ns(found['lag_p50_ns'])} (median), {spoken_ns(found['lag_p99_ns'])} (99 %)"


def range_text(view: CompareView) -> str:
    """Return "2024-01-01 to 2024-01-04 UTC", end excluded: what was asked for, else the days that there are."""
    days = [day["day"] for day in view["days"]]
    start, end = view["from_ns"], view["to_ns"]
    first = min(days, default="the first day") if start is None else spoken_time(start)
    last = spoken_time(day_start(max(days)) + NS_PER_DAY) if end is None and days else "the last day"
    return f"{first} to {last if end is None else spoken_time(end)} UTC"


def _title(view: CompareView) -> Text:
    return Text.assemble((f"A {plain(view['a'])}, B {plain(view['b'])}", "bold"), f"  {range_text(view)}")


def _totals(view: CompareView) -> Table:
    totals = view["totals"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    alone = f"{counted(totals['days_a'], 'day')} in A alone, {totals['days_b']:,} in B alone"
    table.add_row("Days in both", f"{totals['days']:,}", alone)
    table.add_row("Rows of A", f"{totals['rows_a']:,}", f"of B {totals['rows_b']:,}")
    for name, style in _COUNTS:
        whole = totals["rows_b" if name == "extra" else "rows_a"]
        table.add_row(name.capitalize(), _count(totals, name, style), _note(totals, name, whole))
    table.add_row("Lag", "", lag_text(totals))
    if totals["given_up"]:
        note = (
            "rows counted as missing or extra because too many waited at a time; a shorter --window may help"
        )
        table.add_row("Given up", f"{totals['given_up']:,}", note)
    return table


def _count(found: Any, name: str, style: str) -> Text:
    count = found[name]
    return Text(NONE if count is None else f"{count:,}", style if count else "")


def _note(totals: SumView, name: str, whole: int) -> str:
    count = totals[name]  # type: ignore[literal-required]
    if not (count and whole):
        return ""
    fields = ", ".join(f"{field} {of:,}" for field, of in totals["fields"].items() if of)
    return percent(count, whole) + (f": {fields}" if name == "different" else "")


def _heading(title: str, limit: int, count: int) -> Text:
    return Text(title + (f" ({limit:,} of {count:,})" if count > limit else ""), style="bold")


def _sheet(title: Text, names: Sequence[str], rows: Iterable[list[str | Text]]) -> Sheet:
    figures = ("days", "rows of A", *(name for name, _ in _COUNTS), "lag p50")
    columns = [*((name, "left") for name in names), *((figure, "right") for figure in figures)]
    return Sheet(columns, rows, title=title, names=len(names))


def _cells(found: StreamView) -> list[str | Text]:
    alone = found["days_a"] + found["days_b"]
    days = f"{found['days']:,}" + (f" + {alone:,} alone" if alone else "")
    lag = found["lag_p50_ns"]
    counts = [_count(found, name, style) for name, style in _COUNTS]
    return [days, f"{found['rows_a']:,}", *counts, NONE if lag is None else spoken_ns(lag)]


def _named(found: StreamView) -> tuple[str, str, str]:
    return found["type"], plain(found["symbol"]), plain(found["exchange"])


def _streams(view: CompareView, limit: int) -> Sheet:
    streams = sorted(view["streams"], key=lambda stream: -trouble(stream))
    title = _heading("Streams, worst first", limit, len(streams))
    rows = ([*_named(stream), *_cells(stream)] for stream in streams[:limit])
    return _sheet(title, ("type", "symbol", "exchange"), rows)


def _days(view: CompareView, told: list[DayView], limit: int) -> Sheet:
    days = sorted(told, key=lambda day: -trouble(day))
    title = _heading("Days that are not equal, worst first", limit, len(days))
    rows = ([day["day"], *_named(day), _held(day), *_cells(day)[1:]] for day in days[:limit])
    return _sheet(title, ("day", "type", "symbol", "exchange"), rows)


def _held(day: DayView) -> str:
    """Return which feed holds a day."""
    if day["days"]:
        return "both"
    return f"{'A' if day['days_a'] else 'B'} alone, {counted(day['alone_a'] + day['alone_b'], 'row')}"


def _examples(view: CompareView, limit: int) -> Sheet:
    found = view["examples"]
    rows = []
    for example in found[:limit]:
        for side in ("a", "b"):
            row: Any = example.get(side)
            if row is not None:
                names = example["kind"], example["type"], plain(example["symbol"])
                rows.append((*names, side.upper(), row_text(row)))
    columns = [*((heading, "left") for heading in ("", "type", "symbol", "")), ("row", "words")]
    return Sheet(columns, rows, title=_heading("Examples", limit, len(found)), names=4)


def row_text(row: dict[str, Any]) -> str:
    """Return a row's values for people: times first, empty cells left out."""
    parts = []
    for name, value in row.items():
        if value is None or value == "":
            continue
        if name.endswith("_ns"):
            parts.append(f"{name.removesuffix('_ns')} {format_time(value)}")
        else:
            parts.append(f"{name} {plain(str(value))}")
    return ", ".join(parts)


def _verdict(view: CompareView) -> Text:
    if view["equal"]:
        return Text("equal within the limits", style="green")
    return Text("not equal: " + "; ".join(view["exceeded"]), style="bold red")
