"""`tickreel stats`, `check` and `rm`: the state of the store."""

from typing import Annotated

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
    WorkersOption,
    split_list,
    store_path,
    time_option,
)
from tickreel.cli.output import note, print_json, print_table, progress_bars

TypesOption = Annotated[str | None, typer.Option("--type", help="Record type [all].", show_default=False)]


def stats(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    type: TypesOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show where the bytes are: per column the bytes per row, the codecs and the ratio."""
    from tickreel.store.catalog import Store
    from tickreel.store.describe import describe, select
    from tickreel.units import human_bytes

    place = Store.existing(store_path(store))
    keys = select(place, feed=feed, type=type, exchange=exchange, symbols=split_list(symbols))
    found = describe(place, keys)
    if json:
        print_json({"store": str(place.root), "types": found})
        return
    for entry in found:
        columns = [
            ("column", "left"),
            ("bytes/row", "right"),
            ("share", "right"),
            ("ratio", "right"),
            ("codecs", "left"),
        ]
        rows = [
            (
                row["column"], f"{row['bytes_per_row']:.3f}", f"{row['share']:.1%}",
                f"{row['ratio']:.1f}", ", ".join(f"{name} {share:.0%}" for name, share in row["codecs"].items()),
            )
            for row in entry["columns"]
        ]  # fmt: skip
        title = (
            f"{entry['type']}: {entry['rows']:,} rows in {entry['segments']:,} segments, "
            f"{human_bytes(entry['bytes'])}: {entry['bytes_per_row']:.3f} bytes/row with footers; "
            f"the source files had {entry['source_bytes_per_row']:.2f}"
        )
        print_table(columns, rows, title)


def check(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    type: TypesOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Verify every checksum and every invariant; exit 1 if one does not hold."""
    from tickreel.ingest.check import check_store
    from tickreel.store.catalog import Store
    from tickreel.store.describe import select

    place = Store.existing(store_path(store))
    keys = list(select(place, feed=feed, type=type, exchange=exchange, symbols=split_list(symbols)))
    with progress_bars(not (json or quiet)) as bars:
        bars.begin("check", len(keys), unit=f"{len(keys):,} segments")
        report = check_store(place, keys, workers=workers, on_progress=lambda done: bars.at("check", done))
    if json:
        print_json({"store": str(place.root), **report})
    else:
        for problem in report["problems"]:
            typer.echo(problem)
        if not quiet:
            verdict = f"{len(report['problems']):,} problems" if report["problems"] else "all is well"
            note(
                f"{report['segments']:,} segments, {report['rows']:,} rows, {report['bytes']:,} bytes: {verdict}"
            )
    return 1 if report["problems"] else 0


def rm(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    type: TypesOption = None,
    start: FromOption = None,
    to: ToOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Needed to remove without any other choice.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove days. --from and --to must be midnights: a day is kept or removed as a whole."""
    from tickreel.ingest.remove import remove
    from tickreel.store.catalog import Store
    from tickreel.store.describe import select
    from tickreel.units import human_bytes

    place = Store.existing(store_path(store))
    report = remove(
        place,
        lambda: select(
            place, feed=feed, type=type, exchange=exchange, symbols=split_list(symbols),
            from_ns=time_option(start, "--from"), to_ns=time_option(to, "--to"), whole_days=True,
        ),
        chosen=everything or any((feed, exchange, symbols, type, start, to)),
        dry_run=dry_run,
    )  # fmt: skip
    if json:
        print_json({"store": str(place.root), **report})
    elif not quiet:
        for name in report["segments"]:
            typer.echo(name)
        what = "would be removed" if dry_run else "removed"
        note(f"{len(report['segments']):,} segments, {human_bytes(report['bytes'])} {what}")
