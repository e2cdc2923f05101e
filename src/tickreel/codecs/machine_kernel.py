"""Single machine instructions that Python has no word for; the same in plain Python where nothing is compiled."""

from fractions import Fraction

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tickreel.jit import compiles


def count_ones(word):
    """Return how many bits of a uint64 are set."""
    return int(word).bit_count()


def trailing_zeros(word):
    """Return the place of the lowest bit set of a uint64; 64 if none is."""
    return (int(word) & -int(word)).bit_length() - 1 if word else 64


def bit_length(word):
    """Return how many bits a uint64 needs."""
    return int(word).bit_length()


def multiply_add(factor, other, summand):
    """Return factor x other + summand in float64, rounded once."""
    return float(Fraction(factor) * Fraction(other) + Fraction(summand))


def load_word(data, place):
    """Return the eight bytes data[place : place + 8] as a uint64, the first one lowest; nothing is checked."""
    return np.uint64(int.from_bytes(data[place : place + 8].tobytes(), "little"))


def store_word(data, place, word):
    """Write a uint64 as eight bytes of a contiguous uint8 array, from its byte `place` on; nothing is checked."""
    data.reshape(-1)[place : place + 8] = np.frombuffer(int(word).to_bytes(8, "little"), np.uint8)


if compiles():
    _ZERO_IS_FINE = ir.Constant(ir.IntType(1), 0)

    @intrinsic
    def count_ones(typing, word):
        return types.int64(types.uint64), lambda _, builder, __, values: builder.ctpop(values[0])

    @intrinsic
    def trailing_zeros(typing, word):
        def build(_, builder, __, values):
            return builder.cttz(values[0], _ZERO_IS_FINE)

        return types.int64(types.uint64), build

    @intrinsic
    def bit_length(typing, word):
        def build(_, builder, __, values):
            return builder.sub(ir.Constant(ir.IntType(64), 64), builder.ctlz(values[0], _ZERO_IS_FINE))

        return types.int64(types.uint64), build

    @intrinsic
    def multiply_add(typing, factor, other, summand):
        def build(_, builder, __, values):
            return builder.fma(*values)

        return types.float64(types.float64, types.float64, types.float64), build

    @intrinsic
    def load_word(typing, data, place):
        def build(context, builder, signature, values):
            array = context.make_array(signature.args[0])(context, builder, values[0])
            at = builder.gep(array.data, [values[1]])
            return builder.load(builder.bitcast(at, ir.IntType(64).as_pointer()), align=1)

        return types.uint64(data, types.int64), build

    @intrinsic
    def store_word(typing, data, place, word):
        def build(context, builder, signature, values):
            array = context.make_array(signature.args[0])(context, builder, values[0])
            at = builder.gep(array.data, [values[1]])
            builder.store(values[2], builder.bitcast(at, ir.IntType(64).as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(data, types.int64, types.uint64), build
