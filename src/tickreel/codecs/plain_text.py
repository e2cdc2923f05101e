"""Any text: one zstd frame of the lengths (u8 each), then the bytes of all values."""

import numpy as np
import zstandard

from tickreel.errors import CorruptionError

NAME, ID = "plain_text", 6
MAX_LENGTH = 255


def encode(values: np.ndarray) -> bytes:
    lengths = np.strings.str_len(values).astype(np.uint8)
    body = lengths.tobytes() + b"".join(values.tolist())
    return zstandard.ZstdCompressor(level=3, write_checksum=False, write_content_size=True).compress(body)


def decode(data: memoryview, out: np.ndarray) -> None:
    width = out.dtype.itemsize
    body = _decompress(data, len(out) * (1 + width))
    lengths = np.frombuffer(body[: len(out)], np.uint8).astype(np.int64)
    if len(lengths) != len(out) or len(body) != len(out) + lengths.sum() or (lengths > width).any():
        raise CorruptionError(f"plain_text: lengths do not fit {len(out)} values of at most {width} bytes")
    letters = np.zeros((len(out), width), np.uint8)
    letters[np.arange(width) < lengths[:, None]] = np.frombuffer(body[len(out) :], np.uint8)
    out[:] = letters.reshape(-1).view(out.dtype)


def _decompress(data: memoryview, limit: int) -> bytes:
    """Decompress at most `limit` bytes: a forged frame cannot make us allocate more."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= limit:
            raise CorruptionError(f"plain_text: frame of {size} bytes where at most {limit} belong")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise CorruptionError(f"plain_text: {error}") from None
