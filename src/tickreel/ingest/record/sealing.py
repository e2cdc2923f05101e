"""When the days of a feed are sealed while it is recorded: those that are over, and those that go on, as far as they are."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from tickreel.errors import DiskError, TickreelError
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.seal import SealReport, seal_day
from tickreel.ingest.record.settings import RecordSettings
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_S

_SPARED = 10
"""Sealing what has come so far takes at most one part in so many of the time."""
_TRIED_AGAIN_NS = 3_600 * NS_PER_S
_SMALL_BYTES = 1 << 20
"""A journal of so much is read in some tens of milliseconds."""

OnWait = Callable[[str], None]
"""Called when another writer has the store."""


class Sealing:
    """Seals one day after the other, in a thread beside the recording.

    tell     called with sentences on what is wrong
    reports  day -> what it gave when it was sealed last
    """

    def __init__(
        self,
        store: Store,
        feed: str,
        folder: Path,
        settings: RecordSettings,
        tell: Callable[[Sequence[str]], None],
    ) -> None:
        self.reports: dict[str, SealReport] = {}
        self._store, self._feed, self._folder = store, feed, folder
        self._settings, self._tell = settings, tell
        self._going_on: tuple[str, Future[None]] | None = None
        self._waiting: list[str] = []
        self._failed: dict[str, bool] = {}
        """Day -> whether it is over, of those that could not be sealed."""
        every_ns = _TRIED_AGAIN_NS if settings.seal_every_ns is None else settings.seal_every_ns
        self._every_s = every_ns / NS_PER_S
        self._again_s = time.monotonic() + self._every_s
        self._seen_ns: dict[str, int] = {}

    @property
    def day(self) -> str:
        """The day that is being sealed, "" if none is."""
        return self._going_on[0] if self._going_on else ""

    @property
    def unsealed(self) -> list[str]:
        """The days that could not be sealed, sorted."""
        return sorted(self._failed)

    def add(self, day: str) -> None:
        """Take in a day that is over."""
        self._waiting.append(day)

    def look(self, journal: Journal) -> None:
        """Begin what is due. Raises DiskError where a disk failed meanwhile."""
        if self._going_on and self._going_on[1].done():
            (_, future), self._going_on = self._going_on, None
            future.result()
        if self._going_on:
            return
        is_due = time.monotonic() >= self._again_s
        if is_due:
            self._take_failed()
            self._again_s = time.monotonic() + self._every_s
        if self._waiting:
            day = self._waiting.pop(0)
            self._going_on = day, _in_thread(lambda: self._seal(day, final=True))
        elif is_due and self._settings.seal_every_ns is not None and (days := journal.days):
            heard = {day: journal.heard_ns(day) for day in days}
            self._going_on = days[-1], _in_thread(lambda: self._seal_so_far(heard))

    def finish(self, open_days: Sequence[str], on_wait: OnWait) -> None:
        """Seal all that is there, when nothing is recorded any more; open_days: those that go on."""
        if self._going_on:
            self._going_on[1].result()
        self._take_failed()
        for day in self._waiting:
            self._seal(day, final=True, on_wait=on_wait)
        for day in open_days:
            # Little is sealed sooner than a process begins.
            folder = self._folder / day
            size = sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0
            self._seal(day, final=False, on_wait=on_wait, isolate=size > _SMALL_BYTES)

    def _seal_so_far(self, heard: dict[str, int]) -> None:
        """Seal days that go on, if something came of them since; slow work is done less often.

        heard  day -> when its latest message came, ns
        """
        begun_s = time.monotonic()
        for day in sorted(day for day, ns in heard.items() if ns > self._seen_ns.get(day, 0)):
            self._seal(day, final=False)
        self._seen_ns = heard
        took_s = time.monotonic() - begun_s
        self._again_s = begun_s + max(self._every_s, _SPARED * took_s)

    def _take_failed(self) -> None:
        """Try those again that are over and could not be sealed: what was wrong may have been put right."""
        again = [day for day, is_over in self._failed.items() if is_over and day not in self._waiting]
        self._waiting += again

    def _seal(
        self, day: str, *, final: bool, on_wait: OnWait = lambda why: None, isolate: bool = True
    ) -> None:
        """Seal a day; what is wrong with it, but for a failing disk, is told and leaves its journal where it is."""
        folder = self._folder / day
        if not folder.exists():
            return
        try:
            report = seal_day(
                self._store, self._feed, folder,
                final=final, workers=self._settings.workers, on_wait=on_wait, isolate=isolate,
            )  # fmt: skip
        except DiskError:
            raise
        except TickreelError as error:
            self._tell([f"{self._feed} {day} is not sealed, and its journal is kept: {error}"])
            self._failed[day] = final
            return
        self._failed.pop(day, None)
        self.reports[day] = report
        self._tell(report.troubles)


def _in_thread(work: Callable[[], None]) -> "Future[None]":
    """Run something beside the recording. The thread is a daemon's: a second Ctrl-C does not wait for it."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
            future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - passed on to who asks
            future.set_exception(error)

    threading.Thread(target=run, name="sealing", daemon=True).start()
    return future
