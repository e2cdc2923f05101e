"""`tickreel book`: an order book at a time."""

from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    ExchangeOption,
    FeedOption,
    JsonOption,
    QuietOption,
    StoreOption,
    store_path,
    whole,
)
from tickreel.cli.output import note, print_json, print_table


def book(
    symbol: Annotated[str, typer.Argument(help="[EXCHANGE:]SYMBOL, e.g. binance:BTCUSDT.", metavar="SYMBOL")],
    at: Annotated[str, typer.Option("--at", help="Time, UTC, e.g. 2024-01-01T09:30:00.5.")],
    depth: Annotated[
        int, typer.Option("--depth", parser=whole("--depth", 0), help="Levels of each side; 0 is all.")
    ] = 10,
    uncross: Annotated[
        bool, typer.Option("--uncross", help="Drop the older levels where bid and ask meet or cross.")
    ] = False,
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print an order book as it stood at a time.

    It is rebuilt from incremental_book_L2.
    """
    from tickreel.books.at import book_at
    from tickreel.store.catalog import Store
    from tickreel.units import format_time, parse_time

    found = book_at(
        Store.existing(store_path(store)), symbol, parse_time(at, "--at"),
        exchange=exchange, feed=feed, depth=depth or None, uncross=uncross,
    )  # fmt: skip
    if json:
        print_json(_document(found))
        return
    columns = [(name, "right") for name in ("bid amount", "bid", "ask", "ask amount")]
    print_table(columns, _rows(found))
    if not quiet:
        note(
            f"{found.exchange}:{found.symbol} at {format_time(found.at_ns)}: last message"
            f" {format_time(found.last_ns)}, snapshot {format_time(found.snapshot_ns)}"
        )
        if found.is_crossed:
            note("the book is crossed: a level that was removed may be missing in the data; see --uncross")


def _rows(found: Any) -> list[tuple[str, ...]]:
    from tickreel.sources.csv_text import float_text

    bids, asks = found.bids, found.asks
    sides = (bids.amount, bids.price, asks.price, asks.amount)
    return [
        tuple(float_text(float(side[level])) if level < len(side) else "" for side in sides)
        for level in range(max(len(bids.price), len(asks.price)))
    ]


def _document(found: Any) -> dict[str, Any]:
    names = ("exchange", "symbol", "at_ns", "last_ns", "snapshot_ns", "uncross", "is_crossed")
    sides = {
        side: [
            {"price": price, "amount": amount}
            for price, amount in zip(levels.price.tolist(), levels.amount.tolist(), strict=True)
        ]
        for side, levels in (("bids", found.bids), ("asks", found.asks))
    }
    return {name: getattr(found, name) for name in names} | sides
