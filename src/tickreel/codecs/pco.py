"""Integers, floats and small words by pcodec: within some 13 % of the order-0 entropy on real tick data.

Format: https://github.com/pcodec/pcodec (standalone file of one chunk).
"""

import numpy as np
from pcodec import ChunkConfig, DeltaSpec, standalone, wrapped

from tickreel.errors import CorruptionError

NAME, ID = "pco", 2
_LEVEL = 8
_FALLS = 64
"""A block in which at most one value in so many is less than the one before: times and ids mostly are."""
_VERSION = 3
"""Of the standalone file; a later one is the library's to judge."""
_TYPES = {"i8": (4, "i64"), "i4": (3, "i32"), "f8": (6, "f64"), "u1": (10, "u8")}
"""By kind and size of an array's numbers: pcodec's number and name of their type."""
_HEADER_BYTES, _META_BYTES = 16, 1 << 13
"""What is handed to the library for a header, and for what precedes a chunk's values: mostly enough."""


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
        whole = _decode_file(data, out)
    except (RuntimeError, TypeError, IndexError) as error:
        raise CorruptionError(f"pco: {error}") from None
    except BaseException as error:
        # A panic of the Rust library derives from BaseException alone; others go through.
        if type(error).__name__ != "PanicException":
            raise
        raise CorruptionError(f"pco: {error}") from None
    if not whole:
        raise CorruptionError(f"pco: {len(data)} bytes are not one chunk of {len(out)} values alone")


def _decode_file(data: memoryview, out: np.ndarray) -> bool:
    """Fill `out`; return whether the file holds one chunk of as many values, and nothing lies behind it.

    The library reads a file to its end and says nothing of what follows. So the file is taken apart here:
    magic, version, the type or 0, in six bits how many bits less one, in so many the number of values; what
    pcodec calls a wrapped file, with type and count before its chunk; a zero.
    """
    if bytes(data[:4]) != b"pco!" or data[4] != _VERSION:
        progress = standalone.simple_decompress_into(bytes(data), out)
        return data[4] > _VERSION and progress.finished and progress.n_processed == len(out)
    number, name = _TYPES[out.dtype.str[1:]]
    bits = 6 + 1 + (data[6] & 63)
    at = 6 + -(-bits // 8)
    if data[5] not in (0, number) or int.from_bytes(data[6:at], "little") >> bits:
        return False
    file, read = wrapped.FileDecompressor.new(bytes(data[at : at + _HEADER_BYTES]))
    at += read
    if len(out):
        if data[at] != number or int.from_bytes(data[at + 1 : at + 4], "little") + 1 != len(out):
            return False
        rest = data[at + 4 :]
        try:
            chunk, read = file.chunk_decompressor(bytes(rest[:_META_BYTES]), name)
        except RuntimeError:
            chunk, read = file.chunk_decompressor(bytes(rest), name)
        progress, length = chunk.read_page_into(bytes(rest[read:]), len(out), out)
        at += 4 + read + length
        if not progress.finished:
            return False
    return bytes(data[at:]) == b"\0"
