"""`tickreel ls`, `show` and `bars`: what the store holds."""

import io
import sys
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from tickreel.cli.options import (
    TRADES,
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
    whole,
)
from tickreel.cli.output import note, note_error, note_left_out, print_json, print_json_rows, print_table
from tickreel.errors import UsageError
from tickreel.units import counted

TABLE_ROWS = 20
"""Rows of a table where no --limit is given."""


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="How to print the rows [that of --out, else table].", show_default=False),
]
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
) -> int:
    """List the symbols of the store, with days, rows, bytes."""
    from tickreel.cli.listing import kept, listing, unsealed
    from tickreel.store.catalog import Store
    from tickreel.units import human_bytes

    place = Store.existing(store_path(store))
    rows = listing(place, feed=feed, type=type, exchange=exchange, symbols=split_list(symbols), days=days)
    damaged = [problem for row in rows for problem in row["damaged"]]
    primary = place.primary()
    if json:
        journals = {"unsealed": unsealed(place), "kept": kept(place)}
        print_json({"store": str(place.root), "primary": primary, "entries": rows, **journals})
        return 1 if damaged else 0
    table = [
        (
            row["feed"] + ("*" if row["feed"] == primary else ""), row["type"], row["exchange"],
            row["symbol"], row["from"], row["to"], f"{row['days']:,}", f"{row['rows']:,}",
            human_bytes(row["bytes"]), _flags(row),
        )
        for row in rows
    ]  # fmt: skip
    left = [(name, "left") for name in ("feed", "type", "exchange", "symbol", "first day", "last day")]
    right = [(name, "right") for name in ("days", "rows", "size")]
    print_table([*left, *right, ("", "left")], table, names=4)
    for problem in damaged:
        note_error(problem)
    for journal in () if quiet else unsealed(place):
        size = human_bytes(journal["bytes"])
        note(
            f"{journal['feed']} {journal['day']} goes on, or is not sealed: {size} in the journal; record seals it"
        )
    for journal in () if quiet else kept(place):
        size = human_bytes(journal["bytes"])
        note(
            f"{journal['feed']} {journal['day']} is sealed, of a journal that was damaged: {size} are kept in"
            f" {journal['path']}; delete it when it is of no use"
        )
    return 1 if damaged else 0


def show(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
    type: TypeOption = "trades",
    start: FromOption = None,
    to: ToOption = None,
    format: FormatOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            parser=whole("--limit", 0),
            help="Rows at most; 0 is all [20 of a table].",
            show_default=False,
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take symbols that have some of the types, not all.")
    ] = False,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print rows. csv is Tardis' own: its header, microseconds, shortest decimals."""
    from tickreel.cli import rows as write
    from tickreel.scan.plan import Question, choose_feed
    from tickreel.store.catalog import Store

    types = tuple(dict.fromkeys(split_list(type, "--type", step=TRADES)))
    chosen = _chosen_format(format, out, json=json)
    if len(types) > 1 and not json and chosen in (Format.CSV, Format.PARQUET):
        raise UsageError(f"--format {chosen}: a file of one --type; {type} goes with table, jsonl and --json")
    if limit is None:
        limit = TABLE_ROWS if chosen is Format.TABLE and not json else 0
    place = Store.existing(store_path(store))
    # Once for all types: the primary feed may be switched meanwhile.
    feed = choose_feed(place, feed)
    question = Question(
        types[0], feed, exchange, split_list(symbol), time_option(start, "--from"), time_option(to, "--to")
    )
    shown: dict[str, Any] = {"types": types} if len(types) > 1 else {"type": types[0]}
    streams = write.streams(place, question, types, partial=partial)
    pieces = write.pieces(place, streams, question, limit)
    several = len(types) > 1
    rows = write.merged_rows(place, streams, question, limit) if several else write.json_rows(pieces)
    if json:
        print_json_rows(shown, "rows", rows)
    elif chosen is Format.TABLE:
        left_out = write.table(rows, types)
        if not quiet:
            note_left_out(left_out, "--format jsonl or --json has all")
        if limit and not quiet and (total := write.count(place, streams, question)) > limit:
            note(f"{limit:,} of {total:,} rows; --limit 0 shows all")
    elif chosen is Format.PARQUET:
        write.parquet(pieces, write.shape_of(place, streams, one_clock=False), _parquet_file(out))
    else:
        shape = write.shape_of(place, streams, one_clock=True) if chosen is Format.CSV else None
        with _opened(out) as file:
            write.csv(pieces, shape, file) if shape else write.jsonl(rows, file)


def bars(
    every: Annotated[str, typer.Option("--every", help="Length of a bar: 1s, 1m, 1h, 1d.")] = "1m",
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    to: ToOption = None,
    format: FormatOption = None,
    limit: Annotated[
        int, typer.Option("--limit", parser=whole("--limit", 0), help="Bars at most; 0 is all.")
    ] = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print bars of trades.

    Open, high, low, close, volume, buyers' volume, notional, number of trades; times without trades have
    no bar.
    """
    from tickreel.cli import rows as write
    from tickreel.scan.plan import Question, plan
    from tickreel.store.catalog import Store
    from tickreel.units import parse_duration

    chosen = _chosen_format(format, out, json=json)
    place = Store.existing(store_path(store))
    every_ns = parse_duration(every, "--every")
    if every_ns < 1:
        raise UsageError(f"--every {every}: a bar is longer than 0")
    question = Question(
        "trades", feed, exchange, split_list(symbol), time_option(start, "--from"), time_option(to, "--to")
    )
    every_bar = write.bar_rows(place, plan(place, question), question, every_ns)
    found = islice(every_bar, limit or None)
    if json:
        print_json_rows({"every_ns": every_ns}, "bars", found)
    elif chosen is Format.TABLE:
        left_out = write.bar_table(found)
        if not quiet:
            note_left_out(left_out, "--format csv or --json has all")
        if limit and not quiet and next(every_bar, None):
            note(f"{limit:,} bars shown, there are more; --limit 0 shows all")
    elif chosen is Format.PARQUET:
        write.bar_parquet(found, _parquet_file(out))
    else:
        with _opened(out) as file:
            write.bar_csv(found, file) if chosen is Format.CSV else write.bar_jsonl(found, file)


def _flags(row: dict[str, Any]) -> str:
    """Return what is unusual with an entry of `ls`."""
    from tickreel.report.words import spoken_ns

    flags = [f"{len(row['damaged']):,} damaged"] if row["damaged"] else []
    if without := row["days_without_local"]:
        flags.append("no local times" + (f" on {without:,}" if without < row["days"] else ""))
    if row["gaps"]:
        flags.append(f"{counted(row['gaps'], 'gap')} of {spoken_ns(row['gaps_ns'])}")
    flags += [
        f"{counted(late['gaps'], 'gap')} of {spoken_ns(late['gaps_ns'])} filled, local times are exchange time +"
        f" {spoken_ns(late['lag_ns'])}"
        for late in row["lagged"]
    ]
    return ", ".join(flags)


def _chosen_format(format: Format | None, out: Path | None, *, json: bool) -> Format:
    """Return how to print: as asked for, else as the file's name ends, else as a table."""
    if json and (format or out):
        raise UsageError(
            "--json prints one document on standard output; leave out --format and --out, or --json"
        )
    if out is None:
        return format or Format.TABLE
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it first")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
    known = {f".{name}": name for name in (Format.CSV, Format.JSONL, Format.PARQUET)}
    chosen = format or known.get(out.suffix.lower())
    if chosen is None:
        raise UsageError(f"--out {out}: name it {', '.join(f'*{end}' for end in known)}, or add --format")
    if chosen is Format.TABLE:
        raise UsageError("--format table goes to the screen; --out takes csv, jsonl or parquet")
    return chosen


def _parquet_file(out: Path | None) -> Path:
    if out is None:
        raise UsageError("--format parquet needs a file: add --out FILE.parquet")
    return out


def _bare_output() -> IO[bytes]:
    """Return standard output below our own wrapper of it: a reader that leaves is noticed, and ends a long output."""
    try:
        return open(sys.stdout.fileno(), "wb", closefd=False)
    except io.UnsupportedOperation:  # a notebook's, or a test's, has no descriptor
        return sys.stdout.buffer


class _opened:
    """Standard output, or a file that appears under its name only when it is whole."""

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._file: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes]:
        if self._out is None:
            self._file = _bare_output()
        else:
            self._file = open(self._partial(), "wb")
        return self._file

    def __exit__(self, kind: Any, *_: object) -> bool:
        assert self._file is not None
        if self._out is not None:
            self._file.close()
            self._partial().unlink() if kind else self._partial().replace(self._out)
            return False
        try:
            self._file.flush()
        except BrokenPipeError as error:
            kind = kind or type(error)
        # Whoever read our output has left, as `head` does: no error, and nobody to tell.
        return kind is not None and issubclass(kind, BrokenPipeError)

    def _partial(self) -> Path:
        assert self._out is not None
        return self._out.with_name(f".{self._out.name}.partial")
