"""The engine once more in plain Python: slow and obvious, by docs/SEMANTICS.md, without a line of the kernels."""

from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

from tickreel.simulate.account import AccountSettings, Summary
from tickreel.simulate.strategy import callbacks_of, fields_of, parameters_of
from tickreel.units import parse_duration
from twin_book import L2, TwinBook

MOST_ORDERS = 64
DUST = Fraction(1, 2**40)
STATES = ("in flight", "resting", "filled", "cancelled", "rejected", "expired")
NONE, NO_CASH, NO_SHORT, BAD_QUANTITY, BAD_PRICE, _, RUN_ENDED, BY_STRATEGY, TOO_SHORT = range(9)


class TwinStop(Exception):
    """The run cannot go on: "orders" or "money"."""


class TwinTrade(NamedTuple):
    price: float
    amount: float
    side: int
    exchange_ns: int
    local_ns: int


class TwinFill(NamedTuple):
    order_id: int
    side: int
    price: float
    quantity: float
    maker: bool
    closed: bool
    venue_ns: int


@dataclass
class Order:
    order_id: int
    market: bool
    side: int
    quantity: float
    limit: float
    sent_ns: int
    arrived_ns: int
    rest: float
    state: str = "in flight"
    met_a_row: bool = False
    cancel_ns: int | None = None
    cancel_arrived: bool = False
    closed_ns: int = 0
    reason: int = NONE


@dataclass
class Answer:
    due_ns: int
    at_arrival: bool
    order: Order
    fill: TwinFill
    position: float
    cash_nanos: int
    number: int

    def turn(self) -> tuple[int, bool, int]:
        return self.due_ns, self.at_arrival, self.order.order_id if self.at_arrival else self.number


@dataclass
class Outcome:
    """What a run wrote, as rows of the tables of the same names."""

    orders: list[tuple] = field(default_factory=list)
    fills: list[tuple] = field(default_factory=list)
    postings: list[tuple] = field(default_factory=list)
    samples: list[tuple] = field(default_factory=list)
    summary: Summary | None = None


class TwinView:
    def __init__(self, book: TwinBook) -> None:
        self._bids, self._asks = book.bids(), book.asks()

    bid = property(lambda self: self.bid_price_at(0))
    ask = property(lambda self: self.ask_price_at(0))
    bid_amount = property(lambda self: self.bid_amount_at(0))
    ask_amount = property(lambda self: self.ask_amount_at(0))
    mid = property(lambda self: (self.bid + self.ask) / 2)
    spread = property(lambda self: self.ask - self.bid)
    bid_levels = property(lambda self: len(self._bids))
    ask_levels = property(lambda self: len(self._asks))

    @staticmethod
    def _of(levels: list[tuple[float, float]], level: int) -> tuple[float, float]:
        return levels[level] if 0 <= level < len(levels) else (float("nan"), 0.0)

    def bid_price_at(self, level: int) -> float:
        return self._of(self._bids, level)[0]

    def ask_price_at(self, level: int) -> float:
        return self._of(self._asks, level)[0]

    def bid_amount_at(self, level: int) -> float:
        return self._of(self._bids, level)[1]

    def ask_amount_at(self, level: int) -> float:
        return self._of(self._asks, level)[1]

    def bid_depth(self, levels: int) -> float:
        return float(sum(amount for _, amount in self._bids[:levels]))

    def ask_depth(self, levels: int) -> float:
        return float(sum(amount for _, amount in self._asks[:levels]))


class TwinContext:
    def __init__(self, twin: "Twin") -> None:
        self._twin = twin

    now_ns = property(lambda self: self._twin.clock)
    price = property(lambda self: self._twin.price)
    multiplier = property(lambda self: self._twin.settings.multiplier)
    position = property(lambda self: self._twin.known_position)
    flat = property(lambda self: self.position == 0)
    long = property(lambda self: self.position > 0)
    short = property(lambda self: self.position < 0)
    cash = property(lambda self: self._twin.known_cash / 1e9)
    equity = property(lambda self: self.cash + self.position * self.multiplier * self.price)
    open_orders = property(lambda self: len(self._twin.open))
    idle = property(lambda self: not self._twin.open)

    def buy(self, quantity: float, limit: float | None = None) -> int:
        return self._twin.send(1, quantity, limit)

    def sell(self, quantity: float, limit: float | None = None) -> int:
        return self._twin.send(-1, quantity, limit)

    def close(self) -> int:
        if self.position == 0:
            return 0
        return self._twin.send(-1 if self.position > 0 else 1, abs(self.position), None)

    def cancel(self, order_id: int) -> bool:
        return self._twin.send_cancel([order for order in self._twin.open if order.order_id == order_id]) == 1

    def cancel_all(self) -> int:
        return self._twin.send_cancel(self._twin.open)


class Twin:
    """A strategy over trades; `me` is its self, whose fields may be set before `play`."""

    def __init__(
        self, strategy: Any, parameters: dict[str, Any], settings: AccountSettings, bounds: Any
    ) -> None:
        self.settings, self.bounds = settings, [int(bound) for bound in bounds]
        self.callbacks = callbacks_of(strategy)
        self.timer = parse_duration(strategy.timer) if strategy.timer else None
        assert set(parameters) <= set(parameters_of(strategy))
        values = {
            name: [0.0] * shape[0] if shape else default
            for name, (_, shape, default) in fields_of(strategy).items()
        }
        self.me = SimpleNamespace(**{**values, **parameters})
        self.ctx = TwinContext(self)
        self.clock, self.price, self.next_timer = 0, 0.0, None
        self.last_ns = 0
        self.cash = self.known_cash = round(Fraction(settings.capital) * 10**9)
        self.position = self.known_position = 0.0
        self.sent = self.pushed = 0
        self.open: list[Order] = []
        self.answers: list[Answer] = []
        self.marks: list[tuple[int, float, float]] = []
        self.out = Outcome()

    def play(
        self,
        trades: list[TwinTrade],
        changes: list[L2] | None = None,
        *,
        uncross: bool = False,
        feed_latency_ns: int | None = None,
    ) -> Outcome:
        """Play a tape. feed_latency_ns: the rows have no local times, and each is seen so long after its exchange time."""
        changes = changes or []
        if feed_latency_ns is not None:  # rule C9
            assert not changes
            trades = [one._replace(local_ns=one.exchange_ns + feed_latency_ns) for one in trades]
        messages = sorted({change.local_ns for change in changes}) if "on_book" in self.callbacks else []
        # Of equal times the trades come first.
        events = [(trade.local_ns, 0, number, trade) for number, trade in enumerate(trades)]
        events += [(when, 1, 0, None) for when in messages]
        for when, _, number, trade in sorted(events, key=lambda event: event[:3]):
            if trade is not None:
                if number == 0:
                    self.begin(trade)
                self.row(trade)
                self.last_ns = when
            elif trades and when >= trades[0].local_ns:
                self.message(TwinBook(uncross=uncross).play(changes, when))
        if trades:
            self.call("on_end")
        self.expire(self.last_ns)
        self.out.samples = samples(self.settings.capital, self.marks, self.bounds)
        self.out.summary = summary(self, trades)
        return self.out

    def call(self, name: str, *arguments: Any) -> None:
        if name in self.callbacks:
            self.callbacks[name](self.me, *arguments, self.ctx)

    # The strategy's side: rules C1, C6, C7.

    def send(self, side: int, quantity: float, limit: float | None) -> int:
        if len(self.open) == MOST_ORDERS:
            raise TwinStop("orders")
        self.sent += 1
        price = float("nan") if limit is None else limit
        arrived = self.clock + self.settings.latency_ns
        self.open.append(
            Order(self.sent, limit is None, side, quantity, price, self.clock, arrived, rest=quantity)
        )
        return self.sent

    def send_cancel(self, orders: list[Order]) -> int:
        found = [order for order in orders if order.cancel_ns is None]
        for order in found:
            order.cancel_ns = self.clock + self.settings.latency_ns
        return len(found)

    # Time: rules C2 to C5.

    def begin(self, trade: TwinTrade) -> None:
        self.clock, self.price = trade.local_ns, trade.price
        if self.timer:
            self.next_timer = -(-trade.local_ns // self.timer) * self.timer
        self.call("on_start")

    def row(self, trade: TwinTrade) -> None:
        self.pass_time(trade.local_ns)
        self.venue(trade)
        self.price = trade.price
        self.pass_time(trade.local_ns)
        self.clock = trade.local_ns
        equity = self.cash / 1e9 + self.position * self.settings.multiplier * trade.price
        self.marks.append((trade.local_ns, equity, self.position))
        self.call("on_trade", trade)

    def message(self, book: TwinBook) -> None:
        if book.sides is not None:
            self.pass_time(book.last_ns)
            self.clock = self.last_ns = book.last_ns
            self.call("on_book", TwinView(book))

    def pass_time(self, now: int) -> None:
        """Do all that happens before `now` at the venue, and up to `now` at the strategy, in order of time."""
        while True:
            arrivals = [(order.arrived_ns, 0, order) for order in self.open if order.state == "in flight"]
            arrivals += [
                (order.cancel_ns, 1, order)
                for order in self.open
                if order.cancel_ns is not None and not order.cancel_arrived and order.state != "in flight"
            ]
            arrivals = [arrival for arrival in arrivals if arrival[0] < now]
            answer = min(self.answers, key=Answer.turn, default=None)
            times = [arrival[0] for arrival in arrivals]
            times += [answer.due_ns] if answer and answer.due_ns <= now else []
            times += [self.next_timer] if self.next_timer is not None and self.next_timer <= now else []
            if not times:
                return
            first = min(times)
            if first in [arrival[0] for arrival in arrivals]:
                self.arrive(*min((a for a in arrivals if a[0] == first), key=lambda a: (a[2].order_id, a[1])))
            elif answer and answer.due_ns == first:
                self.deliver(answer)
            else:
                self.clock = first
                self.next_timer = first + self.timer
                self.call("on_timer")

    def arrive(self, when: int, is_cancel: int, order: Order) -> None:
        if is_cancel:
            order.cancel_arrived = True
            if order.state == "resting":
                self.end_order(order, "cancelled", BY_STRATEGY, when, at_arrival=True)
            return
        order.state = "resting"
        if not 0 < order.quantity < float("inf"):
            self.end_order(order, "rejected", BAD_QUANTITY, when, at_arrival=True)
        elif not order.market and not 0 < order.limit < float("inf"):
            self.end_order(order, "rejected", BAD_PRICE, when, at_arrival=True)

    def deliver(self, answer: Answer) -> None:
        self.take(answer)
        self.call("on_fill", answer.fill)

    def take(self, answer: Answer) -> None:
        self.answers.remove(answer)
        self.clock = answer.due_ns
        self.known_position, self.known_cash = answer.position, answer.cash_nanos
        if answer.fill.closed:
            self.write(answer.order, answer.due_ns)

    def expire(self, last_ns: int) -> None:
        while self.answers:
            self.take(min(self.answers, key=Answer.turn))
        for order in list(self.open):
            order.state, order.reason, order.closed_ns = "expired", RUN_ENDED, last_ns
            self.write(order, last_ns)

    def write(self, order: Order, answered_ns: int) -> None:
        self.open.remove(order)
        self.out.orders.append(
            (order.order_id, order.sent_ns, order.arrived_ns, order.closed_ns, answered_ns,
             1 if order.side > 0 else 2, 0 if order.market else 1, STATES.index(order.state), order.reason,
             order.quantity, order.limit, order.quantity - order.rest if order.rest < order.quantity else 0.0)
        )  # fmt: skip

    # The venue: rules F1 to F6.

    def venue(self, trade: TwinTrade) -> None:
        waiting = [order for order in self.open if order.state == "resting"]
        for order in waiting:
            reached = order.market or order.side * order.limit >= order.side * trade.price
            if not order.met_a_row and reached:
                self.fill(order, trade.local_ns, trade.price, order.rest, maker=False)
            order.met_a_row = True
        left = trade.amount
        passed = [order for order in waiting if order.side * (order.limit - trade.price) > 0]
        for order in sorted(passed, key=lambda o: -o.side * (o.limit - trade.price)):
            quantity = min(left, order.rest)
            if left > 0 and order.state == "resting":
                if self.fill(order, trade.local_ns, order.limit, quantity, maker=True):
                    left -= quantity

    # The account: rules A1 to A6.

    def fill(self, order: Order, now: int, price: float, quantity: float, *, maker: bool) -> bool:
        exact = Fraction(quantity) * Fraction(price) * Fraction(self.settings.multiplier) * 10**9
        value, fee = round(exact), round(exact * Fraction(self.settings.fee))
        cash = self.cash - order.side * value - fee
        position = self.position + order.side * quantity
        if abs(Fraction(position)) <= DUST * Fraction(quantity):
            position = 0.0
        reason = self.refusal(order, cash, position, price)
        if reason != NONE:
            self.end_order(order, "rejected" if order.rest == order.quantity else "cancelled", reason, now)
            return False
        if max(cash, cash + fee) >= 2**62:
            raise TwinStop("money")
        self.cash, self.position = cash, position
        order.rest -= quantity
        if Fraction(order.rest) <= DUST * Fraction(order.quantity):
            order.rest = 0.0
        side = 1 if order.side > 0 else 2
        self.out.fills.append((order.order_id, now, side, int(maker), price, quantity, fee, cash, position))
        self.out.postings.append((order.order_id, now, 0, -order.side * value))
        self.out.postings.append((order.order_id, now, 1, -fee))
        if order.rest == 0:
            order.state, order.closed_ns = "filled", now
        self.answer(order, now, price, quantity, maker=maker, at_arrival=False)
        return True

    def refusal(self, order: Order, cash: int, position: float, price: float) -> int:
        if order.side > 0:
            return NO_CASH if cash < 0 else NONE
        if position >= 0:
            return NONE
        if not self.settings.allow_short:
            return NO_SHORT
        unit = self.settings.multiplier
        equity = self.cash / 1e9 + self.position * unit * price
        return TOO_SHORT if -position * unit * price > equity else NONE

    def end_order(
        self, order: Order, state: str, reason: int, when: int, *, at_arrival: bool = False
    ) -> None:
        order.state, order.reason, order.closed_ns = state, reason, when
        self.answer(order, when, 0.0, 0.0, maker=False, at_arrival=at_arrival)

    def answer(
        self, order: Order, when: int, price: float, quantity: float, *, maker: bool, at_arrival: bool
    ) -> None:
        self.pushed += 1
        closed = order.state not in ("in flight", "resting")
        fill = TwinFill(order.order_id, order.side, price, quantity, maker, closed, when)
        due = when + self.settings.latency_ns
        self.answers.append(Answer(due, at_arrival, order, fill, self.position, self.cash, self.pushed))


# Measures: rules M2 to M5, each from the whole history.


def drawdowns(capital: float, marks: list[tuple[int, float, float]]) -> list[float]:
    peak, found = round(Fraction(capital) * 10**9) / 1e9, []
    for _, equity, _ in marks:
        peak = max(peak, equity)
        found.append((peak - equity) / peak)
    return found


def samples(capital: float, marks: list[tuple[int, float, float]], bounds: list[int]) -> list[tuple]:
    start = (None, round(Fraction(capital) * 10**9) / 1e9, 0.0)
    history = [start, *marks]
    depth = [0.0, *drawdowns(capital, marks)]
    found, in_force = [], 0
    for bound in bounds:
        before = [place for place, mark in enumerate(history) if mark[0] is None or mark[0] < bound]
        _, equity, position = history[before[-1]]
        found.append((bound, equity, max(depth[in_force : before[-1] + 1]), position))
        in_force = before[-1]
    return found


def trips(fills: list[tuple], multiplier: float) -> list[int]:
    """Return the result of each closed round trip in 1e-9 units."""
    results, running, before = [], 0, 0.0
    for _, _, side, _, price, quantity, fee, _, after in fills:
        value = round(Fraction(quantity) * Fraction(price) * Fraction(multiplier) * 10**9)
        change = (-value if side == 1 else value) - fee
        if before * after < 0:
            share = round(change * (abs(before) / (abs(before) + abs(after))))
            results.append(running + share)
            running = change - share
        else:
            running += change
            if before != 0 and after == 0:
                results.append(running)
                running = 0
        before = after
    return results


def time_in_position(fills: list[tuple], last_ns: int) -> int:
    moments = [(fill[1], fill[8]) for fill in fills] + [(last_ns, 0.0)]
    pairs = zip(moments, moments[1:], strict=False)
    return sum(until - since for (since, position), (until, _) in pairs if position != 0)


def summary(twin: Twin, trades: list[TwinTrade]) -> Summary:
    out, results = twin.out, trips(twin.out.fills, twin.settings.multiplier)
    first, last = (trades[0], trades[-1]) if trades else (TwinTrade(0.0, 0.0, 0, 0, 0),) * 2
    notional = 0.0
    for fill in out.fills:
        notional += fill[5] * twin.settings.multiplier * fill[4]
    return Summary(
        events=len(trades),
        first_ns=first.local_ns,
        last_ns=twin.last_ns,
        first_price=first.price,
        last_price=last.price,
        equity=twin.marks[-1][1] if trades else round(Fraction(twin.settings.capital) * 10**9) / 1e9,
        cash_nanos=twin.cash,
        position=twin.position,
        max_drawdown=max([0.0, *drawdowns(twin.settings.capital, twin.marks)]),
        orders=len(out.orders),
        rejected=sum(STATES[order[7]] == "rejected" for order in out.orders),
        fills=len(out.fills),
        notional=notional,
        fees_nanos=sum(fill[6] for fill in out.fills),
        trips=len(results),
        wins=sum(result > 0 for result in results),
        gross_profit_nanos=sum(result for result in results if result > 0),
        gross_loss_nanos=-sum(result for result in results if result <= 0),
        in_position_ns=time_in_position(out.fills, twin.last_ns),
    )
