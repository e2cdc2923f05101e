"""The figures of one equity curve: return, risk and trading, with a reason where there is none."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tickreel.errors import UsageError
from tickreel.measure.conventions import DAYS_PER_YEAR, LEAST_DAYS_FOR_A_YEAR, Conventions
from tickreel.measure.trading import Trading
from tickreel.units import NS_PER_DAY, counted, format_time

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Figure = float | str
"""A number, or the reason why there is none."""

_NO_VARIANCE = 1e-14
"""Returns of float64 equity are known to about 2e-16, so a deviation below this is rounding."""
DAILY = Conventions()
IDLE = Trading()


@dataclass(frozen=True, slots=True)
class Performance:
    """Figures of one account or of a sum of accounts; None where `reasons` has the name.

    Returns, volatility, drawdowns, exposure and hit rate are fractions; drawdowns are 0 or above.
    equity, fees and average trade are in the settlement currency; turnover counts mean equities.
    periods                whole sampling periods that the risk figures rest on
    max_drawdown           at event resolution, from the engine
    max_drawdown_sampled   of the equity samples, the initial capital among them
    months                 "2024-01" -> return of that calendar month UTC, the parts at both ends too
    """

    periods: int
    initial_equity: float
    final_equity: float
    total_return: float | None
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    max_drawdown_sampled: float | None
    calmar: float | None
    turnover: float | None
    exposure: float | None
    hit_rate: float | None
    profit_factor: float | None
    average_trade: float | None
    buy_and_hold: float | None
    fees: float
    round_trips: int
    fills: int
    orders: int
    months: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def performance(
    times_ns: I64,
    equity: F64,
    drawdown: float | None = None,
    *,
    trading: Trading = IDLE,
    buy_and_hold: float | None = None,
    conventions: Conventions = DAILY,
) -> Performance:
    """Measure one equity curve.

    times_ns      int64[n], ns UTC, increasing; the first row is the initial capital
    equity        float64[n]
    drawdown      deepest at event resolution as the engine saw it; None if it was not measured
    buy_and_hold  last price / first price - 1 (`hold_return`); None if there was no price
    Periods lie between multiples of the interval since 1970 UTC; a boundary without a sample repeats the one
    before it. What is left before the first and after the last boundary counts for the returns of the whole
    and of months, not for volatility, Sharpe and Sortino.
    Raises UsageError if the arrays do not fit together.
    """
    _check(times_ns, equity)
    returns = _period_returns(times_ns, equity, conventions)
    enough = _enough(returns, conventions)
    sampled = _sampled_drawdown(equity)
    annual = _annual_return(times_ns, equity)
    figures: dict[str, Figure] = {
        "total_return": _total_return(equity),
        "annual_return": annual,
        "volatility": _volatility(enough, conventions),
        "sharpe": _sharpe(enough, conventions),
        "sortino": _sortino(enough, conventions),
        "max_drawdown": "not measured at event resolution" if drawdown is None else float(drawdown),
        "max_drawdown_sampled": sampled,
        "calmar": _calmar(annual, sampled if drawdown is None else float(drawdown)),
        "turnover": _turnover(equity, trading),
        "buy_and_hold": "no price" if buy_and_hold is None else float(buy_and_hold),
        **_trade_figures(trading),
    }
    months = _months(times_ns, equity)
    reasons = {name: figure for name, figure in figures.items() if isinstance(figure, str)}
    if None in months.values():
        reasons["months"] = "a month that begins with equity of 0 or below has no return"
    return Performance(
        periods=0 if isinstance(returns, str) else returns.periods,
        initial_equity=float(equity[0]),
        final_equity=float(equity[-1]),
        fees=trading.fees_nanos / 1e9,
        round_trips=trading.trips,
        fills=trading.fills,
        orders=trading.orders,
        months=months,
        reasons=reasons,
        **{name: None if isinstance(figure, str) else figure for name, figure in figures.items()},
    )


def hold_return(first_price: float, last_price: float) -> float | None:
    """Return last / first - 1; None if a price is missing (0 or not a number)."""
    if not (first_price > 0 and math.isfinite(last_price)):
        return None
    return last_price / first_price - 1


def _check(times_ns: I64, equity: F64) -> None:
    if len(times_ns) == 0:
        raise UsageError("equity: no sample; the first row is the initial capital")
    if len(times_ns) != len(equity):
        raise UsageError(f"equity: {len(equity)} values for {len(times_ns)} times")
    if len(times_ns) > 1 and not (np.diff(times_ns) > 0).all():
        row = int(np.flatnonzero(np.diff(times_ns) <= 0)[0]) + 1
        raise UsageError(f"equity: row {row}, {format_time(int(times_ns[row]))}, is not after the row above")
    if not np.isfinite(equity).all():
        row = int(np.flatnonzero(~np.isfinite(equity))[0])
        raise UsageError(f"equity: {equity[row]} at {format_time(int(times_ns[row]))} is not a finite number")


class _Returns(NamedTuple):
    """Simple returns of `periods` whole periods: `moved`, and 0 for every other one."""

    moved: F64
    periods: int

    def mean(self) -> float:
        return float(self.moved.sum()) / self.periods

    def deviation(self, ddof: int) -> float:
        mean = self.mean()
        squares = float(((self.moved - mean) ** 2).sum()) + (self.periods - len(self.moved)) * mean**2
        return math.sqrt(squares / (self.periods - ddof))

    def downside(self, target: float) -> float:
        """Root of the mean, over all periods, of min(return - target, 0)^2."""
        squares = float((np.minimum(self.moved - target, 0.0) ** 2).sum())
        return math.sqrt((squares + (self.periods - len(self.moved)) * min(-target, 0.0) ** 2) / self.periods)


def _period_returns(times_ns: I64, equity: F64, conventions: Conventions) -> _Returns | str:
    ruined = np.flatnonzero(equity <= 0)
    if len(ruined):
        return f"equity is {equity[ruined[0]]:.6g} at {format_time(int(times_ns[ruined[0]]))}"
    boundary = times_ns % conventions.interval_ns == 0
    samples, periods = equity[boundary], np.diff(times_ns[boundary]) // conventions.interval_ns
    return _Returns(samples[1:] / samples[:-1] - 1.0, int(periods.sum()))


def _enough(returns: _Returns | str, conventions: Conventions) -> _Returns | str:
    if isinstance(returns, str) or returns.periods >= conventions.min_samples:
        return returns
    return f"{counted(returns.periods, 'whole period')} of {conventions.interval}; {conventions.min_samples} are needed"


def _total_return(equity: F64) -> Figure:
    if equity[0] <= 0:
        return f"initial equity is {equity[0]:.6g}"
    return float(equity[-1] / equity[0] - 1.0)


def _annual_return(times_ns: I64, equity: F64) -> Figure:
    days = (int(times_ns[-1]) - int(times_ns[0])) / NS_PER_DAY
    if equity[0] <= 0:
        return f"initial equity is {equity[0]:.6g}"
    if equity[-1] <= 0:
        return f"final equity is {equity[-1]:.6g}"
    if days < LEAST_DAYS_FOR_A_YEAR:
        return f"{days:.3g} days; {LEAST_DAYS_FOR_A_YEAR} are needed"
    try:
        return math.pow(equity[-1] / equity[0], DAYS_PER_YEAR / days) - 1.0
    except OverflowError:
        return "too large to state"


def _volatility(returns: _Returns | str, conventions: Conventions) -> Figure:
    if isinstance(returns, str):
        return returns
    return returns.deviation(conventions.ddof) * math.sqrt(conventions.periods)


def _sharpe(returns: _Returns | str, conventions: Conventions) -> Figure:
    """(mean - risk-free) / standard deviation, times the root of the periods a year (Sharpe 1994)."""
    if isinstance(returns, str):
        return returns
    deviation = returns.deviation(conventions.ddof)
    if deviation < _NO_VARIANCE:
        return "equity returns do not vary"
    excess = returns.mean() - conventions.risk_free_per_period
    return excess / deviation * math.sqrt(conventions.periods)


def _sortino(returns: _Returns | str, conventions: Conventions) -> Figure:
    """As Sharpe, over the downside deviation against the risk-free rate of a period."""
    if isinstance(returns, str):
        return returns
    target = conventions.risk_free_per_period
    downside = returns.downside(target)
    if downside < _NO_VARIANCE:
        return "no period below the risk-free rate"
    return (returns.mean() - target) / downside * math.sqrt(conventions.periods)


def _sampled_drawdown(equity: F64) -> Figure:
    if equity[0] <= 0:
        return f"initial equity is {equity[0]:.6g}"
    return float((1.0 - equity / np.maximum.accumulate(equity)).max())


def _calmar(annual: Figure, drawdown: Figure) -> Figure:
    if isinstance(annual, str):
        return f"no annual return: {annual}"
    if isinstance(drawdown, str):
        return drawdown
    if drawdown <= 0:
        return "no drawdown"
    return annual / drawdown


def _turnover(equity: F64, trading: Trading) -> Figure:
    mean = float(equity.mean())
    if mean <= 0:
        return f"mean equity is {mean:.6g}"
    return trading.notional / mean


def _trade_figures(trading: Trading) -> dict[str, Figure]:
    none = "no round trip"
    trips = trading.trips
    total_ns = trading.total_ns
    losing = trading.gross_loss > 0
    return {
        "exposure": trading.in_position_ns / total_ns if total_ns else "no time was looked at",
        "hit_rate": trading.wins / trips if trips else none,
        "profit_factor": trading.gross_profit / trading.gross_loss if losing else "no losing round trip",
        "average_trade": (trading.gross_profit - trading.gross_loss) / trips if trips else none,
    }


def _months(times_ns: I64, equity: F64) -> dict[str, float | None]:
    """Return of every calendar month; a sample on a month's first instant ends the month before."""
    if len(times_ns) < 2:
        return {}
    month = (times_ns[1:] - 1).astype("M8[ns]").astype("M8[M]")
    last = np.flatnonzero(np.concatenate((month[1:] != month[:-1], np.ones(1, bool))))
    ends = equity[1:][last]
    bases = np.concatenate((equity[:1], ends[:-1]))
    return {
        str(name): float(end / base - 1.0) if base > 0 else None
        for name, end, base in zip(month[last], ends, bases, strict=True)
    }
