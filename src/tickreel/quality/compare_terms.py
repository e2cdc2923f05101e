"""What the kernels of a comparison are given, and what they give back."""

from typing import NamedTuple

import numpy as np

from tickreel.quality.times_kernel import PLACES

NO_ID = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The id of a row that has none; those of the others are below it."""
NEVER_NS = 2**63 - 1
NEED_A, NEED_B, NO_ROOM_A, NO_ROOM_B, DONE = range(5)
"""What `match` stops for: more rows of a feed, more room for its waiting rows, or because all is done."""
TIME, PRICE, AMOUNT, SIDE, OTHER = 1, 2, 4, 8, 16
FIELDS = ("time", "price", "amount", "side", "fee")
"""What may differ, in the order of the bits."""

COUNTS = np.dtype(
    [
        ("rows_a", "<i8"),
        ("rows_b", "<i8"),
        ("matched", "<i8"),
        ("different", "<i8"),
        ("missing", "<i8"),
        ("extra", "<i8"),
        ("late", "<i8"),
        ("given_up", "<i8"),
        ("lagged", "<i8"),
        ("fields", "<i8", (len(FIELDS),)),
        ("lag_min_ns", "<i8"),
        ("lag_max_ns", "<i8"),
        ("missing_at", "<i8", (PLACES,)),
        ("extra_at", "<i8", (PLACES,)),
        ("different_at", "<i8", (PLACES, 2)),
        ("late_at", "<i8", (PLACES, 2)),
        ("head_a", "<i8"),
        ("head_b", "<i8"),
        ("lag_ns", "<i8"),
    ]
)
"""What is counted, the numbers of the first rows of each kind, the next row of each window, the lag of the last pair."""


class Window(NamedTuple):
    """Some rows of a feed, in its order.

    order_ns     int64[n], non-decreasing: the clock that both feeds share the window by
    own_ns       int64[n]: the clock that the feed's days follow
    exchange_ns  int64[n]; time_bits the same as uint64
    price, amount float64[n], no -0.0; price_bits, amount_bits the same as uint64
    rest         uint64[n]: the side in the lowest eight bits, above them a hash of all other content
    id           uint64[n]: a number, a hash, or NO_ID
    first        int64[1]: the number of the first row
    is_last      bool[1]: whether no row comes after these
    """

    order_ns: np.ndarray
    own_ns: np.ndarray
    exchange_ns: np.ndarray
    time_bits: np.ndarray
    price: np.ndarray
    price_bits: np.ndarray
    amount: np.ndarray
    amount_bits: np.ndarray
    rest: np.ndarray
    id: np.ndarray
    first: np.ndarray
    is_last: np.ndarray


class Terms(NamedTuple):
    """What is a match. Times in ns; `near` says whether a partner may differ in what has a tolerance.

    from_ns, to_ns  rows whose own time is in [from, to) are counted, others are but partners
    has_lag         whether both own clocks are local ones
    most            rows of a feed that wait at most; of more the oldest is given up
    """

    window_ns: int
    time_ns: int
    price: float
    amount: float
    near: bool
    late_ns: int
    from_ns: int
    to_ns: int
    has_lag: bool
    most: int
