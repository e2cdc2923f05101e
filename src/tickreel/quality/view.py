"""A survey as the plain data that reports and the JSON document show."""

from itertools import groupby

import msgspec

from tickreel.quality.asked import Asked
from tickreel.quality.rule import Verdict
from tickreel.quality.segments import Measured
from tickreel.quality.survey import Stream
from tickreel.quality.verdicts import BY_NAME, few_rows, join, worst_first
from tickreel.report.quality_view import DayView, FindingView, QualityView, RunView, StreamView, TotalsView
from tickreel.units import NS_PER_DAY, day_of, day_start


def view(root: str, feed: str, asked: Asked, streams: list[Stream]) -> QualityView:
    """Return a survey of the store at `root` with every verdict."""
    judged = [(stream, _judged(stream)) for stream in streams]
    lines = [_stream(stream, verdicts) for stream, verdicts in judged]
    days = [_day(stream.found[day], found) for stream, verdicts in judged for day, found in verdicts.items()]
    looked = [day for stream in streams for day in stream.days]
    return {
        "store": root,
        "feed": feed,
        "from": min(looked, default=None),
        "to": day_of(day_start(max(looked)) + NS_PER_DAY) if looked else None,
        "asked": asked.shown(),
        "totals": _totals(lines, days),
        "streams": lines,
        "days": days,
    }


def _judged(stream: Stream) -> dict[str, list[Verdict]]:
    """Return day -> verdicts, worst first, of every day that is there."""
    verdicts = {}
    rows = [measured.figures.get("rows", 0) for measured in stream.found.values()]
    for day in sorted(stream.found):
        measured = stream.found[day]
        found = measured.verdicts()
        if not measured.error:
            before = stream.found.get(day_of(day_start(day) - NS_PER_DAY))
            seam = join(before.figures, measured.figures) if before and not stream.key.group else None
            few = few_rows(measured.figures["rows"], rows)
            found += [verdict for verdict in (few, seam) if verdict]
        verdicts[day] = worst_first(found)
    return verdicts


def _stream(stream: Stream, verdicts: dict[str, list[Verdict]]) -> StreamView:
    findings = _findings(verdicts, stream)
    missing = _runs(stream.missing)
    if not (stream.days or stream.found):
        missing = [{"first": None, "last": None, "days": 0}]
    return {
        "type": stream.key.type,
        "exchange": stream.key.exchange,
        "symbol": stream.key.symbol,
        "group": stream.key.group,
        "asked": len(stream.days),
        "days": len(stream.found),
        "rows": sum(measured.figures.get("rows", 0) for measured in stream.found.values()),
        "severity": max((finding["severity"] for finding in findings), default=0),
        "missing": missing,
        "findings": findings,
    }


def _findings(verdicts: dict[str, list[Verdict]], stream: Stream) -> list[FindingView]:
    """Return one entry for each rule that spoke, worst first, then those of most days."""

    def badness(case: tuple[str, Verdict]) -> tuple[int, float]:
        day, verdict = case
        rule = BY_NAME.get(verdict.rule)
        return verdict.severity, rule.size(stream.found[day].figures) if rule else 0

    by_rule: dict[str, list[tuple[str, Verdict]]] = {}
    for day, found in verdicts.items():
        for verdict in found:
            by_rule.setdefault(verdict.rule, []).append((day, verdict))
    findings: list[FindingView] = []
    for rule, cases in by_rule.items():
        day, worst = max(cases, key=badness)
        findings.append(
            {"rule": rule, "severity": worst.severity, "days": len(cases), "day": day, "text": worst.text}
        )
    return sorted(findings, key=lambda finding: (-finding["severity"], -finding["days"]))


def _runs(days: list[str]) -> list[RunView]:
    """Return ascending days as runs of days that follow each other."""
    numbered = [(day_start(day) // NS_PER_DAY - place, day) for place, day in enumerate(days)]
    runs = [[day for _, day in run] for _, run in groupby(numbered, key=lambda pair: pair[0])]
    return [{"first": run[0], "last": run[-1], "days": len(run)} for run in runs]


def _day(measured: Measured, verdicts: list[Verdict]) -> DayView:
    key = measured.key
    found: DayView = {
        "type": key.type,
        "exchange": key.exchange,
        "symbol": key.symbol,
        "day": key.day,
        "severity": verdicts[0].severity if verdicts else 0,
        "figures": measured.figures,
        "places": measured.places,
        "verdicts": msgspec.to_builtins(verdicts),
        "worst_symbols": msgspec.to_builtins(measured.worst_symbols),
    }
    if measured.error:
        found["error"] = measured.error
    return found


def _totals(streams: list[StreamView], days: list[DayView]) -> TotalsView:
    severities = [verdict["severity"] for day in days for verdict in day["verdicts"]]
    return {
        "streams": len(streams),
        "segments": len(days),
        "rows": sum(stream["rows"] for stream in streams),
        "streams_missing": sum(not stream["days"] for stream in streams),
        "missing_days": sum(run["days"] for stream in streams for run in stream["missing"]),
        "notes": severities.count(1),
        "warnings": severities.count(2),
        "bad": severities.count(3),
        "unreadable": sum("error" in day for day in days),
    }
