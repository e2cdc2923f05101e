"""Small trade files for the tests of the import, and what a store holds, as plain rows."""

import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zstandard

from tickreel.ingest.files.importer import ImportSettings, ImportSummary, import_files
from tickreel.schema import NULL_TIME, RECORD_TYPES, RecordType
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Part
from twin_csv import Row, bits

TRADES = RECORD_TYPES["trades"]
HEADER = ",".join(TRADES.csv_header).encode() + b"\n"
START_US = 1_704_067_200_000_000
DAY_US = 86_400_000_000
DAY = "2024-01-01"
KEY = SegmentKey("tardis", "trades", "binance", "BTCUSDT", DAY)
"""The segment of `dataset`'s usual file."""


def trade(us: int, **cells: object) -> bytes:
    """Return a line; `us` is local time after the beginning of DAY, the exchange's is 1 ms before.

    A cell of None is left out; a `fee` comes last.
    """
    given = {
        "exchange": "binance", "symbol": "BTCUSDT", "timestamp": START_US + us - 1_000,
        "local_timestamp": START_US + us, "id": us, "side": "buy", "price": 1.5, "amount": 2,
    } | cells  # fmt: skip
    return ",".join(str(cell) for cell in given.values() if cell is not None).encode() + b"\n"


def trades(*lines: bytes, shape: RecordType = TRADES) -> bytes:
    return ",".join(shape.csv_header).encode() + b"\n" + b"".join(lines)


def put(path: Path, data: bytes) -> Path:
    """Write a file, packed as its name says; the same data give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".zst":
        data = zstandard.ZstdCompressor().compress(data)
    path.write_bytes(data)
    return path


def dataset(root: Path, day: str = DAY, symbol: str = "BTCUSDT", exchange: str = "binance", end: str = ".csv.gz") -> Path:  # fmt: skip
    """Return the path of a file in Tardis' layout."""
    return root.joinpath(exchange, "trades", *day.split("-"), symbol + end)


def take(store: Store | Path, *paths: Path | str, workers: int = 1, **settings: Any) -> ImportSummary:
    """Import with one worker."""
    place = store if isinstance(store, Store) else Store(store)
    return import_files(place, [str(path) for path in paths], ImportSettings(workers=workers, **settings))


def states(summary: ImportSummary) -> list[str]:
    return [report.state for report in summary.files]


Plain = tuple[str, int, int, bytes, int, int, int, int]


def stored(store: Store, feed: str = "tardis") -> dict[tuple[str, str, str], list[Plain]]:
    """Return the rows of every segment, in storage order."""
    return {
        (key.exchange, key.symbol, key.day): list(segment_rows(store, key)) for key in store.find(feed=feed)
    }


def segment_rows(store: Store, key: SegmentKey) -> Iterator[Plain]:
    segment = store.open(key)
    names = [name for name in segment.footer.names for _ in range(*(segment.symbol_rows(name) or (0, 0)))]
    columns: dict[str, list] = {name: [] for name in _ORDER}
    for block in range(len(segment.blocks)):
        for name in _ORDER:
            values = segment.read(name, block)
            columns[name] += (values.view("<i8") if values.dtype.kind == "f" else values).tolist()
    yield from zip(names, *(columns[name] for name in _ORDER), strict=True)


_ORDER = ("local_ns", "exchange_ns", "id", "side", "price", "amount", "fee")


def parts(store: Store, key: SegmentKey = KEY) -> list[Part]:
    """Return the provenance of a segment."""
    return store.open(key).meta.parts


def ids(store: Store, key: SegmentKey = KEY) -> list[int]:
    """Return the ids of a segment's rows, which `trade` makes of their times."""
    return [int(row[3]) for row in segment_rows(store, key)]


def plain(rows: Iterable[Row]) -> list[Plain]:
    """Return the twin's rows as `stored` gives them."""
    return [
        (
            row.symbol, row.values.get("local_ns", NULL_TIME), row.values["exchange_ns"], row.values["id"],
            row.values["side"], bits(row.values["price"]), bits(row.values["amount"]), bits(row.values.get("fee")),
        )
        for row in rows
    ]  # fmt: skip


def contents(root: Path, pattern: str = "*") -> dict[str, str]:
    """Return the hash of every file of a store by its path, but for its lock and what is unfinished."""
    found = {}
    for path in sorted(root.rglob(pattern)):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name != ".lock" and not name.startswith(".staging/"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@contextmanager
def fast_folder() -> Iterator[Path]:
    """Yield a folder of its own, in memory where there is such a disk: for tests of many small writes."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
