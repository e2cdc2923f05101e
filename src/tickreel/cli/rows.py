"""Rows and bars as tables, CSV, JSON lines and Parquet, streamed block by block."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

from tickreel.cli.output import print_table
from tickreel.errors import UsageError
from tickreel.scan.bars import BAR, COLUMNS
from tickreel.scan.bars import bars as make_bars
from tickreel.scan.merge import Batch, merge
from tickreel.scan.plan import Question, Stream, plan_each
from tickreel.scan.read import Piece, StreamReader, open_slice
from tickreel.schema import NULL_TIME, RECORD_TYPES, Kind, RecordType, clock_of
from tickreel.sources.csv_text import csv_lines, float_text, header
from tickreel.store.catalog import Store
from tickreel.units import format_time

_MERGED_NAMES = {"type": "option_type"}
"""Columns that are called otherwise where rows of several types are shown: there `type` is the row's own."""
_WANTED = tuple(
    re.compile(form) for form in ("type", "symbol", ".*price", "side|.*amount", "exchange", ".*_ns")
)
"""Columns of a table, those wanted most first, after the time that rows are ordered by."""
_DEEP_LEVEL = re.compile(r"_[1-9]\d*_")


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


def streams(store: Store, question: Question, types: Sequence[str], *, partial: bool) -> list[Stream]:
    """Return the streams of all types. partial: see `plan_each`."""
    return plan_each(store, [replace(question, type=type) for type in types], partial=partial)


def count(store: Store, found: list[Stream], question: Question) -> int:
    """Return how many rows there are in the range of time; decodes times at its edges only."""
    return sum(piece.rows.stop - piece.rows.start for piece in pieces(store, found, question, 0))


def shape_of(store: Store, found: list[Stream], *, one_clock: bool) -> RecordType:
    """Return the columns that the streams, of one type, have together; opens every segment.

    one_clock  leave out `local_ns` where no row has it; UsageError where some segments have it and others not
    """
    days = {}
    extras: set[str] = set()
    for part in (part for stream in found for part in stream.slices):
        segment = open_slice(store, part)
        if segment.rows:
            days[segment.record.has_local] = part.key
            extras |= set(segment.record.extras)
    if one_clock and len(days) > 1:
        raise UsageError(
            f"{days[True]} has local times and {days[False]} has none, and a file has one header: narrow --symbol,"
            " --from and --to, or take --format jsonl"
        )
    return RECORD_TYPES[found[0].type].shape(extras, local=not one_clock or False not in days)


def csv(found: Iterable[Piece], record: RecordType, file: IO[bytes]) -> None:
    file.write(header(record))
    for piece in found:
        file.write(csv_lines(piece.segment, record, piece.block, piece.rows, piece.exchange, piece.symbol))


def jsonl(found: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    for row in found:
        file.write(msgspec.json.encode(row) + b"\n")


def json_rows(found: Iterable[Piece]) -> Iterator[dict[str, Any]]:
    """Yield rows as plain data: times in ns, empty cells null, enums as words.

    An optional column is in a row that has a value of it.
    """
    for piece in found:
        record = RECORD_TYPES[piece.segment.record.name].widest
        block = piece.read(record.names)
        for row in _plain_rows(block.columns, record):
            yield {"exchange": block.exchange, "symbol": block.symbol, **row}


def merged_rows(
    store: Store, found: list[Stream], question: Question, limit: int
) -> Iterator[dict[str, Any]]:
    """Return rows of several types in one order, as `json_rows` does but each with its type."""
    columns = {stream.type: RECORD_TYPES[stream.type].widest.names for stream in found}
    return _rows_of(merge(store, found, columns, from_ns=question.from_ns, to_ns=question.to_ns), limit)


def _rows_of(batches: Iterable[Batch], limit: int) -> Iterator[dict[str, Any]]:
    left = limit
    for batch in batches:
        order = batch.stream[:left] if limit else batch.stream
        counts = np.bincount(order, minlength=len(batch.streams)).tolist()
        rows = [
            _plain_rows(
                {name: values[:count] for name, values in columns.items()}, RECORD_TYPES[stream.type].widest
            )
            for stream, columns, count in zip(batch.streams, batch.columns, counts, strict=True)
        ]
        for number in order.tolist():
            stream, row = batch.streams[number], next(rows[number])
            place = {"type": stream.type, "exchange": stream.exchange, "symbol": stream.symbol}
            yield place | {_MERGED_NAMES.get(name, name): value for name, value in row.items()}
        left -= len(order)
        if limit and left == 0:
            return


def table(found: Iterable[dict[str, Any]], types: Sequence[str]) -> list[str]:
    """Print the columns of rows that fit; return the names of the others.

    Rows of several types have each its type, and are empty where it has not the column.
    """
    several = len(types) > 1
    kinds: dict[str, Kind | None] = dict.fromkeys(("type",) * several + ("exchange", "symbol"))
    records = [RECORD_TYPES[type].widest for type in types]
    for column in (column for record in records for column in record.columns):
        kinds[_MERGED_NAMES.get(column.name, column.name) if several else column.name] = column.kind
    rows = [tuple(_text(row.get(name), kinds[name]) for name in kinds) for row in found]
    filled = [name for place, name in enumerate(kinds) if any(row[place] for row in rows)]
    optional = {name for record in records for name in record.extras}
    kept = [place for place, name in enumerate(kinds) if name in filled or name not in optional]
    names = [list(kinds)[place] for place in kept]
    time = clock_of(filled)
    right = (Kind.DECIMAL, Kind.INT, Kind.FLOAT)
    return print_table(
        [(name, "right" if kinds[name] in right else "left") for name in names],
        [tuple(row[place] for place in kept) for row in rows],
        ranks=[(name not in filled, _rank(name, time), place) for place, name in enumerate(names)],
    )


def _rank(name: str, time: str) -> int:
    """Return how much a column is wanted in a table that has no room for all: 0 most, the time of its rows."""
    if name == time:
        return 0
    if _DEEP_LEVEL.search(name):
        return len(_WANTED) + 2
    matches = (rank for rank, form in enumerate(_WANTED, 1) if form.fullmatch(name))
    return next(matches, len(_WANTED) + 1)


def parquet(found: Iterable[Piece], record: RecordType, out: Path) -> None:
    """Write Parquet (zstd); needs the extra [arrow]."""
    from tickreel.scan.arrow import arrow_schema, record_batch

    batches = (record_batch(piece.read(record.names), record.name) for piece in found)
    _write_parquet(out, arrow_schema(record.name, record.names), batches)


def bar_rows(
    store: Store, streams: list[Stream], question: Question, every_ns: int
) -> Iterator[dict[str, Any]]:
    """Yield bars as plain data, symbol after symbol."""
    for stream in streams:
        # Rows without a local time go by that of the exchange.
        timed = replace(stream, lag_ns=0)
        reader = StreamReader(
            store, timed, COLUMNS, from_ns=question.from_ns, to_ns=question.to_ns, reuse=True
        )
        for done in make_bars(reader.blocks(), every_ns):
            for bar in done.tolist():
                yield {"exchange": stream.exchange, "symbol": stream.symbol} | dict(
                    zip(BAR.names or (), bar, strict=True)
                )


def bar_table(found: Iterable[dict[str, Any]]) -> list[str]:
    """Print the columns of bars that fit; return the headings of the others."""
    bars = list(found)
    names = ("exchange", "symbol", *(BAR.names or ()))
    wanted = ("symbol", "close", "high", "low", "open", "volume", "exchange", "trades", "buy_volume")
    ranks = [
        0 if name == "start_ns" else wanted.index(name) if name in wanted else len(wanted) for name in names
    ]
    if len({bar["exchange"] for bar in bars}) > 1:
        ranks[0] = 0
    columns = [
        ({"start_ns": "start"}.get(name, name), "right" if place > 2 else "left")
        for place, name in enumerate(names)
    ]
    rows = [tuple(_bar_text(name, bar[name]) for name in names) for bar in bars]
    return print_table(columns, rows, names=3, ranks=ranks)


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


def _plain_rows(columns: Mapping[str, np.ndarray], record: RecordType) -> Iterator[dict[str, Any]]:
    absent = {c.name for c in record.optional if np.isnan(columns[c.name]).all()}
    shown = [c for c in record.columns if c.name not in absent]
    names, sometimes = [c.name for c in shown], set(record.extras) - absent
    values = [_plain(columns[c.name], c.kind, c.choices) for c in shown]
    for row in (dict(zip(names, cells, strict=True)) for cells in zip(*values, strict=True)):
        for name in sometimes:
            if row[name] is None:
                del row[name]
        yield row


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
    """Return a cell for people: sums of floats with the 12 digits that rounding leaves alone."""
    if name == "start_ns":
        return format_time(value).removesuffix(":00Z").removesuffix("Z")
    return float_text(float(f"{value:.12g}")) if isinstance(value, float) else str(value)
