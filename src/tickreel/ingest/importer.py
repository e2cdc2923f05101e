"""Many files into a store: plans, lets workers stage, publishes in the order of the plan, reports."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tickreel.compute import Numbers, Outcome, Task, make_executor
from tickreel.errors import DiskError, FailedError, InputError, TickreelError
from tickreel.ingest.books import keep_books
from tickreel.ingest.plan import PlannedFile, plan_files
from tickreel.ingest.stage import FileResult, FileTask, Staged
from tickreel.store.catalog import STAGING, SegmentKey, Store, WritingStore
from tickreel.store.format import BLOCK_ROWS, Part
from tickreel.store.maintain import Source, merge
from tickreel.store.names import check_feed
from tickreel.store.reader import Segment


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How to import; what is stored depends on the files and on `feed`, `replace`, `strict` alone."""

    feed: str = "tardis"
    types: tuple[str, ...] = ()
    strict: bool = False
    replace: bool = False
    workers: int | None = None
    block_rows: int = BLOCK_ROWS


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. state: imported, merged, replaced, skipped or failed."""

    path: str
    state: str
    result: FileResult | None = None
    segments: tuple[str, ...] = ()
    rejects: str = ""
    error: str = ""
    error_type: str = ""
    exit_code: int = 0


@dataclass(slots=True)
class ImportSummary:
    """What an import did, file by file, in the order of the plan."""

    store: str
    feed: str
    files: list[FileReport] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)
    books: list[str] = field(default_factory=list)
    """Why an order book's checkpoints could not be made; its rows are in the store all the same."""

    @property
    def failed(self) -> list[FileReport]:
        return [report for report in self.files if report.state == "failed"]

    @property
    def exit_code(self) -> int:
        """0 if no file failed, 3 if every file did because of what is in it, else 1."""
        codes = {report.exit_code for report in self.files}
        if codes <= {0}:
            return 0
        return InputError.exit_code if codes == {InputError.exit_code} else FailedError.exit_code


OnProgress = Callable[[str, Numbers], None]
"""Called with (path, {"bytes", "rows"}) while a file is read and (path, {"done": 1}) at its end."""


def import_files(
    store: Store,
    paths: Sequence[str],
    settings: ImportSettings | None = None,
    *,
    on_plan: Callable[[list[Path]], None] | None = None,
    on_progress: OnProgress | None = None,
    on_books: Callable[[int, int], None] = lambda done, total: None,
) -> ImportSummary:
    """Import files, folders and globs; a file that was reported done is durable.

    Killed at any moment and called again, it ends with the same bytes as one quiet import.
    Raises UsageError if nothing can be planned, LockedError if another process writes, DiskError
    as soon as the disk fails; what one file's content does wrong is reported and the rest goes on.
    """
    settings = settings or ImportSettings()
    check_feed(settings.feed)
    plan = plan_files(paths, settings.types, leave_out=lambda path: _is_our_own(path, store.root))
    if on_plan:
        on_plan([planned.path for planned in plan.files])
    summary = ImportSummary(str(store.root), settings.feed, passed_over=plan.passed_over)
    with store.writing() as writing:
        job = _Import(writing, settings, on_progress or (lambda path, numbers: None))
        with closing(job.run(plan.files)) as reports:
            summary.files.extend(reports)
        keys = job.keys_of(plan.files, summary.files)
        summary.books = keep_books(writing, keys, workers=settings.workers, on_progress=on_books)
    return summary


class _Import:
    """One import while the store's lock is held."""

    def __init__(self, store: WritingStore, settings: ImportSettings, on_progress: OnProgress) -> None:
        self._store = store
        self._settings = settings
        self._on_progress = on_progress
        self._has_primary = False

    def run(self, files: list[PlannedFile]) -> Generator[FileReport]:
        """Yield one report per file, in the order of `files`: so what is refused is always the same."""
        tasks = [self._task(number, planned) for number, planned in enumerate(files)]
        paths = {task.id: str(planned.path) for task, planned in zip(tasks, files, strict=True)}
        waiting: dict[str, Outcome] = {}
        following = 0
        with make_executor(self._settings.workers) as executor:
            if executor.workers > 1 and len(tasks) > 1:
                for warmed in executor.run([Task("warm-up", "tickreel.ingest.warm:warm_up", {})]):
                    if not warmed.ok:
                        raise warmed.as_error()
            outcomes = executor.run(
                tasks, in_order=True, on_progress=lambda id, numbers: self._on_progress(paths[id], numbers)
            )
            for outcome in outcomes:
                waiting[outcome.task_id] = outcome
                while following < len(tasks) and tasks[following].id in waiting:
                    done = waiting.pop(tasks[following].id)
                    report = self._report(paths[done.task_id], done)
                    if report.state != "failed":
                        self._name_primary()
                    self._on_progress(report.path, {"done": 1})
                    following += 1
                    yield report

    def keys_of(self, files: list[PlannedFile], reports: list[FileReport]) -> Iterator[SegmentKey]:
        """Yield what the files are about: by their names, and by the rows that were found in them."""
        for planned, report in zip(files, reports, strict=True):
            if planned.name and report.state != "failed":
                yield self._named(planned)
            if report.result:
                yield from (staged.key for staged in report.result.segments)

    def _named(self, planned: PlannedFile) -> SegmentKey:
        name = planned.name
        assert name is not None
        return SegmentKey(
            self._settings.feed, planned.type, name.exchange, name.symbol, name.day, name.grouped
        )

    def _name_primary(self) -> None:
        """Make a new store one that can be opened, before its first file is reported done."""
        if not self._has_primary and self._store.primary() is None:
            self._store.set_primary(self._settings.feed)
        self._has_primary = True

    def _task(self, number: int, planned: PlannedFile) -> Task:
        name = planned.name
        known = [part.sha256 for part in self._parts(self._named(planned))] if name else []
        task = FileTask(
            path=str(planned.path),
            feed=self._settings.feed,
            type=planned.type,
            group=name.symbol if name and name.grouped else "",
            expected=(name.exchange, name.symbol, name.day) if name else None,
            known=known,
            strict=self._settings.strict,
            staging=str(self._store.staging / str(number)),
            block_rows=self._settings.block_rows,
        )
        arguments = msgspec.to_builtins(task)
        return Task(str(number), "tickreel.ingest.stage:stage_file", arguments)

    def _parts(self, key: SegmentKey) -> list[Part]:
        try:
            return self._store.open(key).meta.parts
        except DiskError:
            raise
        except (FileNotFoundError, TickreelError):
            # What is wrong there is said when the file is to be published.
            return []

    def _report(self, path: str, outcome: Outcome) -> FileReport:
        if not outcome.ok:
            error = outcome.as_error()
            if isinstance(error, DiskError):
                raise error
            return FileReport(
                path, "failed", error=str(error), error_type=type(error).__name__, exit_code=error.exit_code
            )
        result = msgspec.convert(outcome.value, FileResult)
        if result.skipped:
            return FileReport(path, "skipped", result)
        try:
            return self._publish(result)
        except DiskError:
            raise
        except TickreelError as error:
            return FileReport(
                path, "failed", result,
                error=str(error), error_type=type(error).__name__, exit_code=error.exit_code,
            )  # fmt: skip

    def _publish(self, result: FileResult) -> FileReport:
        """Give a file's segments their names, merged with what is there. All or none is decided first."""
        moves: list[tuple[Path, Path]] = []
        done: set[str] = set()
        rejects = ""
        for staged in result.segments:
            file, did = self._resolved(staged, result)
            if file:
                moves.append((file, self._store.path(staged.key)))
                done.add(did)
        if not moves and result.segments:
            return FileReport(result.path, "skipped", result)
        if result.rejects_file:
            target = self._store.rejects_path(self._settings.feed, result.sha256)
            self._store.publish([(Path(result.rejects_file), target)])
            rejects = str(target)
        # By the last one a later import knows the file, so it follows when the others are durable.
        self._store.publish(moves[:-1])
        self._store.publish(moves[-1:])
        state = next((state for state in ("replaced", "merged") if state in done), "imported")
        segments = tuple(str(staged.key) for staged in result.segments)
        return FileReport(result.path, state, result, segments, rejects)

    def _resolved(self, staged: Staged, result: FileResult) -> tuple[Path | None, str]:
        """Return the file to publish (None: nothing to do) and what was done with the one in place."""
        try:
            there = self._store.open(staged.key)
        except FileNotFoundError:
            return Path(staged.file), "imported"
        parts = there.meta.parts
        if any(part.sha256 == result.sha256 for part in parts):
            return None, "skipped"
        others = [part for part in parts if part.source != result.path]
        new = Segment.open(Path(staged.file))
        (mine,) = new.meta.parts
        clashing = [part for part in others if _overlap(part, mine)]
        if clashing and not self._settings.replace:
            raise FailedError(
                f"{result.path}: {staged.key} already has rows of that time from {clashing[0].source};"
                " import with --replace to put this file in its place, or under another --feed"
            )
        kept = [part for part in others if part not in clashing]
        state = "replaced" if len(kept) < len(parts) else "merged"
        if not kept:
            return Path(staged.file), state
        merged = Path(staged.file + ".merged")
        sources = [Source(there, part) for part in kept] + [Source(new, mine)]
        merge(staged.key, sources, merged, block_rows=self._settings.block_rows)
        return merged, state


def _is_our_own(path: Path, root: Path) -> bool:
    """Return whether an import wrote that file: the store may lie in a folder that is imported."""
    if root not in path.parents:
        return False
    first, *others = path.relative_to(root).parts
    return first == STAGING or others[:-1] == ["rejects"]


def _overlap(a: Part, b: Part) -> bool:
    if a.interval is None or b.interval is None:
        return False
    return a.interval[0] < b.interval[1] and b.interval[0] < a.interval[1]
