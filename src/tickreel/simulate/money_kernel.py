"""Exact money: a product of floats in 1e-9 of the settlement currency, rounded once, half to even."""

import math

import numpy as np

from tickreel.jit import kernel
from tickreel.simulate.records import LIMBS

OVERFLOW = np.iinfo(np.int64).min
"""What `nanos` returns when the amount is no number, or 2^62 or more."""

_BITS = 26
_MASK = (1 << _BITS) - 1


@kernel
def nanos(a, b, c, d, limbs):
    """Return a * b * c * d * 10^9 as the nearest int64, ties to even; the product itself is exact.

    Each float64 is a 53-bit integer times a power of two; their product is formed in limbs of 26
    bits, so no step rounds but the last.
    limbs  int64[LIMBS], overwritten
    """
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c) and math.isfinite(d)):
        return OVERFLOW
    limbs[:] = 0
    limbs[0] = 1
    exponent = 0
    negative = False
    for place in range(5):
        factor = a if place == 0 else b if place == 1 else c if place == 2 else d if place == 3 else 1e9
        if factor == 0.0:
            return 0
        if factor == 1.0:
            continue
        negative ^= factor < 0.0
        fraction, power = math.frexp(abs(factor))
        exponent += power - 53
        _multiply(limbs, np.int64(fraction * 9007199254740992.0))
    value = _shifted(limbs, -exponent)
    if value == OVERFLOW:
        return OVERFLOW
    return -value if negative else value


@kernel
def _multiply(limbs, factor):
    """Multiply the number in `limbs`, lowest first, by a positive integer below 2^53."""
    low, middle, high = factor & _MASK, (factor >> _BITS) & _MASK, factor >> (2 * _BITS)
    for place in range(LIMBS - 1, -1, -1):
        total = limbs[place] * low
        if place >= 1:
            total += limbs[place - 1] * middle
        if place >= 2:
            total += limbs[place - 2] * high
        limbs[place] = total
    carry = 0
    for place in range(LIMBS):
        total = limbs[place] + carry
        limbs[place] = total & _MASK
        carry = total >> _BITS


@kernel
def _shifted(limbs, shift):
    """Return the number divided by 2^shift, rounded half to even, or OVERFLOW."""
    bits = LIMBS * _BITS
    value = 0
    for place in range(bits - 1, -1, -1):
        if (limbs[place // _BITS] >> (place % _BITS)) & 1:
            if place - shift >= 62:
                return OVERFLOW
            if place >= shift:
                value |= 1 << (place - shift)
    if shift <= 0 or shift > bits:
        return value
    half = (limbs[(shift - 1) // _BITS] >> ((shift - 1) % _BITS)) & 1
    if half:
        below = False
        for place in range(shift - 1):
            below = below or ((limbs[place // _BITS] >> (place % _BITS)) & 1) == 1
        if below or value & 1:
            value += 1
    return value if value < 2**62 else OVERFLOW
