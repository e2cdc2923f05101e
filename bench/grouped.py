"""Imports grouped files of growing size and prints time, memory and disk of each: is it linear, is it flat?

python -m bench.grouped --rows 3000000 --rows 30000000 --symbols 5000 --work /data/grouped
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench import options_day
from bench.child import ROOT
from bench.model import BenchError
from bench.processes import memory_mib, tree

_EVERY_S = 0.05
_MIB = 1 << 20


class Figures(NamedTuple):
    """Of one import. own_mib: highest anonymous + shared memory of all processes together.

    cpu_seconds  of all processes: what other work on the machine changes least
    spill_mib  the most that its sorted runs took: they lie in files that have no name
    """

    rows: int
    gzip_mib: float
    seconds: float
    cpu_seconds: float
    own_mib: float
    rss_mib: float
    spill_mib: float
    store_mib: float

    def line(self) -> str:
        return (
            f"{self.rows:>12,} rows {self.gzip_mib:>8,.0f} MiB gzip {self.seconds:>8.1f} s {self.cpu_seconds:>7.1f} CPU s"
            f" {self.rows / self.cpu_seconds:>9,.0f} rows/CPU s {self.own_mib:>6.0f} MiB anonymous (PSS)"
            f" {self.rss_mib:>6.0f} MiB RSS  spill {self.spill_mib:>7,.0f} MiB"
            f" ({self.spill_mib / self.gzip_mib:.2f} x gzip)  store {self.store_mib:>7,.0f} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.grouped", description=__doc__)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--symbols", type=int, default=5_000)
    parser.add_argument("--work", type=Path, default=ROOT / "bench" / "work" / "grouped")
    asked = parser.parse_args()
    for rows in asked.rows or [300_000, 3_000_000]:
        print(measure(file_of(asked.work, rows, asked.symbols), rows).line(), flush=True)


def file_of(work: Path, rows: int, symbols: int) -> Path:
    """Return a grouped file of that size, made if it is not there."""
    path = work / f"{rows}-{symbols}" / "deribit_options_chain_2024-03-01_OPTIONS.csv.gz"
    if not path.exists():
        partial = path.with_name("partial.gz")
        options_day.write(partial, rows=rows, symbols=symbols)
        partial.rename(path)
    return path


def measure(path: Path, rows: int) -> Figures:
    """Import a file of that many rows into a new store, which is removed again."""
    store = path.with_name("tape")
    shutil.rmtree(store, ignore_errors=True)
    words = [sys.executable, "-m", "tickreel", "import", str(path), "--store", str(store), "--workers", "1"]
    own = rss = spill = 0.0
    started, cpu = time.monotonic(), _cpu_of_children()
    with subprocess.Popen([*words, "--quiet"], cwd=ROOT) as process:
        while process.poll() is None:
            processes = tree(process.pid)
            now_own, now_rss = memory_mib(processes)
            own, rss, spill = max(own, now_own), max(rss, now_rss), max(spill, _nameless_mib(processes))
            time.sleep(_EVERY_S)
    seconds, cpu = time.monotonic() - started, _cpu_of_children() - cpu
    if process.returncode:
        raise BenchError(f"tickreel import {path}: exit code {process.returncode}")
    stored = sum(segment.stat().st_size for segment in store.rglob("*.reel")) / _MIB
    shutil.rmtree(store)
    return Figures(rows, path.stat().st_size / _MIB, seconds, cpu, own, rss, spill, stored)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _nameless_mib(processes: list[int]) -> float:
    """Return the size of the open `.run` files that have lost their names."""
    size = 0
    for pid in processes:
        try:
            found = os.listdir(f"/proc/{pid}/fd")
        except OSError:  # it has just ended
            continue
        for fd in found:
            link = f"/proc/{pid}/fd/{fd}"
            try:
                if os.readlink(link).endswith(".run (deleted)"):
                    size += os.stat(link).st_blocks * 512
            except OSError:
                continue
    return size / _MIB


if __name__ == "__main__":
    main()
