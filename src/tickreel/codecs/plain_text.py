"""Any text: one zstd frame of the lengths (u8 each), then the bytes of all values."""

import numpy as np
import zstandard

from tickreel.errors import CorruptionError

NAME, ID = "plain_text", 6
MAX_LENGTH = 255
_MAX_WINDOW_BYTES = 1 << 23


def encode(values: np.ndarray) -> bytes | None:
    lengths = np.strings.str_len(values)
    if lengths.max(initial=0) > MAX_LENGTH:
        return None
    body = lengths.astype(np.uint8).tobytes() + b"".join(values.tolist())
    return zstandard.ZstdCompressor(level=3, write_checksum=False, write_content_size=True).compress(body)


def decode(data: memoryview, out: np.ndarray) -> None:
    count, width = len(out), out.dtype.itemsize
    try:
        size = zstandard.frame_content_size(data)
        zstd = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        # The lengths alone first: a forged frame is refused before its body is inflated.
        with zstd.stream_reader(data) as start:
            lengths = np.frombuffer(start.read(count), np.uint8)
        if len(lengths) != count or size != count + int(lengths.sum()) or lengths.max(initial=0) > width:
            raise CorruptionError(
                f"plain_text: {size} bytes do not fit {count} values of at most {width} bytes"
            )
        body = zstd.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptionError(f"plain_text: {error}") from None
    letters = np.zeros((count, width), np.uint8)
    letters[np.arange(width) < lengths[:, None]] = np.frombuffer(body, np.uint8, offset=count)
    out[:] = letters.reshape(-1).view(out.dtype)
