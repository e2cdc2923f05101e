"""What a strategy may see and do: `ctx`, in plain Python; context_kernel teaches numba the same."""

import math
from typing import Any

from tickreel.simulate.records import (
    BUY,
    FAR,
    LIMIT,
    MARKET,
    MAX_ORDERS,
    SELL,
    SENT,
    TOO_MANY_ORDERS,
)


class Context:
    """The account and the event's own instrument, as the strategy knows them at this moment.

    With latency it knows them late: position and cash follow the answers, not the fills.
    `ctx[k]` is the same of another instrument of the account.
    """

    __slots__ = ("account", "instruments", "k", "orders")

    def __init__(self, account: Any, instruments: Any, orders: Any, k: int) -> None:
        self.account = account
        self.instruments = instruments
        self.orders = orders
        self.k = k

    def __getitem__(self, k: int) -> "Context":
        if k < 0 or k >= len(self.instruments):
            raise IndexError("ctx[k]: there is no such instrument")
        return Context(self.account, self.instruments, self.orders, k)

    @property
    def now_ns(self) -> int:
        """The strategy's clock: local time of the event, ns UTC."""
        return self.account[0].now_ns

    @property
    def price(self) -> float:
        """The instrument's last price."""
        return self.instruments[self.k].price

    @property
    def position(self) -> float:
        """Quantity held: above 0 long, below 0 short."""
        return self.instruments[self.k].seen_position

    @property
    def flat(self) -> bool:
        return self.instruments[self.k].seen_position == 0.0

    @property
    def long(self) -> bool:
        return self.instruments[self.k].seen_position > 0.0

    @property
    def short(self) -> bool:
        return self.instruments[self.k].seen_position < 0.0

    @property
    def cash(self) -> float:
        return self.account[0].seen_cash_nanos / 1e9

    @property
    def equity(self) -> float:
        """Cash and all positions at their last prices."""
        total = self.account[0].seen_cash_nanos / 1e9
        for k in range(len(self.instruments)):
            instrument = self.instruments[k]
            total += instrument.seen_position * instrument.multiplier * instrument.price
        return total

    @property
    def multiplier(self) -> float:
        """What one unit of quantity stands for: 1 coin, or the coins of one contract."""
        return self.instruments[self.k].multiplier

    @property
    def idle(self) -> bool:
        """Whether no order is in flight or resting."""
        return self.account[0].live == 0

    @property
    def open_orders(self) -> int:
        """Orders sent and not yet answered as closed."""
        return self.account[0].live

    def buy(self, quantity: float, limit: float | None = None) -> int:
        """Send an order to buy, at `limit` or better if one is given; return its id."""
        if limit is None:
            return send(self, MARKET, BUY, quantity, math.nan)
        return send(self, LIMIT, BUY, quantity, limit)

    def sell(self, quantity: float, limit: float | None = None) -> int:
        """Send an order to sell, at `limit` or better if one is given; return its id."""
        if limit is None:
            return send(self, MARKET, SELL, quantity, math.nan)
        return send(self, LIMIT, SELL, quantity, limit)

    def close(self) -> int:
        """Send a market order that makes the instrument's position 0; return its id, 0 if it is flat."""
        return close_position(self)

    def cancel(self, order_id: int) -> bool:
        """Send a cancellation; False if no such order is open or one was sent. A fill may come first."""
        return send_cancel(self, order_id)

    def cancel_all(self) -> int:
        """Send a cancellation of every open order that has none yet; return how many."""
        return send_cancels(self)


def send(ctx: Any, kind: int, side: int, quantity: float, limit: float) -> int:
    account = ctx.account[0]
    if account.live >= MAX_ORDERS:
        account.status = TOO_MANY_ORDERS
        return 0
    account.sent += 1
    order = ctx.orders[account.live]
    account.live += 1
    order.order_id = account.sent
    order.instrument = ctx.k
    order.state = SENT
    order.kind = kind
    order.side = side
    order.quantity = quantity
    order.remaining = quantity
    order.limit_price = limit
    order.sent_ns = account.now_ns
    order.arrived_ns = account.now_ns + account.latency_ns
    order.cancel_ns = FAR
    order.fresh = 1
    order.closed_ns = 0
    order.ended = 0
    order.reason = 0
    return account.sent


def close_position(ctx: Any) -> int:
    position = ctx.instruments[ctx.k].seen_position
    if position > 0.0:
        return send(ctx, MARKET, SELL, position, math.nan)
    if position < 0.0:
        return send(ctx, MARKET, BUY, -position, math.nan)
    return 0


def send_cancel(ctx: Any, order_id: int) -> bool:
    # Whether the venue has closed the order is not looked at: the strategy cannot know that yet.
    account = ctx.account[0]
    for place in range(account.live):
        order = ctx.orders[place]
        if order.order_id == order_id and order.cancel_ns == FAR:
            order.cancel_ns = account.now_ns + account.latency_ns
            return True
    return False


def send_cancels(ctx: Any) -> int:
    account = ctx.account[0]
    count = 0
    for place in range(account.live):
        order = ctx.orders[place]
        if order.cancel_ns == FAR:
            order.cancel_ns = account.now_ns + account.latency_ns
            count += 1
    return count
