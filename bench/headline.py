"""The headline: momentum over 2.3 billion trades, fifteen symbols, half a year, marks and drawdown at every trade.

python -m bench.headline --trades 2_300_000_000 --work FOLDER

The store is made once, from a seed, straight from the generator's arrays; a run that is stopped goes on where it
was. The last line is `N M trades/s`.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from bench.arithmetic import second_core
from bench.child import ROOT
from bench.machine import describe
from bench.model import BenchError
from bench.peers import naive
from bench.processes import memory_mib, tree
from bench.trades import Trades
from tickreel.codecs.decimals import from_integers
from tickreel.codecs.text_kernel import format_numbers
from tickreel.compute import Task, make_executor
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store, WritingStore
from tickreel.store.format import Meta
from tickreel.store.writer import SegmentWriter
from tickreel.synth import DEMO_SYMBOLS, SyntheticMarket, day_trades
from tickreel.synth.market import DEMO_FROM, DEMO_TO
from tickreel.units import NS_PER_DAY, day_of, day_start

HEADLINE_TRADES = 2_300_000_000
GUIDE_S = 3.2 * 3_600
"""What the guide that this project comes from needs for them."""
SCALE_1 = 20_302_732
"""Trades of the market at scale 1."""

_EXCHANGE, _FEED = "binance-futures", "tardis"
_NAIVE_ROWS = 300_000
_EVERY_S = 0.01
_TOLD = 273


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.headline", description=__doc__)
    parser.add_argument("--trades", type=lambda text: int(text.replace("_", "")), default=HEADLINE_TRADES)
    parser.add_argument("--work", type=Path, default=ROOT / "bench" / "work")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="warm runs; the median is shown [3]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    if asked.trades < 1_000_000:
        parser.error("--trades: 1,000,000 or more")
    for name, value in describe().items():
        print(f"{name:<14}{value}")
    market = SyntheticMarket(seed=1, scale=asked.trades / SCALE_1)
    store = asked.work / f"headline-{asked.trades}"
    made = make_store(market, store, asked.workers)
    figures = measure(market, store, made, workers=asked.workers, rounds=asked.rounds)
    for line in report(figures):
        print(line, flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"machine": describe(), **figures._asdict()}, indent=1) + "\n")


# The store


class Made(NamedTuple):
    """What a store holds; seconds: 0 if it was there."""

    trades: int
    file_bytes: int
    segments: int
    seconds: float


def make_store(market: SyntheticMarket, root: Path, workers: int) -> Made:
    """Make what is missing of the store; a segment appears whole or not at all."""
    days = [day_of(ns) for ns in range(day_start(DEMO_FROM), day_start(DEMO_TO), NS_PER_DAY)]
    keys = [SegmentKey(_FEED, "trades", _EXCHANGE, symbol, day) for symbol in market.symbols for day in days]
    began = time.monotonic()
    with Store(root).writing() as store:
        missing = [key for key in keys if not store.path(key).exists()]
        if missing:
            store.set_primary(_FEED)
            _fill(market, store, missing, workers)
    seconds = time.monotonic() - began if missing else 0.0
    sizes = [(segment.rows, segment.file_bytes) for segment in map(Store(root).open, keys)]
    return Made(sum(rows for rows, _ in sizes), sum(size for _, size in sizes), len(keys), seconds)


def _fill(market: SyntheticMarket, store: WritingStore, missing: list[SegmentKey], workers: int) -> None:
    tasks = [
        Task(str(number), "bench.headline:write_day", {
            "scale": market.scale, "symbol": key.symbol, "day": key.day,
            "path": str(store.staging / f"{number}.reel"),
        })
        for number, key in enumerate(missing)
    ]  # fmt: skip
    with make_executor(workers) as executor:
        for done, outcome in enumerate(executor.run(tasks), 1):
            key = missing[int(outcome.task_id)]
            if not outcome.ok:
                raise BenchError(f"{key}: {outcome.error}")
            store.publish([(store.staging / f"{outcome.task_id}.reel", store.path(key))])
            if done % _TOLD == 0 or done == len(missing):
                print(f"making the store: {done:,} of {len(missing):,} days", file=sys.stderr)


def write_day(arguments: dict[str, Any], progress: Callable[..., None]) -> int:
    """Write one symbol's day as a segment: the task of a worker."""
    market = SyntheticMarket(seed=1, scale=arguments["scale"])
    symbol, day = arguments["symbol"], arguments["day"]
    trades = day_trades(market, symbol, day)
    rows = len(trades["id"])
    letters = np.zeros((rows, len(str(int(trades["id"].max(initial=0))))), np.uint8)
    format_numbers(trades["id"], letters)
    path = Path(arguments["path"])
    path.unlink(missing_ok=True)
    with SegmentWriter(path, RECORD_TYPES["trades"]) as writer:
        writer.append({
            "exchange_ns": trades["exchange_ns"], "local_ns": trades["local_ns"],
            "id": letters.reshape(-1).view(f"S{letters.shape[1]}"), "side": trades["side"],
            "price": from_integers(trades["price_ticks"], trades["price_scale"]),
            "amount": from_integers(trades["amount_lots"], trades["amount_scale"]),
        })  # fmt: skip
        writer.finish(Meta(_FEED, "trades", _EXCHANGE, symbol, day, False, []), [(symbol, rows)])
    return rows


# The run


class Figures(NamedTuple):
    """Seconds are wall time from the command to its end; MiB as in the section `memory`."""

    trades: int
    bytes_per_trade: float
    make_s: float
    cold_s: float | None
    warm_s: float
    own_mib: float
    rss_mib: float
    workers: int
    second_core: float
    naive_per_s: float
    naive_rows: int

    @property
    def per_s(self) -> float:
        return self.trades / self.warm_s


def measure(market: SyntheticMarket, store: Path, made: Made, *, workers: int, rounds: int) -> Figures:
    _run(store, workers, symbols=market.symbols[:1])  # compiles what is not compiled yet
    cold = _run(store, workers).seconds if _drop_cache(store) else None
    warm = median(_run(store, workers, cached=True).seconds for _ in range(rounds))
    watched = _run(store, workers, watch=True)
    rows, seconds = _naive(market)
    return Figures(
        made.trades, made.file_bytes / made.trades, made.seconds, cold, warm,
        watched.own_mib, watched.rss_mib, workers,
        second_core(3), rows / seconds, rows,
    )  # fmt: skip


class _Run(NamedTuple):
    seconds: float
    own_mib: float
    rss_mib: float


def _run(
    store: Path, workers: int, *, symbols: tuple[str, ...] = (), cached: bool = False, watch: bool = False
) -> _Run:
    """Run the command; return its time and, if it is watched, the highest memory of its processes together.

    cached  read the whole store just before: some systems take back pages that nobody used for a while
    watch   look at the memory many times a second, which takes time of its own
    """
    if cached:
        _fill_cache(store)
    out = tempfile.mkdtemp(prefix="run-", dir=store.parent)
    words = [sys.executable, "-m", "tickreel", "run", "momentum", "--store", str(store), "--quiet", "--json"]
    words += ["--workers", str(workers), "--out", out]
    words += ["--symbols", ",".join(symbols)] if symbols else []
    own = rss = 0.0
    try:
        with tempfile.TemporaryFile() as printed:
            began = time.monotonic()
            with subprocess.Popen(words, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT) as process:
                while watch and process.poll() is None:
                    now_own, now_rss = memory_mib(tree(process.pid))
                    own, rss = max(own, now_own), max(rss, now_rss)
                    time.sleep(_EVERY_S)
                process.wait()
            seconds = time.monotonic() - began
            if process.returncode:
                printed.seek(0)
                raise BenchError(f"tickreel run: {printed.read().decode(errors='replace')[-800:]}")
    finally:
        shutil.rmtree(out)
    return _Run(seconds, own, rss)


def _fill_cache(store: Path) -> None:
    buffer = bytearray(1 << 22)
    for path in store.rglob("*.reel"):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def _drop_cache(store: Path) -> bool:
    """Tell the system to forget the store's pages; False where there is no way to ask for that."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in store.rglob("*.reel"):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
    return True


def _naive(market: SyntheticMarket) -> tuple[int, float]:
    """Return rows and seconds of the naive loop on the first trades of the first symbol."""
    parts, day_ns = [], day_start(DEMO_FROM)
    while sum(map(len, parts)) < _NAIVE_ROWS:
        parts.append(naive.records(Trades(**day_trades(market, DEMO_SYMBOLS[0], day_of(day_ns)))))
        day_ns += NS_PER_DAY
    records = np.concatenate(parts)[:_NAIVE_ROWS]
    began = time.perf_counter()
    naive.momentum(records, threshold=0.001, fraction=0.95, capital=100_000.0, fee=0.0004)
    return len(records), time.perf_counter() - began


def report(found: Figures) -> Iterator[str]:
    """Yield the lines that are printed; the last is the figure."""
    slow_s = found.trades / found.naive_per_s
    yield ""
    yield f"{'trades':<34}{found.trades:,}"
    yield f"{'store':<34}{found.bytes_per_trade:.2f} B a trade" + (
        f", made in {found.make_s:,.0f} s" if found.make_s else ", was there"
    )
    if found.cold_s is not None:
        yield f"{'cold run (page cache dropped)':<34}{found.cold_s:.2f} s"
    yield f"{f'warm run, {found.workers} workers':<34}{found.warm_s:.2f} s, start and report included"
    yield f"{'a core':<34}{found.per_s / found.workers / 1e6:,.0f} M trades/s"
    yield f"{'peak memory, all processes':<34}{found.own_mib:,.0f} MiB (PSS), {found.rss_mib:,.0f} MiB with the page cache"
    yield f"{'second core, plain arithmetic':<34}{found.second_core:.2f} x"
    yield (
        f"{'naive Python loop, extrapolated':<34}{slow_s:,.0f} s from {found.naive_rows:,} trades"
        f" ({found.naive_per_s / 1e6:.2f} M trades/s): {slow_s / found.warm_s:,.0f} x as long"
    )
    guide_s = GUIDE_S * found.trades / HEADLINE_TRADES
    yield f"{'the guide, scaled':<34}{guide_s:,.0f} s: {guide_s / found.warm_s:,.0f} x as long"
    yield f"{math.floor(found.per_s / 1e6):,} M trades/s"


if __name__ == "__main__":
    main()
