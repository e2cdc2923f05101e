"""Fewer points of a long series for a chart, chosen so that every spike stays visible."""

import numpy as np
import numpy.typing as npt

from tickreel.errors import UsageError

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def keep_extremes(times_ns: I64, values: F64, points: int) -> I64:
    """Return the indices, ascending, of about `points` rows that draw the same picture.

    times_ns  int64[n], non-decreasing
    values    float64[n]; NaN is never an extreme
    points    at least 4; no more than this many are kept
    The span of time is cut into points // 4 equal buckets; of each its first, lowest, highest and
    last row are kept (of equal values the earliest), so all extremes of every bucket survive.
    """
    if points < 4:
        raise UsageError(f"points: {points}; a bucket keeps up to 4 rows, give 4 or more")
    count = len(times_ns)
    if count <= points:
        return np.arange(count, dtype=np.int64)
    start = int(times_ns[0])
    width = (int(times_ns[-1]) - start) // (points // 4) + 1
    bucket = (times_ns - start) // width
    starts = np.flatnonzero(np.concatenate((np.ones(1, bool), bucket[1:] != bucket[:-1])))
    ends = np.concatenate((starts[1:], np.array([count]))) - 1
    lengths = ends - starts + 1
    kept = [starts, ends]
    for reduce in (np.fmin, np.fmax):
        extremes = np.repeat(reduce.reduceat(values, starts), lengths)
        hits = np.flatnonzero(values == extremes)
        kept.append(hits[np.unique(bucket[hits], return_index=True)[1]])
    return np.unique(np.concatenate(kept)).astype(np.int64)


def downsample(times_ns: I64, values: F64, points: int) -> tuple[I64, F64]:
    """Return the rows that `keep_extremes` keeps."""
    kept = keep_extremes(times_ns, values, points)
    return times_ns[kept], values[kept]
