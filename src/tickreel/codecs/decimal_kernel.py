"""Kernels that bring decimal mantissas to one scale."""

import numpy as np

from tickreel.jit import kernel

_NULL = np.iinfo(np.int64).min
_LIMIT = 2**53


@kernel
def align(mantissa, scale, target, integers):
    """Write mantissa x 10^(target - scale) into `integers`; False if one leaves 53 bits.

    mantissa  int64[n], scale int8[n] <= target, integers int64[n]; nulls pass unchanged
    """
    for row in range(mantissa.shape[0]):
        value = mantissa[row]
        if value != _NULL:
            for _ in range(target - scale[row]):
                value *= 10
                if value >= _LIMIT or value <= -_LIMIT:
                    return False
        integers[row] = value
    return True


@kernel
def strip(mantissa, scale):
    """Drop trailing zeros after the point in place: 1500 at scale 2 becomes 15 at scale 0."""
    for row in range(mantissa.shape[0]):
        value = mantissa[row]
        digits = scale[row]
        if value == _NULL or value == 0:
            digits = 0
        while digits > 0 and value % 10 == 0:
            value //= 10
            digits -= 1
        mantissa[row] = value
        scale[row] = digits
