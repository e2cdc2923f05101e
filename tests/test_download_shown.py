"""Downloads as processes: what a terminal shows of one, and two of them at once in one store."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from import_forks import ENVIRONMENT
from import_sample import contents, dataset, put, trade, trades
from provider_server import KEY, ProviderServer
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, day_of, parse_time

DAYS, ROWS = 16, 1_000
END = day_of(parse_time("2024-01-01") + DAYS * NS_PER_DAY)
WORDS = ("download", "--exchange", "binance", "--symbols", "BTCUSDT", "--from", "2024-01-01", "--to", END)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderServer]:
    """Sixteen days of a thousand trades; each answer takes 0.15 s."""
    root = tmp_path_factory.mktemp("files")
    for number in range(DAYS):
        first_us = number * 86_400_000_000 + 2_000
        day = day_of(parse_time("2024-01-01") + number * NS_PER_DAY)
        put(dataset(root, day), trades(*(trade(first_us + 7_000 * n) for n in range(ROWS))))
    with ProviderServer([root], latency_s=0.15) as running:
        yield running


def start(
    server: ProviderServer, folder: Path, *words: str, terminal: int | None = None
) -> subprocess.Popen[bytes]:
    found = {**server.hurried(folder), "TARDIS_API_KEY": KEY, "TERM": "xterm", "NO_COLOR": "1"}
    line = [sys.executable, "-m", "tickreel", *WORDS, "--workers", "1", *words]
    return subprocess.Popen(line, env=ENVIRONMENT | found, stderr=terminal)


def test_a_terminal_sees_rows_a_second_and_the_time_that_is_left(
    server: ProviderServer, tmp_path: Path
) -> None:
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    begun = time.monotonic()
    process = start(server, tmp_path, "--parallel", "1", "--store", str(tmp_path / "a"), terminal=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(mine, 1 << 16):
            said += piece
    except OSError:  # the other end is closed
        pass
    assert process.wait(60) == 0
    took = time.monotonic() - begun
    os.close(mine)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    bar = r"(\d+)% .*? ([\d,]+) rows/s\s+(\d+):(\d\d):(\d\d)\s+(\d+:\d\d:\d\d|-:--:--)"
    frames = [found for line in re.split(r"[\r\n]+", text) if (found := re.search(bar, line))]
    assert len(frames) > 5
    last = frames[-1]
    elapsed = int(last[4]) * 60 + int(last[5])
    assert (last[1], last[6]) == ("100", "0:00:00")
    # Shown as whole seconds of the bar, which begins when the process has.
    assert elapsed <= took
    rows_a_second = int(last[2].replace(",", ""))
    assert DAYS * ROWS / took <= rows_a_second <= DAYS * ROWS / max(elapsed, 0.15 * DAYS)
    left = [int(one[6][-2:]) for one in frames if one[6][0] != "-" and 30 < int(one[1]) < 90]
    assert left, text
    assert all(0 <= seconds <= took for seconds in left)
    assert left[0] >= left[-1]


@pytest.mark.parametrize("other", ["tardis-machine", "mirror"])
def test_two_providers_fill_one_store_at_once(other: str, server: ProviderServer, tmp_path: Path) -> None:
    """Each waits for the other's turns with the store's lock; nothing is lost, and one is primary."""
    more = f'[mirror]\nlike = "tardis"\nbase_url = "{server.url}"\ndatasets_url = "{server.url}"\n[mirror.key]\nuse = "never"\n'
    places = {"together": tmp_path / "together", "tardis": tmp_path / "a", other: tmp_path / "b"}
    server.keys[""] = ("2000-01-01", "2100-01-01")
    begin = {**server.hurried(tmp_path, more), "TARDIS_API_KEY": KEY}
    server.seen.clear()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tickreel", *WORDS, "--workers", "1", "--quiet", "--parallel", "2",
             "--provider", provider, "--store", str(places["together"])],
            env=ENVIRONMENT | begin,
        )
        for provider in ("tardis", other)
    ]  # fmt: skip
    assert [process.wait(120) for process in running] == [0, 0]
    assert server.most_at_once > 2  # at once indeed
    for provider in ("tardis", other):
        words = [sys.executable, "-m", "tickreel", *WORDS, "--workers", "1", "--quiet"]
        words += ["--provider", provider, "--store", str(places[provider])]
        assert subprocess.run(words, env=ENVIRONMENT | begin, timeout=120).returncode == 0
    del server.keys[""]
    alone = contents(places["tardis"], "*.reel") | contents(places[other], "*.reel")
    assert contents(places["together"], "*.reel") == alone
    assert len(alone) == 2 * DAYS
    store = Store(places["together"])
    assert sorted(store.feeds()) == sorted(("tardis", other))
    assert (places["together"] / "primary").read_text().splitlines()[0] in ("tardis", other)
    assert store.primary() in ("tardis", other)
    assert not list((places["together"] / ".downloads").rglob("*.gz*"))
