"""One side of a book: amounts by price in pages of 32 neighbouring ticks, found by hash, kept in order.

A key is a price in ticks for bids and minus that for asks, so the best level is always the greatest
key. Pages are made where levels are, however far apart, and an emptied one stays for the level that
comes back; `Book` in book.py drops the empty ones, or makes more room, when all are taken.
"""

from typing import NamedTuple

import numpy as np

from tickreel.jit import inlined, kernel

BITS = 5
PAGE = 1 << BITS
"""Levels of a page: its words are int64 and never negative."""
NONE = np.iinfo(np.int64).min
"""The best key of a side without levels."""

# Places in Ladder.state.
PAGES, LEVELS, BEST, FIRST = range(4)
STATE = 4

_MIX = 40_503


class Ladder(NamedTuple):
    """Pages by slot: `word` tells which levels of a page there are, `amount` how large they are.

    amount  float64[pages, PAGE]; word, number int64[pages]: the page's levels, key >> BITS
    order   int32[pages, a power of 2], a ring: slots by ascending number from place state[FIRST] on
    table   int32[4 pages]: slots by hash, or -1; state int64[STATE]
    """

    amount: np.ndarray
    word: np.ndarray
    number: np.ndarray
    order: np.ndarray
    table: np.ndarray
    state: np.ndarray


@inlined
def _entry(ladder, page):
    """Return where `page` is in the table, or the free entry where it belongs."""
    mask = ladder.table.shape[0] - 1
    entry = ((((page ^ (page >> 15)) & 0x7FFFFFFF) * _MIX) >> 7) & mask
    while ladder.table[entry] >= 0 and ladder.number[ladder.table[entry]] != page:
        entry = (entry + 1) & mask
    return entry


@inlined
def _at(ladder, place):
    """Return where in the ring the place from the lowest page on is."""
    return (ladder.state[FIRST] + place) & (ladder.order.shape[0] - 1)


@inlined
def _place(ladder, page):
    """Return how many pages have a lower number."""
    low, high = 0, ladder.state[PAGES]
    while low < high:
        middle = (low + high) >> 1
        if ladder.number[ladder.order[_at(ladder, middle)]] < page:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _add_page(ladder, page, entry):
    """Return the slot of a new, empty page; -1 if all are taken."""
    slot = ladder.state[PAGES]
    if slot == ladder.word.shape[0]:
        return -1
    place = _place(ladder, page)
    # The shorter side gives way: levels come best first or worst first, and either is at an end.
    if 2 * place < slot:
        ladder.state[FIRST] = _at(ladder, -1)
        for lower in range(place):
            ladder.order[_at(ladder, lower)] = ladder.order[_at(ladder, lower + 1)]
    else:
        for later in range(slot, place, -1):
            ladder.order[_at(ladder, later)] = ladder.order[_at(ladder, later - 1)]
    ladder.order[_at(ladder, place)] = slot
    ladder.table[entry] = slot
    ladder.number[slot] = page
    ladder.word[slot] = 0
    ladder.state[PAGES] = slot + 1
    return slot


@inlined
def highest_bit(word):
    """Return the place of the highest bit of 1 to 2^32 - 1."""
    place = 0
    for step in (16, 8, 4, 2, 1):
        if word >> step:
            word >>= step
            place += step
    return place


@inlined
def below(ladder, key):
    """Return the greatest key below `key` that has a level, or NONE."""
    page = key >> BITS
    slot = ladder.table[_entry(ladder, page)]
    if slot >= 0:
        word = ladder.word[slot] & ((1 << (key & (PAGE - 1))) - 1)
        if word:
            return (page << BITS) + highest_bit(word)
    place = _place(ladder, page) - 1
    while place >= 0:
        slot = ladder.order[_at(ladder, place)]
        if ladder.word[slot]:
            return (ladder.number[slot] << BITS) + highest_bit(ladder.word[slot])
        place -= 1
    return NONE


@inlined
def set_level(ladder, key, amount, keep_zero):
    """Give a level its amount, 0 removes it; False if there is no room for its page.

    keep_zero  a level of 0 is kept: what is known of a book whose beginning is not
    """
    page, bit = key >> BITS, key & (PAGE - 1)
    entry = _entry(ladder, page)
    slot = ladder.table[entry]
    if amount == 0.0 and not keep_zero:
        if slot >= 0 and (ladder.word[slot] >> bit) & 1:
            ladder.word[slot] ^= 1 << bit
            ladder.state[LEVELS] -= 1
            if key == ladder.state[BEST]:
                ladder.state[BEST] = below(ladder, key)
        return True
    if slot < 0:
        slot = _add_page(ladder, page, entry)
        if slot < 0:
            return False
    if not (ladder.word[slot] >> bit) & 1:
        ladder.word[slot] |= 1 << bit
        ladder.state[LEVELS] += 1
        if key > ladder.state[BEST]:
            ladder.state[BEST] = key
    ladder.amount[slot, bit] = amount
    return True


@inlined
def amount_at(ladder, key):
    """Return the amount of a level, 0 where there is none."""
    slot = ladder.table[_entry(ladder, key >> BITS)]
    bit = key & (PAGE - 1)
    if slot >= 0 and (ladder.word[slot] >> bit) & 1:
        return ladder.amount[slot, bit]
    return 0.0


@inlined
def clear(ladder):
    ladder.table[:] = -1
    ladder.state[PAGES] = 0
    ladder.state[LEVELS] = 0
    ladder.state[BEST] = NONE


@kernel
def read_levels(ladder, keys, amounts):
    """Write the levels from the best outwards into keys int64[n] and amounts float64[n]; return how many."""
    count, key = 0, ladder.state[BEST]
    while count < keys.shape[0] and key != NONE:
        keys[count] = key
        amounts[count] = amount_at(ladder, key)
        count += 1
        key = below(ladder, key)
    return count


@kernel
def write_levels(ladder, keys, amounts, keep_zero):
    """Set levels until there is no room; return how many were set."""
    for row in range(keys.shape[0]):
        if not set_level(ladder, keys[row], amounts[row], keep_zero):
            return row
    return keys.shape[0]
