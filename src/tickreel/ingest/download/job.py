"""The main thread of a download: takes what has come, imports it in batches, and keeps the account."""

import contextlib
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tickreel.codecs.choice import Purpose
from tickreel.compute import Executor, Numbers, make_executor
from tickreel.errors import LockedError, MissingError, RefusedError
from tickreel.ingest.download.doubts import Doubts
from tickreel.ingest.download.fetch import Arrived, Fetching, Lost
from tickreel.ingest.download.folder import Folder
from tickreel.ingest.download.show import Show
from tickreel.ingest.files.books import keep_books
from tickreel.ingest.files.gaps_beside import read_gaps
from tickreel.ingest.files.importer import FileReport, Import, ImportSettings, warm
from tickreel.ingest.files.memory import workers_within
from tickreel.ingest.files.plan import PlannedFile
from tickreel.ingest.transport import Background
from tickreel.sources.tardis_http import DayFile
from tickreel.sources.tardis_names import read_name
from tickreel.store.catalog import SegmentKey, Store, WritingStore

_TICK_S = 0.2
_WAIT_FOR_LOCK_S = 600.0


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How to download.

    keep_files  folder in which the files stay, under the names of Tardis' own client, those of other providers in
                a folder of the provider's name; those that lie there are not fetched again. None: they lie in the
                store until they are imported
    parallel    requests at a time; None: as the profile says
    memory_bytes  what all processes together may take; None: as much as all cores need
    """

    provider: str = "tardis"
    keep_files: Path | None = None
    parallel: int | None = None
    memory_bytes: int | None = None
    replace: bool = False
    optimise: Purpose = "balanced"
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class DayReport:
    """What became of a day. state: one of download.STATES; bytes: as they came, packed.

    lacks  what is known to be missing of a day that is there
    """

    file: DayFile
    state: str
    imported: FileReport | None = None
    bytes: int = 0
    lacks: str = ""
    error: str = ""
    error_type: str = ""
    exit_code: int = 0

    @property
    def rows(self) -> int:
        return self.imported.result.rows if self.imported and self.imported.result else 0


class DownloadJob:
    """One download: fetching in a thread, importing here with one executor; the store's lock is held batch by batch.

    doubts  holds back days without rows; None where the provider knows its symbols
    books   why checkpoints of order books could not be made
    """

    def __init__(
        self,
        store: Store,
        settings: DownloadSettings,
        *,
        folder: Folder,
        fetching: Fetching,
        show: Show,
        doubts: Doubts | None,
    ) -> None:
        self.books: list[str] = []
        self._doubts = doubts
        self._store = store
        self._settings = ImportSettings(
            settings.provider,
            replace=settings.replace,
            optimise=settings.optimise,
            workers=workers_within(settings.memory_bytes, settings.workers),
        )
        self._folder = folder
        self._fetching = fetching
        self._show = show
        self._reports: dict[DayFile, DayReport] = {}
        self._keys: set[SegmentKey] = set()
        self._rows = 0
        self._reading: dict[str, int] = {}

    def run(self, waiting: list[Arrived]) -> dict[DayFile, DayReport]:
        """Import the files that wait, and all that is fetched; return a report of each."""
        with Background() as network, make_executor(self._settings.workers) as executor:
            fetched = network.start(self._fetching.run())
            warm(executor)
            self._import(executor, waiting)
            while batch := self._next_batch():
                self._note_lost([lost for lost in batch if isinstance(lost, Lost)])
                self._import(executor, [arrived for arrived in batch if isinstance(arrived, Arrived)])
                self._fetching.taken(batch)
            fetched.result()
        if self._doubts:
            self._note_lost(lost := self._doubts.lost())
            for one in lost:
                self._folder.drop(one.file)
        if self._keys:
            with self._writing() as writing:
                self.books = keep_books(
                    writing, self._keys, workers=self._settings.workers, on_progress=self._show.books
                )
        return self._reports

    def _next_batch(self) -> list[Arrived | Lost]:
        """Return what has come since, at least one result; nothing at the end."""
        batch: list[Arrived | Lost] = []
        while True:
            try:
                result = self._fetching.results.get(timeout=0 if batch else _TICK_S)
            except queue.Empty:
                if batch:
                    return batch
                self._tell()
                continue
            if result is None:
                # Once more for the end, when what came before it is dealt with.
                if batch:
                    self._fetching.results.put(None)
                return batch
            batch.append(result)

    def _note_lost(self, found: list[Lost]) -> None:
        for lost in found:
            error = lost.error
            state = (
                "missing" if isinstance(error, MissingError)
                else "refused" if isinstance(error, RefusedError)
                else "failed"
            )  # fmt: skip
            self._reports[lost.file] = DayReport(
                lost.file, state, error=str(error), error_type=type(error).__name__, exit_code=error.exit_code
            )
        self._tell()

    def _import(self, executor: Executor, arrived: list[Arrived]) -> None:
        arrived = self._doubts.settle(arrived) if self._doubts else arrived
        if not arrived:
            return
        planned = [self._planned(one) for one in arrived]
        with self._writing() as writing:
            job = Import(writing, self._settings, executor, self._on_progress)
            reports = list(job.run(planned))
            self._keys.update(
                key for key in job.keys_of(planned, reports) if key.type == "incremental_book_L2"
            )
        self._reading.clear()
        for one, report in zip(arrived, reports, strict=True):
            self._reports[one.file] = found = _day_report(one, report)
            self._rows += found.rows
            self._folder.done_with(one.file)
        self._tell()

    def _planned(self, one: Arrived) -> PlannedFile:
        return PlannedFile(
            one.path, one.file.type, read_name(one.file.path),
            lasting=one.file.source(self._settings.feed), gaps=tuple(read_gaps(one.path)),
        )  # fmt: skip

    @contextlib.contextmanager
    def _writing(self) -> Iterator[WritingStore]:
        """Hold the store's lock, waiting for who has it for a while: a recorder, another download."""
        until = time.monotonic() + _WAIT_FOR_LOCK_S
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    writing = stack.enter_context(self._store.writing())
                    break
                except LockedError as error:
                    if time.monotonic() > until:
                        raise LockedError(f"{error}; what was downloaded is kept") from None
                time.sleep(_TICK_S)
            yield writing

    def _on_progress(self, path: str, numbers: Numbers) -> None:
        if "rows" in numbers:
            self._reading[path] = int(numbers["rows"])
            self._tell()

    def _tell(self) -> None:
        rows = self._rows + sum(self._reading.values())
        self._show.progress(
            len(self._reports), fetched_bytes=self._fetching.bytes, rows=rows, waits=self._fetching.waits
        )


def _day_report(one: Arrived, report: FileReport) -> DayReport:
    if report.state == "failed":
        state = "failed"
    elif report.state == "skipped":
        state = "there"
    else:
        state = "imported" if report.result and report.result.lines else "empty"
    return DayReport(
        one.file, state, report, one.bytes,
        error=report.error, error_type=report.error_type, exit_code=report.exit_code,
    )  # fmt: skip
