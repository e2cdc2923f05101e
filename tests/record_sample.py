"""A recording of the test server's machine, in a thread, as tests need it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from import_sample import segment_rows
from journal_sample import iso
from provider_server import ProviderServer
from tickreel.ingest.record import recorder
from tickreel.ingest.record import sealing as record_sealing
from tickreel.ingest.record.plan import plan_feeds
from tickreel.ingest.record.recorder import RecordSummary, record
from tickreel.ingest.record.seal import seal_day
from tickreel.ingest.record.settings import RecordSettings
from tickreel.ingest.record.status import FeedNumbers
from tickreel.ingest.record.stream import BEGAN
from tickreel.store.catalog import Store
from tickreel.store.format import BLOCK_ROWS, Gap, Part
from tickreel.store.gaps import missed
from tickreel.units import NS_PER_DAY, NS_PER_MS, NS_PER_S

FEED = "tardis-machine"
SLACK_NS = 2 * NS_PER_S
QUICK = {
    "ping_s": 0.2, "pong_s": 0.2, "dead_after_s": 0.6, "backoff_first_s": 0.002, "backoff_most_s": 0.02,
    "tries": 100, "max_message_bytes": 100_000,
}  # fmt: skip


def provide(folder: Path, server: ProviderServer, monkeypatch: Any, *, more: str = "", **stream: Any) -> None:
    """Make the test server the machine, and the relay, of the user's profile. more: of the relay."""
    settings = QUICK | stream
    lines = [f'[{FEED}]\nbase_url = "{server.url}"', f"[{FEED}.stream]", f'url = "{stream_url(server)}"']
    lines += [f"{name} = {value}" for name, value in settings.items()]
    lines += ["[second]", f'like = "{FEED}"']
    lines += ["[holysheep]", f'base_url = "{server.url}"', "[holysheep.limits]", "calls_per_minute = 0"]
    lines += ["[holysheep.stream]", f'url = "{stream_url(server)}/market"', "backoff_first_s = 0.002", more]
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
        symbols = given.pop("symbols", ["BTCUSDT"])
        self.feeds = plan_feeds(providers, exchange, symbols, given.pop("types", ("trades",)))
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


def hurry(monkeypatch: Any) -> None:
    """Let a recorder look often and seal in its own process: a second, and a process for each day, would take most of the time."""
    monkeypatch.setattr(
        record_sealing, "seal_day", lambda *words, **named: seal_day(*words, **{**named, "isolate": False})
    )
    monkeypatch.setattr(recorder, "_LOOK_S", 0.05)


def heard(running: Recording) -> int:
    """Return how many messages came of the first stream."""
    return running.numbers[0].streams[0].messages if running.numbers else 0


EXCHANGES = ("binance", "deribit")
MANY_TYPES = ("trades", "incremental_book_L2", "derivative_ticker")
MANY = [f"{exchange}:BTCUSDT" for exchange in EXCHANGES]
"""The symbols of `many`."""


def many(server: ProviderServer, seconds: float) -> int:
    """Let the server's machine have two exchanges and three types, so long before midnight; return the clock's lead."""
    machine, now_ns = server.machine, time.time_ns()
    machine.exchanges, machine.types = EXCHANGES, ("trade", "book_change", "derivative_ticker")
    machine.ahead_ns = -(now_ns + int(seconds * NS_PER_S)) % NS_PER_DAY
    return machine.ahead_ns


def check_many(store: Path, server: ProviderServer) -> dict[str, list[Gap]]:
    """Compare what was recorded of `many` with what happened; return the gaps of each exchange, over both days.

    Trades are all there once. Of a book's changes none is there twice, and each that is missing happened before a gap's end,
    after the last one before it. Tickers of history are taken within a gap alone, whose edges are times of arrival: a few
    are missing beside it.
    """
    at_ns = {one.number: one.at_ns for one in server.machine.happened}
    found = {}
    for exchange in EXCHANGES:
        for type in MANY_TYPES:
            numbers, described = _recorded(store, type, exchange)
            gaps = [gap for part in described for gap in part.gaps]
            twice = [number for number, count in Counter(numbers).items() if count > 1]
            assert not twice, (exchange, type, [(number, iso(at_ns[number])) for number in twice])
            holes = [(one, other) for one, other in pairwise(sorted(numbers)) if other > one + 1]
            assert not holes or type != "trades", (
                exchange,
                [(hole, iso(at_ns[hole[0]])) for hole in holes],
                gaps,
            )
            if type == "incremental_book_L2":
                for one, other in holes:
                    for lost in range(one + 1, other):
                        assert _is_told(at_ns[one], at_ns[lost], missed(described)), (
                            exchange,
                            iso(at_ns[lost]),
                        )
            elif holes:
                assert sum(other - one - 1 for one, other in holes) <= 3 * len(gaps)
            assert found.setdefault(exchange, gaps) == gaps or type == "incremental_book_L2"
            is_filled = type != "incremental_book_L2"
            assert [gap.filled for gap in gaps] == [is_filled and gap.reason != BEGAN for gap in gaps]
    return found


def _is_told(before_ns: int, lost_ns: int, gaps: list[tuple[int, int]]) -> bool:
    """Return whether a gap begins between two times, or with what was on its way then, and ends after the second."""
    return any(before_ns <= from_ns < lost_ns + SLACK_NS and lost_ns < to_ns for from_ns, to_ns in gaps)


def _recorded(store: Path, type: str, exchange: str) -> tuple[list[int], list[Part]]:
    place = Store(store)
    numbers: list[int] = []
    found: list[Part] = []
    keys = list(place.find(type=type, exchange=exchange))
    assert len(keys) == 2, "both days"
    for key in keys:
        segment = place.open(key)
        found += segment.meta.parts
        if type == "trades":
            numbers += [int(row[3]) for row in segment_rows(place, key)]
            continue
        column = "last_price" if type == "derivative_ticker" else "price"
        for block in range(-(-segment.rows // BLOCK_ROWS)):
            numbers += [int(number) for number in segment.read(column, block).tolist() if number >= 1]
    return numbers, found


def ids(store: Path, feed: str = FEED) -> list[int]:
    """Return the ids of all recorded trades of a feed, day after day."""
    place = Store(store)
    return [int(row[3]) for key in place.find(feed=feed, type="trades") for row in segment_rows(place, key)]


def parts(store: Path) -> list[Part]:
    place = Store(store)
    return [part for key in place.find(type="trades") for part in place.open(key).meta.parts]
