"""`tickreel demo`, the main job from files to report; `tickreel synth`, a made-up market as Tardis files."""

import shutil
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.options import JsonOption, QuietOption, WorkersOption, real, split_list, store_path, whole
from tickreel.cli.output import note, progress_bars
from tickreel.errors import MissingError, UsageError
from tickreel.units import counted

FROM, TO = "2024-01-01", "2024-07-01"


def demo(
    files: Annotated[
        Path | None,
        typer.Option("--files", help="Folder of your own Tardis trade files.", show_default=False),
    ] = None,
    real: Annotated[
        bool, typer.Option("--real", help="Download a day of real trades that is free, without a key.")
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            help="Folder of the store [made up: a temporary one; else as everywhere].",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder [./runs/...].", show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", parser=whole("--seed"), help="Of the made-up market [1].", show_default=False),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            parser=real("--scale", "0.5"),
            help="Trades a day of the made-up market [1: 20 million in all].",
            show_default=False,
        ),
    ] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Turn trade files into a report of a run: the main job.

    The market is made up, and its store removed at the end unless --store names one; nothing of it gets into
    the usual store. With --files the files are your own, with --real they come from Tardis.dev: they go into the usual
    store, and stay there.
    """
    from tickreel.cli.importing import ImportProgress, report_import
    from tickreel.cli.running import report_run, run_strategy
    from tickreel.ingest.files.importer import ImportSettings, import_files
    from tickreel.runs.folder import check_out
    from tickreel.runs.settings import RunSettings
    from tickreel.store.catalog import Store
    from tickreel.synth.market import DEMO_SYMBOLS
    from tickreel.units import parse_time

    show = not (json or quiet)
    check_out(out)
    if (files is not None or real) and (seed, scale) != (None, None):
        raise UsageError("--seed and --scale are of the made-up market; leave them or --files and --real out")
    if files is not None and real:
        raise UsageError("--files are your own, --real downloads others; leave one of them out")
    if real:
        return _real_demo(store_path(store), out, workers=workers, json=json, show=show)
    seed, scale = 1 if seed is None else seed, 1.0 if scale is None else scale
    work = Path(tempfile.mkdtemp(prefix="tickreel-demo-"))
    try:
        source = None
        place = Store(store_path(store) if store or files else work / "tape")
        if files is None:
            files = work / "files"
            source = f"synthetic data, seed {seed}: a made-up market, no exchange ever saw these trades"
            if show:
                note(f"Source: {source}.")
            write_market(
                files, list(DEMO_SYMBOLS), FROM, TO, seed=seed, scale=scale, workers=workers, show=show
            )
        with progress_bars(show) as bars:
            progress = ImportProgress(bars)
            summary = import_files(
                place, [str(files)], ImportSettings(feed="synthetic" if source else "tardis", types=("trades",), workers=workers),
                on_plan=progress.plan, on_progress=progress.progress,
            )  # fmt: skip
        if show or summary.failed:
            report_import(summary, quiet=not show)
        settings = RunSettings(
            feed=summary.feed, workers=workers, capital=100_000.0, fee=0.0004,
            symbols=tuple(DEMO_SYMBOLS) if source else (),
            from_ns=parse_time(FROM) if source else None, to_ns=parse_time(TO) if source else None,
        )  # fmt: skip
        result = run_strategy("momentum", str(place.root), settings, out=out, show=show, source=source)
        report_run(result, json=json, quiet=quiet)
        return 1 if result.failed or summary.failed else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _real_demo(store: str, out: Path | None, *, workers: int | None, json: bool, show: bool) -> int:
    """Run over a day of real trades."""
    from tickreel.cli.fetching import REAL_DAY, REAL_EXCHANGE, REAL_SYMBOLS, fetch
    from tickreel.cli.running import report_run, run_strategy
    from tickreel.runs.settings import RunSettings
    from tickreel.store.catalog import Store
    from tickreel.units import NS_PER_DAY, parse_time

    start = parse_time(REAL_DAY)
    nothing = fetch(
        Store(store), "tardis", REAL_EXCHANGE, REAL_SYMBOLS, types=("trades",),
        from_ns=start, to_ns=start + NS_PER_DAY, workers=workers, show=show,
    )  # fmt: skip
    symbols = tuple(symbol for symbol in REAL_SYMBOLS if symbol not in nothing)
    if not symbols:
        raise MissingError(f"there is nothing to run the demo over: {nothing[REAL_SYMBOLS[0]]}")
    if nothing and show:
        note(f"the demo goes without {', '.join(nothing)}: tardis does not have it")
    settings = RunSettings(
        feed="tardis", exchange=REAL_EXCHANGE, symbols=symbols, workers=workers, capital=100_000.0, fee=0.0004,
        from_ns=start, to_ns=start + NS_PER_DAY, every_ns=NS_PER_DAY // 48,
    )  # fmt: skip
    result = run_strategy("momentum", store, settings, out=out, show=show)
    report_run(result, json=json, quiet=not show)
    return 1 if result.failed else 0


def synth(
    root: Annotated[Path, typer.Argument(help="Folder to write the files into.", metavar="FOLDER")],
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", help="SYMBOL,... of the demo's fifteen [all].", show_default=False),
    ] = None,
    start: Annotated[str, typer.Option("--from", help="First day.")] = FROM,
    to: Annotated[str, typer.Option("--to", help="First day not made any more.")] = TO,
    seed: Annotated[
        int, typer.Option("--seed", parser=whole("--seed"), help="Other seeds give other markets.")
    ] = 1,
    scale: Annotated[
        float,
        typer.Option(
            "--scale", parser=real("--scale", "0.5"), help="Trades a day; 1 is about 7,400 a symbol."
        ),
    ] = 1.0,
    oddities: Annotated[
        bool, typer.Option("--oddities", help="Put in what real files have: ids twice, clocks backwards ...")
    ] = False,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a made-up market as Tardis trade files.

    Seeded: the same bytes for the same settings.
    """
    from tickreel.cli.output import print_json
    from tickreel.synth.market import DEMO_SYMBOLS

    names = list(split_list(symbols) or DEMO_SYMBOLS)
    done = write_market(
        root,
        names,
        start,
        to,
        seed=seed,
        scale=scale,
        workers=workers,
        show=not (json or quiet),
        oddities=oddities,
    )
    if json:
        print_json({"folder": str(root), "synthetic": True, "seed": seed, **done})
    elif not quiet:
        note(
            f"{counted(done['trades'], 'made-up trade')} in {counted(done['files'], 'file')},"
            f" {counted(done['bytes'], 'byte')}, in {root}"
        )


def write_market(
    root: Path,
    symbols: list[str],
    start: str,
    to: str,
    *,
    seed: int,
    scale: float,
    workers: int | None,
    show: bool,
    oddities: bool = False,
) -> dict[str, Any]:
    """Write the files on all cores; return how many trades, files and bytes."""
    from tickreel.compute import make_executor
    from tickreel.synth.market import DEMO_SYMBOLS, SyntheticMarket

    days = _days(start, to)
    for symbol in symbols:
        if symbol not in DEMO_SYMBOLS:
            raise UsageError(f"--symbols {symbol}: the made-up market has {', '.join(DEMO_SYMBOLS)}")
    market = SyntheticMarket(seed=seed, symbols=tuple(symbols), scale=scale)
    began = time.perf_counter()
    tasks = list(_tasks(market, symbols, days, root, oddities))
    totals = {"trades": 0, "files": 0, "bytes": 0}
    at: dict[str, float] = {}
    with progress_bars(show) as bars, make_executor(workers) as executor:
        bars.begin("generate", len(symbols) * len(days), unit=counted(len(symbols) * len(days), "file"))

        def progress(task: str, numbers: dict[str, Any]) -> None:
            at[task] = numbers["days"]
            bars.at("generate", sum(at.values()))

        # The first alone, so that no two workers compile the same thing at once.
        for outcome in chain(
            executor.run(tasks[:1], on_progress=progress), executor.run(tasks[1:], on_progress=progress)
        ):
            if not outcome.ok:
                raise outcome.as_error()
            totals["trades"] += outcome.value["trades"]
            totals["files"] += outcome.value["days"]
            totals["bytes"] += outcome.value["bytes"]
        bars.end("generate")
    return {**totals, "seconds": time.perf_counter() - began}


def _tasks(market: Any, symbols: list[str], days: list[str], root: Path, oddities: bool) -> Any:
    from tickreel.compute import Task

    step = 31
    for symbol in symbols:
        for first in range(0, len(days), step):
            arguments = {
                "seed": market.seed, "exchange": market.exchange, "symbol": symbol,
                "days": days[first : first + step], "root": str(root), "scale": market.scale,
                "oddities": oddities,
            }  # fmt: skip
            yield Task(f"{symbol}-{first}", "tickreel.synth.files:write_days_task", arguments)


def _days(start: str, to: str) -> list[str]:
    from tickreel.units import NS_PER_DAY, day_of, parse_time

    first, last = parse_time(start, "--from"), parse_time(to, "--to")
    if first % NS_PER_DAY or last % NS_PER_DAY or first >= last:
        raise UsageError(f"--from {start} --to {to}: give two days, the first before the second")
    return [day_of(ns) for ns in range(first, last, NS_PER_DAY)]
