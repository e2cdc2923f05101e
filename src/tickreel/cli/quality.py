"""`tickreel quality`: what the stored rows are like, and what is missing."""

from pathlib import Path
from typing import Annotated, Any

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
    whole,
)
from tickreel.cli.output import note, print_json, print_rich, progress_bars
from tickreel.cli.pages import check_target, put_page
from tickreel.units import counted


def quality(
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    types: Annotated[
        str | None,
        typer.Option("--types", help="Record types, e.g. trades,quotes [all].", show_default=False),
    ] = None,
    start: FromOption = None,
    to: ToOption = None,
    gap: Annotated[
        str | None,
        typer.Option(
            "--gap", help="A longer silence is a gap, e.g. 30s [from the rows' pace].", show_default=False
        ),
    ] = None,
    require: Annotated[
        bool, typer.Option("--require", help="Exit 1 if a day that was asked for is missing.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the report to this HTML file too.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", parser=whole("--limit", 1), help="Lines of each table.")
    ] = 20,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Report how good the data is, per symbol and day.

    Gaps, clocks, ids, prices and books, and the days that are missing.
    Every symbol is looked for with every type on every day of the range.
    """
    from tickreel.quality.asked import Asked
    from tickreel.quality.survey import survey
    from tickreel.quality.view import view
    from tickreel.report.quality_terminal import quality_table
    from tickreel.store.catalog import Store
    from tickreel.units import parse_duration

    place = Store.existing(store_path(store))
    asked = Asked(
        feed, exchange, split_list(symbols), split_list(types, "--types"), time_option(start, "--from"),
        time_option(to, "--to"), None if gap is None else parse_duration(gap, "--gap"),
    )  # fmt: skip
    if out:
        check_target(out, "--out", "quality.html")
    with progress_bars(not (json or quiet)) as bars:
        chosen, streams = survey(
            place, asked, workers=workers,
            on_plan=lambda count: bars.begin("measure", count, unit=counted(count, "segment")),
            on_progress=lambda done: bars.at("measure", done),
        )  # fmt: skip
    found = view(str(place.root), chosen, asked, streams)
    if not json:
        print_rich(quality_table(found, limit))
    if out:
        _write_page(out, found)
        if not (json or quiet):
            note(f"report: {out}")
    if json:
        print_json(found)
    missing = any(stream["missing"] for stream in found["streams"])
    return 1 if found["totals"]["unreadable"] or (require and missing) else 0


def _write_page(out: Path, found: Any) -> None:
    from datetime import UTC, datetime

    from tickreel import __version__
    from tickreel.quality.figures import FIGURES
    from tickreel.quality.verdicts import EXTRA_RULES, RULES
    from tickreel.report.quality_html import quality_html

    page = quality_html(
        found,
        figures=[(figure.name, f"{figure.doc} ({figure.unit})") for figure in FIGURES],
        rules=[*((rule.name, rule.doc) for rule in RULES), *EXTRA_RULES.items()],
        version=__version__,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    put_page(out, page)
