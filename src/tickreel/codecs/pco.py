"""Integers, floats and small words by pcodec: within some 13 % of the order-0 entropy on real tick data.

Format: https://github.com/pcodec/pcodec (standalone file of one chunk).
"""

import numpy as np
from pcodec import ChunkConfig, DeltaSpec, standalone

from tickreel.errors import CorruptionError

NAME, ID = "pco", 2
_LEVEL = 8
_FALLS = 64
"""A block in which at most one value in so many is less than the one before: times and ids mostly are."""


def encode(values: np.ndarray) -> bytes:
    # What rises is kept as distances: pcodec comes to that, too, but trying the others takes it as long again.
    delta = DeltaSpec.try_consecutive(1) if _rises(values) else DeltaSpec.auto()
    config = ChunkConfig(compression_level=_LEVEL, delta_spec=delta, enable_8_bit=values.dtype == np.uint8)
    return standalone.simple_compress(np.ascontiguousarray(values), config)


def _rises(values: np.ndarray) -> bool:
    if values.dtype.kind != "i":
        return False
    return int(np.count_nonzero(values[1:] < values[:-1])) * _FALLS <= len(values)


def decode(data: memoryview, out: np.ndarray) -> None:
    try:
        progress = standalone.simple_decompress_into(bytes(data), out)
        whole = progress.n_processed == len(out) and progress.finished
    except (RuntimeError, TypeError) as error:
        raise CorruptionError(f"pco: {error}") from None
    except BaseException as error:
        # A panic of the Rust library derives from BaseException alone; others go through.
        if type(error).__name__ != "PanicException":
            raise
        raise CorruptionError(f"pco: {error}") from None
    if not whole:
        raise CorruptionError(f"pco: more or fewer values than the {len(out)} that belong")
