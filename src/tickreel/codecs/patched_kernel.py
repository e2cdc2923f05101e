"""Kernels of the patched codec: values of few bits side by side, and what is left of the others apart.

Bits lie as FORMAT.md draws them: 64 values are a row, and lane l of all rows is a string of bits in
the words l, 64 + l, 128 + l ..., so that one instruction works on many lanes. Indices count from a
slice's begin, which tells the compiler that they are not negative.
"""

from typing import NamedTuple

import numpy as np

from tickreel.codecs.decimal_kernel import to_floats
from tickreel.codecs.machine_kernel import bit_length, count_ones, trailing_zeros
from tickreel.codecs.patched import ROWS_ALONE
from tickreel.jit import inlined, kernel

LANES = 64
PIECE = ROWS_ALONE
"""Values that can be decoded on their own."""
WIDEST = 32
"""Bits of a value in one layer."""
VALUE, DELTA, ZIGZAG = range(3)
"""What is packed: the value, its distance from the one before less the least, or that with its sign last."""

MODE, LAYERS, WIDTH, COUNT, LOW, STEP, LEAST = 0, 1, 2, 5, 8, 9, 10
"""Places in a head, int64[11]; of WIDTH and COUNT there are three each."""
HEAD = 11


class Parts(NamedTuple):
    """An encoded block; what its layers and mode do not need is empty.

    head    int64[HEAD]
    firsts  uint64[pieces]: the first value of each piece, counted in steps from the least
    starts  uint32[pieces]: where each piece begins in the layer
    words   uint32 of each layer
    bits    uint64: which values of a layer go on in the next
    """

    head: np.ndarray
    firsts: np.ndarray
    starts_1: np.ndarray
    starts_2: np.ndarray
    words_0: np.ndarray
    words_1: np.ndarray
    words_2: np.ndarray
    bits_0: np.ndarray
    bits_1: np.ndarray


@kernel
def common_step(values, low):
    """Return the greatest number that all values are a multiple of from `low` on; 1 if they are equal."""
    step = np.int64(0)
    for row in range(values.shape[0]):
        rest = values[row] - low
        if step:
            rest %= step
        while rest != 0:
            step, rest = rest, step % rest
        if step == 1:
            break
    return max(step, 1)


@kernel
def steps_from(values, low, step, out):
    """Write (value - low) / step, which has no remainder; 0 <= value - low < 2^62."""
    if step == 1:
        for row in range(values.shape[0]):
            out[row] = values[row] - low
        return
    for row in range(values.shape[0]):
        out[row] = (values[row] - low) // step


@kernel
def least_delta(steps):
    """Return the least distance of two neighbours in one piece; 0 if there are none."""
    least = np.int64(2**62)
    for begin in range(0, steps.shape[0], PIECE):
        piece = steps[begin : begin + PIECE]
        for row in range(1, piece.shape[0]):
            least = min(least, piece[row] - piece[row - 1])
    return least if steps.shape[0] > 1 else np.int64(0)


@kernel
def residuals(steps, mode, least, out):
    """Write what a mode packs, uint64[n]; the first value of a piece is 0 but in mode VALUE."""
    for begin in range(0, steps.shape[0], PIECE):
        piece, packed = steps[begin : begin + PIECE], out[begin : begin + PIECE]
        if mode == VALUE:
            for row in range(piece.shape[0]):
                packed[row] = np.uint64(piece[row])
            continue
        packed[0] = np.uint64(0)
        if mode == DELTA:
            for row in range(1, piece.shape[0]):
                packed[row] = np.uint64(piece[row] - piece[row - 1] - least)
        else:
            for row in range(1, piece.shape[0]):
                delta = piece[row] - piece[row - 1]
                packed[row] = np.uint64((delta << 1) ^ (delta >> 63))


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
    # Without a branch: which values go on cannot be foretold.
    count, mask = np.int64(0), (np.uint64(1) << np.uint64(width)) - np.uint64(1)
    for place in range(bits.shape[0]):
        values, lows = packed[place * 64 :][:64], low[place * 64 :][:64]
        word = np.uint64(0)
        for row in range(values.shape[0]):
            lows[row] = np.uint32(values[row] & mask)
            rest = values[row] >> np.uint64(width)
            more = np.uint64(rest != 0)
            high[count] = rest
            word |= more << np.uint64(row)
            count += np.int64(more)
        bits[place] = word
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
            out[number] += count_ones(bits[word] & _below(place & 63))


@inlined
def _below(count):
    """Return a word whose lowest 0 to 63 bits are set."""
    return (np.uint64(1) << np.uint64(count)) - np.uint64(1)


@kernel
def decode_rows(longs, words, rows, start, head, scratch, out):
    """Write the values [start, start + out.shape[0]) of `rows`; False if they cannot be what was encoded.

    longs, words  an encoded block as uint64 and as uint32
    head     int64[HEAD], scratch uint64[3, PIECE + 2 * LANES]: for its use
    """
    if not _read_head(longs, rows, head):
        return False
    parts, stop = _parts(longs, words, head), start + out.shape[0]
    for piece in range(start // PIECE, -(-stop // PIECE)):
        begin = piece * PIECE
        count = min(PIECE, rows - begin)
        first, last = max(start - begin, 0), min(stop - begin, count)
        values = out[begin + first - start : begin + last - start]
        at, changes = _unpack_high(parts, piece, begin, count, scratch)
        if changes < 0:
            return False
        if _changes_seldom(head):
            levels = scratch[2].view(np.int64)[: changes + 1]
            _add_up(parts, piece, scratch[1][at:], levels)
            _spread(parts.bits_0, begin, first, levels, values)
        else:
            _unpack(parts.words_0, head[WIDTH], begin, begin + count, scratch[0])
            if head[LAYERS] > 1:
                _patch(parts.bits_0, begin, begin + count, head[WIDTH], scratch[1][at:], scratch[0])
            _restore(parts, piece, scratch[0], first, values)
    return True


@kernel
def decode_floats(longs, words, rows, start, head, scratch, power, inverse, out):
    """Write the values of `decode_rows` divided by `power`, as decimal_kernel.to_floats does.

    A piece at a time, which stays in the nearest cache; where values change seldom, each is divided once.
    """
    if not _read_head(longs, rows, head):
        return False
    parts, stop = _parts(longs, words, head), start + out.shape[0]
    for piece in range(start // PIECE, -(-stop // PIECE)):
        begin = piece * PIECE
        first, last = max(start - begin, 0), min(stop - begin, PIECE, rows - begin)
        values = out[begin + first - start : begin + last - start]
        if _changes_seldom(head):
            at, changes = _unpack_high(parts, piece, begin, min(PIECE, rows - begin), scratch)
            if changes < 0:
                return False
            levels, floats = (
                scratch[2].view(np.int64)[: changes + 1],
                scratch[0].view(np.float64)[: changes + 1],
            )
            _add_up(parts, piece, scratch[1][at:], levels)
            to_floats(levels, power, inverse, False, floats)
            _spread(parts.bits_0, begin, first, floats, values)
        else:
            integers = scratch[2].view(np.int64)[: values.shape[0]]
            if not decode_rows(longs, words, rows, begin + first, head, scratch, integers):
                return False
            to_floats(integers, power, inverse, False, values)
    return True


@kernel
def word_count(count, width):
    """Return how many words hold `count` values of so many bits."""
    rows = -(-count // LANES)
    return -(-rows * width // 32) * LANES


@inlined
def _read_head(longs, rows, head):
    """Copy the head; False if it is not that of `rows` values, or is of another length than the block."""
    if longs.shape[0] < HEAD:
        return False
    for place in range(HEAD):
        head[place] = np.int64(longs[place])
    layers, pieces = head[LAYERS], -(-rows // PIECE)
    if not (0 <= head[MODE] <= ZIGZAG and 1 <= layers <= 3 and head[COUNT] == rows and head[STEP] > 0):
        return False
    length = HEAD + (0 if head[MODE] == VALUE else pieces) + (layers - 1) * ((pieces + 1) >> 1)
    for layer in range(3):
        width, count = head[WIDTH + layer], head[COUNT + layer]
        if not (0 <= width <= WIDEST and 0 <= count <= rows) or (layer >= layers and (width or count)):
            return False
        length += word_count(count, width) >> 1
        if layer + 1 < layers:
            length += -(-count // 64)
    return length == longs.shape[0]


@inlined
def _parts(longs, words, head):
    layers, pieces = head[LAYERS], -(-head[COUNT] // PIECE)
    firsts = HEAD + (0 if head[MODE] == VALUE else pieces)
    starts_1 = firsts + (((pieces + 1) >> 1) if layers > 1 else 0)
    starts_2 = starts_1 + (((pieces + 1) >> 1) if layers > 2 else 0)
    words_0 = starts_2 + (word_count(head[COUNT], head[WIDTH]) >> 1)
    words_1 = words_0 + (word_count(head[COUNT + 1], head[WIDTH + 1]) >> 1)
    words_2 = words_1 + (word_count(head[COUNT + 2], head[WIDTH + 2]) >> 1)
    bits_0 = words_2 + (-(-head[COUNT] // 64) if layers > 1 else 0)
    return Parts(
        head,
        longs[HEAD:firsts],
        words[2 * firsts : 2 * firsts + pieces],
        words[2 * starts_1 : 2 * starts_1 + pieces],
        words[2 * starts_2 : 2 * words_0],
        words[2 * words_0 : 2 * words_1],
        words[2 * words_1 : 2 * words_2],
        longs[words_2:bits_0],
        longs[bits_0:],
    )


@inlined
def _changes_seldom(head):
    """Return whether nothing is packed in the first layer, so that its bits say where the value changes."""
    return head[MODE] == ZIGZAG and head[WIDTH] == 0 and head[LAYERS] > 1


@inlined
def _unpack_high(parts, piece, begin, count, scratch):
    """Write what a piece has in the upper layers into scratch[1]; return from where on and how many, -1 if they do not fit."""
    head = parts.head
    if head[LAYERS] == 1:
        return 0, 0
    first_1, stop_1 = _span(parts.starts_1, piece, head[COUNT + 1])
    if not 0 <= first_1 <= stop_1 <= min(first_1 + count, head[COUNT + 1]):
        return 0, -1
    if _count(parts.bits_0, begin, begin + count) != stop_1 - first_1:
        return 0, -1
    _unpack(parts.words_1, head[WIDTH + 1], first_1, stop_1, scratch[1])
    if head[LAYERS] == 3:
        first_2, stop_2 = _span(parts.starts_2, piece, head[COUNT + 2])
        if not 0 <= first_2 <= stop_2 <= min(first_2 + stop_1 - first_1, head[COUNT + 2]):
            return 0, -1
        if _count(parts.bits_1, first_1, stop_1) != stop_2 - first_2:
            return 0, -1
        _unpack(parts.words_2, head[WIDTH + 2], first_2, stop_2, scratch[2])
        _patch(parts.bits_1, first_1, stop_1, head[WIDTH + 1], scratch[2][first_2 & 63 :], scratch[1])
    return first_1 & 63, stop_1 - first_1


@inlined
def _span(starts, piece, count):
    """Return [start, stop) of a piece in a layer of `count` values."""
    stop = count if piece + 1 == starts.shape[0] else np.int64(starts[piece + 1])
    return np.int64(starts[piece]), stop


@inlined
def _unpack(words, width, start, stop, out):
    """Write the values [start, stop) of a layer from out[start % 64] on, and what shares their rows."""
    mask = np.uint32(0xFFFFFFFF) >> np.uint32(32 - width) if width else np.uint32(0)
    for row in range(start >> 6, -(-stop // LANES)):
        values = out[(row - (start >> 6)) * LANES :][:LANES]
        if width == 0:
            values[:] = np.uint64(0)
            continue
        place, shift = (row * width) >> 5, np.uint32((row * width) & 31)
        here = words[place * LANES :][:LANES]
        if shift + width <= 32:
            for lane in range(LANES):
                values[lane] = (here[lane] >> shift) & mask
        else:
            there, rest = words[(place + 1) * LANES :][:LANES], np.uint32(32) - shift
            for lane in range(LANES):
                values[lane] = ((here[lane] >> shift) | (there[lane] << rest)) & mask


@inlined
def _count(bits, start, stop):
    """Return how many of the bits [start, stop) are set."""
    count = np.int64(0)
    for place in range(start >> 6, -(-stop // 64)):
        count += count_ones(_within(bits, place, start, stop))
    return count


@inlined
def _within(bits, place, start, stop):
    """Return a word with its bits outside of [start, stop) cleared."""
    word = bits[place]
    if place << 6 < start:
        word &= ~_below(start & 63)
    if (place + 1) << 6 > stop:
        word &= _below(stop & 63)
    return word


@inlined
def _patch(bits, start, stop, width, high, values):
    """Put the higher bits to the values [start, stop) that have some; values[0] is that of the row's begin."""
    first, done, shift = start >> 6, 0, np.uint64(width)
    for place in range(first, -(-stop // 64)):
        word = _within(bits, place, start, stop)
        row = values[(place - first) * 64 :][:64]
        while word:
            row[np.uint64(trailing_zeros(word))] |= high[np.uint64(done)] << shift
            done += 1
            word &= word - np.uint64(1)


@inlined
def _add_up(parts, piece, changes, out):
    """Write the first value of a piece and the value after each change."""
    step = parts.head[STEP]
    at = parts.head[LOW] + step * np.int64(parts.firsts[piece])
    out[0] = at
    later = out[1:]
    for number in range(later.shape[0]):
        at += step * _signed(changes[number])
        later[number] = at


@inlined
def _spread(bits, begin, first, levels, out):
    """Write the values from number `first` of the piece at `begin` on: each bit set moves on to the next of `levels`."""
    # Without a branch: where a value changes cannot be foretold.
    level, place, done = np.uint64(_count(bits, begin, begin + first)), begin + first, 0
    while done < out.shape[0]:
        word = bits[place >> 6] >> np.uint64(place & 63)
        values = out[done : done + 64 - (place & 63)]
        for row in range(values.shape[0]):
            level += word & np.uint64(1)
            word >>= np.uint64(1)
            values[row] = levels[level]
        done += values.shape[0]
        place += values.shape[0]


@inlined
def _restore(parts, piece, packed, first, out):
    """Write the values from number `first` of a piece on."""
    head = parts.head
    low, step, each = head[LOW], head[STEP], head[STEP] * head[LEAST]
    passed, values = packed[:first], packed[first:]
    if head[MODE] == VALUE:
        for row in range(out.shape[0]):
            out[row] = low + step * np.int64(values[row])
        return
    at = low + step * np.int64(parts.firsts[piece])
    if head[MODE] == DELTA:
        at -= each
        for row in range(first):
            at += step * np.int64(passed[row]) + each
        for row in range(out.shape[0]):
            at += step * np.int64(values[row]) + each
            out[row] = at
    else:
        for row in range(first):
            at += step * _signed(passed[row])
        for row in range(out.shape[0]):
            at += step * _signed(values[row])
            out[row] = at


@inlined
def _signed(packed):
    """Return the number whose sign is its lowest bit."""
    return np.int64(packed >> np.uint64(1)) ^ -np.int64(packed & np.uint64(1))
