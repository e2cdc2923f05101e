"""Makes one day of trades of one symbol as arrays."""

from typing import TypedDict

import numpy as np

from tickreel.synth.market import SyntheticMarket
from tickreel.synth.oddities import add_oddities
from tickreel.synth.plan import day_key, plan_day
from tickreel.synth.records_kernel import I64, U8, Bursts, Rows
from tickreel.synth.tables import tables
from tickreel.synth.trades_kernel import draw_amounts, draw_bursts, draw_trades, place_bursts
from tickreel.units import NS_PER_US


class DayTrades(TypedDict):
    """One day of trades; arrays of one length in the order of the file.

    price = price_ticks / 10^price_scale, amount = amount_lots / 10^amount_scale
    side is 0 unknown (only with oddities), 1 buy, 2 sell
    """

    exchange_ns: I64
    local_ns: I64
    id: I64
    side: U8
    price_ticks: I64
    price_scale: int
    amount_lots: I64
    amount_scale: int


def day_trades(market: SyntheticMarket, symbol: str, day: str) -> DayTrades:
    """Return the trades of one UTC day, "YYYY-MM-DD"; times are ns, multiples of 1,000.

    Raises UsageError for an unknown symbol, a wrong setting or a day out of FIRST_DAY to LAST_DAY.
    """
    rows = day_rows(market, symbol, day)
    profile = market.profile(symbol)
    return {
        "exchange_ns": rows.exchange_us * NS_PER_US,
        "local_ns": rows.local_us * NS_PER_US,
        "id": rows.id,
        "side": rows.side,
        "price_ticks": rows.price_ticks,
        "price_scale": profile.tick_decimals,
        "amount_lots": rows.amount_lots,
        "amount_scale": profile.lot_decimals,
    }


def day_rows(market: SyntheticMarket, symbol: str, day: str) -> Rows:
    """Return the same as `day_trades`, in microseconds."""
    plan, table = plan_day(market, symbol, day), tables()
    state = plan.state
    bursts = Bursts._make(np.empty(plan.rows, np.int64) for _ in Bursts._fields)
    types = [np.uint8 if name == "side" else np.int64 for name in Rows._fields]
    rows = Rows._make(np.empty(plan.rows, dtype) for dtype in types)
    count, clock = draw_bursts(plan, table, state, bursts)
    place_bursts(table.hours, state, bursts, count, clock)
    draw_trades(plan, table.lag_us, state, bursts, count, rows)
    draw_amounts(plan, table.amount, state, rows.amount_lots)
    if market.oddities:
        rows, _ = add_oddities(rows, day_key(market, symbol, day))
    return rows
