"""Numbers from arrays: what a run earned, risked and did, each with the convention behind it.

Pure: no files, no clock, no network. The contract:

    performance            one account: its equity curve and its trading -> Performance
    portfolio_performance  many accounts -> their summed curve and its Performance
    within                 a curve cut to the range of time that its figures speak of
    trading_of             fills -> counts and sums that can be added up (Trading)
    Conventions            sampling interval, periods a year, risk-free rate; says itself as text
    keep_extremes          which points of a long series to draw so that no spike is lost

A number that is not defined is None, with the reason beside it; it is never NaN and never 0.
"""

from tickreel.measure.conventions import Conventions
from tickreel.measure.downsample import downsample, keep_extremes
from tickreel.measure.performance import Performance, hold_return, performance
from tickreel.measure.portfolio import Account, add_curves, drawdown_curve, portfolio_performance, within
from tickreel.measure.trading import Trading, trading_of

__all__ = [
    "Account",
    "Conventions",
    "Performance",
    "Trading",
    "add_curves",
    "downsample",
    "drawdown_curve",
    "hold_return",
    "keep_extremes",
    "performance",
    "portfolio_performance",
    "trading_of",
    "within",
]
