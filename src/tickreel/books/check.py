"""Verifies the checkpoints that were made from a segment."""

from collections.abc import Iterator
from pathlib import Path

from tickreel.books import checkpoints
from tickreel.books.at import days_before
from tickreel.books.checkpoint_rows import ANEW, RECORD, CheckpointFile
from tickreel.books.rows import Source
from tickreel.errors import TickreelError
from tickreel.store import disk
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import AGAIN
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment


def check_checkpoints(store: Store, key: SegmentKey) -> tuple[int, list[str]]:
    """Return how many files of checkpoints a segment of order books has, and what is wrong with them.

    Of one that was made from other rows, or by other rules, only the bytes count: it waits to be made anew.
    """
    count = 0
    problems: list[str] = []
    for path in checkpoints.files_of(store, key):
        try:
            problems += [text.replace(AGAIN, ANEW) for text in _wrong(store, key, path)]
        except FileNotFoundError:
            continue
        except TickreelError as error:
            problems.append(str(error).replace(AGAIN, ANEW))
        count += 1
    return count, problems


def _wrong(store: Store, key: SegmentKey, path: Path) -> Iterator[str]:
    """Yield what does not hold in a file; CorruptionError for the first checkpoint that cannot be."""
    file = Segment(disk.open_beneath(store.root, path.relative_to(store.root).parts), path)
    meta, segment = file.meta, store.open(key)
    uncross = path == checkpoints.path_of(store, key, meta.symbol, uncross=True)
    place = checkpoints.path_of(store, key, meta.symbol, uncross=uncross)
    if (file.record, meta.feed, meta.exchange, meta.day, path) != (
        RECORD,
        key.feed,
        key.exchange,
        key.day,
        place,
    ):
        yield f"{path}: it holds {file.record.name} of {meta.symbol} on {meta.day}, which is of another place; {ANEW}"
        return
    found, rows = list(verify(file)), segment.symbol_rows(meta.symbol)
    yield from found
    if rows is None or found:
        return
    source = Source(segment, meta.symbol, *rows)
    before = days_before(store, key, meta.symbol)
    if (fitting := checkpoints.opened(store, path, source, before, uncross=uncross)) is not None:
        for _ in CheckpointFile(fitting, source):
            pass
