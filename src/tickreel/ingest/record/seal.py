"""A day of a journal to segments of the store: read and staged beside everything else, published under its lock."""

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tickreel.compute import Task, make_executor
from tickreel.errors import FailedError, LockedError, disk_error
from tickreel.ingest.files import recorded
from tickreel.ingest.files.books import keep_books
from tickreel.ingest.files.publish import Publisher
from tickreel.ingest.files.stage import FileStage
from tickreel.ingest.files.stage_task import FileResult, FileTask
from tickreel.ingest.record.day_state import read_state
from tickreel.ingest.record.edge import edge_file, remove_edges
from tickreel.ingest.record.journal import DAMAGED, Part
from tickreel.ingest.record.seal_rows import EDGE, DayText, write_day
from tickreel.ingest.record.sealed import known_by, note_sealed, sealed_days
from tickreel.store import disk
from tickreel.store.catalog import Store, WritingStore
from tickreel.units import human_bytes

SEAL = "seal"
_KEEP = "keep"
"""Lies in a day's folder whose journal is not to be removed."""
_RESULT = "result.msgpack"
_AGAIN_S = 0.5


class SealReport(msgspec.Struct):
    """What a day gave: segments and rows, and what its messages were besides.

    final      the day is over: its journal is gone, or was damaged and has another name
    overlaps   rows that came twice over connections, and were dropped
    unreadable, late  messages set aside: of no known form or of another exchange than was asked for; or of a day that was sealed before, or is far away
    unknown    messages of types that are not kept, by type
    gaps, filled  in all streams; of `filled` history had what it has of a gap
    lag_ns     declared delay of what filled some of them: local times there are exchange time + lag_ns; None: of none
    """

    feed: str
    day: str
    final: bool
    messages: int = 0
    rows: int = 0
    set_aside: int = 0
    overlaps: int = 0
    unreadable: int = 0
    late: int = 0
    unknown: dict[str, int] = {}
    gaps: int = 0
    filled: int = 0
    lag_ns: int | None = None
    segments: list[str] = []
    rejects: list[str] = []
    troubles: list[str] = []


class Made(msgspec.Struct):
    """What a worker leaves for the one who publishes."""

    text: DayText
    results: list[tuple[str, FileResult]] = []
    known: list[tuple[Part, int | None]] = []


def seal_day(
    store: Store,
    feed: str,
    folder: Path,
    *,
    final: bool,
    workers: int | None = None,
    isolate: bool = True,
    on_wait: Callable[[str], None] = lambda why: None,
    on_progress: Callable[[int], None] = lambda messages: None,
) -> SealReport:
    """Make a day's segments, in place of those that it made before; return what it gave.

    final    the day has ended: once its segments are durable its journal is removed, or renamed if it was damaged
    isolate  read it in another process, so that this one goes on recording
    The store's lock is held while finished segments are published; another writer is waited for, with
    `on_wait` called now and then. Killed at any moment and called again, it ends with the same bytes.
    Raises FailedError for a day that is sealed for good.
    """
    if folder.name in sealed_days(folder.parent):
        raise FailedError(
            f"{folder}: {folder.name} is sealed for good, and its segments stay as they are; move this journal away"
        )
    made = _made(feed, folder, final=final, isolate=isolate, on_progress=on_progress)
    report = _report(made, feed, folder.name, final=final)
    with contextlib.ExitStack() as stack:
        writing = _waited_for(store, stack, on_wait)
        publisher = Publisher(writing, feed)
        for type, result in made.results:
            done = publisher.publish(type, result)
            report.segments += done.segments
            report.rejects += [done.rejects] if done.rejects else []
        if writing.primary() is None and report.segments:
            writing.set_primary(feed)
        keys = [staged.key for _, result in made.results for staged in result.segments]
        report.troubles += keep_books(writing, keys, workers=workers)
    if final:
        disk.publish([(folder / SEAL / EDGE, edge_file(folder))])
        if made.text.troubles:
            disk.write_file(folder / _KEEP, b"", folder)
        note_sealed(folder.parent, folder.name, made.known)
        report.troubles += end_day(folder)
    else:
        shutil.rmtree(folder / SEAL, ignore_errors=True)
    return report


def end_day(folder: Path) -> list[str]:
    """Remove the journal of a day that is sealed for good; one that was damaged is kept, which is told."""
    try:
        if not (folder / _KEEP).exists():
            shutil.rmtree(folder)
            told = []
        else:
            shutil.rmtree(folder / SEAL, ignore_errors=True)
            kept = folder.with_name(folder.name + DAMAGED)
            folder.rename(kept)
            size = human_bytes(sum(path.stat().st_size for path in kept.iterdir()))
            told = [
                f"{kept}: some of this journal is damaged, so it is kept ({size}); delete it when it is of no use"
            ]
        remove_edges(folder.parent, sealed_days(folder.parent))
    except OSError as error:
        raise disk_error(error, f"removing {folder}") from error
    disk.sync_folder(folder.parent)
    return told


def _waited_for(store: Store, stack: contextlib.ExitStack, on_wait: Callable[[str], None]) -> WritingStore:
    """Take the store's lock, once who has it is done."""
    while True:
        try:
            return stack.enter_context(store.writing())
        except LockedError as error:
            on_wait(str(error))
            time.sleep(_AGAIN_S)


def _made(feed: str, folder: Path, *, final: bool, isolate: bool, on_progress: Callable[[int], None]) -> Made:
    about = {"feed": feed, "folder": str(folder), "final": final}
    task = Task(folder.name, "tickreel.ingest.record.seal:make_day", about)
    with make_executor(1, isolate=isolate) as executor:
        for outcome in executor.run([task], on_progress=lambda _, told: on_progress(int(told["messages"]))):
            if not outcome.ok:
                raise outcome.as_error()
    return msgspec.msgpack.decode((folder / SEAL / _RESULT).read_bytes(), type=Made)


def make_day(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Write a day's CSV text and stage its segments; the task of a worker."""
    feed, folder = arguments["feed"], Path(arguments["folder"])
    seal = folder / SEAL
    shutil.rmtree(seal, ignore_errors=True)
    try:
        seal.mkdir()
    except OSError as error:
        raise disk_error(error, f"creating {seal}") from error
    text = write_day(folder, seal, progress, final=arguments["final"])
    made = Made(text, known=known_by(read_state(folder)) if arguments["final"] else [])
    for number, ((type, exchange), path) in enumerate(text.files.items()):
        task = FileTask(
            path=path, feed=feed, type=type, group="", expected=None, known=[], strict=False,
            staging=str(seal / str(number)), source=recorded.source(feed, type, exchange, folder.name),
            odd=text.odd_of(type, exchange), gaps=text.gaps_of(type, exchange),
            looked_at=_asked(text, type, exchange, folder.name),
        )  # fmt: skip
        made.results.append((type, FileStage(task, lambda **numbers: None).run()))
        Path(path).unlink()
    try:
        (seal / _RESULT).write_bytes(msgspec.msgpack.encode(made))
    except OSError as error:
        raise disk_error(error, f"writing {seal / _RESULT}") from error


def _asked(text: DayText, type: str, exchange: str, day: str) -> list[tuple[str, str, str]]:
    """Return the symbols that a type was asked for, as files spell them: always upper-case."""
    asked = [stream for stream in text.streams if stream.exchange == exchange and type in stream.types]
    return [(exchange, name, day) for name in sorted({s.upper() for stream in asked for s in stream.symbols})]


def _report(made: Made, feed: str, day: str, *, final: bool) -> SealReport:
    text = made.text
    return SealReport(
        feed, day, final, messages=text.messages, rows=text.rows,
        set_aside=sum(finding.count for _, result in made.results for finding in result.set_aside.values()),
        overlaps=sum(text.overlaps.values()), unreadable=text.unreadable, late=text.late, unknown=text.unknown,
        gaps=sum(map(len, text.gaps.values())), filled=sum(map(len, text.filled.values())),
        lag_ns=max(text.lags_ns(), default=None),
        troubles=[*text.troubles, *text.beside],
    )  # fmt: skip
