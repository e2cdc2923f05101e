"""Kernels that pack values into the layers of the patched codec; patched_kernel.py reads them."""

import numpy as np

from tickreel.codecs.machine_kernel import bit_length, count_ones, trailing_zeros
from tickreel.codecs.patched_kernel import DELTA, LANES, PIECE, VALUE, WIDEST, below
from tickreel.jit import inlined, kernel

_FIRST = 256


@inlined
def _common_step(values, base, step):
    """Return the greatest number that all values are a multiple of from `base` on, and `step`, too; 0 if all are `base`."""
    for row in range(values.shape[0]):
        rest = values[row] - base
        if step:
            rest %= step
        while rest != 0:
            step, rest = rest, step % rest
        if step == 1:
            break
    return step


@inlined
def _divides(values, base, step, out):
    """Write (value - base) / step; return whether nothing remained anywhere.

    In float64, which is many times as fast: a quotient without a remainder is exact there up to 2^53.
    """
    divisor, whole = np.float64(step), True
    for row in range(values.shape[0]):
        rest = values[row] - base
        quotient = np.int64(np.float64(rest) / divisor)
        out[row] = quotient
        whole &= quotient * step == rest
    return whole


@kernel
def steps_from(values, base, out):
    """Write (value - base) / step, and return step: the greatest number that leaves no remainder; 1 if all are `base`.

    0 <= value - base < 2^62
    """
    # Most often the first values tell it; those of a book's snapshot, which are all one, do not.
    step = _common_step(values[:_FIRST], base, np.int64(0))
    step = max(step if step else _common_step(values, base, np.int64(0)), 1)
    if step > 1 and not _divides(values, base, step, out):
        step = _common_step(values, base, step)
        if step > 1:
            for row in range(values.shape[0]):
                out[row] = (values[row] - base) // step
    if step == 1:
        for row in range(values.shape[0]):
            out[row] = values[row] - base
    return step


@kernel
def least_delta(steps):
    """Return the least distance of two neighbours in one piece; 0 if there are none."""
    least = np.int64(2**62)
    for begin in range(0, steps.shape[0], PIECE):
        piece = steps[begin : begin + PIECE]
        for row in range(1, piece.shape[0]):
            least = min(least, piece[row] - piece[row - 1])
    return least if steps.shape[0] > 1 else np.int64(0)


@inlined
def _residual(value, before, mode, least):
    """Return what a mode packs of a value."""
    if mode == VALUE:
        return np.uint64(value)
    delta = value - before
    return np.uint64(delta - least) if mode == DELTA else np.uint64((delta << 1) ^ (delta >> 63))


@kernel
def residuals(steps, mode, least, out):
    """Write what a mode packs, uint64[n]; the first value of a piece is 0 but in mode VALUE."""
    for begin in range(0, steps.shape[0], PIECE):
        piece, packed = steps[begin : begin + PIECE], out[begin : begin + PIECE]
        packed[0] = _residual(piece[0], piece[0], mode, np.int64(0))
        for row in range(1, piece.shape[0]):
            packed[row] = _residual(piece[row], piece[row - 1], mode, least)


@kernel
def count_lengths(packed, counts):
    """Add to the columns b of `counts` how many values need b bits.

    counts  int64[4, 65]: four rows in turn, for a count waits for the one before if it is the same
    """
    for row in range(0, packed.shape[0] - 3, 4):
        four = packed[row:][:4]
        counts[0, bit_length(four[0])] += 1
        counts[1, bit_length(four[1])] += 1
        counts[2, bit_length(four[2])] += 1
        counts[3, bit_length(four[3])] += 1
    for row in range(packed.shape[0] & ~3, packed.shape[0]):
        counts[0, bit_length(packed[row])] += 1


@kernel
def sample_lengths(steps, mode, least, counts):
    """Add the same of some values, of what a mode packs of them: int64[65].

    An eighth of each piece, for any three modes differ by more than it does; all of few pieces.
    """
    some = PIECE if steps.shape[0] < 4 * PIECE else PIECE >> 3
    for begin in range(0, steps.shape[0], PIECE):
        run = steps[begin : begin + some]
        for row in range(1, run.shape[0]):
            counts[bit_length(_residual(run[row], run[row - 1], mode, least))] += 1


@kernel
def best_widths(counts, widths):
    """Write the widths of up to three layers that need the fewest bits; return (layers, bits).

    counts  int64[65], of the values' lengths
    Equal cost: the fewest layers, then the narrowest first.
    """
    widths[:] = 0
    values, top = 0, 0
    for length in range(65):
        values += counts[length]
        if counts[length]:
            top = length
    layers, best = 0, np.int64(2**62)
    if top <= WIDEST:
        layers, best, widths[0] = 1, values * top, top
    for first in range(min(top, WIDEST + 1)):
        second_count = np.int64(0)
        for length in range(first + 1, top + 1):
            second_count += counts[length]
        cost = values * (first + 1)
        if top - first <= WIDEST and cost + second_count * (top - first) < best:
            layers, best = 2, cost + second_count * (top - first)
            widths[0], widths[1], widths[2] = first, top - first, 0
        third_count = second_count
        for second in range(1, min(top - first, WIDEST + 1)):
            third_count -= counts[first + second]
            third = top - first - second
            total = cost + second_count * (second + 1) + third_count * third
            if third <= WIDEST and total < best:
                layers, best = 3, total
                widths[0], widths[1], widths[2] = first, second, third
    return layers, best


@kernel
def split(packed, width, low, bits, high):
    """Part each value after `width` bits; return how many go on.

    low   uint32[n]: the lowest bits; bits uint64, zeros: which values have more; high: those of them
    """
    count, mask = np.int64(0), (np.uint64(1) << np.uint64(width)) - np.uint64(1)
    for place in range(bits.shape[0]):
        values, lows = packed[place * 64 :][:64], low[place * 64 :][:64]
        # Which values go on cannot be foretold: first all are looked at, by vectors, then those that do.
        word = np.uint64(0)
        for row in range(values.shape[0]):
            lows[row] = np.uint32(values[row] & mask)
            word |= np.uint64(values[row] > mask) << np.uint64(row)
        bits[place] = word
        while word:
            high[np.uint64(count)] = values[np.uint64(trailing_zeros(word))] >> np.uint64(width)
            count += 1
            word &= word - np.uint64(1)
    return count


@kernel
def pack(low, width, words):
    """Pack uint32[n] of `width` bits into words, zeros; see the module for where they lie."""
    if width == 0:
        return
    for row in range(-(-low.shape[0] // LANES)):
        values = low[row * LANES : (row + 1) * LANES]
        place, shift = (row * width) >> 5, np.uint32((row * width) & 31)
        here = words[place * LANES : (place + 1) * LANES]
        for lane in range(values.shape[0]):
            here[lane] |= values[lane] << shift
        if shift + width > 32:
            there, rest = words[(place + 1) * LANES :], np.uint32(32) - shift
            for lane in range(values.shape[0]):
                there[lane] |= values[lane] >> rest


@kernel
def ranks(bits, places, out):
    """Write for each place, ascending, how many bits are set before it."""
    word, count = 0, np.int64(0)
    for number in range(places.shape[0]):
        place = np.int64(places[number])
        while word < place >> 6:
            count += count_ones(bits[word])
            word += 1
        out[number] = count
        if place & 63:
            out[number] += count_ones(bits[word] & below(place & 63))
