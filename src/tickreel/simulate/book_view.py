"""What `on_book` gets: the order book after a message, in plain Python; context_kernel teaches numba the same."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from tickreel.books.ladder_kernel import BEST, LEVELS, NONE, amount_at, below

_EXACT = 2**53


NO_LEVEL = "book.{} takes a whole number, not a {}"


def _of_levels(method: Callable[[Any, int], float]) -> Callable[[Any, int], float]:
    """Refuse what is no whole number; machine code, which would cut it to one, is refused by its types."""

    @wraps(method)
    def checked(self: Any, count: int) -> float:
        if isinstance(count, bool) or not isinstance(count, int | np.integer):
            raise TypeError(NO_LEVEL.format(method.__name__, type(count).__name__))
        return method(self, count)

    return checked


class BookView:
    """An order book's best levels. Level 0 is the best; prices are NaN and amounts 0 where there is none.

    bids, asks  books.ladder_kernel.Ladder; prices count 10^-scale, power is 10.0**scale
    """

    __slots__ = ("asks", "bids", "power")

    def __init__(self, bids: Any, asks: Any, power: float) -> None:
        self.bids = bids
        self.asks = asks
        self.power = power

    @property
    def bid(self) -> float:
        """The best bid."""
        return price_of(self.bids.state[BEST], 1, self.power)

    @property
    def ask(self) -> float:
        """The best ask."""
        return price_of(self.asks.state[BEST], -1, self.power)

    @property
    def bid_amount(self) -> float:
        """Size at the best bid."""
        return amount_of(self.bids, self.bids.state[BEST])

    @property
    def ask_amount(self) -> float:
        """Size at the best ask."""
        return amount_of(self.asks, self.asks.state[BEST])

    @property
    def mid(self) -> float:
        """Halfway between best bid and best ask."""
        return (
            price_of(self.bids.state[BEST], 1, self.power) + price_of(self.asks.state[BEST], -1, self.power)
        ) / 2.0

    @property
    def spread(self) -> float:
        """Best ask less best bid; below 0 in a crossed book."""
        return price_of(self.asks.state[BEST], -1, self.power) - price_of(
            self.bids.state[BEST], 1, self.power
        )

    @property
    def bid_levels(self) -> int:
        """How many levels there are on the bid side."""
        return self.bids.state[LEVELS]

    @property
    def ask_levels(self) -> int:
        """How many levels there are on the ask side."""
        return self.asks.state[LEVELS]

    @_of_levels
    def bid_price_at(self, level: int) -> float:
        """Price of a bid level."""
        return price_of(key_at(self.bids, level), 1, self.power)

    @_of_levels
    def ask_price_at(self, level: int) -> float:
        """Price of an ask level."""
        return price_of(key_at(self.asks, level), -1, self.power)

    @_of_levels
    def bid_amount_at(self, level: int) -> float:
        """Size of a bid level."""
        return amount_of(self.bids, key_at(self.bids, level))

    @_of_levels
    def ask_amount_at(self, level: int) -> float:
        """Size of an ask level."""
        return amount_of(self.asks, key_at(self.asks, level))

    @_of_levels
    def bid_depth(self, levels: int) -> float:
        """Sum of the sizes of the best so many bid levels, best first."""
        return depth_of(self.bids, levels)

    @_of_levels
    def ask_depth(self, levels: int) -> float:
        """Sum of the sizes of the best so many ask levels, best first."""
        return depth_of(self.asks, levels)


def price_of(key: Any, sign: int, power: float) -> float:
    """Return the float64 nearest to the level's price."""
    if key == NONE:
        return math.nan
    ticks = key * sign
    # Beyond 53 bits zeros at the end are dropped, so that one division still rounds once.
    while power > 1.0 and (ticks >= _EXACT or ticks <= -_EXACT) and ticks % 10 == 0:
        ticks //= 10
        power /= 10.0
    return ticks / power


def amount_of(ladder: Any, key: Any) -> float:
    if key == NONE:
        return 0.0
    return amount_at(ladder, key)


def key_at(ladder: Any, level: int) -> Any:
    key = ladder.state[BEST]
    for _ in range(level):
        if key == NONE:
            break
        key = below(ladder, key)
    return NONE if level < 0 else key


def depth_of(ladder: Any, levels: int) -> float:
    total = 0.0
    key = ladder.state[BEST]
    for _ in range(levels):
        if key == NONE:
            break
        total += amount_at(ladder, key)
        key = below(ladder, key)
    return total
