"""Single machine instructions that Python has no word for; the same in plain Python where nothing is compiled."""

import platform
import sys
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


def longs_on_stack(count):
    """Return int64[count] with anything in it, on the stack of the calling function; `count` is a constant."""
    return np.empty(count, np.int64)


@inlined
def put_in_turn(word, source, at, shift, target):
    """Or source[at], source[at + 1] ... << shift to those of target[:64] whose bit of a uint64 is set."""
    while word:
        target[np.uint64(trailing_zeros(word))] |= source[at] << shift
        at += 1
        word &= word - np.uint64(1)


put = put_in_turn
"""The same, by the instructions of the machine that are made for it, where it has them."""


def _goes_unchecked():
    """Return whether instructions may be called by name: they are no Python, and check no index."""
    return compiles() and not config.BOUNDSCHECK


def has_feature(name):
    """Return whether unchecked machine code is made for a processor of a feature that LLVM knows by that name."""
    if not _goes_unchecked():
        return False
    features = config.CPU_FEATURES
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    return f"+{name}" in features.split(",")


def is_arm():
    """Return whether unchecked machine code is made for a 64-bit ARM, all of which have the same vectors."""
    return _goes_unchecked() and platform.machine() in ("arm64", "aarch64") and sys.maxsize > 2**32


def has_expand():
    """Return whether there is an instruction that spreads numbers over the bits of a mask: of AVX-512."""
    return has_feature("avx512f")


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

    @intrinsic(prefer_literal=True)
    def longs_on_stack(typing, count):
        def build(context, builder, signature, values):
            with builder.goto_entry_block():
                room = builder.alloca(ir.ArrayType(ir.IntType(64), count.literal_value))
                room.align = 64
            array = context.make_array(signature.return_type)(context, builder)
            shape, strides = ([context.get_constant(types.intp, n)] for n in (count.literal_value, 8))
            context.populate_array(
                array, data=builder.bitcast(room, array.data.type), shape=shape, strides=strides, itemsize=8,
                meminfo=None,
            )  # fmt: skip
            return array._getvalue()

        return types.Array(types.int64, 1, "C")(count), build


if has_expand():
    _BIT, _PLACE, _LONG = ir.IntType(1), ir.IntType(32), ir.IntType(64)

    def _vector(kind, value):
        """Return a vector of `kind` of the same number in every place."""
        return ir.Constant(kind, [value] * kind.count)

    def _all_of(builder, kind, value):
        nothing = ir.Constant(kind, ir.Undefined)
        first = builder.insert_element(nothing, value, ir.Constant(_PLACE, 0))
        return builder.shuffle_vector(first, nothing, _vector(ir.VectorType(_PLACE, kind.count), 0))

    @intrinsic
    def put(typing, word, source, at, shift, target):
        def build(context, builder, signature, values):
            word, source, at, shift, target = values
            read = context.make_array(signature.args[1])(context, builder, source).data
            write = context.make_array(signature.args[4])(context, builder, target).data
            # A register at a time; only as many numbers are read as bits are set.
            each = 512 // signature.args[1].dtype.bitwidth
            numbers = ir.VectorType(ir.IntType(512 // each), each)
            marks = ir.VectorType(_BIT, each)
            expand = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(numbers, [numbers.element.as_pointer(), marks, numbers]),
                f"llvm.masked.expandload.v{each}i{512 // each}",
            )
            shifts = _all_of(builder, numbers, shift)
            for first in range(0, 64, each):
                mark = builder.trunc(builder.lshr(word, ir.Constant(_LONG, first)), ir.IntType(each))
                found = builder.call(
                    expand, [builder.gep(read, [at]), builder.bitcast(mark, marks), _vector(numbers, 0)]
                )
                there = builder.gep(write, [ir.Constant(_LONG, first)])
                there = builder.bitcast(there, numbers.as_pointer())
                both = builder.or_(builder.load(there, align=4), builder.shl(found, shifts))
                builder.store(both, there, align=4)
                at = builder.add(at, builder.zext(builder.ctpop(mark), _LONG))
            return context.get_dummy_value()

        return types.void(types.uint64, source, types.int64, source.dtype, target), build
