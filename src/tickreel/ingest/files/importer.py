"""Many files into a store: plans, lets workers stage, publishes in the order of the plan, reports."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tickreel.codecs.choice import Purpose
from tickreel.compute import Executor, Numbers, Outcome, Task, make_executor
from tickreel.errors import DiskError, FailedError, ReadError, TickreelError
from tickreel.ingest.files.books import keep_books
from tickreel.ingest.files.plan import PlannedFile, plan_files
from tickreel.ingest.files.publish import Publisher
from tickreel.ingest.files.stage_task import FileResult, FileTask, staged_result
from tickreel.store.catalog import SegmentKey, Store, WritingStore
from tickreel.store.format import BLOCK_ROWS
from tickreel.store.gaps import Missed
from tickreel.store.names import check_feed


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How to import; what is stored depends on the files and on all of these but `workers`.

    optimise  what the codecs are chosen for, see codecs.choice
    """

    feed: str = "tardis"
    types: tuple[str, ...] = ()
    strict: bool = False
    replace: bool = False
    workers: int | None = None
    block_rows: int = BLOCK_ROWS
    optimise: Purpose = "balanced"


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
        """0 if no file failed, the files' own code if all failed with the same one, else 1."""
        codes = {report.exit_code for report in self.files}
        return codes.pop() if len(codes) == 1 else FailedError.exit_code if codes else 0


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
        with make_executor(settings.workers) as executor:
            if len(plan.files) > 1:
                warm(executor)
            job = Import(writing, settings, executor, on_progress or (lambda path, numbers: None))
            with closing(job.run(plan.files)) as reports:
                summary.files.extend(reports)
        keys = job.keys_of(plan.files, summary.files)
        summary.books = keep_books(writing, keys, workers=settings.workers, on_progress=on_books)
    return summary


def warm(executor: Executor) -> None:
    """Compile, or load, what workers need in one of them, before many do the same at once."""
    if executor.workers > 1:
        for warmed in executor.run([Task("warm-up", "tickreel.ingest.files.warm:warm_up", {})]):
            if not warmed.ok:
                raise warmed.as_error()


class Import:
    """One import while the store's lock is held."""

    def __init__(
        self, store: WritingStore, settings: ImportSettings, executor: Executor, on_progress: OnProgress
    ) -> None:
        self._store = store
        self._executor = executor
        self._settings = settings
        self._publisher = Publisher(
            store, settings.feed, replace=settings.replace,
            block_rows=settings.block_rows, optimise=settings.optimise,
        )  # fmt: skip
        self._on_progress = on_progress
        self._has_primary = False

    def run(self, files: list[PlannedFile]) -> Generator[FileReport]:
        """Yield one report per file, in the order of `files`: so what is refused is always the same."""
        tasks = self._tasks(files)
        paths = {task.id: str(planned.path) for task, planned in zip(tasks, files, strict=True)}
        waiting: dict[str, Outcome] = {}
        following = 0
        outcomes = self._executor.run(
            tasks, in_order=True, on_progress=lambda id, numbers: self._on_progress(paths[id], numbers)
        )
        for outcome in outcomes:
            waiting[outcome.task_id] = outcome
            while following < len(tasks) and tasks[following].id in waiting:
                done = waiting.pop(tasks[following].id)
                report = self._report(following, files[following], done)
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

    def _tasks(self, files: list[PlannedFile]) -> list[Task]:
        sources = {planned.source for planned in files}
        return [
            _refusal(number, planned.problem)
            if planned.problem
            else self._task(number, planned, known=self._known(planned, sources))
            for number, planned in enumerate(files)
        ]

    def _known(self, planned: PlannedFile, sources: set[str]) -> list[str]:
        try:
            # What another path of this import brought may go before this file's turn.
            return self._publisher.known(planned.type, planned.source, without=sources)
        except FailedError:
            # What is wrong there is said when the file is to be published.
            return []

    def _task(self, number: int, planned: PlannedFile, *, known: list[str]) -> Task:
        name = planned.name
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
            optimise=self._settings.optimise,
            source=planned.lasting,
            gaps=[Missed([], list(planned.gaps))] if planned.gaps else [],
        )
        arguments = msgspec.to_builtins(task)
        return Task(str(number), "tickreel.ingest.files.stage:stage_file", arguments)

    def _report(self, number: int, planned: PlannedFile, outcome: Outcome) -> FileReport:
        path = str(planned.path)
        result = None
        try:
            result = self._result(outcome)
            if result.skipped:
                if self._publisher.skip(planned.type, planned.source, result.sha256):
                    return FileReport(path, "skipped", result)
                result = self._result(self._again(number, planned))
            done = self._publisher.publish(planned.type, result)
        except TickreelError as error:
            # The store's own disk ends the import; a file that cannot be read is that file's failure.
            if isinstance(error, DiskError) and not isinstance(error, ReadError):
                raise
            return _failed(path, error, result)
        return FileReport(path, done.state, result, done.segments, done.rejects)

    def _result(self, outcome: Outcome) -> FileResult:
        if not outcome.ok:
            raise outcome.as_error()
        return staged_result(outcome.value)

    def _again(self, number: int, planned: PlannedFile) -> Outcome:
        """Stage a file that was known when the import began, but is not any more: another took its place."""
        with make_executor(1) as executor:
            (outcome,) = executor.run([self._task(number, planned, known=[])])
        return outcome


def _refusal(number: int, problem: TickreelError) -> Task:
    arguments = {"error_type": type(problem).__name__, "error": str(problem)}
    return Task(str(number), "tickreel.ingest.files.stage:refuse_file", arguments)


def _failed(path: str, error: TickreelError, result: FileResult | None = None) -> FileReport:
    return FileReport(
        path, "failed", result,
        error=str(error), error_type=type(error).__name__, exit_code=error.exit_code,
    )  # fmt: skip


def _is_our_own(path: Path, root: Path) -> bool:
    """Return whether the store wrote that file: it may lie in a folder that is imported."""
    if root not in path.parents:
        return False
    first, *others = path.relative_to(root).parts
    return first.startswith(".") or others[:-1] == ["rejects"]
