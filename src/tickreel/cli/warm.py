"""`tickreel warm`: compiles everything now, so that no later command has to."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tickreel.cli.options import JsonOption, QuietOption, WorkersOption
from tickreel.cli.output import note, print_json, progress_bars


def warm(workers: WorkersOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Compile everything once, for all later commands.

    While an image is built, say; later commands load it from the cache.
    """
    from tickreel.compute import Task, make_executor

    began = time.perf_counter()
    names = ("engine", "imports", "reading", "quality", "comparing", "market")
    functions = (
        "tickreel.cli.warm:engine",
        "tickreel.ingest.files.warm:warm_up",
        "tickreel.cli.warm:reading",
        "tickreel.quality.warm:warm_up",
        "tickreel.quality.compare_warm:warm_up",
        "tickreel.cli.warm:market",
    )
    tasks = [Task(name, function, {}) for name, function in zip(names, functions, strict=True)]
    with progress_bars(not (json or quiet)) as bars, make_executor(workers, isolate=True) as executor:
        bars.begin("compile", len(tasks))
        for done, outcome in enumerate(executor.run(tasks, in_order=True), start=1):
            if not outcome.ok:
                raise outcome.as_error()
            bars.at("compile", done)
    seconds = time.perf_counter() - began
    if json:
        print_json({"compiled": list(names), "seconds": seconds})
    elif not quiet:
        note(f"compiled in {seconds:.1f} s; kept for later commands")


def engine(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Compile the engine with the built-in strategies, for runs and for sweeps."""
    import numpy as np

    from tickreel.simulate.account import AccountSettings
    from tickreel.simulate.compile import build
    from tickreel.simulate.sets import SetRuns
    from tickreel.strategies import BUILT_IN
    from tickreel.strategies.load import find, load

    for name in BUILT_IN:
        strategy = load(find(name))
        SetRuns(strategy, build(strategy), [{}], AccountSettings(), np.zeros(1, np.int64)).warm_up()


def reading(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Compile what `show`, `bars` and merged streams need."""
    import numpy as np

    from tickreel.scan.bars import BAR
    from tickreel.scan.bars_kernel import add_trades
    from tickreel.scan.merge import Order, Windows
    from tickreel.scan.merge_kernel import merge_windows
    from tickreel.sources.csv_text import number_texts
    from tickreel.sources.csv_text_kernel import place_cells

    add_trades(
        np.zeros(1, np.int64),
        np.ones(1),
        np.ones(1),
        np.zeros(1, bool),
        1,
        np.zeros(1, BAR),
        np.zeros(2, BAR),
    )
    one, column = np.zeros(1, np.int64), np.zeros(1, np.int32)
    windows = Windows(one, one.copy(), one + 1, np.ones(1, bool), column, one)
    merge_windows(windows, one.copy(), one.copy(), Order(one.copy(), column.copy(), one.copy()))
    texts = number_texts(np.ones(1, np.int64), 1)
    letters = texts.view(np.uint8).reshape(1, texts.dtype.itemsize)
    place_cells(np.zeros(64, np.uint8), np.zeros(1, np.int64), letters, np.ones(1, np.int64), 10)


def market(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Compile the generator of made-up markets."""
    from tickreel.synth.files import write_day
    from tickreel.synth.market import SyntheticMarket

    with tempfile.TemporaryDirectory() as folder:
        write_day(SyntheticMarket(scale=0.01), "BTCUSDT", "2024-01-01", Path(folder))
