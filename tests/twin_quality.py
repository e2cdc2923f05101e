"""The figures of a symbol's day, worked out from plain rows in the most obvious way."""

import math
import re
import statistics
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

Row = dict[str, Any]

DAY_NS = 86_400_000_000_000
NULL_TIME = -(2**63)


def figures(type: str, rows: list[Row], day_ns: int, gap_ns: int | None) -> dict[str, Any]:
    two_clocks = "local_ns" in rows[0]
    if not two_clocks:
        rows = [row | {"local_ns": row["exchange_ns"]} for row in rows]
    found = times(rows, day_ns, gap_ns) | (clocks(rows, day_ns) if two_clocks else {})
    if "id" in rows[0]:
        found |= ids([row["id"] for row in rows])
        found["side_unknown"] = sum(row["side"] == 0 for row in rows)
        found["amount_total"] = running_sum([row["amount"] for row in rows])
        found["amount_max"] = max(row["amount"] for row in rows)
    if type == "trades":
        prices = [row["price"] for row in rows]
        odd = [price for at, price in enumerate(prices) if is_outlier(prices, at)]
        found |= {"outliers": len(odd), "outliers_alike": sum(a == b for a, b in pairwise(odd))}
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
            medians.append(ends(ranked(own, 50), min(offsets), max(offsets)))
    low, high = min(offsets), max(offsets)
    percentiles = {
        f"offset_p{percent}_ns": min(max(binned(ranked(offsets, percent)), low), high)
        for percent in (1, 50, 99)
    }
    return percentiles | {
        "offset_min_ns": low, "offset_max_ns": high,
        "offset_negative": sum(offset < 0 for offset in offsets), "offset_zero": offsets.count(0),
        "offset_drift_ns": max((apart(a, b) for a in medians for b in medians), default=0),
        "offset_jump_ns": max((apart(a, b) for a, b in pairwise(medians)), default=0),
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


def ends(value: int, low: int, high: int) -> tuple[int, int]:
    """Return the least and greatest number that share the sign and the eight highest bits of a value."""
    if value < 0:
        least, greatest = ends(-value - 1, -high - 1, -low - 1)
        return -greatest - 1, -least - 1
    width = 1 << max(value.bit_length() - 8, 0)
    first = value // width * width
    return min(max(first, low), high), max(min(first + width - 1, high), low)


def apart(one: tuple[int, int], other: tuple[int, int]) -> int:
    return max(other[0] - one[1], one[0] - other[1], 0)


def ids(texts: list[bytes]) -> dict[str, Any]:
    parts = [parted(text) for text in texts]
    prefix = next((part[0] for part in parts if part), b"")
    numbers = [part[1] for part in parts if part and part[0] == prefix]
    counts, first, highest, holes = walked(numbers)
    found = {
        "ids_empty": texts.count(b""), "ids_text": len(texts) - len(numbers) - texts.count(b""),
        **counts, "id_holes": len(holes), "ids_missing": sum(map(width, holes)),
        "id_hole_max": max(map(width, holes), default=0),
    }  # fmt: skip
    return found | ({"first_id": first, "highest_id": highest} if numbers else {})


def parted(text: bytes) -> tuple[bytes, int] | None:
    """Return what stands before the number of an id, and the number."""
    found = re.fullmatch(rb"([^0-9]*)(0|[1-9][0-9]{0,17})", text)
    return (found[1], int(found[2])) if found else None


Hole = tuple[int, int]
"""Lowest and highest id."""


def width(hole: Hole) -> int:
    return hole[1] - hole[0] + 1


def walked(numbers: list[int]) -> tuple[dict[str, int], int, int, list[Hole]]:
    """Return what steps there are, the first and the highest id, and the holes that are left."""
    counts = {"ids_repeated": 0, "ids_backwards": 0, "ids_late": 0}
    first = highest = numbers[0] if numbers else 0
    left: int | None = None
    anew = False
    lost: list[Hole] = []
    holes: list[Hole] = []
    for before, number in pairwise(numbers):
        if number == before:
            counts["ids_repeated"] += 1
            continue
        if left is not None and abs(number - left) <= 1_024 < abs(number - highest):
            left, highest = highest, left
        own = [hole for hole in holes if hole[0] <= number <= hole[1]]
        if number > highest:
            holes += [(highest + 1, number - 1)] if number > highest + 1 else []
            highest = number
        elif highest - number > 1_024:
            counts["ids_backwards"] += 1
            if holes and holes[-1] in own:
                holes[-1:] = [(holes[-1][0], number - 1)] if number > holes[-1][0] else []
            left, highest, anew = highest, number, True
        elif number < first and not anew:
            counts["ids_late"] += 1
            holes[:0] = [(number + 1, first - 1)] if number + 1 < first else []
            first = number
        elif own:
            counts["ids_late"] += 1
            place = len(holes) - 1 - holes[::-1].index(own[-1])
            rest = [(own[-1][0], number - 1), (number + 1, own[-1][1])]
            holes[place : place + 1] = [hole for hole in rest if hole[0] <= hole[1]]
        else:
            counts["ids_backwards"] += 1
        while len(holes) > 16:
            lost.append(holes.pop(0))
    return counts, first, highest, lost + holes


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
    rows, before = (
        [row | {"local_ns": row.get("local_ns", row["exchange_ns"])} for row in part]
        for part in (rows, before)
    )
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
    """Return how many rows equal one before them (their local time among the rest); empty cells equal each other."""
    return len(rows) - len({tuple(plain(row)) for row in rows})


def plain(row: Row) -> list[Any]:
    return ["empty" if isinstance(value, float) and math.isnan(value) else value for value in row.values()]
