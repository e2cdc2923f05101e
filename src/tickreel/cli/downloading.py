"""`tickreel download`: days of a provider into the store."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    REQUIRED,
    TRADES,
    JsonOption,
    MemoryLimitOption,
    QuietOption,
    StoreOption,
    WorkersOption,
    check_provider,
    file,
    split_list,
    store_path,
    whole,
)
from tickreel.cli.output import Bars, note, print_json, progress_bars, wait_text
from tickreel.errors import UsageError
from tickreel.ingest.download.show import Show
from tickreel.units import counted, human_bytes, parse_time


def download(
    exchange: Annotated[str, typer.Option("--exchange", help="As Tardis calls it, e.g. binance-futures.")],
    symbols: Annotated[str, typer.Option("--symbols", help="SYMBOL,... or groups: OPTIONS, PERPETUALS ...")],
    start: Annotated[str, typer.Option("--from", help="First day, UTC.")],
    to: Annotated[str, typer.Option("--to", help="First day not taken any more, UTC.")],
    type_: Annotated[str, typer.Option("--type", help="Record types, A,B,...")] = "trades",
    provider: Annotated[str, typer.Option("--provider", help="Who is asked; also the feed.")] = "tardis",
    keep_files: Annotated[
        Path | None,
        typer.Option(
            "--keep-files",
            parser=file("--keep-files", "files"),
            help="Folder in which the files stay, too [none].",
            show_default=False,
        ),
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option(
            "--parallel",
            parser=whole("--parallel", 1, 200),
            help="Requests at a time [as the profile says; tardis: 20].",
            show_default=False,
        ),
    ] = None,
    memory_limit: MemoryLimitOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let a day take the place of other rows of the same time.")
    ] = False,
    optimise: Annotated[
        str, typer.Option("--optimise", help="What to compress for: size, balanced, speed or plain.")
    ] = "balanced",
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Download days into the store. What it has is not asked for; a killed download goes on where it was.

    The key comes from the environment (TARDIS_API_KEY ...) or the keyring; the first day of each month is free.
    """
    from tickreel.codecs.choice import check_purpose
    from tickreel.ingest.download.days import download as run
    from tickreel.ingest.download.job import DownloadSettings
    from tickreel.ingest.download.plan import Wanted
    from tickreel.store.catalog import Store

    check_provider(provider)
    if keep_files is not None and keep_files.exists() and not keep_files.is_dir():
        raise UsageError(f"--keep-files {keep_files}: that is a file; name a folder")
    settings = DownloadSettings(
        provider, keep_files, parallel,
        memory_bytes=memory_limit,
        replace=replace, optimise=check_purpose(optimise, "--optimise"), workers=workers,
    )  # fmt: skip
    wanted = Wanted(
        exchange, split_list(type_, "--type", step=TRADES), split_list(symbols, step=REQUIRED),
        parse_time(start, "--from"), parse_time(to, "--to"),
    )  # fmt: skip
    with progress_bars(not (json or quiet)) as bars:
        summary = run(Store(store_path(store)), wanted, settings, show=DownloadProgress(bars))
    if json:
        print_json(download_document(summary))
    else:
        report_download(summary, quiet=quiet)
    return summary.exit_code


class DownloadProgress(Show):
    """One bar over the days, with bytes and rows a second."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._begun = time.monotonic()
        self._planned = (0, 0)

    def plan(self, there: int, lacking: int) -> None:
        self._planned = there, lacking

    def progress(self, days: int, *, fetched_bytes: int, rows: int, waits: Any) -> None:
        there, lacking = self._planned
        if lacking:  # with the first look: until then the key may be refused
            self._bars.begin("download", lacking, unit=f"{counted(lacking, 'day')}, {there:,} there already")
            self._planned = there, 0
        seconds = max(time.monotonic() - self._begun, 0.001)
        unit = f"{human_bytes(fetched_bytes / seconds)}/s, {rows / seconds:,.0f} rows/s"
        if waits:
            self._bars.waits(waits)
            unit += f", {wait_text(waits)}"
        self._bars.at("download", days, unit=unit)

    def books(self, done: int, total: int) -> None:
        if done == 1:
            self._bars.begin("order books", total, unit=counted(total, "day"))
        self._bars.at("order books", done)


def download_document(summary: Any) -> dict[str, Any]:
    """Return what `--json` prints."""
    from tickreel.cli.importing import findings_document

    days = []
    for day in summary.days:
        row = {
            "exchange": day.file.exchange, "type": day.file.type, "symbol": day.file.symbol, "day": day.file.day,
            "state": day.state, "rows": day.rows, "bytes": day.bytes,
            "lacks": day.lacks or None,
        }  # fmt: skip
        if day.state in ("imported", "empty"):
            row |= findings_document(day.imported)
        if day.error:
            row |= {"error": day.error, "error_type": day.error_type}
        days.append(row)
    totals = {
        **summary.counts, "rows": sum(day.rows for day in summary.days),
        "bytes": sum(day.bytes for day in summary.days), "seconds": summary.seconds,
    }  # fmt: skip
    return {
        "store": summary.store, "feed": summary.feed, "totals": totals, "books": summary.books, "days": days,
        "exit_code": summary.exit_code,
    }  # fmt: skip


def report_download(summary: Any, *, quiet: bool) -> None:
    """Print what became of the days: totals, what is odd, and which are missing, refused or failed, and why."""
    from tickreel.cli.importing import print_findings

    if not quiet:
        parts = [f"{count:,} {_WORDS[state]}" for state, count in summary.counts.items() if count]
        rows, size = (sum(getattr(day, name) for day in summary.days) for name in ("rows", "bytes"))
        note(
            f"days: {', '.join(parts)}; {counted(rows, 'row')}, {human_bytes(size)} in {summary.seconds:,.1f} s"
        )
        print_findings([day.imported for day in summary.days if day.imported])
        for text in _problems([day for day in summary.days if day.lacks], what="lacks"):
            note(
                f"there already: {text}; nothing is asked for into the same feed: another provider is a feed of its own"
            )
    for state, color in (("missing", "yellow"), ("refused", "red"), ("failed", "red")):
        if quiet and state == "missing":
            continue
        for text in _problems([day for day in summary.days if day.state == state]):
            typer.secho(f"{state}: ", err=True, nl=False, fg=color)
            note(text)
    for problem in summary.books:
        note(f"no order book: {problem}")


_NAMED = 5
"""Symbols that a line about what is missing names."""
_URL = re.compile(r"https?://[^ ]+")
_WORDS = {
    "imported": "imported", "there": "there already", "empty": "without rows", "missing": "missing",
    "refused": "refused", "failed": "failed",
}  # fmt: skip


def _problems(days: list[Any], what: str = "error") -> Iterator[str]:
    """Yield a line for all days about which the same was said, whatever the address: which, and what of the first.

    what  attribute that has what was said
    """
    said: dict[str, list[Any]] = {}
    for day in days:
        said.setdefault(_URL.sub("", getattr(day, what)), []).append(day)
    for some in said.values():
        yield f"{named(some)}: {getattr(some[0], what)}"


def named(days: list[Any]) -> str:
    """Return which days these are, in a few words."""
    names = list(dict.fromkeys(f"{day.file.type} {day.file.symbol}" for day in days))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    first, last = (pick(day.file.day for day in days) for pick in (min, max))
    when = first if first == last else f"{counted(len(days), 'day')} from {first} to {last}"
    return f"{', '.join(names[:_NAMED])}{more}, {when}"
