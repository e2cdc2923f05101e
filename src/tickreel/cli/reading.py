"""`tickreel ls`, `show` and `bars`: what the store holds."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from tickreel.cli.options import (
    ExchangeOption,
    FeedOption,
    FromOption,
    JsonOption,
    QuietOption,
    StoreOption,
    SymbolsOption,
    ToOption,
    TypeOption,
    split_list,
    store_path,
    time_option,
)
from tickreel.cli.output import print_json, print_table
from tickreel.errors import UsageError


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the rows.")]
LimitOption = Annotated[int, typer.Option("--limit", min=0, help="Rows at most; 0 is all.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="File to write [standard output].", show_default=False)
]
SymbolOption = Annotated[
    str | None, typer.Option("--symbol", "--symbols", help="[EXCHANGE:]SYMBOL,... [all].", show_default=False)
]


def ls(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    type: Annotated[str | None, typer.Option("--type", help="Record type [all].", show_default=False)] = None,
    days: Annotated[bool, typer.Option("--days", help="One line per day.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List what the store holds: feeds, types, exchanges, symbols, days, rows, bytes."""
    from tickreel.cli.listing import listing
    from tickreel.store.catalog import Store
    from tickreel.units import human_bytes

    place = Store.existing(store_path(store))
    rows = listing(place, feed=feed, type=type, exchange=exchange, symbols=split_list(symbols), days=days)
    if json:
        print_json({"store": str(place.root), "primary": place.primary(), "entries": rows})
        return
    table = [
        (
            row["feed"] + ("*" if row["feed"] == place.primary() else ""), row["type"], row["exchange"],
            row["symbol"], row["from"], row["to"], f"{row['days']:,}", f"{row['rows']:,}",
            human_bytes(row["bytes"]),
        )
        for row in rows
    ]  # fmt: skip
    left = [(name, "left") for name in ("feed", "type", "exchange", "symbol", "from", "to")]
    print_table([*left, ("days", "right"), ("rows", "right"), ("size", "right")], table)


def show(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
    type: TypeOption = "trades",
    start: FromOption = None,
    to: ToOption = None,
    format: FormatOption = Format.TABLE,
    limit: LimitOption = 20,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print rows. csv is Tardis' own: its header, microseconds, shortest decimals."""
    from tickreel.cli import rows as write
    from tickreel.scan.plan import Question, plan
    from tickreel.store.catalog import Store

    types = tuple(dict.fromkeys(split_list(type))) or (type,)
    if len(types) > 1 and not json and format in (Format.CSV, Format.PARQUET):
        raise UsageError(f"--format {format}: a file of one --type; {type} goes with table, jsonl and --json")
    place = Store.existing(store_path(store))
    question = Question(
        types[0], feed, exchange, split_list(symbol), time_option(start, "--from"), time_option(to, "--to")
    )
    shown: dict[str, Any] = {"types": types} if len(types) > 1 else {"type": types[0]}
    if len(types) > 1:
        rows = write.merged_rows(place, question, types, limit)
    else:
        pieces = write.pieces(place, plan(place, question), question, limit)
        rows = write.json_rows(pieces)
    if json:
        print_json({**shown, "rows": list(rows)})
    elif format is Format.TABLE:
        write.table(rows, types)
    elif format is Format.PARQUET:
        write.parquet(pieces, types[0], _parquet_file(out))
    else:
        with _opened(out) as file:
            write.csv(pieces, types[0], file) if format is Format.CSV else write.jsonl(rows, file)


def bars(
    every: Annotated[str, typer.Option("--every", help="Length of a bar: 1s, 1m, 1h, 1d.")] = "1m",
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    to: ToOption = None,
    format: FormatOption = Format.TABLE,
    limit: LimitOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print bars of trades: open, high, low, close, volume, buyers' volume, notional, number of trades."""
    from tickreel.cli import rows as write
    from tickreel.scan.plan import Question, plan
    from tickreel.store.catalog import Store
    from tickreel.units import parse_duration

    place = Store.existing(store_path(store))
    every_ns = parse_duration(every, "--every")
    if every_ns < 1:
        raise UsageError(f"--every {every}: a bar is longer than 0")
    question = Question(
        "trades", feed, exchange, split_list(symbol), time_option(start, "--from"), time_option(to, "--to")
    )
    found = write.bar_rows(place, plan(place, question), question, every_ns, limit)
    if json:
        print_json({"every_ns": every_ns, "bars": list(found)})
    elif format is Format.TABLE:
        write.bar_table(found)
    elif format is Format.PARQUET:
        write.bar_parquet(found, _parquet_file(out))
    else:
        with _opened(out) as file:
            write.bar_csv(found, file) if format is Format.CSV else write.bar_jsonl(found, file)


def _parquet_file(out: Path | None) -> Path:
    if out is None:
        raise UsageError("--format parquet needs a file: add --out FILE.parquet")
    return out


class _opened:
    """Standard output, or a file that appears under its name only when it is whole."""

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._file: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes]:
        if self._out is None:
            return sys.stdout.buffer
        self._file = open(self._partial(), "wb")
        return self._file

    def __exit__(self, kind: Any, *_: object) -> bool:
        if self._out is None and kind is not None and issubclass(kind, BrokenPipeError):
            # Whoever read our output has left, as `head` does: no error, and nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return True
        if self._file is not None and self._out is not None:
            self._file.close()
            self._partial().unlink() if kind else self._partial().replace(self._out)
        return False

    def _partial(self) -> Path:
        assert self._out is not None
        return self._out.with_name(f".{self._out.name}.partial")
