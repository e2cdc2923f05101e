"""Runs: settings to tasks to a run folder, and the result read back from it.

    settings   what a run is asked to do, from arguments or a TOML file
    contracts  what each symbol is, and whether its price x amount is money
    grid       when equity is sampled, and which range of time the figures speak of
    events     trades and changes of the order book in one order
    plan       what a run or a sweep is made of before it begins
    task       one symbol's run, in a worker
    backtest   runs all symbols, measures, writes the folder
    result     RunResult: metrics, equity, orders and fills of a finished run
    folder     the files of a run folder

A sweep is a run with many parameter sets:

    axes          what is asked for each parameter, and the sets that are its combinations
    sweep_task    some sets over one symbol, in a worker
    sweep_parts   tasks of a symbol and some sets
    sweep_sums    accounts of many sets, added up over the symbols
    sweep_sets    every set, measured as its tasks end
    sweep         plans, runs all parts, writes the folder
    sweep_result  SweepResult: the metrics of every set

A run folder is complete or absent: it is written under another name and renamed at the end.
"""

from tickreel.runs.backtest import backtest
from tickreel.runs.result import RunResult
from tickreel.runs.sweep import sweep
from tickreel.runs.sweep_result import SweepResult

__all__ = ["RunResult", "SweepResult", "backtest", "sweep"]
