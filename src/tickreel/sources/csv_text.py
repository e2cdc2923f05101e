"""Rows back to the text of Tardis' CSV files: its header, microseconds, shortest decimals, empty cells."""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from tickreel.codecs.decimals import FLOAT_BITS, MAX_SCALE, NULL_MANTISSA
from tickreel.schema import NULL_TIME, Kind, RecordType
from tickreel.store.reader import Segment

NUMBER_WIDTH = 26
_EXACT_DIGITS = 10**15
"""Below this every stored decimal is the shortest text of its float64 once its zeros are stripped."""


def header(record: RecordType) -> bytes:
    """Return the header line."""
    return ",".join(record.csv_header).encode() + b"\n"


def csv_lines(
    segment: Segment, record: RecordType, block: int, rows: slice, exchange: str, symbol: str
) -> bytes:
    """Return some rows of a block, all of one symbol, as CSV lines of the shape `record`."""
    from tickreel.sources.csv_text_kernel import place_cells

    count = rows.stop - rows.start
    cells = [_constant(f"{exchange},{symbol}", count)]
    columns = sorted(
        (column for column in record.columns if column.csv),
        key=lambda column: record.csv_header.index(column.csv or ""),
    )
    for column in columns:
        cells.append(_cells(segment, column.name, column.kind, column.choices, block, rows))
    lengths = [np.strings.str_len(cell).astype(np.int64) for cell in cells]
    widths = np.sum(lengths, axis=0) + len(cells)
    ends = np.cumsum(widths)
    out = np.empty(int(ends[-1]) if count else 0, np.uint8)
    at = ends - widths
    for place, (cell, length) in enumerate(zip(cells, lengths, strict=True)):
        separator = ord("\n") if place == len(cells) - 1 else ord(",")
        letters = np.ascontiguousarray(cell).view(np.uint8).reshape(count, cell.dtype.itemsize)
        place_cells(out, at, letters, length, separator)
        at = at + length + 1
    return out.tobytes()


def number_texts(integers: np.ndarray, scale: int) -> np.ndarray:
    """Return "S26"[n]: the shortest decimal that reads back as the float64 nearest integer / 10^scale.

    Written as JavaScript does, and so Tardis: 0.00001, but 1e-7. Nulls are empty. A scale of
    FLOAT_BITS takes the integers as the bits of float64.
    """
    from tickreel.sources.csv_text_kernel import format_decimals

    letters = np.zeros((len(integers), NUMBER_WIDTH), np.uint8)
    texts = letters.reshape(-1).view(f"S{NUMBER_WIDTH}")
    if 0 <= scale <= 18:
        simple = (np.abs(integers) < _EXACT_DIGITS) & (integers != NULL_MANTISSA)
        format_decimals(np.where(simple, integers, 0), scale, letters)
        rest: Iterable[int] = np.flatnonzero(~simple).tolist()
    else:
        rest = range(len(integers))
    for row in rest:
        texts[row] = _long_number(int(integers[row]), scale)
    return texts


def float_text(value: float) -> str:
    """Return the shortest decimal of a float64 as JavaScript prints it; NaN is empty."""
    if value != value:
        return ""
    sign, figures, power = Decimal(repr(value)).as_tuple()
    number = "".join(map(str, figures)).rstrip("0") or "0"
    point = len(figures) + int(power)
    lead = "-" if sign and number != "0" else ""
    if number == "0":
        return "-0" if sign else "0"
    if -6 < point <= 21:
        if point <= 0:
            return f"{lead}0.{'0' * -point}{number}"
        if len(number) <= point:
            return f"{lead}{number}{'0' * (point - len(number))}"
        return f"{lead}{number[:point]}.{number[point:]}"
    tail = f".{number[1:]}" if len(number) > 1 else ""
    return f"{lead}{number[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _long_number(integer: int, scale: int) -> bytes:
    # Bits come first: those of -0.0 are the integer that else stands for an empty cell.
    if scale == FLOAT_BITS:
        return float_text(float(np.int64(integer).view(np.float64))).encode()
    if integer == NULL_MANTISSA:
        return b""
    return float_text(integer / 10 ** min(scale, MAX_SCALE)).encode()


def _cells(
    segment: Segment, name: str, kind: Kind, choices: tuple[str, ...], block: int, rows: slice
) -> np.ndarray:
    if name not in segment.record.places:
        return _constant("", rows.stop - rows.start)
    if kind is Kind.DECIMAL:
        integers, scale = segment.integers(name, block)
        return number_texts(integers[rows], scale)
    values = segment.read(name, block)[rows]
    if kind is Kind.TIME:
        micros = np.where(values == NULL_TIME, NULL_MANTISSA, values // 1000)
        return _whole_numbers(micros)
    if kind is Kind.ENUM:
        return np.array([choice.encode() for choice in choices])[values]
    return values


def _whole_numbers(values: np.ndarray) -> np.ndarray:
    from tickreel.sources.csv_text_kernel import format_decimals

    letters = np.zeros((len(values), NUMBER_WIDTH), np.uint8)
    format_decimals(np.where(values == NULL_MANTISSA, 0, values), 0, letters)
    texts = letters.reshape(-1).view(f"S{NUMBER_WIDTH}")
    texts[values == NULL_MANTISSA] = b""
    return texts


def _constant(text: str, count: int) -> np.ndarray:
    return np.full(count, text.encode("utf-8", "surrogateescape"))
