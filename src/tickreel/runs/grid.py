"""When equity is sampled, and which range of time a figure speaks of."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tickreel.errors import UsageError
from tickreel.runs.settings import RunSettings
from tickreel.scan.plan import Stream
from tickreel.units import NS_PER_DAY, format_duration

MAX_SAMPLES = 10_000_000

Grid = tuple[int, int, int]
"""First boundary, interval, count; ns."""
I64 = npt.NDArray[np.int64]


def plan_grid(streams: Sequence[Stream], settings: RunSettings) -> Grid:
    """Return the grid of equity samples, the same for all symbols: it covers the range of each."""
    every = settings.every_ns
    if every < 1:
        raise UsageError("every: equity is sampled at an interval above 0, e.g. 1d")
    first_ns, last_ns = min(one.first_ns for one in streams), max(one.last_ns for one in streams)
    start, end = range_of(first_ns, last_ns, settings)
    begin = start // every * every
    count = -(-(end - begin) // every) + 1
    if count > MAX_SAMPLES:
        raise UsageError(
            f"every: {format_duration(every)} gives {count:,} equity samples a symbol, at most"
            f" {MAX_SAMPLES:,}: widen it"
        )
    return begin, every, max(count, 2)


def boundaries(grid: Grid) -> I64:
    """Return the times of a grid, and the first instants of months between them where days are no part of it."""
    start, every, count = grid
    times = start + every * np.arange(count, dtype=np.int64)
    if NS_PER_DAY % every == 0:
        return times
    first, last = times[[0, -1]].astype("M8[ns]").astype("M8[M]").astype(np.int64).tolist()
    months = np.arange(first + 1, last + 1).astype("M8[M]").astype("M8[ns]").astype(np.int64)
    return np.union1d(times, months)


def range_of(first_ns: int, last_ns: int, settings: RunSettings) -> tuple[int, int]:
    """Return the range of time [begin, end) that rows from first to last speak of (rule M6).

    A bound that was asked for counts where rows come within a day of it, which is how a tape is cut;
    else the range ends with its rows: days without data are no days without trading.
    """
    begin, end = first_ns, last_ns + 1
    if settings.from_ns is not None and begin - settings.from_ns < NS_PER_DAY:
        begin = settings.from_ns
    if settings.to_ns is not None and settings.to_ns - end < NS_PER_DAY:
        end = settings.to_ns
    return begin, end
