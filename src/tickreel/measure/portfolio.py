"""Many accounts measured as one: their equity curves summed on one time axis."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tickreel.errors import UsageError
from tickreel.measure.conventions import Conventions
from tickreel.measure.performance import DAILY, Performance, performance
from tickreel.measure.trading import Trading

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


class Account(NamedTuple):
    """One account: its samples (the first is the initial capital), its deepest drawdown at event
    resolution, what it did, buy-and-hold beside it, and the range [begin, end) that its figures speak of."""

    times_ns: I64
    equity: F64
    drawdown: float | None
    trading: Trading
    buy_and_hold: float | None
    range_ns: tuple[int, int] | None = None


def within(times_ns: I64, equity: F64, range_ns: tuple[int, int] | None) -> tuple[I64, F64]:
    """Return a curve from `begin` to `end`, with the samples between; the range holds all that happened.

    So a curve says the same whatever else the grid of its samples has to cover. None: unchanged.
    """
    if range_ns is None:
        return times_ns, equity
    inside = (times_ns > range_ns[0]) & (times_ns < range_ns[1])
    return (
        np.concatenate(([range_ns[0]], times_ns[inside], [range_ns[1]])),
        np.concatenate((equity[:1], equity[inside], equity[-1:])),
    )


def add_curves(curves: Sequence[tuple[I64, F64]]) -> tuple[I64, F64]:
    """Sum equity curves on the union of their times, in the order given.

    A curve counts with its first value before it begins and with its last after it ends.
    """
    if not curves:
        raise UsageError("portfolio: no account to add up")
    times_ns = np.unique(np.concatenate([times for times, _ in curves]))
    total = np.zeros(len(times_ns))
    for times, equity in curves:
        at = np.searchsorted(times, times_ns, side="right") - 1
        total += equity[np.maximum(at, 0)]
    return times_ns, total


def drawdown_curve(equity: F64) -> F64:
    """Return, per sample, how far equity lies below its running maximum, as a fraction of that.

    A maximum of 0 or below has no fraction; those samples give 0.
    """
    peak = np.maximum.accumulate(equity)
    return np.where(peak > 0, 1.0 - equity / np.where(peak > 0, peak, 1.0), 0.0)


def portfolio_performance(
    accounts: Sequence[Account], conventions: Conventions = DAILY
) -> tuple[I64, F64, Performance]:
    """Return times, summed equity and figures of all accounts together.

    Buy-and-hold puts each account's capital into its own symbol; capital without a price stays cash.
    Drawdown at event resolution is known for a single account only: several are not marked
    together between samples. The figures speak of the time from the first range's begin to the last one's end.
    """
    times_ns, equity = add_curves([(account.times_ns, account.equity) for account in accounts])
    capital = float(equity[0])
    held = [float(a.equity[0]) * a.buy_and_hold for a in accounts if a.buy_and_hold is not None]
    total = 0.0
    for part in held:  # one after the other, as a sweep adds them: `sum` rounds in another way in Python 3.12
        total += part
    ranges = [account.range_ns for account in accounts if account.range_ns]
    whole = (min(one[0] for one in ranges), max(one[1] for one in ranges)) if ranges else None
    figures = performance(
        *within(times_ns, equity, whole),
        accounts[0].drawdown if len(accounts) == 1 else None,
        trading=Trading.total(account.trading for account in accounts),
        buy_and_hold=total / capital if held and capital > 0 else None,
        conventions=conventions,
    )
    return times_ns, equity, figures
