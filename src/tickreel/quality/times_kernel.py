"""Kernels over the times of rows: activity, silences and the two clocks."""

import numpy as np

from tickreel.jit import inlined, kernel

HALF = 57 * 128
"""Bins of one sign of an offset; see offsets.py."""
PLACES = 5
"""How many examples of one kind are kept, the first ones."""
NS_PER_SECOND = 1_000_000_000
NS_PER_HOUR = 3_600 * NS_PER_SECOND
HOUR_ROWS = 100
"""Rows that an hour needs for a median of its own."""
NO_HOUR = np.iinfo(np.int64).min

TIMES = np.dtype(
    [
        ("rows", "<i8"),
        ("first_ns", "<i8"),
        ("last_ns", "<i8"),
        ("same_time", "<i8"),
        ("same_exchange_time", "<i8"),
        ("active_seconds", "<i8"),
        ("peak_rows", "<i8"),
        ("second_rows", "<i8"),
        ("time_step_ns", "<i8"),
        ("silences", "<i8"),
        ("offset_min_ns", "<i8"),
        ("offset_max_ns", "<i8"),
        ("offset_negative", "<i8"),
        ("offset_zero", "<i8"),
        ("offset_negative_at", "<i8", (PLACES,)),
        ("offset_zero_at", "<i8", (PLACES,)),
        ("offset_max_at", "<i8"),
        ("last_exchange_ns", "<i8"),
        ("exchange_backwards", "<i8"),
        ("exchange_backwards_max_ns", "<i8"),
        ("hour", "<i8"),
        ("hour_rows", "<i8"),
    ]
)
"""What is carried from row to row; `rows` 0 is the beginning. Names of figures where they are figures."""


@inlined
def keep_place(places, count, local):
    """Keep where case number `count` is, of the first PLACES."""
    if count < PLACES:
        places[count] = local


@inlined
def bin_of(offset):
    """Return the bin of an offset in ns, in ascending order of offset."""
    rest = offset if offset >= 0 else -offset - 1
    shift = 0
    for step in (32, 16, 8, 4, 2, 1):
        if rest >> step >= 128:
            rest >>= step
            shift += step
    index = shift * 128 + rest
    return HALF + index if offset >= 0 else HALF - 1 - index


@inlined
def _close_hour(s, hour_bins, hour_places):
    """Keep the bin of the hour's median, if it has rows enough, and empty its bins."""
    if s["hour_rows"] >= HOUR_ROWS:
        left = (s["hour_rows"] + 1) // 2
        place = 0
        while left > hour_bins[place]:
            left -= hour_bins[place]
            place += 1
        hour_places[s["hour"]] = place
    if s["hour_rows"]:
        hour_bins[:] = 0
    s["hour_rows"] = 0


@inlined
def _pace(s, local, floor_ns, silences):
    """Count a row into its second, and keep the silence before it."""
    if local == s["last_ns"]:
        s["same_time"] += 1
    elif local - s["last_ns"] > floor_ns and s["silences"] < silences.shape[0]:
        silences[s["silences"], 0] = s["last_ns"]
        silences[s["silences"], 1] = local
        s["silences"] += 1
    if local // NS_PER_SECOND != s["last_ns"] // NS_PER_SECOND:
        s["active_seconds"] += 1
        s["second_rows"] = 0
    s["second_rows"] += 1
    s["peak_rows"] = max(s["peak_rows"], s["second_rows"])


@inlined
def _backwards(s, local, exchange, places):
    """Count a step back of the exchange's time, and keep the first places: (local ns, step ns)."""
    step = s["last_exchange_ns"] - exchange
    s["same_exchange_time"] += step == 0
    if step > 0:
        if s["exchange_backwards"] < PLACES:
            places[s["exchange_backwards"], 0] = local
            places[s["exchange_backwards"], 1] = step
        s["exchange_backwards"] += 1
        s["exchange_backwards_max_ns"] = max(s["exchange_backwards_max_ns"], step)


@inlined
def _begin(s, exchange, local):
    s["first_ns"] = s["last_ns"] = local
    s["last_exchange_ns"] = exchange
    s["active_seconds"] = s["second_rows"] = s["peak_rows"] = 1
    s["time_step_ns"] = NS_PER_SECOND
    s["offset_min_ns"] = s["offset_max_ns"] = local - exchange
    s["offset_max_at"] = local
    s["hour"] = -1


@inlined
def _compare(s, local, offset):
    """Count what the two clocks say of each other."""
    s["offset_min_ns"] = min(s["offset_min_ns"], offset)
    if offset > s["offset_max_ns"]:
        s["offset_max_ns"] = offset
        s["offset_max_at"] = local
    if offset < 0:
        keep_place(s["offset_negative_at"], s["offset_negative"], local)
        s["offset_negative"] += 1
    elif offset == 0:
        keep_place(s["offset_zero_at"], s["offset_zero"], local)
        s["offset_zero"] += 1


@kernel
def look_at_times(
    exchange_ns, local_ns, day_ns, floor_ns, state, silences, backwards, bins, hour_bins, hour_places
):
    """Add rows of one symbol and day, in order of local time, to what is known of them.

    exchange_ns, local_ns  int64[n]; day_ns: the day's first ns; floor_ns: shorter silences are not kept
    state        TIMES[1], zero before the first row
    silences     int64[m, 2], m at least day / floor: (last row before, first row after), ns
    backwards    int64[PLACES, 2]: (local ns, step ns)
    bins         int64[2 x HALF], offsets local - exchange by bin; hour_bins the same of one hour
    hour_places  int64[24], the bin of each closed hour's median, or NO_HOUR
    """
    s = state[0]
    for row in range(local_ns.shape[0]):
        local, exchange = local_ns[row], exchange_ns[row]
        if s["rows"] == 0:
            _begin(s, exchange, local)
        else:
            _pace(s, local, floor_ns, silences)
            _backwards(s, local, exchange, backwards)
        # Stored times are whole microseconds: a finer step needs no look.
        while s["time_step_ns"] > 1_000 and local % s["time_step_ns"] != 0:
            s["time_step_ns"] //= 1_000
        hour = min(max((local - day_ns) // NS_PER_HOUR, 0), 23)
        if hour != s["hour"]:
            _close_hour(s, hour_bins, hour_places)
            s["hour"] = hour
        offset = local - exchange
        place = bin_of(offset)
        bins[place] += 1
        hour_bins[place] += 1
        s["hour_rows"] += 1
        _compare(s, local, offset)
        s["rows"] += 1
        s["last_ns"] = local
        s["last_exchange_ns"] = exchange


@kernel
def close_times(state, hour_bins, hour_places):
    """Close the last hour; after it the record begins anew with the next symbol."""
    _close_hour(state[0], hour_bins, hour_places)


@kernel
def mark_seconds(local_ns, day_ns, first, last):
    """Lower and raise the first and last time of each second of a day to those of the rows.

    first, last  int64[86_400], ns; before any row the greatest int64 and 0
    """
    for row in range(local_ns.shape[0]):
        second = min(max((local_ns[row] - day_ns) // NS_PER_SECOND, 0), first.shape[0] - 1)
        first[second] = min(first[second], local_ns[row])
        last[second] = max(last[second], local_ns[row])
