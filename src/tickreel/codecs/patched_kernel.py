"""Kernels that read the patched codec: values of few bits side by side, and what is left of the others apart.

Bits lie as FORMAT.md draws them: 64 values are a row, and lane l of all rows is a string of bits in
the words l, 64 + l, 128 + l ..., so that one instruction works on many lanes. Indices count from a
slice's begin, which tells the compiler that they are not negative.
"""

from typing import NamedTuple

import numpy as np

from tickreel.codecs.decimal_kernel import to_floats
from tickreel.codecs.machine_kernel import count_ones, longs_on_stack, put
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
_ROOM = PIECE + 2 * LANES
_SCRATCH = 16 + 4 * _ROOM
"""A head, room for three layers, and for the values of a piece."""


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


class Room(NamedTuple):
    """Where a piece is decoded.

    low, middle, high  what is packed in the three layers, uint32 or uint64
    values  int64[PIECE + 2 * LANES]
    floats  float64 of as many, where `low` and `middle` lie
    """

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    values: np.ndarray
    floats: np.ndarray


@kernel
def decode_rows(longs, rows, start, out):
    """Write the values [start, start + out.shape[0]) of `rows`; False if they cannot be what was encoded.

    longs  an encoded block as uint64
    """
    scratch = longs_on_stack(_SCRATCH)
    head = scratch[:HEAD]
    if not _read_head(longs, rows, head):
        return False
    parts = _parts(longs, longs.view(np.uint32), head)
    # Two copies of the same code: values of one word need half the moves.
    if _is_narrow(head):
        return _rows(parts, start, _narrow(scratch), out)
    return _rows(parts, start, _wide(scratch), out)


@kernel
def decode_floats(longs, rows, start, power, inverse, out):
    """Write the values of `decode_rows` divided by `power`, as decimal_kernel.to_floats does.

    A piece at a time, which stays in the nearest cache; where values change seldom, each is divided once.
    """
    scratch = longs_on_stack(_SCRATCH)
    head = scratch[:HEAD]
    if not _read_head(longs, rows, head):
        return False
    parts = _parts(longs, longs.view(np.uint32), head)
    if _is_narrow(head):
        return _floats(parts, start, _narrow(scratch), power, inverse, out)
    return _floats(parts, start, _wide(scratch), power, inverse, out)


@always_inlined
def _rows(parts, start, room, out):
    stop = start + out.shape[0]
    if start < stop and not _begins_right(parts, start // PIECE):
        return False
    for piece in range(start // PIECE, -(-stop // PIECE)):
        begin = piece * PIECE
        first, last = max(start - begin, 0), min(stop - begin, PIECE)
        values = out[begin + first - start : begin + last - start]
        if not _decode_piece(parts, piece, first, room, values):
            return False
    return True


@always_inlined
def _floats(parts, start, room, power, inverse, out):
    stop = start + out.shape[0]
    if start < stop and not _begins_right(parts, start // PIECE):
        return False
    for piece in range(start // PIECE, -(-stop // PIECE)):
        begin = piece * PIECE
        first, last = max(start - begin, 0), min(stop - begin, PIECE)
        values = out[begin + first - start : begin + last - start]
        if _changes_seldom(parts.head):
            changes = _levels(parts, piece, room)
            if changes < 0:
                return False
            floats = room.floats[: changes + 1]
            to_floats(room.values[: changes + 1], power, inverse, False, floats)
            _spread(parts.bits_0, begin, first, floats, values)
        else:
            integers = room.values[: values.shape[0]]
            if not _decode_piece(parts, piece, first, room, integers):
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
def _decode_piece(parts, piece, first, room, out):
    """Write the values from number `first` of a piece on; False if they cannot be what was encoded."""
    head, begin = parts.head, piece * PIECE
    if _changes_seldom(head):
        changes = _levels(parts, piece, room)
        if changes >= 0:
            _spread(parts.bits_0, begin, first, room.values[: changes + 1], out)
        return changes >= 0
    count = min(PIECE, head[COUNT] - begin)
    at, more = _unpack_high(parts, piece, begin, count, room)
    if more < 0:
        return False
    _unpack(parts.words_0, head[WIDTH], begin, begin + count, room.low)
    if head[LAYERS] > 1:
        _patch(parts.bits_0, begin, begin + count, head[WIDTH], room.middle[at:], room.low)
    if head[MODE] != VALUE and room.low[0] != 0:
        return False
    _restore(parts, piece, room.low, first, out)
    return True


@inlined
def _levels(parts, piece, room):
    """Write the first value of a piece and the value after each change; return how many changes.

    -1 if they cannot be what was encoded.
    """
    head, begin = parts.head, piece * PIECE
    at, changes = _unpack_high(parts, piece, begin, min(PIECE, head[COUNT] - begin), room)
    if changes < 0 or parts.bits_0[begin >> 6] & np.uint64(1):
        return -1
    _add_up(parts, piece, room.middle[at:], room.values[: changes + 1])
    return changes


@inlined
def _is_narrow(head):
    """Return whether what is packed fits 31 bits: then none is moved by 32, which a word cannot be."""
    return head[WIDTH] + head[WIDTH + 1] + head[WIDTH + 2] < 32


@inlined
def _narrow(scratch):
    """Return room for values of up to 32 bits."""
    room = scratch[16 : _SCRATCH - _ROOM]
    words = room.view(np.uint32)
    return Room(
        words[:_ROOM], words[_ROOM : 2 * _ROOM], words[2 * _ROOM : 3 * _ROOM],
        scratch[_SCRATCH - _ROOM :], room.view(np.float64)[:_ROOM],
    )  # fmt: skip


@inlined
def _wide(scratch):
    """Return room for values of up to 64 bits."""
    room = scratch[16 : _SCRATCH - _ROOM]
    words = room.view(np.uint64)
    return Room(
        words[:_ROOM], words[_ROOM : 2 * _ROOM], words[2 * _ROOM :],
        scratch[_SCRATCH - _ROOM :], room.view(np.float64)[:_ROOM],
    )  # fmt: skip


@inlined
def _changes_seldom(head):
    """Return whether nothing is packed in the first layer, so that its bits say where the value changes."""
    return head[MODE] == ZIGZAG and head[WIDTH] == 0 and head[LAYERS] > 1


@inlined
def _unpack_high(parts, piece, begin, count, room):
    """Write what a piece has in the upper layers into room.middle; return from where on and how many, -1 if they do not fit."""
    head = parts.head
    if head[LAYERS] == 1:
        return 0, 0
    first_1, stop_1 = _span(parts.starts_1, piece, head[COUNT + 1])
    if not 0 <= first_1 <= stop_1 <= min(first_1 + count, head[COUNT + 1]):
        return 0, -1
    if _count(parts.bits_0, begin, begin + count) != stop_1 - first_1:
        return 0, -1
    _unpack(parts.words_1, head[WIDTH + 1], first_1, stop_1, room.middle)
    if head[LAYERS] == 3:
        first_2, stop_2 = _span(parts.starts_2, piece, head[COUNT + 2])
        if not 0 <= first_2 <= stop_2 <= min(first_2 + stop_1 - first_1, head[COUNT + 2]):
            return 0, -1
        if _count(parts.bits_1, first_1, stop_1) != stop_2 - first_2:
            return 0, -1
        _unpack(parts.words_2, head[WIDTH + 2], first_2, stop_2, room.high)
        _patch(parts.bits_1, first_1, stop_1, head[WIDTH + 1], room.high[first_2 & 63 :], room.middle)
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
