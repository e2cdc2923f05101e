"""The data of a quality page: columns rather than rows, a bounded number of figures and sentences."""

from collections.abc import Iterable
from typing import Any

from tickreel.report.quality_view import DayView, QualityView, StreamView, stream_key
from tickreel.units import NS_PER_DAY, day_start

MOST_DAYS = 60_000
"""With more days than that the page keeps their severities and leaves out their figures."""
MOST_SENTENCES = 4_000
"""So many sentences are kept, the worst first; of the others the page keeps the rule."""

PAGE_FIGURES = (
    ("rows", "Rows", "count"),
    ("covered_ns", "Covered", "day"),
    ("gaps", "Gaps", "count"),
    ("gap_max_ns", "Longest gap", "time"),
    ("peak_rows", "Most rows in a second", "count"),
    ("offset_min_ns", "Clock offset, least", "time"),
    ("offset_p50_ns", "Clock offset, median", "time"),
    ("offset_p99_ns", "Clock offset, 99 %", "time"),
    ("offset_max_ns", "Clock offset, greatest", "time"),
    ("offset_negative", "Local before exchange", "count"),
    ("exchange_backwards", "Exchange time back", "count"),
    ("duplicate_rows", "Duplicate rows", "count"),
    ("ids_missing", "Ids missing", "count"),
    ("outliers", "Price outliers", "count"),
    ("rows_before_snapshot", "Rows before a snapshot", "count"),
    ("reconnects", "Snapshots after the first", "count"),
    ("crossed_ns", "Crossed", "time"),
)
"""Name of the figure, its label and its format on the page."""

_NOT_ASKED, _MISSING, _EMPTY = " ", "-", "e"


def page_data(view: QualityView) -> dict[str, Any]:
    """Return what the page's script reads.

    streams  their words, counts and findings; `map`: a character per day of the range: severity 0
             to 3, e for a segment without rows, - for a missing one, blank for a day not asked for
    figures  of each stream: name -> value per day that is there, in order; `rules`: bits of RULES
    texts    [stream, day, severity, rule, sentence], worst first
    """
    first = day_start(view["from"]) // NS_PER_DAY if view["from"] else 0
    last = day_start(view["to"]) // NS_PER_DAY if view["to"] else 0
    days = _by_stream(view["days"])
    rules = sorted({verdict["rule"] for day in view["days"] for verdict in day["verdicts"]})
    streams = view["streams"]
    return {
        "first": first,
        "count": last - first,
        "rules": rules,
        "figures": [{"name": name, "label": label, "format": style} for name, label, style in PAGE_FIGURES],
        "streams": [_stream(stream, days.get(stream_key(stream), []), first, last - first) for stream in streams],
        "days": [_days(days.get(stream_key(stream), []), rules, len(view["days"])) for stream in streams],
        "texts": _texts(view, streams, first),
    }  # fmt: skip


def page_note(view: QualityView) -> str:
    """Return what a reader must know about what was left out; empty if nothing was."""
    sentences = sum(len(day["verdicts"]) for day in view["days"])
    told = []
    if len(view["days"]) > MOST_DAYS:
        told.append(f"With more than {MOST_DAYS:,} days this file keeps no figures of single days.")
    if sentences > MOST_SENTENCES:
        told.append(
            f"Of {sentences:,} sentences the {MOST_SENTENCES:,} worst are in this file, of the others their"
            " rules; tickreel quality --json has all."
        )
    return " ".join(told)


def _by_stream(days: Iterable[DayView]) -> dict[tuple[str, str | None, str], list[DayView]]:
    found: dict[tuple[str, str | None, str], list[DayView]] = {}
    for day in days:
        found.setdefault(stream_key(day), []).append(day)
    return found


def _stream(stream: StreamView, days: list[DayView], first: int, count: int) -> dict[str, Any]:
    counts = [sum(day["severity"] == level for day in days) for level in range(4)]
    return {
        "type": stream["type"], "symbol": stream["symbol"], "exchange": stream["exchange"] or "any exchange",
        "asked": stream["asked"], "days": stream["days"], "rows": stream["rows"],
        "missing": [[run["first"], run["last"], run["days"]] for run in stream["missing"]],
        "levels": counts, "severity": stream["severity"], "map": _map(stream, days, first, count),
        "findings": [
            [found["rule"], found["severity"], found["days"], found["day"], found["text"]]
            for found in stream["findings"]
        ],
    }  # fmt: skip


def _map(stream: StreamView, days: list[DayView], first: int, count: int) -> str:
    marks = [_NOT_ASKED] * count
    for run in stream["missing"]:
        if run["first"] is not None:
            start = day_start(run["first"]) // NS_PER_DAY - first
            marks[start : start + run["days"]] = _MISSING * run["days"]
    for day in days:
        empty = not day["figures"].get("rows") and "error" not in day
        marks[day_start(day["day"]) // NS_PER_DAY - first] = _EMPTY if empty else str(day["severity"])
    return "".join(marks)


def _days(days: list[DayView], rules: list[str], all_days: int) -> dict[str, Any]:
    """Return the figures of a stream's days; one that is 0 or not there on every day is left out."""
    bits = {rule: 1 << place for place, rule in enumerate(rules)}
    found: dict[str, Any] = {
        "rules": [sum(bits[rule] for rule in {v["rule"] for v in day["verdicts"]}) for day in days]
    }
    if all_days <= MOST_DAYS:
        for name, _, style in PAGE_FIGURES:
            values = [_short(day["figures"].get(name, 0), style) for day in days]
            if any(values):
                found[name] = values
    return found


def _short(value: int | float, style: str) -> int | float:
    """Return a time in us, and the share of a day to four digits: the page shows no more."""
    if style == "time":
        return int(float(f"{value / 1_000:.4g}"))
    return round(value / NS_PER_DAY, 4) if style == "day" else value


def _texts(view: QualityView, streams: list[StreamView], first: int) -> list[list[Any]]:
    numbers = {stream_key(stream): number for number, stream in enumerate(streams)}
    texts = [
        [numbers[stream_key(day)], day_start(day["day"]) // NS_PER_DAY - first, v["severity"], v["rule"], v["text"]]
        for day in view["days"]
        for v in day["verdicts"] + [_of_symbol(found) for found in day["worst_symbols"]]
    ]  # fmt: skip
    return sorted(texts, key=lambda text: -text[2])[:MOST_SENTENCES]


def _of_symbol(found: Any) -> Any:
    return {**found["verdict"], "text": f"{found['symbol']}: {found['verdict']['text']}"}
