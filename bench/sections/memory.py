"""Does the memory of a run stay where it is when the store grows tenfold?"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.child import ROOT, call
from bench.model import BenchError, Row, Settings, at_most
from bench.processes import memory_mib, tree

TITLE = "peak memory of `tickreel run momentum`, 2 workers, all processes together"
_WORKERS = 2
_EVERY_S = 0.005
LINUX_ONLY = "this system has no Pss_Anon in /proc/*/smaps_rollup"


class Peak(NamedTuple):
    """MiB. own: anonymous and shared memory, each shared page divided by its users; rss: all pages mapped."""

    own: float
    rss: float


def run(settings: Settings) -> list[Row]:
    if not is_measured():
        return [Row("peak memory", note=LINUX_ONLY)]
    stores = call("bench.market:paths", settings.plain())
    found: dict[str, list[Peak]] = {"tenth": [], "store": []}
    peak(stores["tenth"], settings.work, workers=1)  # compiles what is not compiled yet: no run below has to
    for _ in range(settings.rounds):
        for name, peaks in found.items():
            peaks.append(peak(stores[name], settings.work))
    # Sampling can miss a peak and never makes one: the highest of the rounds is the nearest.
    large, small = (Peak(*map(max, zip(*found[name], strict=True))) for name in ("store", "tenth"))
    many, few = (stores["rows"][stores[name]] for name in ("store", "tenth"))
    what, peer = f"{many:,} trades beside {few:,}", f"{few:,} trades"
    growth = (large.own / small.own - 1) * 100
    return [
        Row(f"anonymous + shared (PSS), {what}", large.own, "MiB", small.own, peer, at_most(512)),
        Row(f"growth over {many / few:.1f} times the trades", growth, "%", bar=at_most(10)),
        Row(f"resident (RSS), {what}", large.rss, "MiB", small.rss, peer, note="counts the page cache"),
    ]


def is_measured() -> bool:
    """Return whether this system says what `peak` asks."""
    rollup = Path("/proc/self/smaps_rollup")
    return rollup.exists() and "Pss_Anon:" in rollup.read_text()


def peak(
    store: str, work: Path, command: tuple[str, ...] = ("run", "momentum"), *, workers: int = _WORKERS
) -> Peak:
    """Run a command over a store; return the highest sums over its processes."""
    out = tempfile.mkdtemp(prefix="run-", dir=work)
    words = [sys.executable, "-m", "tickreel", *command, "--store", store, "--quiet"]
    words += ["--workers", str(workers), "--out", out]
    highest = Peak(0, 0)
    try:
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(words, cwd=ROOT, stdout=printed, stderr=printed)
            while process.poll() is None:
                now = Peak(*memory_mib(tree(process.pid)))
                highest = Peak(max(highest.own, now.own), max(highest.rss, now.rss))
                time.sleep(_EVERY_S)
            if process.returncode:
                printed.seek(0)
                raise BenchError(f"tickreel {command[0]}: {printed.read().decode(errors='replace')[-800:]}")
    finally:
        shutil.rmtree(out)
    return highest
