"""The few facts of a sweep that every output opens with."""

from tickreel.measure import Performance
from tickreel.report.figures import number
from tickreel.report.summary import KeyFigure, tone
from tickreel.report.view import SweepView
from tickreel.units import counted


def set_of(view: SweepView, place: int) -> dict[str, float | int | bool]:
    """Return the parameters of a set: the last changes first."""
    found = {}
    for name, values in reversed(view["axes"].items()):
        place, at = divmod(place, len(values))
        found[name] = values[at]
    return {name: found[name] for name in view["axes"]}


def varied(view: SweepView) -> list[str]:
    """Return the parameters of more than one value."""
    return [name for name, values in view["axes"].items() if len(values) > 1]


def ranked(view: SweepView) -> list[int]:
    """Return the sets that have a return, highest first; of equal ones the earlier."""
    gains = [_gain(metrics) for metrics in view["metrics"]]
    return sorted((n for n, gain in enumerate(gains) if gain is not None), key=lambda n: -(gains[n] or 0.0))


def chance(view: SweepView) -> str:
    """Return what must be said beside the best of many."""
    sets = len(view["metrics"])
    if sets < 2:
        return ""
    return (
        f"The best of {sets:,} sets is chosen by chance too: among so many, some look good on any data, and"
        " its figures are better than what it will earn. Try it on days that had no part in the choice."
    )


def speed(view: SweepView) -> str:
    """Return "1.2 s, 383,333,333 trades x sets/s, 2 workers"."""
    played, seconds = view["trades"] * len(view["metrics"]), view["wall_seconds"]
    each = f", {number(played / seconds, 'count')} trades x sets/s" if seconds > 0 else ""
    return f"{seconds:,.3g} s{each}, {counted(view['workers'], 'worker')}"


def key_figures(view: SweepView) -> list[KeyFigure]:
    """Return the headline numbers, in reading order."""
    order, sets = ranked(view), len(view["metrics"])
    gains = [_gain(view["metrics"][place]) for place in order]
    best = view["metrics"][order[0]] if order else None
    middle = gains[len(gains) // 2] if gains else None
    above = sum(gain > 0 for gain in gains if gain is not None)
    failed = len(view["errors"])
    deepest = getattr(best, "max_drawdown", None)
    if deepest is None:
        deepest = getattr(best, "max_drawdown_sampled", None)
    hold = best.buy_and_hold if best else None
    return [
        KeyFigure("Sets", number(sets, "count"), f"tried on {counted(len(view['symbols']), 'symbol')}", ""),
        KeyFigure("Best return", number(_gain(best), "gain"), f"the highest of {sets:,}", tone(_gain(best))),
        KeyFigure("Median return", number(middle, "gain"), "of the sets", tone(middle)),
        KeyFigure("Sets above 0", number(above, "count"), f"of {len(gains):,} with a return", ""),
        KeyFigure("Buy & hold", number(hold, "gain"), "same capital, no fees", tone(hold)),
        KeyFigure(
            "Sharpe of the best", number(best.sharpe if best else None, "ratio"), _why(best, "sharpe"), ""
        ),
        KeyFigure("Drawdown of the best", number(deepest, "share"), "from its running maximum", ""),
        KeyFigure("Trades", number(view["trades"], "count"), f"x {sets:,} sets", ""),
        KeyFigure(
            "Errors", number(failed, "count"), "symbols, with some sets or all", "loss" if failed else ""
        ),
    ]


def _gain(metrics: Performance | None) -> float | None:
    return metrics.total_return if metrics else None


def _why(metrics: Performance | None, name: str) -> str:
    return metrics.reasons.get(name, "a year") if metrics else "no set was measured"
