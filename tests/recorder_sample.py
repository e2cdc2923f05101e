"""A recorder of one feed on a clock of the test, without a network."""

from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from import_sample import segment_rows
from journal_sample import START, at, trade
from tickreel.errors import NetworkError
from tickreel.ingest.record.clock import Clock
from tickreel.ingest.record.feed import FeedRecorder
from tickreel.ingest.record.journal import journal_folder
from tickreel.ingest.record.plan import plan_feeds
from tickreel.ingest.record.settings import RecordSettings
from tickreel.store.catalog import SegmentKey, Store
from tickreel.units import NS_PER_DAY, NS_PER_S

NEXT = "2024-03-02"
MIDNIGHT = START + NS_PER_DAY
LATE = MIDNIGHT + 601 * NS_PER_S
"""When a day is over that nothing waits for."""


class History:
    """A `Background` whose answers fail as the test says."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def start(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        work.close()
        self.asked += 1
        future: Future[None] = Future()
        future.set_exception(self.error)
        return future


class Recorder:
    """A `FeedRecorder` and its clock."""

    def __init__(
        self,
        place: Path,
        now_ns: int,
        *,
        types: tuple[str, ...] = ("trades",),
        exchange: str = "binance",
        symbols: tuple[str, ...] = ("BTCUSDT",),
        seal_every_ns: int | None = None,
    ) -> None:
        self.now_ns = now_ns
        store = Store(place)
        (feed,) = plan_feeds(["tardis-machine"], exchange, symbols, types)
        folder = journal_folder(store, feed.name)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        settings = RecordSettings(workers=1, seal_every_ns=seal_every_ns)
        self.set_ns = 0
        """By how much the clock was set since the start."""
        clock = Clock(lambda: self.now_ns, lambda: self.now_ns - self.set_ns)
        self.feed = FeedRecorder(store, feed, folder, settings, clock)
        self.stream = self.feed.streams[0]
        self.history = History(NetworkError("no history yet"))
        self._number = 0

    def hear(self, *times_ns: int) -> None:
        """Let trades come; their numbers are the seconds of the day before midnight."""
        for time_ns in times_ns:
            self.now_ns = time_ns
            self.stream.message(
                trade((time_ns - START) // NS_PER_S, time_ns, exchange=self.stream.asked.exchange)
            )
        self.feed.commit()

    def set(self, step_ns: int) -> None:
        """Set the clock."""
        self.now_ns += step_ns
        self.set_ns += step_ns

    def look(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.feed.commit()
        self.feed.look(self.history)  # type: ignore[arg-type]

    def end(self) -> None:
        self.feed.stop()
        self.feed.seal()


Told = list[tuple[int, int, str, bool]]


def segments(place: Path) -> dict[str, tuple[list[int], Told]]:
    """Return the numbers of the rows, and the gaps, of each day."""
    store = Store(place)
    return {
        key.day: ([int(row[3]) for row in segment_rows(store, key)], gaps(store, key))
        for key in store.find(type="trades", symbol="BTCUSDT")
    }


def gaps(store: Store, key: SegmentKey) -> Told:
    (part,) = store.open(key).meta.parts
    return [(gap.from_ns, gap.to_ns, gap.reason, gap.filled) for gap in part.gaps]


BEGAN = (START, at(1), "recording began", False)
