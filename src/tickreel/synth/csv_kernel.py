"""Writes trades as CSV text into a byte buffer.

The masks change no value: they tell the compiler that a number or place is not negative, which
spares it the checks for that (a third of the time).
"""

import numpy as np

from tickreel.codecs.digits_kernel import count_digits, put_decimal, put_digits
from tickreel.jit import inlined, kernel
from tickreel.synth.records_kernel import U8, Rows

_VALUE = 0x7FFFFFFFFFFFFFFF
_PLACE = 0xFFFFFFFF
_SIDES = np.frombuffer(b",unknown,,buy,,sell,", np.uint8)
_SIDE_STARTS = np.array([0, 9, 14, 20])


@inlined
def put_four(out: U8, at: int, value: int, quads: U8) -> None:
    """Write four digits of 0 to 9999."""
    first, at = (value * 4) & 0xFFFF, at & _PLACE
    a, b, c, d = quads[first], quads[first + 1], quads[first + 2], quads[first + 3]
    out[at], out[at + 1], out[at + 2], out[at + 3] = a, b, c, d


@inlined
def put_time(out: U8, at: int, value: int, quads: U8) -> int:
    """Write a time of 16 digits (microseconds of 2001 to 2286) with a comma; return the place after."""
    value &= _VALUE
    high = value // 100_000_000
    low = value - high * 100_000_000
    put_four(out, at, high // 10_000, quads)
    put_four(out, at + 4, high % 10_000, quads)
    put_four(out, at + 8, low // 10_000, quads)
    put_four(out, at + 12, low % 10_000, quads)
    out[(at + 16) & _PLACE] = 44
    return at + 17


@inlined
def put_copy(out: U8, at: int, source: U8, start: int, count: int) -> int:
    """Copy bytes; return the place after them."""
    at, start = at & _PLACE, start & _PLACE
    for index in range(count):
        out[at + index] = source[start + index]
    return at + count


@kernel
def format_rows(
    out: U8, prefix: U8, quads: U8, rows: Rows, span: tuple[int, int], scales: tuple[int, int]
) -> int:
    """Write the rows from span[0] up to span[1] as CSV lines; return the bytes used of `out`.

    out     uint8, at least (len(prefix) + 5 * NUMBER_BYTES + 12) bytes per row
    prefix  uint8, "exchange,symbol,"
    quads   uint8, "0000" to "9999"
    scales  decimals of price_ticks and of amount_lots
    """
    at = 0
    for row in range(span[0], span[1]):
        at = put_copy(out, at, prefix, 0, len(prefix))
        at = put_time(out, at, rows.exchange_us[row], quads)
        at = put_time(out, at, rows.local_us[row], quads)
        ident = rows.id[row]
        digits = count_digits(ident)
        put_digits(out, at, ident, digits)
        first, end = _SIDE_STARTS[rows.side[row]], _SIDE_STARTS[rows.side[row] + 1]
        at = put_copy(out, at + digits, _SIDES, first, end - first)
        at = put_decimal(out, at, rows.price_ticks[row], scales[0])
        out[at & _PLACE] = 44
        at = put_decimal(out, at + 1, rows.amount_lots[row], scales[1])
        out[at & _PLACE] = 10
        at += 1
    return at
