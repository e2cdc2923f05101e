"""Checkpoints of the order books that an import brought, made by all cores when the rows are in place."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tickreel.books import checkpoints
from tickreel.books.rows import Source
from tickreel.compute import Task, make_executor
from tickreel.store.catalog import SegmentKey, Store, WritingStore


def keep_books(
    store: WritingStore,
    keys: Iterable[SegmentKey],
    *,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Make the checkpoints that are missing for segments of order books; return what went wrong.

    Groups are left out: a book of theirs gets its checkpoints when it is asked for.
    on_progress  called with (done, all)
    """
    wanted = [key for key in sorted(set(keys)) if _is_wanted(store, key)]
    checkpoints.remove_abandoned(store)
    tasks = [
        Task(str(number), "tickreel.ingest.files.books:keep_book", {
            "store": str(store.root), "key": msgspec.to_builtins(key),
        })
        for number, key in enumerate(wanted)
    ]  # fmt: skip
    if not tasks:
        return []
    problems = []
    with make_executor(workers) as executor:
        for done, outcome in enumerate(executor.run(tasks), start=1):
            if not outcome.ok:
                problems.append((int(outcome.task_id), str(outcome.as_error())))
            on_progress(done, len(tasks))
    return [text for _, text in sorted(problems)]


def keep_book(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Make the checkpoints of one segment; the task of a worker of who holds the store's lock."""
    store, key = WritingStore(arguments["store"]), msgspec.convert(arguments["key"], SegmentKey)
    source = _source(store, key)
    if source is not None:
        checkpoints.make(store, key, source, folder=store.staging)


def _is_wanted(store: Store, key: SegmentKey) -> bool:
    if key.type != "incremental_book_L2" or key.grouped:
        return False
    source = _source(store, key)
    return source is not None and not checkpoints.is_made(store, key, source)


def _source(store: Store, key: SegmentKey) -> Source | None:
    """Return the rows of a segment, None if it has none or is gone."""
    try:
        segment = store.open(key)
    except FileNotFoundError:
        return None
    rows = segment.symbol_rows(key.symbol)
    return Source(segment, key.symbol, *rows) if rows else None
