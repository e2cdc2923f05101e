"""The engine's memory: NumPy records that kernels carry from block to block, and what a run gives out."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MAX_ORDERS = 64
"""Orders that an account may have on the way or at the venue at one time."""

LIMBS = 12
"""Scratch words of exact products (money_kernel): five factors of 53 bits need 265 of 12 x 26."""

SENT, RESTING, CLOSED = 1, 2, 3
"""States of a live order: on its way, at the venue, closed there but not yet answered."""

MARKET, LIMIT = 0, 1
BUY, SELL = 1, -1

FAR = np.iinfo(np.int64).max
"""A time that never comes."""

ACCOUNT = np.dtype(
    [
        ("cash_nanos", "i8"),
        ("seen_cash_nanos", "i8"),
        ("fee_rate", "f8"),
        ("latency_ns", "i8"),
        ("allow_short", "i8"),
        ("status", "i8"),
        ("now_ns", "i8"),
        ("sent", "i8"),  # orders ever sent: the last order's id
        ("live", "i8"),  # orders in the first rows of the order table, in order of sending
        ("answers_first", "i8"),
        ("answers", "i8"),
        ("next_due_ns", "i8"),  # the earlier of the next answer and the next timer
        ("timer_ns", "i8"),
        ("next_timer_ns", "i8"),
        ("next_sample", "i8"),
        ("orders_out", "i8"),
        ("fills_out", "i8"),
        ("postings_out", "i8"),
        ("orders", "i8"),
        ("rejected", "i8"),
        ("fills", "i8"),
        ("fees_nanos", "i8"),
        ("notional", "f8"),
        ("equity", "f8"),
        ("peak", "f8"),
        ("trough", "f8"),
        ("deepest", "f8"),  # within the sampling interval
        ("max_drawdown", "f8"),
        ("in_position_ns", "i8"),
        ("in_position_since_ns", "i8"),
        ("trip_nanos", "i8"),
        ("trips", "i8"),
        ("wins", "i8"),
        ("gross_profit_nanos", "i8"),
        ("gross_loss_nanos", "i8"),
        ("started", "i8"),
    ],
    align=True,
)

INSTRUMENT = np.dtype(
    [
        ("multiplier", "f8"),  # money of one unit of quantity, for each 1 of price
        ("position", "f8"),
        ("seen_position", "f8"),
        ("price", "f8"),
        ("first_price", "f8"),
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        ("trades", "i8"),
    ],
    align=True,
)

ORDER = np.dtype(
    [
        ("order_id", "i8"),
        ("instrument", "i8"),
        ("state", "i8"),
        ("kind", "i8"),
        ("side", "i8"),
        ("quantity", "f8"),
        ("remaining", "f8"),
        ("limit_price", "f8"),
        ("sent_ns", "i8"),
        ("arrived_ns", "i8"),
        ("cancel_ns", "i8"),  # when a cancellation reaches the venue; FAR if none was sent
        ("fresh", "i8"),  # has not yet met a row
        ("closed_ns", "i8"),
        ("ended", "i8"),
        ("reason", "i8"),
    ],
    align=True,
)

ANSWER = np.dtype(
    [
        ("due_ns", "i8"),
        ("rank", "i8"),  # among those due at one time: 0 for what a row brought about, else the order's id
        ("venue_ns", "i8"),
        ("order_id", "i8"),
        ("closes", "i8"),
        ("side", "i8"),
        ("maker", "i8"),
        ("price", "f8"),
        ("quantity", "f8"),
        ("position", "f8"),
        ("cash_nanos", "i8"),
    ],
    align=True,
)

ORDER_OUT = np.dtype(
    [
        ("order_id", "i8"),
        ("sent_ns", "i8"),
        ("arrived_ns", "i8"),
        ("closed_ns", "i8"),
        ("answered_ns", "i8"),
        ("side", "u1"),
        ("kind", "u1"),
        ("state", "u1"),
        ("reason", "u1"),
        ("quantity", "f8"),
        ("limit_price", "f8"),
        ("filled", "f8"),
    ],
    align=True,
)
FILL_OUT = np.dtype(
    [
        ("order_id", "i8"),
        ("venue_ns", "i8"),
        ("side", "u1"),
        ("maker", "u1"),
        ("price", "f8"),
        ("quantity", "f8"),
        ("fee_nanos", "i8"),
        ("cash_nanos", "i8"),
        ("position", "f8"),
    ],
    align=True,
)
POSTING_OUT = np.dtype([("order_id", "i8"), ("venue_ns", "i8"), ("kind", "u1"), ("nanos", "i8")], align=True)
SAMPLE_OUT = np.dtype(
    [("time_ns", "i8"), ("equity", "f8"), ("drawdown", "f8"), ("position", "f8")], align=True
)

# Places in schema.ORDER_STATES and schema.REASONS.
FILLED, CANCELLED, REJECTED, EXPIRED = 2, 3, 4, 5
NO_REASON, NO_CASH, NO_SHORT, BAD_QUANTITY, BAD_PRICE, _, RUN_ENDED, BY_STRATEGY, SHORT_TOO_LARGE = range(9)
REFUSALS = (NO_CASH, NO_SHORT, BAD_QUANTITY, BAD_PRICE, SHORT_TOO_LARGE)
"""Reasons for which the venue refuses an order, or the rest of one."""

# What the kernel returns in account.status when it stops before the end of the rows.
GOING, NO_ROOM, TOO_MANY_ORDERS, MONEY_OVERFLOW, NO_BOOK_ROOM = range(5)


class World(NamedTuple):
    """All that a run of one account carries along; arrays are recarrays of the dtypes above."""

    account: np.ndarray
    instruments: np.ndarray
    orders: np.ndarray
    answers: np.ndarray
    orders_out: np.ndarray
    fills_out: np.ndarray
    postings_out: np.ndarray
    samples: np.ndarray
    limbs: np.ndarray


class Rows(NamedTuple):
    """Columns of some trades; one that nobody reads is any array of the same length and dtype.

    price, amount float64[n]; side uint8[n] as in schema.SIDES; exchange_ns, local_ns int64[n]
    """

    price: np.ndarray
    amount: np.ndarray
    side: np.ndarray
    exchange_ns: np.ndarray
    local_ns: np.ndarray


class LateTimes(NamedTuple):
    """Times of some rows that are not decoded yet: `Rows.local_ns` is empty instead.

    read     gives those of rows [start, stop), int64[n]
    last_ns  the last of all
    """

    read: Callable[[int, int], np.ndarray]
    last_ns: int


class Trade(NamedTuple):
    """What `on_trade` gets. A field that the strategy does not read is not decoded.

    side  +1 if the buyer took liquidity, -1 if the seller did, 0 if unknown
    """

    price: float
    amount: float
    side: int
    exchange_ns: int
    local_ns: int


class Fill(NamedTuple):
    """What `on_fill` gets. side +1 to buy, -1 to sell; venue_ns when; closed if the order is done.

    quantity and price are 0 for an order that ends without this fill: cancelled or rejected.
    """

    order_id: int
    side: int
    price: float
    quantity: float
    maker: bool
    closed: bool
    venue_ns: int


def zeros(dtype: np.dtype, count: int) -> np.ndarray:
    """Return records that both compiled and plain Python reach by attribute."""
    return np.zeros(count, dtype).view(np.recarray)
