"""Reads up to sixteen letters of CSV text at once: which are no digits, and the number that digits are.

By vectors where the processor has an instruction that puts the bytes of one in any order; else one after the other.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tickreel.codecs.machine_kernel import has_feature, is_arm
from tickreel.jit import inlined

AT_ONCE = 16
_ZERO, _NINE = 48, 57


@inlined
def others_in_turn(data, place):
    marks = np.uint64(0)
    for offset in range(AT_ONCE):
        letter = data[np.uint64(place + offset)]
        marks |= np.uint64(letter < _ZERO or letter > _NINE) << np.uint64(offset)
    return marks


@inlined
def number_in_turn(data, place, point, end):
    number = np.int64(0)
    for offset in range(end):
        if offset != point:
            number = number * 10 + np.int64(data[np.uint64(place + offset)]) - _ZERO
    return number


others_than_digits = others_in_turn
"""(data, place): a uint64 with a bit set for each of data[place : place + 16] that is no digit, the first one lowest."""

number_of_digits = number_in_turn
"""(data, place, point, end): the int64 that the digits data[place : place + end] are, but for the letter `point`.

end    0 to 16
point  0 to 16; none of the letters if it is `end` or more
"""


def _instructions():
    """Return LLVM's names of what puts bytes in any order (places of 128 and more give 0), and what adds products.

    The latter by the bits of a factor; ("", {}) if the processor has no such instructions.
    """
    if has_feature("ssse3"):
        return "llvm.x86.ssse3.pshuf.b.128", {
            8: "llvm.x86.ssse3.pmadd.ub.sw.128",
            16: "llvm.x86.sse2.pmadd.wd",
        }
    if is_arm():
        return "llvm.aarch64.neon.tbl1.v16i8", {}
    return "", {}


_SHUFFLE, _MULTIPLY_AND_ADD = _instructions()


def _order(point, end):
    """Return from where each byte of a number comes that ends in the last one."""
    places = [place for place in range(end) if place != point]
    return [0x80] * (AT_ONCE - len(places)) + places


if _SHUFFLE:
    _BYTES = ir.VectorType(ir.IntType(8), AT_ONCE)
    _LONG = ir.IntType(64)
    _ORDERS = ir.Constant(
        ir.ArrayType(_BYTES, 17 * 17),
        [ir.Constant(_BYTES, _order(point, end)) for point in range(17) for end in range(17)],
    )

    def _of(kind, value):
        """Return a vector of the same number in every place."""
        return ir.Constant(kind, [value] * kind.count)

    def _digits(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        at = builder.bitcast(builder.gep(data, [values[1]]), _BYTES.as_pointer())
        return builder.sub(builder.load(at, align=1), _of(_BYTES, _ZERO))

    def _call(builder, name, result, *values):
        kind = ir.FunctionType(result, [value.type for value in values])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)

    def _paired(builder, digits, width, power):
        """Return numbers of twice `width` bits: of each two that follow each other the first x power + the second."""
        kind = ir.VectorType(ir.IntType(2 * width), 64 // width)
        if width in _MULTIPLY_AND_ADD:
            powers = ir.Constant(ir.VectorType(ir.IntType(width), 128 // width), [power, 1] * (64 // width))
            return _call(builder, _MULTIPLY_AND_ADD[width], kind, digits, powers)
        both = builder.bitcast(digits, kind)
        first, second = builder.and_(both, _of(kind, 2**width - 1)), builder.lshr(both, _of(kind, width))
        return builder.add(builder.mul(first, _of(kind, power)), second)

    @intrinsic
    def others_than_digits(typing, data, place):
        def build(context, builder, signature, values):
            digits = _digits(context, builder, signature, values)
            marks = builder.icmp_unsigned(">", digits, _of(_BYTES, 9))
            return builder.zext(builder.bitcast(marks, ir.IntType(AT_ONCE)), _LONG)

        return types.uint64(data, types.int64), build

    @intrinsic
    def number_of_digits(typing, data, place, point, end):
        def build(context, builder, signature, values):
            digits = _digits(context, builder, signature, values)
            orders = cgutils.global_constant(builder, "orders_of_digits", _ORDERS)
            row = builder.add(builder.mul(values[2], ir.Constant(_LONG, 17)), values[3])
            order = builder.load(builder.gep(orders, [ir.Constant(_LONG, 0), row]))
            digits = _call(builder, _SHUFFLE, _BYTES, digits, order)
            for width, power in ((8, 10), (16, 100), (32, 10_000)):
                digits = _paired(builder, digits, width, power)
            high, low = (builder.extract_element(digits, ir.Constant(ir.IntType(32), at)) for at in (0, 1))
            return builder.add(builder.mul(high, ir.Constant(_LONG, 10**8)), low)

        return types.int64(data, types.int64, types.int64, types.int64), build
