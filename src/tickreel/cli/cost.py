"""`tickreel cost`: what each provider costs for a use, from a rate card."""

import os
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.options import FeedOption, JsonOption, QuietOption, StoreOption, store_path
from tickreel.cli.output import note, print_json, print_table
from tickreel.errors import UsageError
from tickreel.units import counted

_MOST_DIGITS = 18


class Per(StrEnum):
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


TradesOption = Annotated[
    str | None, typer.Option("--trades", help="Trades downloaded, e.g. 1e9.", show_default=False)
]
MessagesOption = Annotated[
    str | None, typer.Option("--messages", help="Rows of other types.", show_default=False)
]
CallsOption = Annotated[str | None, typer.Option("--calls", help="Requests, or files.", show_default=False)]
GigabytesOption = Annotated[
    str | None, typer.Option("--gigabytes", help="10^9 bytes downloaded.", show_default=False)
]
OnceOption = Annotated[
    str | None,
    typer.Option("--migration-cost", help="What moving costs once: when does it pay?", show_default=False),
]


def cost(
    trades: TradesOption = None,
    messages: MessagesOption = None,
    calls: CallsOption = None,
    gigabytes: GigabytesOption = None,
    per: Annotated[
        Per, typer.Option("--per", help="What these counts are for; a year has 365 days.")
    ] = Per.MONTH,
    from_store: Annotated[
        bool, typer.Option("--from-store", help="Take the counts from what a feed of the store was made of.")
    ] = False,
    store: StoreOption = None,
    feed: FeedOption = None,
    migration_cost: OnceOption = None,
    card: Annotated[
        Path | None,
        typer.Option(
            "--card", help="Your rate card [else TICKREEL_RATES, else the built-in one].", show_default=False
        ),
    ] = None,
    print_card: Annotated[
        bool, typer.Option("--print-card", help="Print the built-in rate card, to be edited.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what each provider costs, and when moving pays."""
    from tickreel.config.bills import Use, bills, per_month
    from tickreel.config.rates import card_text, load_card

    if print_card:
        typer.echo(card_text(), nl=False)
        return
    given = {"trades": trades, "messages": messages, "calls": calls, "gigabytes": gigabytes}
    counts = {name: _number(text, f"--{name}") for name, text in given.items() if text is not None}
    found = None
    if from_store:
        if counts:
            raise UsageError(
                f"--from-store counts by itself: leave --{next(iter(counts))} out, or --from-store"
            )
        found = _from_store(store, feed)
        counts, per = found.pop("counts"), Per.DAY
    if not any(counts.values()):
        given_0 = " ".join(f"--{name} {text}" for name, text in given.items() if text is not None)
        raise UsageError(
            f"{given_0 or 'no count'}: nothing to price; give --trades, --messages, --calls or --gigabytes above 0,"
            " or --from-store"
        )
    use = Use(**{name: per_month(count, per) for name, count in counts.items()})
    rates = load_card(_card_file(card))
    once = None if migration_cost is None else _number(migration_cost, "--migration-cost")
    priced = bills(rates, use, migration_cost=once)
    if json:
        print_json(_document(rates, use, found, once, priced))
        return
    _print(rates, priced)
    if not quiet:
        _notes(rates, use, found, priced)


def _card_file(card: Path | None) -> Path | None:
    """Return the card that is asked for; UsageError where that is a folder."""
    name, place = ("--card", str(card)) if card else ("TICKREEL_RATES", os.environ.get("TICKREEL_RATES", ""))
    if place and Path(place).expanduser().is_dir():
        raise UsageError(f"{name} {place}: is a folder; name a file, e.g. rates.toml")
    return card


def _number(text: str, name: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value < 10**_MOST_DIGITS):
        raise UsageError(
            f"{name} {text!r}: write a number from 0 to below 1e{_MOST_DIGITS}, e.g. 1e9 or 1_000_000"
        )
    return value


def _from_store(store: str | None, feed: str | None) -> dict[str, Any]:
    """Return what a feed was made of, and as `counts` that a day on average."""
    from tickreel.scan.plan import choose_feed
    from tickreel.store.catalog import Store
    from tickreel.store.volumes import volumes

    place = Store.existing(store_path(store))
    chosen = choose_feed(place, feed)
    found = volumes(place, chosen)
    if not found.days:
        raise UsageError(f"--from-store: feed {chosen} of {place.root} has no day")
    whole = {
        "trades": Decimal(found.trades), "messages": Decimal(found.messages), "calls": Decimal(found.files),
        "gigabytes": Decimal(found.bytes).scaleb(-9),
    }  # fmt: skip
    return {
        "store": str(place.root), "feed": chosen, "days": found.days, "trades": found.trades,
        "messages": found.messages, "files": found.files, "bytes": found.bytes,
        "counts": {name: count / found.days for name, count in whole.items()},
    }  # fmt: skip


def _print(rates: Any, priced: list[Any]) -> None:
    from tickreel.config.bills import money

    asked = any(bill.payback is not None for bill in priced)
    heads = ["provider", f"{rates.currency} a month", "a year", "cheapest saves a month", "a year"]
    rows = [
        (
            bill.provider.name, money(bill.month), money(bill.year), money(bill.saves_month), money(bill.saves_year),
            *((f"{bill.payback:,}" if bill.payback is not None else "",) if asked else ()),
        )
        for bill in priced
    ]  # fmt: skip
    columns = [(head, "right" if number else "left") for number, head in enumerate(heads)]
    print_table(columns + ([("pays after months", "right")] if asked else []), rows)


def _notes(rates: Any, use: Any, found: dict[str, Any] | None, priced: list[Any]) -> None:
    if found:
        note(
            f"feed {found['feed']}: {counted(found['trades'], 'trade')}, {counted(found['messages'], 'other row')} in"
            f" {counted(found['files'], 'file')} of {counted(found['bytes'], 'byte')} on {counted(found['days'], 'day')}; a month is 365/12 days"
        )
    units = ", ".join(f"{_shown(getattr(use, name))} {name}" for name in use.__slots__ if getattr(use, name))
    note(f"{units} a month; {rates.source}")
    if rates.note:
        note(rates.note)
    for bill in priced:
        of = bill.provider
        less = f", {bill.discount.normalize():f} % discount" if bill.discount else ""
        note(
            f"{of.name}: rate {of.rate.normalize():f} ({of.currency}){less}; {of.date.isoformat()}, {of.source}"
        )


def _shown(count: Decimal) -> str:
    return f"{round(count):,}" if count >= 1_000 else f"{float(count):.4g}"


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _document(
    rates: Any, use: Any, found: dict[str, Any] | None, once: Decimal | None, priced: list[Any]
) -> dict[str, Any]:
    return {
        "card": rates.source, "note": rates.note, "currency": rates.currency,
        "use": {name: _text(round(getattr(use, name), 9)) for name in use.__slots__},
        "from_store": found, "migration_cost": None if once is None else _text(once),
        "cheapest": priced[0].provider.key,
        "providers": [
            {
                "provider": bill.provider.key, "name": bill.provider.name, "paid_in": bill.provider.currency,
                "rate": _text(bill.provider.rate), "date": bill.provider.date.isoformat(), "source": bill.provider.source,
                "items": {unit: _text(value) for unit, value in bill.items.items()}, "fixed": _text(bill.fixed),
                "discount_percent": _text(bill.discount), "month": _text(bill.month), "year": _text(bill.year),
                "saves_month": _text(bill.saves_month), "saves_year": _text(bill.saves_year),
                "payback_months": None if bill.payback is None else _text(bill.payback),
                "payback_none": bill.payback_none,
            }
            for bill in priced
        ],
    }  # fmt: skip
