"""How fast are two feeds compared, row by row, on one core?"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import market, peers
from bench.child import call
from bench.market import kept, sealed
from bench.model import BenchError, Row, Settings, at_least
from bench.peers import polars_parquet
from bench.timing import alternate
from bench.trades import Trades
from tickreel.quality.compare_day import Compared, Rules, compare_day
from tickreel.scan.plan import Question, Stream, plan
from tickreel.store.catalog import Store
from tickreel.tape import open_store
from tickreel.units import NS_PER_DAY, NS_PER_MS, day_start

TITLE = "two feeds of trades matched by id, rows of both, one core, per CPU second"
_SCAN = "a scan of the same columns of both"
OTHER, MIXED = "another recorder", "another recorder out of order"
_VERSION = 1
Counts = tuple[int, int, int]
"""Rows missing, extra and different."""


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.compare:measure", settings.plain(), pinned=True)
    rows = []
    for case, speed in found["speed"].items():
        ours = speed.pop("tickreel")
        bars = {polars_parquet.NAME: at_least(2, "ratio")}
        if case != MIXED:
            bars[_SCAN] = at_least(0.5, "ratio")
        rows += [
            Row(
                f"{found['rows'][case]:,} rows, {case}",
                ours,
                "M rows/s",
                peer,
                against=name,
                bar=bars.get(name),
            )
            for name, peer in speed.items()
        ]
    return rows + [Row("peer", note=text) for text in found["missing"]]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M rows of both feeds per CPU second, after all have counted the same: in a child."""
    settings = Settings.of(plain)
    data = market.deep(settings)
    absent = peers.missing(polars_parquet.NEEDS)
    cases = {"the same rows": data.store} | {case: _other_store(data, case) for case in (OTHER, MIXED)}
    speed: dict[str, dict[str, float]] = {}
    rows: dict[str, int] = {}
    for case, store in cases.items():
        streams = plan(Store(data.store), Question())[0], plan(Store(store), Question())[0]
        stores = Store(data.store), Store(store)
        calls: dict[str, Callable[[], Any]] = {
            "tickreel": partial(_compare, stores, streams),
            _SCAN: partial(_scan, stores),
        }
        if not absent:
            ours = data.kept_by(polars_parquet)
            theirs = ours if store == data.store else _other_files(data, case)
            calls[polars_parquet.NAME] = partial(_join, ours, theirs)
            if (found := calls["tickreel"]()) != (wanted := calls[polars_parquet.NAME]()):
                raise BenchError(f"{case}: tickreel finds {found}, Polars {wanted}")
        rows[case] = sum(
            Store(place).open(key).rows for place in (data.store, store) for key in Store(place).find()
        )
        times = alternate(settings.rounds, calls)
        speed[case] = {name: rows[case] / taken.cpu / 1e6 for name, taken in times.items()}
    return {"speed": speed, "rows": rows, "missing": [absent] if absent else []}


def _compare(stores: tuple[Store, Store], streams: tuple[Stream, Stream]) -> Counts:
    counts = np.zeros(3, np.int64)
    for part in streams[0].slices:
        start = day_start(part.key.day)
        found: Compared = compare_day(stores, streams, part.key.day, (start, start + NS_PER_DAY), Rules())
        counts += (found.missing, found.extra, found.different)
    missing, extra, different = counts.tolist()
    return missing, extra, different


def _scan(stores: tuple[Store, Store]) -> None:
    for store in stores:
        for _ in open_store(store.root).scan(reuse=True):
            pass


def _join(ours: list[Path], theirs: list[Path]) -> Counts:
    """Return what Polars counts over the same columns, joined on the id, day after day."""
    import polars as pl

    counts = np.zeros(3, np.int64)
    for one, other in zip(ours, theirs, strict=True):
        a, b = pl.scan_parquet(one), pl.scan_parquet(other)
        both = a.join(b, on="id", how="full", coalesce=False)
        differs = pl.any_horizontal(
            pl.col(name) != pl.col(f"{name}_right") for name in ("exchange_ns", "side", "price", "amount")
        )
        lag = pl.col("local_ns_right") - pl.col("local_ns")
        found = both.select(
            pl.col("id_right").is_null().sum().alias("missing"),
            pl.col("id").is_null().sum().alias("extra"),
            differs.fill_null(False).sum().alias("different"),
            lag.quantile(0.5).alias("p50"), lag.quantile(0.99).alias("p99"),
        ).collect()  # fmt: skip
        counts += found.select("missing", "extra", "different").row(0)
    missing, extra, different = counts.tolist()
    return missing, extra, different


def altered(trades: Trades, seed: int, *, in_order: bool) -> Trades:
    """Return trades as another recorder has them: 30 ms later or so, one in 1,000 left out, one in 2,000 changed.

    in_order  as over one connection, else each row comes when it likes
    """
    numbers = np.random.default_rng(seed)
    late = np.rint(numbers.lognormal(3.4, 0.3, len(trades)) * 1_000).astype(np.int64) * (NS_PER_MS // 1_000)
    day_end = (trades.local_ns[0] // NS_PER_DAY + 1) * NS_PER_DAY - 1_000
    arrived = trades.local_ns + late
    local = np.minimum(np.maximum.accumulate(arrived) if in_order else arrived, day_end)
    lots = np.where(numbers.random(len(trades)) < 1 / 2_000, trades.amount_lots + 1, trades.amount_lots)
    order = np.argsort(local, kind="stable")
    order = order[numbers.random(len(trades)) >= 1 / 1_000]
    return Trades(
        trades.exchange_ns[order], local[order], trades.id[order], trades.side[order],
        trades.price_ticks[order], trades.price_scale, lots[order], trades.amount_scale,
    )  # fmt: skip


def _other_store(data: market.Dataset, case: str) -> Path:
    name = case.replace(" ", "-")

    def make(folder: Path) -> None:
        for number, file in enumerate(data.files):
            path = folder / "/".join(file.path.parts[-6:])
            path.parent.mkdir(parents=True)
            _write_csv(path, altered(file.trades(), number, in_order=case == OTHER))

    files = kept(data.folder / f"{name}-files", f"{_VERSION} {data.key}", make)
    return sealed(data.folder / name, sorted(files.rglob("*.csv.gz")), f"{_VERSION} {data.key}")


def _write_csv(path: Path, trades: Trades) -> None:
    import gzip

    sides, found = ("unknown", "buy", "sell"), trades.columns()
    with gzip.open(path, "wt", 1) as file:
        file.write("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n")
        exchange, symbol = path.parts[-6], path.name.removesuffix(".csv.gz")
        rows = zip(
            *(found[name].tolist() for name in ("exchange_ns", "local_ns", "id", "side", "price", "amount")),
            strict=True,
        )
        for time, local, id, side, price, amount in rows:
            file.write(
                f"{exchange},{symbol},{time // 1_000},{local // 1_000},{id},{sides[side]},{price!r},{amount!r}\n"
            )


def _other_files(data: market.Dataset, case: str) -> list[Path]:
    name = case.replace(" ", "-")

    def make(folder: Path) -> None:
        for number, file in enumerate(data.files):
            polars_parquet.write(
                folder / f"{number:04}{polars_parquet.SUFFIX}",
                altered(file.trades(), number, in_order=case == OTHER),
            )

    folder = kept(data.folder / f"{name}-parquet", f"{_VERSION} {data.key}{peers.versions()}", make)
    return sorted(folder.glob(f"*{polars_parquet.SUFFIX}"))
