"""Few distinct small values (sides, flags) as bit planes over a dictionary.

Layout: u8 count of distinct values d (0 stands for 256, unless there are no values at all), the d
values ascending, then ceil(log2 d) planes; plane p holds bit p of each value's position in the
dictionary, eight values a byte, first value in the highest bit.
"""

from operator import ge

import numpy as np

from tickreel.errors import CorruptionError

NAME, ID = "planes", 3

_SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)).view(np.uint64)
"""For each byte its bits, first the highest, as eight bytes."""


def encode(values: np.ndarray) -> bytes:
    # A pass for each value: there are few, and a pass over bytes is short.
    found = ((value, values == value) for value in range(int(values.max(initial=0)) + 1))
    present = [(value, where) for value, where in found if where.any()]
    planes = []
    for plane in range(_width(len(present))):
        bits = np.zeros(len(values), np.bool_)
        for place, (_, where) in enumerate(present):
            if place >> plane & 1:
                bits |= where
        planes.append(np.packbits(bits).tobytes())
    return bytes([len(present) & 0xFF, *(value for value, _ in present)]) + b"".join(planes)


def decode(data: memoryview, out: np.ndarray) -> None:
    distinct = data[0] if len(data) else 0
    if distinct == 0 and len(out):
        distinct = 256
    width = _width(distinct)
    stride = -(-len(out) // 8)
    if len(data) != 1 + distinct + width * stride:
        raise CorruptionError(f"planes: {len(data)} bytes for {len(out)} values of {distinct} kinds")
    dictionary = np.frombuffer(data[1 : 1 + distinct], np.uint8)
    words = dictionary.tolist()
    if any(map(ge, words, words[1:])):
        raise CorruptionError("planes: the words of the dictionary do not ascend")
    eights = np.zeros(stride, np.uint64)
    for plane in range(width):
        start = 1 + distinct + plane * stride
        bits = np.take(_SPREAD, np.frombuffer(data[start : start + stride], np.uint8), mode="clip")
        eights |= bits << np.uint64(plane) if plane else bits
    place = eights.view(np.uint8)[: len(out)]
    if distinct < 1 << width and len(out) and int(place.max()) >= distinct:
        raise CorruptionError(f"planes: a value beyond the {distinct} of the dictionary")
    if width == 1:
        # Arithmetic on bytes takes a tenth of the time of looking them up.
        low, high = words
        np.multiply(place, np.uint8(high - low), out=out)
        out += np.uint8(low)
    else:
        out[:] = dictionary[place] if distinct else 0


def _width(distinct: int) -> int:
    return max(distinct - 1, 0).bit_length()
