"""Draws one day of trades of one symbol into arrays, with whole numbers only.

Four passes: bursts in their order, their times, their trades, the amounts. All arithmetic is
int64 that never overflows, so plain Python gives the same trades as the compiled code.
"""

from tickreel.jit import inlined, kernel
from tickreel.synth.records_kernel import I64, Bursts, DayPlan, Rows, Tables

_MASK = 0xFFFFFFFF
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_UNITS_PER_MS = 16


@inlined
def next32(state: I64) -> int:
    """Return 32 random bits: xoshiro128++ by Blackman and Vigna on four int64 of 32 bits each."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = (s0 + s3) & _MASK
    result = ((((total << 7) & _MASK) | (total >> 25)) + s0) & _MASK
    s2 ^= s0
    s3 ^= s1
    state[1] = s1 ^ s2
    state[0] = s0 ^ s3
    state[2] = s2 ^ ((s1 << 9) & _MASK)
    state[3] = ((s3 << 11) & _MASK) | (s3 >> 21)
    return result


@inlined
def draw_gap(mean: int, quantiles: I64, level: int, bits: int) -> int:
    """Return 1/16 ms to the next burst: 3 of 10 follow within 1 to 8 ms, as answers to the last."""
    if (bits & 0x3FF) < 307:
        return _UNITS_PER_MS * (1 + ((bits >> 10) & 7))
    return (mean * 13 // 10) * quantiles[bits >> 22] * 256 // (level << 10)


@inlined
def draw_step(standard: int, tick: int, normal: I64, level: int, bits: int) -> tuple[int, int]:
    """Return a burst's step in 1e-9 of the open and its variance: most are 0 or one, two ticks."""
    kind = bits & 0x3FFF
    if kind < 4_588:
        z = normal[bits >> 20]
        return z * level // 256 * standard // 65_536, 1 + ((level * level) >> 10)
    if kind < 7_536:
        ticks = 1 + ((bits >> 14) & 1)
        return (ticks if (bits >> 15) & 1 else -ticks) * tick, 0
    return 0, 0


@inlined
def draw_side(step: int, variance: int, side: int, trend: int, bits: int) -> int:
    """Return who takes: the side that moves the price, or mostly the last side or the trend's."""
    if variance > 0 or (step != 0 and (bits & 15) < 12):
        return 1 if step > 0 else 2
    if ((bits >> 4) & 15) < 9:
        return side
    if ((bits >> 8) & 7) < 5:
        return trend
    return 1 + ((bits >> 11) & 1)


@kernel
def draw_bursts(plan: DayPlan, tables: Tables, state: I64, bursts: Bursts) -> tuple[int, int]:
    """Fill all of `bursts` but their times; return their number and the sum of all gaps.

    The sum includes the gap after the last burst.
    """
    rows, count, clock, path, weight = 0, 0, 0, 0, 0
    heat = 24 + (next32(state) & 15)
    side, trend = 1, 1 + (next32(state) & 1)
    while rows < plan.rows:
        bits = next32(state)
        if (bits & 0xFFFFFF) < plan.level_chance:
            heat += 1 if ((bits >> 24) & 63) >= heat else -1
        level = tables.level[heat]
        clock += draw_gap(plan.gap, tables.gap, level, next32(state))
        bits = next32(state)
        step, variance = draw_step(plan.step_ppb, plan.tick_ppb, tables.normal, level, bits)
        path += step
        weight += variance
        bits = next32(state)
        if (bits >> 27) == 0:
            trend = 3 - trend
        side = draw_side(step, variance, side, trend, bits)
        length = tables.length[(bits >> 12) & 1023]
        if variance > 0:
            # A move of the price is a sweep through the book, and a large one a long sweep.
            length += 1 + min(6, abs(step) // plan.step_ppb * 2)
        length = min(length, plan.rows - rows)
        bursts.length[count], bursts.clock[count], bursts.side[count] = length, clock, side
        bursts.path[count], bursts.weight[count] = path, weight
        rows += length
        count += 1
    return count, clock + draw_gap(plan.gap, tables.gap, tables.level[heat], next32(state))


@kernel
def place_bursts(hours: I64, state: I64, bursts: Bursts, count: int, total: int) -> None:
    """Turn `clock` into ms since the day's start, by the hours' activity; they increase strictly.

    The last second stays free for the lag of the local clock. One day in eight opens with a
    burst from just before midnight that arrives after it, as days cut by local time do.
    """
    hour, last = 0, -1
    for index in range(count):
        clock = bursts.clock[index]
        while hour < 23 and clock << 16 >= hours[hour + 1] * total:
            hour += 1
        low = (hours[hour] * total) >> 16
        high = (hours[hour + 1] * total) >> 16
        ms = hour * _HOUR_MS + (clock - low) * _HOUR_MS // max(1, high - low)
        ms -= ms // 86_400
        last = max(min(ms, _DAY_MS - 1_000), last + 1)
        bursts.clock[index] = last
    bits = next32(state)
    if count > 0 and (bits & 7) == 0:
        bursts.clock[0] = -1 - ((bits >> 3) & 7)


@inlined
def drift_at(drift: I64, jump_at: I64, slot: int, place: int) -> int:
    """Return the drift at a place of 2^16 in the day's variance, after `slot` places for jumps."""
    if slot == 8:
        return drift[8]
    start = 0 if slot == 0 else jump_at[slot - 1]
    part = (drift[slot + 1] - drift[slot]) * (place - start) // (jump_at[slot] - start)
    return drift[slot] + part


@inlined
def walk_price(price: int, end: int, left: int, bits: int) -> int:
    """Return the next price of a sweep that must reach `end` after `left` more trades.

    It stays in two of eight cases and else goes on by whole ticks, about its even share.
    """
    if left == 0:
        return end
    if (bits & 7) < 2:
        return price
    part = abs(end - price) * (64 + ((bits >> 3) & 127)) // (128 * (left + 1))
    return price + part if end > price else price - part


@inlined
def draw_burst(
    state: I64, burst: tuple[int, int, int, int, int, int], start: int, end: int, rows: Rows
) -> tuple[int, int]:
    """Write the trades of one burst; return local time and id to go on from.

    burst       (first row, length, side, exchange us, local us, id)
    start, end  first and last price in ticks
    """
    first, length, side, exchange, local, ident = burst
    price = start
    for row in range(first, first + length):
        bits = next32(state)
        price = walk_price(price, end, first + length - 1 - row, bits)
        local += 1_300 if (bits >> 26) == 0 else (bits >> 24) & 3
        ident += 1 + ((bits >> 10) & 3 if (bits >> 20) == 0 else 0)
        rows.exchange_us[row], rows.local_us[row], rows.id[row] = exchange, local, ident
        rows.side[row], rows.price_ticks[row] = side, price
    return local, ident


@kernel
def draw_trades(plan: DayPlan, lag_us: I64, state: I64, bursts: Bursts, count: int, rows: Rows) -> None:
    """Write all trades but their amounts along a path that ends where the plan says.

    What the drawn path misses of its end is spread over the steps in proportion to their
    variance (a Brownian bridge): bursts without a step stay without.
    """
    total = max(1, bursts.weight[count - 1])
    miss = plan.move_ppb - bursts.path[count - 1]
    slot, jumped, first, before = 0, 0, 0, plan.open_ticks
    local, ident = plan.start_us, plan.first_id
    for index in range(count):
        weight = total if index == count - 1 else bursts.weight[index]
        place = (weight << 16) // total
        jump = 0
        while slot < 8 and plan.jump_at[slot] <= place:
            jump += plan.jump_ppb[slot]
            slot += 1
        jumped += jump
        path = bursts.path[index] + miss * weight // total + jumped
        path += drift_at(plan.drift_ppb, plan.jump_at, slot, place)
        bid = max(1, plan.open_ticks * (1_000_000_000 + path) // 1_000_000_000)
        side, length = bursts.side[index], bursts.length[index]
        ask = 1 if side == 1 else 0
        # A sweep starts at the old quote; a jump, or a move against the taker, is there already.
        swept = jump == 0 and ((side == 1 and bid > before) or (side == 2 and bid < before))
        start = before if swept else bid
        exchange = plan.start_us + bursts.clock[index] * 1_000
        local = max(local, exchange + lag_us[next32(state) >> 22])
        burst = (first, length, side, exchange, local, ident)
        local, ident = draw_burst(state, burst, start + ask, bid + ask, rows)
        first += length
        before = bid


@inlined
def draw_lots(popular: I64, rounds: I64, typical: int, quantiles: I64, lots: int, bits: int) -> int:
    """Return an amount: a popular one, the last one again, a round one, or a free one."""
    kind = bits & 31
    if kind < 14:
        return popular[((bits >> 5) & 15) & ((bits >> 9) & 15)]
    if kind < 18:
        return lots
    if kind < 22:
        return rounds[((bits >> 5) & 15) & ((bits >> 9) & 15)]
    return max(1, typical * quantiles[bits >> 22] * (256 + ((bits >> 5) & 255)) >> 17)


@kernel
def draw_amounts(plan: DayPlan, quantiles: I64, state: I64, amount_lots: I64) -> None:
    """Fill the amounts of all trades."""
    lots = plan.typical_lots
    for row in range(len(amount_lots)):
        bits = next32(state)
        lots = draw_lots(plan.popular_lots, plan.round_lots, plan.typical_lots, quantiles, lots, bits)
        amount_lots[row] = lots
