"""Measures the rows of one symbol and day, block after block."""

from itertools import pairwise

import numpy as np

from tickreel.quality import times_kernel as times
from tickreel.quality.contents import Columns, contents
from tickreel.quality.figures import PERCENTILES, Figures, Place
from tickreel.quality.offsets import middle_ns, percentile_ns
from tickreel.quality.words import spoken_ns
from tickreel.schema import RecordType
from tickreel.units import NS_PER_DAY, NS_PER_S

LEAST_GAP_NS = 60 * NS_PER_S
USUAL_SPACINGS = 20
"""A gap is longer than LEAST_GAP_NS and than so many mean spacings of the seconds that have rows."""
SMALLEST_GAP_NS = NS_PER_S
"""The least threshold that may be asked for: it bounds how many gaps a day can have."""
LONGEST = 5


class Meter:
    """Takes rows in storage order, gives figures and places; `begin` makes it ready for the next symbol.

    day_ns  first ns of the day; gap_ns: threshold of a gap, None for the usual rule
    offsets int64[n], counts by bin over all symbols since the meter was made, see `offsets`
    """

    def __init__(self, record: RecordType, day_ns: int, gap_ns: int | None = None) -> None:
        self._day_ns, self._gap_ns = day_ns, gap_ns
        self._floor_ns = LEAST_GAP_NS if gap_ns is None else gap_ns
        self._contents = contents(record)
        self._times = np.zeros(1, times.TIMES)
        self._silences = np.zeros((NS_PER_DAY // self._floor_ns + 2, 2), np.int64)
        self._backwards = np.zeros((times.PLACES, 2), np.int64)
        self._bins = np.zeros(2 * times.HALF, np.int64)
        self._hour_bins = np.zeros(2 * times.HALF, np.int64)
        self._hours = np.zeros(24, np.int64)
        self._duplicates = 0
        self.offsets = np.zeros(2 * times.HALF, np.int64)
        self.columns = (
            "exchange_ns",
            "local_ns",
            *(name for kind in self._contents for name in kind.columns),
        )
        self.begin()

    def begin(self) -> None:
        """Forget the symbol before; its offsets stay in `offsets`."""
        for array in (self._times, self._bins, self._hour_bins):
            array[:] = 0
        self._hours[:] = times.NO_HOUR
        self._duplicates = 0
        for kind in self._contents:
            kind.begin()

    def add(self, columns: Columns, duplicates: int) -> None:
        """Add some rows; `duplicates` of them equal the row before."""
        times.look_at_times(
            columns["exchange_ns"], columns["local_ns"], self._day_ns, self._floor_ns, self._times,
            self._silences, self._backwards, self._bins, self._hour_bins, self._hours,
        )  # fmt: skip
        self._duplicates += duplicates
        for kind in self._contents:
            kind.add(columns)

    def finish(self) -> tuple[Figures, dict[str, list[Place]]]:
        """Return the figures and places of the symbol, which has had rows."""
        times.close_times(self._times, self._hour_bins, self._hours)
        self.offsets += self._bins
        figures = self._time_figures() | self._gap_figures() | self._offset_figures()
        figures["duplicate_rows"] = self._duplicates
        places = {"gaps": self._longest(figures["gap_threshold_ns"]), "exchange_backwards": self._steps()}
        for kind in self._contents:
            figures |= kind.figures()
            places |= kind.places()
        return figures, {name: found for name, found in places.items() if found}

    def _time_figures(self) -> Figures:
        names = (
            "rows", "first_ns", "last_ns", "active_seconds", "peak_rows", "same_time", "same_exchange_time",
            "time_step_ns", "exchange_backwards", "exchange_backwards_max_ns",
        )  # fmt: skip
        return {"symbols": 1} | {name: int(self._times[name][0]) for name in names}

    def _gap_figures(self) -> Figures:
        found = self._times[0]
        first, last = int(found["first_ns"]), int(found["last_ns"])
        head, tail = first - self._day_ns, self._day_ns + NS_PER_DAY - last
        threshold = self._gap_ns or usual_gap_ns(first, last, int(found["active_seconds"]))
        lengths = self._gaps(threshold)
        gaps_ns = int(lengths.sum())
        edges_ns = sum(edge for edge in (head, tail) if edge > threshold)
        return {
            "head_ns": head, "tail_ns": tail, "gap_threshold_ns": threshold,
            "gaps": len(lengths), "gaps_ns": gaps_ns, "gap_max_ns": int(lengths.max(initial=0)),
            "covered_ns": NS_PER_DAY - gaps_ns - edges_ns,
        }  # fmt: skip

    def _gaps(self, threshold: int) -> np.ndarray:
        kept = self._silences[: self._times["silences"][0]]
        lengths = kept[:, 1] - kept[:, 0]
        return lengths[lengths > threshold]

    def _longest(self, threshold: int) -> list[Place]:
        kept = self._silences[: self._times["silences"][0]].tolist()
        gaps = [(start, end) for start, end in kept if end - start > threshold]
        gaps.sort(key=lambda gap: (gap[0] - gap[1], gap[0]))
        return [(start, end, "") for start, end in gaps[:LONGEST]]

    def _steps(self) -> list[Place]:
        count = min(int(self._times["exchange_backwards"][0]), times.PLACES)
        return [(local, None, f"by {spoken_ns(step)}") for local, step in self._backwards[:count].tolist()]

    def _offset_figures(self) -> Figures:
        found = self._times[0]
        low, high = int(found["offset_min_ns"]), int(found["offset_max_ns"])
        medians = [middle_ns(place) for place in self._hours.tolist() if place != times.NO_HOUR]
        jumps = [abs(b - a) for a, b in pairwise(medians)]
        return {
            "offset_min_ns": low, "offset_max_ns": high,
            "offset_negative": int(found["offset_negative"]), "offset_zero": int(found["offset_zero"]),
            "offset_drift_ns": max(medians) - min(medians) if medians else 0,
            "offset_jump_ns": max(jumps, default=0),
        } | percentiles(self._bins, low, high)  # fmt: skip


def usual_gap_ns(first_ns: int, last_ns: int, active_seconds: int) -> int:
    """Return the threshold of a gap: 60 s, or 20 times the mean spacing of seconds with rows if that is more."""
    if active_seconds < 2:
        return LEAST_GAP_NS
    return max(LEAST_GAP_NS, USUAL_SPACINGS * (last_ns - first_ns) // (active_seconds - 1))


def percentiles(bins: np.ndarray, low_ns: int, high_ns: int) -> Figures:
    return {name: percentile_ns(bins, percent, low_ns, high_ns) for name, percent in PERCENTILES.items()}
