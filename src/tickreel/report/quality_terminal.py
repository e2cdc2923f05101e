"""A quality report as tables for the terminal."""

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tickreel.report.figures import counted
from tickreel.report.quality_view import (
    SEVERITIES,
    FindingView,
    QualityView,
    RunView,
    StreamView,
    stream_key,
)
from tickreel.report.terminal import plain
from tickreel.units import NS_PER_DAY, day_of, day_start

_STYLES = ("green", "green", "yellow", "bold red")
_MARKS = ("█", "█", "▓", "▒")
_MISSING = "·"
MAP_COLUMNS = 60
"""Widest map; where there are more days, a column stands for several and shows the worst of them."""
WIDE = 70
"""Columns that a table needs beside names and map: for its numbers, and words of a finding."""


def quality_table(view: QualityView, limit: int = 20) -> RenderableType:
    """Return totals, map of coverage, worst findings and missing days, up to `limit` lines of each.

    Tables where they are not wider than the terminal, else a paragraph for each line: nothing is cut off.
    """
    return _Report(view, limit)


class _Report:
    def __init__(self, view: QualityView, limit: int) -> None:
        self._view, self._limit = view, limit

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        view, limit, width = self._view, self._limit, options.max_width
        columns = _columns(view, min(MAP_COLUMNS, width))
        names = max((sum(map(len, _named(stream))) for stream in view["streams"]), default=0)
        is_wide = width >= names + len(columns) + WIDE
        yield _totals(view)
        if view["streams"]:
            yield Text()
            yield (_map if is_wide else _narrow_map)(view, columns, limit)
        if any(stream["findings"] for stream in view["streams"]):
            yield Text()
            yield (_findings if is_wide else _narrow_findings)(view, limit)
        if any(stream["missing"] for stream in view["streams"]):
            yield Text()
            yield (_missing if is_wide else _narrow_missing)(view, limit)


def _totals(view: QualityView) -> Text:
    totals = view["totals"]
    days = f"{view['from']} to {view['to']} UTC" if view["from"] else "no days"
    text = Text.assemble(("Quality", "bold"), f"  feed {plain(view['feed'])}, {days}\n")
    text.append(f"{counted(totals['segments'], 'day')} of {counted(totals['streams'], 'stream')},")
    text.append(f" {counted(totals['rows'], 'row')}: ")
    text.append(f"{totals['bad']:,} bad", _STYLES[3] if totals["bad"] else "")
    text.append(", ")
    text.append(counted(totals["warnings"], "warning"), _STYLES[2] if totals["warnings"] else "")
    text.append(f", {counted(totals['notes'], 'note')}; {counted(totals['missing_days'], 'day')} missing")
    if totals["streams_missing"]:
        text.append(f", {counted(totals['streams_missing'], 'stream')} whole")
    return text


def _title(text: str, limit: int, count: int) -> Text:
    return Text(text + (f" ({limit:,} of {count:,})" if count > limit else ""), style="bold")


def _table(title: str, limit: int, count: int, *columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.title = _title(title, limit, count)
    for heading, side in columns:
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=side != "wrap")
    return table


def _named(stream: StreamView) -> tuple[str, str, str]:
    return stream["type"], plain(stream["symbol"]), plain(stream["exchange"] or "any")


def _map(view: QualityView, columns: list[list[str]], limit: int) -> Group:
    streams = view["streams"]
    names = (("type", "left"), ("symbol", "left"), ("exchange", "left"), ("days", "right"), ("rows", "right"))
    table = _table("Coverage", limit, len(streams), *names, (_axis(view, columns), "left"))
    strips = _Strips(view, columns)
    for stream in streams[:limit]:
        days = f"{stream['days']:,}/{stream['asked']:,}"
        table.add_row(*_named(stream), days, f"{stream['rows']:,}", strips.of(stream))
    return Group(table, _legend())


def _narrow_map(view: QualityView, columns: list[list[str]], limit: int) -> Group:
    streams, strips = view["streams"], _Strips(view, columns)
    parts = [_title("Coverage", limit, len(streams)), Text(_axis(view, columns), "dim")]
    for stream in streams[:limit]:
        days = f"{stream['days']:,} of {counted(stream['asked'], 'day')}"
        parts.append(Text(f"{' '.join(_named(stream))}: {days}, {counted(stream['rows'], 'row')}"))
        parts.append(strips.of(stream))
    return Group(*parts, _legend())


def _axis(view: QualityView, columns: list[list[str]]) -> str:
    step = f", {len(columns[0])} days a column" if columns and len(columns[0]) > 1 else ""
    return f"{view['from']} ...{step}" if columns else ""


def _legend() -> Text:
    levels = ((1, "as it should be, or a note"), (2, "warning"), (3, "bad"))
    return Text.assemble(
        *((f"{_MARKS[level]} {word}  ", _STYLES[level]) for level, word in levels),
        (f"{_MISSING} no segment", "dim"),
    )


class _Strips:
    """The worst of each column's days, of any stream."""

    def __init__(self, view: QualityView, columns: list[list[str]]) -> None:
        self._columns = columns
        self._states = {(*stream_key(day), day["day"]): day["severity"] for day in view["days"]}

    def of(self, stream: StreamView) -> Text:
        strip = Text()
        for days in self._columns:
            keys = [(*stream_key(stream), day) for day in days]
            found = [self._states[key] for key in keys if key in self._states]
            strip.append(_MARKS[max(found)] if found else _MISSING, _STYLES[max(found)] if found else "dim")
        return strip


def _columns(view: QualityView, most: int) -> list[list[str]]:
    """Return the days of each column of the map, at most `most` columns."""
    if view["from"] is None or view["to"] is None:
        return []
    days = [day_of(ns) for ns in range(day_start(view["from"]), day_start(view["to"]), NS_PER_DAY)]
    step = -(-len(days) // most)
    return [days[start : start + step] for start in range(0, len(days), step)]


def _found(view: QualityView) -> list[tuple[StreamView, FindingView]]:
    found = [(stream, finding) for stream in view["streams"] for finding in stream["findings"]]
    return sorted(found, key=lambda pair: (-pair[1]["severity"], -pair[1]["days"]))


def _word(level: int) -> Text:
    return Text(SEVERITIES[level], style=_STYLES[level] if level > 1 else "dim")


def _findings(view: QualityView, limit: int) -> Table:
    found = _found(view)
    names = (("", "left"), ("type", "left"), ("symbol", "left"), ("exchange", "left"), ("days", "right"))
    table = _table(
        "Findings, worst first", limit, len(found), *names, ("worst on", "left"), ("found", "wrap")
    )
    for stream, finding in found[:limit]:
        text = f"{finding['rule']}: {plain(finding['text'])}"
        table.add_row(
            _word(finding["severity"]), *_named(stream), f"{finding['days']:,}", finding["day"], text
        )
    return table


def _narrow_findings(view: QualityView, limit: int) -> Group:
    found = _found(view)
    parts: list[RenderableType] = [_title("Findings, worst first", limit, len(found))]
    for stream, finding in found[:limit]:
        when = finding["day"] + (f", worst of {finding['days']:,} days" if finding["days"] > 1 else "")
        parts.append(_word(finding["severity"]).append(f"  {' '.join(_named(stream))}, {when}", "default"))
        parts.append(Padding(Text(f"{finding['rule']}: {plain(finding['text'])}"), (0, 0, 0, 2)))
    return Group(*parts)


def _runs(view: QualityView) -> list[tuple[StreamView, RunView]]:
    found = [(stream, run) for stream in view["streams"] for run in stream["missing"]]
    return sorted(found, key=lambda pair: -pair[1]["days"])


def _missing(view: QualityView, limit: int) -> Table:
    found = _runs(view)
    names = (("type", "left"), ("symbol", "left"), ("exchange", "left"), ("days", "right"))
    table = _table("Missing", limit, len(found), *names, ("first", "left"), ("last", "left"))
    for stream, run in found[:limit]:
        days = (f"{run['days']:,}", run["first"] or "", run["last"] or "") if run["days"] else ("all", "", "")
        table.add_row(*_named(stream), *days)
    return table


def _narrow_missing(view: QualityView, limit: int) -> Group:
    found = _runs(view)
    lines = [_title("Missing", limit, len(found))]
    for stream, run in found[:limit]:
        days = "all days"
        if run["days"]:
            end = f" to {run['last']}" if run["days"] > 1 else ""
            days = f"{counted(run['days'], 'day')}, {run['first']}{end}"
        lines.append(Text(f"{' '.join(_named(stream))}: {days}"))
    return Group(*lines)
