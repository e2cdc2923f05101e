"""The few facts of a sweep that every output opens with."""

from collections.abc import Sequence
from statistics import median

from tickreel.measure import Performance
from tickreel.report.figures import number
from tickreel.report.summary import KeyFigure, tone
from tickreel.report.view import SweepView
from tickreel.units import counted


def varied(view: SweepView) -> list[str]:
    """Return the parameters of more than one value."""
    return [name for name, values in view["axes"].items() if len(values) > 1]


def ranking(metrics: Sequence[Performance | None], failed: Sequence[int]) -> list[int]:
    """Return the sets that have a return, best first: it is a sum over the symbols that ran.

    So of two sets with which not as many symbols failed, the one with fewer is better; else that with the
    higher return, else the earlier.
    """
    gains = [_gain(one) for one in metrics]
    found = (place for place, gain in enumerate(gains) if gain is not None)
    return sorted(found, key=lambda place: (failed[place], -(gains[place] or 0.0)))


def ranked(view: SweepView) -> list[int]:
    """Return the sets that have a return, best first."""
    return ranking(view["metrics"], view["failed"])


def cautions(view: SweepView) -> list[str]:
    """Return what must be said beside the best of many."""
    order = ranked(view)
    if not order:
        return []
    found = []
    if len(order) > 1:
        found.append(
            f"The best of {len(order):,} sets is chosen by chance too: among so many, some look good on any data,"
            " and its figures are better than what it will earn. Try it on days that had no part in the choice."
        )
    if lost := view["failed"][order[0]]:
        found.append(
            f"No set ran all {counted(len(view['symbols']), 'symbol')}: the best is one of those that ran most,"
            f" without the {lost:,} that failed with it."
        )
    elif behind := sum(map(bool, view["failed"])):
        found.append(
            f"{counted(behind, 'set')} did not run all symbols: the returns leave those out that failed, and"
            " such sets come last."
        )
    return found


def speed(view: SweepView) -> str:
    """Return "1.2 s, 383,333,333 trades x sets/s, 2 workers"."""
    seconds = view["wall_seconds"]
    each = f", {number(view['played'] / seconds, 'count')} trades x sets/s" if seconds > 0 else ""
    return f"{seconds:,.3g} s{each}, {counted(view['workers'], 'worker')}"


def key_figures(view: SweepView) -> list[KeyFigure]:
    """Return the headline numbers, in reading order."""
    order, sets = ranked(view), len(view["metrics"])
    # Of the others the returns are of fewer symbols.
    alike = [place for place in order if view["failed"][place] == view["failed"][order[0]]]
    gains = [gain for place in alike if (gain := _gain(view["metrics"][place])) is not None]
    best = view["metrics"][order[0]] if order else None
    middle = median(gains) if gains else None
    above = sum(gain > 0 for gain in gains)
    failed = len(view["errors"])
    hold = best.buy_and_hold if best else None
    whose = counted(len(gains), "set") + (" that ran all symbols" if any(view["failed"]) else "")
    if order and view["failed"][order[0]]:
        whose = f"{counted(len(gains), 'set')} that ran most symbols"
    none = "no set was measured"
    deepest, where = _drawdown(best)
    return [
        KeyFigure("Sets", number(sets, "count"), f"tried on {counted(len(view['symbols']), 'symbol')}", ""),
        KeyFigure("Best return", number(_gain(best), "gain"), f"of {whose}" if order else none, tone(_gain(best))),
        KeyFigure("Median return", number(middle, "gain"), f"of {whose}" if order else none, tone(middle)),
        KeyFigure("Sets above 0", number(above, "count"), f"of {whose}" if order else none, ""),
        KeyFigure("Buy & hold", number(hold, "gain"), "same capital, no fees" if best else none, tone(hold)),
        KeyFigure(
            "Sharpe of the best", number(best.sharpe if best else None, "ratio"), _why(best, "sharpe"), ""
        ),
        KeyFigure("Drawdown of the best", number(deepest, "share"), where if best else none, ""),
        KeyFigure("Trades", number(view["trades"], "count"), _played(view), ""),
        KeyFigure(
            "Errors", number(failed, "count"),
            f"of {counted(len(view['symbols']), 'symbol')}, with some sets or all", "loss" if failed else "",
        ),
    ]  # fmt: skip


def _drawdown(metrics: Performance | None) -> tuple[float | None, str]:
    if metrics is None or metrics.max_drawdown is None:
        return getattr(metrics, "max_drawdown_sampled", None), "on the equity samples"
    return metrics.max_drawdown, "on every event"


def _played(view: SweepView) -> str:
    whole = f"x {counted(len(view['metrics']), 'set')}"
    return whole if view["played"] == view["trades"] * len(view["metrics"]) else f"{whole}, less what failed"


def _gain(metrics: Performance | None) -> float | None:
    return metrics.total_return if metrics else None


def _why(metrics: Performance | None, name: str) -> str:
    return metrics.reasons.get(name, "a year") if metrics else "no set was measured"
