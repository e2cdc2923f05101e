"""Some parameter sets over one symbol: the task of a worker. Plain data in; what the sets did goes to a file."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from tickreel.errors import disk_error
from tickreel.runs.axes import Number
from tickreel.runs.events import Changes
from tickreel.runs.grid import boundaries
from tickreel.runs.task import NO_BOOK, SymbolTask, batches, book_of, fingerprint_of, prepared
from tickreel.simulate.account import Summary
from tickreel.simulate.sets import SetRuns
from tickreel.store.catalog import Store

PIECE_ROWS = 16_384
"""So many rows go through all sets before the next: their prices stay in the cache."""
_PROGRESS_TRADES = 1 << 26
_ERROR_LETTERS = 200


class SweepTask(msgspec.Struct, frozen=True):
    """Some sets, from number `first` on, over the symbol of `run`, which has the parameters that all share.

    sets  of each the other parameters
    file  what the sets did is written to: an array of `record_of`
    """

    run: SymbolTask
    first: int
    sets: list[dict[str, Number]]
    file: str


def record_of(samples: int) -> np.dtype:
    """Return the dtype of what one set did: whether it came to its end, its Summary, its equity samples."""
    fields: list[Any] = [
        (name, "f8" if kind is float else "i8") for name, kind in Summary.__annotations__.items()
    ]
    return np.dtype([("ended", "?"), *fields, ("curve", "f8", (samples,))])


def run_part(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Play one symbol once, block by block through all sets.

    Returns {"failed": set number as text -> error, "book" and "notes" as run_symbol}.
    """
    task = msgspec.convert(arguments, SweepTask)
    one, store = task.run, Store(task.run.store)
    strategy, engine = prepared(one.strategy, one.code, one.jit)
    sets = [{**one.parameters, **parameters} for parameters in task.sets]
    books = [book for _ in sets if (book := book_of(one, store)) is not None]
    begins_with = fingerprint_of(books[0]) if books and books[0].is_known else ""
    bounds = boundaries(one.grid)
    runs = SetRuns(strategy, engine, sets, one.account(), bounds, books=books)
    done = reported = 0
    pieces = msgspec.structs.replace(one, batch_rows=one.batch_rows or PIECE_ROWS)
    for rows, changes in batches(pieces, store, engine.fields):
        if not isinstance(changes, Changes):
            runs.feed(rows)
        else:
            if changes.after_gap:
                runs.forget_book()
            runs.feed_events(rows, changes.rows, changes.scale)
        done += len(rows.local_ns) * len(sets)
        if done - reported >= _PROGRESS_TRADES:
            progress(trades=done)
            reported = done
    found = np.zeros(len(sets), record_of(len(bounds)))
    for k, summary, samples in runs.finish():
        found[k] = (True, *summary, samples["equity"])
    try:
        np.save(task.file, found, allow_pickle=False)
    except OSError as error:
        raise disk_error(error, f"writing {task.file}") from error
    progress(trades=done)
    notes = [] if all(book.is_known for book in books) else [NO_BOOK]
    failed = {str(task.first + k): str(error)[:_ERROR_LETTERS] for k, error in runs.failed.items()}
    return {"failed": failed, "book": begins_with, "notes": notes}
