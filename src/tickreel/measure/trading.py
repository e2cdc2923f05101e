"""What an account did, from its fills: round trips, fees and turnover as sums that can be added up."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tickreel.errors import UsageError
from tickreel.schema import SIDES

F64 = npt.NDArray[np.float64]
_BUY = SIDES.index("buy")
_DUST = 1e-9
"""A position below this share of the fill that left it is flat: 0.1 + 0.2 - 0.3 is 5.6e-17, not 0."""


@dataclass(frozen=True, slots=True)
class Trading:
    """Counts and sums of one account, or of several when added.

    notional                   sum of quantity x price of all fills
    trips, wins                round trips flat -> flat; those with a net result after fees above 0
    gross_profit, gross_loss   sums over the trips above and below 0, both positive
    in_position_ns, total_ns   time with a position, and the time looked at
    """

    orders: int = 0
    fills: int = 0
    notional: float = 0.0
    fees_nanos: int = 0
    trips: int = 0
    wins: int = 0
    gross_profit: float = 0.0
    gross_loss: float = 0.0
    in_position_ns: int = 0
    total_ns: int = 0

    @classmethod
    def total(cls, parts: Iterable["Trading"]) -> "Trading":
        """Return the sum of all parts, added in the order given."""
        sums: dict[str, Any] = {field.name: field.default for field in fields(cls)}
        for part in parts:
            for name in sums:
                sums[name] += getattr(part, name)
        return cls(**sums)


def trading_of(
    side: npt.NDArray[np.uint8],
    quantity: F64,
    price: F64,
    *,
    fee_nanos: npt.NDArray[np.int64],
    position: F64,
    orders: int = 0,
    in_position_ns: int = 0,
    total_ns: int = 0,
) -> Trading:
    """Sum up the fills of one account, which starts flat; the arrays are columns of `fills` in order.

    side       uint8[n], index into schema.SIDES
    position   float64[n], after the fill
    A fill that turns a long into a short, or back, ends one trip and begins the next; quantity and
    fee are shared in proportion. A trip still open at the end is not counted.
    """
    columns = {"quantity": quantity, "price": price, "fee_nanos": fee_nanos, "position": position}
    for name, column in columns.items():
        if len(column) != len(side):
            raise UsageError(f"fills: {name} has {len(column)} rows, side has {len(side)}")
    notional = quantity * price
    results = _trip_results(np.where(side == _BUY, -notional, notional) - fee_nanos / 1e9, quantity, position)
    wins, losses = results[results > 0], results[results < 0]
    return Trading(
        orders=orders,
        fills=len(side),
        notional=float(notional.sum()),
        fees_nanos=int(fee_nanos.sum()),
        trips=len(results),
        wins=len(wins),
        gross_profit=float(wins.sum()),
        gross_loss=float(np.abs(losses).sum()),
        in_position_ns=in_position_ns,
        total_ns=total_ns,
    )


def _trip_results(cash: F64, quantity: F64, position: F64) -> F64:
    """Return the net result of every closed round trip; `cash` is each fill's change of cash."""
    after = np.where(np.abs(position) <= _DUST * quantity, 0.0, position)
    before = np.concatenate((np.zeros(1), after[:-1]))[: len(after)]
    flips = before * after < 0
    closing = np.abs(before) / np.where(flips, np.abs(before) + np.abs(after), 1.0)
    # A flip becomes two rows: the part that closes (ending flat) and the part that opens.
    rows = np.repeat(np.arange(len(cash)), 1 + flips)
    first = np.concatenate((np.ones(1, bool), rows[1:] != rows[:-1]))[: len(rows)]
    share = np.where(flips[rows], np.where(first, closing[rows], 1.0 - closing[rows]), 1.0)
    ends = np.flatnonzero(np.where(flips[rows] & first, 0.0, after[rows]) == 0)
    if not len(ends):
        return np.empty(0)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    return np.add.reduceat((cash[rows] * share)[: ends[-1] + 1], starts)
