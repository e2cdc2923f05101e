"""Parquet as one who knows it writes it: integer ticks, DELTA_BINARY_PACKED, zstd level 3, by pyarrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.trades import Trades

NAME, SUFFIX, NEEDS = "Parquet (pyarrow)", ".parquet", ("pyarrow",)
GROUP_ROWS = 1 << 18
_NUMBERS = ("exchange_ns", "local_ns", "id", "price", "amount")
_SCALES = ("price", "amount")


def write(path: Path, trades: Trades) -> None:
    """Write one file with row groups of 256 k rows; the sides, of few values, as a dictionary."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    scales = {"price": str(trades.price_scale), "amount": str(trades.amount_scale)}
    columns = {
        "exchange_ns": trades.exchange_ns, "local_ns": trades.local_ns, "id": trades.id,
        "side": trades.side, "price": trades.price_ticks, "amount": trades.amount_lots,
    }  # fmt: skip
    pq.write_table(
        pa.table(columns).replace_schema_metadata(scales), path,
        compression="zstd", compression_level=3, row_group_size=GROUP_ROWS,
        use_dictionary=["side"], column_encoding=dict.fromkeys(_NUMBERS, "DELTA_BINARY_PACKED"),
    )  # fmt: skip


def read(path: Path, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yield batches of 64 k rows, prices and amounts as float64; on one thread."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        powers = _powers(file)
        for batch in file.iter_batches(1 << 16, columns=list(names), use_threads=False):
            yield _arrays(batch, names, powers)


class Minutes:
    """Rows by local time from many files: row groups whose statistics exclude the range are not read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        import pyarrow.parquet as pq

        self._groups: list[tuple[int, int, Any, int]] = []
        for path in paths:
            file = pq.ParquetFile(path)
            place = file.schema_arrow.get_field_index("local_ns")
            for group in range(file.metadata.num_row_groups):
                found = file.metadata.row_group(group).column(place).statistics
                self._groups.append((found.min, found.max, file, group))

    def read(self, from_ns: int, to_ns: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the columns of the rows in [from, to)."""
        parts = []
        for low, high, file, group in self._groups:
            if low < to_ns and high >= from_ns:
                table = file.read_row_group(group, columns=list(names), use_threads=False)
                times = table.column("local_ns").to_numpy()
                first, last = np.searchsorted(times, (from_ns, to_ns))
                parts.append(_arrays(table.slice(first, last - first), names, _powers(file)))
        return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _powers(file: Any) -> dict[str, float]:
    stored = file.schema_arrow.metadata
    return {name: 10.0 ** int(stored[name.encode()]) for name in _SCALES}


def _arrays(table: Any, names: Sequence[str], powers: dict[str, float]) -> dict[str, np.ndarray]:
    found = {name: table.column(name).to_numpy() for name in names}
    return {name: values / powers[name] if name in powers else values for name, values in found.items()}
