"""`tickreel record`: live streams into the store."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    TRADES,
    JsonOption,
    QuietOption,
    StoreOption,
    WorkersOption,
    check_exchange,
    split_each,
    split_list,
    store_path,
    whole,
)
from tickreel.cli.output import escape, note, note_error, print_json
from tickreel.units import NS_PER_MS, NS_PER_S, counted, format_duration, human_bytes, parse_duration

_LINE_S = 60.0
_SEALING = "stopped; what came is being sealed (Ctrl-C leaves that to the next recording)"


def record(
    provider: Annotated[
        list[str],
        typer.Option(
            "--provider", help="Profiles of the providers, each a feed: A,B; repeatable.", metavar="NAME,..."
        ),
    ],
    exchange: Annotated[
        str | None, typer.Option("--exchange", help="Of symbols that name none.", show_default=False)
    ] = None,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", help="[EXCHANGE:]SYMBOL,... [all of the exchange].", show_default=False),
    ] = None,
    types: Annotated[str, typer.Option("--types", help="Record types.")] = "trades",
    fsync_interval: Annotated[
        str, typer.Option("--fsync-interval", help="What a kill may cost; at most 1s.")
    ] = "1s",
    fill_after: Annotated[
        str, typer.Option("--fill-after", help="How long after a gap history is asked for it.")
    ] = "10m",
    fill_lag: Annotated[
        str | None,
        typer.Option(
            "--fill-lag",
            help="How long after their exchange time rows of history arrive that has no local times, e.g. 50ms"
            " [gaps stay open].",
            show_default=False,
        ),
    ] = None,
    seal_every: Annotated[
        str,
        typer.Option("--seal-every", help="How often the day so far is made readable; none: when it ends."),
    ] = "30m",
    duration: Annotated[
        str | None, typer.Option("--for", help="Stop after so long [when interrupted].", show_default=False)
    ] = None,
    metrics: Annotated[
        int | None,
        typer.Option(
            "--metrics",
            parser=whole("--metrics", 0, 65_535),
            help="Port of /metrics on localhost [none].",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Record live streams until Ctrl-C. Killed at any moment, the same command goes on and notes the gap."""
    from tickreel.errors import FailedError, NetworkError, UsageError
    from tickreel.ingest.record.plan import plan_feeds
    from tickreel.ingest.record.recorder import record as record_streams
    from tickreel.ingest.record.settings import MOST_INTERVAL_NS, RecordSettings
    from tickreel.store.catalog import Store

    interval_ns = parse_duration(fsync_interval, "--fsync-interval")
    if not NS_PER_MS <= interval_ns <= MOST_INTERVAL_NS:
        raise UsageError(f"--fsync-interval {fsync_interval}: from 1ms to 1s")
    settings = RecordSettings(
        interval_ns, fill_after_ns=parse_duration(fill_after, "--fill-after"), workers=workers,
        fill_lag_ns=None if fill_lag is None else parse_duration(fill_lag, "--fill-lag"),
        seal_every_ns=None if seal_every == "none" else parse_duration(seal_every, "--seal-every"),
    )  # fmt: skip
    check_exchange(exchange)
    feeds = plan_feeds(
        split_each(provider, "--provider"),
        exchange,
        split_list(symbols),
        split_list(types, "--types", step=TRADES),
    )
    for_ns = None if duration is None else parse_duration(duration, "--for")
    with _stopped_by_signals() as stop, _view(show=not (json or quiet)) as view:
        summary = record_streams(
            Store(store_path(store)), feeds, settings, stop=stop, for_ns=for_ns, metrics_port=metrics,
            on_look=view.show, on_sealing=view.sealing, on_trouble=view.trouble,
        )  # fmt: skip
    code = NetworkError.exit_code if summary.problems else FailedError.exit_code if summary.unsealed else 0
    if json:
        print_json(record_document(summary, code))
    else:
        _report(summary, quiet=quiet)
    return code


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; the second Ctrl-C ends whatever is still done."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Silent:
    def show(self, feeds: list[Any]) -> None:
        pass

    def sealing(self) -> None:
        pass

    def trouble(self, text: str) -> None:
        pass


class _Lines(_Silent):
    """A line a minute, for a log."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def show(self, feeds: list[Any]) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LINE_S
            for feed in feeds:
                for stream in feed.streams:
                    note(
                        f"{feed.feed} " + ", ".join(f"{head} {cell}" for head, cell in _cells(stream) if cell)
                    )

    def sealing(self) -> None:
        note(_SEALING)

    def trouble(self, text: str) -> None:
        note(text)


class _Live(_Silent):
    """A table that is drawn anew each second."""

    def __init__(self, live: Any) -> None:
        self._live = live

    def show(self, feeds: list[Any]) -> None:
        self._live.update(_table(feeds), refresh=True)

    def sealing(self) -> None:
        self._live.console.print(_SEALING)

    def trouble(self, text: str) -> None:
        self._live.console.print(escape(text))


@contextlib.contextmanager
def _view(*, show: bool) -> Iterator[_Silent]:
    if not show or not sys.stderr.isatty():
        yield _Lines() if show else _Silent()
        return
    from rich.console import Console
    from rich.live import Live

    # Drawn when there is something new, once a second: a thread that draws would cost as much again.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=False) as live:
        yield _Live(live)


_RANKS = {
    "feed": 0, "exchange": 0, "state": 0, "messages/s": 1, "messages": 4, "lag p50": 6, "lag p99": 3, "gaps": 2,
    "reconnects": 5, "held": 7,
}  # fmt: skip
"""Columns of the live table, and how much each is wanted where not all fit: 0 most."""


def _table(feeds: list[Any]) -> Any:
    """Return the streams as a table, and below it what is said of feeds, and the last trouble of each stream."""
    from rich.console import Group

    from tickreel.report.columns import Sheet

    shown = [
        {"feed": feed.feed + ("*" if feed.primary else "")} | dict(_cells(stream))
        for feed in feeds
        for stream in feed.streams
    ]
    columns = [(head, "left" if rank == 0 else "right") for head, rank in _RANKS.items()]
    rows = [[escape(cells[head]) for head in _RANKS] for cells in shown]
    troubles = [f"{cells['feed']} {cells['exchange']}: {cells['last']}" for cells in shown if cells["last"]]
    sheet = Sheet(columns, rows, names=2, ranks=list(_RANKS.values()))
    return Group(sheet, *map(escape, [_caption(feeds), *troubles]))


def _caption(feeds: list[Any]) -> str:
    parts = [f"up {format_duration(feeds[0].uptime_ns // NS_PER_S * NS_PER_S)}"] if feeds else []
    for feed in feeds:
        parts.append(f"{feed.feed}: queue {human_bytes(feed.waiting_bytes)}")
        parts.append(f"gaps filled {feed.gaps_filled}, waiting {feed.gaps_waiting}")
        parts += [f"sealing {feed.sealing}"] if feed.sealing else []
        parts += [f"not sealed: {', '.join(feed.unsealed)}"] if feed.unsealed else []
        parts += [feed.problem] if feed.problem else []
    parts += [f"disk free {human_bytes(feeds[0].disk_free_bytes)}"] if feeds else []
    return "; ".join(parts)


def _cells(stream: Any) -> list[tuple[str, str]]:
    """Return what is shown of a stream, with its headings."""
    return [
        ("exchange", stream.exchange), ("state", stream.state),
        ("messages/s", f"{stream.messages_per_s:,.0f}"), ("messages", f"{stream.messages:,}"),
        ("lag p50", _lag(stream.lag_p50_ns)), ("lag p99", _lag(stream.lag_p99_ns)),
        ("gaps", f"{stream.gaps:,}"), ("reconnects", f"{stream.reconnects:,}"), ("held", f"{stream.held:,}"),
        ("last", stream.last_error),
    ]  # fmt: skip


def _lag(lag_ns: int | None) -> str:
    return "" if lag_ns is None else f"{lag_ns / NS_PER_MS:,.1f} ms"


def record_document(summary: Any, code: int) -> dict[str, Any]:
    """Return what `--json` prints."""
    import msgspec

    return {**msgspec.to_builtins(summary), "exit_code": code}


def _report(summary: Any, *, quiet: bool) -> None:
    if not quiet:
        for report in summary.sealed:
            about = [counted(report.messages, "message"), counted(report.rows, "row")]
            about += [f"{report.overlaps:,} dropped: they came twice"] if report.overlaps else []
            about += [f"{report.set_aside:,} set aside"] if report.set_aside else []
            about += [f"{counted(report.gaps, 'gap')}, {report.filled:,} filled"] if report.gaps else []
            if report.lag_ns is not None:
                about.append(
                    f"local times of what filled them are exchange time + {format_duration(report.lag_ns)}"
                )
            note(f"{report.feed} {report.day}: {', '.join(about)}" + ("" if report.final else "; goes on"))
            for type, count in report.unknown.items():
                note(f"{report.feed} {report.day}: {counted(count, 'message')} of type {type} not kept")
            for path in report.rejects:
                note(f"what was set aside is in {path}")
    for day in summary.unsealed:
        note_error(f"{day} is not sealed: its journal is kept, and the next recording tries again")
    for problem in summary.problems:
        typer.secho("failed: ", err=True, nl=False, fg="red")
        note(problem)
