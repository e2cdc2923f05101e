"""One feed while it is recorded: its streams, its journal, its gaps, and its days as they end."""

import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tickreel.config import Key, Profile
from tickreel.errors import DiskError, TickreelError
from tickreel.ingest.record.fill import Fills, remove_unfinished
from tickreel.ingest.record.journal import StreamInfo, journal_days, read_state
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.seal import SealReport, remove_day, seal_day, sealed_days
from tickreel.ingest.record.status import FeedNumbers
from tickreel.ingest.record.stream import BEGAN, NOT_RUNNING, RecordedStream
from tickreel.ingest.transport import Background
from tickreel.ingest.transport.session import Session
from tickreel.ingest.transport.streams import Call, follow
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, day_start

MOST_INTERVAL_NS = NS_PER_S
_FILL_PATIENCE_NS = 12 * 3_600 * NS_PER_S
_SMALL_BYTES = 1 << 20
"""A journal of so much is read in some tens of milliseconds."""
GIVEN_UP = "history did not have it half a day later"


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """How to record.

    fsync_interval_ns   what a kill may cost; at most a second
    most_waiting_bytes  received and not on the disk: with more, nothing is read until there is room
    fill_after_ns       how long after a gap history is asked for it
    grace_ns            how long after its end a day waits for what is late
    workers             processes that make checkpoints of order books
    """

    fsync_interval_ns: int = NS_PER_S
    most_waiting_bytes: int = 64 << 20
    fill_after_ns: int = 600 * NS_PER_S
    grace_ns: int = 600 * NS_PER_S
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A provider to record, and where its streams are; calls: one for each stream."""

    profile: Profile
    key: Key | None
    streams: tuple[StreamInfo, ...]
    calls: tuple[Call, ...]

    @property
    def name(self) -> str:
        return self.profile.name


class FeedRecorder:
    """Records one feed, under its lock, from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        folder: Path,
        settings: RecordSettings,
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.feed, self.problem, self._now_ns = feed, "", now_ns
        self.reports: list[SealReport] = []
        self.troubles: list[str] = []
        self._store, self._folder, self._settings = store, folder, settings
        self._began_s = time.monotonic()
        self._sealing: tuple[str, Future[None]] | None = None
        self._to_seal: list[str] = []
        self._following: list[Future[None]] = []
        self._recover()

    @property
    def is_lost(self) -> bool:
        """Whether every stream has given up."""
        return bool(self._following) and all(future.done() for future in self._following)

    def start(self, background: Background) -> None:
        """Begin to listen."""
        for call, stream in zip(self.feed.calls, self.streams, strict=True):
            self._following.append(background.start(_follow(self.feed, call, stream)))

    def commit(self) -> None:
        """Make durable what came. Raises DiskError: nothing more is acknowledged then."""
        self.journal.commit()

    def look(self, background: Background) -> None:
        """Look after streams, gaps and days; once a second is enough."""
        now_ns = self._now_ns()
        for stream, future in zip(self.streams, self._following, strict=False):
            if future.done() and not future.cancelled() and (error := future.exception()):
                if not isinstance(error, TickreelError):
                    raise error
                stream.status.state, self.problem = "given up", str(error)
        self.fills.tick(background, now_ns)
        for day in self.journal.days:
            self._look_at_day(day, now_ns)
        self._look_at_sealing()

    def stop(self) -> None:
        """Make everything durable. Nothing comes any more."""
        try:
            for stream in self.streams:
                stream.missed_until(self._now_ns())
        finally:
            self.journal.close()

    def seal(self) -> None:
        """Seal what is there, so that all of it can be read; days that go on are sealed anew later."""
        if self._sealing:
            self._sealing[1].result()
        for day in self._to_seal:
            self._seal(day, final=True)
        for day in self.journal.days:
            self._seal(day, final=False)

    def numbers(self, primary: str | None) -> FeedNumbers:
        """Return what is to be shown."""
        now_ns, now_s = self._now_ns(), time.monotonic()
        return FeedNumbers(
            self.feed.name, primary == self.feed.name, [s.status.numbers(now_ns, now_s) for s in self.streams],
            self.journal.waiting_bytes, self.fills.filled, self.fills.waiting, self.journal.days,
            self._sealing[0] if self._sealing else "", _free_bytes(self._folder),
            int((now_s - self._began_s) * NS_PER_S), self.problem,
        )  # fmt: skip

    def _recover(self) -> None:
        """Take up what the recorder before left, wherever it was killed."""
        sealed = sealed_days(self._folder)
        states = []
        for day in journal_days(self._folder):
            if day in sealed:
                remove_day(self._folder / day)
                continue
            remove_unfinished(self._folder / day)
            states.append(read_state(self._folder / day, mend=True))
            self.troubles += states[-1].troubles
        self.journal = Journal(
            self._folder, self._store.root, self.feed.name, self.feed.streams, states, closed=sealed
        )
        now_ns = self._now_ns()
        self.journal.open_day(day_of(now_ns))
        settings = self._settings
        self.fills = Fills(
            self.journal, self._folder, self.feed.profile, self.feed.key, after_ns=settings.fill_after_ns
        )
        self.streams = [
            RecordedStream(
                self.journal, place, most_waiting_bytes=settings.most_waiting_bytes,
                on_gap=lambda day, number: self.fills.add(day, number, self._now_ns()), now_ns=self._now_ns,
            )
            for place in range(len(self.feed.streams))
        ]  # fmt: skip
        for state in states:
            self.fills.add_known(state.day, now_ns)
        known: dict[str, int] = {}
        for state in states:
            for name, until_ns in state.known_until().items():
                known[name] = max(until_ns, known.get(name, 0))
        self._note_absence(known, now_ns)

    def _note_absence(self, known_until: dict[str, int], now_ns: int) -> None:
        """Note since when each exchange's messages are missing."""
        for stream in self.streams:
            since_ns = known_until.pop(stream.exchange, None)
            if since_ns is None:
                stream.miss(day_start(day_of(now_ns)), BEGAN)
            else:
                stream.miss(since_ns, NOT_RUNNING)
        for exchange, since_ns in known_until.items():
            # Not recorded any more.
            end_ns = day_start(day_of(since_ns)) + NS_PER_DAY
            for name, number in self.journal.gap(exchange, since_ns, end_ns, NOT_RUNNING, at_ns=now_ns):
                self.fills.add(name, number, now_ns)

    def _look_at_day(self, day: str, now_ns: int) -> None:
        """Close a day that is over: when nothing of it comes any more, and history has been asked."""
        end_ns, grace_ns = day_start(day) + NS_PER_DAY, self._settings.grace_ns
        if now_ns < end_ns + grace_ns or now_ns < self.journal.heard_ns(day) + grace_ns:
            return
        for stream in self.streams:
            stream.missed_until(end_ns)
        if self.fills.waits_for(day):
            if now_ns < end_ns + _FILL_PATIENCE_NS:
                return
            self.fills.drop_day(day, GIVEN_UP, now_ns)
        self.journal.close_day(day, at_ns=now_ns)
        self._to_seal.append(day)

    def _look_at_sealing(self) -> None:
        if self._sealing and self._sealing[1].done():
            (_, future), self._sealing = self._sealing, None
            future.result()
        if not self._sealing and self._to_seal:
            day = self._to_seal.pop(0)
            self._sealing = day, _in_thread(lambda: self._seal(day, final=True))

    def _seal(self, day: str, *, final: bool) -> None:
        """Seal a day; what is wrong with it, but for a failing disk, is told and leaves its journal where it is."""
        folder = self._folder / day
        if not folder.exists():
            return
        # At the end nothing is recorded beside it: little is sealed sooner than a process begins.
        isolate = final or sum(path.stat().st_size for path in folder.iterdir()) > _SMALL_BYTES
        try:
            report = seal_day(
                self._store,
                self.feed.name,
                folder,
                final=final,
                workers=self._settings.workers,
                isolate=isolate,
            )
        except DiskError:
            raise
        except TickreelError as error:
            self.troubles.append(f"{self.feed.name} {day} is not sealed, and its journal is kept: {error}")
            return
        self.reports.append(report)
        self.troubles += report.troubles


async def _follow(feed: Feed, call: Call, stream: RecordedStream) -> None:
    from tickreel.ingest.transport.websockets import WebSockets

    session = Session(feed.profile.stream, chance=random.random)
    async with WebSockets(feed.profile, feed.key) as sockets:
        await follow(call, session, stream, sockets.connect)


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


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
