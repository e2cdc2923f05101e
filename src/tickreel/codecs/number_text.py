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
    """None if a text is no canonical whole number; int64[n] are such texts."""
    numbers = to_numbers(values)
    return None if numbers is None else pco.encode(numbers)


def decode(data: memoryview, out: np.ndarray) -> None:
    numbers = np.empty(len(out), np.int64)
    decode_numbers(data, numbers)
    write_texts(numbers, out, NAME)


def write_texts(numbers: np.ndarray, out: np.ndarray, codec: str) -> None:
    """Write the text of each number. Raises CorruptionError, in the name of a codec, if one is not of a number."""
    from tickreel.codecs.text_kernel import format_numbers

    if not format_numbers(numbers, _letters(out)):
        digits = min(out.dtype.itemsize, MAX_DIGITS)
        raise CorruptionError(f"{codec}: a number is negative or longer than {digits} digits")


def decode_numbers(data: memoryview, out: np.ndarray) -> None:
    """Fill `out`, int64[n], with the numbers themselves."""
    pco.decode(data, out)


def to_numbers(values: np.ndarray) -> np.ndarray | None:
    """Return int64[n] if every text is a canonical whole number, else None; numbers are returned as they are."""
    from tickreel.codecs.text_kernel import parse_numbers

    if values.dtype == np.int64:
        return values
    numbers = np.empty(len(values), np.int64)
    return numbers if parse_numbers(_letters(values), numbers) else None


def to_texts(numbers: np.ndarray) -> np.ndarray:
    """Return "S<w>"[n], the text of each number of 0 to 18 digits; w is what the longest needs."""
    from tickreel.codecs.text_kernel import format_numbers

    texts = np.empty(len(numbers), f"S{width(numbers)}")
    assert format_numbers(numbers, _letters(texts))
    return texts


def width(texts: np.ndarray) -> int:
    """Return how many bytes the longest of some texts, or of some numbers as texts, has; 1 at least."""
    if texts.dtype == np.int64:
        return len(str(int(texts.max(initial=0))))
    if len(texts) and _letters(texts)[:, -1].any():
        return texts.dtype.itemsize
    return max(1, int(np.strings.str_len(texts).max(initial=0)))


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Return parts of a column one after the other; texts as numbers if all parts are, else as "S<w>" of the widest."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len({part.dtype == np.int64 for part in parts}) == 2:
        parts = [to_texts(part) if part.dtype == np.int64 else part for part in parts]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _letters(values: np.ndarray) -> np.ndarray:
    """View texts "S<w>"[n] as uint8[n, w], without a copy when contiguous."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)
