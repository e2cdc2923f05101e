"""Kernels that bring decimal mantissas to one scale."""

import numpy as np

from tickreel.codecs.machine_kernel import multiply_add
from tickreel.jit import kernel

_NULL = np.iinfo(np.int64).min
_POWERS = np.array([10**places if places < 19 else 0 for places in range(23)])
_MOST = (2**53 - 1) // np.array([10**places if places < 19 else 2**53 for places in range(23)])
"""What leaves no 53 bits if it is not greater, times each power."""
_SURE_POWER = 2.0**50


@kernel
def extremes(values):
    """Return the least and the greatest of int64[n], n > 0."""
    least = most = values[0]
    for row in range(values.shape[0]):
        least = min(least, values[row])
        most = max(most, values[row])
    return least, most


@kernel
def align(mantissa, scale, target, integers):
    """Write mantissa x 10^(target - scale) into `integers`.

    mantissa  int64[n], scale int8[n] <= target, integers int64[n]; nulls pass unchanged
    Returns (whether none leaves 53 bits, the least, the greatest of `integers`); of none 2^63 - 1 and -2^63.
    """
    fits, least, greatest = True, np.int64(2**63 - 1), _NULL
    for row in range(mantissa.shape[0]):
        value, places = mantissa[row], target - scale[row]
        most = _MOST[places]
        kept = min(max(value, -most), most)
        passes = (value == _NULL) | (places == 0)
        value = value if passes else kept * _POWERS[places]
        fits &= passes | (kept == mantissa[row])
        integers[row] = value
        least, greatest = min(least, value), max(greatest, value)
    return fits, least, greatest


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


@kernel
def to_floats(integers, power, inverse, nulls, out):
    """Write integer / power, rounded once: the float64 nearest to it. Nulls are NaN if there may be any.

    integers  int64[n], at most 2^53 in size; power 10^0 to 10^22, inverse the float64 nearest to 1 / power
    By multiplications, since a division takes as long as ten of them. The first quotient is off by 2 units
    in the last place at most; its remainder is exact, and adding it times the inverse gives what differs
    from integer / power by less than 2^-52 units before it is rounded, once. No quotient lies as near as
    that to the middle of two floats for a power below 2^50: it differs by a unit / (2 x power) or more. For
    greater powers a second remainder is added: Markstein, Computation of elementary functions on the IBM
    RISC System/6000 processor, IBM J. Res. Dev. 34 (1990), theorem 8.
    """
    if power < _SURE_POWER:
        for row in range(integers.shape[0]):
            value = np.float64(integers[row])
            near = value * inverse
            out[row] = multiply_add(multiply_add(-near, power, value), inverse, near)
    else:
        for row in range(integers.shape[0]):
            value = np.float64(integers[row])
            near = value * inverse
            nearer = multiply_add(multiply_add(-near, power, value), inverse, near)
            out[row] = multiply_add(multiply_add(-nearer, power, value), inverse, nearer)
    if nulls:
        for row in range(integers.shape[0]):
            if integers[row] == _NULL:
                out[row] = np.nan
