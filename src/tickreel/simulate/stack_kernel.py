"""Records beside the loop that works on them: on the stack, where the compiler may keep fields in registers."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin, type_callable

MOST_BYTES = 512
"""Of a record that is copied; a larger one stays where it is."""


def on_stack(array):
    """Return the first record of an array as an array of one, on the stack of the calling function.

    In plain Python, and for a large record, the array itself.
    """
    return array


def copy_back(copy, array):
    """Write what `on_stack` returned over the record that it is a copy of."""


@type_callable(on_stack)
def _type_on_stack(_):
    return lambda array: array


@type_callable(copy_back)
def _type_copy_back(_):
    return lambda copy, array: types.none


@lower_builtin(on_stack, types.Array)
def _on_stack(context, builder, signature, values):
    array = signature.args[0]
    if not _is_small(array):
        return values[0]
    there = context.make_array(array)(context, builder, values[0])
    place = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(64), _words(array)))
    _copy(context, builder, place, there.data, array)
    here = context.make_array(array)(context, builder)
    one, size = (context.get_constant(types.intp, value) for value in (1, array.dtype.size))
    context.populate_array(
        here, data=builder.bitcast(place, there.data.type), shape=[one], strides=[size], itemsize=size,
        meminfo=None,
    )  # fmt: skip
    return here._getvalue()


@lower_builtin(copy_back, types.Array, types.Array)
def _copy_back(context, builder, signature, values):
    array = signature.args[1]
    if _is_small(array):
        copy, there = (context.make_array(array)(context, builder, value) for value in values)
        _copy(context, builder, there.data, copy.data, array)
    return context.get_dummy_value()


def _is_small(array):
    return array.dtype.size <= MOST_BYTES and array.dtype.size % 8 == 0


def _words(array):
    return array.dtype.size // 8


def _copy(context, builder, target, source, array):
    words = context.get_constant(types.intp, _words(array))
    cgutils.raw_memcpy(builder, target, source, words, 8, align=8)
