"""The seeded market generator: trade files in Tardis.dev's layout for the demo, tests and benchmarks.

    market = SyntheticMarket(seed=7)
    write_day(market, "BTCUSDT", "2024-01-01", "tape/")     # one .csv.gz
    day_trades(market, "BTCUSDT", "2024-01-01")             # the same as arrays

Contract. A day of a symbol follows from (seed, exchange, symbol and its profile, day, scale,
oddities) alone: not from the days made before it, the number of workers or NumPy's state. Kernels
and tables hold whole numbers only, so the rows are the same compiled or not and on any machine;
the gzip bytes are the same for one version of isal on one kind of CPU. Rows lie in the UTC day
by local time, which never decreases; exchange time is whole milliseconds and never decreases.

It is made up, for trying software and not for judging strategies: beyond a few ticks nothing in
it can be foreseen from past prices, so a rule that trades pays fees and gains nothing on average.

Settings (`SyntheticMarket`, `SymbolProfile` give units and limits)
    seed, exchange, symbols, profiles    which market; DEMO_PROFILES are 15 futures of 2024
    scale       factor on the trades per day; volatility and jumps a day stay as they are
    oddities    duplicates, ids, exchange or local times backwards, unknown sides: `oddities.py`

Price       One random walk of days per symbol from 2019-09-01 on, 64 % of its variance without jumps
            common to all symbols, level with the profile's price on 2024-01-01. Within the day a
            Brownian bridge from this day's level to the next day's, so days join. 28 % of the
            bursts carry it; the rest stay, or move by one or two ticks (18 %).
Volatility  An urn of 64 balls, of which 400 are turned a day: levels a factor of 1.6 up and down
            are common and last about two hours. It drives both the steps and the activity.
Jumps       0.1 to 0.6 % between two trades, about six a day. Two of three go the way of the last
            one; a drift in between takes back what that would give away.
Time        Bursts of trades in one exchange millisecond, 2.5 trades on average, 97 at most; half
            hold one. 3 of 10 bursts follow the last within some ms, the others after an
            exponential gap. Activity by hour UTC, 0.7 at night to 1.6 in the afternoon; fewer
            trades on Saturday and Sunday, more on a day that moves.
Sides       A step of the price is a sweep by the side that it favours, through the ticks between;
            other bursts repeat the last side or follow a trend. The spread is one tick.
Amounts     14 of 32 are one of the day's 16 popular amounts, 4 the amount before, 4 a round number,
            10 log-normal (sigma 2) about the profile's notional.
Ids         Go up by 1, rarely (1 in 5,000) by 2 to 4, and leap at midnight.
Local time  2 ms after the exchange at least, 5 as a median, 50 for 1 in 100; rows of a burst 0 to
            3 us apart. One day in eight opens with a trade that the exchange made before midnight.

Beside real files of Binance (2024 to 2026): 75 to 88 % of rows share their time with the row above
there, 60 % here; 14 % of LTCUSDT in 2025. Price stays in 55 to 80 % of the steps there, 55 to 67 %
here. Runs of one side are 3 to 24 rows there, 8 here. Amounts seen more than once: 77 to 99 % of
rows there, 74 to 99 % here. At 7,000 trades a day a BTCUSDT step is larger than among the real 3
to 5 million: `scale` brings it down.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tickreel.synth.days import DayTrades, day_trades
    from tickreel.synth.files import day_path, write_day, write_days_task
    from tickreel.synth.market import (
        DEMO_FROM,
        DEMO_PROFILES,
        DEMO_SYMBOLS,
        DEMO_TO,
        SymbolProfile,
        SyntheticMarket,
    )

__all__ = [
    "DEMO_FROM",
    "DEMO_PROFILES",
    "DEMO_SYMBOLS",
    "DEMO_TO",
    "DayTrades",
    "SymbolProfile",
    "SyntheticMarket",
    "day_path",
    "day_trades",
    "write_day",
    "write_days_task",
]

_HOME = {"DayTrades": "days", "day_trades": "days", "day_path": "files"}
_HOME |= {"write_day": "files", "write_days_task": "files"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the kernels bring numba along, the settings need not.
    if name not in __all__:
        raise AttributeError(f"module 'tickreel.synth' has no attribute {name!r}")
    return getattr(import_module(f"tickreel.synth.{_HOME.get(name, 'market')}"), name)
