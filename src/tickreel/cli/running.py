"""`tickreel run`: a strategy over the symbols of the store."""

import shlex
import sys
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
)
from tickreel.cli.output import Bars, note, print_json, print_rich, progress_bars
from tickreel.errors import UsageError
from tickreel.units import counted


def run(
    strategy: Annotated[
        str | None, typer.Argument(help="A built-in name (momentum) or FILE.py:CLASS.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file with the same settings; options win.", show_default=False),
    ] = None,
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    start: FromOption = None,
    to: ToOption = None,
    capital: Annotated[
        float | None, typer.Option("--capital", help="Of each symbol's account [100000].", show_default=False)
    ] = None,
    fee: Annotated[
        float | None, typer.Option("--fee", help="Fraction of notional [0.0004].", show_default=False)
    ] = None,
    latency: Annotated[
        str | None, typer.Option("--latency", help="One way, e.g. 5ms [0].", show_default=False)
    ] = None,
    allow_short: Annotated[
        bool | None, typer.Option("--allow-short", help="Let positions go below 0.", show_default=False)
    ] = None,
    uncross: Annotated[
        bool | None,
        typer.Option("--uncross", help="Drop the older levels of crossed books.", show_default=False),
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="Equity sampling [1d].", show_default=False)
    ] = None,
    periods: Annotated[
        float | None,
        typer.Option("--periods", help="Sampling periods a year [365 days' worth].", show_default=False),
    ] = None,
    risk_free: Annotated[
        float | None, typer.Option("--risk-free", help="A year, e.g. 0.02 [0].", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of a strategy's parameter; repeatable.", show_default=False),
    ] = None,
    instruments: Annotated[
        str | None,
        typer.Option("--instruments", help="TOML of contracts; wins over the store's.", show_default=False),
    ] = None,
    workers: WorkersOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder [./runs/TIME-STRATEGY-HASH].", show_default=False)
    ] = None,
    no_jit: Annotated[
        bool, typer.Option("--no-jit", help="Run as plain Python, for a debugger (use --workers 1).")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Backtest a strategy; each symbol is an account of its own. Writes a folder with a report."""
    from tickreel.runs.settings import RunSettings, merged, read_toml

    named, stored, settings = read_toml(config) if config else (None, None, RunSettings())
    if not (strategy or named):
        raise UsageError("name a strategy: a built-in one (momentum), or FILE.py:CLASS")
    from tickreel.units import parse_duration

    settings = merged(settings, {
        "feed": feed, "exchange": exchange, "symbols": split_list(symbols),
        "from_ns": time_option(start, "--from"), "to_ns": time_option(to, "--to"),
        "capital": capital, "fee": fee, "allow_short": allow_short, "uncross": uncross, "periods": periods,
        "latency_ns": None if latency is None else parse_duration(latency, "--latency"),
        "every_ns": None if every is None else parse_duration(every, "--every"),
        "risk_free": risk_free, "instruments": instruments, "workers": workers, "jit": False if no_jit else None,
        "parameters": {**settings.parameters, **parameters(set_ or [])},
    })  # fmt: skip
    result = run_strategy(
        strategy or named or "", store_path(store or stored), settings, out=out, show=not (json or quiet)
    )
    report_run(result, json=json, quiet=quiet)
    return 1 if result.failed else 0


def parameters(words: list[str]) -> dict[str, str]:
    """Return name -> text of NAME=VALUE words; UsageError for any other."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name and value):
            raise UsageError(f"--set {word!r}: write NAME=VALUE, e.g. --set threshold=0.002")
        if name.strip() in found:
            raise UsageError(f"--set {name.strip()} is given twice; give each parameter one value")
        found[name.strip()] = value.strip()
    return found


def run_strategy(
    strategy: str, store: str, settings: Any, *, out: Path | None, show: bool, source: str | None = None
) -> Any:
    """Run with a progress bar; return the RunResult."""
    from tickreel.runs.backtest import run_backtest
    from tickreel.runs.folder import default_out
    from tickreel.simulate.compile import strategy_key
    from tickreel.store.catalog import Store
    from tickreel.strategies.load import find, load

    ref = find(strategy)
    place = Store.existing(store)
    loaded = load(ref)
    target = out or default_out(loaded.__name__, strategy_key(loaded))
    command = shlex.join(["tickreel", *sys.argv[1:]])
    with progress_bars(show) as bars:
        progress = RunProgress(bars)
        return run_backtest(
            place, ref, settings, out=target, command=command, source=source,
            on_plan=progress.plan, on_progress=progress.progress,
        )  # fmt: skip


class RunProgress:
    """One bar over the trades of all symbols."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._rows: dict[str, int] = {}
        self._done: dict[str, float] = {}

    def plan(self, streams: list[Any]) -> None:
        self._rows = {stream.name: stream.rows for stream in streams}
        # Not the trades: their number in a part of a day is known when they have been read.
        self._bars.begin("backtest", sum(self._rows.values()), unit=counted(len(streams), "symbol"))

    def progress(self, name: str, numbers: dict[str, Any]) -> None:
        self._done[name] = self._rows[name] if "done" in numbers else numbers["trades"]
        self._bars.at("backtest", sum(self._done.values()))


def report_run(result: Any, *, json: bool, quiet: bool) -> None:
    """Print the table, or the JSON document, and where the report is."""
    from tickreel.report.terminal import run_table

    if json:
        print_json({"path": str(result.path), "report": str(result.report), **result.document()})
        return
    print_rich(run_table(result.view()))
    if not quiet:
        for line in result.notes():
            note(line)
    typer.echo(f"report: {result.report}")
