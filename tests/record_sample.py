"""A recording of the test server's machine, in a thread, as tests need it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from import_sample import segment_rows
from provider_server import ProviderServer
from tickreel.ingest.record.plan import plan_feeds
from tickreel.ingest.record.recorder import RecordSummary, record
from tickreel.ingest.record.settings import RecordSettings
from tickreel.ingest.record.status import FeedNumbers
from tickreel.store.catalog import Store
from tickreel.store.format import Part
from tickreel.units import NS_PER_MS

FEED = "tardis-machine"
QUICK = {
    "ping_s": 0.2, "pong_s": 0.2, "dead_after_s": 0.6, "backoff_first_s": 0.002, "backoff_most_s": 0.02,
    "tries": 100, "max_message_bytes": 100_000,
}  # fmt: skip


def provide(folder: Path, server: ProviderServer, monkeypatch: Any, **stream: Any) -> None:
    """Make the test server the machine of the user's profile."""
    settings = QUICK | stream
    lines = [f'[{FEED}]\nbase_url = "{server.url}"', f"[{FEED}.stream]", f'url = "{stream_url(server)}"']
    lines += [f"{name} = {value}" for name, value in settings.items()]
    lines += ["[holysheep.stream]", f'url = "{stream_url(server)}/market"', "[second]", f'like = "{FEED}"']
    path = folder / "providers.toml"
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("TICKREEL_CONFIG", str(path))


def stream_url(server: ProviderServer) -> str:
    return server.url.replace("http", "ws", 1)


class Recording:
    """`record` in a thread."""

    def __init__(self, store: Path, **settings: Any) -> None:
        given = {"fsync_interval_ns": 20 * NS_PER_MS, "fill_after_ns": 0, "workers": 1} | settings
        providers, exchange = given.pop("providers", (FEED,)), given.pop("exchange", "binance")
        self.feeds = plan_feeds(providers, exchange, ["BTCUSDT"], given.pop("types", ("trades",)))
        self.stop = threading.Event()
        self.numbers: list[FeedNumbers] = []
        self.told: list[str] = []
        self.summary: RecordSummary | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(Store(store), given.pop("metrics", None), RecordSettings(**given))
        )
        self._thread.start()

    def _run(self, store: Store, metrics: int | None, settings: RecordSettings) -> None:
        try:
            self.summary = record(
                store,
                self.feeds,
                settings,
                stop=self.stop,
                metrics_port=metrics,
                on_look=self._look,
                on_trouble=self.told.append,
            )
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self.error = error

    def _look(self, numbers: list[FeedNumbers]) -> None:
        self.numbers = numbers

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.error is None, self.error
            assert self._thread.is_alive(), "the recording ended"
            assert time.monotonic() < end, self.numbers
            time.sleep(0.01)

    def end(self) -> RecordSummary:
        """Stop, and return what it did."""
        self.stop.set()
        return self.result()

    def result(self) -> RecordSummary:
        """Wait for the end, and return what it did."""
        self._thread.join(120)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        assert self.summary is not None
        return self.summary


@contextmanager
def recording(store: Path, **settings: Any) -> Iterator[Recording]:
    running = Recording(store, **settings)
    try:
        yield running
    finally:
        running.stop.set()
        running._thread.join(120)


def ids(store: Path, feed: str = FEED) -> list[int]:
    """Return the ids of all recorded trades of a feed, day after day."""
    place = Store(store)
    return [int(row[3]) for key in place.find(feed=feed, type="trades") for row in segment_rows(place, key)]


def parts(store: Path) -> list[Part]:
    place = Store(store)
    return [part for key in place.find(type="trades") for part in place.open(key).meta.parts]
