"""Integers, floats and small words by pcodec: within some 13 % of the order-0 entropy on real tick data.

Format: https://github.com/pcodec/pcodec (standalone file of one chunk).
"""

import numpy as np
from pcodec import ChunkConfig, standalone

from tickreel.errors import CorruptionError

NAME, ID = "pco", 2
_LEVEL = 8


def encode(values: np.ndarray) -> bytes:
    config = ChunkConfig(compression_level=_LEVEL, enable_8_bit=values.dtype == np.uint8)
    return standalone.simple_compress(np.ascontiguousarray(values), config)


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
