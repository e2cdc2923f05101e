"""A comparison of two feeds as one HTML file that opens offline and can load nothing."""

from string import Template
from typing import Any

from tickreel.report.compare_terminal import lag_text, range_text, row_text, trouble
from tickreel.report.compare_view import CompareView, StreamView
from tickreel.report.figures import NONE
from tickreel.report.page import asset, pairs, policy, script, script_data, text
from tickreel.report.words import percent, spoken_ns

MOST_DAYS = 5_000
"""Days that the page lists, the worst first."""
COLUMNS = ("rows_a", "rows_b", "matched", "missing", "extra", "different", "late")

MEANINGS = (
    ("Matched", "a row of A with its partner in B: the same id, or the same time, price, amount and side; equal"),
    ("Missing", "a row of A without a partner in B"),
    ("Extra", "a row of B without a partner in A"),
    ("Different", "a row of A whose partner has the same id, and another time, price, amount or side"),
    ("Late", "a row that reached B's recorder later than A's by more than the limit"),
    ("Lag", "local time of B - local time of A, over all partners"),
    ("Alone", "a day of which one feed holds nothing; its rows are in none of the other counts"),
)  # fmt: skip


def compare_html(view: CompareView, *, version: str, created: str) -> str:
    """Return the page. Write it as UTF-8."""
    style = asset("report.css") + asset("quality.css") + asset("compare.css")
    own = script("format.js", "compare.js")
    facts = {
        "A": view["a"],
        "B": view["b"],
        "Store": view["store"],
        "Time": f"{range_text(view)}, end excluded",
        "Created": f"{created} by tickreel {version}",
    }
    return Template(asset("compare.html")).substitute(
        policy=policy(styles=[style], scripts=[own]),
        style=style,
        script=own,
        data=script_data(_page_data(view)),
        title=text(f"{view['a']} and {view['b']}"),
        facts=pairs(facts.items()),
        tone="fine" if view["equal"] else "wrong",
        verdict=text(
            "Equal within the limits" if view["equal"] else "Not equal: " + "; ".join(view["exceeded"])
        ),
        tiles=_tiles(view),
        lag=text(lag_text(view["totals"])),
        asked=pairs(_asked(view)),
        meanings=pairs(MEANINGS),
        version=text(version),
    )


def _tiles(view: CompareView) -> str:
    totals: Any = view["totals"]
    alone = totals["days_a"] + totals["days_b"]
    tiles = [
        ("Days", totals["days"], "held by both", ""),
        ("Days alone", alone, f"{totals['days_a']:,} in A, {totals['days_b']:,} in B", "warning"),
        ("Matched", totals["matched"], _share(totals, "matched"), ""),
        ("Missing", totals["missing"], _share(totals, "missing"), "bad"),
        ("Extra", totals["extra"], _share(totals, "extra"), "bad"),
        ("Different", totals["different"], _fields(totals), "bad"),
        ("Late", totals["late"], _share(totals, "late"), "warning"),
        ("Given up", totals["given_up"], "too many waited for a partner", "warning"),
    ]
    return "".join(
        f'<div class="tile"><dt>{label}</dt><dd class="{tone if count else ""}">'
        f'{NONE if count is None else f"{count:,}"}</dd><dd class="note">{text(note)}</dd></div>'
        for label, count, note, tone in tiles
    )  # fmt: skip


def _share(totals: Any, name: str) -> str:
    whole, of = (totals["rows_b"], "B") if name == "extra" else (totals["rows_a"], "A")
    if totals[name] is None:
        return totals["lag_none"]
    return f"{percent(totals[name], whole)} of {whole:,} rows of {of}" if whole else f"no rows of {of}"


def _fields(totals: Any) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in totals["fields"].items() if count) or "same id"


def _asked(view: CompareView) -> list[tuple[str, str]]:
    rules = view["rules"]
    shown = [
        (name.removesuffix("_ns").replace("_", " ").capitalize(), spoken_ns(value) if isinstance(value, int) else value)
        for name, value in rules.items()
    ]  # fmt: skip
    return shown + [(f"Most {name}", most) for name, most in view["limits"].items()]


def _page_data(view: CompareView) -> dict[str, Any]:
    """Return what the page's script reads: lines of streams, of days that are not equal, and of examples."""
    days = sorted((day for day in view["days"] if trouble(day)), key=lambda day: -trouble(day))
    return {
        "columns": list(COLUMNS),
        "streams": [_line(stream) for stream in sorted(view["streams"], key=lambda stream: -trouble(stream))],
        "days": [[day["day"], *_line(day)] for day in days[:MOST_DAYS]],
        "days_left_out": max(len(days) - MOST_DAYS, 0),
        "examples": [
            [e["kind"], e["type"], e["symbol"], e["exchange"], e["day"],
             *("" if row is None else row_text(row) for row in (e.get("a"), e.get("b")))]
            for e in view["examples"]
        ],
    }  # fmt: skip


def _line(found: StreamView) -> list[Any]:
    """Return type, symbol, exchange, days of both, of A, of B, rows alone, the counts, lags as texts, what matched."""
    values: Any = found
    lags = [
        NONE if values[name] is None else spoken_ns(values[name]) for name in ("lag_p50_ns", "lag_p99_ns")
    ]
    days = [values[name] for name in ("days", "days_a", "days_b")] + [values["alone_a"] + values["alone_b"]]
    counts = [values[name] for name in COLUMNS]
    return [
        values["type"],
        values["symbol"],
        values["exchange"],
        days,
        counts,
        lags,
        ", ".join(values["matched_by"]),
    ]
