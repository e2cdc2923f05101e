"""`tickreel raw`: Tardis' raw feeds into a folder that its official clients share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    REQUIRED,
    JsonOption,
    QuietOption,
    check_exchange,
    check_provider,
    file,
    split_list,
    whole,
)
from tickreel.cli.output import note, print_json, progress_bars, wait_text
from tickreel.sources.tardis_feeds import MINUTE_NS
from tickreel.units import counted, format_time, human_bytes, parse_time


def raw(
    exchange: Annotated[str, typer.Option("--exchange", help="As Tardis calls it, e.g. binance-futures.")],
    channels: Annotated[
        str, typer.Option("--channels", help="Of the exchange's own feed, e.g. trade,depth.")
    ],
    start: Annotated[str, typer.Option("--from", help="First minute, UTC.")],
    to: Annotated[str, typer.Option("--to", help="First minute not taken any more, UTC.")],
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", help="As on that feed, e.g. btcusdt [all].", show_default=False),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            parser=file("--cache", "cache"),
            help="Folder [TMP/.tardis-cache, as Tardis' clients].",
            show_default=False,
        ),
    ] = None,
    provider: Annotated[str, typer.Option("--provider", help="Who is asked.")] = "tardis",
    parallel: Annotated[
        int | None,
        typer.Option(
            "--parallel",
            parser=whole("--parallel", 1, 200),
            help="Requests at a time [20].",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Fetch raw messages, minute by minute. Minutes that the folder has are not asked for.

    They stay as the exchange sent them: nothing of them gets into a store yet.
    """
    from tickreel.ingest.download.raw_feeds import download_feeds
    from tickreel.sources.tardis_feeds import Feed

    check_exchange(exchange)
    check_provider(provider)
    feed = Feed(exchange, split_list(channels, "--channels", step=REQUIRED), split_list(symbols))
    place = cache or Path(tempfile.gettempdir()) / ".tardis-cache"
    from_ns, to_ns = parse_time(start, "--from"), parse_time(to, "--to")
    with progress_bars(not (json or quiet)) as bars:
        bars.begin("raw", max(1, (to_ns - from_ns) // MINUTE_NS), unit="minutes")

        def waits(minutes: int, wait: Any) -> None:
            bars.waits(wait)
            bars.at("raw", minutes, unit=wait_text(wait, until=True))

        summary = download_feeds(
            place, feed, from_ns, to_ns, provider=provider, parallel=parallel,
            on_progress=lambda minutes, count: bars.at("raw", minutes, unit=human_bytes(count)),
            on_wait=waits,
        )  # fmt: skip
        if summary.minutes == summary.done:
            bars.end("raw")
    lost = sorted(summary.failed, key=lambda one: one[0].from_ns)
    failed = [(format_time(part.from_ns), part.minutes, str(error)) for part, error in lost]
    if json:
        print_json({
            "folder": str(summary.folder), "filters": feed.filters, "minutes": summary.minutes,
            "there": summary.there, "fetched": summary.fetched, "bytes": summary.bytes,
            "failed": [{"from": at, "minutes": minutes, "error": said} for at, minutes, said in failed],
            "exit_code": summary.exit_code,
        })  # fmt: skip
        return summary.exit_code
    if not quiet:
        note(
            f"{counted(summary.minutes, 'minute')}: {summary.there:,} there already, {summary.fetched:,} fetched,"
            f" {human_bytes(summary.bytes)}; in {summary.folder}"
        )
    for line in _problems(lost):
        note(f"failed: {line}")
    return summary.exit_code


def _problems(lost: list[Any]) -> Iterator[str]:
    """Yield a line for all slices, in order of time, about which the same was said."""
    said: dict[str, list[Any]] = {}
    for part, error in lost:
        said.setdefault(str(error), []).append(part)
    for text, parts in said.items():
        minutes = sum(part.minutes for part in parts)
        last = format_time(parts[-1].from_ns + (parts[-1].minutes - 1) * MINUTE_NS)
        until = f" to {last}" if minutes > 1 else ""
        yield f"{counted(minutes, 'minute')} from {format_time(parts[0].from_ns)}{until}: {text}"
