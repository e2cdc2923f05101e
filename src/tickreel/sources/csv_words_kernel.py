"""Reads usual cells of CSV text eight bytes at a time; whatever is unusual is left to `csv_kernel`.

A place after the cell of -1 says so. Up to REACH bytes from a cell's begin on are looked at, whole or not.
No sum of bytes carries into the next one, so every mark is exact.
"""

import numpy as np

from tickreel.codecs.machine_kernel import load_word, store_word, trailing_zeros
from tickreel.jit import always_inlined

REACH = 32
LEFT = -1

_COMMA, _POINT, _LF = 44, 46, 10
_EACH = 0x0101010101010101
_ZEROS, _COMMAS = np.uint64(48 * _EACH), np.uint64(_COMMA * _EACH)
_TOPS, _BELOW_TOPS = np.uint64(0x80 * _EACH), np.uint64(0x7F * _EACH)
_FROM_10, _FROM_32, _FROM_127 = np.uint64(0x76 * _EACH), np.uint64(0x60 * _EACH), np.uint64(_EACH)
_TEN, _HUNDRED, _MYRIAD = np.uint64(10), np.uint64(100), np.uint64(10_000)
_8, _16, _32, _LAST = np.uint64(8), np.uint64(16), np.uint64(32), np.uint64(56)
_NOTHING, _ONE = np.uint64(0), np.uint64(1)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_EIGHT = np.uint64(0xFFFFFFFF)
_POWERS = 10 ** np.arange(9)


@always_inlined
def _no_digits(values):
    """Return a word with the top bit set of each byte above 9."""
    return (((values & _BELOW_TOPS) + _FROM_10) | values) & _TOPS


@always_inlined
def _number_of(values):
    """Return the number whose digits are the bytes, the first one lowest, each 0 to 9."""
    values = (values * _TEN + (values >> _8)) & _PAIRS
    values = (values * _HUNDRED + (values >> _16)) & _FOURS
    return np.int64((values * _MYRIAD + (values >> _32)) & _EIGHT)


@always_inlined
def byte_at(data, place):
    """Return data[place]: a place without a sign is never thought of as one from the end."""
    return data[np.uint64(place)]


@always_inlined
def _ends(letter):
    return (letter == _COMMA) | (letter == _LF)


@always_inlined
def word_time(data, cell):
    """Return (place after the cell, number) of one of sixteen digits."""
    first, second = load_word(data, cell) ^ _ZEROS, load_word(data, cell + 8) ^ _ZEROS
    if _no_digits(first) | _no_digits(second) or not _ends(byte_at(data, cell + 16)):
        return LEFT, np.int64(0)
    return cell + 16, _number_of(first) * 100_000_000 + _number_of(second)


@always_inlined
def _digits(data, place, pointed):
    """Read up to eight digits, and a point unless one was met.

    Returns (number, digits, digits after a point, place after them, whether a point was met, whether the last one is 0).
    """
    values = load_word(data, place) ^ _ZEROS
    marks = _no_digits(values)
    count, fraction = trailing_zeros(marks) >> 3, np.int64(0)
    after = place + count
    if not pointed and count < 8 and byte_at(data, after) == _POINT:
        whole, pointed = count, True
        before = (_ONE << np.uint64(8 * whole)) - _ONE
        values = (values & before) | ((load_word(data, place + 1) ^ _ZEROS) & ~before)
        # The next mark is the end: to look for it in the new word would take as long again.
        marks &= marks - _ONE
        count = (trailing_zeros(marks) >> 3) - 1 if marks else trailing_zeros(_no_digits(values)) >> 3
        fraction, after = count - whole, place + count + 1
    values <<= np.uint64((64 - 8 * count) & 63)
    number = _number_of(values) if count else np.int64(0)
    return number, count, fraction, after, pointed, values >> _LAST == _NOTHING


@always_inlined
def word_number(data, cell):
    """Return (place after the cell, mantissa, scale) of 0 or a positive number of up to 15 digits.

    Zeros at the end of a fraction are dropped; there is no exponent.
    """
    number, count, fraction, after, pointed, in_zero = _digits(data, cell, False)
    if count == 8 and not _ends(byte_at(data, after)):
        more, length, of_it, after, _, in_zero = _digits(data, after, pointed)
        fraction = fraction + length if pointed else of_it
        count += length
        if count > 15:
            return LEFT, np.int64(0), np.int64(0)
        number = number * _POWERS[np.uint64(length)] + more
    if count == 0 or not _ends(byte_at(data, after)):
        return LEFT, np.int64(0), np.int64(0)
    if in_zero:
        while fraction > 0 and number % 10 == 0:
            number //= 10
            fraction = np.int64(0) if number == 0 else fraction - 1
    return after, number, fraction


@always_inlined
def word_integer(data, cell):
    """Return (place after the cell, number) of a whole number of up to 16 digits in its shortest spelling."""
    values = load_word(data, cell) ^ _ZEROS
    marks = _no_digits(values)
    count = trailing_zeros(marks) >> 3
    if count == 0 or (count > 1 and byte_at(data, cell) == 48):
        return LEFT, np.int64(0)
    number, after = _number_of(values << np.uint64(64 - 8 * count)), cell + count
    if count == 8 and not _ends(byte_at(data, after)):
        values = load_word(data, after) ^ _ZEROS
        count = trailing_zeros(_no_digits(values)) >> 3
        if count == 0:
            return LEFT, np.int64(0)
        number = number * _POWERS[np.uint64(count)] + _number_of(values << np.uint64(64 - 8 * count))
        after += count
    return (after if _ends(byte_at(data, after)) else LEFT), number


@always_inlined
def word_choice(data, cell, spelled, masks, lengths):
    """Return (place after the cell, index) of a cell that a choice and a comma are.

    spelled, masks  uint64[choices]: the bytes of each with the comma, and which bytes these are
    """
    word = load_word(data, cell)
    for index in range(spelled.shape[0]):
        if word & masks[np.uint64(index)] == spelled[np.uint64(index)]:
            return cell + lengths[np.uint64(index)], np.int64(index)
    return LEFT, np.int64(LEFT)


@always_inlined
def word_text(data, cell, longest):
    """Return the place after a cell of printable ASCII that a comma follows, `longest` bytes at most."""
    place = cell
    while place + 8 <= data.shape[0] and place - cell <= longest:
        word = load_word(data, place)
        low = word & _BELOW_TOPS
        plain = (low + _FROM_32) & ~(low + _FROM_127) & ~word & ((low ^ _COMMAS) + _BELOW_TOPS) & _TOPS
        if plain != _TOPS:
            place += trailing_zeros(plain ^ _TOPS) >> 3
            return place if byte_at(data, place) == _COMMA and place - cell <= longest else LEFT
        place += 8
    return LEFT


@always_inlined
def copy_word(data, place, length, letters, at):
    """Write up to eight of the `length` bytes from data[place] on, and zeros in place of others, to byte `at`."""
    word = load_word(data, place) if length > 0 else np.uint64(0)
    if 0 < length < 8:
        word &= (_ONE << np.uint64(8 * length)) - _ONE
    store_word(letters, at, word)


@always_inlined
def same_words(data, one, other, length):
    """Return whether `length` bytes are the same, and a comma follows the first ones."""
    place = 0
    while place + 8 <= length:
        if load_word(data, one + place) != load_word(data, other + place):
            return False
        place += 8
    rest = np.uint64(8 * (length - place))
    mask = (_ONE << rest) - _ONE
    differ = (load_word(data, one + place) ^ load_word(data, other + place)) & mask
    return differ == np.uint64(0) and byte_at(data, one + length) == _COMMA
