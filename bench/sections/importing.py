"""How fast does a Tardis file become a sealed segment, beside the same file becoming Parquet?"""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import market, peers
from bench.child import call
from bench.model import BenchError, Row, Settings, at_least
from bench.timing import alternate
from bench.trades import ALL, Columns, digest, must_agree
from tickreel.schema import SIDES
from tickreel.store.catalog import Store
from tickreel.tape import open_store

TITLE = "csv.gz to a sealed segment, all columns and checks, one core, per CPU second"
_BARS = {"Polars": at_least(3.0, "ratio")}


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.importing:measure", settings.plain(), pinned=True)
    cpu, wall = found["cpu"], found["wall"]
    what = f"{found['rows']:,} rows of one file"
    own = Row(what, cpu["tickreel"], "M rows/s", bar=at_least(3.0), note=f"wall {wall['tickreel']:.2f} s")
    others = [
        Row(
            f"{what}; peer to Parquet", cpu["tickreel"], "M rows/s", cpu[name], against=name,
            bar=_BARS.get(name), note=f"wall {wall[name]:.2f} s",
        )
        for name in cpu if name != "tickreel"
    ]  # fmt: skip
    return [own, *others, *(Row("peer", note=text) for text in found["missing"])]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M rows per CPU second and wall seconds of each, with what they wrote compared: in a child."""
    settings = Settings.of(plain)
    file = market.deep(settings).files[0]
    place = Path(tempfile.mkdtemp(prefix="import-", dir=settings.work))
    absent = {name: peers.missing((peer.package,)) for name, peer in PEERS.items()}
    ways = {"tickreel": partial(_to_store, file.path, place / "store")}
    for name, peer in PEERS.items():
        if not absent[name]:
            ways[name] = partial(peer.write, file.path, place / name)
    try:
        times = alternate(settings.rounds, ways)
        trades = file.trades()
        truth = digest([trades.columns()], ALL)
        blocks = (block.columns for block in open_store(place / "store").scan())
        must_agree("tickreel", digest(blocks, ALL), truth)
        for name in ways.keys() - {"tickreel"}:
            must_agree(name, digest([PEERS[name].read(place / name)], ALL), truth)
    finally:
        shutil.rmtree(place)
    return {
        "rows": len(trades),
        "cpu": {name: len(trades) / taken.cpu / 1e6 for name, taken in times.items()},
        "wall": {name: taken.wall for name, taken in times.items()},
        "missing": [text for text in absent.values() if text],
    }


def _to_store(path: Path, folder: Path) -> None:
    from tickreel.ingest.files.importer import ImportSettings, import_files

    shutil.rmtree(folder, ignore_errors=True)
    summary = import_files(Store(folder), [str(path)], ImportSettings(types=("trades",), workers=1))
    if summary.failed:
        raise BenchError(f"import: {summary.failed[0].error}")


def _by_polars(path: Path, out: Path) -> None:
    import polars as pl

    pl.read_csv(path).write_parquet(out)


def _by_pyarrow(path: Path, out: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    pq.write_table(pa_csv.read_csv(path, read_options=pa_csv.ReadOptions(use_threads=False)), out)


def _read_polars(path: Path) -> Columns:
    import polars as pl

    frame = pl.read_parquet(path)
    return _columns({name: frame[name].to_numpy() for name in frame.columns})


def _read_pyarrow(path: Path) -> Columns:
    import pyarrow.parquet as pq

    table = pq.read_table(path, use_threads=False)
    return _columns({name: table.column(name).to_numpy() for name in table.column_names})


def _columns(found: Columns) -> Columns:
    """Return the columns of a file, as a user gets them from CSV, in our names and units."""
    side = np.zeros(len(found["side"]), np.uint8)
    for code, text in enumerate(SIDES):
        side[found["side"] == text] = code
    times = {"exchange_ns": found["timestamp"] * 1_000, "local_ns": found["local_timestamp"] * 1_000}
    return {**{name: found[name] for name in ("id", "price", "amount")}, **times, "side": side}


class Peer(NamedTuple):
    """A library that turns CSV into Parquet, and how its file is read for comparison."""

    package: str
    write: Callable[[Path, Path], None]
    read: Callable[[Path], Columns]


PEERS = {
    "Polars": Peer("polars", _by_polars, _read_polars),
    "pyarrow": Peer("pyarrow", _by_pyarrow, _read_pyarrow),
}
