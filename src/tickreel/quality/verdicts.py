"""Turns figures into sentences: what holds, with a severity by declared thresholds, worst first."""

from collections.abc import Callable, Iterable

from tickreel.quality.figures import Figures, Place
from tickreel.quality.rule import BAD, NOTE, WARNING, Rule, Verdict
from tickreel.quality.rules_content import CONTENT_RULES
from tickreel.quality.rules_ids import ID_RULES, count_rows
from tickreel.quality.rules_times import DENSE_SECONDS, TIME_RULES
from tickreel.quality.words import clock_text
from tickreel.report.figures import counted
from tickreel.report.words import spoken_ns
from tickreel.store.catalog import SegmentKey

RULES: tuple[Rule, ...] = (*TIME_RULES, *ID_RULES, *CONTENT_RULES)
BY_NAME = {rule.name: rule for rule in RULES}
EXTRA_RULES = {
    "empty": "a segment without rows: warning",
    "unreadable": "a segment that cannot be read: bad",
    "few_rows": "under a tenth of the rows of the stream's median day, of 5 days or more: warning;"
    " under a hundredth of 1,000 rows or more: bad",
    "join": "the day before is there and ids or time have a gap at midnight: warning; they have none: note",
}
"""Rules that need more than one segment's figures."""

FEW_SHARE, FEW_DAYS = 0.1, 5
NONE_SHARE, MANY_ROWS = 0.01, 1_000
TOLD_PLACES = 3


def judge(
    figures: Figures, key: SegmentKey, *, only: Callable[[Rule], bool] = lambda rule: True
) -> list[Verdict]:
    """Return what is to be said of one segment, or one symbol of it, worst first, else in the order of RULES.

    only  the rules to ask
    """
    if not figures.get("rows"):
        return [Verdict("empty", WARNING, "no row: the file of this day was imported, and held none")]
    verdicts = []
    for rule in filter(only, RULES):
        if rule.clocks and "offset_min_ns" not in figures:
            continue
        if found := rule.look(figures):
            is_mild = not {(None, key.type), (key.exchange, key.type)}.isdisjoint(rule.mild)
            verdicts.append(Verdict(rule.name, NOTE if is_mild else found[0], found[1]))
    return worst_first(verdicts)


def worst_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return sorted(verdicts, key=lambda verdict: -verdict.severity)


def placed(verdict: Verdict, figures: Figures, places: dict[str, list[Place]]) -> Verdict:
    """Return the verdict with where it is so, unless on every row.

    That is the first place, of intervals up to TOLD_PLACES: crossed the first, gaps the longest.
    """
    rule = BY_NAME.get(verdict.rule)
    found = places.get(rule.kind, ()) if rule else ()
    if not (rule and found) or figures.get(rule.kind) == figures["rows"]:
        return verdict
    told = found[: TOLD_PLACES if found[0][1] is not None else 1]
    where = ", ".join(_place_text(*place) for place in told)
    return Verdict(verdict.rule, verdict.severity, f"{verdict.text}; {where}")


def _place_text(start_ns: int, end_ns: int | None, text: str) -> str:
    end = f" to {clock_text(end_ns)}" if end_ns is not None else ""
    return clock_text(start_ns) + end + (f": {text}" if text else "")


def few_rows(rows: int, all_days: list[int]) -> Verdict | None:
    """Return what is to be said of a day's rows beside those of all days of its stream."""
    usual = sorted(all_days)[len(all_days) // 2]
    if usual >= MANY_ROWS and 0 < rows < NONE_SHARE * usual:
        severity = BAD
    elif len(all_days) >= FEW_DAYS and 0 < rows < FEW_SHARE * usual:
        severity = WARNING
    else:
        return None
    return Verdict("few_rows", severity, f"{counted(rows, 'row')}, where the median day has {usual:,}")


def join(before: Figures, after: Figures) -> Verdict | None:
    """Return what is to be said of the seam between a day and the one before; None without rows."""
    if not (before.get("rows") and after.get("rows")):
        return None
    silence = after["first_ns"] - before["last_ns"]
    found = [f"joins the day before after {spoken_ns(silence)}"]
    severity = NOTE
    dense = min(before["active_seconds"], after["active_seconds"]) >= DENSE_SECONDS
    if dense and silence > max(before["gap_threshold_ns"], after["gap_threshold_ns"]):
        severity, found = WARNING, [f"a gap of {spoken_ns(silence)} over midnight"]
    if "highest_id" in before and "first_id" in after:
        step = after["first_id"] - before["highest_id"]
        if step == 1:
            found.append("no id missing")
        elif step > 1 and count_rows(before) and count_rows(after):
            severity = WARNING
            found.append(f"{counted(step - 1, 'id')} missing")
        elif step == 0:
            severity = WARNING
            found.append("the last id comes again")
        elif step < 0:
            severity = WARNING
            found.append(f"ids go back by {-step:,}")
    return Verdict("join", severity, ", ".join(found))
