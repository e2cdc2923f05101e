"""The kernel of bit planes: eight values at a time."""

import numpy as np

from tickreel.jit import kernel

_ONES = np.uint64(0x0101010101010101)


@kernel
def two_values(bits, spread, zero, one, out):
    """Write for each byte of bits eight values, as the bytes of a word.

    spread     uint64[256]: of each byte its bits, as the bytes of a word
    zero, one  what a bit stands for; one is the greater
    """
    low, more = np.uint64(zero) * _ONES, np.uint64(one - zero)
    for place in range(bits.shape[0]):
        # No byte is above 255, so none carries into the next.
        out[place] = low + spread[bits[place]] * more
