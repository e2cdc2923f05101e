"""Text that is a whole number ("7294395046", as most trade ids) kept as an integer.

Only canonical numbers are taken (no sign, no leading zero, at most 18 digits), so the text
comes back to the letter.
"""

import numpy as np

from tickreel.codecs import pco
from tickreel.errors import CorruptionError

NAME, ID = "number_text", 4
MAX_DIGITS = 18


def encode(values: np.ndarray) -> bytes | None:
    numbers = to_numbers(values)
    return None if numbers is None else pco.encode(numbers)


def decode(data: memoryview, out: np.ndarray) -> None:
    from tickreel.codecs.text_kernel import format_numbers

    numbers = np.empty(len(out), np.int64)
    decode_numbers(data, numbers)
    if not format_numbers(numbers, _letters(out)):
        digits = min(out.dtype.itemsize, MAX_DIGITS)
        raise CorruptionError(f"number_text: a number is negative or longer than {digits} digits")


def decode_numbers(data: memoryview, out: np.ndarray) -> None:
    """Fill `out`, int64[n], with the numbers themselves."""
    pco.decode(data, out)


def to_numbers(values: np.ndarray) -> np.ndarray | None:
    """Return int64[n] if every text is a canonical whole number, else None."""
    from tickreel.codecs.text_kernel import parse_numbers

    numbers = np.empty(len(values), np.int64)
    return numbers if parse_numbers(_letters(values), numbers) else None


def _letters(values: np.ndarray) -> np.ndarray:
    """View texts "S<w>"[n] as uint8[n, w], without a copy when contiguous."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)
