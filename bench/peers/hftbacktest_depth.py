"""hftbacktest's market depth: the books that its backtest keeps while no strategy sends an order."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.l2 import Changes

NEEDS = ("hftbacktest",)
_TICK, _LOT, _ROI = 0.1, 0.001, 100_000


def events(found: Changes) -> np.ndarray:
    """Return the rows as hftbacktest's events; a first one clears the book, as its converters do at a snapshot."""
    from hftbacktest.types import (
        BUY_EVENT,
        DEPTH_EVENT,
        DEPTH_SNAPSHOT_EVENT,
        EXCH_EVENT,
        LOCAL_EVENT,
        SELL_EVENT,
        event_dtype,
    )

    rows = np.zeros(len(found.side), event_dtype)
    kind = np.where(found.is_snapshot == 1, DEPTH_SNAPSHOT_EVENT, DEPTH_EVENT)
    side = np.where(found.side == 0, BUY_EVENT, SELL_EVENT)
    rows["ev"] = kind | side | EXCH_EVENT | LOCAL_EVENT
    rows["exch_ts"] = rows["local_ts"] = found.local_ns
    rows["px"], rows["qty"] = found.ticks / 10.0, found.lots / 1_000.0
    return rows


def players(rows: np.ndarray) -> dict[str, Callable[[], tuple[float, float]]]:
    """Return by kind of depth a function that plays all rows and returns the best bid and ask."""
    from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
    from numba import njit

    low, high = float(rows["px"].min()), float(rows["px"].max())

    def asset() -> Any:
        return (
            BacktestAsset().data([rows]).linear_asset(1.0).constant_order_latency(0, 0)
            .risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
            .tick_size(_TICK).lot_size(_LOT)
        )  # fmt: skip

    @njit
    def play(backtest):
        backtest.elapse(10**15)
        depth = backtest.depth(0)
        return depth.best_bid, depth.best_ask

    def hash_map() -> tuple[float, float]:
        return _played(HashMapMarketDepthBacktest([asset()]), play)

    def roi_vector() -> tuple[float, float]:
        bounded = asset().roi_lb(max(low, high - _ROI)).roi_ub(high + 1)
        return _played(ROIVectorMarketDepthBacktest([bounded]), play)

    return {"hftbacktest, HashMap": hash_map, "hftbacktest, ROIVector": roi_vector}


def _played(backtest: Any, play: Callable[[Any], tuple[float, float]]) -> tuple[float, float]:
    bid, ask = play(backtest)
    backtest.close()
    # Its prices are ticks times 0.1: beside the nearest float64 they may be off in the last bit.
    return round(bid / _TICK) / 10.0, round(ask / _TICK) / 10.0
