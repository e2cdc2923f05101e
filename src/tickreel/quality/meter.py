"""Measures the rows of one symbol and day, block after block."""

from itertools import pairwise

import numpy as np

from tickreel.quality import times_kernel as times
from tickreel.quality.contents import Columns, contents, kept_places
from tickreel.quality.figures import PERCENTILES, Figures, Place
from tickreel.quality.gaps import LEAST_GAP_NS, gap_figures
from tickreel.quality.offsets import ends_ns, percentile_ns
from tickreel.report.words import spoken_ns
from tickreel.schema import RecordType
from tickreel.units import NS_PER_DAY


class Meter:
    """Takes rows in storage order, gives figures and places; `begin` makes it ready for the next symbol.

    record  without a local clock `local_ns` stands for exchange time, and what compares the two is left out
    day_ns  first ns of the day; gap_ns: threshold of a gap, None for the usual rule
    offsets int64[n], counts by bin over all symbols since the meter was made, see `offsets`
    """

    def __init__(self, record: RecordType, day_ns: int, gap_ns: int | None = None) -> None:
        self._day_ns, self._gap_ns = day_ns, gap_ns
        self._floor_ns = LEAST_GAP_NS if gap_ns is None else gap_ns
        self._has_local = record.has_local
        self._contents = contents(record)
        self._times = np.zeros(1, times.TIMES)
        self._silences = np.zeros((NS_PER_DAY // self._floor_ns + 2, 2), np.int64)
        self._backwards = np.zeros((times.PLACES, 2), np.int64)
        self._bins = np.zeros(2 * times.HALF, np.int64)
        self._hour_bins = np.zeros(2 * times.HALF, np.int64)
        self._hours = np.zeros(24, np.int64)
        self._duplicates, self._duplicates_at = 0, list[int]()
        self.offsets = np.zeros(2 * times.HALF, np.int64)
        self.columns = (
            *dict.fromkeys(("exchange_ns", record.time)),
            *(name for kind in self._contents for name in kind.columns),
        )
        self.begin()

    def begin(self) -> None:
        """Forget the symbol before; its offsets stay in `offsets`."""
        for array in (self._times, self._bins, self._hour_bins):
            array[:] = 0
        self._hours[:] = times.NO_HOUR
        self._duplicates, self._duplicates_at = 0, []
        for kind in self._contents:
            kind.begin()

    def add(self, columns: Columns, again: np.ndarray) -> None:
        """Add some rows. again: bool[n], those that equal an earlier one of their time."""
        times.look_at_times(
            columns["exchange_ns"], columns["local_ns"], self._day_ns, self._floor_ns, self._times,
            self._silences, self._backwards, self._bins, self._hour_bins, self._hours,
        )  # fmt: skip
        self._duplicates += int(again.sum())
        if len(self._duplicates_at) < times.PLACES:
            more = columns["local_ns"][again][: times.PLACES - len(self._duplicates_at)]
            self._duplicates_at += more.tolist()
        for kind in self._contents:
            kind.add(columns)

    def finish(self) -> tuple[Figures, dict[str, list[Place]]]:
        """Return the figures and places of the symbol, which has had rows."""
        times.close_times(self._times, self._hour_bins, self._hours)
        self.offsets += self._bins
        gaps, longest = self._gaps()
        figures = self._time_figures() | gaps
        if self._has_local:
            figures |= self._clock_figures()
        figures["duplicate_rows"] = self._duplicates
        places = {"gaps": longest, **self._places()}
        for kind in self._contents:
            figures |= kind.figures()
            places |= kind.places()
        return figures, {name: found for name, found in places.items() if found}

    def _time_figures(self) -> Figures:
        names = (
            "rows", "first_ns", "last_ns", "active_seconds", "peak_rows", "same_time", "time_step_ns",
        )  # fmt: skip
        return {"symbols": 1} | {name: int(self._times[name][0]) for name in names}

    def _gaps(self) -> tuple[Figures, list[Place]]:
        found = self._times[0]
        span = int(found["first_ns"]), int(found["last_ns"])
        silences = self._silences[: found["silences"]]
        return gap_figures(span, int(found["active_seconds"]), silences, self._day_ns, self._gap_ns)

    def _places(self) -> dict[str, list[Place]]:
        places: dict[str, list[Place]] = {
            "duplicate_rows": [(local, None, "") for local in self._duplicates_at]
        }
        return places | (self._clock_places() if self._has_local else {})

    def _clock_places(self) -> dict[str, list[Place]]:
        found = self._times[0]
        steps = self._backwards[: found["exchange_backwards"]].tolist()
        places: dict[str, list[Place]] = {
            "exchange_backwards": [(local, None, f"by {spoken_ns(step)}") for local, step in steps],
            "offset_max": [(int(found["offset_max_at"]), None, spoken_ns(int(found["offset_max_ns"])))],
            "offset_jump": self._jump(),
        }
        return places | kept_places(found, "offset_negative", "offset_zero")

    def _medians(self) -> list[tuple[int, tuple[int, int]]]:
        """Return (hour, ends of the bin of its median within all offsets) of the hours that have one."""
        low, high = (int(self._times[name][0]) for name in ("offset_min_ns", "offset_max_ns"))
        return [
            (hour, ends_ns(place, low, high))
            for hour, place in enumerate(self._hours.tolist())
            if place != times.NO_HOUR
        ]

    def _jump(self) -> list[Place]:
        """Return the hour that begins with the largest change of the median."""
        moves = [(_apart(a, b), hour) for (_, a), (hour, b) in pairwise(self._medians())]
        change, hour = max(moves, default=(0, 0), key=lambda move: (move[0], -move[1]))
        start = self._day_ns + hour * times.NS_PER_HOUR
        return [(start, start + times.NS_PER_HOUR, "")] if change else []

    def _clock_figures(self) -> Figures:
        """Return what the two clocks say of each other."""
        found = self._times[0]
        low, high = int(found["offset_min_ns"]), int(found["offset_max_ns"])
        medians = [ends for _, ends in self._medians()]
        jumps = [_apart(a, b) for a, b in pairwise(medians)]
        lowest, highest = min(medians, default=(0, 0)), max(medians, default=(0, 0))
        names = ("same_exchange_time", "exchange_backwards", "exchange_backwards_max_ns")
        return {name: int(found[name]) for name in names} | {
            "offset_min_ns": low, "offset_max_ns": high,
            "offset_negative": int(found["offset_negative"]), "offset_zero": int(found["offset_zero"]),
            "offset_drift_ns": _apart(lowest, highest),
            "offset_jump_ns": max(jumps, default=0),
        } | percentiles(self._bins, low, high)  # fmt: skip


def _apart(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Return how far two medians are apart at least, given the ends of their bins."""
    return max(other[0] - one[1], one[0] - other[1], 0)


def percentiles(bins: np.ndarray, low_ns: int, high_ns: int) -> Figures:
    return {name: percentile_ns(bins, percent, low_ns, high_ns) for name, percent in PERCENTILES.items()}
