"""The shape of what a report is given: a plain dict, so that who fills it need not import this room.

Times are int64 ns UTC, equity float64 in the settlement currency, drawdown float64, the deepest
within each interval as a fraction of 0 to 1. Arrays of one curve have equal length.
"""

from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from tickreel.measure import Performance


class Coverage(TypedDict):
    """Which UTC days of the range had data; missing ones as "YYYY-MM-DD".

    missing_book_days  without rows of the order book; None if the strategy watches none
    """

    days_asked: int
    days_with_data: int
    first_ns: int | None
    last_ns: int | None
    missing_days: list[str]
    missing_book_days: list[str] | None


class PortfolioView(TypedDict):
    """The sum of all accounts; no metrics if every symbol failed."""

    times_ns: npt.NDArray[np.int64]
    equity: npt.NDArray[np.float64]
    drawdown: npt.NDArray[np.float64]
    metrics: Performance | None


class SymbolView(TypedDict):
    """One symbol: metrics, or the traceback of what went wrong (then the arrays may be empty).

    refused  reason -> orders that the venue refused for it
    """

    exchange: str
    symbol: str
    trades: int
    metrics: Performance | None
    refused: dict[str, int]
    error: str | None
    times_ns: npt.NDArray[np.int64]
    equity: npt.NDArray[np.float64]
    drawdown: npt.NDArray[np.float64]
    coverage: Coverage | None


class Finished(TypedDict):
    """What a run and a sweep have alike.

    source   where the trades are from if that must be seen at once, e.g. "synthetic data, seed 7"
    trades   market trades replayed; workers  processes used
    sharpe   the conventions behind every Sharpe ratio, one line
    created  when the run ended, as text; command  the line that makes it again
    """

    strategy: str
    source: str | None
    from_ns: int
    to_ns: int
    trades: int
    wall_seconds: float
    workers: int
    version: str
    created: str
    command: str
    settings: dict[str, str]
    sharpe: str
    conventions: list[str]


class RunView(Finished):
    """A finished run."""

    portfolio: PortfolioView
    symbols: list[SymbolView]


class OneSet(NamedTuple):
    """The line that runs one set of a sweep: begin, `before` and NAME=VALUE for each parameter, end."""

    begin: str
    before: str
    end: str


class SweepView(Finished):
    """A finished sweep; trades are those of one set that ran all symbols.

    played      trades x sets, of all that came to their end
    axes        parameter -> values
    parameters  of each set
    symbols     "exchange:symbol" of those that were asked for
    metrics     of each set, of all its accounts together; None if every symbol failed
    returns     symbol -> total return with each set
    failed      of each set, how many symbols failed; errors: (symbol, error, with how many sets)
    one_set     None where nothing runs a set again
    """

    played: int
    axes: dict[str, list[float | int | bool]]
    parameters: list[dict[str, float | int | bool]]
    symbols: list[str]
    metrics: list[Performance | None]
    returns: dict[str, list[float | None]]
    failed: list[int]
    errors: list[tuple[str, str, int]]
    one_set: OneSet | None
