"""tickreel keeps and replays the market's tape.

Public names, loaded on first use so that `import tickreel` stays light:

    Strategy, Param, StateArray     write a strategy
    backtest, sweep                 run it over a store, with one or with many parameter sets
    open_store                      read a store
    TickreelError                   the base of every error
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_HOME = {
    "Strategy": "tickreel.simulate.strategy",
    "Param": "tickreel.simulate.strategy",
    "StateArray": "tickreel.simulate.strategy",
    "backtest": "tickreel.runs",
    "sweep": "tickreel.runs",
    "open_store": "tickreel.tape",
    "TickreelError": "tickreel.errors",
}

__all__ = ["Param", "StateArray", "Strategy", "TickreelError", "backtest", "open_store", "sweep"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tickreel' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
