"""Parquet as Polars writes it unasked: what most users have."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.trades import Trades
from tickreel.schema import SIDES

NAME, SUFFIX, NEEDS = "Parquet (Polars)", ".polars", ("polars",)


def write(path: Path, trades: Trades) -> None:
    """Write times as integers, sides as text, prices and amounts as float64."""
    import polars as pl

    columns = dict(trades.columns())
    columns["side"] = np.array(SIDES)[trades.side]
    pl.DataFrame(columns).write_parquet(path)


def read(path: Path, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the whole file as one block."""
    import polars as pl

    frame = pl.read_parquet(path, columns=list(names))
    codes = {side: code for code, side in enumerate(SIDES)}
    frame = frame.with_columns(pl.col("side").replace_strict(codes, return_dtype=pl.UInt8))
    yield {name: frame[name].to_numpy() for name in names}
