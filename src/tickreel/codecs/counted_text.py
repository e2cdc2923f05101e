"""Text that is a whole number, most often one more than the row before, as the trade ids of a symbol are on many venues.

The first number and where another step than one is taken; FORMAT.md has the layout.
"""

import numpy as np

from tickreel.codecs import number_text
from tickreel.errors import CorruptionError

NAME, ID = "counted_text", 8
_HEAD = 3
_SELDOM = 1_024
"""One row in so many may take another step: of more, pcodec makes fewer bytes."""


def encode(values: np.ndarray) -> bytes | None:
    """None if a text is no canonical whole number, or they do not count up; int64[n] are such texts."""
    from tickreel.codecs.text_kernel import count_jumps

    numbers = number_text.to_numbers(values)
    if numbers is None or not len(numbers):
        return None
    if count_jumps(numbers) * _SELDOM > len(numbers):
        return None
    jumps = np.flatnonzero(numbers[1:] - numbers[:-1] != 1) + 1
    head = numbers[0], len(numbers), len(jumps)
    return np.concatenate([head, jumps, numbers[jumps] - numbers[jumps - 1]]).tobytes()


def decode(data: memoryview, out: np.ndarray) -> None:
    numbers = np.empty(len(out), np.int64)
    decode_numbers(data, numbers)
    number_text.write_texts(numbers, out, NAME)


def decode_numbers(data: memoryview, out: np.ndarray) -> None:
    """Fill `out`, int64[n], with the numbers themselves."""
    longs = np.frombuffer(data, np.int64) if len(data) % 8 == 0 else np.empty(0, np.int64)
    first, rows, count = longs[:_HEAD].tolist() if len(longs) >= _HEAD else (0, 0, 0)
    if not rows or rows != len(out) or len(longs) != _HEAD + 2 * count:
        raise CorruptionError(f"counted_text: {len(data)} bytes are no {len(out)} numbers")
    jumps, steps = longs[_HEAD : _HEAD + count], longs[_HEAD + count :]
    if count and (jumps[0] < 1 or jumps[-1] >= rows or (jumps[1:] <= jumps[:-1]).any()):
        raise CorruptionError("counted_text: steps to rows that do not ascend within the block")
    out[:] = 1
    out[0], out[jumps] = first, steps
    np.cumsum(out, out=out)
