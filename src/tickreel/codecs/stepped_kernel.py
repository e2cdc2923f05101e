"""The kernel of the codec stepped."""

import numpy as np

from tickreel.jit import kernel


@kernel
def multiples(steps, base, step, out):
    """Write base + step x each of `steps`, int32[n], to `out`, int64[n]."""
    for row in range(steps.shape[0]):
        out[row] = base + step * np.int64(steps[row])
