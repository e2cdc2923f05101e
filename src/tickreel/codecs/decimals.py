"""Decimal numbers on their way from text to a block: integer mantissas with a scale of their own.

`Decimals` holds each value as mantissa / 10^scale, exactly as the text said, trailing zeros
stripped, so that neither batches nor blocks change what is stored. What does not fit a float64's
53 bits that way holds the bits of the float64 nearest to the text instead (scale FLOAT_BITS).
"""

from dataclasses import dataclass

import numpy as np

MAX_MANTISSA = 2**53
SURE_MANTISSA = 10**15
MAX_SCALE = 22
"""10^22 is the largest power of ten that a float64 holds exactly, so one division rounds once."""

POWERS = np.array([float(f"1e{k}") for k in range(MAX_SCALE + 1)])

INVERSES = 1.0 / POWERS
"""The float64 nearest to each power's inverse."""

NULL_MANTISSA = np.iinfo(np.int64).min
FLOAT_BITS = 127
"""The scale of a value kept as the bits of its float64; an empty cell is NULL_MANTISSA, scale 0."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """mantissa int64[n], scale int8[n] (0..22, or FLOAT_BITS)."""

    mantissa: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.mantissa)

    def __getitem__(self, rows: slice | np.ndarray) -> "Decimals":
        return Decimals(self.mantissa[rows], self.scale[rows])

    def to_floats(self) -> np.ndarray:
        """Return float64[n], the nearest to each text; NaN for empty cells."""
        floats = self.mantissa / POWERS[np.where(self.scale == FLOAT_BITS, 0, self.scale)]
        floats[self.mantissa == NULL_MANTISSA] = np.nan
        as_bits = self.scale == FLOAT_BITS
        floats[as_bits] = self.mantissa[as_bits].view(np.float64)
        return floats

    def canonical(self) -> "Decimals":
        """Return the same float64s with the digits of their shortest texts.

        Up to 15 digits a float64 tells which they were; of 16 it may not, and a block that falls back
        to floats would give others when its rows are written again.
        """
        from tickreel.codecs.decimal_kernel import extremes

        least, most = extremes(self.mantissa) if len(self) else (0, 0)
        if least > -SURE_MANTISSA and most < SURE_MANTISSA:
            return self
        unsure = (np.abs(self.mantissa) >= SURE_MANTISSA) & (self.scale != FLOAT_BITS)
        if not unsure.any():
            return self
        mantissa, scale = self.mantissa.copy(), self.scale.copy()
        sure = from_floats(self[unsure].to_floats())
        mantissa[unsure], scale[unsure] = sure.mantissa, sure.scale
        return Decimals(mantissa, scale)

    def to_integers(self) -> tuple[np.ndarray, int, tuple[int, int]] | None:
        """Return (int64[n], k, bounds of the integers), value = integer / 10^k, or None if no k holds all exactly."""
        from tickreel.codecs.decimal_kernel import align

        scale = int(self.scale.max(initial=0))
        if scale > MAX_SCALE:
            return None
        integers = np.empty(len(self), np.int64)
        fits, least, greatest = align(self.mantissa, self.scale, scale, integers)
        return (integers, scale, (int(least), int(greatest))) if fits else None

    @staticmethod
    def concatenate(parts: "list[Decimals]") -> "Decimals":
        if len(parts) == 1:
            return parts[0]
        return Decimals(np.concatenate([p.mantissa for p in parts]), np.concatenate([p.scale for p in parts]))


def from_integers(integers: np.ndarray, scale: int) -> Decimals:
    """Return the Decimals of integer / 10^scale, trailing zeros stripped."""
    from tickreel.codecs.decimal_kernel import strip

    mantissa = np.array(integers, np.int64)
    scales = np.full(len(mantissa), scale, np.int8)
    strip(mantissa, scales)
    return Decimals(mantissa, scales)


def from_floats(values: np.ndarray) -> Decimals:
    """Return the Decimals of the shortest text of each float64: exact, one Python call a row."""
    mantissa = np.empty(len(values), np.int64)
    scale = np.zeros(len(values), np.int8)
    for row, value in enumerate(values.tolist()):
        mantissa[row], scale[row] = parse_decimal(repr(value))
    return Decimals(mantissa, scale)


def parse_decimal(text: str) -> tuple[int, int]:
    """Return (mantissa, scale) of decimal text: the slow twin of the parsing kernel.

    Empty text and NaN are null. Raises ValueError if it is no number.
    """
    from decimal import Decimal, InvalidOperation

    if text in ("", "nan"):
        return NULL_MANTISSA, 0
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not isinstance(exponent, int):
        raise ValueError(f"{text!r} is not finite")
    mantissa = int("".join(map(str, digits)))
    while mantissa and mantissa % 10 == 0 and exponent < 0:
        mantissa, exponent = mantissa // 10, exponent + 1
    if mantissa == 0:
        exponent = 0
    if 0 < exponent <= 16:
        mantissa, exponent = mantissa * 10**exponent, 0
    exact = mantissa < MAX_MANTISSA and -MAX_SCALE <= exponent <= 0 and not (sign and mantissa == 0)
    if exact:
        return (-mantissa if sign else mantissa), -exponent
    nearest = float(text)
    if nearest in (float("inf"), float("-inf")):
        raise ValueError(f"{text!r} is beyond the range of a float64")
    if repr(nearest) != text:
        return parse_decimal(repr(nearest))
    return int(np.float64(nearest).view(np.int64)), FLOAT_BITS
