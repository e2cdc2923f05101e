"""`tickreel instruments import` and `show`: what contracts are, and who says so."""

from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    ExchangeOption,
    FeedOption,
    JsonOption,
    QuietOption,
    StoreOption,
    store_path,
    time_option,
)
from tickreel.cli.output import note, print_json, print_table
from tickreel.units import counted, format_time

_NAMED = 10
"""Symbols without data that a note names."""

app = typer.Typer(
    help="Say what contracts are, as of a date. Tick, lot, multiplier, fees; what a run may take for money.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("import")
def import_(
    paths: Annotated[
        list[str],
        typer.Argument(help="Tardis' instruments (.json), or your own (.toml).", metavar="FILE..."),
    ],
    store: StoreOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Put a checked copy of instruments into the store: .json replaces symbol by symbol, .toml as a whole."""
    from tickreel.ingest.files.instruments import import_instruments
    from tickreel.store.catalog import Store

    place = Store(store_path(store))
    reports = import_instruments(place, paths)
    refused = [text for report in reports for text in report.refused]
    if json:
        print_json({"store": str(place.root), "files": reports, "exit_code": 1 if refused else 0})
    else:
        for text in refused:
            typer.echo(f"refused: {text}")
        for report in [] if quiet else reports:
            names = ", ".join(report.exchanges) or "no exchange"
            left = f", {len(report.refused):,} refused" if report.refused else ""
            note(f"{report.path}: {counted(report.instruments, 'instrument')} of {names}{left}")
            if report.absent:
                note(_absent_text(report.absent))
    return 1 if refused else 0


def _absent_text(absent: dict[str, str | None]) -> str:
    told = [
        name + (f" (did you mean {near}?)" if near else "") for name, near in list(absent.items())[:_NAMED]
    ]
    more = f" and {len(absent) - _NAMED:,} more" if len(absent) > _NAMED else ""
    return f"the store has no data of {', '.join(told)}{more}: what is known of a symbol counts once it has"


@app.command("show")
def show(
    symbol: Annotated[
        str | None, typer.Argument(help="[EXCHANGE:]SYMBOL [all of the store's data].", show_default=False)
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Time, UTC [that of the last row].", show_default=False)
    ] = None,
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what is known, from where and for which time, and whether a run would take it."""
    from tickreel.cli.contracts import descriptions
    from tickreel.store.catalog import Store

    place = Store(store_path(store))
    found = descriptions(place, symbol, exchange=exchange, feed=feed, at_ns=time_option(at, "--at"))
    if json:
        print_json({"store": str(place.root), "instruments": found})
    elif symbol is None:
        _print_list(found)
    else:
        for row in found:
            _print_facts(row)


def _print_list(rows: list[dict[str, Any]]) -> None:
    names = ("kind", "contract", "multiplier", "tick", "lot", "maker_fee", "taker_fee")
    left = [(name, "left") for name in ("exchange", "symbol", "at", *names, "run")]
    table = []
    for row in rows:
        facts = {fact["name"]: fact["value"] for fact in row["facts"]}
        cells = (facts.get(name, "-") for name in names)
        verdict = "refused" if row["refused"] else "taken"
        table.append((row["exchange"], row["symbol"], format_time(row["at_ns"]), *cells, verdict))
    print_table(left, table, names=3)


def _print_facts(row: dict[str, Any]) -> None:
    left = [(name, "left") for name in ("fact", "value", "from", "to", "source")]
    units = {"multiplier": f" {row['multiplier_currency']}"} if row["multiplier_currency"] else {}
    facts = [
        (
            fact["name"],
            fact["value"] + units.get(fact["name"], ""),
            _time(fact["from_ns"]),
            _time(fact["to_ns"]),
            fact["source"],
        )
        for fact in row["facts"]
    ]
    typer.echo(f"{row['exchange']}:{row['symbol']} at {format_time(row['at_ns'])}")
    print_table(left, facts)
    if row["unknown"]:
        typer.echo(f"not known: {', '.join(row['unknown'])}")
    typer.echo(row["refused"] or "a run takes it: quantity x price x multiplier is money")


def _time(ns: int | None) -> str:
    return "-" if ns is None else format_time(ns)
