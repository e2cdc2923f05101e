"""A download whose disk is full at any moment: nothing half done, the error says what to do, and it goes on with room.

Errors at one system call are made by strace; where that is missing the tests are skipped and say so.
"""

import gzip
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import venue_files
from counts import SOAK
from import_forks import Forks
from import_sample import contents, dataset, fast_folder, put, trade, trades
from journal_sample import DAY, START, iso, message
from provider_server import KEY, ProviderServer
from system_calls import check_disk_error, kind, mounted, some, traced
from tickreel.ingest.files.check import check_store
from tickreel.ingest.files.gaps_beside import read_gaps
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_S

SEED = int(os.environ.get("TICKREEL_SEED", "1"))
SHARE = 1 if SOAK else 10
"""One in how many files and folders is made to fail, for each system call."""
CALLS = ("write", "fsync", "rename", "openat", "mkdir")
TYPES = "trades,liquidations,derivative_ticker"
WAYS = {"files": (), "kept": ("--keep-files", "kept"), "machine": ("--provider", "tardis-machine")}
END = "2024-03-02"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ProviderServer]:
    for type in TYPES.split(","):
        for symbol in ("BTC-PERPETUAL", "ETH-PERPETUAL"):
            venue_files.write(folder / "served", "deribit", type, symbol)
    lost = {"type": "disconnect", "exchange": "deribit", "localTimestamp": iso(START + NS_PER_S)}
    with ProviderServer([folder / "served"]) as running:
        running.machine.inserted = {40: message(lost)}
        yield running


@pytest.fixture(scope="module")
def forks(folder: Path, server: ProviderServer) -> Iterator[Forks]:
    made = Forks(folder, TARDIS_API_KEY=KEY, **server.environment)
    yield made
    made.close()


@dataclass
class Session:
    """A download of some days, and what a quiet one leaves. calls: the paths that each call was about."""

    root: Path
    provider: str
    words: list[str]
    quiet: dict[str, str]
    calls: dict[str, list[str]]

    def stored(self) -> dict[str, str]:
        found = contents(self.root / "tape")
        return {name: hash for name, hash in found.items() if not name.startswith(".downloads/")}

    def check(self) -> None:
        """What has its final name is whole: days in the store, files that wait or are kept."""
        assert self.stored().items() <= self.quiet.items()
        store = Store(self.root / "tape")
        assert check_store(store, list(store.find()), workers=1)["problems"] == []
        for path in self.root.rglob("*_*.csv.gz"):
            assert len(gzip.decompress(path.read_bytes()).splitlines()) == venue_files.ROWS + 1
            assert len(read_gaps(path)) == (self.provider == "tardis-machine")

    def check_resumes(self, forks: Forks) -> None:
        assert forks.run(self.words) == 0, forks.said()
        assert self.stored() == self.quiet
        waiting = self.root / "tape" / ".downloads" / self.provider
        assert [path.name for path in waiting.iterdir()] == [".lock"]


@pytest.fixture(scope="module", params=WAYS)
def session(request: pytest.FixtureRequest, folder: Path, forks: Forks) -> Session:
    root = folder / request.param
    root.mkdir()
    more = [str(root / word) if word == "kept" else word for word in WAYS[request.param]]
    words = [
        "download", "--exchange", "deribit", "--symbols", "BTC-PERPETUAL,ETH-PERPETUAL", "--type", TYPES,
        "--from", DAY, "--to", END, "--workers", "1", "--parallel", "2", "--quiet", "--store", str(root / "tape"), *more,
    ]  # fmt: skip
    log = folder / "quiet.log"
    forks.warm(
        [
            word if word != str(root / "tape") else str(folder / "warm-tape")
            for word in words
            if word not in more
        ]
    )
    assert traced(forks, words, log, ",".join(CALLS)) == 0, forks.said()
    lines = log.read_text().splitlines()
    calls = {call: sorted({path for line in lines if (path := written(line, call, root))}) for call in CALLS}
    provider = "tardis-machine" if request.param == "machine" else "tardis"
    made = Session(root, provider, words, {}, calls)
    made.quiet = made.stored()
    assert len([name for name in made.quiet if name.endswith(".reel")]) == 6
    return made


def written(line: str, call: str, root: Path) -> str:
    """Return the path below a folder that a line of a trace is about, "" if it is none that a full disk may fail."""
    _, _, text = line.partition(" ")
    if not text.strip().startswith(f"{call}(") or (call == "openat" and "O_CREAT" not in text):
        return ""
    return next((path for path in re.findall(r'[<"]([^>"]*)[>"]', text) if path.startswith(f"{root}/")), "")


def test_a_disk_of_a_megabyte(folder: Path, forks: Forks, server: ProviderServer) -> None:
    """Full while days are fetched and others imported: what is sealed stays, and with room the same bytes are made."""
    disk, chance = folder / "disk", random.Random(3)
    symbols = [f"S{number}" for number in range(8)]
    for symbol in symbols:
        lines = [
            trade(us, symbol=symbol, id=chance.getrandbits(50), price=chance.getrandbits(40))
            for us in range(15_000)
        ]
        put(dataset(folder / "served", symbol=symbol), trades(*lines))
    words = [
        "download", "--exchange", "binance", "--symbols", ",".join(symbols), "--from", "2024-01-01", "--to", "2024-01-02",
        "--workers", "1", "--parallel", "1", "--quiet", "--store",
    ]  # fmt: skip
    assert forks.run([*words, str(folder / "roomy" / "tape")]) == 0, forks.said()
    quiet = Session(folder / "roomy", "tardis", [], {}, {}).stored()
    disk.mkdir()
    server.latency_s = 0.3  # days are imported while others are on their way
    with mounted(disk):
        held = Session(disk, "tardis", [*words, str(disk / "tape")], quiet, {})
        for _ in range(2):
            check_disk_error(forks.run(held.words), forks.said(), "error=ENOSPC", "a full disk")
            assert str(disk) in forks.said()
            assert held.stored().items() <= quiet.items()
        assert any(name.endswith(".reel") for name in held.stored())
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        server.latency_s = 0.0
        held.check_resumes(forks)


@pytest.mark.parametrize("call", CALLS)
def test_a_full_disk_at_a_system_call(session: Session, forks: Forks, call: str) -> None:
    """Exit code 5, with disk, place and next step; what was sealed stays, and with room the same bytes are made."""
    print(f"TICKREEL_SEED={SEED}")
    log = session.root.with_name("fail.log")
    paths = session.calls[call]
    kinds = [kind(f'"{path}"') for path in paths]
    reached = 0
    for number in some(kinds, SHARE, random.Random(f"{SEED} {call} {session.root.name}")):
        shutil.rmtree(session.root)
        session.root.mkdir()
        path = paths[number - 1]
        code = traced(forks, session.words, log, call, f"{call}:error=ENOSPC:when=1+", about=path)
        if (
            "(INJECTED)" in log.read_text()
        ):  # days come together or one by one: not each path is that of each run
            check_disk_error(code, forks.said(), "error=ENOSPC", f"{call} {path}")
            reached += 1
        session.check()
        session.check_resumes(forks)
    assert reached > len(paths) // SHARE // 2
