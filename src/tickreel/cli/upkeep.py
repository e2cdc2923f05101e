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
    """Show where the bytes are, column by column.

    Bytes per row, share, ratio and codecs.
    """
    from tickreel.store.catalog import Store
    from tickreel.store.describe import describe, select
    from tickreel.units import counted, human_bytes

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
        typer.echo(
            f"{entry['type']}: {counted(entry['rows'], 'row')} in {counted(entry['segments'], 'segment')},"
            f" {human_bytes(entry['bytes'])}: {entry['bytes_per_row']:.3f} bytes/row with footers; the source"
            f" files had {entry['source_bytes_per_row']:.2f}"
        )
        print_table(columns, rows)


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
    """Verify every checksum and every invariant.

    Exit 1 if one does not hold.
    """
    from tickreel.ingest.files.check import check_store
    from tickreel.store.catalog import Store
    from tickreel.store.describe import select
    from tickreel.units import counted

    place = Store.existing(store_path(store))
    keys = list(select(place, feed=feed, type=type, exchange=exchange, symbols=split_list(symbols)))
    with progress_bars(not (json or quiet)) as bars:
        bars.begin("check", len(keys), unit=counted(len(keys), "segment"))
        report = check_store(place, keys, workers=workers, on_progress=lambda done: bars.at("check", done))
    if json:
        print_json({"store": str(place.root), **report})
    else:
        for problem in report["problems"]:
            typer.echo(problem)
        if not quiet:
            verdict = counted(len(report["problems"]), "problem") if report["problems"] else "all is well"
            files = (
                f", {counted(report['checkpoints'], 'file')} of checkpoints" if report["checkpoints"] else ""
            )
            note(
                f"{counted(report['segments'], 'segment')}, {counted(report['rows'], 'row')},"
                f" {counted(report['bytes'], 'byte')}{files}: {verdict}"
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
    """Remove days.

    --from and --to must be midnights: a day is kept or removed as a whole.
    """
    from tickreel.ingest.files.remove import remove
    from tickreel.store.catalog import Store
    from tickreel.store.describe import select
    from tickreel.units import counted, human_bytes

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
        return
    for name in report["segments"]:
        typer.echo(name)
    if not quiet:
        what = "would be removed" if dry_run else "removed"
        note(f"{counted(len(report['segments']), 'segment')}, {human_bytes(report['bytes'])} {what}")
