"""Kernels that write cells of CSV text."""

from tickreel.codecs.digits_kernel import put_decimal
from tickreel.jit import kernel


@kernel
def format_decimals(integers, scale, letters):
    """Write integer / 10^scale, all its digits, into each row of `letters` (uint8[n, 22 or more], zero before).

    integers  int64[n] above -2^63; scale 0 to 18
    Below 10^15 in size it is the shortest text of its float64.
    """
    for row in range(integers.shape[0]):
        value = integers[row]
        at = 0
        if value < 0:
            letters[row, 0] = 45
            value = -value
            at = 1
        put_decimal(letters[row], at, value, scale)


@kernel
def place_cells(out, at, letters, length, separator):
    """Copy each row's cell to out[at[row]:], with the separator after it."""
    for row in range(at.shape[0]):
        place = at[row]
        for letter in range(length[row]):
            out[place + letter] = letters[row, letter]
        out[place + length[row]] = separator
