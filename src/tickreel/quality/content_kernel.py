"""Kernels over what rows say: sides, prices, best prices, book rows and funding."""

import numpy as np

from tickreel.jit import inlined, kernel
from tickreel.quality.times_kernel import PLACES, keep_place

BESIDE = 5
"""Trades before and after one that its price is compared with."""
WINDOW = 2 * BESIDE + 1
OUTLIER_SHARE = 0.01
OUTLIER_DEVIATIONS = 10
NO_TIME = np.iinfo(np.int64).min

PRINTS = np.dtype(
    [
        ("side_unknown", "<i8"),
        ("side_unknown_at", "<i8", (PLACES,)),
        ("amount_total", "<f8"),
        ("amount_max", "<f8"),
        ("amount_max_ns", "<i8"),
    ]
)
PRICES = np.dtype(
    [("outliers", "<i8"), ("outliers_alike", "<i8"), ("trades", "<i8"), ("outlier_before", "<f8")]
)
OUTLIER = np.dtype([("local_ns", "<i8"), ("price", "<f8"), ("median", "<f8")])
BEST = np.dtype(
    [
        ("sides_empty", "<i8"),
        ("locked_rows", "<i8"),
        ("crossed_rows", "<i8"),
        ("crossed_intervals", "<i8"),
        ("crossed_ns", "<i8"),
        ("crossed_max_ns", "<i8"),
        ("sides_empty_at", "<i8", (PLACES,)),
        ("locked_rows_at", "<i8", (PLACES,)),
        ("crossed_at", "<i8", (PLACES, 2)),
        ("crossed", "<i8"),
        ("since_ns", "<i8"),
        ("last_ns", "<i8"),
    ]
)
BOOK = np.dtype(
    [
        ("snapshots", "<i8"),
        ("snapshot_rows", "<i8"),
        ("snapshot_zeros", "<i8"),
        ("rows_before_snapshot", "<i8"),
        ("cells_empty", "<i8"),
        ("removals", "<i8"),
        ("snapshots_at", "<i8", (PLACES,)),
        ("reconnects_at", "<i8", (PLACES,)),
        ("snapshot_zeros_at", "<i8", (PLACES,)),
        ("cells_empty_at", "<i8", (PLACES,)),
        ("in_snapshot", "<i8"),
        ("last_ns", "<i8"),
    ]
)
FUNDING = np.dtype(
    [
        ("funding_steps", "<i8"),
        ("funding_steps_back", "<i8"),
        ("funding_empty", "<i8"),
        ("funding_rate_changes", "<i8"),
        ("funding_steps_back_at", "<i8", (PLACES,)),
        ("next_ns", "<i8"),
        ("rate", "<f8"),
        ("rated", "<i8"),
    ]
)


@kernel
def look_at_prints(local_ns, side, amount, state):
    """Add sides and amounts of trades or liquidations. side uint8[n], 0 is unknown; state PRINTS[1]."""
    s = state[0]
    for row in range(side.shape[0]):
        if side[row] == 0:
            keep_place(s["side_unknown_at"], s["side_unknown"], local_ns[row])
            s["side_unknown"] += 1
        s["amount_total"] += amount[row]
        if amount[row] > s["amount_max"]:
            s["amount_max"] = amount[row]
            s["amount_max_ns"] = local_ns[row]


@inlined
def _median(ordered, values):
    """Return the median of WINDOW values, which are put in order in `ordered`."""
    for place in range(WINDOW):
        value = values[place]
        hole = place
        while hole > 0 and ordered[hole - 1] > value:
            ordered[hole] = ordered[hole - 1]
            hole -= 1
        ordered[hole] = value
    return ordered[BESIDE]


@inlined
def _stands_out(price, ring, ordered, distances):
    """Return the median of the window if `price` is an outlier of it, else 0."""
    far = False
    for other in ring:
        far = far or abs(price - other) > OUTLIER_SHARE * min(price, other)
    if not far:
        return 0.0
    middle = _median(ordered, ring)
    for place in range(WINDOW):
        distances[place] = abs(ring[place] - middle)
    usual = _median(ordered, distances)
    limit = max(OUTLIER_SHARE * middle, OUTLIER_DEVIATIONS * usual)
    return middle if abs(price - middle) > limit else 0.0


@kernel
def look_at_prices(local_ns, price, state, ring, ring_ns, scratch, outliers):
    """Add prices of trades; each is judged when BESIDE more have come.

    state    PRICES[1]; ring float64[WINDOW], ring_ns int64[WINDOW], scratch float64[2, WINDOW]
    outliers OUTLIER[PLACES]: time, price and the median of its window
    """
    s = state[0]
    for row in range(price.shape[0]):
        slot = s["trades"] % WINDOW
        ring[slot] = price[row]
        ring_ns[slot] = local_ns[row]
        s["trades"] += 1
        if s["trades"] < WINDOW:
            continue
        judged = (s["trades"] - 1 - BESIDE) % WINDOW
        middle = _stands_out(ring[judged], ring, scratch[0], scratch[1])
        if middle > 0:
            if s["outliers"] < PLACES:
                outliers[s["outliers"]]["local_ns"] = ring_ns[judged]
                outliers[s["outliers"]]["price"] = ring[judged]
                outliers[s["outliers"]]["median"] = middle
            s["outliers_alike"] += s["outliers"] > 0 and ring[judged] == s["outlier_before"]
            s["outlier_before"] = ring[judged]
            s["outliers"] += 1


@inlined
def see_best(s, local, whole, spread):
    """Add one look at best bid and ask: whether there are both, and the sign of ask - bid."""
    crossed = whole and spread < 0
    if not whole:
        keep_place(s["sides_empty_at"], s["sides_empty"], local)
        s["sides_empty"] += 1
    elif spread == 0:
        keep_place(s["locked_rows_at"], s["locked_rows"], local)
        s["locked_rows"] += 1
    s["crossed_rows"] += crossed
    if s["crossed"]:
        s["crossed_ns"] += local - s["last_ns"]
        s["crossed_max_ns"] = max(s["crossed_max_ns"], local - s["since_ns"])
        if s["crossed_intervals"] <= PLACES:
            s["crossed_at"][s["crossed_intervals"] - 1, 1] = local
    elif crossed:
        if s["crossed_intervals"] < PLACES:
            s["crossed_at"][s["crossed_intervals"], 0] = local
            s["crossed_at"][s["crossed_intervals"], 1] = local
        s["crossed_intervals"] += 1
        s["since_ns"] = local
    s["crossed"] = crossed
    s["last_ns"] = local


@kernel
def look_at_best(local_ns, bid, ask, state):
    """Add best prices, float64[n], NaN or 0 for an empty side; state BEST[1].

    A crossed interval begins with a row whose bid is above its ask, and ends with the next row
    that is not so, or with the last row.
    """
    for row in range(local_ns.shape[0]):
        whole = bid[row] > 0 and ask[row] > 0
        see_best(state[0], local_ns[row], whole, ask[row] - bid[row])


@kernel
def look_at_book(local_ns, is_snapshot, price, amount, state):
    """Add rows of an order book. is_snapshot uint8[n] 0 or 1; price, amount float64[n]; state BOOK[1].

    Consecutive snapshot rows of one time are one snapshot.
    """
    s = state[0]
    for row in range(local_ns.shape[0]):
        local = local_ns[row]
        if is_snapshot[row]:
            if not (s["in_snapshot"] and s["last_ns"] == local):
                keep_place(s["snapshots_at"], s["snapshots"], local)
                if s["snapshots"]:
                    keep_place(s["reconnects_at"], s["snapshots"] - 1, local)
                s["snapshots"] += 1
            s["snapshot_rows"] += 1
            if amount[row] == 0:
                keep_place(s["snapshot_zeros_at"], s["snapshot_zeros"], local)
                s["snapshot_zeros"] += 1
        else:
            s["rows_before_snapshot"] += s["snapshots"] == 0
            s["removals"] += amount[row] == 0
        if np.isnan(price[row]) or np.isnan(amount[row]):
            keep_place(s["cells_empty_at"], s["cells_empty"], local)
            s["cells_empty"] += 1
        s["in_snapshot"] = is_snapshot[row]
        s["last_ns"] = local


@kernel
def look_at_funding(local_ns, funding_ns, funding_rate, state):
    """Add rows of a derivative's ticker: int64[n] ns or NO_TIME, float64[n] or NaN; state FUNDING[1].

    Empty cells are counted (times) or passed over (rates); a step is from the last that was not empty.
    """
    s = state[0]
    for row in range(funding_ns.shape[0]):
        if funding_ns[row] == NO_TIME:
            s["funding_empty"] += 1
        else:
            if s["next_ns"] != 0:
                s["funding_steps"] += funding_ns[row] > s["next_ns"]
                if funding_ns[row] < s["next_ns"]:
                    keep_place(s["funding_steps_back_at"], s["funding_steps_back"], local_ns[row])
                    s["funding_steps_back"] += 1
            s["next_ns"] = funding_ns[row]
        if not np.isnan(funding_rate[row]):
            s["funding_rate_changes"] += s["rated"] and funding_rate[row] != s["rate"]
            s["rate"] = funding_rate[row]
            s["rated"] = 1
