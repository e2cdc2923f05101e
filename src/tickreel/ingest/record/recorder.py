"""Live streams into the store: journals while they run, segments as days end, gaps noted and filled.

Sockets are read in a thread of their own. The thread that calls makes durable what came, at the
declared interval, and looks after days. Sealing reads in another process.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tickreel.errors import FailedError, LockedError, TickreelError
from tickreel.ingest.record.feed import Feed, FeedRecorder
from tickreel.ingest.record.history import check_lag
from tickreel.ingest.record.journal import feed_lock, is_day
from tickreel.ingest.record.seal import SealReport
from tickreel.ingest.record.settings import RecordSettings
from tickreel.ingest.record.status import FeedNumbers, prometheus
from tickreel.ingest.transport import Background
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_S, day_of, format_time

_LOOK_S = 1.0


@dataclass(slots=True)
class RecordSummary:
    """What a recording did. unsealed: feeds and days that could not be sealed; problems: of feeds that gave up."""

    store: str
    feeds: list[FeedNumbers] = field(default_factory=list)
    sealed: list[SealReport] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    unsealed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def record(
    store: Store,
    feeds: Sequence[Feed],
    settings: RecordSettings,
    *,
    stop: threading.Event,
    for_ns: int | None = None,
    metrics_port: int | None = None,
    on_look: Callable[[list[FeedNumbers]], None] = lambda numbers: None,
    on_sealing: Callable[[], None] = lambda: None,
    on_trouble: Callable[[str], None] = lambda text: None,
) -> RecordSummary:
    """Record until `stop`, for a time, or until every feed has given up; then seal what came.

    on_look     called each second with the numbers
    on_sealing  called when nothing is received any more
    on_trouble  called with each sentence on something that is wrong, as it comes up
    Raises UsageError for a delay of history that cannot be declared, FailedError where this machine's clock cannot be right, LockedError where another process records a feed, DiskError when the disk fails: what was made
    durable before stays, and the next recording goes on from there.
    """
    check_lag(settings.fill_lag_ns, [(feed.profile, feed.streams) for feed in feeds])
    summary = RecordSummary(str(store.root))
    if not is_day(day_of(time.time_ns())):
        raise FailedError(
            f"this machine's clock says {format_time(time.time_ns())}; set it right, then record"
        )
    with contextlib.ExitStack() as locks:
        recorders = [
            FeedRecorder(store, feed, locks.enter_context(feed_lock(store, feed.name)), settings)
            for feed in feeds
        ]
        _begin(store, feeds[0].name)
        with contextlib.ExitStack() as stack:
            for recorder in recorders:
                stack.callback(recorder.stop)
            background = stack.enter_context(Background())
            loop = _Loop(store, recorders, settings, background, on_trouble)
            if metrics_port is not None:
                stack.enter_context(_metrics(background, metrics_port, loop))
            for recorder in recorders:
                recorder.start(background)
            loop.run(stop, for_ns, on_look)
        summary.feeds = loop.count()
        on_sealing()
        for recorder in recorders:
            recorder.seal(on_wait=loop.tell)
            summary.sealed += [report for _, report in sorted(recorder.sealing.reports.items())]
            summary.troubles += recorder.troubles
            summary.unsealed += [f"{recorder.feed.name} {day}" for day in recorder.sealing.unsealed]
            summary.problems += [recorder.problem] if recorder.problem else []
        loop.tell_troubles()
    return summary


def _begin(store: Store, feed: str) -> None:
    """Make a new store one that can be asked what it holds, before its first day is sealed."""
    if store.primary() is None:
        # Another writer has its lock: the feed that it brings is the first.
        with contextlib.suppress(LockedError), store.writing() as writing:
            writing.set_primary(feed)


class _Loop:
    """What the calling thread does while sockets are read: commits at each interval, looks each second."""

    def __init__(
        self,
        store: Store,
        recorders: list[FeedRecorder],
        settings: RecordSettings,
        background: Background,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._store, self._recorders, self._background = store, recorders, background
        self._on_trouble = on_trouble
        self._told = set[str]()
        self._interval_s = settings.fsync_interval_ns / NS_PER_S
        self.numbers: list[FeedNumbers] = []

    def run(
        self, stop: threading.Event, for_ns: int | None, on_look: Callable[[list[FeedNumbers]], None]
    ) -> None:
        begun_s = next_s = look_s = time.monotonic()
        end_s = float("inf") if for_ns is None else begun_s + for_ns / NS_PER_S
        while not self._is_over(stop, end_s):
            next_s = min(max(next_s + self._interval_s, time.monotonic()), end_s)
            stop.wait(max(0.0, next_s - time.monotonic()))
            for recorder in self._recorders:
                recorder.commit()
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + _LOOK_S
                self._look()
                on_look(self.numbers)
        self._look()

    def _is_over(self, stop: threading.Event, end_s: float) -> bool:
        lost = all(recorder.is_lost for recorder in self._recorders)
        return stop.is_set() or lost or time.monotonic() >= end_s

    def _look(self) -> None:
        for recorder in self._recorders:
            recorder.look(self._background)
        self.count()
        self.tell_troubles()

    def tell_troubles(self) -> None:
        """Tell what has come up since."""
        for recorder in self._recorders:
            for trouble in recorder.troubles:
                self.tell(trouble)

    def tell(self, text: str) -> None:
        """Tell something, once."""
        if text not in self._told:
            self._told.add(text)
            self._on_trouble(text)

    def count(self) -> list[FeedNumbers]:
        """Return the numbers now."""
        try:
            primary = self._store.primary()
        except TickreelError:
            primary = None
        self.numbers = [recorder.numbers(primary) for recorder in self._recorders]
        return self.numbers


@contextlib.contextmanager
def _metrics(background: Background, port: int, loop: _Loop) -> Iterator[None]:
    """Serve the numbers of the last look while used."""
    from tickreel.ingest.transport.metrics import serve

    server = serve(port, lambda: prometheus(loop.numbers))
    background.run(server.__aenter__())
    try:
        yield
    finally:
        background.run(server.__aexit__(None, None, None))
