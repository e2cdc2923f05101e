"""Teaches numba the `ctx` of context.py: a struct of arrays with the same properties and methods.

The bodies are those of the Python class; only their types are told here.
"""

import operator

from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed
from numba.extending import (
    lower_builtin,
    make_attribute_wrapper,
    models,
    overload,
    overload_attribute,
    overload_method,
    register_jitable,
    register_model,
    type_callable,
)

from tickreel.simulate import book_view, context
from tickreel.simulate.book_view import BookView
from tickreel.simulate.context import Context

_TYPED = {"strict": False, "jit_options": {"_nrt": False, "nogil": True, "error_model": "numpy"}}
"""The bodies carry annotations, which numba would compare; see jit._OPTIONS for the rest."""

_ARRAYS = ("account", "instruments", "orders")
_PROPERTIES = (
    "now_ns", "price", "position", "flat", "long", "short", "cash", "equity", "multiplier", "idle", "open_orders"
)  # fmt: skip


class ContextType(types.Type):
    """numba's type of a Context over arrays of these types."""

    def __init__(self, account, instruments, orders):
        self.account, self.instruments, self.orders = account, instruments, orders
        super().__init__(name=f"Context({account}, {instruments}, {orders})")


@register_model(ContextType)
class ContextModel(models.StructModel):
    def __init__(self, dmm, fe_type):
        members = [(name, getattr(fe_type, name)) for name in _ARRAYS] + [("k", types.int64)]
        super().__init__(dmm, fe_type, members)


for _name in (*_ARRAYS, "k"):
    make_attribute_wrapper(ContextType, _name, _name)


@type_callable(Context)
def _type_context(_):
    def typer(account, instruments, orders, k):
        return ContextType(account, instruments, orders)

    return typer


@lower_builtin(Context, types.Array, types.Array, types.Array, types.Integer)
def _make_context(compiler, builder, signature, arguments):
    struct = cgutils.create_struct_proxy(signature.return_type)(compiler, builder)
    struct.account, struct.instruments, struct.orders = arguments[:3]
    struct.k = compiler.cast(builder, arguments[3], signature.args[3], types.int64)
    return impl_ret_borrowed(compiler, builder, signature.return_type, struct._getvalue())


for _helper in (context.send, context.close_position, context.send_cancel, context.send_cancels):
    register_jitable(_helper)


def _share_property(name):
    body = getattr(Context, name).fget

    @overload_attribute(ContextType, name, **_TYPED)
    def _typed(self):
        return body


for _name in _PROPERTIES:
    _share_property(_name)


@overload(operator.getitem, **_TYPED)
def _getitem(self, k):
    return Context.__getitem__ if isinstance(self, ContextType) else None


@overload_method(ContextType, "buy", **_TYPED)
def _buy(self, quantity, limit=None):
    return Context.buy


@overload_method(ContextType, "sell", **_TYPED)
def _sell(self, quantity, limit=None):
    return Context.sell


@overload_method(ContextType, "close", **_TYPED)
def _close(self):
    return Context.close


@overload_method(ContextType, "cancel", **_TYPED)
def _cancel(self, order_id):
    return Context.cancel


@overload_method(ContextType, "cancel_all", **_TYPED)
def _cancel_all(self):
    return Context.cancel_all


class BookViewType(types.Type):
    """numba's type of a BookView over ladders of this type."""

    def __init__(self, bids, asks):
        self.bids, self.asks = bids, asks
        super().__init__(name=f"BookView({bids}, {asks})")


@register_model(BookViewType)
class BookViewModel(models.StructModel):
    def __init__(self, dmm, fe_type):
        members = [("bids", fe_type.bids), ("asks", fe_type.asks), ("power", types.float64)]
        super().__init__(dmm, fe_type, members)


for _name in BookView.__slots__:
    make_attribute_wrapper(BookViewType, _name, _name)


@type_callable(BookView)
def _type_book_view(_):
    def typer(bids, asks, power):
        return BookViewType(bids, asks)

    return typer


@lower_builtin(BookView, types.BaseNamedTuple, types.BaseNamedTuple, types.Float)
def _make_book_view(compiler, builder, signature, arguments):
    struct = cgutils.create_struct_proxy(signature.return_type)(compiler, builder)
    struct.bids, struct.asks, struct.power = arguments
    return impl_ret_borrowed(compiler, builder, signature.return_type, struct._getvalue())


for _helper in (book_view.price_of, book_view.amount_of, book_view.key_at, book_view.depth_of):
    register_jitable(_helper)


def _share_book_property(name):
    body = getattr(BookView, name).fget

    @overload_attribute(BookViewType, name, **_TYPED)
    def _typed(self):
        return body


def _share_book_method(name):
    body = getattr(BookView, name).__wrapped__

    @overload_method(BookViewType, name, **_TYPED)
    def _typed(self, count):
        if not isinstance(count, types.Integer):
            raise TypingError(book_view.NO_LEVEL.format(name, count))
        return body


for _name, _member in vars(BookView).items():
    if isinstance(_member, property):
        _share_book_property(_name)
    elif not _name.startswith("_") and callable(_member):
        _share_book_method(_name)
