"""Reads usual cells of CSV text, numbers sixteen bytes at a time, words eight; the unusual is left to `csv_kernel`.

A place after the cell of -1 says so. Up to REACH bytes from a cell's begin on are looked at, whole or not.
In words no sum of bytes carries into the next one, so every mark is exact.
"""

import numpy as np

from tickreel.codecs.machine_kernel import load_word, store_word, trailing_zeros
from tickreel.jit import always_inlined
from tickreel.sources.csv_digits_kernel import number_of_digits, others_than_digits

REACH = 32
LEFT = -1

_COMMA, _POINT, _LF, _ZERO = 44, 46, 10, 48
_EACH = 0x0101010101010101
_COMMAS = np.uint64(_COMMA * _EACH)
_TOPS, _BELOW_TOPS = np.uint64(0x80 * _EACH), np.uint64(0x7F * _EACH)
_FROM_32, _FROM_127 = np.uint64(0x60 * _EACH), np.uint64(_EACH)
_ONE, _SEVENTEENTH = np.uint64(1), np.uint64(1 << 16)


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
    if others_than_digits(data, cell) or not _ends(byte_at(data, cell + 16)):
        return LEFT, np.int64(0)
    return cell + 16, number_of_digits(data, cell, 16, 16)


@always_inlined
def word_number(data, cell):
    """Return (place after the cell, mantissa, scale) of 0 or a positive number of up to 15 digits.

    Zeros at the end of a fraction are dropped; there is no exponent.
    """
    marks = others_than_digits(data, cell) | _SEVENTEENTH
    end = trailing_zeros(marks)
    point, count, scale = end, end, np.int64(0)
    if end < 16 and byte_at(data, cell + end) == _POINT:
        end = trailing_zeros(marks & (marks - _ONE))
        count = end - 1
        scale = count - point
    if count == 0 or count > 15 or not _ends(byte_at(data, cell + end)):
        return LEFT, np.int64(0), np.int64(0)
    mantissa = number_of_digits(data, cell, point, end)
    if scale > 0 and byte_at(data, cell + end - 1) == _ZERO:
        while scale > 0 and mantissa % 10 == 0:
            mantissa //= 10
            scale = np.int64(0) if mantissa == 0 else scale - 1
    return cell + end, mantissa, scale


@always_inlined
def word_integer(data, cell):
    """Return (place after the cell, number) of a whole number of up to 16 digits in its shortest spelling."""
    end = trailing_zeros(others_than_digits(data, cell) | _SEVENTEENTH)
    if end == 0 or (end > 1 and byte_at(data, cell) == _ZERO) or not _ends(byte_at(data, cell + end)):
        return LEFT, np.int64(0)
    return cell + end, number_of_digits(data, cell, 16, end)


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
