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
    decode_rows(data, len(out), 0, out)


def decode_rows(data: memoryview, rows: int, start: int, out: np.ndarray) -> None:
    """Write the values [start, start + len(out)) of the `rows` that were encoded."""
    distinct = data[0] if len(data) else 0
    if distinct == 0 and rows:
        distinct = 256
    width, stride = _width(distinct), -(-rows // 8)
    if len(data) != 1 + distinct + width * stride:
        raise CorruptionError(f"planes: {len(data)} bytes for {rows} values of {distinct} kinds")
    words = data[1 : 1 + distinct]
    if any(map(ge, words, words[1:])):
        raise CorruptionError("planes: the words of the dictionary do not ascend")
    if not len(out):
        return
    first, last = start // 8, -(-(start + len(out)) // 8)
    if distinct == 2:
        _decode_two(words, np.frombuffer(data, np.uint8, last - first, 3 + first), start % 8, out)
        return
    dictionary = np.frombuffer(words, np.uint8)
    planes = np.frombuffer(data, np.uint8, offset=1 + distinct).reshape(width, stride)[:, first:last]
    eights = np.zeros(last - first, np.uint64)
    for plane in range(width):
        eights |= np.take(_SPREAD, planes[plane], mode="clip") << np.uint64(plane)
    places = eights.view(np.uint8)[start % 8 :][: len(out)]
    if distinct < 1 << width and int(places.max()) >= distinct:
        raise CorruptionError(f"planes: a value beyond the {distinct} of the dictionary")
    out[:] = dictionary[places]


def _decode_two(words: memoryview, bits: np.ndarray, skip: int, out: np.ndarray) -> None:
    """Write what bits say of two words, but for the first `skip`."""
    from tickreel.codecs.planes_kernel import two_values

    if not (skip or len(out) % 8) and (eights := out.view(np.uint64)).flags.aligned:
        two_values(bits, _SPREAD, words[0], words[1], eights)
        return
    eights = np.empty(len(bits), np.uint64)
    two_values(bits, _SPREAD, words[0], words[1], eights)
    out[:] = eights.view(np.uint8)[skip:][: len(out)]


def _width(distinct: int) -> int:
    return max(distinct - 1, 0).bit_length()
