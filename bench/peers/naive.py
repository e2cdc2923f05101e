"""The loop that everybody writes first: momentum over a NumPy record array, in plain Python.

It knows nothing of tickreel; that its fills are tickreel's is what the comparison shows.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from bench.trades import Trades

RECORD = np.dtype(
    [
        ("symbol", "<u4"),
        ("timestamp", "<i8"),
        ("local_timestamp", "<i8"),
        ("side", "i1"),
        ("price", "<f8"),
        ("amount", "<f8"),
    ]
)
"""37 bytes a trade, times in ns."""


class Fill(NamedTuple):
    """side 1 buy, 2 sell; money in 1e-9."""

    venue_ns: int
    side: int
    price: float
    quantity: float
    fee_nanos: int
    cash_nanos: int
    position: float


class Outcome(NamedTuple):
    fills: list[Fill]
    equity: float
    max_drawdown: float


def records(trades: Trades) -> np.ndarray:
    columns = trades.columns()
    found = np.zeros(len(trades), RECORD)
    found["timestamp"], found["local_timestamp"] = columns["exchange_ns"], columns["local_ns"]
    for name in ("side", "price", "amount"):
        found[name] = columns[name]
    return found


def momentum(rows: np.ndarray, threshold: float, fraction: float, capital: float, fee: float) -> Outcome:
    """Buy after a rise by more than `threshold` from trade to trade, sell after such a fall.

    An order fills whole at the first trade of a later local time; equity and drawdown are taken
    at every trade; money is rounded to 1e-9 once, half to even.
    """
    cash, position, last = round(Fraction(capital) * 10**9), 0.0, 0.0
    sent_ns, side, quantity = -1, 0, 0.0
    equity = peak = capital
    drawdown = 0.0
    fills: list[Fill] = []
    for row in rows:
        now, price = int(row["local_timestamp"]), float(row["price"])
        if sent_ns >= 0 and now > sent_ns:
            value = round(Fraction(quantity) * Fraction(price) * 10**9)
            cost = round(Fraction(quantity) * Fraction(price) * Fraction(fee) * 10**9)
            left = cash - side * value - cost
            if side < 0 or left >= 0:
                cash, position = left, position + side * quantity
                fills.append(Fill(now, 1 if side > 0 else 2, price, quantity, cost, cash, position))
            sent_ns = -1
        equity = cash / 1e9 + position * price
        peak = max(peak, equity)
        drawdown = max(drawdown, (peak - equity) / peak)
        if last and sent_ns < 0:
            if position == 0.0 and price > last * (1 + threshold):
                sent_ns, side, quantity = now, 1, fraction * equity / price
            elif position > 0.0 and price < last * (1 - threshold):
                sent_ns, side, quantity = now, -1, position
        last = price
    return Outcome(fills, equity, drawdown)
