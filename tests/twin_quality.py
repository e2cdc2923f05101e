"""The figures of a symbol's day, worked out from plain rows in the most obvious way."""

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

Row = dict[str, Any]

DAY_NS = 86_400_000_000_000
NULL_TIME = -(2**63)


def figures(type: str, rows: list[Row], day_ns: int, gap_ns: int | None) -> dict[str, Any]:
    found = times(rows, day_ns, gap_ns) | clocks(rows, day_ns)
    if "id" in rows[0]:
        found |= ids([row["id"] for row in rows])
        found["side_unknown"] = sum(row["side"] == 0 for row in rows)
        found["amount_total"] = running_sum([row["amount"] for row in rows])
        found["amount_max"] = max(row["amount"] for row in rows)
    if type == "trades":
        found["outliers"] = sum(is_outlier([row["price"] for row in rows], at) for at in range(len(rows)))
    for bid, ask in (("bid_price", "ask_price"), ("bids_0_price", "asks_0_price")):
        if bid in rows[0]:
            found |= best([(row["local_ns"], row[bid], row[ask]) for row in rows])
    if "is_snapshot" in rows[0]:
        found |= book(rows)
    if "funding_ns" in rows[0]:
        found |= funding(rows)
    return found


def times(rows: list[Row], day_ns: int, gap_ns: int | None) -> dict[str, Any]:
    local = [row["local_ns"] for row in rows]
    seconds = [ns // 10**9 for ns in local]
    active = len(set(seconds))
    threshold = gap_ns or 60 * 10**9
    if gap_ns is None and active > 1:
        threshold = max(threshold, 20 * (local[-1] - local[0]) // (active - 1))
    gaps = [b - a for a, b in pairwise(local) if b - a > threshold]
    head, tail = local[0] - day_ns, day_ns + DAY_NS - local[-1]
    uncovered = sum(gaps) + sum(edge for edge in (head, tail) if edge > threshold)
    steps = [step for step in (10**9, 10**6, 10**3) if all(ns % step == 0 for ns in local)]
    return {
        "rows": len(rows), "symbols": 1, "first_ns": local[0], "last_ns": local[-1],
        "head_ns": head, "tail_ns": tail, "covered_ns": DAY_NS - uncovered,
        "active_seconds": active, "peak_rows": max(seconds.count(second) for second in set(seconds)),
        "same_time": sum(a == b for a, b in pairwise(local)), "time_step_ns": steps[0],
        "gap_threshold_ns": threshold, "gaps": len(gaps), "gaps_ns": sum(gaps), "gap_max_ns": max(gaps, default=0),
    }  # fmt: skip


def clocks(rows: list[Row], day_ns: int) -> dict[str, Any]:
    offsets = [row["local_ns"] - row["exchange_ns"] for row in rows]
    exchange = [row["exchange_ns"] for row in rows]
    back = [a - b for a, b in pairwise(exchange) if b < a]
    medians = []
    for hour in range(24):
        start = day_ns + hour * 3_600 * 10**9
        own = [
            o
            for o, row in zip(offsets, rows, strict=True)
            if start <= row["local_ns"] < start + 3_600 * 10**9
        ]
        if len(own) >= 100:
            medians.append(binned(ranked(own, 50)))
    low, high = min(offsets), max(offsets)
    percentiles = {
        f"offset_p{percent}_ns": min(max(binned(ranked(offsets, percent)), low), high)
        for percent in (1, 50, 99)
    }
    return percentiles | {
        "offset_min_ns": low, "offset_max_ns": high,
        "offset_negative": sum(offset < 0 for offset in offsets), "offset_zero": offsets.count(0),
        "offset_drift_ns": max(medians) - min(medians) if medians else 0,
        "offset_jump_ns": max((abs(b - a) for a, b in pairwise(medians)), default=0),
        "same_exchange_time": sum(a == b for a, b in pairwise(exchange)),
        "exchange_backwards": len(back), "exchange_backwards_max_ns": max(back, default=0),
    }  # fmt: skip


def ranked(values: list[int], percent: int) -> int:
    return sorted(values)[max(math.ceil(Fraction(percent * len(values), 100)), 1) - 1]


def binned(value: int) -> int:
    """Return the middle of the numbers that share the sign and the eight highest bits of a value."""
    if value < 0:
        return -binned(-value - 1) - 1
    width = 1 << max(value.bit_length() - 8, 0)
    return value // width * width + width // 2


def ids(texts: list[bytes]) -> dict[str, Any]:
    numbers = [number for text in texts if (number := number_of(text)) is not None]
    highest = [max(numbers[: at + 1]) for at in range(len(numbers))]
    holes = [b - a - 1 for a, b in zip(highest, numbers[1:], strict=False) if b > a + 1]
    repeated = [a == b for a, b in pairwise(numbers)]
    found = {
        "ids_empty": texts.count(b""), "ids_text": len(texts) - len(numbers) - texts.count(b""),
        "ids_repeated": sum(repeated),
        "ids_backwards": sum(b < a and not again for a, b, again in zip(highest, numbers[1:], repeated, strict=False)),
        "id_holes": len(holes), "ids_missing": sum(holes), "id_hole_max": max(holes, default=0),
    }  # fmt: skip
    return found | ({"first_id": numbers[0], "highest_id": highest[-1]} if numbers else {})


def number_of(text: bytes) -> int | None:
    plain = text.isdigit() and len(text) <= 18 and (len(text) == 1 or not text.startswith(b"0"))
    return int(text) if plain else None


def running_sum(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def is_outlier(prices: list[float], at: int) -> bool:
    if at < 5 or at + 5 >= len(prices):
        return False
    window = prices[at - 5 : at + 6]
    middle = statistics.median(window)
    usual = statistics.median(abs(price - middle) for price in window)
    return abs(prices[at] - middle) > max(0.01 * middle, 10 * usual)


def best(rows: list[tuple[int, float, float]]) -> dict[str, Any]:
    """Return the figures of (local ns, best bid, best ask)."""
    whole = [bid > 0 and ask > 0 for _, bid, ask in rows]
    crossed = [both and bid > ask for both, (_, bid, ask) in zip(whole, rows, strict=True)]
    intervals, start = [], None
    for (local, _, _), is_crossed in zip(rows, crossed, strict=True):
        if start is None and is_crossed:
            start = local
        elif start is not None and not is_crossed:
            intervals.append(local - start)
            start = None
    if start is not None:
        intervals.append(rows[-1][0] - start)
    return {
        "sides_empty": whole.count(False), "crossed_rows": sum(crossed),
        "locked_rows": sum(both and bid == ask for both, (_, bid, ask) in zip(whole, rows, strict=True)),
        "crossed_intervals": len(intervals), "crossed_ns": sum(intervals),
        "crossed_max_ns": max(intervals, default=0),
    }  # fmt: skip


def book(rows: list[Row]) -> dict[str, Any]:
    runs: list[Row] = []
    before: Row | None = None
    for row in rows:
        same = before is not None and before["is_snapshot"] and before["local_ns"] == row["local_ns"]
        if row["is_snapshot"] and not same:
            runs.append(row)
        before = row
    flags = [row["is_snapshot"] for row in rows]
    return {
        "snapshots": len(runs), "reconnects": max(len(runs) - 1, 0), "snapshot_rows": sum(flags),
        "snapshot_zeros": sum(row["is_snapshot"] and row["amount"] == 0 for row in rows),
        "rows_before_snapshot": flags.index(1) if 1 in flags else len(flags),
        "cells_empty": sum(math.isnan(row["price"]) or math.isnan(row["amount"]) for row in rows),
        "removals": sum(not row["is_snapshot"] and row["amount"] == 0 for row in rows),
    }  # fmt: skip


def watched(rows: list[Row], before: Sequence[Row] = ()) -> dict[str, Any]:
    """Return the figures of the book after every message, once a snapshot of this day or the one before is there."""
    sides: list[set[float]] | None = None
    looks, absent, skipped = [], 0, 0
    both = [*before, *rows]
    for place, (row, last, following) in enumerate(zip(both, [None, *both], [*both[1:], None], strict=False)):
        is_asked = place >= len(before)
        same = last is not None and last["is_snapshot"] and last["local_ns"] == row["local_ns"]
        if row["is_snapshot"] and not same:
            sides = [set(), set()]
        skipped += is_asked and sides is None
        if sides is not None and not math.isnan(row["price"]) and not math.isnan(row["amount"]):
            side = sides[row["side"]]
            is_absent = row["amount"] == 0 and not row["is_snapshot"] and row["price"] not in side
            absent += is_asked and is_absent
            (side.discard if row["amount"] == 0 else side.add)(row["price"])
        ends = following is None or following["local_ns"] != row["local_ns"]
        if is_asked and sides is not None and ends:
            # A price of 0 is a level here, so all are moved up by 1.
            bid, ask = max(sides[0], default=math.nan) + 1, min(sides[1], default=math.nan) + 1
            looks.append((row["local_ns"], bid, ask))
    return {"removals_absent": absent, "book_messages": len(looks), "rows_skipped": skipped} | best(looks)


def funding(rows: list[Row]) -> dict[str, Any]:
    given = [row["funding_ns"] for row in rows if row["funding_ns"] != NULL_TIME]
    rates = [row["funding_rate"] for row in rows if not math.isnan(row["funding_rate"])]
    return {
        "funding_steps": sum(b > a for a, b in pairwise(given)),
        "funding_steps_back": sum(b < a for a, b in pairwise(given)),
        "funding_empty": len(rows) - len(given),
        "funding_rate_changes": sum(a != b for a, b in pairwise(rates)),
    }


def duplicates(rows: list[Row]) -> int:
    """Return how many rows equal the row before; empty cells equal each other."""
    return sum(plain(a) == plain(b) for a, b in pairwise(rows))


def plain(row: Row) -> list[Any]:
    return ["empty" if isinstance(value, float) and math.isnan(value) else value for value in row.values()]
