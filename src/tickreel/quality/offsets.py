"""The bins that percentiles of clock offsets come from: fixed, so that order and batches change nothing.

Offsets are int64 ns. A bin holds the values that share their sign, their highest bit and the seven
bits after it: below 256 ns one value each, above it values within 1/128 of each other. What is
reported is the middle of a bin, at most 0.4 % from the value that has the rank.
"""

import numpy as np
import numpy.typing as npt

from tickreel.quality.times_kernel import HALF

ERROR = 1 / 256
"""Largest relative error of a percentile."""


def middle_ns(place: int) -> int:
    """Return the middle of a bin in ns; places from HALF on are offsets of 0 or more."""
    low, width = _bin(place)
    middle = low + width // 2
    return middle if place >= HALF else -middle - 1


def ends_ns(place: int, low_ns: int, high_ns: int) -> tuple[int, int]:
    """Return the least and the greatest offset of a bin in ns, kept within [low_ns, high_ns]."""
    low, width = _bin(place)
    ends = (low, low + width - 1) if place >= HALF else (-low - width, -low - 1)
    least, greatest = (min(max(end, low_ns), high_ns) for end in ends)
    return least, greatest


def _bin(place: int) -> tuple[int, int]:
    """Return the least value of a bin, and how many it holds; of offsets below 0: of -1 - offset."""
    index = place - HALF if place >= HALF else HALF - 1 - place
    shift = max(index // 128 - 1, 0)
    return (index - shift * 128) << shift, 1 << shift


def percentile_ns(bins: npt.NDArray[np.int64], percent: int, low_ns: int, high_ns: int) -> int:
    """Return the offset of rank ceil(percent x n / 100) in ns, kept within [low_ns, high_ns].

    bins  int64[2 x HALF], n counts by bin in ascending order of offset, n above 0
    """
    rank = max(1, -(-percent * int(bins.sum()) // 100))
    place = int(np.searchsorted(np.cumsum(bins), rank))
    return min(max(middle_ns(place), low_ns), high_ns)
