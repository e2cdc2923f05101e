"""Book: two ladders with room that grows, and prices that share one scale."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tickreel.books import book_kernel as k
from tickreel.books import ladder_kernel as ladders
from tickreel.books.book_kernel import BookRows, BookState
from tickreel.books.ladder_kernel import Ladder
from tickreel.codecs.decimals import from_integers
from tickreel.errors import InputError

_PAGES = 512
_TOUCHED = 1_024
MOST_TICKS = 2**62
"""What prices stay below in size: keys of both signs, and what is added to them, fit an int64."""


class Levels(NamedTuple):
    """Levels of one side from the best outwards: price, amount float64[n]."""

    price: np.ndarray
    amount: np.ndarray


class Book:
    """A book that rows are applied to.

    uncross  at the end of a message, drop the older side's levels where bid and ask meet or cross
             (rule 6); else they are kept
    A price is an integer count of 10^-scale; `scale` grows with the rows' own.
    """

    def __init__(self, *, uncross: bool = False, scale: int = 0) -> None:
        self.scale = scale
        self.state = BookState(
            make_ladder(_PAGES), make_ladder(_PAGES),
            np.zeros(k.STATE, np.int64), np.empty(_TOUCHED, np.int64),
        )  # fmt: skip
        self.state.state[k.POLICY] = k.UNCROSS if uncross else k.KEEP

    @property
    def is_known(self) -> bool:
        """Whether a snapshot was met: before it there is no book."""
        return self.state.state[k.KNOWN] == k.WHOLE

    @property
    def is_uncrossing(self) -> bool:
        return bool(self.state.state[k.POLICY] == k.UNCROSS)

    @property
    def last_ns(self) -> int:
        """Local time of the last row applied."""
        return int(self.state.state[k.LAST_NS])

    @property
    def snapshot_ns(self) -> int:
        """Local time of the last snapshot."""
        return int(self.state.state[k.SNAPSHOT_NS])

    def apply(self, rows: BookRows, scale: int, start: int, stop: int) -> None:
        """Apply rows[start:stop], whose prices are integers x 10^-scale. A message may go on in the next call.

        Raises InputError if the prices need more than 62 bits on one scale.
        """
        self.apply_with(k.apply, rows, scale, start, stop)

    def apply_with(
        self, kernel: Callable[..., int], rows: BookRows, scale: int, start: int, stop: int
    ) -> None:
        """Apply rows by a kernel called as book_kernel.apply is, which may look at the book in between."""
        if scale > self.scale:
            self._rescale(scale)
        factor = _factor(_farthest(rows.price[start:stop]), scale, self.scale)
        row = start
        while True:
            row = kernel(self.state, rows, factor, row, stop)
            if self.state.state[k.STATUS] != k.NO_ROOM:
                return
            self.make_room()

    def close(self) -> None:
        """End the message at hand: what is seen from here on is the book after it."""
        k.close(self.state)

    def forget(self) -> None:
        """Know nothing until the next snapshot: rows are missing."""
        for ladder in (self.state.bids, self.state.asks):
            clear(ladder)
        self.state.state[[k.KNOWN, k.OPEN, k.LAST_SNAPSHOT]] = 0

    def bids(self, depth: int | None = None) -> Levels:
        """Return the best `depth` bids (None: all), highest first."""
        return self._levels(self.state.bids, depth, 1)

    def asks(self, depth: int | None = None) -> Levels:
        """Return the best `depth` asks (None: all), lowest first."""
        return self._levels(self.state.asks, depth, -1)

    def dump(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (prices int64[n], amounts) of all bids, then of all asks, best first."""
        for ladder, sign in ((self.state.bids, 1), (self.state.asks, -1)):
            keys, amounts = read_levels(ladder, int(ladder.state[ladders.LEVELS]))
            yield sign * keys, amounts

    def put(self, side: int, prices: np.ndarray, amounts: np.ndarray, scale: int) -> None:
        """Set levels of a side (a place in schema.BOOK_SIDES); an amount of 0 removes one."""
        if scale > self.scale:
            self._rescale(scale)
        keys = (1, -1)[side] * prices * _factor(_farthest(prices), scale, self.scale)
        keep_zero = bool(self.state.state[k.KNOWN] == k.OVERLAY)
        done = 0
        while done < len(keys):
            ladder = (self.state.bids, self.state.asks)[side]
            done += ladders.write_levels(ladder, keys[done:], amounts[done:], keep_zero)
            if done < len(keys):
                self.make_room()

    def _levels(self, ladder: Ladder, depth: int | None, sign: int) -> Levels:
        there = int(ladder.state[ladders.LEVELS])
        keys, amounts = read_levels(ladder, there if depth is None else min(depth, there))
        return Levels(from_integers(sign * keys, self.scale).to_floats(), amounts)

    def make_room(self) -> None:
        """After the kernel said NO_ROOM: drop empty pages, or double the room where few are empty."""
        state = self.state
        touched = state.touched
        if state.state[k.TOUCHED] == len(touched):
            touched = np.concatenate([touched, np.empty_like(touched)])
        self.state = BookState(roomier(state.bids), roomier(state.asks), state.state, touched)
        state.state[k.STATUS] = k.GOING

    def _rescale(self, scale: int) -> None:
        sides = [_levels_of(ladder) for ladder in (self.state.bids, self.state.asks)]
        factors = [_factor(_farthest(keys), self.scale, scale) for keys, _ in sides]
        bids, asks = (
            _holding(len(ladder.word), keys * factor, amounts)
            for ladder, (keys, amounts), factor in zip(self.state[:2], sides, factors, strict=True)
        )
        self.state = self.state._replace(bids=bids, asks=asks)
        self._rescale_touched(scale)
        self.scale = scale

    def _rescale_touched(self, scale: int) -> None:
        """Bring the asks of the message at hand to a finer scale; those too far for it are in no ladder any more."""
        state, touched = self.state.state, self.state.touched
        keys = touched[: state[k.TOUCHED]]
        keys = keys[np.abs(keys) <= (MOST_TICKS - 1) // 10 ** (scale - self.scale)]
        touched[: len(keys)] = keys * _factor(_farthest(keys), self.scale, scale)
        state[k.TOUCHED] = len(keys)


def make_ladder(pages: int) -> Ladder:
    """Return an empty ladder with room for so many pages, a power of two."""
    ladder = Ladder(
        np.zeros((pages, ladders.PAGE)),
        np.zeros(pages, np.int64),
        np.zeros(pages, np.int64),
        np.zeros(pages, np.int32),
        np.empty(4 * pages, np.int32),
        np.zeros(ladders.STATE, np.int64),
    )
    clear(ladder)
    return ladder


def clear(ladder: Ladder) -> None:
    """Remove all levels."""
    ladder.table[:] = -1
    ladder.state[:] = 0
    ladder.state[ladders.BEST] = ladders.NONE


def read_levels(ladder: Ladder, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (keys int64[n], amounts float64[n]) of the best `count` levels; all of them are there."""
    keys, amounts = np.empty(count, np.int64), np.empty(count)
    found = ladders.read_levels(ladder, keys, amounts)
    return keys[:found], amounts[:found]


def roomier(ladder: Ladder) -> Ladder:
    """Return the ladder itself if it has free pages, else one with the same levels and room."""
    used = int(ladder.state[ladders.PAGES])
    return ladder if used < len(ladder.word) else _holding(used, *_levels_of(ladder))


def _levels_of(ladder: Ladder) -> tuple[np.ndarray, np.ndarray]:
    return read_levels(ladder, int(ladder.state[ladders.LEVELS]))


def _holding(pages: int, keys: np.ndarray, amounts: np.ndarray) -> Ladder:
    """Return a ladder of some levels, best first, with so many pages or as many as leave half of them free."""
    while 2 * len(np.unique(keys >> ladders.BITS)) > pages:
        pages *= 2
    made = make_ladder(pages)
    # From the lowest up: each new page goes to the end.
    ladders.write_levels(made, keys[::-1].copy(), amounts[::-1].copy(), True)
    return made


def _farthest(prices: np.ndarray) -> int:
    """Return the greatest distance of a price from 0."""
    low, high = int(prices.min(initial=0)), int(prices.max(initial=0))
    if low == k.NULL:
        low = int(prices[prices != k.NULL].min(initial=0))
    return max(high, -low)


def _factor(most: int, scale: int, finer: int) -> int:
    """Return what brings prices of up to `most` from one scale to a finer one; it fits 62 bits as they do.

    Raises InputError if they do not.
    """
    if most == 0:
        return 1
    factor: int = 10 ** (finer - scale)
    if most * factor >= MOST_TICKS:
        raise InputError(
            f"a price of {most * factor} x 10^-{finer} is beyond 62 bits: prices of one symbol's book lie too far"
            " apart, in size and in digits, for one ladder; look at the rows with tickreel show"
        )
    return factor
