"""Rows of incremental_book_L2 to a book, by the rules of docs/BOOKS.md."""

from typing import NamedTuple

import numpy as np

from tickreel.books.ladder_kernel import BEST, LEVELS, NONE, Ladder, clear, set_level
from tickreel.jit import inlined, kernel

# What is known of the book.
UNKNOWN, OVERLAY, WHOLE = 0, 1, 2
"""OVERLAY: the changes since an unknown beginning, levels of 0 among them."""

# What becomes of crossed and locked levels.
KEEP, UNCROSS = 0, 1

# What the kernel returns in state[STATUS].
GOING, NO_ROOM = 0, 1

# Places in Book.state.
KNOWN, POLICY, STATUS, OPEN, LAST_NS, LAST_SNAPSHOT, SNAPSHOT_NS, TOUCHED = range(8)
SNAPSHOTS, SKIPPED, IGNORED, UNCROSSED = range(8, 12)
STATE = 12

NULL = np.iinfo(np.int64).min
_BID = 0


class BookState(NamedTuple):
    """Both ladders, the state int64[STATE], and the ask keys of the message at hand int64[n]."""

    bids: Ladder
    asks: Ladder
    state: np.ndarray
    touched: np.ndarray


class BookRows(NamedTuple):
    """Columns of some rows: local_ns, price int64[n] (price x 10^k, NULL if empty), amount float64[n],
    is_snapshot, side uint8[n] as in schema.FLAGS and BOOK_SIDES. Without local times local_ns has those of the exchange.
    """

    local_ns: np.ndarray
    is_snapshot: np.ndarray
    side: np.ndarray
    price: np.ndarray
    amount: np.ndarray


@inlined
def is_crossed_or_locked(book):
    """Return whether the best bid is at or above the best ask."""
    bid, ask = book.bids.state[BEST], book.asks.state[BEST]
    return bid != NONE and ask != NONE and bid >= -ask


@inlined
def close_message(book):
    """End the message at hand: from here on the book may be looked at (rule 4)."""
    state = book.state
    if state[OPEN] and state[POLICY] == UNCROSS and state[KNOWN] == WHOLE and is_crossed_or_locked(book):
        _uncross(book)
    state[OPEN] = 0


@inlined
def _uncross(book):
    """Drop the older side's best levels: the bids if the message has the best ask, else the asks (rule 6)."""
    best, newer = book.asks.state[BEST], False
    for place in range(book.state[TOUCHED]):
        newer = newer or book.touched[place] == best
    while is_crossed_or_locked(book):
        if newer:
            set_level(book.bids, book.bids.state[BEST], 0.0, False)
        else:
            set_level(book.asks, book.asks.state[BEST], 0.0, False)
        book.state[UNCROSSED] += 1


@inlined
def begin_row(book, now, snapshot):
    """Take note of a row's time and kind; a snapshot that begins drops the whole book (rules 1, 2, 5)."""
    state = book.state
    if now != state[LAST_NS] or not state[OPEN]:
        close_message(book)
        state[LAST_NS] = now
        state[OPEN] = 1
        state[TOUCHED] = 0
    if snapshot and not (state[LAST_SNAPSHOT] and state[SNAPSHOT_NS] == now):
        clear(book.bids)
        clear(book.asks)
        state[KNOWN] = WHOLE
        state[SNAPSHOT_NS] = now
        state[SNAPSHOTS] += 1
        state[TOUCHED] = 0
    state[LAST_SNAPSHOT] = snapshot


@kernel
def apply(book, rows, factor, start, stop):
    """Apply rows[start:stop]; return the row that comes next, which is `stop` unless room is wanting.

    book    BookState; rows BookRows
    factor  what brings the rows' prices to the book's ticks
    A message may go on in the next call. With state[STATUS] == NO_ROOM the row returned is to be
    applied again when the ladders, or `touched`, have been enlarged.
    """
    state = book.state
    for row in range(start, stop):
        begin_row(book, rows.local_ns[row], np.int64(rows.is_snapshot[row]))
        price, amount = rows.price[row], rows.amount[row]
        if state[KNOWN] == UNKNOWN:
            state[SKIPPED] += 1
            continue
        if price == NULL or amount != amount:
            state[IGNORED] += 1
            continue
        keep_zero = state[KNOWN] == OVERLAY
        if rows.side[row] == _BID:
            done = set_level(book.bids, price * factor, amount, keep_zero)
        else:
            key = -price * factor
            done = set_level(book.asks, key, amount, keep_zero)
            if done and state[POLICY] == UNCROSS:
                if state[TOUCHED] == book.touched.shape[0]:
                    done = False
                else:
                    book.touched[state[TOUCHED]] = key
                    state[TOUCHED] += 1
        if not done:
            state[STATUS] = NO_ROOM
            return row
    return stop


@kernel
def close(book):
    """End the message at hand, as the next row of a later time would."""
    close_message(book)


@kernel
def levels(book):
    """Return (bids, asks): how many levels there are."""
    return book.bids.state[LEVELS], book.asks.state[LEVELS]
