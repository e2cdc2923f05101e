"""Stores of made-up trades with and without local times, for the tests of --feed-latency."""

from collections.abc import Iterable

import numpy as np

from engine_runs import SIDE_CODES
from tickreel.codecs.decimals import from_floats
from tickreel.scan.plan import Slice, Stream
from tickreel.scan.read import StreamReader
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Meta
from tickreel.store.writer import SegmentWriter
from tickreel.units import day_of
from twin_engine import TwinTrade

TRADES = RECORD_TYPES["trades"]


def put_trades(
    store: Store, feed: str, trades: Iterable[TwinTrade], *, local: bool, block_rows: int = 64
) -> list[SegmentKey]:
    """Put trades, in order of the clock that they are stored by, into segments of their days."""
    days: dict[str, list[TwinTrade]] = {}
    for one in trades:
        days.setdefault(day_of(one.local_ns if local else one.exchange_ns), []).append(one)
    keys = [SegmentKey(feed, "trades", "binance", "BTCUSDT", day) for day in sorted(days)]
    for key in keys:
        path = store.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = days[key.day]
        with SegmentWriter(path, TRADES.shape(local=local), block_rows=block_rows) as writer:
            writer.append(_columns(rows))
            meta = Meta(feed, key.type, key.exchange, key.symbol, key.day, False, [])
            writer.finish(meta, [(key.symbol, len(rows))])
    (store.root / "primary").write_text(f"{feed}\n")
    return keys


def _columns(trades: list[TwinTrade]) -> dict:
    return {
        "exchange_ns": np.array([one.exchange_ns for one in trades], np.int64),
        "local_ns": np.array([one.local_ns for one in trades], np.int64),
        "id": np.full(len(trades), b"", "S1"),
        "side": np.array([SIDE_CODES[one.side] for one in trades], np.uint8),
        "price": from_floats(np.array([one.price for one in trades])),
        "amount": from_floats(np.array([one.amount for one in trades])),
    }


def through_a_store(store: Store, trades: list[TwinTrade], lag_ns: int) -> list[TwinTrade]:
    """Return the trades as a run reads them from a store that has no local times."""
    keys = put_trades(store, "relay", trades, local=False, block_rows=2)
    stream = Stream("relay", "trades", "binance", "BTCUSDT", [Slice(key) for key in keys], lag_ns)
    found = []
    for block in StreamReader(store, stream, reuse=True).blocks():
        for price, amount, exchange_ns, local_ns in zip(
            *(block[name].tolist() for name in ("price", "amount", "exchange_ns", "local_ns")), strict=True
        ):
            found.append(TwinTrade(price, amount, 0, exchange_ns, local_ns))
    return found
