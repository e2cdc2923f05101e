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
from record_sample import EXCHANGES, FEED, MANY, MANY_TYPES, check_many, many, provide
from tickreel.ingest.files.check import check_store
from tickreel.ingest.record.day_state import read_state
from tickreel.ingest.record.journal import journal_days
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_MS

SEED = int(os.environ.get("TICKREEL_SEED", "1"))
KILLS = 500 if SOAK else 50
INTERVAL_NS = 100 * NS_PER_MS
WORDS = [
    "record", "--provider", FEED, "--symbols", ",".join(MANY), "--types", ",".join(MANY_TYPES), "--workers", "1",
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
    # Midnight is when about half of the kills are done.
    made.warm(
        [*WORDS, "--store", str(folder / "warm"), "--for", "1s"],
        TICKREEL_CONFIG=os.environ["TICKREEL_CONFIG"],
        AHEAD_NS=str(many(server, 3 + 0.2 * KILLS)),
    )
    yield made
    made.close()


def test_a_recorder_killed_at_random_moments_loses_an_interval_at_most(
    forks: Forks, server: ProviderServer, folder: Path
) -> None:
    chance = random.Random(SEED)
    store = folder / "tape"
    words = [*WORDS, "--store", str(store)]
    server.machine.run(100)
    lost_ns: list[int] = []
    for _ in range(KILLS):
        before, pid = server.machine.connections, forks.start(words)
        # From before it has connected to long after: at its start, in a commit, in a fill.
        time.sleep(chance.choice((chance.uniform(0, 0.1), chance.uniform(0.1, 0.5), 0.7)))
        killed_ns = time.time_ns()
        os.kill(pid, signal.SIGKILL)
        assert forks.wait(pid) == -signal.SIGKILL, forks.said()
        if (
            server.machine.connections == before + 2
            and server.machine.opened_ns < killed_ns - 4 * INTERVAL_NS
        ):
            lost_ns.append(killed_ns + server.machine.ahead_ns - last_heard(store))
    # A machine that is busy with other things makes some late.
    assert len(lost_ns) > KILLS / 5
    assert sorted(lost_ns)[len(lost_ns) * 3 // 4] < 2 * INTERVAL_NS
    server.machine.run(20)
    connections, end_s = server.machine.connections, time.monotonic() + 300
    now_ns = time.time_ns() + server.machine.ahead_ns
    pid = forks.start([*words, "--for", "600s"])
    while time.monotonic() < end_s and (
        server.machine.connections < connections + 2 or last_heard(store) < now_ns or waiting(store)
    ):
        time.sleep(0.2)
    os.kill(pid, signal.SIGINT)
    assert forks.wait(pid) == 0, forks.said()
    gaps = check_many(store, server)
    assert min(map(len, gaps.values())) > KILLS / 2
    assert check_store(Store(store), list(Store(store).find()), workers=1)["problems"] == []


def last_heard(store: Path) -> int:
    """Return until when messages of both exchanges are durable."""
    folder = store / ".journal" / FEED
    states = [read_state(folder / day) for day in journal_days(folder)]
    return min(max(state.last.get(exchange, 0) for state in states) for exchange in EXCHANGES)


def waiting(store: Path) -> int:
    """Return how many gaps are neither filled nor given up."""
    folder = store / ".journal" / FEED
    states = [read_state(folder / day) for day in journal_days(folder)]
    return sum(len(set(state.gaps) - state.filled - set(state.settled)) for state in states)
