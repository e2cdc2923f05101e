"""A run as a small HTML fragment for `_repr_html_`: the equity curve and two tables, without script."""

from collections.abc import Iterable

import numpy as np

from tickreel.measure import keep_extremes
from tickreel.report.figures import FORMATS, number
from tickreel.report.page import text
from tickreel.report.summary import assumed_clock, failed, key_figures, ranked, row_return, time_range
from tickreel.report.view import PortfolioView, RunView
from tickreel.units import format_time

_ROWS = 10
_POINTS = 400
_WIDTH, _HEIGHT = 720, 180
_COLUMNS = {
    "total_return": "Return",
    "buy_and_hold": "Buy & hold",
    "sharpe": "Sharpe",
    "max_drawdown": "Max drawdown",
}
# A notebook's own styles come from its sheet, which an attribute overrules; colours are those of the text,
# so that light and dark both read.
_TABLE = (
    "color:inherit;border-collapse:collapse;margin:8px 0;font-size:13px;font-variant-numeric:tabular-nums"
)
_CELL = "padding:3px 12px 3px 0;border:0;border-bottom:1px solid rgba(128,128,128,.35);background:none;color:inherit;"
_SOFT = "opacity:.75;font-size:12px"
_TONES = {"gain": "color:#2e9e5b;", "loss": "color:#d9534f;", "": ""}


def summary_html(view: RunView) -> str:
    """Return the curve, the headline figures and the best symbols; all names are escaped."""
    source = f"<p><strong>Source: {text(view['source'])}</strong></p>" if view["source"] else ""
    clock = f"<p>Clock: {text(assumed_clock(view))}</p>" if assumed_clock(view) else ""
    failures = ", ".join(f"{row['symbol']} ({row['exchange']})" for row in failed(view)[:_ROWS])
    return (
        f'<div style="max-width:{_WIDTH}px"><p><strong>{text(view["strategy"])}</strong>, {text(time_range(view))}</p>'
        + source
        + clock
        + _curve(view["portfolio"])
        + _figures(view)
        + _best(view)
        + (f"<p>Failed: {text(failures)}</p>" if failures else "")
        + "</div>"
    )


def _curve(portfolio: PortfolioView) -> str:
    """Return the equity of all accounts as SVG with its range beside it; "" if there are no two samples."""
    times, equity = portfolio["times_ns"], portfolio["equity"]
    if len(times) < 2:
        return ""
    kept = keep_extremes(times, equity, _POINTS) if len(times) > _POINTS else np.arange(len(times))
    low, high = float(equity.min()), float(equity.max())
    across = (times[kept] - times[0]) / float(times[-1] - times[0]) * _WIDTH
    # A curve without height lies in the middle.
    share = (equity[kept] - low) / (high - low) if high > low else np.full(len(kept), 0.5)
    down = 4 + (1.0 - share) * (_HEIGHT - 8)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across.tolist(), down.tolist(), strict=True))
    ends = [format_time(int(ns)).removesuffix("T00:00:00Z") for ns in (times[0], times[-1])]
    label = f"Equity from {number(float(equity[0]), 'money')} to {number(float(equity[-1]), 'money')}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" preserveAspectRatio="none"'
        f' style="display:block;width:100%;height:{_HEIGHT}px;border-bottom:1px solid rgba(128,128,128,.5)">'
        f'<polyline points="{points}" fill="none" stroke="#3b82d0" stroke-width="1.6"'
        ' vector-effect="non-scaling-stroke"/></svg>'
        f'<div style="display:flex;justify-content:space-between;{_SOFT}"><span>{ends[0]}</span><span>{label}, lowest'
        f" {number(low, 'money')}, highest {number(high, 'money')}</span><span>{ends[1]}</span></div>"
    )


def _figures(view: RunView) -> str:
    rows = "".join(
        f"<tr>{_cell('th', figure.label, 'text-align:left;font-weight:normal;')}"
        f"{_cell('td', figure.value, 'text-align:right;font-weight:bold;' + _TONES[figure.tone])}"
        f"{_cell('td', figure.note, 'text-align:left;' + _SOFT)}</tr>"
        for figure in key_figures(view)
    )
    return f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>'


def _best(view: RunView) -> str:
    best = [row for row in ranked(view) if row_return(row) is not None][:_ROWS]
    body = "".join(
        _row("td", [f"{row['symbol']} ({row['exchange']})"]
             + [number(getattr(row["metrics"], name), FORMATS[name]) for name in _COLUMNS])
        for row in best
    )  # fmt: skip
    head = _row("th", ["Symbol", *_COLUMNS.values()])
    return f'<table style="{_TABLE}"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _row(tag: str, cells: Iterable[str]) -> str:
    first, *others = cells
    numbers = "".join(_cell(tag, cell, "text-align:right;") for cell in others)
    return f"<tr>{_cell(tag, first, 'text-align:left;')}{numbers}</tr>"


def _cell(tag: str, value: str, style: str) -> str:
    return f'<{tag} style="{_CELL}{style}">{text(value)}</{tag}>'
