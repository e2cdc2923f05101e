"""A recorder that is killed at random moments: nothing is lost but the interval, nothing comes twice, every gap is told."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from counts import SOAK
from import_forks import Forks
from import_sample import fast_folder
from provider_server import ProviderServer
from record_sample import FEED, ids, parts, provide
from tickreel.ingest.files.check import check_store
from tickreel.ingest.record.day_state import read_state
from tickreel.ingest.record.journal import journal_days
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_MS

SEED = int(os.environ.get("TICKREEL_SEED", "1"))
KILLS = 500 if SOAK else 50
INTERVAL_NS = 100 * NS_PER_MS
WORDS = [
    "record", "--provider", FEED, "--exchange", "binance", "--symbols", "BTCUSDT", "--workers", "1",
    "--fsync-interval", "100ms", "--fill-after", "0", "--quiet",
]  # fmt: skip

pytestmark = pytest.mark.long


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        provide(folder, running, monkeypatch, ping_s=5, pong_s=5, dead_after_s=10)
        yield running


@pytest.fixture
def forks(folder: Path, server: ProviderServer) -> Iterator[Forks]:
    made = Forks(folder)
    made.warm(
        [*WORDS, "--store", str(folder / "warm"), "--for", "1s"],
        TICKREEL_CONFIG=os.environ["TICKREEL_CONFIG"],
    )
    yield made
    made.close()


def test_a_recorder_killed_at_random_moments_loses_an_interval_at_most(
    forks: Forks, server: ProviderServer, folder: Path
) -> None:
    chance = random.Random(SEED)
    store = folder / "tape"
    words = [*WORDS, "--store", str(store)]
    server.machine.run(500)
    lost_ns = []
    for _ in range(KILLS):
        before_ns, pid = time.time_ns(), forks.start(words)
        # From before it has connected to long after: at its start, in a commit, in a fill.
        time.sleep(chance.choice((chance.uniform(0, 0.1), chance.uniform(0.1, 0.5), 0.7)))
        killed_ns = time.time_ns()
        os.kill(pid, signal.SIGKILL)
        assert forks.wait(pid) == -signal.SIGKILL, forks.said()
        if before_ns < server.machine.opened_ns < killed_ns - 4 * INTERVAL_NS:
            lost_ns.append(killed_ns - last_heard(store))
    # A machine that is busy with other things makes some late.
    assert len(lost_ns) > KILLS / 5
    assert sorted(lost_ns)[len(lost_ns) * 3 // 4] < 2 * INTERVAL_NS
    server.machine.run(20)
    connections, now_ns, end_s = server.machine.connections, time.time_ns(), time.monotonic() + 300
    pid = forks.start([*words, "--for", "600s"])
    while time.monotonic() < end_s and (
        server.machine.connections == connections or last_heard(store) < now_ns or waiting(store)
    ):
        time.sleep(0.2)
    os.kill(pid, signal.SIGINT)
    assert forks.wait(pid) == 0, forks.said()
    found = ids(store)
    assert sorted(found) == list(range(min(found), max(found) + 1))
    gaps = [gap for part in parts(store) for gap in part.gaps]
    assert [gap.filled for gap in gaps if gap.reason != "recording began"] == [True] * (len(gaps) - 1)
    assert len(gaps) > KILLS / 2
    assert check_store(Store(store), list(Store(store).find()), workers=1)["problems"] == []


def last_heard(store: Path) -> int:
    folder = store / ".journal" / FEED
    return max(read_state(folder / day).last.get("binance", 0) for day in journal_days(folder))


def waiting(store: Path) -> int:
    """Return how many gaps are neither filled nor given up."""
    folder = store / ".journal" / FEED
    states = [read_state(folder / day) for day in journal_days(folder)]
    return sum(len(set(state.gaps) - state.filled - set(state.settled)) for state in states)
