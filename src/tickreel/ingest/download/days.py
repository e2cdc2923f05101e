"""Days of a provider into the store: fetched many at a time, imported while others are on their way."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tickreel.config import find_key, load_profile
from tickreel.errors import FailedError
from tickreel.ingest.download.doubts import Doubts
from tickreel.ingest.download.fetch import Fetching
from tickreel.ingest.download.folder import Folder, tidy
from tickreel.ingest.download.job import DayReport, DownloadJob, DownloadSettings
from tickreel.ingest.download.plan import Wanted, check_begun, coverage
from tickreel.ingest.download.show import Show
from tickreel.sources.machine_routes import check_replayed
from tickreel.store.catalog import Store

STATES = ("imported", "there", "empty", "missing", "refused", "failed")


@dataclass(slots=True)
class DownloadSummary:
    """What a download did, day by day, in the order of the plan."""

    store: str
    feed: str
    days: list[DayReport] = field(default_factory=list)
    books: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        states = [day.state for day in self.days]
        return {state: states.count(state) for state in STATES}

    @property
    def exit_code(self) -> int:
        """0 if no day was refused or failed and some day is there; the days' own code if all have the same; else 1."""
        bad = [day for day in self.days if day.state in ("refused", "failed")]
        if not bad and all(day.state == "missing" for day in self.days):
            bad = self.days
        codes = {day.exit_code for day in bad}
        if len(bad) == len(self.days) and len(codes) == 1:
            return codes.pop()
        return FailedError.exit_code if bad else 0


def download(
    store: Store,
    wanted: Wanted,
    settings: DownloadSettings | None = None,
    *,
    api_key: str | None = None,
    environment: Mapping[str, str] = os.environ,
    show: Show | None = None,
) -> DownloadSummary:
    """Download what the store lacks of some days, and import it. Days that it has are not asked for, nor is a key.

    A day that was imported is durable. Killed at any moment and called again, it ends with the same bytes as one
    quiet download, and fetches no day twice that had come whole. What goes wrong with one day is in its report.
    Raises UsageError for what cannot be asked, NetworkError without a key where the provider wants one, LockedError
    if another download of this provider runs or another process keeps the store's lock, DiskError.
    """
    settings, show = settings or DownloadSettings(), show or Show()
    profile = load_profile(settings.provider, environment=environment).profile
    begun = time.monotonic()
    files = wanted.files()
    found = coverage(store, profile.name, files)
    lacking = found.lacking
    if profile.kind != "relay":
        check_begun(lacking)
    if profile.kind == "machine":
        check_replayed(dict.fromkeys(file.type for file in lacking), (file.symbol for file in lacking))
    summary = DownloadSummary(str(store.root), profile.name)
    show.plan(len(found.there), len(lacking))
    reports = {file: DayReport(file, "there", lacks=lacks) for file, lacks in found.there.items()}
    if lacking:
        key = find_key(profile, api_key, environment=environment)
        # Tardis answers a name that it does not know with 404.
        doubts = None if profile.kind == "tardis" else Doubts(store)
        with Folder(store, profile.name, settings.keep_files) as folder:
            waiting = folder.waiting(lacking)
            have = {arrived.file for arrived in waiting}
            fetching = Fetching(
                profile, key, [file for file in lacking if file not in have], folder.path,
                parallel=settings.parallel or profile.limits.parallel, durable=settings.keep_files is not None,
            )  # fmt: skip
            job = DownloadJob(store, settings, folder=folder, fetching=fetching, show=show, doubts=doubts)
            reports |= job.run(waiting)
            summary.books = job.books
    else:
        tidy(store, profile.name)
    summary.days = [reports[file] for file in files]
    summary.seconds = time.monotonic() - begun
    return summary
