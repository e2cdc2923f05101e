"""What do order book changes take: bytes a row, time to read, time to import, beside what others need?"""

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pcodec import ChunkConfig, standalone

from bench import l2, market, peers
from bench.child import call
from bench.model import BenchError, Row, Settings, at_most
from bench.timing import alternate
from bench.trades import Columns, digest, must_agree
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.schema import BOOK_SIDES, FLAGS, RECORD_TYPES
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment
from tickreel.tape import open_store

TITLE = "incremental_book_L2: bytes a row, six columns; scan and import on one core, per CPU second"
_NAMES = RECORD_TYPES[l2.TYPE].names
_CHUNK_ROWS = 1 << 18
_PCO, _PARQUET, _POLARS = "pcodec", "Parquet (pyarrow)", "Polars"


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.level2:measure", settings.plain(), pinned=True)
    rows = []
    for one in found["sizes"]:
        size = one["bytes"]
        rows += [
            Row(
                f"{one['name']}: {one['rows']:,} rows", size["tickreel"] / one["rows"], "B",
                size[name] / one["rows"], against=name, bar=at_most(1.3, "ratio"),
            )
            for name in size if name != "tickreel"
        ]  # fmt: skip
    for what, unit in (("scan", "M rows/s"), ("import", "M rows/s")):
        speed = found[what]
        rows += [
            Row(f"{what} of {found['rows']:,} rows", speed["tickreel"], unit, speed[name], against=name)
            for name in speed
            if name != "tickreel"
        ]
    return rows + [Row("peer", note=text) for text in found["missing"]]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return sizes of real and made-up files, and the speed of each way, equal values first: in a child."""
    settings = Settings.of(plain)
    file = l2.file(settings)
    store = market.sealed(file.parent.parent / "store", [file])
    segments = [("synthetic", next(_segments(store)))]
    if settings.real is not None:
        real = sorted(settings.real.rglob(f"{l2.TYPE}/**/*.csv.gz"))
        kept = market.sealed(settings.work / "real-l2", real) if real else None
        segments += [(str(segment.meta.exchange) + f" {segment.meta.symbol} {segment.meta.day}", segment)
                     for segment in (_segments(kept) if kept else ())]  # fmt: skip
    absent = [text for text in (peers.missing(("pyarrow",)), peers.missing(("polars",))) if text]
    sizes = [
        {
            "name": name,
            "rows": segment.rows,
            "bytes": _sizes(segment, with_parquet=not peers.missing(("pyarrow",))),
        }
        for name, segment in segments
    ]
    rows = segments[0][1].rows
    scan = alternate(settings.rounds, _scans(store))
    imports = alternate(settings.rounds, _imports(settings, file))
    return {
        "rows": rows, "sizes": sizes, "missing": absent,
        "scan": {name: rows / taken.cpu / 1e6 for name, taken in scan.items()},
        "import": {name: rows / taken.cpu / 1e6 for name, taken in imports.items()},
    }  # fmt: skip


def _segments(root: Path) -> Iterator[Segment]:
    store = Store(root)
    for key in store.find(type=l2.TYPE):
        yield store.open(key)


def _columns(segment: Segment) -> dict[str, np.ndarray]:
    blocks = range(len(segment.blocks))
    return {name: np.concatenate([segment.read(name, block) for block in blocks]) for name in _NAMES}


def _integers(segment: Segment) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the columns with prices and amounts as integers of one scale, and the powers of ten."""
    columns, powers = _columns(segment), {}
    for name in ("price", "amount"):
        scale = int(segment.footer.chunks["scale"][:, _NAMES.index(name)].max())
        powers[name] = 10.0**scale
        integers = np.rint(columns[name] * powers[name]).astype(np.int64)
        if (integers / powers[name] != columns[name]).any():
            raise BenchError(f"{segment.path}: {name} is not a number of {scale} decimals")
        columns[name] = integers
    return columns, powers


def _packed(columns: Columns) -> dict[str, list[tuple[int, bytes]]]:
    return {
        name: [
            (len(part), standalone.simple_compress(part, ChunkConfig(enable_8_bit=True)))
            for part in (values[first : first + _CHUNK_ROWS] for first in range(0, len(values), _CHUNK_ROWS))
        ]
        for name, values in columns.items()
    }


def _sizes(segment: Segment, *, with_parquet: bool) -> dict[str, int]:
    columns, _ = _integers(segment)
    packed = _packed(columns)
    found = {"tickreel": segment.file_bytes, _PCO: sum(len(data) for p in packed.values() for _, data in p)}
    return found | ({_PARQUET: len(_parquet(columns))} if with_parquet else {})


def _parquet(columns: Columns) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    deltas = {name: "DELTA_BINARY_PACKED" for name, values in columns.items() if values.dtype == np.int64}
    out = io.BytesIO()
    pq.write_table(
        pa.table(dict(columns)),
        out,
        compression="zstd",
        compression_level=3,
        use_dictionary=False,
        column_encoding=deltas,
    )
    return out.getvalue()


def _scans(root: Path) -> dict[str, Callable[[], None]]:
    """Return ways to read all columns into arrays, after they have shown equal values."""
    segment = next(_segments(root))
    columns, powers = _integers(segment)
    packed = _packed(columns)
    store = open_store(root)
    ways: dict[str, Callable[[], Iterator[Columns]]] = {
        "tickreel": lambda: (block.columns for block in store.scan(type=l2.TYPE, reuse=True)),
        _PCO: partial(_unpacked, packed, {name: values.dtype for name, values in columns.items()}, powers),
    }
    truth = digest([_columns(segment)], _NAMES)
    for name, blocks in ways.items():
        must_agree(name, digest(blocks(), _NAMES), truth)
    return {name: partial(_drain, blocks) for name, blocks in ways.items()}


def _unpacked(
    packed: dict[str, list[tuple[int, bytes]]], dtypes: dict[str, np.dtype], powers: dict[str, float]
) -> Iterator[Columns]:
    raw = {name: np.empty(_CHUNK_ROWS, dtype) for name, dtype in dtypes.items()}
    exact = {name: np.empty(_CHUNK_ROWS) for name in powers}
    for number in range(len(packed["side"])):
        block = {}
        for name in _NAMES:
            rows, data = packed[name][number]
            values = raw[name][:rows]
            standalone.simple_decompress_into(data, values)
            if name in powers:
                values = np.true_divide(values, powers[name], out=exact[name][:rows])
            block[name] = values
        yield block


def _drain(blocks: Callable[[], Iterator[Columns]]) -> None:
    for _ in blocks():
        pass


def _imports(settings: Settings, file: Path) -> dict[str, Callable[[], None]]:
    place = Path(tempfile.mkdtemp(prefix="import-", dir=settings.work))

    def ours() -> None:
        shutil.rmtree(place, ignore_errors=True)
        summary = import_files(Store(place / "store"), [str(file)], ImportSettings(workers=1))
        if summary.failed:
            raise BenchError(f"import: {summary.failed[0].error}")

    def polars() -> None:
        import polars as pl

        frame = pl.read_csv(file)
        assert frame["side"].is_in(BOOK_SIDES).all()
        assert frame["is_snapshot"].dtype == pl.Boolean or frame["is_snapshot"].is_in(FLAGS).all()
        place.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(place / "polars.parquet")

    return {"tickreel": ours} | ({} if peers.missing(("polars",)) else {_POLARS: polars})
