"""Compiles all that a quality report needs, by measuring two rows of every record type."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tickreel.books.book_kernel import BookRows
from tickreel.quality.gaps import Together
from tickreel.quality.meter import Meter
from tickreel.quality.same_kernel import begin_runs, keep_equal, mix_column
from tickreel.quality.watch import Watch
from tickreel.schema import MARKET_TYPES, RECORD_TYPES, Kind


def warm_up(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Compile everything; the task of a worker."""
    for name in MARKET_TYPES:
        record = RECORD_TYPES[name]
        meter = Meter(record, 0)
        rows = {
            column.name: np.zeros(2, "S1" if column.kind is Kind.TEXT else column.kind.dtype)
            for column in record.columns
        }
        meter.add(rows, np.zeros(2, np.bool_))
        meter.finish()
    watch = Watch()
    times, flags = np.zeros(2, np.int64), np.zeros(2, np.uint8)
    watch.add(BookRows(times, flags, flags, times, np.zeros(2)), 0, 0, 2)
    watch.finish()
    together = Together(0)
    together.add(times)
    hashes, alive = np.zeros(2, np.uint64), np.zeros(2, np.bool_)
    begin_runs(times, alive.copy(), 0, 2, hashes, alive)
    mix_column(np.zeros((2, 1), np.uint64), alive, hashes)
    keep_equal(hashes, alive, alive.copy(), np.zeros(8, np.int32))
