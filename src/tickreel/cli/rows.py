"""Rows and bars as tables, CSV, JSON lines and Parquet, streamed block by block."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

from tickreel.cli.output import print_table
from tickreel.scan.bars import BAR, COLUMNS
from tickreel.scan.bars import bars as make_bars
from tickreel.scan.plan import Question, Stream
from tickreel.scan.read import Piece, StreamReader
from tickreel.schema import NULL_TIME, RECORD_TYPES, Kind
from tickreel.sources.csv_text import csv_lines, float_text, header
from tickreel.store.catalog import Store
from tickreel.units import format_time


def pieces(store: Store, streams: list[Stream], question: Question, limit: int) -> Iterator[Piece]:
    """Yield pieces of blocks, `limit` rows in all (0: no limit)."""
    left = limit
    for stream in streams:
        reader = StreamReader(store, stream, from_ns=question.from_ns, to_ns=question.to_ns)
        for piece in reader.pieces():
            rows = piece.rows
            if limit:
                rows = slice(rows.start, min(rows.stop, rows.start + left))
                left -= rows.stop - rows.start
            yield piece._replace(rows=rows)
            if limit and left == 0:
                return


def csv(found: Iterable[Piece], type: str, file: IO[bytes]) -> None:
    file.write(header(RECORD_TYPES[type]))
    for piece in found:
        file.write(csv_lines(piece.segment, piece.block, piece.rows, piece.exchange, piece.symbol))


def jsonl(found: Iterable[Piece], file: IO[bytes]) -> None:
    for row in json_rows(found):
        file.write(msgspec.json.encode(row) + b"\n")


def json_rows(found: Iterable[Piece]) -> Iterator[dict[str, Any]]:
    """Yield rows as plain data: times in ns, empty cells null, enums as words."""
    for piece in found:
        block = piece.read()
        record = piece.segment.record
        values = [_plain(block[c.name], c.kind, c.choices) for c in record.columns]
        for row in zip(*values, strict=True):
            yield {
                "exchange": block.exchange, "symbol": block.symbol,
                **dict(zip(record.names, row, strict=True)),
            }  # fmt: skip


def table(found: Iterable[Piece], type: str) -> None:
    record = RECORD_TYPES[type]
    right = (Kind.DECIMAL, Kind.INT, Kind.FLOAT)
    columns = [("exchange", "left"), ("symbol", "left")]
    columns += [(c.name, "right" if c.kind in right else "left") for c in record.columns]
    rows = [
        tuple(_text(row[name], record.column(name).kind if name in record.names else None) for name in row)
        for row in json_rows(found)
    ]
    print_table(columns, rows)


def parquet(found: Iterable[Piece], type: str, out: Path) -> None:
    """Write Parquet (zstd); needs the extra [arrow]."""
    from tickreel.scan.arrow import arrow_schema, record_batch

    _write_parquet(out, arrow_schema(type), (record_batch(piece.read(), type) for piece in found))


def bar_rows(
    store: Store, streams: list[Stream], question: Question, every_ns: int, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield bars as plain data, symbol after symbol, `limit` in all (0: no limit)."""
    count = 0
    for stream in streams:
        reader = StreamReader(
            store, stream, COLUMNS, from_ns=question.from_ns, to_ns=question.to_ns, reuse=True
        )
        for done in make_bars(reader.blocks(), every_ns):
            for bar in done.tolist():
                yield {"exchange": stream.exchange, "symbol": stream.symbol} | dict(
                    zip(BAR.names or (), bar, strict=True)
                )
                count += 1
                if count == limit:
                    return


def bar_table(found: Iterable[dict[str, Any]]) -> None:
    names = ("exchange", "symbol", *(BAR.names or ()))
    columns = [(name, "right" if name in BAR.names[1:] else "left") for name in names]  # type: ignore[index]
    rows = [tuple(_bar_text(name, bar[name]) for name in names) for bar in found]
    print_table(columns, rows)


def bar_csv(found: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    names = ("exchange", "symbol", *(BAR.names or ()))
    file.write(",".join(names).encode() + b"\n")
    for bar in found:
        cells = [float_text(bar[name]) if isinstance(bar[name], float) else str(bar[name]) for name in names]
        file.write(",".join(cells).encode() + b"\n")


def bar_jsonl(found: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    for bar in found:
        file.write(msgspec.json.encode(bar) + b"\n")


def bar_parquet(found: Iterable[dict[str, Any]], out: Path) -> None:
    from tickreel.scan.arrow import extra

    pa = extra("pyarrow")
    numbers = {"f": pa.float64(), "i": pa.int64()}
    fields = [(name, numbers[BAR[name].kind]) for name in BAR.names or ()]
    schema = pa.schema([("exchange", pa.string()), ("symbol", pa.string()), *fields])
    batches = (pa.RecordBatch.from_pylist(part, schema=schema) for part in _parts(iter(found)))
    _write_parquet(out, schema, batches)


def _write_parquet(out: Path, schema: Any, batches: Iterable[Any]) -> None:
    from tickreel.scan.arrow import extra

    writer = extra("pyarrow.parquet").ParquetWriter
    partial = out.with_name(f".{out.name}.partial")
    try:
        with writer(partial, schema, compression="zstd") as file:
            for batch in batches:
                file.write_batch(batch)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while part := list(islice(rows, 65_536)):
        yield part


def _plain(values: np.ndarray, kind: Kind, choices: tuple[str, ...]) -> list[Any]:
    if kind is Kind.ENUM:
        return [choices[value] for value in values.tolist()]
    if kind is Kind.TEXT:
        return [value.decode("utf-8", "replace") or None for value in values.tolist()]
    if kind is Kind.TIME:
        return [None if value == NULL_TIME else value for value in values.tolist()]
    return [None if value != value else value for value in values.tolist()]


def _text(value: Any, kind: Kind | None) -> str:
    if value is None:
        return ""
    if kind is Kind.TIME:
        return format_time(value)
    return float_text(value) if isinstance(value, float) else str(value)


def _bar_text(name: str, value: Any) -> str:
    return format_time(value) if name == "start_ns" else _text(value, None)
