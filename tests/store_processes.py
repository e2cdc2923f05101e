"""Processes that hold, write and read one store at a time, for test_store_lock; each is run as a program."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import store_sample as sample
from tickreel.codecs.decimals import from_integers
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store, WritingStore
from tickreel.store.format import Meta, Part
from tickreel.store.maintain import Source, merge, verify
from tickreel.store.reader import Segment
from tickreel.store.writer import SegmentWriter

TRADES = RECORD_TYPES["trades"]
KEY = SegmentKey("tardis", "trades", "binance", "BTCUSDT", sample.DAY)
PASSING = SegmentKey("tardis", "trades", "binance", "ETHUSDT", sample.DAY)
HOUR_NS = 3_600 * 10**9
BLOCK_ROWS = 64


def write_part(path: Path, key: SegmentKey, source: str, version: int) -> None:
    """Write a segment of one part: all its rows carry `version`; source "a" is the morning's, "b" follows."""
    rows = 100 + version % 50
    start = sample.START + (HOUR_NS if source == "b" else 0)
    times = start + np.arange(rows, dtype=np.int64)
    numbers = from_integers(np.full(rows, version), 0)
    part = Part(source, f"{version:064x}", 1, rows, (start, start + rows), lines=rows)
    with SegmentWriter(path, TRADES, block_rows=BLOCK_ROWS) as writer:
        writer.append(
            {
                "exchange_ns": times, "local_ns": times, "id": np.full(rows, b"%d" % version),
                "side": np.full(rows, version % 3, np.uint8), "price": numbers, "amount": numbers,
            }
        )  # fmt: skip
        meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, [part])
        writer.finish(meta, [(key.symbol, rows)])


def replace_part(store: WritingStore, source: str, version: int) -> None:
    """Publish KEY with one part anew, the other as it is."""
    new = store.staging / f"{version}.reel"
    write_part(new, KEY, source, version)
    try:
        there = store.open(KEY)
    except FileNotFoundError:
        store.publish([(new, store.path(KEY))])
        return
    fresh = Segment.open(new)
    sources = [Source(there, part) for part in there.meta.parts if part.source != source]
    merged = store.staging / f"{version}.merged"
    merge(KEY, [*sources, Source(fresh, fresh.meta.parts[0])], merged, block_rows=BLOCK_ROWS)
    store.publish([(merged, store.path(KEY))])
    new.unlink()


def write(root: Path, _: float) -> None:
    """Replace, merge and remove segments until the input ends."""
    version = 0
    with Store(root).writing() as store:
        while not select.select([sys.stdin], [], [], 0)[0]:
            version += 1
            replace_part(store, "ab"[version % 2], version)
            if version % 5 == 0:
                path = store.staging / "passing"
                write_part(path, PASSING, "a", version)
                store.publish([(path, store.path(PASSING))])
            if version % 5 == 3:
                store.remove([store.path(PASSING)])
            if version == 1:
                store.set_primary("tardis")
                print("ready", flush=True)
    print(json.dumps(version), flush=True)


def look(segment: Segment, pause: float) -> dict[str, int]:
    """Return the version of each part; AssertionError if it is not one state through and through."""
    found: dict[str, list[np.ndarray]] = {}
    for block in range(len(segment.blocks)):
        for name in TRADES.names:
            found.setdefault(name, []).append(segment.read(name, block))
        time.sleep(pause)
    columns = {name: np.concatenate(parts) for name, parts in found.items()}
    versions, row = {}, 0
    for part in segment.meta.parts:
        rows = slice(row, row + part.rows)
        row = rows.stop
        version = int(part.sha256, 16)
        assert part.interval is not None
        assert part.rows == 100 + version % 50
        assert (columns["local_ns"][rows] == part.interval[0] + np.arange(part.rows)).all()
        assert (columns["price"][rows] == version).all()
        assert (columns["amount"][rows] == version).all()
        assert (columns["id"][rows] == b"%d" % version).all()
        assert (columns["side"][rows] == version % 3).all()
        versions[part.source] = version
    assert row == segment.rows == len(columns["price"])
    return versions


def read(root: Path, seconds: float) -> None:
    """Scan the store over and over beside its writer, often enough to tell; print how much was seen."""
    end, store = time.monotonic() + seconds, Store.existing(root)
    latest = {"a": 0, "b": 0}
    states, scans, gone = set(), 0, 0
    while time.monotonic() < end or scans < 20 or len(states) < 4:
        keys = list(store.find())
        assert keys in ([KEY], [KEY, PASSING]), keys
        assert store.primary() == "tardis"
        versions = look(store.open(KEY), 0.003 if scans % 4 == 0 else 0)
        for source, version in versions.items():
            assert version >= latest[source], f"part {source} went back from {latest[source]} to {version}"
        latest.update(versions)
        states.add(tuple(versions.values()))
        try:
            look(store.open(PASSING), 0)
        except FileNotFoundError:
            gone += 1
        if scans % 16 == 0:
            assert list(verify(store.open(KEY))) == []
        scans += 1
    print(json.dumps({"scans": scans, "states": len(states), "gone": gone}), flush=True)


def hold(root: Path, _: float) -> None:
    """Take the lock, leave something unfinished, start a child, and wait to be killed."""
    with Store(root).writing() as store:
        write_part(store.staging / "unfinished", KEY, "a", 1)
        child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False)
        print(json.dumps([os.getpid(), child.pid]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    {"write": write, "read": read, "hold": hold}[sys.argv[1]](Path(sys.argv[2]), float(sys.argv[3]))
