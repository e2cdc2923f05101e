"""Books at some rows of a day, beside the store: so any time of the day is a short replay away.

A file holds those of one symbol, day and policy, in the segment format (record type book_levels),
under .books in the store's folder. It says by which rules it was made, and from which segment, by
its fingerprint; one that does not fit, is damaged or missing is made anew. Before a day's first
snapshot a checkpoint holds the changes since midnight, to be laid over the book of the day before.
What is uncrossed depends on all levels: there it is the book itself, and the file names the days
before that it rests on, too.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from tickreel.books import book_kernel as k
from tickreel.books.book import Book
from tickreel.books.checkpoint_rows import RECORD, Checkpoint, CheckpointFile, rows_of
from tickreel.books.rows import RowReader, Source
from tickreel.errors import CorruptionError, DiskError, InputError, TickreelError
from tickreel.store import disk
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Meta, Part
from tickreel.store.names import encode_exchange, encode_symbol
from tickreel.store.reader import Segment
from tickreel.store.writer import SegmentWriter

FOLDER = ".books"
PARTIAL = ".partial"
"""Within it: what a question makes, and what a process that was killed left of that."""
ABANDONED_S = 3_600
"""What nobody wrote to for so long is of a process that was killed: a day takes a minute at most."""
RULES = 1
"""Goes up when the same rows give other books, or books are kept otherwise: old checkpoints fit no more."""
ROWS_PER_LEVEL = 8
"""So many rows for each level lie between two checkpoints at least: they stay a fraction of the data."""

_BLOCK_ROWS = 1 << 14


def path_of(store: Store, key: SegmentKey, symbol: str, *, uncross: bool) -> Path:
    """Return where the checkpoints of a symbol in a segment are kept."""
    words = [key.day, *([key.symbol] if key.grouped else []), *(["uncrossed"] if uncross else []), "reel"]
    folder = store.root / FOLDER / key.feed / encode_exchange(key.exchange) / encode_symbol(symbol)
    return folder / ".".join(words)


def files_of(store: Store, key: SegmentKey) -> list[Path]:
    """Return the files of checkpoints that were made from a segment of order books."""
    if key.type != "incremental_book_L2":
        return []
    names = [path_of(store, key, key.symbol, uncross=uncross) for uncross in (False, True)]
    if not key.grouped:
        return [path for path in names if path.exists()]
    folder = store.root / FOLDER / key.feed / encode_exchange(key.exchange)
    return sorted(path for name in names for path in folder.glob(f"*/{name.name}"))


def find(
    store: Store, key: SegmentKey, source: Source, row: int, *, uncross: bool, before: Iterable[Source] = ()
) -> Checkpoint | None:
    """Return the last checkpoint after at most `row` rows of the source, None if there is none.

    before  the days right before, latest first; looked at as far as the checkpoints rest on them
    Checkpoints that are missing, damaged or do not fit the segment are made first, which reads all its rows once.
    """
    path = path_of(store, key, source.symbol, uncross=uncross)
    days = iter(before)
    for is_made_anew in (False, True):
        if is_made_anew:
            # Rows that cannot be read are named by the replay, if it comes to them.
            with contextlib.suppress(InputError, CorruptionError):
                make(store, key, source, uncross=uncross)
        file = opened(store, path, source, days, uncross=uncross)
        with contextlib.suppress(CorruptionError):
            if file is not None:
                return CheckpointFile(file, source).before(row)
    return None


def is_made(store: Store, key: SegmentKey, source: Source, *, uncross: bool = False) -> bool:
    """Return whether there are checkpoints of all rows of a segment, undamaged; each of them is read."""
    path = path_of(store, key, source.symbol, uncross=uncross)
    file = opened(store, path, source, uncross=uncross)
    done = 0
    try:
        for point in CheckpointFile(file, source) if file else ():
            done = point.row
    except CorruptionError:
        return False
    return done == source.stop - source.start


def go_on(store: Store, key: SegmentKey, source: Source, book: Book, rests_on: tuple[Part, ...]) -> None:
    """Make checkpoints that begin with a book: that of the day before, which rests on some days."""
    (opening,) = _taken(book, 0)
    with contextlib.suppress(InputError, CorruptionError):
        make(store, key, source, uncross=book.is_uncrossing, opening=opening._replace(rests_on=rests_on))


def make(
    store: Store,
    key: SegmentKey,
    source: Source,
    *,
    uncross: bool = False,
    opening: Checkpoint | None = None,
    folder: Path | None = None,
) -> None:
    """Replay a day and keep its book at some rows; where the store cannot be written, nothing is kept.

    opening  the book at the beginning of the day, None to leave it open
    folder   where the file is written before it takes its place, for a writer its staging folder
    Raises InputError or CorruptionError for rows that cannot be read, when the books before them are kept.
    """
    path = path_of(store, key, source.symbol, uncross=uncross)
    partial = (folder or store.root / FOLDER / PARTIAL) / os.urandom(16).hex()
    with contextlib.suppress(DiskError, OSError):
        try:
            disk.make_folder(path.parent, store.root)
            disk.make_folder(partial.parent, store.root)
            with SegmentWriter(partial, RECORD, block_rows=_BLOCK_ROWS) as writer:
                failure = _write(writer, source, opening, uncross=uncross)
                parts = [
                    part_of(source, writer.rows, uncross=uncross),
                    *(opening.rests_on if opening else ()),
                ]
                meta = Meta(key.feed, RECORD.name, key.exchange, source.symbol, key.day, False, parts)
                writer.finish(meta, [(source.symbol, writer.rows)] if writer.rows else [])
            disk.publish([(partial, path)])
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        if failure is not None:
            raise failure


def remove_abandoned(store: Store) -> None:
    """Remove what questions that were killed left unfinished; what another process still writes stays."""
    for path in (store.root / FOLDER / PARTIAL).glob("*"):
        # Of two that remove the same file one comes too late.
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > ABANDONED_S:
                path.unlink()


def _write(
    writer: SegmentWriter, source: Source, opening: Checkpoint | None, *, uncross: bool
) -> TickreelError | None:
    """Write the checkpoints of a source up to its first row that cannot be read; return what is wrong with that."""
    try:
        for checkpoint in _checkpoints(source, opening, uncross=uncross):
            writer.append(rows_of(checkpoint))
    except (InputError, CorruptionError) as failure:
        return failure
    return None


def replay(book: Book, source: Source, first: int, stop: int) -> None:
    """Apply the source's rows from number `first` to `stop`."""
    reader = RowReader()
    row = first
    for block, begin, end in source.blocks(first):
        if row >= stop:
            break
        end = min(end, begin + stop - row)
        rows, scale = reader.read(source.segment, block)
        book.apply(rows, scale, begin, end)
        row += end - begin


def _checkpoints(source: Source, opening: Checkpoint | None, *, uncross: bool) -> Iterator[Checkpoint]:
    """Yield the one to begin with, if any, more at ends of messages, and one at the end of all rows."""
    book, reader = Book(uncross=uncross), RowReader()
    if opening is not None:
        opening.put_into(book)
        yield opening
    elif not uncross:
        book.state.state[k.KNOWN] = k.OVERLAY
    row = last = 0
    for block, begin, end in source.blocks():
        rows, scale = reader.read(source.segment, block)
        # The last message of a block may go on in the next one.
        whole = int(np.searchsorted(rows.local_ns[begin:end], rows.local_ns[end - 1])) + begin
        book.apply(rows, scale, begin, whole)
        done = row + whole - begin
        # A block that lies within one message has no end of one in it.
        if whole > begin and done - last >= max(
            source.segment.footer.block_rows, ROWS_PER_LEVEL * _count(book)
        ):
            last = done
            yield from _taken(book, last)
        book.apply(rows, scale, whole, end)
        row += end - begin
    yield from _taken(book, row)


def _count(book: Book) -> int:
    return sum(k.levels(book.state))


def _taken(book: Book, row: int) -> Iterator[Checkpoint]:
    """Yield a book as it is, its message ended; nothing if nothing is known of it."""
    book.close()
    state = book.state.state
    if state[k.KNOWN] != k.UNKNOWN:
        yield Checkpoint(
            row, book.last_ns, book.is_known, book.snapshot_ns, bool(state[k.LAST_SNAPSHOT]), book.scale,
            tuple(book.dump()),
        )  # fmt: skip


def part_of(source: Source, rows: int = 0, *, uncross: bool) -> Part:
    """Name what `rows` of checkpoints were made from, a segment by its fingerprint, and by which rules."""
    segment = source.segment
    name = f"{source.symbol} by rules {RULES}, {'uncrossed' if uncross else 'kept'}"
    made_from = source.stop - source.start
    return Part(name, f"{segment.fingerprint:016x}", segment.file_bytes, rows, None, made_from)


def opened(
    store: Store, path: Path, source: Source, before: Iterable[Source] = (), *, uncross: bool
) -> Segment | None:
    """Return the checkpoints that were made from this very segment and those before, by these rules, or None."""
    try:
        file = Segment(disk.open_beneath(store.root, list(path.relative_to(store.root).parts)), path)
    except (FileNotFoundError, TickreelError):
        return None
    made_from = file.meta.parts
    wanted = [part_of(source, file.rows, uncross=uncross)]
    wanted += (part_of(day, uncross=uncross) for day in islice(before, len(made_from[1:])))
    return file if file.record is RECORD and made_from == wanted else None
