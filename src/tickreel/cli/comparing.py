"""`tickreel compare`: how two feeds differ, row by row."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    ExchangeOption,
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
    whole,
)
from tickreel.cli.output import note, print_json, print_rich, progress_bars
from tickreel.cli.pages import check_target, put_page
from tickreel.errors import UsageError
from tickreel.units import counted

AArgument = Annotated[str, typer.Argument(help="The feed to hold the other to, or FEED@STORE.", metavar="A")]
BArgument = Annotated[str, typer.Argument(help="The other feed, or FEED@STORE.", metavar="B")]
TypesOption = Annotated[
    str | None, typer.Option("--types", help="Record types, e.g. trades,quotes [all].", show_default=False)
]
WindowOption = Annotated[str, typer.Option("--window", help="How far apart in time partners may be.")]
TimeToleranceOption = Annotated[
    str, typer.Option("--time-tolerance", help="Exchange times so near are equal, e.g. 1ms.")
]
PriceToleranceOption = Annotated[str, typer.Option("--price-tolerance", help="Prices so near are equal.")]
AmountToleranceOption = Annotated[str, typer.Option("--amount-tolerance", help="Amounts so near are equal.")]
LateOption = Annotated[str, typer.Option("--late", help="B's local time after A's by more is late.")]
MaxMissingOption = Annotated[
    str, typer.Option("--max-missing", help="Rows of A that B may lack: 10, 0.01% or none (no limit).")
]
MaxExtraOption = Annotated[str, typer.Option("--max-extra", help="Rows that B may have and A has not.")]
MaxDifferentOption = Annotated[str, typer.Option("--max-different", help="Rows that may differ.")]
MaxLateOption = Annotated[str, typer.Option("--max-late", help="Rows that may be late in B.")]
MaxDaysOption = Annotated[str, typer.Option("--max-days", help="Days that one feed alone may hold.")]


def compare(
    a: AArgument,
    b: BArgument,
    store: StoreOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    types: TypesOption = None,
    start: FromOption = None,
    to: ToOption = None,
    window: WindowOption = "10s",
    time_tolerance: TimeToleranceOption = "0",
    price_tolerance: PriceToleranceOption = "0",
    amount_tolerance: AmountToleranceOption = "0",
    late: LateOption = "100ms",
    max_missing: MaxMissingOption = "0",
    max_extra: MaxExtraOption = "0",
    max_different: MaxDifferentOption = "0",
    max_late: MaxLateOption = "none",
    max_days: MaxDaysOption = "0",
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the report to this HTML file too.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", parser=whole("--limit", 1), help="Lines of each table.")
    ] = 20,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Compare two feeds row by row; exit 0 if equal, else 1.

    Equal is within the limits. Rows are matched by id where both feeds have ids, else by time, price, amount and side.
    """
    from tickreel.quality.compare import compare as compared
    from tickreel.quality.compare_view import view
    from tickreel.report.compare_terminal import compare_table

    asked = question(
        a, b, store_path(store), (exchange, symbols, types, start, to),
        (window, time_tolerance, price_tolerance, amount_tolerance, late),
    )  # fmt: skip
    limits = limits_of(max_missing, max_extra, max_different, max_late, max_days)
    if html:
        check_target(html, "--html", "compare.html")
    with progress_bars(not (json or quiet)) as bars:
        days = compared(
            asked, workers=workers,
            on_plan=lambda count: bars.begin("compare", count, unit=counted(count, "day")),
            on_progress=lambda done: bars.at("compare", done),
        )  # fmt: skip
        found = view(asked, limits, days)
    if json:
        print_json(found)
    else:
        print_rich(compare_table(found, limit))
    if html:
        _write_page(html, found)
        if not (json or quiet):
            note(f"report: {html}")
    return 0 if found["equal"] else 1


def question(
    a: str, b: str, store: str, what: tuple[str | None, ...], how: tuple[str, str, str, str, str]
) -> Any:
    """Return what is asked. what: --exchange, --symbols, --types, --from, --to; how: --window to --late."""
    from tickreel.quality.compare import Asked, feed_of

    exchange, symbols, types, start, to = what
    return Asked(
        feed_of(a, store), feed_of(b, store), exchange, split_list(symbols), split_list(types, "--types"),
        time_option(start, "--from"), time_option(to, "--to"), _rules(*how),
    )  # fmt: skip


def _rules(window: str, time: str, price: str, amount: str, late: str) -> Any:
    from tickreel.quality.compare_day import MOST_WINDOW_NS, Rules
    from tickreel.units import format_duration, parse_duration

    window_ns, time_ns = parse_duration(window, "--window"), parse_duration(time, "--time-tolerance")
    for name, text, ns in (("--window", window, window_ns), ("--time-tolerance", time, time_ns)):
        if ns > MOST_WINDOW_NS:
            raise UsageError(f"{name} {text}: at most {format_duration(MOST_WINDOW_NS)}")
    return Rules(
        time_ns, _tolerance(price, "--price-tolerance"), _tolerance(amount, "--amount-tolerance"),
        window_ns, parse_duration(late, "--late"),
    )  # fmt: skip


def _tolerance(text: str, name: str) -> float:
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value < 10**15):
        raise UsageError(f"{name} {text!r}: write a number of 0 or more, e.g. 0.01")
    return float(value)


def limits_of(missing: str, extra: str, different: str, late: str, days: str) -> Any:
    from tickreel.quality.compare_limits import Limits, parse_limit

    return Limits(
        parse_limit(missing, "--max-missing"), parse_limit(extra, "--max-extra"),
        parse_limit(different, "--max-different"), parse_limit(late, "--max-late"), parse_limit(days, "--max-days"),
    )  # fmt: skip


def _write_page(html: Path, found: Any) -> None:
    from datetime import UTC, datetime

    from tickreel import __version__
    from tickreel.report.compare_html import compare_html

    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    put_page(html, compare_html(found, version=__version__, created=created))
