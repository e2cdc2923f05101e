"""Few distinct small values (sides, flags) as bit planes over a dictionary.

Layout: u8 count of distinct values d (0 stands for 256, unless there are no values at all), the d
values ascending, then ceil(log2 d) planes; plane p holds bit p of each value's position in the
dictionary, eight values a byte, first value in the highest bit.
"""

import numpy as np

from tickreel.errors import CorruptionError

NAME, ID = "planes", 3


def encode(values: np.ndarray) -> bytes:
    present = np.flatnonzero(np.bincount(values, minlength=256)).astype(np.uint8)
    position = np.zeros(256, np.uint8)
    position[present] = np.arange(len(present), dtype=np.uint8)
    index = position[values]
    planes = [np.packbits((index >> plane) & 1).tobytes() for plane in range(_width(len(present)))]
    return bytes([len(present) & 0xFF]) + present.tobytes() + b"".join(planes)


def decode(data: memoryview, out: np.ndarray) -> None:
    distinct = data[0] if len(data) else 0
    if distinct == 0 and len(out):
        distinct = 256
    width = _width(distinct)
    stride = -(-len(out) // 8)
    if len(data) != 1 + distinct + width * stride:
        raise CorruptionError(f"planes: {len(data)} bytes for {len(out)} values of {distinct} kinds")
    dictionary = np.zeros(1 << width, np.uint8)
    dictionary[:distinct] = np.frombuffer(data[1 : 1 + distinct], np.uint8)
    out[:] = 0
    for plane in range(width):
        start = 1 + distinct + plane * stride
        bits = np.unpackbits(np.frombuffer(data[start : start + stride], np.uint8), count=len(out))
        out |= bits << np.uint8(plane)
    if len(out) and int(out.max()) >= distinct:
        raise CorruptionError(f"planes: a value beyond the {distinct} of the dictionary")
    out[:] = dictionary[out]


def _width(distinct: int) -> int:
    return max(distinct - 1, 0).bit_length()
