"""Curves for the page: few enough points, short numbers, no spike lost."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tickreel.measure import keep_extremes
from tickreel.report.figures import rounded
from tickreel.report.summary import ranked, row_return
from tickreel.report.view import RunView
from tickreel.units import NS_PER_MS

PORTFOLIO_POINTS = 4_000
SYMBOL_POINTS = 200
ALL_CURVES_UP_TO = 500
BEST_AND_WORST = 100
"""With more symbols than ALL_CURVES_UP_TO only so many of the best and of the worst keep a curve."""

_DRAWDOWN_DIGITS = 6


Curve = dict[str, Any]


def curve(
    times_ns: npt.NDArray[np.int64],
    equity: npt.NDArray[np.float64],
    drawdown: npt.NDArray[np.float64],
    points: int,
) -> Curve | None:
    """Return one curve as plain lists of at most `points` rows; None if there is no sample.

    start, step  ms since the epoch, ms; the time of row i is start + at[i] * step
    at           left out where it would be 0, 1, 2 ...
    base         the first equity; change[i] is equity - base, both in full: their sum is shown to the cent
    drawdown     fraction, with six significant digits
    """
    if not len(times_ns):
        return None
    kept = _kept(times_ns, equity, drawdown, points)
    at = (times_ns[kept] - times_ns[0]) // NS_PER_MS
    step = max(int(np.gcd.reduce(at)), 1)
    at //= step
    found: Curve = {
        "start": int(times_ns[0]) // NS_PER_MS,
        "step": step,
        "base": rounded(float(equity[0])),
        "change": [rounded(value) for value in (equity[kept] - equity[0]).tolist()],
        "drawdown": [rounded(value, _DRAWDOWN_DIGITS) for value in drawdown[kept].tolist()],
    }
    if (at != np.arange(len(at))).any():
        found["at"] = at.tolist()
    return found


def _kept(
    times_ns: npt.NDArray[np.int64],
    equity: npt.NDArray[np.float64],
    drawdown: npt.NDArray[np.float64],
    points: int,
) -> npt.NDArray[np.int64]:
    if len(times_ns) <= points:
        return np.arange(len(times_ns), dtype=np.int64)
    half = points // 2
    return np.union1d(keep_extremes(times_ns, equity, half), keep_extremes(times_ns, drawdown, half))


def portfolio_curve(view: RunView) -> Curve | None:
    """Return the curve of all accounts together."""
    whole = view["portfolio"]
    return curve(whole["times_ns"], whole["equity"], whole["drawdown"], PORTFOLIO_POINTS)


def symbol_curves(view: RunView) -> list[Curve | None]:
    """Return a curve per symbol, in the order of the view; None for those that get none."""
    rows = view["symbols"]
    chosen = set(range(len(rows)))
    if len(rows) > ALL_CURVES_UP_TO:
        order = {id(row): number for number, row in enumerate(rows)}
        best = [order[id(row)] for row in ranked(view) if row_return(row) is not None]
        chosen = set(best[:BEST_AND_WORST] + best[-BEST_AND_WORST:])
    return [
        curve(row["times_ns"], row["equity"], row["drawdown"], SYMBOL_POINTS) if number in chosen else None
        for number, row in enumerate(rows)
    ]


def curves_note(view: RunView) -> str:
    """Return what a reader must know about left-out curves; empty if none is."""
    count = len(view["symbols"])
    if count <= ALL_CURVES_UP_TO:
        return ""
    return (
        f"Of {count:,} symbols the {BEST_AND_WORST} best and the {BEST_AND_WORST} worst by return keep "
        "their curves in this file; the table has all of them."
    )
