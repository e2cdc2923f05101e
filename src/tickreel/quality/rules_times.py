"""Rules of times: the two clocks, silences, and rows that repeat."""

from tickreel.quality.figures import Figures
from tickreel.quality.rule import BAD, NOTE, WARNING, Found, Rule, graded
from tickreel.quality.rules_ids import count_rows
from tickreel.quality.words import clock_text, of_rows
from tickreel.report.figures import counted
from tickreel.report.words import percent, spoken_ns
from tickreel.units import NS_PER_DAY, NS_PER_MS, NS_PER_S

DENSE_SECONDS = 100
LUMP_SECONDS = 10
LUMP_SHARE = 0.1
MANY_TRADES = 10_000


def _no_local(f: Figures) -> Found:
    if "offset_min_ns" in f:
        return None
    return (
        NOTE,
        "no local times: how late a row arrived is not known, and all times are those of the exchange",
    )


def _clock(f: Figures) -> Found:
    if not f["offset_negative"]:
        return None
    severity = graded(f["offset_negative"] / f["rows"], warning=0.0, bad=0.5)
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
    severity = graded(f["offset_p99_ns"] / NS_PER_S, warning=1.0, bad=10.0)
    low, p50, p99, high = (spoken_ns(f[f"offset_{name}_ns"]) for name in ("min", "p50", "p99", "max"))
    return severity, f"rows arrive {low} to {high} after exchange time: median {p50}, 99 % within {p99}"


def _drift(f: Figures) -> Found:
    if f["offset_drift_ns"] < 100 * NS_PER_MS:
        return None
    severity = graded(f["offset_drift_ns"] / NS_PER_S, warning=0.0, bad=10.0)
    return severity, (
        f"the median offset of an hour moves by {spoken_ns(f['offset_drift_ns'])} over the day,"
        f" by {spoken_ns(f['offset_jump_ns'])} from one hour to the next"
    )


def _backwards(f: Figures) -> Found:
    if not f["exchange_backwards"]:
        return None
    severity = graded(f["exchange_backwards"] / f["rows"], warning=0.01)
    times = "once" if f["exchange_backwards"] == 1 else f"{f['exchange_backwards']:,} times"
    return (
        severity,
        f"exchange time steps back {times}, at most by {spoken_ns(f['exchange_backwards_max_ns'])}",
    )


def _sparse(f: Figures) -> Found:
    seconds = f["active_seconds"]
    if seconds >= DENSE_SECONDS:
        return None
    span = f["last_ns"] - f["first_ns"]
    if seconds >= LUMP_SECONDS and span < LUMP_SHARE * NS_PER_DAY:
        first, last = clock_text(f["first_ns"]), clock_text(f["last_ns"])
        return WARNING, f"all rows lie within {spoken_ns(span)} of the day, from {first} to {last}"
    verb = "has" if seconds == 1 else "have"
    return NOTE, f"only {counted(seconds, 'second')} of the day {verb} rows: too few to tell gaps"


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
    shares = {"exchange": f["same_time"]}
    if "same_exchange_time" in f:
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
    if count_rows(f) and f["ids_empty"] + f["ids_text"] < 0.01 * f["rows"]:
        return None  # the ids say that rows are not missing one by one
    step = "millisecond" if f["time_step_ns"] == NS_PER_MS else "second"
    return WARNING, (
        f"times are whole {step}s and {percent(f['same_time'], f['rows'])} of them repeat:"
        f" about one row was kept per {step}"
    )


def _duplicates(f: Figures) -> Found:
    if not f["duplicate_rows"]:
        return None
    return graded(f["duplicate_rows"] / f["rows"], warning=0.001, bad=0.05), (
        f"{of_rows(f, 'duplicate_rows')} equal a row before of the same time in every column"
    )


def _missed(f: Figures) -> Found:
    if not f.get("missed_ns"):
        return None
    severity = graded(f["missed_ns"] / NS_PER_S, warning=60.0, bad=3_600.0)
    times = "once" if f["missed"] == 1 else f"{f['missed']:,} times"
    return severity, f"the recorder missed {spoken_ns(f['missed_ns'])}, {times}"


def _lagged(f: Figures) -> Found:
    if not f.get("lagged"):
        return None
    times = "a gap" if f["lagged"] == 1 else f"{f['lagged']:,} gaps"
    return NOTE, (
        f"{times} of {spoken_ns(f['lagged_ns'])} filled: local times there are exchange time +"
        f" {spoken_ns(f['lag_declared_ns'])}, as was declared"
    )


TIME_RULES: tuple[Rule, ...] = (
    Rule("no_local", "rows without local times: note, and clock, one_clock, lag, drift and backwards are not judged", _no_local, "rows"),
    Rule(
        "clock", "a row is before its exchange time: warning; half of the rows: bad", _clock, "offset_negative", clocks=True
    ),
    Rule(
        "one_clock",
        "both times equal on every row: warning (note where the venue sends none); on a tenth: note",
        _one_clock,
        "offset_zero",
        clocks=True,
        mild=(("binance", "book_ticker"),),
    ),
    Rule(
        "lag", "99th percentile of the offset from 100 ms: note; 1 s: warning; 10 s: bad", _lag, "offset_p99_ns", "offset_max",
        clocks=True,
    ),
    Rule(
        "drift", "hourly median offset moves by 100 ms: warning; 10 s: bad", _drift, "offset_drift_ns", "offset_jump",
        clocks=True,
    ),
    Rule(
        "backwards", "exchange time steps back: note; on 1 % of rows: warning", _backwards, "exchange_backwards", clocks=True
    ),
    Rule(
        "sparse",
        "fewer than 100 seconds of the day have rows: note, and gaps and coverage are not judged;"
        " 10 or more that lie within a tenth of the day: warning",
        _sparse,
        "-active_seconds",
        whole=True,
    ),
    Rule(
        "coverage",
        "under 99 % of the day covered: note; under 95 %: warning; under 50 %: bad",
        _coverage,
        "-covered_ns",
        whole=True,
    ),
    Rule("gaps", "a gap: warning; an hour in gaps: bad", _gaps, "gaps_ns", "gaps", whole=True),
    Rule(
        "missed",
        "a recorder missed rows that history did not give later: note; a minute: warning; an hour: bad",
        _missed,
        "missed_ns",
        whole=True,
    ),
    Rule(
        "lagged", "history filled gaps with rows whose local times are exchange time + a declared delay: note", _lagged, "lagged_ns",
        whole=True,
    ),
    Rule("bursts", "half of the trades have the local or the exchange time of the row before: note", _bursts, "same_time"),
    Rule(
        "thinned",
        "10,000 trades or more, times in whole ms or seconds, under 1 % repeat: warning, unless ids count them all",
        _thinned,
        "-same_time",
    ),
    Rule("duplicates", "a duplicate row: note; 0.1 % of rows: warning; 5 %: bad", _duplicates, "duplicate_rows"),
)  # fmt: skip
