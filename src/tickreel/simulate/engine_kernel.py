"""The engine's loop over trades and order books: clocks, venue, account and callbacks, in order of time.

Plain functions: `compile.build` puts a strategy's callbacks in the place of those below and
compiles the whole. Rule numbers are those of docs/SEMANTICS.md.
"""

import numpy as np

from tickreel.books import book_kernel as books
from tickreel.simulate.book_view import BookView
from tickreel.simulate.context import Context
from tickreel.simulate.matching_kernel import arrive_until, expire_orders, meet_row, pop_answer
from tickreel.simulate.records import FAR, GOING, MAX_ORDERS, NO_BOOK_ROOM, NO_ROOM, Fill, Trade
from tickreel.simulate.stack_kernel import copy_back, on_stack

SHOWN = 512
"""Rows that are shown, then marked together."""


def on_start(self, ctx):
    """Replaced by the strategy's own, as are the five below."""


def on_trade(self, trade, ctx):
    pass


def on_book(self, book, ctx):
    pass


def on_fill(self, fill, ctx):
    pass


def on_timer(self, ctx):
    pass


def on_end(self, ctx):
    pass


def run(state, world, rows, bounds, start, stop, timed):
    """Play rows[start:stop]; return the row that comes next.

    state   the strategy's record, an array of one
    world   records.World
    rows    records.Rows: columns of one block
    bounds  int64[n], sampling boundaries, ascending
    timed   False if nothing is due at any of the rows, and rows.local_ns has none: then rows are numbered
            instead, and it stops after one at which an order was sent
    It stops early, with account.status set, for want of room in the output arrays or on an error.
    """
    account = world.account[0]
    ctx = Context(world.account, world.instruments, world.orders, 0)
    if account.started == 0 and start < stop:
        begin(state[0], ctx, account, world.instruments[0], rows, start)
    row = start
    if not timed:
        row = play_quiet(state, world, rows, start, stop, False)
    while timed and row < stop and account.status == GOING:
        is_due = account.live > 0 or rows.local_ns[row] >= next_watch(account, bounds)
        if is_due and not attend(state[0], ctx, world, rows, bounds, row):
            break
        until = row + 1
        if account.live == 0:
            until = first_at(rows.local_ns, row + 1, stop, next_watch(account, bounds))
        row = play_quiet(state, world, rows, row, until, True)
    if row > start:
        world.instruments[0].trades += row - start
        if timed:
            world.instruments[0].last_ns = rows.local_ns[row - 1]
    return row


def attend(me, ctx, world, rows, bounds, row):
    """Do what is due before a row is shown: samples, answers, timers, orders; False if the run has to stop."""
    account = world.account[0]
    now = rows.local_ns[row]
    sample_until(world, bounds, now)
    deliver_until(me, ctx, world, now)
    if account.status == GOING and not has_room(world):
        account.status = NO_ROOM
    if account.status != GOING:
        return False
    account.now_ns = now
    meet_row(world, now, rows.price[row], rows.amount[row])
    world.instruments[0].price = rows.price[row]
    deliver_until(me, ctx, world, now)
    return account.status == GOING


def play_quiet(state, world, rows, start, stop, timed):
    """Show and mark rows before which nothing is due, until an order is sent; return the row that comes next."""
    account, row = world.account[0], start
    while row < stop:
        # Few enough to be in the nearest cache still when they are marked.
        shown = show(state, world, rows, row, min(row + SHOWN, stop), timed)
        mark(account, world.instruments[0], rows.price[row:shown])
        row = shown
        if account.live > 0:
            break
    return row


def show(state, world, rows, start, stop, timed):
    """Show rows until an order is sent; return the row that comes next.

    It works on copies that nothing else can reach, so the compiler keeps in registers what a strategy does not
    change, and leaves out what it does not look at.
    """
    now_ns = world.account.now_ns
    states, accounts, instruments = on_stack(state), on_stack(world.account), on_stack(world.instruments)
    me, account, instrument = states[0], accounts[0], instruments[0]
    ctx = Context(accounts, instruments, world.orders, 0)
    prices, amounts, sides = rows.price[start:stop], rows.amount[start:stop], rows.side[start:stop]
    exchange_ns, local_ns = rows.exchange_ns[start:stop], rows.local_ns[start:stop]
    for row in range(prices.shape[0]):
        now = local_ns[row] if timed else start + row
        # Written through: if on_trade raises, the copies are lost, and the error says when.
        account.now_ns = now_ns[0] = now
        instrument.price = prices[row]
        side = np.int64(sides[row])
        on_trade(me, Trade(prices[row], amounts[row], (side & 1) - (side >> 1), exchange_ns[row], now), ctx)
        if account.live > 0:
            stop = start + row + 1
            break
    copy_back(states, state)
    copy_back(accounts, world.account)
    copy_back(instruments, world.instruments)
    return stop


def mark(account, instrument, prices):
    """Mark the account at prices, one after the other (rule M1).

    Equity rises and falls with the price, or against it, rounding included: so where the best price brings no
    new peak, the worst one alone can bring a new trough.
    """
    cash, held = account.cash_nanos / 1e9, instrument.position * instrument.multiplier
    low, high = extremes(prices)
    if held < 0.0:
        low, high = high, low
    account.equity = cash + held * prices[prices.shape[0] - 1]
    if cash + held * high <= account.peak:
        account.trough = min(account.trough, cash + held * low)
        return
    peak, trough = account.peak, account.trough
    for row in range(prices.shape[0]):
        equity = cash + held * prices[row]
        if equity > peak:
            if trough < peak:
                account.deepest = max(account.deepest, (peak - trough) / peak)
            peak = trough = equity
        elif equity < trough:
            trough = equity
    account.peak, account.trough = peak, trough


def extremes(prices):
    """Return the least and the greatest price; two NaN if one is NaN or below zero, for the slow way.

    Compared as integers, which order positive floats alike, and many at a time.
    """
    bits = prices.view(np.int64)
    low = high = bits[0]
    for row in range(bits.shape[0]):
        low, high = min(low, bits[row]), max(high, bits[row])
    if low < 0:
        return np.nan, np.nan
    return np.int64(low).view(np.float64), np.int64(high).view(np.float64)


def play(state, world, rows, bounds, book, changes, factor, power, cursor):
    """Play trades and changes of the book in order of time, of equal times the trades first.

    book     books.BookState, whose ticks are 1 / power; changes books.BookRows
    factor   what brings the prices of the changes to the book's ticks
    cursor   int64[2]: the next trade and the next change, moved on
    A message is looked at when an event of a later time, or the end of the run, shows that it is whole.
    It stops early, with account.status set, as `run` does, or for want of room in the book.
    """
    account = world.account[0]
    trades, count = rows.local_ns.shape[0], changes.local_ns.shape[0]
    while account.status == GOING and (cursor[0] < trades or cursor[1] < count):
        next_ns = changes.local_ns[cursor[1]] if cursor[1] < count else FAR
        if cursor[0] < trades and rows.local_ns[cursor[0]] <= next_ns:
            if look(state, world, bounds, book, power, rows.local_ns[cursor[0]]):
                stop = cursor[0] + 1
                while stop < trades and rows.local_ns[stop] <= next_ns:
                    stop += 1
                cursor[0] = run(state, world, rows, bounds, cursor[0], stop, True)
        elif look(state, world, bounds, book, power, next_ns):
            stop = cursor[1] + 1
            while stop < count and changes.local_ns[stop] == next_ns:
                stop += 1
            cursor[1] = books.apply(book, changes, factor, cursor[1], stop)
            if book.state[books.STATUS] != books.GOING:
                account.status = NO_BOOK_ROOM


def look(state, world, bounds, book, power, now):
    """End the book's message if it is of a time before `now`, and show it; False if the run has to stop.

    Rule C8: nothing is shown before the first trade, nor before the first snapshot.
    """
    account = world.account[0]
    if not book.state[books.OPEN] or book.state[books.LAST_NS] >= now:
        return True
    if account.started == 0 or book.state[books.KNOWN] != books.WHOLE:
        books.close_message(book)
        return True
    when = book.state[books.LAST_NS]
    ctx = Context(world.account, world.instruments, world.orders, 0)
    sample_until(world, bounds, when)
    deliver_until(state[0], ctx, world, when)
    if account.status == GOING and not has_room(world):
        account.status = NO_ROOM
    if account.status != GOING:
        return False
    books.close_message(book)
    account.now_ns = world.instruments[0].last_ns = when
    on_book(state[0], BookView(book.bids, book.asks, power), ctx)
    return account.status == GOING


def begin(me, ctx, account, instrument, rows, row):
    """Call on_start at the first row, before anything else."""
    account.started = 1
    account.now_ns = rows.local_ns[row]
    instrument.price = rows.price[row]
    instrument.first_price = rows.price[row]
    instrument.first_ns = rows.local_ns[row]
    if account.timer_ns > 0:
        account.next_timer_ns = -(-account.now_ns // account.timer_ns) * account.timer_ns
        account.next_due_ns = account.next_timer_ns
    on_start(me, ctx)


def end(state, world, bounds):
    """Call on_end after the last row, expire what is open and sample the rest of the grid."""
    account = world.account[0]
    ctx = Context(world.account, world.instruments, world.orders, 0)
    if account.started == 1:
        on_end(state[0], ctx)
    expire_orders(world)
    sample_until(world, bounds, FAR - 1)
    deepest = max(account.deepest, (account.peak - account.trough) / account.peak)
    account.max_drawdown = max(account.max_drawdown, deepest)
    if world.instruments[0].position != 0.0:
        account.in_position_ns += world.instruments[0].last_ns - account.in_position_since_ns


def next_watch(account, bounds):
    """Return the next time at which more than a mark is to be done."""
    if account.next_sample < bounds.shape[0]:
        return min(account.next_due_ns, bounds[account.next_sample])
    return account.next_due_ns


def first_at(times, start, stop, ns):
    """Return the first place in [start, stop) whose time is `ns` or later, `stop` if there is none."""
    if start == stop or times[stop - 1] < ns:
        return stop
    while start < stop:
        middle = (start + stop) >> 1
        if times[middle] < ns:
            start = middle + 1
        else:
            stop = middle
    return start


def has_room(world):
    """Return whether the outputs hold all that the venue can do at one row, and the answers to it."""
    account = world.account[0]
    return (
        account.orders_out + 2 * MAX_ORDERS <= world.orders_out.shape[0]
        and account.fills_out + MAX_ORDERS <= world.fills_out.shape[0]
        and account.postings_out + 2 * MAX_ORDERS <= world.postings_out.shape[0]
        and account.answers + 2 * MAX_ORDERS <= world.answers.shape[0]
    )


def sample_until(world, bounds, now):
    """Write a sample for every boundary up to `now`: the last mark before it (rule M3)."""
    account = world.account[0]
    while account.next_sample < bounds.shape[0] and bounds[account.next_sample] <= now:
        deepest = max(account.deepest, (account.peak - account.trough) / account.peak)
        sample = world.samples[account.next_sample]
        sample.time_ns = bounds[account.next_sample]
        sample.equity = account.equity
        sample.drawdown = deepest
        sample.position = world.instruments[0].position
        account.max_drawdown = max(account.max_drawdown, deepest)
        account.deepest = 0.0
        account.trough = account.equity
        account.next_sample += 1


def deliver_until(me, ctx, world, now):
    """Hand out answers and timers due up to `now`, in order of time, answers first (rules C2, C3).

    Many may be due before one row; it stops when the orders' output is full, to be called again.
    """
    account = world.account[0]
    arrive_until(world, now)
    full = world.orders_out.shape[0]
    while account.next_due_ns <= now and account.status == GOING and account.orders_out < full:
        due = FAR
        if account.answers > 0:
            due = world.answers[account.answers_first].due_ns
        if due <= account.next_timer_ns:
            answer = pop_answer(world)
            account.now_ns = due
            fill = Fill(
                answer.order_id,
                answer.side,
                answer.price,
                answer.quantity,
                answer.maker == 1,
                answer.closes == 1,
                answer.venue_ns,
            )
            on_fill(me, fill, ctx)
        else:
            account.now_ns = account.next_timer_ns
            account.next_timer_ns += account.timer_ns
            on_timer(me, ctx)
        arrive_until(world, now)
        due = FAR
        if account.answers > 0:
            due = world.answers[account.answers_first].due_ns
        account.next_due_ns = min(due, account.next_timer_ns)
