"""A quality report as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

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


def quality_table(view: QualityView, limit: int = 20) -> RenderableType:
    """Return totals, map of coverage, worst findings and missing days, up to `limit` lines of each."""
    parts: list[RenderableType] = [_totals(view)]
    if view["streams"]:
        parts += [Text(), _map(view, limit)]
    if any(stream["findings"] for stream in view["streams"]):
        parts += [Text(), _findings(view, limit)]
    if any(stream["missing"] for stream in view["streams"]):
        parts += [Text(), _missing(view, limit)]
    return Group(*parts)


def _totals(view: QualityView) -> Text:
    totals = view["totals"]
    days = f"{view['from']} to {view['to']} UTC" if view["from"] else "no days"
    text = Text.assemble(("Quality", "bold"), f"  feed {plain(view['feed'])}, {days}\n")
    text.append(f"{totals['segments']:,} days of {totals['streams']:,} streams, {totals['rows']:,} rows: ")
    text.append(f"{totals['bad']:,} bad", _STYLES[3] if totals["bad"] else "")
    text.append(", ")
    text.append(f"{totals['warnings']:,} warnings", _STYLES[2] if totals["warnings"] else "")
    return text.append(f", {totals['notes']:,} notes; {totals['missing_days']:,} days missing")


def _table(title: str, limit: int, count: int, *columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.title = Text(title + (f" ({limit:,} of {count:,})" if count > limit else ""), style="bold")
    for heading, side in columns:
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=side != "wrap")
    return table


def _named(stream: StreamView) -> tuple[str, str, str]:
    return stream["type"], plain(stream["symbol"]), plain(stream["exchange"] or "any")


def _map(view: QualityView, limit: int) -> Table:
    streams, columns = view["streams"], _columns(view)
    step = f", {len(columns[0])} days a column" if columns and len(columns[0]) > 1 else ""
    names = (("type", "left"), ("symbol", "left"), ("exchange", "left"), ("days", "right"), ("rows", "right"))
    table = _table("Coverage", limit, len(streams), *names, (f"{view['from']} ...{step}", "left"))
    states = {(*stream_key(day), day["day"]): day["severity"] for day in view["days"]}
    for stream in streams[:limit]:
        strip = Text()
        for days in columns:
            found = [states[key] for day in days if (key := (*stream_key(stream), day)) in states]
            strip.append(_MARKS[max(found)] if found else _MISSING, _STYLES[max(found)] if found else "dim")
        table.add_row(
            *_named(stream), f"{stream['days']:,}/{stream['asked']:,}", f"{stream['rows']:,}", strip
        )
    table.caption = Text.assemble(
        *((f"{_MARKS[level]} {word}  ", _STYLES[level]) for level, word in ((1, "as it should be, or a note"), (2, "warning"), (3, "bad"))),
        (f"{_MISSING} no segment", "dim"),
    )  # fmt: skip
    table.caption_justify = "left"
    return table


def _columns(view: QualityView) -> list[list[str]]:
    """Return the days of each column of the map."""
    if view["from"] is None or view["to"] is None:
        return []
    days = [day_of(ns) for ns in range(day_start(view["from"]), day_start(view["to"]), NS_PER_DAY)]
    step = -(-len(days) // MAP_COLUMNS)
    return [days[start : start + step] for start in range(0, len(days), step)]


def _findings(view: QualityView, limit: int) -> Table:
    found: list[tuple[StreamView, FindingView]] = [
        (stream, finding) for stream in view["streams"] for finding in stream["findings"]
    ]
    found.sort(key=lambda pair: (-pair[1]["severity"], -pair[1]["days"]))
    names = (("", "left"), ("type", "left"), ("symbol", "left"), ("exchange", "left"), ("days", "right"))
    table = _table(
        "Findings, worst first", limit, len(found), *names, ("worst on", "left"), ("found", "wrap")
    )
    for stream, finding in found[:limit]:
        level = finding["severity"]
        word = Text(SEVERITIES[level], style=_STYLES[level] if level > 1 else "dim")
        text = f"{finding['rule']}: {plain(finding['text'])}"
        table.add_row(word, *_named(stream), f"{finding['days']:,}", finding["day"], text)
    return table


def _missing(view: QualityView, limit: int) -> Table:
    found: list[tuple[StreamView, RunView]] = [
        (stream, run) for stream in view["streams"] for run in stream["missing"]
    ]
    found.sort(key=lambda pair: -pair[1]["days"])
    names = (("type", "left"), ("symbol", "left"), ("exchange", "left"), ("days", "right"))
    table = _table("Missing", limit, len(found), *names, ("first", "left"), ("last", "left"))
    for stream, run in found[:limit]:
        days = (f"{run['days']:,}", run["first"] or "", run["last"] or "") if run["days"] else ("all", "", "")
        table.add_row(*_named(stream), *days)
    return table
