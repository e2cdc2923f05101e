"""Verifies many segments with all cores."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tickreel.books.check import check_checkpoints
from tickreel.compute import Task, make_executor
from tickreel.errors import TickreelError
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.instruments import damaged_files
from tickreel.store.maintain import verify
from tickreel.store.names import safe_path

_BATCH = 64


def check_store(
    store: Store,
    keys: Sequence[SegmentKey],
    *,
    workers: int | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Return {"segments", "checkpoints", "rows", "bytes", "problems"}; problems are texts, in the order of the keys.

    The segments' checkpoints of order books, counted by files, and the store's instrument files are verified with them.
    """
    batches = [list(keys[start : start + _BATCH]) for start in range(0, len(keys), _BATCH)]
    tasks = [
        Task(str(number), "tickreel.ingest.files.check:check_batch", {
            "store": str(store.root), "keys": [msgspec.to_builtins(key) for key in batch],
        })
        for number, batch in enumerate(batches)
    ]  # fmt: skip
    found: dict[int, dict[str, Any]] = {}
    done = 0
    with make_executor(min(workers or 64, max(1, len(tasks))) if workers else None) as executor:
        for outcome in executor.run(tasks, in_order=True):
            if not outcome.ok:
                raise outcome.as_error()
            found[int(outcome.task_id)] = outcome.value
            done += outcome.value["segments"]
            on_progress(done)
    parts = [found[number] for number in sorted(found)]
    totals = {
        name: sum(part[name] for part in parts) for name in ("segments", "checkpoints", "rows", "bytes")
    }
    problems = [problem for part in parts for problem in part["problems"]]
    return {**totals, "problems": problems + damaged_files(store)}


def check_batch(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Verify some segments; the task of a worker."""
    store = Store(arguments["store"])
    rows = size = files = 0
    problems: list[str] = []
    for plain in arguments["keys"]:
        key = msgspec.convert(plain, SegmentKey)
        try:
            segment = store.open(key)
            rows += segment.rows
            size += segment.file_bytes
            problems += verify(segment)
            problems += _misplaced(key, segment.meta)
            count, wrong = check_checkpoints(store, key)
            files += count
            problems += wrong
        except FileNotFoundError:
            continue
        except TickreelError as error:
            problems.append(str(error))
    return {
        "segments": len(arguments["keys"]), "checkpoints": files, "rows": rows, "bytes": size, "problems": problems,
    }  # fmt: skip


def _misplaced(key: SegmentKey, meta: Any) -> list[str]:
    says = SegmentKey(meta.feed, meta.type, meta.exchange, meta.symbol, meta.day, meta.grouped)
    if says == key:
        return []
    return [f"{safe_path(key.parts())}: its footer says that it is {says}; put it back, or import it again"]
