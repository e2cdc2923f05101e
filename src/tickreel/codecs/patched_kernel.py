"""Kernels that read the patched codec: values of few bits side by side, and what is left of the others apart.

Bits lie as FORMAT.md draws them: 64 values are a row, and lane l of all rows is a string of bits in
the words l, 64 + l, 128 + l ..., so that one instruction works on many lanes. Indices count from a
slice's begin, which tells the compiler that they are not negative.
"""

from typing import NamedTuple

import numpy as np

from tickreel.codecs.decimal_kernel import to_floats
from tickreel.codecs.machine_kernel import count_ones, put
from tickreel.codecs.patched import ROWS_ALONE
from tickreel.jit import always_inlined, inlined, kernel

LANES = 64
PIECE = ROWS_ALONE
"""Values that can be decoded on their own."""
WIDEST, WHOLE = 32, 64
"""Bits of a value in one layer, and in all."""
VALUE, DELTA, ZIGZAG = range(3)
"""What is packed: the value, its distance from the one before less the least, or that with its sign last."""

MODE, LAYERS, WIDTH, COUNT, BASE, STEP, LEAST = 0, 1, 2, 5, 8, 9, 10
"""Places in a head, int64[11]; of WIDTH and COUNT there are three each."""
HEAD = 11


class Parts(NamedTuple):
    """An encoded block; what its layers and mode do not need is empty.

    head    int64[HEAD]
    firsts  uint64[pieces]: the first value of each piece, counted in steps from the base
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
def decode_rows(longs, words, rows, start, head, scratch, out):
    """Write the values [start, start + out.shape[0]) of `rows`; False if they cannot be what was encoded.

    longs, words  an encoded block as uint64 and as uint32
    head     int64[HEAD], scratch uint64[3, PIECE + 2 * LANES]: for its use
    """
    if not _read_head(longs, rows, head):
        return False
    parts, stop = _parts(longs, words, head), start + out.shape[0]
    if start < stop and not _begins_right(parts, start // PIECE):
        return False
    for piece in range(start // PIECE, -(-stop // PIECE)):
        begin = piece * PIECE
        first, last = max(start - begin, 0), min(stop - begin, PIECE)
        values = out[begin + first - start : begin + last - start]
        if not _decode_piece(parts, piece, first, scratch, values):
            return False
    return True


@kernel
def decode_floats(longs, words, rows, start, head, scratch, power, inverse, out):
    """Write the values of `decode_rows` divided by `power`, as decimal_kernel.to_floats does.

    A piece at a time, which stays in the nearest cache; where values change seldom, each is divided once.
    """
    if not _read_head(longs, rows, head):
        return False
    parts, stop = _parts(longs, words, head), start + out.shape[0]
    if start < stop and not _begins_right(parts, start // PIECE):
        return False
    for piece in range(start // PIECE, -(-stop // PIECE)):
        begin = piece * PIECE
        first, last = max(start - begin, 0), min(stop - begin, PIECE)
        values = out[begin + first - start : begin + last - start]
        if _changes_seldom(head):
            changes = _levels(parts, piece, scratch)
            if changes < 0:
                return False
            floats = scratch[0].view(np.float64)[: changes + 1]
            to_floats(scratch[2].view(np.int64)[: changes + 1], power, inverse, False, floats)
            _spread(parts.bits_0, begin, first, floats, values)
        else:
            integers = scratch[2].view(np.int64)[: values.shape[0]]
            if not _decode_piece(parts, piece, first, scratch, integers):
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
    bits = head[WIDTH] + head[WIDTH + 1] + head[WIDTH + 2]
    return bits <= WHOLE and length == longs.shape[0]


@inlined
def _parts(longs, words, head):
    layers, pieces = head[LAYERS], -(-head[COUNT] // PIECE)
    after_firsts = HEAD + (0 if head[MODE] == VALUE else pieces)
    after_starts_1 = after_firsts + (((pieces + 1) >> 1) if layers > 1 else 0)
    after_starts_2 = after_starts_1 + (((pieces + 1) >> 1) if layers > 2 else 0)
    after_words_0 = after_starts_2 + (word_count(head[COUNT], head[WIDTH]) >> 1)
    after_words_1 = after_words_0 + (word_count(head[COUNT + 1], head[WIDTH + 1]) >> 1)
    after_words_2 = after_words_1 + (word_count(head[COUNT + 2], head[WIDTH + 2]) >> 1)
    after_bits_0 = after_words_2 + (-(-head[COUNT] // 64) if layers > 1 else 0)
    return Parts(
        head,
        longs[HEAD:after_firsts],
        words[2 * after_firsts : 2 * after_firsts + pieces],
        words[2 * after_starts_1 : 2 * after_starts_1 + pieces],
        words[2 * after_starts_2 : 2 * after_words_0],
        words[2 * after_words_0 : 2 * after_words_1],
        words[2 * after_words_1 : 2 * after_words_2],
        longs[after_words_2:after_bits_0],
        longs[after_bits_0:],
    )


@always_inlined
def _begins_right(parts, piece):
    """Return whether as many p go on before a piece as its starts say; after it each piece tells of the next."""
    head = parts.head
    if head[LAYERS] == 1:
        return True
    first_1 = np.int64(parts.starts_1[piece])
    if first_1 > head[COUNT + 1] or _count(parts.bits_0, 0, piece * PIECE) != first_1:
        return False
    return head[LAYERS] == 2 or _count(parts.bits_1, 0, first_1) == np.int64(parts.starts_2[piece])


@always_inlined
def _decode_piece(parts, piece, first, scratch, out):
    """Write the values from number `first` of a piece on; False if they cannot be what was encoded."""
    head, begin = parts.head, piece * PIECE
    if _changes_seldom(head):
        changes = _levels(parts, piece, scratch)
        if changes >= 0:
            _spread(parts.bits_0, begin, first, scratch[2].view(np.int64)[: changes + 1], out)
        return changes >= 0
    count = min(PIECE, head[COUNT] - begin)
    at, more = _unpack_high(parts, piece, begin, count, scratch)
    if more < 0:
        return False
    _unpack(parts.words_0, head[WIDTH], begin, begin + count, scratch[0])
    if head[LAYERS] > 1:
        _patch(parts.bits_0, begin, begin + count, head[WIDTH], scratch[1][at:], scratch[0])
    if head[MODE] != VALUE and scratch[0, 0] != 0:
        return False
    _restore(parts, piece, scratch[0], first, out)
    return True


@inlined
def _levels(parts, piece, scratch):
    """Write the first value of a piece and the value after each change into scratch[2]; return how many changes.

    -1 if they cannot be what was encoded.
    """
    head, begin = parts.head, piece * PIECE
    at, changes = _unpack_high(parts, piece, begin, min(PIECE, head[COUNT] - begin), scratch)
    if changes < 0 or parts.bits_0[begin >> 6] & np.uint64(1):
        return -1
    _add_up(parts, piece, scratch[1][at:], scratch[2].view(np.int64)[: changes + 1])
    return changes


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
def below(count):
    """Return a word whose lowest 0 to 63 bits are set."""
    return (np.uint64(1) << np.uint64(count)) - np.uint64(1)


@inlined
def _within(bits, place, start, stop):
    """Return a word with its bits outside of [start, stop) cleared."""
    word = bits[place]
    if place << 6 < start:
        word &= ~below(start & 63)
    if (place + 1) << 6 > stop:
        word &= below(stop & 63)
    return word


@inlined
def _patch(bits, start, stop, width, high, values):
    """Put the higher bits to the values [start, stop) that have some; values[0] is that of the row's begin."""
    first, done, shift = start >> 6, np.int64(0), np.uint64(width)
    for place in range(first, -(-stop // 64)):
        word = _within(bits, place, start, stop)
        put(word, high, done, shift, values[(place - first) * 64 :][:64])
        done += count_ones(word)


@inlined
def _add_up(parts, piece, changes, out):
    """Write the first value of a piece and the value after each change."""
    step = parts.head[STEP]
    at = parts.head[BASE] + step * np.int64(parts.firsts[piece])
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
    base, step, each = head[BASE], head[STEP], head[STEP] * head[LEAST]
    passed, values = packed[:first], packed[first:]
    if head[MODE] == VALUE:
        for row in range(out.shape[0]):
            out[row] = base + step * np.int64(values[row])
        return
    at = base + step * np.int64(parts.firsts[piece])
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
