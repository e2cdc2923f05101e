"""One value for the whole block."""

import numpy as np

from tickreel.errors import CorruptionError

NAME, ID = "constant", 1


def encode(values: np.ndarray) -> bytes | None:
    """Bytes of the first value if all are the same bits; so -0.0 and NaN payloads survive."""
    if not len(values):
        return None
    width = values.dtype.itemsize
    if width in (1, 2, 4, 8):
        values = np.ascontiguousarray(values).view(f"u{width}")
    # The first and the last value tell of most blocks.
    same = bool(values[0] == values[-1] and (values == values[0]).all())
    return np.ascontiguousarray(values[:1]).tobytes() if same else None


def decode(data: memoryview, out: np.ndarray) -> None:
    if len(data) != out.dtype.itemsize:
        raise CorruptionError(f"constant: {len(data)} bytes for a value of {out.dtype.itemsize}")
    out[:] = np.frombuffer(data, out.dtype)[0]
