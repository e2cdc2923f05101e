"""Some parameter sets over one symbol: the task of a worker. Plain data in; what the sets did goes to a file."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tickreel.compute.call import failed
from tickreel.errors import disk_error
from tickreel.runs.axes import Number
from tickreel.runs.events import Changes
from tickreel.runs.grid import boundaries
from tickreel.runs.task import NO_BOOK, SymbolTask, batches, book_of, fingerprint_of, prepared
from tickreel.simulate.account import Summary
from tickreel.simulate.records import Rows
from tickreel.simulate.sets import SetRuns
from tickreel.store.catalog import Store

PIECE_ROWS = 16_384
"""So many rows go through all sets before the next: their prices stay in the cache."""
_LEAST_ROWS, _LONG_S = 64, 0.5


class SweepTask(msgspec.Struct, frozen=True):
    """Some sets, from number `first` on, over the symbol of `run`, which has the parameters that all share.

    sets  of each the other parameters
    file  what the sets did is written to: an array of `record_of`; errors of single sets to `errors_file`
    """

    run: SymbolTask
    first: int
    sets: list[dict[str, Number]]
    file: str

    @property
    def errors_file(self) -> str:
        return f"{self.file}.errors"


def record_of(samples: int) -> np.dtype:
    """Return the dtype of what one set did: whether it came to its end, its Summary, its equity samples."""
    fields: list[Any] = [
        (name, "f8" if kind is float else "i8") for name, kind in Summary.__annotations__.items()
    ]
    return np.dtype([("ended", "?"), *fields, ("curve", "f8", (samples,))])


def run_part(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Play one symbol once, block by block through all sets.

    Returns {"book" and "notes" as run_symbol, "error_type" and "traceback" of the first set that failed}.
    """
    task = msgspec.convert(arguments, SweepTask)
    one, store = task.run, Store(task.run.store)
    strategy, engine = prepared(one.strategy, one.code, one.jit)
    sets = [{**one.parameters, **parameters} for parameters in task.sets]
    books = [book for _ in sets if (book := book_of(one, store)) is not None]
    begins_with = fingerprint_of(books[0]) if books and books[0].is_known else ""
    bounds = boundaries(one.grid)
    runs = SetRuns(strategy, engine, sets, one.account(), bounds, books=books)
    done, pieces = 0, _Pieces()
    for rows, changes in batches(one, store, engine.fields | {"local_ns"}):
        if isinstance(changes, Changes):
            if changes.after_gap:
                runs.forget_book()
            runs.feed_events(rows, changes.rows, changes.scale)
            done += len(rows.price)
            progress(trades=done * len(sets))
            continue
        for piece in pieces.of(rows):
            runs.feed(piece)
            done += len(piece.price)
            progress(trades=done * len(sets))
    found = np.zeros(len(sets), record_of(len(bounds)))
    for k, summary, samples in runs.finish():
        found[k] = (True, *summary, samples["equity"])
    told = {k: failed(error) for k, error in sorted(runs.failed.items())}
    _write(task.file, found.data)
    _write(task.errors_file, msgspec.json.encode({str(task.first + k): one.error for k, one in told.items()}))
    notes = [] if all(book.is_known for book in books) else [NO_BOOK]
    first = next(iter(told.values()), None)
    return {
        "book": begins_with,
        "notes": notes,
        "error_type": first.error_type if first else "",
        "traceback": first.traceback if first else "",
    }


class _Pieces:
    """Cuts rows into pieces; smaller ones where a piece takes long, so that progress is told all the same."""

    def __init__(self) -> None:
        self._rows = PIECE_ROWS

    def of(self, rows: Rows) -> Iterator[Rows]:
        first = 0
        while first < len(rows.price):
            stop, began = first + self._rows, time.monotonic()
            yield Rows(*(column[first:stop] for column in rows))
            first = stop
            if time.monotonic() - began > _LONG_S:
                self._rows = max(self._rows // 2, _LEAST_ROWS)


def _write(path: str, data: bytes | memoryview) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise disk_error(error, f"writing {path}") from error
