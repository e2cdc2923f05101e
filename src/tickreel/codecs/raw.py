"""Values as they lie in memory, little-endian: the codec of zero-copy views."""

import numpy as np

from tickreel.errors import CorruptionError

NAME, ID = "raw", 0


def encode(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values).tobytes()


def decode(data: memoryview, out: np.ndarray) -> None:
    if len(data) != out.nbytes:
        raise CorruptionError(f"raw: {len(data)} bytes for {out.nbytes}")
    out.view(np.uint8)[:] = np.frombuffer(data, np.uint8)
