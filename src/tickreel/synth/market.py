"""Says which market is generated: the seed, the venue, the symbols and what each of them is like."""

import re
from dataclasses import dataclass

from tickreel.errors import UsageError

FIRST_DAY, LAST_DAY = "2019-09-01", "2099-12-31"
"""The days that can be asked for; every price path starts on the first."""

PRICE_DAY = "2024-01-01"
"""The day that opens at `SymbolProfile.price`."""

DEMO_FROM, DEMO_TO = "2024-01-01", "2024-07-01"
"""The demo's range, half-open: 182 days, a good 20 million trades at scale 1."""

MAX_ROWS_A_DAY = 20_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class SymbolProfile:
    """What one symbol is like.

    price              quote currency, at the opening of PRICE_DAY
    tick_decimals      the price moves in steps of 10^-tick_decimals (0 to 12)
    lot_decimals       the amount in steps of 10^-lot_decimals (0 to 12)
    daily_volatility   standard deviation of a day's move without its jumps, a fraction
    trades_per_day     mean of a week at scale 1
    typical_notional   quote currency, the middle of the freely drawn amounts
    """

    symbol: str
    price: float
    tick_decimals: int
    lot_decimals: int
    daily_volatility: float
    trades_per_day: int
    typical_notional: float = 600.0


DEMO_PROFILES: tuple[SymbolProfile, ...] = (
    SymbolProfile("BTCUSDT", 42_265.3, 1, 3, 0.0115, 16_500),
    SymbolProfile("ETHUSDT", 2_281.74, 2, 3, 0.0125, 13_800),
    SymbolProfile("BNBUSDT", 312.29, 2, 2, 0.0120, 6_600),
    SymbolProfile("SOLUSDT", 101.504, 3, 0, 0.0160, 9_800),
    SymbolProfile("XRPUSDT", 0.6149, 4, 1, 0.0130, 7_200),
    SymbolProfile("ADAUSDT", 0.5938, 4, 0, 0.0140, 6_200),
    SymbolProfile("DOGEUSDT", 0.08949, 5, 0, 0.0140, 6_800),
    SymbolProfile("AVAXUSDT", 38.534, 3, 0, 0.0150, 6_200),
    SymbolProfile("DOTUSDT", 8.197, 3, 1, 0.0135, 5_600),
    SymbolProfile("MATICUSDT", 0.9698, 4, 0, 0.0135, 6_000),
    SymbolProfile("LINKUSDT", 14.938, 3, 2, 0.0140, 6_000),
    SymbolProfile("LTCUSDT", 72.51, 2, 3, 0.0125, 5_600),
    SymbolProfile("UNIUSDT", 7.318, 3, 0, 0.0140, 5_400),
    SymbolProfile("ATOMUSDT", 10.571, 3, 2, 0.0135, 5_400),
    SymbolProfile("ETCUSDT", 21.962, 3, 2, 0.0140, 5_800),
)
DEMO_SYMBOLS: tuple[str, ...] = tuple(profile.symbol for profile in DEMO_PROFILES)


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """One made-up venue: equal settings give equal trades, on any machine and in any order.

    seed      any whole number; another seed is another market
    symbols   those to generate; each must have a profile
    scale     factor on trades_per_day; volatility and number of jumps a day stay
    oddities  put in the harmless mistakes of real files (see `oddities.py`)
    """

    seed: int = 1
    symbols: tuple[str, ...] = DEMO_SYMBOLS
    exchange: str = "binance-futures"
    scale: float = 1.0
    oddities: bool = False
    profiles: tuple[SymbolProfile, ...] = DEMO_PROFILES

    def profile(self, symbol: str) -> SymbolProfile:
        """Return the profile of one of `symbols`, checked; UsageError says what is wrong with it."""
        found = {profile.symbol: profile for profile in self.profiles if profile.symbol in self.symbols}
        if symbol not in found:
            known = ", ".join(found) or "none"
            raise UsageError(f"symbol {symbol!r} has no profile in this market; it has {known}")
        for name, value in (("exchange", self.exchange), ("symbol", symbol)):
            if not _NAME.fullmatch(value):
                raise UsageError(f"{name} {value!r}: write 1 to 64 letters, digits, dots, - or _")
        _check(found[symbol], self.scale)
        return found[symbol]


def _check(profile: SymbolProfile, scale: float) -> None:
    rows = profile.trades_per_day * scale
    ticks = profile.price * 10.0**profile.tick_decimals
    allowed = (
        (
            "scale",
            scale,
            0 < rows <= MAX_ROWS_A_DAY,
            f"a number above 0 that gives at most {MAX_ROWS_A_DAY:,} trades a day",
        ),
        ("tick_decimals", profile.tick_decimals, 0 <= profile.tick_decimals <= 12, "0 to 12"),
        ("lot_decimals", profile.lot_decimals, 0 <= profile.lot_decimals <= 12, "0 to 12"),
        ("price", profile.price, 100 <= ticks <= 1e8, "100 to 100,000,000 ticks"),
        ("daily_volatility", profile.daily_volatility, 0 < profile.daily_volatility <= 0.1, "above 0 to 0.1"),
        ("typical_notional", profile.typical_notional, profile.typical_notional > 0, "above 0"),
    )
    for name, value, good, wanted in allowed:
        if not good:
            raise UsageError(f"{profile.symbol}: {name} is {value}; write {wanted}")
