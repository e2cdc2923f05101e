"""Small stores of many streams with ties everywhere, and the slow, obvious merge of them."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import store_sample as sample
from tickreel.scan.merge import Batch
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Meta
from tickreel.store.writer import SegmentWriter

TYPES = ("trades", "incremental_book_L2", "liquidations")
"""Types with a price: it numbers the rows."""


class Row(NamedTuple):
    """A row, its fields in the order in which rows are compared; `number` counts from 1 in its segment."""

    local_ns: int
    order: int
    exchange: str
    symbol: str
    feed: str
    number: int


def put_segment(
    store: Store, key: SegmentKey, times_ns: dict[str, Sequence[int]], block_rows: int = 65_536
) -> None:
    """Write a segment; `times_ns` has the times of each of its symbols, ascending; price numbers the rows."""
    record = RECORD_TYPES[key.type]
    path = store.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, [])
    rows = sum(map(len, times_ns.values()))
    cells = {c.name: _cells(c.name, rows) for c in record.columns}
    cells["local_ns"] = [ns for symbol in sorted(times_ns) for ns in times_ns[symbol]]
    cells["price"] = [str(n + 1) for symbol in sorted(times_ns) for n in range(len(times_ns[symbol]))]
    with SegmentWriter(path, record, block_rows=block_rows) as writer:
        if rows:
            writer.append(sample.batch(record, cells))
        writer.finish(meta, [(symbol, len(times_ns[symbol])) for symbol in sorted(times_ns)])


def _cells(name: str, rows: int) -> list[Any]:
    """Return cells of any column: texts of many lengths, numbers that fit every kind."""
    if name == "id":
        return [b"x" * (n % 7) for n in range(rows)]
    return ["1.5"] * rows if name == "amount" else [n % 2 for n in range(rows)]


def make_primary(store: Store, feed: str) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    (store.root / "primary").write_text(f"{feed}\n")


def empty_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def twin(segments: dict[SegmentKey, dict[str, Sequence[int]]]) -> list[Row]:
    """Return all rows in the order of a merge."""
    return sorted(
        Row(ns, RECORD_TYPES[key.type].order, key.exchange, symbol, key.feed, number)
        for key, symbols in segments.items()
        for symbol, times in symbols.items()
        for number, ns in enumerate(times, start=1)
    )


def merged(batches: Iterator[Batch]) -> list[Row]:
    """Return the rows of batches in the order given, each looked up as `Batch` says."""
    return [row for batch in batches for row in batch_rows(batch)]


def batch_rows(batch: Batch) -> list[Row]:
    rows = []
    used = [0] * len(batch.streams)
    for ns, number, row in zip(batch.time_ns.tolist(), batch.stream.tolist(), batch.row.tolist()):
        stream, columns = batch.streams[number], batch.columns[number]
        assert row == used[number], "a stream's rows keep their order and are given once"
        used[number] += 1
        assert ns == columns["local_ns"][row]
        order = RECORD_TYPES[stream.type].order
        price = int(columns["price"][row])
        rows.append(Row(ns, order, stream.exchange, stream.symbol, stream.feed, price))
    assert used == [len(columns["price"]) for columns in batch.columns]
    assert [batch.time_ns.dtype, batch.stream.dtype, batch.row.dtype] == [np.int64, np.int32, np.int64]
    return rows
