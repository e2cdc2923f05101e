"""Kernels that count what is odd in rows that are kept."""

import numpy as np

from tickreel.jit import always_inlined, inlined, kernel

WINDOW = 65_536
"""Within how many rows a repeated id is found when ids are not rising."""
TABLE = 1 << 18
EXAMPLES = 3
_RUN = 1_024
"""Rows of which, most often, nothing is odd, which vectors tell."""

# Rows of counts and examples.
EXCHANGE_BACKWARDS, LOCAL_FIRST, ID_TWICE, ID_BACKWARDS, ID_MISSING, SIDE_UNKNOWN = range(6)
KINDS = 6

# Places in `state`.
_SEEN, _LAST_EXCHANGE, _LAST_ID, _LAST_NUMERIC, _IDS, _HASHING, _FILLED = range(7)
STATE = 7


@inlined
def _note(kind, row, counts, examples):
    if counts[kind] < EXAMPLES:
        examples[kind, counts[kind]] = row
    counts[kind] += 1


@inlined
def _key(letters, row):
    """Return (key, is a number) of an id: its value if it is a canonical number, else a hash."""
    width = letters.shape[1]
    value, length = 0, 0
    while length < min(width, 18) and 48 <= letters[row, length] <= 57:
        value = value * 10 + np.int64(letters[row, length]) - 48
        length += 1
    ended = length == width or letters[row, length] == 0
    if ended and (length == 1 or (length > 1 and letters[row, 0] != 48)):
        return value, True
    place, hashed = 0, 2_166_136_261
    while place < width and letters[row, place] != 0:
        hashed = ((hashed ^ np.int64(letters[row, place])) * 16_777_619) & 0x7FFFFFFFFFFF
        place += 1
    return -1 - hashed, False


@inlined
def _find(key, table_key, table_row):
    """Return the slot of `key`, or the free slot where it belongs (table_row < 0)."""
    mask = table_key.shape[0] - 1
    slot = ((((key ^ (key >> 31)) & 0xFFFFFFFF) * 40_503) >> 5) & mask
    while table_row[slot] >= 0 and table_key[slot] != key:
        slot = (slot + 1) & mask
    return slot


@inlined
def _refill(ids, ring, table_key, table_row):
    """Make the table hold exactly the last WINDOW ids."""
    table_row[:] = -1
    for number in range(max(0, ids - WINDOW), ids):
        slot = _find(ring[number % WINDOW], table_key, table_row)
        table_key[slot] = ring[number % WINDOW]
        table_row[slot] = number


@inlined
def _seen_before(key, state, ring, table_key, table_row):
    """Return whether `key` is among the last WINDOW ids, and remember it."""
    ids = state[_IDS]
    if state[_HASHING] == 0:
        state[_HASHING] = 1
        state[_FILLED] = ids
        _refill(ids, ring, table_key, table_row)
    elif ids - state[_FILLED] >= WINDOW:
        state[_FILLED] = ids
        _refill(ids, ring, table_key, table_row)
    slot = _find(key, table_key, table_row)
    found = table_row[slot] >= 0 and ids - table_row[slot] <= WINDOW
    table_key[slot] = key
    table_row[slot] = ids
    return found


@inlined
def _is_usual(exchange_ns, local_ns, numbers, side, state):
    """Return whether nothing is odd in some rows, and no id has to be looked up."""
    if state[_SEEN] and exchange_ns[0] < state[_LAST_EXCHANGE]:
        return False
    usual = True
    for row in range(1, exchange_ns.shape[0]):
        usual &= exchange_ns[row] >= exchange_ns[row - 1]
    for row in range(exchange_ns.shape[0]):
        usual &= local_ns[row] >= exchange_ns[row]
    for row in range(side.shape[0]):
        usual &= side[row] != 0
    if numbers.shape[0]:
        usual &= state[_HASHING] == 0
        usual &= state[_IDS] == 0 or (state[_LAST_NUMERIC] == 1 and numbers[0] > state[_LAST_ID])
    for row in range(1, numbers.shape[0]):
        usual &= numbers[row] > numbers[row - 1]
    return usual


@inlined
def _remember(exchange_ns, numbers, state, ring):
    """Take in rows of which nothing is odd."""
    state[_LAST_EXCHANGE] = exchange_ns[-1]
    state[_SEEN] = 1
    for row in range(numbers.shape[0]):
        ring[(state[_IDS] + row) % WINDOW] = numbers[row]
    if numbers.shape[0]:
        state[_IDS] += numbers.shape[0]
        state[_LAST_ID] = numbers[-1]
        state[_LAST_NUMERIC] = 1


@always_inlined
def _look_at(
    row, exchange, local, letters, numbers, side, state, ring, table_key, table_row, counts, examples
):
    """Add what is odd in one row."""
    if state[_SEEN] and exchange < state[_LAST_EXCHANGE]:
        _note(EXCHANGE_BACKWARDS, row, counts, examples)
    if local < exchange:
        _note(LOCAL_FIRST, row, counts, examples)
    state[_LAST_EXCHANGE] = exchange
    state[_SEEN] = 1
    if side.shape[0] and side[row] == 0:
        _note(SIDE_UNKNOWN, row, counts, examples)
    if numbers.shape[0]:
        key, numeric = numbers[row], True
    elif letters.shape[0] == 0:
        return
    elif letters[row, 0] == 0:
        _note(ID_MISSING, row, counts, examples)
        return
    else:
        key, numeric = _key(letters, row)
    first = state[_IDS] == 0
    rising = first or (numeric and state[_LAST_NUMERIC] == 1 and key > state[_LAST_ID])
    if not rising and numeric and state[_LAST_NUMERIC] == 1 and key < state[_LAST_ID]:
        _note(ID_BACKWARDS, row, counts, examples)
    judged = state[_HASHING] == 1 or not rising
    if judged and _seen_before(key, state, ring, table_key, table_row):
        _note(ID_TWICE, row, counts, examples)
    ring[state[_IDS] % WINDOW] = key
    state[_IDS] += 1
    state[_LAST_ID] = key
    state[_LAST_NUMERIC] = 1 if numeric else 0


@kernel
def inspect(
    exchange_ns, local_ns, letters, numbers, side, state, ring, table_key, table_row, counts, examples
):
    """Add what is odd in some rows of one symbol, in storage order, to `counts`.

    exchange_ns, local_ns  int64[n]
    letters  uint8[n, width] of the ids, or [0, 0] if `numbers`, int64[n], has them, or the type has none
    side     uint8[n] with 0 for unknown, or [0] if the type has none
    state    int64[STATE], zero before the symbol's first row; ring int64[WINDOW],
             table_key, table_row int64[TABLE]: carried from call to call
    counts   int64[KINDS]; examples int64[KINDS, EXAMPLES]: rows of this call, filled up to counts
    """
    for begin in range(0, local_ns.shape[0], _RUN):
        run = slice(begin, begin + _RUN)
        if letters.shape[0] == 0 and _is_usual(
            exchange_ns[run], local_ns[run], numbers[run], side[run], state
        ):
            _remember(exchange_ns[run], numbers[run], state, ring)
            continue
        for row in range(begin, min(begin + _RUN, local_ns.shape[0])):
            _look_at(
                row, exchange_ns[row], local_ns[row], letters, numbers, side, state, ring, table_key, table_row,
                counts, examples,
            )  # fmt: skip


@inlined
def _rises(name, time_ns, latest):
    """Return whether rows are of one name and none is before an earlier one of it."""
    rises = time_ns[0] >= latest[name[0]]
    for row in range(1, name.shape[0]):
        rises &= name[row] == name[0]
    for row in range(1, name.shape[0]):
        rises &= time_ns[row] >= time_ns[row - 1]
    return rises


@kernel
def late_rows(name, time_ns, latest, late):
    """Mark rows that are before an earlier row of their own name; return how many.

    name  int32[n]; time_ns int64[n]; late bool[n] is written
    latest  int64[names], the greatest time of each name so far, carried from call to call
    """
    count = 0
    for begin in range(0, time_ns.shape[0], _RUN):
        names, times, lates = name[begin:][:_RUN], time_ns[begin:][:_RUN], late[begin:][:_RUN]
        if _rises(names, times, latest):
            lates[:] = False
            latest[names[0]] = times[-1]
            continue
        for row in range(names.shape[0]):
            lates[row] = times[row] < latest[names[row]]
            if lates[row]:
                count += 1
            else:
                latest[names[row]] = times[row]
    return count
