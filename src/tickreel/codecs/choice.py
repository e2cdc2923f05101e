"""Which codec a column of a segment is sealed with, for a declared purpose."""

from types import ModuleType
from typing import Literal, get_args

import numpy as np

from tickreel.codecs import (
    constant,
    counted_text,
    number_text,
    patched,
    pco,
    plain_text,
    planes,
    raw,
    stepped,
    uuid_text,
)
from tickreel.errors import InputError, UsageError
from tickreel.schema import Kind

Purpose = Literal["size", "balanced", "speed", "plain"]
"""size: the fewest bytes. speed: what decodes fastest. plain: numbers as they lie in memory, for views
without a copy. balanced: speed in the columns that strategies and scans read most, for up to half as many
bytes again as the smallest codec needs, or one bit more a value; the fewest bytes in the others, and in
blocks of few rows."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

_WORTH = 1.5
"""How many times the bytes of pcodec a column that is read often may take for being decoded faster."""
_WORTH_BITS = 1
"""Or how many bits a value: half of next to nothing is nothing, and prices that seldom move take a quarter byte."""
_WORTH_OF_WORDS = 2.0
"""The same of columns of words, which take an eighth of a byte or less: long runs of one word go to pcodec."""
_FEW = 1 << 15
"""Rows of a block. One of fewer is most often its whole segment, which takes longer to open than to decode."""
_OF_BOUNDS = (patched, stepped)
"""They ask for the least and the greatest value first."""
_TEXTS = (counted_text, number_text, uuid_text, plain_text)


def check_purpose(text: str, option: str) -> Purpose:
    """Return the purpose of that name. Raises UsageError."""
    for purpose in PURPOSES:
        if purpose == text:
            return purpose
    raise UsageError(f"{option} {text}: it must be one of {', '.join(PURPOSES)}")


class Choice:
    """Encodes the blocks of one column of a segment.

    often  whether most readers want the column
    The codec of a column of numbers is measured on its first block that is not constant, and kept for
    the others where it holds them: encoding twice costs more than blocks of one column differ.
    """

    def __init__(self, kind: Kind, purpose: Purpose, *, often: bool) -> None:
        self._kind, self._purpose, self._often = kind, purpose, often
        self._codecs: tuple[ModuleType, ...] | None = None

    def encode(self, values: np.ndarray, bounds: tuple[int, int] | None = None) -> tuple[int, bytes]:
        """Return (codec id, bytes). Raises InputError for texts longer than plain_text.MAX_LENGTH.

        values  texts may be int64[n], as of number_text
        bounds  the least and the greatest of integers, where they are known; of floats and texts anything
        """
        if self._kind is Kind.TEXT:
            numbers = number_text.to_numbers(values)
            if numbers is not None and numbers[0] != numbers[-1]:
                return _first((counted_text, number_text), numbers, bounds)
            values = values if values.dtype.kind == "S" else number_text.to_texts(values)
            return _first((constant, *_TEXTS), values, bounds)
        if self._purpose == "plain":
            return raw.ID, raw.encode(values)
        if (data := constant.encode(values)) is not None:
            return constant.ID, data
        if self._codecs is None:
            return self._measure(values, bounds)
        return _first(self._codecs, values, bounds)

    def _measure(self, values: np.ndarray, bounds: tuple[int, int] | None) -> tuple[int, bytes]:
        codec: ModuleType = stepped
        data = stepped.encode(values, bounds)
        # They differ by a hundredth at most.
        if data is None or self._purpose == "size":
            other = pco.encode(values)
            if data is None or len(other) < len(data):
                codec, data = pco, other
        self._codecs = (codec, pco)
        quick = planes if self._kind is Kind.ENUM else patched
        fast = _encoded(quick, values, bounds)
        if fast is not None and len(fast) <= self._worth(data, len(values)):
            self._codecs = (quick, *self._codecs)
            return quick.ID, fast
        return codec.ID, data

    def _worth(self, small: bytes, rows: int) -> float:
        """Return how many bytes fast decoding is worth where pcodec needs those."""
        if self._purpose == "speed":
            return float("inf")
        if self._purpose == "size":
            return len(small)
        if self._kind is Kind.ENUM:
            return _WORTH_OF_WORDS * len(small)
        if self._often and rows >= _FEW:
            return max(_WORTH * len(small), len(small) + _WORTH_BITS * rows / 8)
        return len(small)


def _encoded(codec: ModuleType, values: np.ndarray, bounds: tuple[int, int] | None) -> bytes | None:
    return codec.encode(values, bounds) if codec in _OF_BOUNDS else codec.encode(values)


def _first(
    codecs: tuple[ModuleType, ...], values: np.ndarray, bounds: tuple[int, int] | None
) -> tuple[int, bytes]:
    """Return the id and bytes of the first codec that holds the values."""
    for codec in codecs:
        data = _encoded(codec, values, bounds)
        if data is not None:
            return codec.ID, data
    raise InputError(f"no codec holds these texts: up to {plain_text.MAX_LENGTH} bytes fit")
