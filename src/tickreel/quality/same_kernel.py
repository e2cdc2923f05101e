"""Kernels that find rows equal to an earlier row of the same time: column after column, by a hash of each row."""

import numpy as np

from tickreel.jit import inlined, kernel

_FREE = -1
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_FIRST, _SECOND = np.uint64(0x9E3779B1), np.uint64(0x85EBCA77)
_THIRD, _FOURTH = np.uint64(0xC2B2AE3D), np.uint64(0x27D4EB2F)
_FIFTEEN, _THIRTEEN = np.uint64(15), np.uint64(13)


@inlined
def mixed(hashed, word):
    """Return a hash of a hash and a word; different words give different hashes.

    In halves, whose products fit 64 bits: plain Python, too, multiplies without overflow.
    """
    low = ((hashed & _LOW ^ word & _LOW) * _FIRST) & _LOW
    high = ((hashed >> _HALF ^ word >> _HALF) * _SECOND) & _LOW
    low ^= high >> _FIFTEEN
    high ^= low >> _THIRTEEN
    return ((high * _THIRD) & _LOW) << _HALF | (low * _FOURTH) & _LOW


@kernel
def begin_runs(local_ns, begins, before, most, hashes, alive):
    """Begin the hash of every row with its run, rows of one symbol and time; return how many are looked at.

    local_ns  int64[n]; begins bool[n]: rows that begin a symbol, the first is taken to
    before    rows of the first run that came before these
    hashes    uint64[n], out; alive bool[n], out: rows that are not alone, of the first `most` of their run
    """
    count, start = 0, 0
    place = before
    for row in range(local_ns.shape[0]):
        again = row > 0 and not begins[row] and local_ns[row] == local_ns[row - 1]
        if row > 0 and not again:
            start, place = row, 0
        hashes[row] = mixed(np.uint64(0), np.uint64(start))
        alive[row] = again and place < most
        count += alive[row]
        if alive[row] and not alive[row - 1] and place == 1:
            alive[row - 1] = True
            count += 1
        place += 1
    return count


@kernel
def mix_column(words, alive, hashes):
    """Add one column to the hashes of the rows that are looked at. words uint64[n, width]: its bits."""
    for row in range(words.shape[0]):
        if alive[row]:
            for place in range(words.shape[1]):
                hashes[row] = mixed(hashes[row], words[row, place])


@inlined
def _slot(hashed, hashes, table):
    """Return the place of the row with that hash in the table, or the free one where it belongs."""
    mask = table.shape[0] - 1
    place = np.int64(hashed >> _HALF) & mask
    while table[place] != _FREE and hashes[table[place]] != hashed:
        place = (place + 1) & mask
    return place


@kernel
def keep_equal(hashes, alive, again, table):
    """Leave those rows alive that have the hash of another; return how many they are.

    again  bool[n], out: the hash is that of a row before
    table  int32[m], m a power of two above twice the rows that are alive
    """
    table[:] = _FREE
    count = 0
    for row in range(hashes.shape[0]):
        again[row] = False
        if alive[row]:
            place = _slot(hashes[row], hashes, table)
            if table[place] == _FREE:
                table[place] = row
                alive[row] = False
            else:
                again[row] = True
                first = table[place]
                count += 1 + (not alive[first])
                alive[first] = True
    return count
