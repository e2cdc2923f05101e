"""The venue and the ledger over trades alone: what an order meets, and what a fill posts.

Rule numbers are those of docs/SEMANTICS.md.
"""

import math

import numpy as np

from tickreel.jit import kernel
from tickreel.simulate.money_kernel import OVERFLOW, nanos
from tickreel.simulate.records import (
    BAD_PRICE,
    BAD_QUANTITY,
    BUY,
    BY_STRATEGY,
    CANCELLED,
    CLOSED,
    EXPIRED,
    FILLED,
    GOING,
    LIMIT,
    MARKET,
    MONEY_OVERFLOW,
    NO_CASH,
    NO_REASON,
    NO_SHORT,
    REJECTED,
    RESTING,
    RUN_ENDED,
    SENT,
    SHORT_TOO_LARGE,
)

_DUST = 2.0**-40
"""A position or a rest below this share of the quantity is rounding, and counts as 0 (rule A4)."""


@kernel
def meet_row(world, now, price, amount):
    """Let the orders that reached the venue before `now` meet a trade of `amount` at `price`."""
    account = world.account[0]
    for place in range(account.live):
        order = world.orders[place]
        if order.state == RESTING and order.fresh == 1:
            order.fresh = 0
            # Rules F1, F2: the first later trade fills a market order, and a limit order that it reaches.
            if order.kind == MARKET or order.side * (order.limit_price - price) >= 0.0:
                fill(world, order, now, price, order.remaining, 0)
    left = amount
    while left > 0.0:
        best, gain = -1, 0.0
        for place in range(account.live):
            order = world.orders[place]
            if order.state == RESTING and order.kind == LIMIT:
                through = order.side * (order.limit_price - price)
                if through > gain:
                    best, gain = place, through
        if best < 0:
            break
        # Rules F3, F4: a trade through the limit fills a resting order, best price first, then first sent.
        order = world.orders[best]
        quantity = min(left, order.remaining)
        if fill(world, order, now, order.limit_price, quantity, 1):
            left -= quantity
        if account.status != GOING:
            break


@kernel
def arrive_until(world, now):
    """Bring what was sent to the venue if it gets there before `now`, without a look at any row."""
    for place in range(world.account[0].live):
        arrive(world, world.orders[place], now)


@kernel
def arrive(world, order, now):
    """Bring an order and its cancellation to the venue if they get there before `now` (C1, C4, F6)."""
    if order.state == SENT and order.arrived_ns < now:
        order.state = RESTING
        if not (math.isfinite(order.quantity) and order.quantity > 0.0):
            close(world, order, order.arrived_ns, order.order_id, REJECTED, BAD_QUANTITY)
        elif order.kind == LIMIT and not (math.isfinite(order.limit_price) and order.limit_price > 0.0):
            close(world, order, order.arrived_ns, order.order_id, REJECTED, BAD_PRICE)
    if order.state == RESTING and order.cancel_ns < now:
        close(world, order, order.cancel_ns, order.order_id, CANCELLED, BY_STRATEGY)


@kernel
def close(world, order, when, rank, ended, reason):
    """End an order that gets no fill now, and send the answer."""
    order.state, order.closed_ns, order.ended, order.reason = CLOSED, when, ended, reason
    if ended == REJECTED:
        world.account[0].rejected += 1
    push_answer(world, order, when, rank, 0.0, 0.0, 0, 1)


@kernel
def fill(world, order, now, price, quantity, maker):
    """Fill `quantity` of an order at `price`, or end it with the reason (rules A1 to A6).

    Return whether it was filled.
    """
    account = world.account[0]
    instrument = world.instruments[order.instrument]
    value = nanos(quantity, price, instrument.multiplier, 1.0, world.limbs)
    fee = nanos(quantity, price, instrument.multiplier, account.fee_rate, world.limbs)
    cash = cash_after(account.cash_nanos, order.side, value, fee)
    position = instrument.position + order.side * quantity
    if abs(position) <= _DUST * quantity:
        position = 0.0
    reason = refusal(account, instrument, order, cash, position, price)
    if reason != NO_REASON:
        close(world, order, now, 0, REJECTED if order.remaining == order.quantity else CANCELLED, reason)
        return False
    if cash == OVERFLOW:
        account.status = MONEY_OVERFLOW
        return False
    post(world, order, now, value, fee)
    round_trip(account, instrument.position, position, -order.side * value - fee)
    if instrument.position == 0.0:
        account.in_position_since_ns = now
    elif position == 0.0:
        account.in_position_ns += now - account.in_position_since_ns
    account.cash_nanos = cash
    account.fees_nanos += fee
    account.notional += quantity * instrument.multiplier * price
    account.fills += 1
    instrument.position = position
    order.remaining -= quantity
    if order.remaining <= _DUST * order.quantity:
        order.remaining = 0.0
    record = world.fills_out[account.fills_out]
    account.fills_out += 1
    record.order_id, record.venue_ns = order.order_id, now
    record.side, record.maker = (1 if order.side == BUY else 2), maker
    record.price, record.quantity = price, quantity
    record.fee_nanos, record.cash_nanos, record.position = fee, cash, position
    closes = 1 if order.remaining == 0.0 else 0
    if closes:
        order.state, order.closed_ns, order.ended = CLOSED, now, FILLED
    push_answer(world, order, now, 0, price, quantity, maker, closes)
    return True


@kernel
def cash_after(cash, side, value, fee):
    """Return the cash after a fill, or OVERFLOW, which is below 0, where 1e-9 units need more than 62 bits."""
    if value == OVERFLOW or fee == OVERFLOW:
        return OVERFLOW
    cash -= side * value
    return cash - fee if max(cash, cash - fee) < 2**62 else OVERFLOW


@kernel
def refusal(account, instrument, order, cash, position, price):
    """Return why a fill at `price` may not lead to this cash and position, or NO_REASON (rules A2, A3)."""
    if order.side == BUY:
        return NO_CASH if cash < 0 else NO_REASON
    if position < 0.0:
        if account.allow_short == 0:
            return NO_SHORT
        unit = instrument.multiplier
        if -position * unit * price > account.cash_nanos / 1e9 + instrument.position * unit * price:
            return SHORT_TOO_LARGE
    return NO_REASON


@kernel
def post(world, order, now, value, fee):
    """Write the two changes of cash that a fill brings."""
    account = world.account[0]
    for kind in range(2):
        record = world.postings_out[account.postings_out]
        account.postings_out += 1
        record.order_id, record.venue_ns, record.kind = order.order_id, now, kind
        record.nanos = -fee if kind == 1 else -order.side * value


@kernel
def round_trip(account, before, after, change):
    """Add a change of cash to the round trip; count the trip when the position is closed or turned.

    A fill that turns the position is shared between the two trips in proportion to quantity.
    """
    turned = before * after < 0.0
    mine = change
    if turned:
        mine = np.int64(np.rint(change * (abs(before) / (abs(before) + abs(after)))))
    account.trip_nanos += mine
    if before != 0.0 and (after == 0.0 or turned):
        account.trips += 1
        if account.trip_nanos > 0:
            account.wins += 1
            account.gross_profit_nanos += account.trip_nanos
        else:
            account.gross_loss_nanos -= account.trip_nanos
        account.trip_nanos = change - mine


@kernel
def push_answer(world, order, when, rank, price, quantity, maker, closes):
    """Queue what the strategy will learn one latency after `when`, in order of time, then rank (rule C2)."""
    account = world.account[0]
    size = world.answers.shape[0]
    due = when + account.latency_ns
    place = account.answers
    while place > 0:
        before = world.answers[(account.answers_first + place - 1) % size]
        if before.due_ns < due or (before.due_ns == due and before.rank <= rank):
            break
        world.answers[(account.answers_first + place) % size] = before
        place -= 1
    answer = world.answers[(account.answers_first + place) % size]
    account.answers += 1
    answer.due_ns, answer.rank, answer.venue_ns, answer.order_id = due, rank, when, order.order_id
    answer.closes, answer.side, answer.maker = closes, order.side, maker
    answer.price, answer.quantity = price, quantity
    answer.position = world.instruments[order.instrument].position
    answer.cash_nanos = account.cash_nanos
    account.next_due_ns = min(account.next_due_ns, due)


@kernel
def pop_answer(world):
    """Take the first answer: the strategy's view of the account becomes that of the answer."""
    account = world.account[0]
    answer = world.answers[account.answers_first]
    account.answers_first = (account.answers_first + 1) % world.answers.shape[0]
    account.answers -= 1
    place = find_order(world, answer.order_id)
    account.seen_cash_nanos = answer.cash_nanos
    world.instruments[world.orders[place].instrument].seen_position = answer.position
    if answer.closes == 1:
        write_order(world, place, answer.due_ns)
    return answer


@kernel
def find_order(world, order_id):
    for place in range(world.account[0].live):
        if world.orders[place].order_id == order_id:
            return place
    return -1


@kernel
def write_order(world, place, answered_ns):
    """Write a closed order out and close the gap it leaves in the table."""
    account = world.account[0]
    order = world.orders[place]
    record = world.orders_out[account.orders_out]
    account.orders_out += 1
    account.orders += 1
    record.order_id, record.sent_ns, record.arrived_ns = order.order_id, order.sent_ns, order.arrived_ns
    record.closed_ns, record.answered_ns = order.closed_ns, answered_ns
    record.side, record.kind = (1 if order.side == BUY else 2), order.kind
    record.state, record.reason = order.ended, order.reason
    record.quantity, record.limit_price = order.quantity, order.limit_price
    record.filled = order.quantity - order.remaining if order.remaining < order.quantity else 0.0
    account.live -= 1
    for later in range(place, account.live):
        world.orders[later] = world.orders[later + 1]


@kernel
def expire_orders(world):
    """At the end of the run: answers on their way are delivered, open orders expire (rule C5)."""
    account = world.account[0]
    while account.answers > 0:
        pop_answer(world)
    while account.live > 0:
        order = world.orders[0]
        order.closed_ns = world.instruments[order.instrument].last_ns
        order.ended, order.reason = EXPIRED, RUN_ENDED
        write_order(world, 0, order.closed_ns)
