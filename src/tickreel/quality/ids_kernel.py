"""Kernels over ids: which are missing, late, or there twice."""

import numpy as np

from tickreel.jit import inlined, kernel
from tickreel.quality.times_kernel import PLACES, keep_place

MOST_MISSING = 1 << 62
LATE = 1_024
"""An id that steps back by no more may be one that comes late; one that steps back further begins anew."""
OPEN = 16
"""Holes, the latest ones, that an id may still fill."""
NO_ID = -1

IDS = np.dtype(
    [
        ("ids_empty", "<i8"),
        ("ids_text", "<i8"),
        ("ids_repeated", "<i8"),
        ("ids_backwards", "<i8"),
        ("ids_late", "<i8"),
        ("ids_empty_at", "<i8", (PLACES,)),
        ("ids_text_at", "<i8", (PLACES,)),
        ("ids_repeated_at", "<i8", (PLACES,)),
        ("ids_backwards_at", "<i8", (PLACES,)),
        ("ids_late_at", "<i8", (PLACES,)),
        ("id_holes", "<i8"),
        ("ids_missing", "<i8"),
        ("id_hole_max", "<i8"),
        ("numbers", "<i8"),
        ("prefix", "<i8"),
        ("first_id", "<i8"),
        ("highest_id", "<i8"),
        ("id_before", "<i8"),
        ("left_id", "<i8"),
        ("restarts", "<i8"),
        ("open", "<i8"),
    ]
)
"""left_id: the highest id before ids last stepped far away, or NO_ID; open: rows of `open_holes` in use."""


@inlined
def _read(letters, row):
    """Return (number, prefix) of an id: up to 18 digits without a leading zero after what is no digit; or NO_ID."""
    value, prefix, digits = np.int64(0), np.int64(0), 0
    for place in range(letters.shape[1]):
        letter = np.int64(letters[row, place])
        if letter == 0:
            break
        if 48 <= letter <= 57:
            if digits == 18 or (digits == 1 and value == 0):
                return np.int64(NO_ID), prefix
            value = value * 10 + letter - 48
            digits += 1
        elif digits:
            return np.int64(NO_ID), prefix
        else:
            prefix = (prefix * 257 + letter) & 0x7FFFFFFFFFFF
    return (value if digits else np.int64(NO_ID)), prefix


@inlined
def _settle(s, low, high, local, holes):
    """Count a hole that nothing fills any more."""
    if s["id_holes"] < PLACES:
        holes[s["id_holes"], 0] = local
        holes[s["id_holes"], 1] = low - 1
        holes[s["id_holes"], 2] = high - low + 1
    s["id_holes"] += 1
    s["ids_missing"] = min(s["ids_missing"] + high - low + 1, MOST_MISSING)
    s["id_hole_max"] = max(s["id_hole_max"], high - low + 1)


@inlined
def _drop(s, place, open_holes):
    s["open"] -= 1
    for at in range(place, s["open"]):
        for column in range(3):
            open_holes[at, column] = open_holes[at + 1, column]


@inlined
def _insert(s, place, low, high, local, open_holes, holes):
    """Open a hole before that at `place`; the oldest is settled if there is no room."""
    if s["open"] == OPEN:
        if place == 0:
            _settle(s, low, high, local, holes)
            return
        _settle(s, open_holes[0, 0], open_holes[0, 1], open_holes[0, 2], holes)
        _drop(s, 0, open_holes)
        place -= 1
    for at in range(s["open"], place, -1):
        for column in range(3):
            open_holes[at, column] = open_holes[at - 1, column]
    open_holes[place, 0] = low
    open_holes[place, 1] = high
    open_holes[place, 2] = local
    s["open"] += 1


@inlined
def _fill(s, number, open_holes, holes):
    """Take a number out of the hole that it lies in; return whether there is one."""
    for place in range(s["open"] - 1, -1, -1):
        low, high = open_holes[place, 0], open_holes[place, 1]
        if low <= number <= high:
            if low == high:
                _drop(s, place, open_holes)
            elif number == low:
                open_holes[place, 0] = number + 1
            else:
                open_holes[place, 1] = number - 1
                if number < high:
                    _insert(s, place + 1, number + 1, high, open_holes[place, 2], open_holes, holes)
            return True
    return False


@inlined
def _begin_anew(s, number, open_holes):
    """Go on from an id far below; a hole that leapt over it was none from there on."""
    newest = s["open"] - 1
    if newest >= 0 and open_holes[newest, 0] <= number <= open_holes[newest, 1]:
        open_holes[newest, 1] = number - 1
        if open_holes[newest, 0] == number:
            _drop(s, newest, open_holes)
    s["left_id"] = s["highest_id"]
    s["highest_id"] = number
    s["restarts"] += 1


@inlined
def _step(s, number, local, open_holes, holes):
    """Take a number that is not that of the row before."""
    if s["left_id"] >= 0 and abs(number - s["left_id"]) <= LATE < abs(number - s["highest_id"]):
        # One wrong id in between, or two sequences in turns: each goes on where it was left.
        s["left_id"], s["highest_id"] = s["highest_id"], s["left_id"]
    step = number - s["highest_id"]
    if step > 0:
        if step > 1:
            _insert(s, s["open"], s["highest_id"] + 1, number - 1, local, open_holes, holes)
        s["highest_id"] = number
    elif step < -LATE:
        keep_place(s["ids_backwards_at"], s["ids_backwards"], local)
        s["ids_backwards"] += 1
        _begin_anew(s, number, open_holes)
    elif number < s["first_id"] and s["restarts"] == 0:
        keep_place(s["ids_late_at"], s["ids_late"], local)
        s["ids_late"] += 1
        if number < s["first_id"] - 1:
            _insert(s, 0, number + 1, s["first_id"] - 1, local, open_holes, holes)
        s["first_id"] = number
    elif _fill(s, number, open_holes, holes):
        keep_place(s["ids_late_at"], s["ids_late"], local)
        s["ids_late"] += 1
    else:
        keep_place(s["ids_backwards_at"], s["ids_backwards"], local)
        s["ids_backwards"] += 1


@kernel
def look_at_ids(letters, local_ns, state, open_holes, holes):
    """Add the ids of some rows.

    letters     uint8[n, width], zero after the end of an id; state IDS[1]
    open_holes  int64[OPEN, 3]: (lowest id, highest id, local ns of the row after), oldest first
    holes       int64[PLACES, 3]: (local ns, id before, ids missing) of those that are settled
    """
    s = state[0]
    for row in range(letters.shape[0]):
        local = local_ns[row]
        if letters.shape[1] == 0 or letters[row, 0] == 0:
            keep_place(s["ids_empty_at"], s["ids_empty"], local)
            s["ids_empty"] += 1
            continue
        number, prefix = _read(letters, row)
        if number < 0 or (s["numbers"] > 0 and prefix != s["prefix"]):
            keep_place(s["ids_text_at"], s["ids_text"], local)
            s["ids_text"] += 1
            continue
        if s["numbers"] == 0:
            s["prefix"] = prefix
            s["first_id"] = s["highest_id"] = number
            s["left_id"] = NO_ID
        elif number == s["id_before"]:
            keep_place(s["ids_repeated_at"], s["ids_repeated"], local)
            s["ids_repeated"] += 1
        else:
            _step(s, number, local, open_holes, holes)
        s["numbers"] += 1
        s["id_before"] = number


@kernel
def close_ids(state, open_holes, holes):
    """Settle the holes that are still open: no row comes any more."""
    s = state[0]
    for place in range(s["open"]):
        _settle(s, open_holes[place, 0], open_holes[place, 1], open_holes[place, 2], holes)
    s["open"] = 0
