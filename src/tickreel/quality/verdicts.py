"""Turns figures into sentences: what holds, with a severity by declared thresholds, worst first."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from tickreel.quality.figures import Figures, Place
from tickreel.quality.words import clock_text, of_looks, of_rows, percent, spoken_ns
from tickreel.units import NS_PER_DAY, NS_PER_MS, NS_PER_S


class Severity(IntEnum):
    """note: to know; warning: look before you rely on it; bad: results over it cannot be trusted."""

    NOTE = 1
    WARNING = 2
    BAD = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Verdict(msgspec.Struct, frozen=True):
    """One sentence. `rule` is a name in RULES, `severity` 1 to 3."""

    rule: str
    severity: int
    text: str


NOTE, WARNING, BAD = Severity
DENSE_SECONDS = 100
MANY_TRADES = 10_000
FEW_SHARE = 0.1
FEW_DAYS = 5
_PLACES_OF = {
    "gaps": "gaps",
    "backwards": "exchange_backwards",
    "id_holes": "id_holes",
    "outliers": "outliers",
    "amount": "amount_max",
}
"""Rule -> kind of places."""
Found = tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """When something is said, and how severe it is; `doc` states the thresholds."""

    name: str
    doc: str
    look: Callable[[Figures], Found]


def judge(figures: Figures) -> list[Verdict]:
    """Return what is to be said of one segment, worst first, else in the order of RULES."""
    if not figures.get("rows"):
        return [Verdict("empty", WARNING, "no row: the file of this day was imported, and held none")]
    found = [(rule.name, rule.look(figures)) for rule in RULES]
    verdicts = [Verdict(name, *what) for name, what in found if what]
    return sorted(verdicts, key=lambda verdict: -verdict.severity)


def placed(verdict: Verdict, places: dict[str, list[Place]]) -> Verdict:
    """Return the verdict with the first place of what it tells (of gaps: the longest), where one is known."""
    found = places.get(_PLACES_OF.get(verdict.rule, ""))
    if not found:
        return verdict
    start_ns, end_ns, text = found[0]
    where = clock_text(start_ns) + (f" to {clock_text(end_ns)}" if end_ns is not None else "")
    return Verdict(verdict.rule, verdict.severity, f"{verdict.text}; {where}" + (f": {text}" if text else ""))


def few_rows(rows: int, all_days: list[int]) -> Verdict | None:
    """Return what is to be said of a day's rows beside those of all days of its stream."""
    usual = sorted(all_days)[len(all_days) // 2]
    if len(all_days) < FEW_DAYS or rows == 0 or rows >= FEW_SHARE * usual:
        return None
    return Verdict("few_rows", WARNING, f"{rows:,} rows, where the median day has {usual:,}")


def worst(verdicts: list[Verdict]) -> Verdict | None:
    """Return the first verdict that is a warning or worse."""
    return verdicts[0] if verdicts and verdicts[0].severity >= WARNING else None


def _graded(value: float, *, warning: float, bad: float = math.inf) -> int:
    return BAD if value >= bad else WARNING if value >= warning else NOTE


def _clock(f: Figures) -> Found:
    if not f["offset_negative"]:
        return None
    severity = _graded(f["offset_negative"] / f["rows"], warning=0.0, bad=0.5)
    if f["offset_negative"] == f["rows"]:
        return severity, f"local time runs {_offset(f)} before exchange time on every row"
    return (
        severity,
        f"local time before exchange time in {of_rows(f, 'offset_negative')}, at most {spoken_ns(-f['offset_min_ns'])}",
    )


def _offset(f: Figures) -> str:
    low, middle, high = (
        spoken_ns(abs(f[name])) for name in ("offset_max_ns", "offset_p50_ns", "offset_min_ns")
    )
    return f"{middle} ({low} to {high})"


def _one_clock(f: Figures) -> Found:
    if f["offset_zero"] == f["rows"]:
        return (
            WARNING,
            "local time equals exchange time on every row: one of the two was not recorded, so no delay can be told",
        )
    if f["offset_zero"] >= 0.1 * f["rows"]:
        return NOTE, f"local time equals exchange time in {of_rows(f, 'offset_zero')}"
    return None


def _lag(f: Figures) -> Found:
    if f["offset_p99_ns"] < 100 * NS_PER_MS:
        return None
    severity = _graded(f["offset_p99_ns"] / NS_PER_S, warning=1.0, bad=10.0)
    low, p50, p99, high = (spoken_ns(f[f"offset_{name}_ns"]) for name in ("min", "p50", "p99", "max"))
    return severity, f"rows arrive {low} to {high} after exchange time: median {p50}, 99 % within {p99}"


def _drift(f: Figures) -> Found:
    if f["offset_drift_ns"] < 100 * NS_PER_MS:
        return None
    severity = _graded(f["offset_drift_ns"] / NS_PER_S, warning=0.0, bad=10.0)
    return severity, (
        f"the median offset of an hour moves by {spoken_ns(f['offset_drift_ns'])} over the day,"
        f" by {spoken_ns(f['offset_jump_ns'])} from one hour to the next"
    )


def _backwards(f: Figures) -> Found:
    if not f["exchange_backwards"]:
        return None
    severity = _graded(f["exchange_backwards"] / f["rows"], warning=0.01)
    times = "once" if f["exchange_backwards"] == 1 else f"{f['exchange_backwards']:,} times"
    return (
        severity,
        f"exchange time steps back {times}, at most by {spoken_ns(f['exchange_backwards_max_ns'])}",
    )


def _sparse(f: Figures) -> Found:
    if f["active_seconds"] >= DENSE_SECONDS:
        return None
    return NOTE, f"only {f['active_seconds']:,} seconds of the day have rows: too few to tell gaps"


def _coverage(f: Figures) -> Found:
    if f["active_seconds"] < DENSE_SECONDS:
        return None
    share = f["covered_ns"] / NS_PER_DAY
    if share >= 0.99:
        return None
    first, last = clock_text(f["first_ns"]), clock_text(f["last_ns"])
    severity = BAD if share < 0.5 else WARNING if share < 0.95 else NOTE
    return (
        severity,
        f"rows cover {percent(f['covered_ns'], NS_PER_DAY)} of the day: the first at {first}, the last at {last}",
    )


def _gaps(f: Figures) -> Found:
    if not f["gaps"] or f["active_seconds"] < DENSE_SECONDS:
        return None
    severity = BAD if f["gaps_ns"] >= 3_600 * NS_PER_S else WARNING
    if f["gaps"] == 1:
        return severity, f"a gap of {spoken_ns(f['gap_max_ns'])}"
    return (
        severity,
        f"{f['gaps']:,} gaps, the longest {spoken_ns(f['gap_max_ns'])}, together {spoken_ns(f['gaps_ns'])}",
    )


def _bursts(f: Figures) -> Found:
    if "outliers" not in f:
        return None
    shares = {"local": f["same_time"], "exchange": f["same_exchange_time"]}
    told = [
        f"{percent(count, f['rows'])} the {clock} time"
        for clock, count in shares.items()
        if count >= 0.5 * f["rows"]
    ]
    return (NOTE, f"rows that share a time with the row before: {' and '.join(told)}") if told else None


def _thinned(f: Figures) -> Found:
    if "outliers" not in f or f["time_step_ns"] < NS_PER_MS:
        return None
    if f["rows"] < MANY_TRADES or f["same_time"] >= 0.01 * f["rows"]:
        return None
    step = "millisecond" if f["time_step_ns"] == NS_PER_MS else "second"
    return WARNING, (
        f"times are whole {step}s and {percent(f['same_time'], f['rows'])} of them repeat:"
        f" about one row was kept per {step}"
    )


def _duplicates(f: Figures) -> Found:
    if not f["duplicate_rows"]:
        return None
    return _graded(f["duplicate_rows"] / f["rows"], warning=0.001, bad=0.05), (
        f"{of_rows(f, 'duplicate_rows')} equal the row before in every column"
    )


def _set_aside(f: Figures) -> Found:
    return (
        (WARNING, f"import set {f['set_aside']:,} lines of its files aside") if f.get("set_aside") else None
    )


def _order(f: Figures) -> Found:
    return (NOTE, f"import put {f['out_of_order']:,} rows in order") if f.get("out_of_order") else None


def _no_ids(f: Figures) -> Found:
    if not f.get("ids_empty"):
        return None
    if f["ids_empty"] == f["rows"]:
        return NOTE, "no row has an id: missing and repeated trades cannot be told"
    return WARNING, f"no id in {of_rows(f, 'ids_empty')}"


def _id_holes(f: Figures) -> Found:
    if not f.get("id_holes"):
        return None
    share = f["ids_missing"] / (f["rows"] + f["ids_missing"])
    if share > 0.5:
        return (
            NOTE,
            f"ids are no count of this symbol: {f['ids_missing']:,} numbers lie between those of {f['rows']:,} rows",
        )
    holes = "1 hole" if f["id_holes"] == 1 else f"{f['id_holes']:,} holes"
    return _graded(share, warning=0.0, bad=0.05), (
        f"{f['ids_missing']:,} ids missing ({percent(f['ids_missing'], f['rows'] + f['ids_missing'])})"
        f" in {holes}, at most {f['id_hole_max']:,} in one"
    )


def _ids_twice(f: Figures) -> Found:
    twice = max(f.get("id_twice", 0), f.get("ids_repeated", 0))
    return (WARNING, f"{twice:,} rows have an id that came before") if twice else None


def _ids_backwards(f: Figures) -> Found:
    return (WARNING, f"ids go backwards in {of_rows(f, 'ids_backwards')}") if f.get("ids_backwards") else None


def _sides(f: Figures) -> Found:
    if not f.get("side_unknown"):
        return None
    if f["side_unknown"] == f["rows"]:
        return WARNING, "the side is unknown on every row"
    return _graded(
        f["side_unknown"] / f["rows"], warning=0.01
    ), f"the side is unknown in {of_rows(f, 'side_unknown')}"


def _outliers(f: Figures) -> Found:
    if not f.get("outliers"):
        return None
    return WARNING, f"{f['outliers']:,} prices stand more than 1 % off the trades around them and come back"


def _amount(f: Figures) -> Found:
    if f["rows"] < 100 or f["symbols"] > 1 or f.get("amount_max", 0) <= 0.5 * f.get("amount_total", 0):
        return None
    return WARNING, f"one row has {percent(f['amount_max'], f['amount_total'])} of the day's amount"


def _late_snapshot(f: Figures) -> Found:
    if not f.get("rows_before_snapshot"):
        return None
    if not f["rows_skipped"]:
        return NOTE, f"{of_rows(f, 'rows_before_snapshot')} go on with the book of the day before"
    if not f["snapshots"]:
        return BAD, "no snapshot: no book can be built"
    return WARNING, f"the first snapshot arrives after {f['rows_before_snapshot']:,} rows of changes"


def _snapshot_zeros(f: Figures) -> Found:
    if not f.get("snapshot_zeros"):
        return None
    return WARNING, f"snapshots hold {f['snapshot_zeros']:,} levels with amount 0"


def _reconnects(f: Figures) -> Found:
    if not f.get("reconnects"):
        return None
    return _graded(
        f["reconnects"], warning=10
    ), f"{f['reconnects']:,} snapshots after the first: the feed was connected anew"


def _absent(f: Figures) -> Found:
    if not f.get("removals_absent"):
        return None
    return NOTE, f"{f['removals_absent']:,} of {f['removals']:,} removals are of levels that the book has not"


def _book_cells(f: Figures) -> Found:
    if not f.get("cells_empty"):
        return None
    return WARNING, f"no price or no amount in {of_rows(f, 'cells_empty')}"


def _crossed(f: Figures) -> Found:
    if not f.get("crossed_rows"):
        return None
    return _graded(f["crossed_ns"] / NS_PER_S, warning=0.0, bad=60.0), (
        f"the bid is above the ask in {f['crossed_intervals']:,} intervals, {spoken_ns(f['crossed_ns'])} in all,"
        f" the longest {spoken_ns(f['crossed_max_ns'])}"
    )


def _locked(f: Figures) -> Found:
    return (NOTE, f"bid equals ask in {of_looks(f, 'locked_rows')}") if f.get("locked_rows") else None


def _empty_sides(f: Figures) -> Found:
    if not f.get("sides_empty"):
        return None
    return NOTE, f"no bid or no ask in {of_looks(f, 'sides_empty')}"


def _funding(f: Figures) -> Found:
    if not f.get("funding_steps_back"):
        return None
    return WARNING, f"the next funding time steps back {f['funding_steps_back']:,} times"


RULES: tuple[Rule, ...] = (
    Rule("clock", "a row is before its exchange time: warning; half of the rows: bad", _clock),
    Rule("one_clock", "both times equal on every row: warning; on a tenth: note", _one_clock),
    Rule("lag", "99th percentile of the offset from 100 ms: note; 1 s: warning; 10 s: bad", _lag),
    Rule("drift", "hourly median offset moves by 100 ms: warning; 10 s: bad", _drift),
    Rule("backwards", "exchange time steps back: note; on 1 % of rows: warning", _backwards),
    Rule(
        "sparse",
        "fewer than 100 seconds of the day have rows: note; then gaps and coverage are not judged",
        _sparse,
    ),
    Rule("coverage", "under 99 % of the day covered: note; under 95 %: warning; under 50 %: bad", _coverage),
    Rule("gaps", "a gap: warning; an hour in gaps: bad", _gaps),
    Rule("bursts", "half of the trades have the local or the exchange time of the row before: note", _bursts),
    Rule(
        "thinned", "10,000 trades or more, times in whole ms or seconds, under 1 % repeat: warning", _thinned
    ),
    Rule("duplicates", "a duplicate row: note; 0.1 % of rows: warning; 5 %: bad", _duplicates),
    Rule("set_aside", "lines that import set aside: warning", _set_aside),
    Rule("order", "rows that import put in order: note", _order),
    Rule("no_ids", "no id on any row: note; on some: warning", _no_ids),
    Rule(
        "id_holes", "ids missing: warning; 5 %: bad; over half: note, the ids count something else", _id_holes
    ),
    Rule("ids_twice", "an id that came before: warning", _ids_twice),
    Rule("ids_backwards", "an id lower than the one before: warning", _ids_backwards),
    Rule("sides", "unknown side: note; 1 % of rows: warning", _sides),
    Rule("outliers", "an outlier: warning", _outliers),
    Rule("amount", "one of 100 rows or more has over half of the day's amount: warning", _amount),
    Rule(
        "late_snapshot",
        "rows before the first snapshot: warning; no snapshot: bad; the book of the day before is known: note",
        _late_snapshot,
    ),
    Rule("snapshot_zeros", "a level of amount 0 in a snapshot: warning", _snapshot_zeros),
    Rule("reconnects", "a snapshot after the first: note; ten: warning", _reconnects),
    Rule("absent", "removals of levels that are not in the book: note", _absent),
    Rule("book_cells", "a row of a book without price or amount: warning", _book_cells),
    Rule("crossed", "bid above ask: warning; a minute in all: bad", _crossed),
    Rule("locked", "bid equals ask: note", _locked),
    Rule("empty_sides", "a row without bid or ask: note", _empty_sides),
    Rule("funding", "next funding time steps back: warning", _funding),
)
EXTRA_RULES = {
    "empty": "a segment without rows: warning",
    "unreadable": "a segment that cannot be read: bad",
    "few_rows": "under a tenth of the rows of the stream's median day, of 5 days or more: warning",
    "join": "the day before is there and ids or time have a gap at midnight: warning; they have none: note",
}
"""Rules that need more than one segment's figures."""


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
        elif step > 1 and after["ids_missing"] <= after["rows"]:
            severity = WARNING
            found.append(f"{step - 1:,} ids missing")
        elif step < 1:
            severity = WARNING
            found.append(f"ids go back by {1 - step:,}")
    return Verdict("join", severity, ", ".join(found))
