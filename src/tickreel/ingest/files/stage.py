"""One file to staged segments: what a worker does. Nothing is published here."""

import contextlib
import csv
import errno
import hashlib
import shutil
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tickreel import errors
from tickreel.errors import DiskError, InputError, disk_error
from tickreel.ingest.files import inspect_kernel
from tickreel.ingest.files.inspect import Inspector, Tally
from tickreel.ingest.files.open_segment import OpenSegment, Staged
from tickreel.ingest.files.order import NotInOrder, in_order
from tickreel.ingest.files.spill import Spill
from tickreel.ingest.files.stage_task import FileResult, FileTask
from tickreel.ingest.files.text_file import TextFile, file_sha256
from tickreel.instruments import dataset_symbol
from tickreel.schema import RECORD_TYPES
from tickreel.sources.csv_batch import RowBatch
from tickreel.sources.csv_rows import MAX_NAMES, CsvParser
from tickreel.store import names
from tickreel.store.catalog import SegmentKey
from tickreel.store.disk import sync_file
from tickreel.store.format import Part
from tickreel.store.writer import SegmentWriter
from tickreel.units import NS_PER_DAY, day_of, day_start, human_bytes

MAX_EXAMPLES = 3
MAX_OPEN = 100
"""How many segments may wait, each with an open file, until their source has been read to its end."""
_REJECTS = "rejects.csv"
_TELL_ROWS = 1 << 16
_RESULT = "result.msgpack"
_INLINE_BYTES = 1 << 16


def stage_file(arguments: dict[str, Any], progress: Any) -> dict[str, Any]:
    """Stage one file; the task of the process pool. Arguments and result are plain data."""
    task = msgspec.convert(arguments, FileTask)
    result = _skipped(task) or FileStage(task, progress).run()
    packed = msgspec.msgpack.encode(result)
    if len(packed) <= _INLINE_BYTES:
        return {"result": packed}
    # A file of thousands of symbols has more to tell than may cross between processes.
    path = Path(task.staging) / _RESULT
    try:
        path.write_bytes(packed)
    except OSError as error:
        raise disk_error(error, f"writing {path}") from error
    return {"file": str(path)}


def refuse_file(arguments: dict[str, Any], progress: Any) -> None:
    """Fail a file that cannot be staged, in its turn among the others."""
    raise getattr(errors, arguments["error_type"])(arguments["error"])


def _skipped(task: FileTask) -> FileResult | None:
    """Return the result of a file that is known by its bytes, or None if it is to be read."""
    if not task.known:
        return None
    sha256 = file_sha256(Path(task.path))
    return FileResult(task.source or task.path, sha256, 0, skipped=True) if sha256 in task.known else None


class FileStage:
    """Reads a file once (twice if it is not in order) and writes its segments."""

    def __init__(self, task: FileTask, progress: Any) -> None:
        self.task = task
        self.record = RECORD_TYPES[task.type]
        self.folder = Path(task.staging)
        self._progress = progress
        self._writers: set[SegmentWriter] = set()
        self._gaps = {name: missed.gaps for missed in task.gaps for name in missed.symbols or [""]}
        self._begin()

    def _begin(self) -> None:
        self._text = TextFile(Path(self.task.path))
        self._parser = CsvParser(self.record, self._source, _usable_names)
        self._aside = Tally()
        self._odd = Tally()
        for kind, finding in self.task.odd.items():
            self._odd.add(kind, finding.count, finding.examples)
        self._odd_of_segments = Tally()
        self._inspector = Inspector(self.record)
        self._rows = 0
        self._rejects = 0
        self._written = 0
        self._reading_share = 1.0
        self._latest = np.full(MAX_NAMES, np.iinfo(np.int64).min)

    def run(self) -> FileResult:
        task = self.task
        # A worker that died may have left the beginnings of a first attempt.
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise disk_error(error, f"creating {self.folder}") from error
        try:
            staged = None if task.group else self._stage_in_order()
            if staged is None:
                staged = self._stage_spilled()
            return self._result(staged)
        except OSError as error:
            raise disk_error(error, f"importing {task.path}") from error
        finally:
            for writer in self._writers:
                writer.abandon()

    def _stage_in_order(self) -> list[Staged] | None:
        """Write the segments as the rows come; None if the file is not in order, or of too many days."""
        done: list[OpenSegment] = []
        try:
            for name, day, rows in in_order(self._batches()):
                if not done or done[-1].day != day:
                    if done:
                        done[-1].end_symbol()
                    if len(done) == MAX_OPEN:
                        raise NotInOrder
                    exchange, symbol = self._parser.names[name]
                    done.append(self._open(exchange, symbol, day, number=len(done)))
                    done[-1].begin_symbol(symbol)
                done[-1].append(rows)
        except NotInOrder:
            for segment in done:
                segment.writer.abandon()
            (self.folder / _REJECTS).unlink(missing_ok=True)
            self._begin()
            return None
        if done:
            done[-1].end_symbol()
        return [self._finish(segment) for segment in done]

    def _stage_spilled(self) -> list[Staged]:
        """Write the segments symbol by symbol; unless they are a group's, each is finished before the next."""
        self._reading_share = 0.5
        with Spill(self.folder / "runs", self._parser.names) as spill:
            try:
                for batch in self._batches():
                    if len(batch):
                        spill.add(batch)
                return self._write_sorted(spill)
            except DiskError as error:
                if not _is_full(error):
                    raise
                raise DiskError(f"{error}; {self._room_needed(spill)}") from error

    def _write_sorted(self, spill: Spill) -> list[Staged]:
        group = self.task.group
        staged: list[Staged] = []
        groups: dict[tuple[str, int], OpenSegment] = {}
        for (name, day), parts in groupby(spill.rows(), key=itemgetter(0, 1)):
            exchange, symbol = self._parser.names[name]
            target = groups.get((exchange, day))
            if target is None:
                target = self._open(exchange, group or symbol, day, number=len(staged) + len(groups))
            target.begin_symbol(symbol)
            for *_, rows in parts:
                target.append(rows)
                self._tell_written(len(rows))
            target.end_symbol()
            if group:
                groups[exchange, day] = target
            else:
                staged.append(self._finish(target))
        return staged + [self._finish(segment) for segment in groups.values()]

    def _tell_written(self, rows: int) -> None:
        """Report progress of the second half of a spilled file, once in a while."""
        before, self._written = self._written, self._written + rows
        if before // _TELL_ROWS != self._written // _TELL_ROWS:
            done = self._text.file_bytes * (1 + self._written / self._rows) / 2
            self._progress(bytes=int(done), rows=self._rows)

    def _room_needed(self, spill: Spill) -> str:
        """Say what the file takes on the disk, judged by what was read and written of it."""
        rows = self._rows * Path(self.task.path).stat().st_size / max(1, self._text.bytes_read)
        # Its sorted rows lie there while its segment, at most as large, is written.
        size = human_bytes(2 * spill.bytes_per_row * rows)
        return f"{self.task.path} needs about {size} in {self.folder.parent}"

    def _open(self, exchange: str, symbol: str, day: int, *, number: int) -> OpenSegment:
        task = self.task
        key = SegmentKey(task.feed, task.type, exchange, symbol, day_of(day * NS_PER_DAY), bool(task.group))
        # A segment without rows is of the type's own columns, whatever the header had.
        record = self._parser.record if self._rows else self.record
        writer = SegmentWriter(
            self.folder / f"{number}.reel", record, block_rows=task.block_rows, optimise=task.optimise
        )
        self._writers.add(writer)
        return OpenSegment(key, day, writer, self._inspector)

    def _finish(self, segment: OpenSegment) -> Staged:
        """Seal a segment. The source must have been read to its end: all of it is described."""
        found = segment.tally.findings()
        for kind, finding in found.items():
            self._odd_of_segments.add(kind, finding.count, finding.examples)
        part = Part(
            source=self._source,
            sha256=self._sha256(),
            bytes=self._text.file_bytes,
            rows=segment.writer.rows,
            interval=segment.interval,
            lines=self._parser.lines,
            set_aside=self._aside.findings(),
            odd={**self._odd.findings(), **found},
            optional=list(segment.writer.record.extras),
            gaps=self._gaps.get(segment.key.symbol, self._gaps.get("", [])),
        )
        staged = segment.finish(part)
        self._writers.discard(segment.writer)
        return staged

    @property
    def _source(self) -> str:
        return self.task.source or self.task.path

    def _sha256(self) -> str:
        """Return the file's hash; with gaps one of both, so that the same rows with other gaps are other parts."""
        if not self.task.gaps:
            return self._text.sha256
        gaps = msgspec.json.encode(self.task.gaps)
        return hashlib.sha256(self._text.sha256.encode() + gaps).hexdigest()

    def _batches(self) -> Iterator[RowBatch]:
        """Parse the file; count, and set aside, what cannot be right."""
        pieces = self._text.pieces()
        piece = next(pieces, None)
        with contextlib.ExitStack() as stack:
            rejects: Any = None
            while piece is not None:
                following = next(pieces, None)
                last = following is None
                for batch in self._parser.feed(piece, last=last):
                    if batch.set_aside:
                        self._refuse_if_strict(batch)
                        rejects = rejects or stack.enter_context(_rejects(self.folder / _REJECTS))
                        self._set_aside(batch, rejects)
                    self._count(batch)
                    yield batch
                self._progress(bytes=int(self._text.bytes_read * self._reading_share), rows=self._rows)
                piece = following

    def _set_aside(self, batch: RowBatch, rejects: Any) -> None:
        for line, reason, text, detail in batch.set_aside:
            self._aside.add(reason, 1, [(line, text)])
            why = f"{reason}: {detail}" if detail else reason
            rejects.writerow((line, why, text))
        self._rejects += len(batch.set_aside)

    def _count(self, batch: RowBatch) -> None:
        self._rows += len(batch)
        for kind, line, cell in batch.odd:
            self._odd.add(kind, 1, [(line, cell)])
        if len(batch):
            late = np.empty(len(batch), bool)
            count = inspect_kernel.late_rows(batch.name, batch.times, self._latest, late)
            lines = batch.line[late][:MAX_EXAMPLES].tolist() if count else []
            self._odd.add("out_of_order", count, [(line, "") for line in lines])
            self._compare_with_name(batch)

    def _compare_with_name(self, batch: RowBatch) -> None:
        if not self.task.expected:
            return
        exchange, symbol, day = self.task.expected
        times, start = batch.times, day_start(day)
        if int(times.min()) < start or int(times.max()) >= start + NS_PER_DAY:
            other = np.flatnonzero((times < start) | (times >= start + NS_PER_DAY))
            shown = [(int(batch.line[row]), day_of(int(times[row]))) for row in other[:MAX_EXAMPLES]]
            self._odd.add("other_day", len(other), shown)
        one, others = (batch.name == batch.name[0]).all(), []
        for number in [int(batch.name[0])] if one else np.unique(batch.name).tolist():
            found_exchange, found = self._parser.names[number]
            if found_exchange != exchange or (not self.task.group and dataset_symbol(found) != symbol):
                others.append(number)
        if others:
            rows = np.flatnonzero(np.isin(batch.name, others))
            first = rows[:MAX_EXAMPLES].tolist()
            names = [",".join(self._parser.names[batch.name[row]]) for row in first]
            self._odd.add(
                "other_symbol", len(rows), list(zip(batch.line[first].tolist(), names, strict=True))
            )

    def _refuse_if_strict(self, batch: RowBatch) -> None:
        if self.task.strict:
            line, reason, text, _ = batch.set_aside[0]
            raise InputError(
                f"{self.task.path}: line {line}: {reason}: {text[:200]!r}; mend the row, or import without"
                " --strict to set such rows aside"
            )

    def _result(self, staged: list[Staged]) -> FileResult:
        text, task = self._text, self.task
        if not staged and task.expected:
            exchange, symbol, day = task.expected
            number = day_start(day) // NS_PER_DAY
            staged = [self._finish(self._open(exchange, symbol, number, number=0))]
        staged += self._without_rows({(segment.exchange, segment.symbol, segment.day) for segment in staged})
        staged.sort(key=lambda segment: self._is_expected(segment.key))
        return FileResult(
            self._source, self._sha256(), text.file_bytes,
            lines=self._parser.lines, rows=self._rows, local=self._parser.record.has_local or not self._rows,
            segments=staged,
            set_aside=self._aside.findings(),
            odd={**self._odd.findings(), **self._odd_of_segments.findings()},
            rejects_file=str(self.folder / _REJECTS) if self._rejects else "",
        )  # fmt: skip

    def _without_rows(self, there: set[tuple[str, str, str]]) -> list[Staged]:
        """Make the segments of what was looked at and had no row."""
        made: list[Staged] = []
        for exchange, symbol, day in self.task.looked_at:
            if (exchange, symbol, day) not in there:
                number = day_start(day) // NS_PER_DAY
                made.append(self._finish(self._open(exchange, symbol, number, number=len(there) + len(made))))
        return made

    def _is_expected(self, key: SegmentKey) -> bool:
        return (key.exchange, key.symbol, key.day) == self.task.expected


@contextlib.contextmanager
def _rejects(path: Path) -> Iterator[Any]:
    """A CSV writer of the rows set aside, made durable at the end."""
    with open(path, "x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "reason", "row"))
        yield writer
        file.flush()
        sync_file(file.fileno(), str(path))


def _usable_names(exchange: str, symbol: str) -> None:
    names.encode_exchange(exchange)
    names.encode_symbol(symbol)


def _is_full(error: DiskError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
