"""Writes whole numbers and decimals as text into a byte buffer.

Decimals look as JavaScript prints them: the shortest, with an exponent below 0.000001.
The masks change no value: they tell the compiler that a number or place is not negative, which
spares it the checks for that (a third of the time).
"""

import numpy as np
import numpy.typing as npt

from tickreel.jit import inlined

U8 = npt.NDArray[np.uint8]

NUMBER_BYTES = 21
"""Nothing that `put_decimal` writes is longer, for any int64 and a scale of 0 to 18."""

_VALUE = 0x7FFFFFFFFFFFFFFF
_PLACE = 0xFFFFFFFF


@inlined
def count_digits(value: int) -> int:
    """Return the number of decimal digits of 0 to 2^63 - 1."""
    digits, bound = 1, 10
    while digits < 18 and value >= bound:
        bound *= 10
        digits += 1
    return digits + 1 if value >= bound else digits


@inlined
def put_digits(out: U8, at: int, value: int, width: int) -> int:
    """Write the last `width` digits of a value, zeros in front; return the value without them."""
    place = at + width
    for _ in range(width):
        place = (place - 1) & _PLACE
        rest = (value & _VALUE) // 10
        out[place] = 48 + value - rest * 10
        value = rest
    return value


@inlined
def put_decimal(out: U8, at: int, value: int, scale: int) -> int:
    """Write value x 10^-scale, for 0 to 2^63 - 1 and a scale of 0 to 18; return the place after it."""
    rest = (value & _VALUE) // 10
    while scale > 0 and value == rest * 10:
        value, scale = rest, scale - 1
        rest = (value & _VALUE) // 10
    digits = count_digits(value)
    if scale == 0:
        put_digits(out, at, value, digits)
        return at + digits
    if digits <= scale - 6:
        return put_small(out, at, value, digits, scale)
    whole = max(1, digits - scale)
    value = put_digits(out, at + whole + 1, value, scale)
    out[(at + whole) & _PLACE] = 46
    put_digits(out, at, value, whole)
    return at + whole + 1 + scale


@inlined
def put_small(out: U8, at: int, value: int, digits: int, scale: int) -> int:
    """Write value x 10^-scale with an exponent: 1e-7, 1.25e-9."""
    if digits > 1:
        value = put_digits(out, at + 2, value, digits - 1)
        out[at + 1] = 46
        put_digits(out, at, value, 1)
        at += digits + 1
    else:
        put_digits(out, at, value, 1)
        at += 1
    out[at], out[at + 1] = 101, 45
    exponent = scale - digits + 1
    width = count_digits(exponent)
    put_digits(out, at + 2, exponent, width)
    return at + 2 + width
