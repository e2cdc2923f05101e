"""A comparison as the plain data that reports and the JSON document show."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import msgspec
import numpy as np

from tickreel.quality.compare import Asked, Day, StreamName
from tickreel.quality.compare_day import Lags, Rules
from tickreel.quality.compare_limits import Limits
from tickreel.quality.compare_terms import FIELDS
from tickreel.quality.offsets import percentile_ns
from tickreel.quality.times_kernel import HALF, PLACES
from tickreel.report.compare_view import CompareView, DayView, ExampleView, StreamView, SumView

KINDS = ("missing", "extra", "different", "late")
MOST_EXAMPLES = 2_000
"""Examples of all streams together."""


def view(asked: Asked, limits: Limits, days: Iterable[Day]) -> CompareView:
    """Return what was found, judged by the limits. days: as `compare` yields them."""
    totals = _Sum()
    streams, lines, examples = list[StreamView](), list[DayView](), list[ExampleView]()
    for name, found in groupby(days, key=lambda day: day.of):
        of_stream, kept = _Sum(), dict.fromkeys(KINDS, 0)
        for day in found:
            of_day = _Sum()
            for each in (of_day, of_stream, totals):
                each.add(day)
            lines.append(_named(name, of_day) | {"day": day.day})
            for example in day.found.examples if day.found else ():
                kept[example.kind] += 1
                if kept[example.kind] <= PLACES and len(examples) < MOST_EXAMPLES:
                    examples.append(msgspec.to_builtins(example))
        streams.append(_named(name, of_stream))
    summed = totals.view()
    exceeded = limits.passed(summed)
    return {
        "a": asked.a.text, "b": asked.b.text, "store": asked.a.store,
        "from_ns": asked.from_ns, "to_ns": asked.to_ns,
        "rules": rules_view(asked.rules), "limits": limits.shown(),
        "equal": not exceeded, "exceeded": exceeded,
        "totals": summed, "streams": streams, "days": lines, "examples": examples,
    }  # fmt: skip


def rules_view(rules: Rules) -> dict[str, int | str]:
    return {
        "window_ns": rules.window_ns, "time_tolerance_ns": rules.time_ns,
        "price_tolerance": f"{rules.price:.15g}", "amount_tolerance": f"{rules.amount:.15g}",
        "late_ns": rules.late_ns,
    }  # fmt: skip


def _named(name: StreamName, found: "_Sum") -> Any:
    return {
        "type": name.type, "exchange": name.exchange, "symbol": name.symbol,
        "matched_by": sorted(found.matched_by), **found.view(),
    }  # fmt: skip


class _Sum:
    """Counts that days are added to."""

    def __init__(self) -> None:
        names = ("rows_a", "rows_b", "matched", "missing", "extra", "different", "given_up", "late")
        self._counts = dict.fromkeys((*names, "days", "days_a", "days_b", "alone_a", "alone_b"), 0)
        self._fields = dict.fromkeys(FIELDS, 0)
        self._bins: dict[int, int] = {}
        self._least: list[int] = []
        self._greatest: list[int] = []
        self._clocks = set[str]()
        self.matched_by = set[str]()

    def add(self, day: Day) -> None:
        found = day.found
        if found is None:
            self._counts[f"days_{day.alone}"] += 1
            self._counts[f"alone_{day.alone}"] += day.rows
            return
        self._counts["days"] += 1
        for name in self._counts.keys() & set(found.__struct_fields__):
            self._counts[name] += getattr(found, name)
        for name, count in found.fields.items():
            self._fields[name] += count
        self._clocks.add(found.clock)
        self.matched_by.add(found.matched_by)
        self._add_lags(found.lags)

    def _add_lags(self, lags: Lags) -> None:
        for place, count in zip(lags.bins, lags.counts, strict=True):
            self._bins[place] = self._bins.get(place, 0) + count
        if lags.bins:
            self._least = [min([lags.least_ns, *self._least])]
            self._greatest = [max([lags.greatest_ns, *self._greatest])]

    def view(self) -> SumView:
        found: Any = {**self._counts, "fields": self._fields, **self._lags()}
        return found

    def _lags(self) -> dict[str, Any]:
        """Return the lags, or None for all of them with the reason; late rows are counted by lags."""
        names = ("lag_min_ns", "lag_p50_ns", "lag_p99_ns", "lag_max_ns")
        if not self._bins:
            if not self._clocks:
                reason = "no day is held by both feeds"
            elif "local" in self._clocks:
                reason = "no row of A has a partner in B"
            else:
                reason = "one of the feeds has no local clock: rows are matched by the exchange's times"
            late = 0 if "local" in self._clocks else None
            return dict.fromkeys(names) | {"late": late, "lag_none": reason}
        low, high = self._least[0], self._greatest[0]
        bins = np.zeros(2 * HALF, np.int64)
        bins[list(self._bins)] = list(self._bins.values())
        middle, slow = (percentile_ns(bins, percent, low, high) for percent in (50, 99))
        return dict(zip(names, (low, middle, slow, high), strict=True)) | {"lag_none": None}
