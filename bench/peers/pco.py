"""pcodec on integers: its default level, chunks of 256 k values, one file of all columns."""

import json
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pcodec import ChunkConfig, standalone

from bench.trades import Trades

NAME, SUFFIX, NEEDS = "pcodec", ".pco", ("pcodec",)
CHUNK_ROWS = 1 << 18
_INTEGERS = {"price": "price_ticks", "amount": "amount_lots"}
_SCALES = {"price": "price_scale", "amount": "amount_scale"}


def write(path: Path, trades: Trades) -> None:
    """Write the chunks of all columns; where they lie goes to a file beside it, which is not counted."""
    index: dict[str, list[tuple[int, int, int]]] = {}
    with path.open("wb") as file:
        for name in ("exchange_ns", "local_ns", "id", "side", "price", "amount"):
            values = getattr(trades, _INTEGERS.get(name, name))
            index[name] = []
            for first in range(0, len(values), CHUNK_ROWS):
                part = values[first : first + CHUNK_ROWS]
                data = standalone.simple_compress(part, ChunkConfig(enable_8_bit=True))
                index[name].append((file.tell(), len(data), len(part)))
                file.write(data)
    scales = {name: getattr(trades, scale) for name, scale in _SCALES.items()}
    _index_path(path).write_text(json.dumps({"chunks": index, "scales": scales}))


def read(path: Path, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yield blocks of 256 k rows in buffers that are reused; prices and amounts as float64."""
    return _blocks(path, names, floats=True)


def read_integers(path: Path, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the same with prices and amounts left as integers: less work than tickreel does."""
    return _blocks(path, names, floats=False)


def _blocks(path: Path, names: Sequence[str], *, floats: bool) -> Iterator[dict[str, np.ndarray]]:
    index = json.loads(_index_path(path).read_text())
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    chunks, powers = index["chunks"], {name: 10.0**scale for name, scale in index["scales"].items()}
    raw = {name: np.empty(CHUNK_ROWS, np.uint8 if name == "side" else np.int64) for name in names}
    exact = {name: np.empty(CHUNK_ROWS) for name in names if name in powers}
    for number in range(len(chunks[names[0]])):
        block = {}
        for name in names:
            start, length, rows = chunks[name][number]
            values = raw[name][:rows]
            standalone.simple_decompress_into(data[start : start + length], values)
            if floats and name in exact:
                values = np.true_divide(values, powers[name], out=exact[name][:rows])
            block[name] = values
        yield block


def _index_path(path: Path) -> Path:
    return path.with_suffix(".json")
