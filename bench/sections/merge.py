"""How fast do trades and a book become one order, and how soon is one day found among 10,000 segments?"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import peers
from bench.child import call
from bench.model import BenchError, Row, Settings, at_least, at_most
from bench.timing import alternate
from tickreel.codecs.decimals import Decimals
from tickreel.scan.merge import BATCH_ROWS, Order, Windows
from tickreel.scan.merge_kernel import merge_windows
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Meta
from tickreel.store.writer import SegmentWriter
from tickreel.tape import Tape, open_store
from tickreel.units import NS_PER_DAY, day_of, day_start

TITLE = "trades and incremental_book_L2 in one order, one core, per CPU second"
_FIRST_NS = day_start("2024-01-01")
_BOOK_ROWS = 5
"""Rows of the book for each trade."""
_COLUMNS = {"trades": ("local_ns", "price", "amount"), "incremental_book_L2": ("local_ns", "price", "amount")}
_SYMBOLS = 100
_POLARS = ("polars",)
_PASS_ROWS = 1_000_000


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.merge:measure", settings.plain(), pinned=True)
    speed, rows = found["speed"], found["rows"]
    kernel = speed.pop("kernel")
    table = [
        Row(
            f"times in RAM, {rows:,} rows", kernel, "M rows/s", speed[name], against=name,
            bar=at_least(50.0) if name == "numpy argsort" else None,
        )
        for name in speed if name not in ("merge", "scan")
    ]  # fmt: skip
    table.append(
        Row(
            "from a store, three columns",
            speed["merge"],
            "M rows/s",
            speed["scan"],
            against="scan, stream by stream",
        )
    )
    table.append(
        Row(
            f"a symbol's day among {found['segments']:,} segments, opening the store",
            found["day_ms"],
            "ms",
            bar=at_most(50.0),
        )
    )
    return table + [Row("peer", note=text) for text in found["missing"]]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M rows per CPU second of each, after all have given the same order: in a child."""
    settings = Settings.of(plain)
    times = [_times(settings.trades, 1), _times(settings.trades * _BOOK_ROWS, 2)]
    tape = open_store(_store(settings.work / f"merge-{settings.trades}", times))
    absent = peers.missing(_POLARS)
    calls: dict[str, Callable[[], np.ndarray | None]] = {
        "kernel": lambda: _drain(_kernel(times)),
        "numpy argsort": partial(_argsort, times),
        "numpy lexsort": partial(_lexsort, times),
    }
    if not absent:
        calls["polars merge_sorted"] = partial(_polars, _frames(times))
    truth = np.concatenate([stream.copy() for stream in _kernel(times)])
    for name, order in calls.items():
        if name != "kernel" and not np.array_equal(order(), truth):
            raise BenchError(f"{name}: another order than the kernel's")
    calls |= {
        "merge": lambda: _drain(tape.merge(types=_COLUMNS, columns=_COLUMNS)),
        "scan": lambda: _scan(tape),
    }
    rows = sum(map(len, times))
    passes = max(1, _PASS_ROWS // rows)
    taken = alternate(settings.rounds, {name: partial(_repeat, done, passes) for name, done in calls.items()})
    speed = {name: passes * rows / seconds.cpu / 1e6 for name, seconds in taken.items()}
    days = min(100, settings.trades // 10_000)
    day_ms = _day_ms(_many(settings.work / f"merge-segments-{days}", days), days)
    segments = _SYMBOLS * days
    missing = [absent] if absent else []
    return {"rows": rows, "speed": speed, "day_ms": day_ms, "segments": segments, "missing": missing}


def _times(rows: int, seed: int) -> np.ndarray:
    """Return local times within a day, in bursts: three rows of four share the time of the one before."""
    random = np.random.default_rng(seed)
    steps = random.integers(0, 4, rows) == 0
    gaps = random.exponential(1.0, rows) * steps
    ended = np.cumsum(gaps)
    return _FIRST_NS + (ended / ended[-1] * (NS_PER_DAY - 1)).astype(np.int64) // 1_000 * 1_000


def _kernel(times: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the streams' numbers batch by batch, in arrays used again, as `scan.merge` calls the kernel."""
    counts = np.array([len(own) for own in times])
    stop = np.cumsum(counts)
    head, first = stop - counts, stop - counts
    number, ends = np.arange(len(times), dtype=np.int32), np.ones(len(times), bool)
    windows = Windows(np.concatenate(times), head, stop, ends, number, first)
    order = Order(*(np.empty(BATCH_ROWS, kind) for kind in (np.int64, np.int32, np.int64)))
    heap_ns, heap = np.empty((2, len(times)), np.int64)
    while done := merge_windows(windows, heap_ns, heap, order):
        yield order.stream[:done]


def _argsort(times: list[np.ndarray]) -> np.ndarray:
    return _numbers(times)[np.argsort(np.concatenate(times), kind="stable")]


def _lexsort(times: list[np.ndarray]) -> np.ndarray:
    numbers = _numbers(times)
    return numbers[np.lexsort((numbers, np.concatenate(times)))]


def _numbers(times: list[np.ndarray]) -> np.ndarray:
    return np.repeat(np.arange(len(times), dtype=np.int32), [len(own) for own in times])


def _frames(times: list[np.ndarray]) -> list[Any]:
    import polars as pl

    return [
        pl.DataFrame({"time": own, "stream": np.full(len(own), n, np.int32), "row": np.arange(len(own))})
        for n, own in enumerate(times)
    ]


def _polars(frames: list[Any]) -> np.ndarray:
    return frames[0].merge_sorted(frames[1], key="time")["stream"].to_numpy()


def _drain(blocks: Iterable[object]) -> None:
    for _ in blocks:
        pass


def _scan(tape: Tape) -> None:
    for type, columns in _COLUMNS.items():
        _drain(tape.scan(type=type, columns=columns))


def _repeat(done: Callable[[], object], passes: int) -> None:
    for _ in range(passes):
        done()


def _store(root: Path, times: list[np.ndarray]) -> Path:
    """Return a store of a day of both types, made if it is not there."""
    if not root.exists():
        random = np.random.default_rng(3)
        for type, own in zip(_COLUMNS, times, strict=True):
            key = SegmentKey("bench", type, "made-up", "BTCUSDT", day_of(_FIRST_NS))
            price = 4_200_000 + np.cumsum(random.integers(-1, 2, len(own)))
            _write(root, key, own, price, random.integers(1, 100_000, len(own)))
    return _primary(root)


def _many(root: Path, days: int) -> Path:
    """Return a store of 100 symbols on some days, ten rows in each segment, made if it is not there."""
    if not root.exists():
        for day in range(days):
            start = _FIRST_NS + day * NS_PER_DAY
            for symbol in range(_SYMBOLS):
                key = SegmentKey("bench", "trades", "made-up", f"S{symbol:02}", day_of(start))
                _write(root, key, start + np.arange(10), np.arange(10) + 1, np.arange(10) + 1)
    return _primary(root)


def _primary(root: Path) -> Path:
    (root / "primary").write_text("bench\n", "ascii")
    return root


def _write(root: Path, key: SegmentKey, times: np.ndarray, price: np.ndarray, amount: np.ndarray) -> None:
    record, rows = RECORD_TYPES[key.type], len(times)
    path = Store(root).path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    cells: dict[str, Any] = {name: np.zeros(rows, record.column(name).kind.dtype) for name in record.names}
    cells |= {"exchange_ns": times, "local_ns": times}
    cells |= {
        name: Decimals(values.astype(np.int64), np.full(rows, 2, np.int8))
        for name, values in (("price", price), ("amount", amount))
    }
    with SegmentWriter(path, record) as writer:
        writer.append(cells)
        writer.finish(
            Meta(key.feed, key.type, key.exchange, key.symbol, key.day, False, []), [(key.symbol, rows)]
        )


def _day_ms(root: Path, days: int) -> float:
    """Return the median wall time of opening the store and reading a symbol's day, another each time."""
    taken = []
    for number in range(0, _SYMBOLS, 5):
        start = _FIRST_NS + number % days * NS_PER_DAY
        began = time.perf_counter()
        blocks = list(open_store(root).scan(f"S{number:02}", start=start, end=start + NS_PER_DAY))
        taken.append(time.perf_counter() - began)
        if len(blocks[0]) != 10:
            raise BenchError(f"{os.fspath(root)}: {len(blocks[0])} rows where 10 are")
    return median(taken) * 1e3
