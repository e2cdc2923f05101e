"""Rows of a segment that equal an earlier row of the same symbol and local time in every column."""

import numpy as np

from tickreel.quality.same_kernel import begin_runs, keep_equal, mix_column
from tickreel.store.reader import Segment

MOST_OF_A_TIME = 65_536
"""Rows of one symbol and time that are compared with each other: the first ones."""


class SameRows:
    """Looks at the blocks of a segment, one after the other from the first.

    starts  int64[m], rows of the segment that begin a symbol
    Columns are decoded one by one, and only while rows are left that may be equal; of the block before
    they are kept while its last rows may go on. Rows are compared by hashes of 64 bits.
    """

    def __init__(self, segment: Segment, starts: np.ndarray) -> None:
        self._segment, self._starts = segment, starts
        self._columns: dict[str, np.ndarray] = {}
        self._last_ns, self._run = 0, 0

    def look(self, block: int) -> np.ndarray:
        """Return bool[n]: which rows of the block equal an earlier one."""
        before, self._columns = self._columns, {}
        times = self._read(self._segment.record.time, block)
        begins = self._begins(block)
        carried = self._run if not begins[0] and times[0] == self._last_ns else 0
        self._remember(times, begins, carried)
        kept = carried if carried < MOST_OF_A_TIME else 0
        return self._equal(block, times, begins, before, kept, carried - kept)[kept:]

    def _equal(
        self,
        block: int,
        times: np.ndarray,
        begins: np.ndarray,
        before: dict[str, np.ndarray],
        kept: int,
        gone: int,
    ) -> np.ndarray:
        """Return which rows equal an earlier one, of `kept` rows before the block and its own."""
        rows = kept + len(times)
        local_ns = np.concatenate([np.full(kept, times[0]), times])
        begins = np.concatenate([np.zeros(kept, np.bool_), begins])
        hashes, alive, again = np.empty(rows, np.uint64), np.empty(rows, np.bool_), np.zeros(rows, np.bool_)
        left = begin_runs(local_ns, begins, gone, MOST_OF_A_TIME, hashes, alive)
        for name in self._segment.record.names:
            if left == 0:
                break
            mix_column(words_of(self._with_tail(name, block, before, kept)), alive, hashes)
            left = keep_equal(hashes, alive, again, np.empty(1 << int(2 * left).bit_length(), np.int32))
        return again

    def _remember(self, times: np.ndarray, begins: np.ndarray, carried: int) -> None:
        """Keep time and number of rows of the run that the block ends with."""
        start = int(np.flatnonzero(begins)[-1]) if begins.any() else 0
        start += int(np.searchsorted(times[start:], times[-1]))
        self._last_ns = int(times[-1])
        self._run = len(times) - start + (carried if start == 0 else 0)

    def _begins(self, block: int) -> np.ndarray:
        first, rows = (int(self._segment.blocks[name][block]) for name in ("row", "rows"))
        begins = np.zeros(rows, np.bool_)
        begins[self._starts[(self._starts >= first) & (self._starts < first + rows)] - first] = True
        return begins

    def _read(self, name: str, block: int) -> np.ndarray:
        self._columns[name] = self._segment.read(name, block)
        return self._columns[name]

    def _with_tail(self, name: str, block: int, before: dict[str, np.ndarray], kept: int) -> np.ndarray:
        """Return a column of the block after that of the last `kept` rows before it."""
        parts = [self._read(name, block)]
        while kept > 0:
            block -= 1
            part = before[name] if name in before else self._segment.read(name, block)
            before = {}
            parts.insert(0, part[-kept:])
            kept -= len(part)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def words_of(values: np.ndarray) -> np.ndarray:
    """Return the bits of values as uint64[n, width]; empty cells (NaN) equal each other."""
    if values.dtype.kind == "S":
        values = values.astype(f"S{max(8, -(-values.dtype.itemsize // 8) * 8)}")
    elif values.dtype.itemsize != 8:
        values = values.astype(np.uint64)
    return np.ascontiguousarray(values).view(np.uint64).reshape(len(values), -1)
