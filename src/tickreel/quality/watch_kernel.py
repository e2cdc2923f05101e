"""Applies rows to an order book, and looks at it after every message."""

import numpy as np

from tickreel.books.book_kernel import (
    KNOWN,
    LAST_NS,
    NO_ROOM,
    NULL,
    OPEN,
    STATUS,
    WHOLE,
    apply,
)
from tickreel.books.ladder_kernel import BEST, NONE, amount_at
from tickreel.jit import inlined, kernel
from tickreel.quality.content_kernel import see_best
from tickreel.quality.times_kernel import PLACES, keep_place

WATCH = np.dtype(
    [("book_messages", "<i8"), ("removals_absent", "<i8"), ("removals_absent_at", "<i8", (PLACES,))]
)
_BID = 0


@inlined
def _see(book, best, watch):
    """Look at the book after the message at hand, if it is known."""
    if book.state[OPEN] and book.state[KNOWN] == WHOLE:
        bid, ask = book.bids.state[BEST], book.asks.state[BEST]
        whole = bid != NONE and ask != NONE
        see_best(best[0], book.state[LAST_NS], whole, -ask - bid if whole else 0)
        watch[0]["book_messages"] += 1


@inlined
def _is_absent(book, rows, factor, row):
    """Return whether a row removes a level that a known book has not."""
    if rows.amount[row] != 0 or rows.is_snapshot[row] or book.state[KNOWN] != WHOLE:
        return False
    if rows.price[row] == NULL:
        return False
    if rows.side[row] == _BID:
        return amount_at(book.bids, rows.price[row] * factor) == 0
    return amount_at(book.asks, -rows.price[row] * factor) == 0


@kernel
def watch_rows(book, rows, factor, start, stop, best, watch):
    """Apply rows as book_kernel.apply does, with its return; best BEST[1], watch WATCH[1] are added to."""
    for row in range(start, stop):
        if rows.local_ns[row] != book.state[LAST_NS]:
            _see(book, best, watch)
        absent = _is_absent(book, rows, factor, row)
        apply(book, rows, factor, row, row + 1)
        if book.state[STATUS] == NO_ROOM:
            return row
        if absent:
            keep_place(watch[0]["removals_absent_at"], watch[0]["removals_absent"], rows.local_ns[row])
            watch[0]["removals_absent"] += 1
    return stop


@kernel
def see_last(book, best, watch):
    """Look at the book after the last message."""
    _see(book, best, watch)
