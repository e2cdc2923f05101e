"""Single machine instructions that Python has no word for; the same in plain Python where nothing is compiled."""

from fractions import Fraction

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from tickreel.jit import compiles, inlined


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


@inlined
def put_in_turn(word, source, at, shift, target):
    """Or source[at], source[at + 1] ... << shift to those of target[:64] whose bit of a uint64 is set."""
    while word:
        target[np.uint64(trailing_zeros(word))] |= source[at] << shift
        at += 1
        word &= word - np.uint64(1)


put = put_in_turn
"""The same, by the instructions of the machine that are made for it, where it has them."""


def has_expand():
    """Return whether machine code is made for a processor that spreads numbers over the bits of a mask: AVX-512.

    Not where every index is to be checked: the instruction checks none.
    """
    features = config.CPU_FEATURES
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    return compiles() and not config.BOUNDSCHECK and "+avx512f" in features.split(",")


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


if has_expand():
    _BIT, _BYTE, _PLACE, _LONG = (ir.IntType(bits) for bits in (1, 8, 32, 64))
    _BITS, _LONGS = ir.VectorType(_BIT, 8), ir.VectorType(_LONG, 8)

    def _all_of(builder, value):
        """Return a vector of eight times the same number."""
        nothing = ir.Constant(_LONGS, ir.Undefined)
        first = builder.insert_element(nothing, value, ir.Constant(_PLACE, 0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_PLACE, 8), [0] * 8))

    @intrinsic
    def put(typing, word, source, at, shift, target):
        def build(context, builder, signature, values):
            word, source, at, shift, target = values
            read = context.make_array(signature.args[1])(context, builder, source).data
            write = context.make_array(signature.args[4])(context, builder, target).data
            # Eight at a time: only as many numbers are read as bits are set.
            kind = ir.FunctionType(_LONGS, [_LONG.as_pointer(), _BITS, _LONGS])
            expand = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.expandload.v8i64")
            shifts = _all_of(builder, shift)
            for eight in range(8):
                byte = builder.trunc(builder.lshr(word, ir.Constant(_LONG, 8 * eight)), _BYTE)
                found = builder.call(
                    expand,
                    [builder.gep(read, [at]), builder.bitcast(byte, _BITS), ir.Constant(_LONGS, [0] * 8)],
                )
                there = builder.gep(write, [ir.Constant(_LONG, 8 * eight)])
                there = builder.bitcast(there, _LONGS.as_pointer())
                both = builder.or_(builder.load(there, align=8), builder.shl(found, shifts))
                builder.store(both, there, align=8)
                at = builder.add(at, builder.zext(builder.ctpop(byte), _LONG))
            return context.get_dummy_value()

        return types.void(types.uint64, source, types.int64, types.uint64, target), build
