"""Decides what a day of one symbol must be before any trade is drawn: open, close, rows, jumps.

The daily path is one random walk per symbol from FIRST_DAY on, so any day can be made alone.
"""

import math
from datetime import date
from functools import lru_cache
from hashlib import shake_256
from typing import NamedTuple

import numpy as np

from tickreel.errors import UsageError
from tickreel.synth.market import FIRST_DAY, LAST_DAY, PRICE_DAY, SymbolProfile, SyntheticMarket
from tickreel.synth.records_kernel import I64, DayPlan
from tickreel.synth.tables import AMOUNT_ONE, NORMAL_ONE, tables
from tickreel.units import NS_PER_DAY, NS_PER_US, day_start

SLOTS = 8
"""A day has eight places for a jump; three of four places are taken."""

GAP_UNITS_PER_MS = 16
DIFFUSING = 0.28
"""Share of bursts that carry the day's volatility; the kernel draws it as 4,588 of 2^14."""

_PPB = 1_000_000_000
_JUMP_TAKEN = 192  # of 256
_JUMP_TURNS = 90  # of 256: otherwise it goes the way of the one before
_TRADES_PER_BURST = 2.32
_LEVEL_STEPS_PER_DAY = 400
_MIN_TICKS = 100


class _Walk(NamedTuple):
    level_ppb: I64  # [days + 1], logarithm of the price at each opening
    normal: I64  # [days], the day's move without jumps, NORMAL_ONE is one standard deviation
    jumps_ppb: I64  # [days, SLOTS]
    drift_ppb: I64  # [days, SLOTS]


def plan_day(market: SyntheticMarket, symbol: str, day: str) -> DayPlan:
    """Return the plan of one UTC day, "YYYY-MM-DD"; UsageError for a day out of FIRST_DAY to LAST_DAY."""
    profile = market.profile(symbol)
    index = _day_index(day)
    walk = _walk_to(market, profile, index + 1)
    open_ticks, close_ticks = (_ticks(profile, walk, at) for at in (index, index + 1))
    jumps, drift = walk.jumps_ppb[index], walk.drift_ppb[index]
    move = (close_ticks - open_ticks) * _PPB // open_ticks
    daily = max(1, round(profile.trades_per_day * market.scale))
    rows = _rows(daily, day, int(walk.normal[index]))
    bursts = max(1.0, rows / _TRADES_PER_BURST)
    words = _words(day_key(market, symbol, day), 4 + SLOTS + 16)
    typical = profile.typical_notional * 10.0 ** (profile.lot_decimals + profile.tick_decimals) / open_ticks
    typical_lots = max(1, round(min(typical, 1e9)))
    return DayPlan(
        rows=rows,
        start_us=day_start(day) // NS_PER_US,
        open_ticks=open_ticks,
        move_ppb=int(move - jumps.sum() - drift.sum()),
        step_ppb=max(1, round(profile.daily_volatility * _PPB / math.sqrt(DIFFUSING * bursts))),
        tick_ppb=_PPB // open_ticks,
        gap=max(GAP_UNITS_PER_MS, round(86_400_000 * GAP_UNITS_PER_MS / bursts)),
        level_chance=min(1 << 24, round(_LEVEL_STEPS_PER_DAY * (1 << 24) / bursts)),
        first_id=1 + index * (4 * daily + 1_000),
        typical_lots=typical_lots,
        jump_at=(np.arange(SLOTS) * 8_192 + 512 + words[4 : 4 + SLOTS] % 7_168).astype(np.int64),
        jump_ppb=jumps.copy(),
        drift_ppb=np.concatenate(([0], np.cumsum(drift))).astype(np.int64),
        popular_lots=_popular_lots(typical_lots, words[4 + SLOTS :]),
        round_lots=_round_lots(typical_lots),
        state=words[:4].copy(),
    )


def _day_index(day: str) -> int:
    try:
        index = (day_start(day) - day_start(FIRST_DAY)) // NS_PER_DAY
    except ValueError as error:
        raise UsageError(f"day {day!r}: {error}; write a date such as {PRICE_DAY}") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise UsageError(
            f"day {day!r}: the synthetic market has {FIRST_DAY} to {LAST_DAY}; write one of those"
        )
    return index


def _ticks(profile: SymbolProfile, walk: _Walk, at: int) -> int:
    anchor = int(walk.level_ppb[_day_index(PRICE_DAY)])
    price = profile.price * math.exp((int(walk.level_ppb[at]) - anchor) / _PPB)
    return max(_MIN_TICKS, round(price * 10.0**profile.tick_decimals))


def _rows(daily: int, day: str, normal: int) -> int:
    """Fewer trades on Saturday and Sunday, more on a day that moves more."""
    week = 0.80 if date.fromisoformat(day).weekday() >= 5 else 1.08
    return max(1, round(daily * week * (0.75 + 0.31 * abs(normal) / NORMAL_ONE)))


def _popular_lots(typical: int, words: I64) -> I64:
    return np.maximum(1, typical * tables().amount[words >> 22] // (4 * AMOUNT_ONE))


def _round_lots(typical: int) -> I64:
    steps = [digit * 10**power for power in range(11) for digit in (1, 2, 5)]
    near = min(range(len(steps)), key=lambda at: abs(math.log(steps[at] / typical)))
    first = max(0, min(near - 6, len(steps) - 16))
    return np.array(steps[first : first + 16], np.int64)


def _walk_to(market: SyntheticMarket, profile: SymbolProfile, days: int) -> _Walk:
    """Whole years are made and kept; a longer walk starts with the shorter one, value by value."""
    years = max(days, _day_index(PRICE_DAY)) // 366 + 1
    key = (market.seed, market.exchange, profile.symbol, round(profile.daily_volatility * _PPB))
    return _walk(*key, years * 366)


@lru_cache(maxsize=64)
def _walk(seed: int, exchange: str, symbol: str, volatility_ppb: int, days: int) -> _Walk:
    table = tables()
    common = table.normal[_words(f"{seed}/{exchange}", days) >> 20]
    own = table.normal[_words(f"{seed}/{exchange}/{symbol}", days) >> 20]
    normal = (8 * common + 6 * own) // 10
    jumps, drift = _jumps(_words(f"{seed}/{exchange}/{symbol}/jumps", days * SLOTS))
    moves = volatility_ppb * normal // NORMAL_ONE + (jumps + drift).reshape(days, SLOTS).sum(axis=1)
    level = [0]
    for move in moves.tolist():
        # The pull back to the mean, 1/512 a day, keeps prices within reach over many years.
        level.append(level[-1] - level[-1] // 512 + move)
    walk = _Walk(np.array(level, np.int64), normal, jumps.reshape(days, SLOTS), drift.reshape(days, SLOTS))
    for array in walk:
        array.flags.writeable = False
    return walk


def _jumps(words: I64) -> tuple[I64, I64]:
    """Return jumps that tend to go on in one direction, and the drift that takes the gain back.

    The drift towards a place for a jump is the negative of the jump to be expected there, so
    that knowing the last jump does not pay.
    """
    table = tables().jump_ppb
    taken = (words & 0xFF) < _JUMP_TAKEN
    turns = taken & (((words >> 8) & 0xFF) < _JUMP_TURNS)
    sign = np.cumprod(np.where(turns, -1, 1))
    before = np.concatenate(([1], sign[:-1]))
    expected = int(table.mean()) * _JUMP_TAKEN * (256 - 2 * _JUMP_TURNS) // 256**2
    return np.where(taken, sign * table[words >> 22], 0).astype(np.int64), -before * expected


def day_key(market: SyntheticMarket, symbol: str, day: str) -> str:
    """Return the text that seeds a day."""
    return f"{market.seed}/{market.exchange}/{symbol}/{day}"


def _words(key: str, count: int) -> I64:
    """Return `count` numbers of 32 random bits; more of them begin with the same ones."""
    return np.frombuffer(shake_256(key.encode()).digest(4 * count), "<u4").astype(np.int64)
