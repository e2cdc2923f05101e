"""The kernel that matches the rows of two feeds: each with its partner, or with none."""

import numpy as np

from tickreel.jit import inlined, kernel
from tickreel.quality.compare_terms import (
    AMOUNT,
    DONE,
    FIELDS,
    NEED_A,
    NEED_B,
    NEVER_NS,
    NO_ID,
    NO_ROOM_A,
    NO_ROOM_B,
    OTHER,
    PRICE,
    SIDE,
    TIME,
)
from tickreel.quality.same_kernel import mixed
from tickreel.quality.times_kernel import PLACES, bin_of
from tickreel.quality.waiting_kernel import (
    COUNT,
    FREE,
    NONE,
    OLDEST,
    UNTRIED,
    pass_untried,
    place_of,
    put,
    take,
    unchain,
)

_FIELDS = len(FIELDS)
_BUCKET_MASK = 2**62 - 1
_MOST_BUCKET = 2.0**61
_EPSILON = 2.0**-52
_SIDE_BITS = np.uint64(0xFF)


@inlined
def _is_like(one, other, tolerance):
    """Return whether two decimals are apart by no more than a tolerance, both given as the nearest float64."""
    if one == other or (one != one and other != other):
        return True
    slack = _EPSILON * (max(abs(one), abs(other)) + tolerance)
    return tolerance > 0 and abs(one - other) <= tolerance + slack


@inlined
def _hash_of(window, row):
    if window.id[row] != NO_ID:
        return mixed(NO_ID, window.id[row])
    hashed = mixed(window.rest[row], window.time_bits[row])
    return mixed(mixed(hashed, window.price_bits[row]), window.amount_bits[row])


@inlined
def _bucket(value, width):
    """Return the number of the bucket of a value, as float64."""
    return min(max(np.floor(value / width), -_MOST_BUCKET), _MOST_BUCKET) if value == value else 0.0


@inlined
def _near_hash(rest, time_bucket, price_bucket, amount_bucket):
    """Return the hash of a row's buckets."""
    hashed = rest
    for bucket in (time_bucket, np.int64(price_bucket), np.int64(amount_bucket)):
        hashed = mixed(hashed, np.uint64(bucket & _BUCKET_MASK))
    return hashed


@inlined
def _buckets(terms, exchange_ns, price, amount):
    """Return the buckets of time, price and amount: partners lie in the same or the next ones."""
    return (
        exchange_ns // (terms.time_ns + 1),
        _bucket(price, 2 * terms.price) if terms.price > 0 else 0.0,
        _bucket(amount, 2 * terms.amount) if terms.amount > 0 else 0.0,
    )


@inlined
def _fill(new, window, row, hashed, terms):
    """Write a row of a window into ROW[1]."""
    made = new[0]
    made["order_ns"], made["own_ns"] = window.order_ns[row], window.own_ns[row]
    made["exchange_ns"], made["id"] = window.exchange_ns[row], window.id[row]
    made["price"], made["amount"], made["rest"] = window.price[row], window.amount[row], window.rest[row]
    made["hash"], made["number"] = hashed, window.first[0] + row
    if terms.near:
        time, price, amount = _buckets(terms, made["exchange_ns"], made["price"], made["amount"])
        made["near"] = _near_hash(made["rest"], time, price, amount)


@inlined
def _is_same(window, row, other):
    """Return whether a row and a waiting one, of like hash, are the same: by id, else in all that they are."""
    if window.id[row] != NO_ID or other["id"] != NO_ID:
        return window.id[row] == other["id"]
    return (
        window.exchange_ns[row] == other["exchange_ns"]
        and window.rest[row] == other["rest"]
        and _is_like(window.price[row], other["price"], 0.0)
        and _is_like(window.amount[row], other["amount"], 0.0)
    )


@inlined
def _find(waiting, window, row, hashed, terms):
    """Return the waiting row that is the partner of a window's: the oldest that is the same; or NONE."""
    rows, order = waiting.rows, window.order_ns[row]
    place = place_of(hashed, waiting.heads)
    slot = waiting.heads[place]
    while slot != NONE and rows[slot]["order_ns"] < order - terms.window_ns:
        # Too old for this row, and for all that come after it.
        unchain(waiting, slot)
        slot = waiting.heads[place]
    while slot != NONE:
        if rows[slot]["hash"] == hashed and _is_same(window, row, rows[slot]):
            return slot if rows[slot]["order_ns"] <= order + terms.window_ns else NONE
        slot = rows[slot]["after"]
    return NONE


@inlined
def _are_equal(a, i, b, j):
    """Return whether two rows of windows are equal: the same id or none, and all else alike to the bit."""
    return (
        a.id[i] == b.id[j]
        and a.time_bits[i] == b.time_bits[j]
        and a.price_bits[i] == b.price_bits[j]
        and a.amount_bits[i] == b.amount_bits[j]
        and a.rest[i] == b.rest[j]
    )


@inlined
def _is_counted(own_ns, terms):
    return terms.from_ns <= own_ns < terms.to_ns


@inlined
def _differs(terms, one, other):
    """Return the bits of what differs between two records of ROW by more than its tolerance."""
    differs = 0
    if abs(one["exchange_ns"] - other["exchange_ns"]) > terms.time_ns:
        differs |= TIME
    if not _is_like(one["price"], other["price"], terms.price):
        differs |= PRICE
    if not _is_like(one["amount"], other["amount"], terms.amount):
        differs |= AMOUNT
    rests = one["rest"] ^ other["rest"]
    if rests & _SIDE_BITS != 0:
        differs |= SIDE
    if rests & ~_SIDE_BITS != 0:
        differs |= OTHER
    return differs


@inlined
def _pair(c, bins, terms, one, other):
    """Count two records of ROW, of A and of B, as partners."""
    c["lag_ns"] = other["order_ns"] - one["order_ns"]
    if not _is_counted(one["own_ns"], terms):
        return
    differs = _differs(terms, one, other)
    if differs == 0:
        c["matched"] += 1
    else:
        if c["different"] < PLACES:
            c["different_at"][c["different"], 0] = one["number"]
            c["different_at"][c["different"], 1] = other["number"]
        c["different"] += 1
        for field in range(_FIELDS):
            c["fields"][field] += (differs >> field) & 1
    if terms.has_lag:
        _count_lag(c, bins, terms, one, other)


@inlined
def _count_lag(c, bins, terms, one, other):
    lag = other["own_ns"] - one["own_ns"]
    bins[bin_of(lag)] += 1
    c["lag_min_ns"] = min(c["lag_min_ns"], lag) if c["lagged"] else lag
    c["lag_max_ns"] = max(c["lag_max_ns"], lag) if c["lagged"] else lag
    c["lagged"] += 1
    if lag > terms.late_ns:
        if c["late"] < PLACES:
            c["late_at"][c["late"], 0] = one["number"]
            c["late_at"][c["late"], 1] = other["number"]
        c["late"] += 1


@inlined
def _alone(c, terms, row, of_a):
    """Count a row that has no partner."""
    if not _is_counted(row["own_ns"], terms):
        return
    if of_a:
        if c["missing"] < PLACES:
            c["missing_at"][c["missing"]] = row["number"]
        c["missing"] += 1
    else:
        if c["extra"] < PLACES:
            c["extra_at"][c["extra"]] = row["number"]
        c["extra"] += 1


@inlined
def _nearest(waiting, row, terms):
    """Return the first waiting row that is like a waiting row of the other feed, within the tolerances; or NONE."""
    time, price, amount = _buckets(terms, row["exchange_ns"], row["price"], row["amount"])
    times, prices, amounts = (
        1 if terms.time_ns > 0 else 0,
        1 if terms.price > 0 else 0,
        1 if terms.amount > 0 else 0,
    )
    found = NONE
    for t in range(-times, times + 1):
        for p in range(-prices, prices + 1):
            for q in range(-amounts, amounts + 1):
                near = _near_hash(row["rest"], time + t, price + p, amount + q)
                slot = waiting.near_heads[place_of(near, waiting.near_heads)]
                while slot != NONE:
                    other = waiting.rows[slot]
                    if other["near"] == near and _fits(row, other, terms):
                        if found == NONE or other["number"] < waiting.rows[found]["number"]:
                            found = slot
                        break
                    slot = other["near_after"]
    return found


@inlined
def _fits(row, other, terms):
    return (
        abs(row["order_ns"] - other["order_ns"]) <= terms.window_ns
        and abs(row["exchange_ns"] - other["exchange_ns"]) <= terms.time_ns
        and row["rest"] == other["rest"]
        and _is_like(row["price"], other["price"], terms.price)
        and _is_like(row["amount"], other["amount"], terms.amount)
    )


@inlined
def _settle_old(c, terms, waiting, frontier_ns, age_ns, of_a):
    """Count rows as alone that are so much older than all that is yet to come."""
    slot = waiting.state[OLDEST]
    while slot != NONE and waiting.rows[slot]["order_ns"] + age_ns < frontier_ns:
        _alone(c, terms, waiting.rows[slot], of_a)
        take(waiting, slot)
        slot = waiting.state[OLDEST]


@inlined
def _settle(c, terms, waiting_a, waiting_b, next_a, next_b):
    """Count as alone what can have no partner any more, given the order_ns of the next rows."""
    if terms.near:
        next_a = next_b = min(next_a, next_b)
    age_ns = 3 * terms.window_ns if terms.near else terms.window_ns
    _settle_old(c, terms, waiting_a, next_b, age_ns, True)
    _settle_old(c, terms, waiting_b, next_a, age_ns, False)


@inlined
def _try_near(c, bins, terms, waiting_a, waiting_b, frontier_ns):
    """Pair rows that have no equal with what is near to them, in their order, as far as all equals are known."""
    while True:
        a, b = waiting_a.state[UNTRIED], waiting_b.state[UNTRIED]
        order_a = waiting_a.rows[a]["order_ns"] if a != NONE else NEVER_NS
        order_b = waiting_b.rows[b]["order_ns"] if b != NONE else NEVER_NS
        if min(order_a, order_b) >= frontier_ns - 2 * terms.window_ns:
            return
        of_a = order_a <= order_b
        if of_a:
            b = _nearest(waiting_b, waiting_a.rows[a], terms)
        else:
            a = _nearest(waiting_a, waiting_b.rows[b], terms)
        if a != NONE and b != NONE:
            _pair(c, bins, terms, waiting_a.rows[a], waiting_b.rows[b])
            take(waiting_a, a)
            take(waiting_b, b)
        elif of_a:
            pass_untried(waiting_a)
        else:
            pass_untried(waiting_b)


@inlined
def _step(c, bins, terms, window, row, waiting, others, new, of_a):
    """Pair a row of a window with one that waits, or let it wait; return whether there was room."""
    hashed = _hash_of(window, row)
    partner = _find(others, window, row, hashed, terms)
    if partner == NONE and waiting.state[FREE] == NONE:
        if waiting.rows.shape[0] < terms.most:
            return False
        _alone(c, terms, waiting.rows[waiting.state[OLDEST]], of_a)
        c["given_up"] += 1
        take(waiting, waiting.state[OLDEST])
    _fill(new, window, row, hashed, terms)
    if partner == NONE:
        put(waiting, new, terms.near and window.id[row] == NO_ID)
    else:
        if of_a:
            _pair(c, bins, terms, new[0], others.rows[partner])
        else:
            _pair(c, bins, terms, others.rows[partner], new[0])
        take(others, partner)
    return True


@inlined
def _waits(waiting, hashed):
    """Return whether a row of such a hash may wait."""
    return waiting.state[COUNT] > 0 and waiting.heads[place_of(hashed, waiting.heads)] != NONE


@inlined
def _pass_equals(c, bins, terms, a, b, waiting_a, waiting_b):
    """Count rows as matched while the next of A and of B are equal and none that is the same may wait."""
    i, j = c["head_a"], c["head_b"]
    rows = min(a.own_ns.shape[0] - i, b.own_ns.shape[0] - j)
    probes = waiting_a.state[COUNT] > 0 or waiting_b.state[COUNT] > 0
    lag_bin, matched, rows_b, passed = -1, 0, 0, 0
    lag = np.int64(0)
    for place in range(rows):
        row, other = i + place, j + place
        if not _are_equal(a, row, b, other) or abs(a.order_ns[row] - b.order_ns[other]) > terms.window_ns:
            break
        if probes:
            hashed = _hash_of(a, row)
            if _waits(waiting_a, hashed) or _waits(waiting_b, hashed):
                break
        own_a, own_b = a.own_ns[row], b.own_ns[other]
        is_counted = _is_counted(own_a, terms)
        if is_counted and terms.has_lag:
            if lag_bin < 0 or lag != own_b - own_a:
                lag = own_b - own_a
                if c["lagged"] == 0 or (lag > terms.late_ns and c["late"] < PLACES):
                    break
                lag_bin = bin_of(lag)
                c["lag_min_ns"] = min(c["lag_min_ns"], lag)
                c["lag_max_ns"] = max(c["lag_max_ns"], lag)
            bins[lag_bin] += 1
            c["lagged"] += 1
            c["late"] += lag > terms.late_ns
        matched += is_counted
        rows_b += _is_counted(own_b, terms)
        passed += 1
    c["matched"] += matched
    c["rows_a"] += matched
    c["rows_b"] += rows_b
    c["head_a"] += passed
    c["head_b"] += passed
    if passed:
        c["lag_ns"] = b.order_ns[j + passed - 1] - a.order_ns[i + passed - 1]


@kernel
def match(a, b, waiting_a, waiting_b, terms, counts, bins, new):
    """Match rows until one of the windows is used up; return what is needed to go on, or DONE.

    a, b       Window; waiting_a, waiting_b: Waiting of the rows of A and of B that have no partner yet
    counts     COUNTS[1]: added to; head_a and head_b are moved on
    bins       int64[2 x HALF]: lags of pairs by bin, added to
    new        ROW[1], scratch
    Rows that are the same are paired first come, first served, as far as their order_ns are no more than
    window_ns apart. With `near`, the rows left over are then taken in order of time, A's before B's, and each
    is paired with the first one left over that is near enough. So which rows are partners depends on nothing
    else: not on where windows end, nor on which feed is read first.
    """
    c = counts[0]
    while True:
        _pass_equals(c, bins, terms, a, b, waiting_a, waiting_b)
        i, j = c["head_a"], c["head_b"]
        has_a, has_b = i < a.own_ns.shape[0], j < b.own_ns.shape[0]
        if not (has_a or a.is_last[0]):
            return NEED_A
        if not (has_b or b.is_last[0]):
            return NEED_B
        next_a = a.order_ns[i] if has_a else NEVER_NS
        next_b = b.order_ns[j] if has_b else NEVER_NS
        if terms.near:
            _try_near(c, bins, terms, waiting_a, waiting_b, min(next_a, next_b))
        _settle(c, terms, waiting_a, waiting_b, next_a, next_b)
        if not (has_a or has_b):
            return DONE
        # By the lag of the last pair: so an extra row does not set the feeds apart from there on.
        if has_a and (not has_b or a.order_ns[i] + c["lag_ns"] <= b.order_ns[j]):
            if not _step(c, bins, terms, a, i, waiting_a, waiting_b, new, True):
                return NO_ROOM_A
            c["rows_a"] += _is_counted(a.own_ns[i], terms)
            c["head_a"] += 1
        else:
            if not _step(c, bins, terms, b, j, waiting_b, waiting_a, new, False):
                return NO_ROOM_B
            c["rows_b"] += _is_counted(b.own_ns[j], terms)
            c["head_b"] += 1
