"""Strategies that the engine's tests share: few, since each is compiled once."""

import math

from tickreel.simulate.strategy import Param, StateArray, Strategy

SCRIPT_LINES = 128
LOG_LINES = 256
START, TRADE, FILL, TIMER, END = range(5)
MARKET_BUY, MARKET_SELL, LIMIT_BUY, LIMIT_SELL, CLOSE, CANCEL, CANCEL_ALL = range(1, 8)


class Wild(Strategy):
    """Sends whatever a seeded generator says: orders of every kind, some of them impossible.

    All that it knows goes into quantities and limits, so a wrong view of the account shows in its orders.
    """

    seed = Param(1)
    busy = Param(0.5)
    bad = Param(True)
    timer = "7ns"
    lcg: int = 0
    last_id: int = 0

    def on_start(self, ctx):
        self.lcg = self.seed
        act(self, ctx, 1.0)

    def on_trade(self, trade, ctx):
        act(self, ctx, trade.amount + trade.side * 0.25 + (trade.exchange_ns & 3) * 0.125)

    def on_fill(self, fill, ctx):
        if draw(self, 4) == 0:
            act(self, ctx, 1.0 + fill.quantity + fill.price * 0.001 + fill.maker + (fill.venue_ns & 1))
        elif fill.closed and draw(self, 3) == 0:
            self.last_id = ctx.sell(1.0 + fill.order_id % 3, ctx.price * (1 + 0.001 * fill.side))

    def on_timer(self, ctx):
        if draw(self, 3) == 0:
            act(self, ctx, 1.0 + (ctx.now_ns & 7))

    def on_end(self, ctx):
        act(self, ctx, 1.0)


def draw(me, sides):
    me.lcg = (me.lcg * 1103515245 + 12345) & 0x7FFFFFFF
    return (me.lcg >> 8) % sides


def act(me, ctx, size):
    if draw(me, 1000) >= me.busy * 1000 or ctx.open_orders > 60:
        return
    what = draw(me, 16)
    quantity = size * (1 + draw(me, 8)) * 0.1 + ctx.open_orders * 0.01
    limit = ctx.price * (1 + 0.002 * (draw(me, 9) - 4))
    if what < 3:
        me.last_id = ctx.buy(quantity + ctx.position * 0.5 if ctx.long else quantity)
    elif what < 5:
        me.last_id = ctx.sell(quantity + ctx.position * 0.5 if ctx.long else quantity)
    elif what < 8:
        me.last_id = ctx.buy(quantity, limit)
    elif what < 11:
        me.last_id = ctx.sell(quantity, limit=limit)
    elif what == 11:
        if not ctx.cancel(me.last_id - draw(me, 4)):
            me.last_id = ctx.buy(0.5 * ctx.equity / ctx.price)
    elif what == 12:
        if ctx.cancel_all() > 2:
            me.last_id = ctx.sell(quantity)
    elif what == 13:
        me.last_id = ctx.close()
    elif me.bad:
        wrong(me, ctx)


def wrong(me, ctx):
    what = draw(me, 9)
    if what == 0:
        ctx.buy(ctx.cash * 2 / ctx.price)
    elif what == 1:
        ctx.sell(1e300)
    elif what == 2:
        ctx.buy(math.nan)
    elif what == 3:
        ctx.sell(-1.0)
    elif what == 4:
        ctx.buy(0.0, 100.0)
    elif what == 5:
        ctx.sell(math.inf, 100.0)
    elif what == 6:
        ctx.buy(1.0, limit=math.nan)
    elif what == 7:
        ctx.sell(1.0, 0.0)
    else:
        ctx.buy(1e300, 1e300)


class Quoter(Strategy):
    """A market maker in small: quotes on both sides at every timer, leans against its position."""

    width = Param(0.002)
    size = Param(1.0)
    timer = "10ns"
    filled: float = 0.0
    mean: float = 0.0  # the name of a NumPy method, too
    window = StateArray(4)
    count: int = 0
    ready: bool = False

    def on_trade(self, trade, ctx):
        self.window[self.count % 4] = trade.price
        self.count += 1
        self.mean = (self.window[0] + self.window[1] + self.window[2] + self.window[3]) / 4.0
        self.ready = self.count >= 4

    def on_timer(self, ctx):
        ctx.cancel_all()
        if self.ready and ctx.open_orders < 60:
            lean = 1.0 - 0.001 * ctx.position / self.size
            ctx.buy(self.size, limit=self.mean * lean * (1.0 - self.width))
            ctx.sell(self.size, limit=self.mean * lean * (1.0 + self.width))

    def on_fill(self, fill, ctx):
        self.filled += fill.quantity
        if self.filled > 20.0 * self.size:
            self.filled = 0.0
            ctx.close()


class Script(Strategy):
    """Does what a scenario's file says, and notes what it saw at every call."""

    timer = "10ns"
    when = StateArray(SCRIPT_LINES)
    number = StateArray(SCRIPT_LINES)
    what = StateArray(SCRIPT_LINES)
    quantity = StateArray(SCRIPT_LINES)
    limit = StateArray(SCRIPT_LINES)
    calls = StateArray(5)
    lines: int = 0
    kinds = StateArray(LOG_LINES)
    times = StateArray(LOG_LINES)
    prices = StateArray(LOG_LINES)
    positions = StateArray(LOG_LINES)
    cashes = StateArray(LOG_LINES)
    opens = StateArray(LOG_LINES)
    facts = StateArray(LOG_LINES)

    def on_start(self, ctx):
        follow(self, ctx, START, 0.0)

    def on_trade(self, trade, ctx):
        follow(self, ctx, TRADE, trade.amount)

    def on_fill(self, fill, ctx):
        follow(self, ctx, FILL, fill.quantity)

    def on_timer(self, ctx):
        follow(self, ctx, TIMER, 0.0)

    def on_end(self, ctx):
        follow(self, ctx, END, 0.0)


def follow(me, ctx, kind, fact):
    if me.lines < LOG_LINES:
        me.kinds[me.lines], me.times[me.lines], me.facts[me.lines] = kind, ctx.now_ns, fact
        me.prices[me.lines], me.positions[me.lines] = ctx.price, ctx.position
        me.cashes[me.lines], me.opens[me.lines] = ctx.cash, ctx.open_orders
        me.lines += 1
    me.calls[kind] += 1
    for line in range(SCRIPT_LINES):
        if me.what[line] and me.when[line] == kind and me.number[line] == me.calls[kind]:
            obey(ctx, me.what[line], me.quantity[line], me.limit[line])


def obey(ctx, what, quantity, limit):
    if what == MARKET_BUY:
        ctx.buy(quantity)
    elif what == MARKET_SELL:
        ctx.sell(quantity)
    elif what == LIMIT_BUY:
        ctx.buy(quantity, limit)
    elif what == LIMIT_SELL:
        ctx.sell(quantity, limit)
    elif what == CLOSE:
        ctx.close()
    elif what == CANCEL:
        ctx.cancel(int(quantity))
    elif what == CANCEL_ALL:
        ctx.cancel_all()


class Watcher(Wild):
    """Wild, with an eye on the book: all that it sees of it goes into orders and into a sum."""

    seen: float = 0.0
    messages: int = 0

    def on_book(self, book, ctx):
        self.messages += 1
        if book.bid_levels > 0 and book.ask_levels > 0:
            self.seen += book.mid + book.spread * 2.0 + book.bid + book.ask * 3.0
        self.seen += book.bid_amount + book.ask_amount * 2.0 + book.bid_levels + book.ask_levels * 7
        if book.bid_levels > 2:
            self.seen += book.bid_price_at(2) + book.bid_amount_at(1) + book.bid_amount_at(99)
        if book.ask_levels > 1:
            self.seen += book.ask_price_at(1) - book.ask_amount_at(1)
        self.seen += book.bid_depth(3) - book.ask_depth(2)
        act(self, ctx, 1.0 + (ctx.now_ns & 3) + self.seen % 1.0)
