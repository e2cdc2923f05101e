"""Rows of one feed that wait for their partner in another, found by what they are or what they are near to."""

from typing import NamedTuple

import numpy as np

from tickreel.jit import inlined, kernel

NONE = -1
_HALF = np.uint64(32)

ROW = np.dtype(
    [
        ("order_ns", "<i8"),
        ("own_ns", "<i8"),
        ("exchange_ns", "<i8"),
        ("price", "<f8"),
        ("amount", "<f8"),
        ("rest", "<u8"),
        ("id", "<u8"),
        ("hash", "<u8"),
        ("near", "<u8"),
        ("number", "<i8"),
        ("older", "<i4"),
        ("younger", "<i4"),
        ("before", "<i4"),
        ("after", "<i4"),
        ("near_before", "<i4"),
        ("near_after", "<i4"),
        ("is_chained", "<i4"),
        ("is_near", "<i4"),
    ]
)
"""A waiting row: what it is, its number in its feed, and its neighbours in the three lists that it is in."""

FREE, OLDEST, YOUNGEST, COUNT, UNTRIED = range(5)
"""Places in `state`: the first free row, the ends of the list by age, how many wait, the oldest not yet tried."""


class Waiting(NamedTuple):
    """The waiting rows of one feed, none older than one that came after it.

    rows    ROW[n]; the free ones are a list by `younger`
    heads, tails            int32[m], m a power of two: the ends of the list of each place of `hash`
    near_heads, near_tails  the same of `near`
    state   int64[5]
    """

    rows: np.ndarray
    heads: np.ndarray
    tails: np.ndarray
    near_heads: np.ndarray
    near_tails: np.ndarray
    state: np.ndarray


def make_waiting(room: int) -> Waiting:
    """Return an empty one with room for that many rows, a power of two."""
    rows = np.zeros(room, ROW)
    rows["younger"] = [*range(1, room), NONE]
    lists = [np.full(2 * room, NONE, np.int32) for _ in range(4)]
    return Waiting(rows, *lists, np.array([0, NONE, NONE, 0, NONE], np.int64))


@inlined
def place_of(hashed, table):
    """Return the place of a hash in a table."""
    return np.int64(hashed >> _HALF) & (table.shape[0] - 1)


@inlined
def put(waiting, new, near):
    """Let the row `new`, ROW[1], wait; there must be room. near: whether it may be found by nearness."""
    state, rows = waiting.state, waiting.rows
    slot = state[FREE]
    state[FREE] = rows[slot]["younger"]
    rows[slot] = new[0]
    row = rows[slot]
    row["older"], row["younger"] = state[YOUNGEST], NONE
    if state[YOUNGEST] == NONE:
        state[OLDEST] = slot
    else:
        rows[state[YOUNGEST]]["younger"] = slot
    state[YOUNGEST] = slot
    state[COUNT] += 1
    place = place_of(row["hash"], waiting.heads)
    last = waiting.tails[place]
    row["before"], row["after"], row["is_chained"] = last, NONE, 1
    if last == NONE:
        waiting.heads[place] = slot
    else:
        rows[last]["after"] = slot
    waiting.tails[place] = slot
    row["is_near"] = near
    if near:
        place = place_of(row["near"], waiting.near_heads)
        last = waiting.near_tails[place]
        row["near_before"], row["near_after"] = last, NONE
        if last == NONE:
            waiting.near_heads[place] = slot
        else:
            rows[last]["near_after"] = slot
        waiting.near_tails[place] = slot
        if state[UNTRIED] == NONE:
            state[UNTRIED] = slot


@inlined
def unchain(waiting, slot):
    """Let a row be found by what it is no more."""
    rows, row = waiting.rows, waiting.rows[slot]
    if row["is_chained"] == 0:
        return
    row["is_chained"] = 0
    place = place_of(row["hash"], waiting.heads)
    before, after = row["before"], row["after"]
    if before == NONE:
        waiting.heads[place] = after
    else:
        rows[before]["after"] = after
    if after == NONE:
        waiting.tails[place] = before
    else:
        rows[after]["before"] = before


@inlined
def _unchain_near(waiting, slot):
    rows, row = waiting.rows, waiting.rows[slot]
    if row["is_near"] == 0:
        return
    place = place_of(row["near"], waiting.near_heads)
    before, after = row["near_before"], row["near_after"]
    if before == NONE:
        waiting.near_heads[place] = after
    else:
        rows[before]["near_after"] = after
    if after == NONE:
        waiting.near_tails[place] = before
    else:
        rows[after]["near_before"] = before


@inlined
def pass_untried(waiting):
    """Count the oldest row that is not yet tried as tried."""
    slot = waiting.state[UNTRIED]
    slot = waiting.rows[slot]["younger"]
    while slot != NONE and waiting.rows[slot]["is_near"] == 0:
        slot = waiting.rows[slot]["younger"]
    waiting.state[UNTRIED] = slot


@inlined
def take(waiting, slot):
    """Let a row wait no more."""
    state, rows, row = waiting.state, waiting.rows, waiting.rows[slot]
    if state[UNTRIED] == slot:
        pass_untried(waiting)
    unchain(waiting, slot)
    _unchain_near(waiting, slot)
    older, younger = row["older"], row["younger"]
    if older == NONE:
        state[OLDEST] = younger
    else:
        rows[older]["younger"] = younger
    if younger == NONE:
        state[YOUNGEST] = older
    else:
        rows[younger]["older"] = older
    row["younger"] = state[FREE]
    state[FREE] = slot
    state[COUNT] -= 1


@kernel
def move(waiting, wider, new):
    """Put all waiting rows into one with more room, which is empty. new: ROW[1], scratch."""
    slot = waiting.state[OLDEST]
    reached = False
    wider.state[UNTRIED] = NONE
    while slot != NONE:
        new[0] = waiting.rows[slot]
        chained, younger = new[0]["is_chained"], new[0]["younger"]
        reached = reached or slot == waiting.state[UNTRIED]
        put(wider, new, new[0]["is_near"])
        if chained == 0:
            unchain(wider, wider.state[YOUNGEST])
        if not reached:
            wider.state[UNTRIED] = NONE
        slot = younger
