"""The records that the kernels read and fill.

They stand in a kernel file because compiled code knows their fields by position: an edit here
has to compile it anew.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


class Tables(NamedTuple):
    """All tables are int64 and read-only.

    normal       4,096 quantiles of the normal distribution, 2^16 is one standard deviation
    gap          1,024 quantiles of the exponential distribution, 2^10 is its mean
    level        65 multipliers of volatility and activity by state, 2^8 is 1; their mean square is 1
    length       1,024 quantiles of the trades of a burst
    amount       1,024 quantiles of a heavy-tailed amount, 2^8 is its median
    lag_us       1,024 quantiles of local time less exchange time, microseconds
    jump_ppb     1,024 quantiles of a jump's size, 1e-9 of the price
    hours        25 shares of the day's activity up to each full hour UTC, 2^16 is all
    """

    normal: I64
    gap: I64
    level: I64
    length: I64
    amount: I64
    lag_us: I64
    jump_ppb: I64
    hours: I64


class DayPlan(NamedTuple):
    """Everything that the kernels need to know of one day; whole numbers only.

    start_us            first microsecond of the UTC day
    move_ppb            where the path without jumps and drift ends, 1e-9 of the open
    step_ppb, tick_ppb  one standard step of a burst; one tick
    gap                 mean time between bursts, 1/16 ms
    level_chance        chance per burst that the volatility state steps, of 2^24
    jump_at             int64[8], places of the jumps in the day's variance, of 2^16, increasing
    jump_ppb            int64[8], sizes; 0 is none
    drift_ppb           int64[9], sums of the drift up to each of those places
    popular_lots        int64[16], amounts that many trades have; the first are the commonest
    round_lots          int64[16], round amounts; the first are the commonest
    state               int64[4], of the random number generator; the kernels change it
    """

    rows: int
    start_us: int
    open_ticks: int
    move_ppb: int
    step_ppb: int
    tick_ppb: int
    gap: int
    level_chance: int
    first_id: int
    typical_lots: int
    jump_at: I64
    jump_ppb: I64
    drift_ppb: I64
    popular_lots: I64
    round_lots: I64
    state: I64


class Bursts(NamedTuple):
    """One entry per burst of trades that share an exchange millisecond; int64, room for every row.

    length   trades
    clock    sum of gaps before it, then its exchange time, ms since the day's start
    path     sum of steps up to it, 1e-9 of the open
    weight   sum of the steps' variances up to it
    side     1 buy, 2 sell
    """

    length: I64
    clock: I64
    path: I64
    weight: I64
    side: I64


class Rows(NamedTuple):
    """One entry per trade; int64, side uint8."""

    exchange_us: I64
    local_us: I64
    id: I64
    side: npt.NDArray[np.uint8]
    price_ticks: I64
    amount_lots: I64
