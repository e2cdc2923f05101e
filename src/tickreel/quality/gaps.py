"""Silences of a day, and which of them are gaps: of one symbol, or of all of a group together."""

import numpy as np

from tickreel.quality.figures import Figures, Place
from tickreel.quality.times_kernel import PLACES, mark_seconds
from tickreel.units import NS_PER_DAY, NS_PER_S

LEAST_GAP_NS = 60 * NS_PER_S
USUAL_SPACINGS = 20
"""A gap is longer than LEAST_GAP_NS and than so many mean spacings of the seconds that have rows."""
SMALLEST_GAP_NS = NS_PER_S
"""The least threshold that may be asked for: it bounds how many gaps a day can have."""
_SECONDS = 86_400
_NEVER = np.iinfo(np.int64).max


def usual_gap_ns(first_ns: int, last_ns: int, active_seconds: int) -> int:
    """Return the threshold of a gap: 60 s, or 20 times the mean spacing of seconds with rows if that is more."""
    if active_seconds < 2:
        return LEAST_GAP_NS
    return max(LEAST_GAP_NS, USUAL_SPACINGS * (last_ns - first_ns) // (active_seconds - 1))


def gap_figures(
    span: tuple[int, int], active_seconds: int, silences: np.ndarray, day_ns: int, gap_ns: int | None
) -> tuple[Figures, list[Place]]:
    """Return the figures of gaps, and the longest of them.

    span      first and last row, ns
    silences  int64[n, 2]: (last row before, first row after), ns; at least all that are gaps
    gap_ns    threshold of a gap; None: the usual rule
    """
    head, tail = span[0] - day_ns, day_ns + NS_PER_DAY - span[1]
    threshold = gap_ns or usual_gap_ns(*span, active_seconds)
    lengths = silences[:, 1] - silences[:, 0]
    is_gap = lengths > threshold
    gaps_ns = int(lengths[is_gap].sum())
    edges_ns = sum(edge for edge in (head, tail) if edge > threshold)
    gaps = sorted(silences[is_gap].tolist(), key=lambda gap: (gap[0] - gap[1], gap[0]))
    figures = {
        "head_ns": head, "tail_ns": tail, "gap_threshold_ns": threshold,
        "gaps": int(is_gap.sum()), "gaps_ns": gaps_ns, "gap_max_ns": int(lengths[is_gap].max(initial=0)),
        "covered_ns": NS_PER_DAY - gaps_ns - edges_ns,
    }  # fmt: skip
    return figures, [(start, end, "") for start, end in gaps[:PLACES]]


class Together:
    """The pace of all symbols of a group: their rows in one order of time, whatever order they come in.

    What is kept of a second is its first and its last row: no silence of a second or more is lost.
    """

    def __init__(self, day_ns: int, gap_ns: int | None = None) -> None:
        self._day_ns, self._gap_ns = day_ns, gap_ns
        self._first = np.full(_SECONDS, _NEVER)
        self._last = np.zeros(_SECONDS, np.int64)

    def add(self, local_ns: np.ndarray) -> None:
        """Add the times of some rows of any symbol, int64[n], ns."""
        mark_seconds(local_ns, self._day_ns, self._first, self._last)

    def figures(self) -> tuple[Figures, list[Place]]:
        """Return the figures of time, and the longest gaps, once there are rows."""
        active = np.flatnonzero(self._first != _NEVER)
        first, last = self._first[active], self._last[active]
        span = int(first[0]), int(last[-1])
        silences = np.stack([last[:-1], first[1:]], axis=1)
        figures, places = gap_figures(span, len(active), silences, self._day_ns, self._gap_ns)
        return figures | {"first_ns": span[0], "last_ns": span[1], "active_seconds": len(active)}, places
