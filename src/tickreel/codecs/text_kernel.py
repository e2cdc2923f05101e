"""Kernels between texts and the integers that they spell."""

import numpy as np

from tickreel.jit import kernel

_ZERO, _NINE = 48, 57
_TOO_LONG = 10**18


@kernel
def parse_numbers(letters, numbers):
    """Write into `numbers` what each row of `letters` spells; False if one is not canonical.

    letters  uint8[n, width], each row ASCII padded with zero bytes
    numbers  int64[n]
    """
    width = letters.shape[1]
    for row in range(letters.shape[0]):
        value = 0
        length = 0
        while length < width and letters[row, length] != 0:
            letter = np.int64(letters[row, length])
            if letter < _ZERO or letter > _NINE or length == 18:
                return False
            value = value * 10 + (letter - _ZERO)
            length += 1
        if length == 0 or (length > 1 and letters[row, 0] == _ZERO):
            return False
        for rest in range(length, width):
            if letters[row, rest] != 0:
                return False
        numbers[row] = value
    return True


@kernel
def format_numbers(numbers, letters):
    """Write each number as ASCII into its row of `letters`, zero padded; False if one does not fit.

    numbers  int64[n]; 0 to 18 digits each, without a sign
    """
    width = letters.shape[1]
    for row in range(letters.shape[0]):
        value = numbers[row]
        if value < 0 or value >= _TOO_LONG:
            return False
        length = 1
        rest = value // 10
        while rest > 0:
            rest //= 10
            length += 1
        if length > width:
            return False
        for place in range(length, width):
            letters[row, place] = 0
        for place in range(length - 1, -1, -1):
            letters[row, place] = _ZERO + value % 10
            value //= 10
    return True


@kernel
def count_jumps(numbers):
    """Return how many of int64[n] are not one more than the one before."""
    count = 0
    for row in range(1, numbers.shape[0]):
        count += numbers[row] - numbers[row - 1] != 1
    return count
