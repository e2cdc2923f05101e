"""Single machine instructions that Python has no word for; the same in plain Python where nothing is compiled."""

from fractions import Fraction

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tickreel.jit import compiles


def count_ones(word):
    """Return how many bits of a uint64 are set."""
    return int(word).bit_count()


def trailing_zeros(word):
    """Return the place of the lowest bit set of a uint64 that is not 0."""
    return (int(word) & -int(word)).bit_length() - 1


def bit_length(word):
    """Return how many bits a uint64 needs."""
    return int(word).bit_length()


def multiply_add(factor, other, summand):
    """Return factor x other + summand in float64, rounded once."""
    return float(Fraction(factor) * Fraction(other) + Fraction(summand))


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
