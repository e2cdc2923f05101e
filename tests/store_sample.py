"""Rows of every record type for tests of the store: random cells, the batches and files made of them."""

import random
import struct
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tickreel.codecs.choice import Purpose
from tickreel.codecs.decimals import Decimals, parse_decimal
from tickreel.schema import NULL_TIME, RECORD_TYPES, Column, Kind, RecordType
from tickreel.store.format import BLOCK_ROWS, Meta, Part
from tickreel.store.writer import Batch, SegmentWriter
from tickreel.units import NS_PER_DAY, day_start

DAY = "2024-01-01"
START = day_start(DAY)
Cells = dict[str, list[Any]]
"""Column name to one Python value a row: int, float, bytes, or for a DECIMAL its text."""

ODD_DECIMALS = (
    *("0", "-0", "0.0", "-0.0", "1e-7", "0.0000001", "1E-22", "1e-23", "5e-324", "1500", "0.10", "-12.5"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("0.30000000000000004", "12345678.123456789", "8.277970047745921", "0.10000000000000001"),
    *("1e21", "123456789012345678901", "1.7976931348623157e308", "-2.2250738585072014e-308"),
)
_ODD_FLOATS = (0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, 0.1)


def random_cells(record: RecordType, rows: int, seed: int) -> Cells:
    """Return rows of the day DAY in order of the sort key; every column has a flavour of its own."""
    rng = random.Random(seed)
    cells = {column.name: _column(column, rows, rng) for column in record.columns}
    cells[record.time] = sorted(
        START + rng.randrange(rng.choice((3, 1_000_000, NS_PER_DAY))) for _ in range(rows)
    )
    return cells


def _column(column: Column, rows: int, rng: random.Random) -> list[Any]:
    holes = rng.choice((0.0, 0.0, 0.3, 1.0)) if column.nullable else 0.0
    empty = {Kind.TIME: NULL_TIME, Kind.DECIMAL: "", Kind.TEXT: b""}.get(column.kind)
    make = {
        Kind.TIME: _times, Kind.DECIMAL: _decimals, Kind.FLOAT: _floats,
        Kind.INT: _ints, Kind.ENUM: _enums(column), Kind.TEXT: _texts,
    }[column.kind](rng)  # fmt: skip
    return [empty if rng.random() < holes else make() for _ in range(rows)]


def _times(rng: random.Random) -> Any:
    step = rng.choice((1, 1_000, 1_000_000))
    return lambda: START + rng.randrange(10**6) * step


def _decimals(rng: random.Random) -> Any:
    scale = rng.choice((0, 0, 1, 2, 7, 9, 22))
    most = 10 ** rng.choice((1, 4, 9, 15))

    def tick() -> str:
        digits = str(rng.randrange(most)).rjust(scale + 1, "0")
        return f"{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}" if scale else digits

    odd = rng.choice((0.0, 0.0, 0.02, 1.0))
    return lambda: rng.choice(ODD_DECIMALS) if rng.random() < odd else tick()


def _floats(rng: random.Random) -> Any:
    odd = rng.choice((0.0, 0.1, 1.0))
    return lambda: rng.choice(_ODD_FLOATS) if rng.random() < odd else rng.gauss(0, 1e6)


def _ints(rng: random.Random) -> Any:
    most = rng.choice((1, 100, 2**63))
    return lambda: rng.randrange(-most, most)


def _enums(column: Column) -> Any:
    def make(rng: random.Random) -> Any:
        known = rng.choice((1, 2, len(column.choices)))
        return lambda: rng.randrange(min(known, len(column.choices)))

    return make


def _texts(rng: random.Random) -> Any:
    number = rng.randrange(10 ** rng.choice((1, 9, 17)))
    kinds = {
        "number": lambda: str(number + rng.randrange(1000)).encode(),
        "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128))).encode(),
        "prefixed": lambda: b"ETH-%d" % rng.randrange(10**8),
        "same": lambda: b"7",
        "empty": lambda: b"",
        "odd": lambda: rng.choice((b"007", b"-1", b"9" * 18, b"9" * 19, b"x" * 255, "ü€".encode(), b"a\0b")),
        "mixed": lambda: kinds[rng.choice(("number", "uuid", "prefixed", "empty", "odd"))](),
    }
    return kinds[rng.choice(tuple(kinds))]


def batch(record: RecordType, cells: Cells, start: int = 0, stop: int | None = None) -> Batch:
    """Return rows [start, stop) as the writer takes them."""
    made: dict[str, Any] = {}
    for column in record.columns:
        values = cells[column.name][start:stop]
        if column.kind is Kind.DECIMAL:
            pairs = [parse_decimal(text) for text in values]
            mantissa, scale = ([pair[place] for pair in pairs] for place in (0, 1))
            made[column.name] = Decimals(np.array(mantissa, np.int64), np.array(scale, np.int8))
        elif column.kind is Kind.TEXT:
            made[column.name] = np.array(values, f"S{max([1, *map(len, values)])}")
        else:
            made[column.name] = np.array(values, column.kind.dtype)
    return made


def write(
    path: Path,
    record: RecordType,
    cells: Cells,
    *,
    block_rows: int = BLOCK_ROWS,
    cuts: Sequence[int] = (),
    optimise: Purpose = "balanced",
    symbols: Sequence[tuple[str, int]] | None = None,
    parts: list[Part] | None = None,
) -> Path:
    """Write a segment, its rows given in batches that end at `cuts`; `symbols` makes it a group."""
    rows = len(cells[record.time])
    directory = list(symbols) if symbols is not None else [("BTCUSDT", rows)]
    name = "OPTIONS" if symbols is not None else "BTCUSDT"
    day = DAY if record.is_market else ""
    meta = Meta("tardis", record.name, "binance", name, day, symbols is not None, parts or [])
    edges = [0, *sorted(cuts), rows]
    with SegmentWriter(path, record, block_rows=block_rows, optimise=optimise) as writer:
        for start, stop in zip(edges, edges[1:], strict=False):
            writer.append(batch(record, cells, start, stop))
        writer.finish(meta, directory)
    return path


def part(record: RecordType, cells: Cells, source: str = "/tape/a.csv.gz") -> Part:
    """Return the provenance of rows that all come from one source."""
    times = cells[record.time]
    interval = (min(times), max(times) + 1) if times else None
    optional = list(record.extras) if times else []
    return Part(source, "0" * 64, 1000, len(times), interval, lines=len(times), optional=optional)


def comparable(kind: Kind, values: Sequence[Any]) -> list[Any]:
    """Return values as they compare exactly: floats by their bits, all empty numbers alike."""
    if kind in (Kind.DECIMAL, Kind.FLOAT):
        return ["nan" if value != value else struct.pack("<d", value) for value in values]
    return list(values)


def expected(record: RecordType, cells: Cells) -> Cells:
    """Return what a reader must give for each column, comparable."""
    found = {}
    for column in record.columns:
        values = cells[column.name]
        if column.kind is Kind.DECIMAL:
            values = [float(text) if text else float("nan") for text in values]
        found[column.name] = comparable(column.kind, values)
    return found


def read(segment: Any) -> Cells:
    """Return all rows of an open Segment, comparable."""
    found: Cells = {}
    for column in segment.record.columns:
        values = [segment.read(column.name, block).tolist() for block in range(len(segment.blocks))]
        found[column.name] = comparable(column.kind, [value for block in values for value in block])
    return found


def three_trades(path: Path) -> Path:
    """Write the segment that FORMAT.md shows byte by byte."""
    cells: Cells = {
        "exchange_ns": [START + 1_000_000, START + 2_000_000, START + 2_000_000],
        "local_ns": [START + 1_500_000, START + 2_250_000, START + 2_250_000],
        "id": [b"", b"", b""],
        "side": [1, 2, 2],
        "price": ["42283.6", "42283.55", "42283"],
        "amount": ["0.001", "1e-7", "2"],
    }
    return write(path, RECORD_TYPES["trades"], cells, optimise="plain")
