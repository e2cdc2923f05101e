"""`tickreel run`: a strategy over the symbols of the store."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.fetching import fetch_for_run
from tickreel.cli.options import (
    CapitalOption,
    ConfigOption,
    ExchangeOption,
    FeedLatencyOption,
    FeedOption,
    FeeOption,
    FromOption,
    InstrumentsOption,
    JsonOption,
    LatencyOption,
    NoJitOption,
    OutOption,
    PeriodsOption,
    QuietOption,
    RiskFreeOption,
    SamplingOption,
    ShortOption,
    StoreOption,
    StrategyArgument,
    SymbolsOption,
    ToOption,
    UncrossOption,
    WorkersOption,
    split_list,
    store_path,
    time_option,
)
from tickreel.cli.output import Bars, note, print_json, print_rich, progress_bars
from tickreel.errors import UsageError
from tickreel.units import counted


def run(
    strategy: StrategyArgument = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    feed: FeedOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    start: FromOption = None,
    to: ToOption = None,
    capital: CapitalOption = None,
    fee: FeeOption = None,
    latency: LatencyOption = None,
    feed_latency: FeedLatencyOption = None,
    allow_short: ShortOption = None,
    uncross: UncrossOption = None,
    every: SamplingOption = None,
    periods: PeriodsOption = None,
    risk_free: RiskFreeOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of a strategy's parameter; repeatable.", show_default=False),
    ] = None,
    instruments: InstrumentsOption = None,
    workers: WorkersOption = None,
    out: OutOption = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download first what the store lacks; the feed is the provider.")
    ] = False,
    no_jit: NoJitOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Backtest a strategy; each symbol is an account of its own. Writes a folder with a report."""
    named, stored, settings = asked(config, set_, {
        "feed": feed, "exchange": exchange, "symbols": symbols, "start": start, "to": to, "capital": capital,
        "fee": fee, "latency": latency, "feed_latency": feed_latency, "allow_short": allow_short,
        "uncross": uncross, "every": every, "periods": periods, "risk_free": risk_free,
        "instruments": instruments, "workers": workers, "jit": False if no_jit else None,
    })  # fmt: skip
    chosen, place, show = the_strategy(strategy, named), store_path(store or stored), not (json or quiet)
    if fetch:
        fetch_for_run(chosen, place, settings, show=show)
    result = run_strategy(chosen, place, settings, out=out, show=show)
    report_run(result, json=json, quiet=quiet)
    return 1 if result.failed else 0


def asked(
    config: Path | None, words: list[str] | None, options: dict[str, Any]
) -> tuple[str | None, str | None, Any]:
    """Return (strategy, store, RunSettings) of a TOML file and of options, which win; words: of --set."""
    from tickreel.runs.settings import RunSettings, merged, read_toml
    from tickreel.units import parse_duration

    named, stored, settings = read_toml(config) if config else (None, None, RunSettings())
    given = dict(options)
    given["symbols"] = split_list(given["symbols"])
    given["from_ns"] = time_option(given.pop("start"), "--from")
    given["to_ns"] = time_option(given.pop("to"), "--to")
    for name in ("latency", "feed_latency", "every"):
        text, option = given.pop(name), f"--{name.replace('_', '-')}"
        given[f"{name}_ns"] = None if text is None else parse_duration(text, option)
    given["parameters"] = {**settings.parameters, **parameters(words or [])}
    return named, stored, merged(settings, given)


def the_strategy(argument: str | None, named: str | None) -> str:
    """Return the strategy of the command line, else of the file; UsageError without any."""
    if not (argument or named):
        raise UsageError("name a strategy: a built-in one (momentum), or FILE.py:CLASS")
    return argument or named or ""


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
