"""Runs: settings to tasks to a run folder, and the result read back from it.

    settings   what a run is asked to do, from arguments or a TOML file
    contracts  what each symbol is, and whether its price x amount is money
    grid       when equity is sampled, and which range of time the figures speak of
    events     trades and changes of the order book in one order
    task       one symbol's run, in a worker
    backtest   plans, runs all symbols, measures, writes the folder
    result     RunResult: metrics, equity, orders and fills of a finished run
    folder     the files of a run folder

A run folder is complete or absent: it is written under another name and renamed at the end.
"""

from tickreel.runs.backtest import backtest
from tickreel.runs.result import RunResult

__all__ = ["RunResult", "backtest"]
