"""`tickreel sweep`: a strategy with many parameter sets over the symbols of the store."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

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
    store_path,
)
from tickreel.cli.output import Bars, note, print_json, print_rich, progress_bars
from tickreel.cli.running import asked, the_strategy
from tickreel.units import counted


def sweep(
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
        typer.Option(
            "--set",
            help="NAME=A:B:N (N values from A to B), NAME=V,W,... or NAME=V; repeatable.",
            show_default=False,
        ),
    ] = None,
    instruments: InstrumentsOption = None,
    workers: WorkersOption = None,
    out: OutOption = None,
    no_jit: NoJitOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Backtest every combination of parameter values at once. Writes a folder with a report."""
    named, stored, settings = asked(config, set_, {
        "feed": feed, "exchange": exchange, "symbols": symbols, "start": start, "to": to, "capital": capital,
        "fee": fee, "latency": latency, "feed_latency": feed_latency, "allow_short": allow_short,
        "uncross": uncross, "every": every, "periods": periods, "risk_free": risk_free,
        "instruments": instruments, "workers": workers, "jit": False if no_jit else None,
    })  # fmt: skip
    result = _sweep(
        the_strategy(strategy, named),
        store_path(store or stored),
        settings,
        out=out,
        show=not (json or quiet),
    )
    _report(result, json=json, quiet=quiet)
    return 1 if result.failed else 0


def _sweep(strategy: str, store: str, settings: Any, *, out: Path | None, show: bool) -> Any:
    """Run with progress bars; return the SweepResult."""
    from tickreel.report.view import OneSet
    from tickreel.runs.folder import default_out
    from tickreel.runs.sweep import run_sweep
    from tickreel.simulate.compile import strategy_key
    from tickreel.store.catalog import Store
    from tickreel.strategies.load import find, load

    ref = find(strategy)
    place = Store.existing(store)
    loaded = load(ref)
    target = out or default_out(f"{loaded.__name__}-sweep", strategy_key(loaded))
    command = shlex.join(["tickreel", *sys.argv[1:]])
    with progress_bars(show) as bars:
        progress = _Progress(bars)
        result = run_sweep(
            place, ref, settings, out=target, command=command, one_set=OneSet(run_line(sys.argv[1:]), " --set ", ""),
            on_plan=progress.plan, on_progress=progress.progress, on_measured=progress.measured,
        )  # fmt: skip
        bars.end("report")
    return result


def run_line(words: list[str]) -> str:
    """Return the command that runs one set of a sweep, made of the sweep's own, all but the parameters."""
    kept: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in ("--set", "--out"):
            next(rest, None)
        elif word not in ("--json", "--quiet", "-q") and not word.startswith(("--set=", "--out=")):
            kept.append(word)
    return shlex.join(["tickreel", "run", *kept])


class _Progress:
    """A bar over trades x sets, and one over the sets that are measured; one before them, and one after."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._whole: dict[str, float] = {}
        self._done: dict[str, float] = {}
        self._sum = 0.0
        self._sets = 0
        bars.begin("prepare", 1, unit="a new strategy compiles once")

    def plan(self, tasks: dict[str, float], sets: int) -> None:
        self._whole = tasks
        self._bars.end("prepare")
        self._bars.begin(
            "sweep", sum(tasks.values()), unit=f"{counted(sets, 'set')} in {counted(len(tasks), 'task')}"
        )
        self._bars.begin("measure", sets, unit="metrics of sets")
        self._sets = sets

    def progress(self, name: str, numbers: dict[str, Any]) -> None:
        done = self._whole[name] if "done" in numbers else numbers["trades"]
        self._sum += done - self._done.get(name, 0.0)
        self._done[name] = done
        self._bars.at("sweep", self._sum)

    def measured(self, sets: int) -> None:
        self._bars.at("measure", sets)
        if sets == self._sets:
            self._bars.begin("report", 1)


def _report(result: Any, *, json: bool, quiet: bool) -> None:
    """Print the table, or the JSON document, and where the report is."""
    from tickreel.report.sweep_terminal import sweep_table

    if json:
        print_json({"path": str(result.path), "report": str(result.report), **result.document()})
        return
    print_rich(sweep_table(result.view()))
    if not quiet:
        for line in result.notes():
            note(line)
    typer.echo(f"report: {result.report}")
