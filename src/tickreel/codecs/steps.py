"""Integers as multiples of their greatest common step: how `patched` and `stepped` begin."""

import numpy as np

_RANGE = 2**62


def common_steps(
    values: np.ndarray, bounds: tuple[int, int] | None = None
) -> tuple[int, int, np.ndarray] | None:
    """Return (base, step, int64[n]), value = base + step x number, none negative.

    bounds  the least and the greatest of the values, where they are known
    None for what is not int64, for no values and for values 2^62 or more apart.
    """
    from tickreel.codecs.decimal_kernel import extremes
    from tickreel.codecs.patched_encode_kernel import steps_from

    if values.dtype != np.int64 or not len(values):
        return None
    base, most = bounds or map(int, extremes(values))
    if most - base >= _RANGE:
        return None
    steps = np.empty(len(values), np.int64)
    return base, int(steps_from(values, base, steps)), steps
