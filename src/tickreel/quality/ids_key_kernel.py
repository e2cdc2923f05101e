"""The kernel that makes one number of each id."""

import numpy as np

from tickreel.jit import kernel
from tickreel.quality.compare_terms import NO_ID
from tickreel.quality.same_kernel import mixed

_ZERO, _NINE, _DIGITS = 48, 57, 18
_TEXT = np.uint64(1 << 63)
_EIGHT = np.uint64(8)


@kernel
def id_keys(letters, keys):
    """Write the key of each id: NO_ID for an empty one, a whole number's own, a hash above 2^63 for other texts.

    letters  uint8[n, width], each row padded with zero bytes
    keys     uint64[n]
    Whole numbers are those of the codec number_text: no sign, no leading zero, at most 18 digits.
    """
    width = letters.shape[1]
    for row in range(letters.shape[0]):
        length = width
        while length > 0 and letters[row, length - 1] == 0:
            length -= 1
        number = np.int64(0)
        whole = 0 < length <= _DIGITS and (length == 1 or letters[row, 0] != _ZERO)
        hashed, word = np.uint64(length), np.uint64(0)
        for place in range(length):
            letter = letters[row, place]
            whole = whole and _ZERO <= letter <= _NINE
            if whole:
                number = number * 10 + (np.int64(letter) - _ZERO)
            word = (word << _EIGHT) | np.uint64(letter)
            if place % 8 == 7 or place == length - 1:
                hashed = mixed(hashed, word)
                word = np.uint64(0)
        if length == 0:
            keys[row] = NO_ID
        elif whole:
            keys[row] = np.uint64(number)
        else:
            key = hashed | _TEXT
            keys[row] = key if key != NO_ID else _TEXT
