"""The data of a page as one JSON text that can stand inside a script element."""

from dataclasses import asdict
from typing import Any

from tickreel.measure import Performance
from tickreel.report.charts import portfolio_curve, symbol_curves
from tickreel.report.figures import FIGURES, rounded
from tickreel.report.page import script_data
from tickreel.report.view import Coverage, RunView
from tickreel.units import NS_PER_DAY, day_of, day_start, format_time


def payload(view: RunView) -> str:
    """Return the data as JSON for a script element."""
    return script_data(page_data(view))


def page_data(view: RunView) -> dict[str, Any]:
    """Return the data as plain dicts and lists, columns rather than rows."""
    rows, portfolio = view["symbols"], view["portfolio"]
    measured = [row["metrics"] for row in rows] + [portfolio["metrics"]]
    months = sorted({month for metrics in measured if metrics for month in metrics.months})
    empty = [_empty_months(row["coverage"], view) for row in rows]
    texts: dict[str, int] = {}
    first_day = view["from_ns"] // NS_PER_DAY
    return {
        "figures": [asdict(figure) for figure in FIGURES],
        "months": months,
        "days": {"first": first_day, "count": max(-(-view["to_ns"] // NS_PER_DAY) - first_day, 1)},
        "portfolio": {
            "curve": portfolio_curve(view),
            "figures": _figures(portfolio["metrics"], view["trades"]),
            "reasons": _reasons(portfolio["metrics"], texts),
            "months": _months(portfolio["metrics"], months, set.intersection(*empty) if empty else set()),
        },
        "symbols": {
            "exchange": [row["exchange"] for row in rows],
            "symbol": [row["symbol"] for row in rows],
            "failed": [int(row["error"] is not None) for row in rows],
            "figures": [_figures(row["metrics"], row["trades"]) for row in rows],
            "reasons": [_reasons(row["metrics"], texts) for row in rows],
            "months": [_months(row["metrics"], months, none) for row, none in zip(rows, empty, strict=True)],
            "coverage": [_coverage(row["coverage"], first_day) for row in rows],
            "curve": symbol_curves(view),
        },
        "reasons": list(texts),
    }


def _figures(metrics: Performance | None, trades: int) -> list[float | int | None]:
    """Return the figures in the order of FIGURES."""
    return [
        trades if figure.name == "trades" else rounded(getattr(metrics, figure.name, None))
        for figure in FIGURES
    ]


def _reasons(metrics: Performance | None, texts: dict[str, int]) -> dict[str, int]:
    """Return figure name -> number of its reason's text; each text is kept once."""
    reasons = metrics.reasons if metrics else {}
    return {name: texts.setdefault(text, len(texts)) for name, text in reasons.items()}


def _months(metrics: Performance | None, months: list[str], empty: set[str]) -> list[float | int | None]:
    found = metrics.months if metrics else {}
    return [None if month in empty else rounded(found.get(month)) for month in months]


def _empty_months(coverage: Coverage | None, view: RunView) -> set[str]:
    """Return the months of the range without any data: their return of 0 says nothing."""
    if coverage is None or not coverage["missing_days"]:
        return set()
    missing = set(coverage["missing_days"])
    first, last = view["from_ns"] // NS_PER_DAY, (view["to_ns"] - 1) // NS_PER_DAY
    days = [day_of(day * NS_PER_DAY) for day in range(first, last + 1)]
    return {day[:7] for day in missing} - {day[:7] for day in days if day not in missing}


def _coverage(coverage: Coverage | None, first_day: int) -> dict[str, Any] | None:
    """Return the missing days as runs [offset from the first day, length]."""
    if coverage is None:
        return None
    book_days = coverage["missing_book_days"]
    return {
        "asked": coverage["days_asked"],
        "found": coverage["days_with_data"],
        "first": _time(coverage["first_ns"]),
        "last": _time(coverage["last_ns"]),
        "missing": _runs(coverage["missing_days"], first_day),
        "missing_book": None if book_days is None else _runs(book_days, first_day),
    }


def _runs(days: list[str], first_day: int) -> list[list[int]]:
    runs: list[list[int]] = []
    for day in sorted(days):
        offset = day_start(day) // NS_PER_DAY - first_day
        if runs and offset == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([offset, 1])
    return runs


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else format_time(time_ns)[:19]
