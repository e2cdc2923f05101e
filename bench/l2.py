"""A made-up order book's changes, with the shape of a busy future's: what the book and L2 sections measure.

Messages of some 65 rows every 50 ms; levels near the touch and far from it, a fifth of the rows remove
one; amounts that repeat; a touch that wanders, whose passed levels are taken away.
"""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.market import kept
from bench.model import Settings
from tickreel.schema import RECORD_TYPES
from tickreel.units import day_start

DAY, SYMBOL, EXCHANGE = "2024-01-01", "BTCUSDT", "binance-futures"
TYPE = "incremental_book_L2"
PRICE_SCALE, AMOUNT_SCALE = 1, 3
_LEVELS, _TOUCH, _VERSION = 1_000, 617_000, 1


class Changes(NamedTuple):
    """Rows in order. price = ticks / 10^PRICE_SCALE, amount = lots / 10^AMOUNT_SCALE; side 0 bid, 1 ask."""

    exchange_ns: np.ndarray
    local_ns: np.ndarray
    is_snapshot: np.ndarray
    side: np.ndarray
    ticks: np.ndarray
    lots: np.ndarray


def changes(count: int, seed: int = 1) -> Changes:
    """Return about `count` rows of one day, the first a snapshot's."""
    numbers = np.random.default_rng(seed)
    messages = max(1, count // 65)
    rows = np.clip(numbers.lognormal(3.6, 0.9, messages), 5, 1_500).astype(np.int64)
    steps = np.rint(numbers.standard_t(3, messages) * 2).astype(np.int64)
    touch = _TOUCH + np.cumsum(steps)
    message, side, ticks = _near(numbers, rows, touch)
    lots = np.where(numbers.random(len(ticks)) < 0.21, 0, _amounts(numbers, len(ticks)))
    passed = _passed(steps, touch)
    message, side, ticks, lots = (
        np.concatenate(pair) for pair in zip(passed, (message, side, ticks, lots), strict=True)
    )
    order = np.lexsort((side, message))
    message, side, ticks, lots = (values[order] for values in (message, side, ticks, lots))
    time_us = np.cumsum(numbers.integers(49_800, 57_000, messages))[message]
    depth = np.arange(1, _LEVELS + 1)
    first = [np.repeat([0, 1], _LEVELS), np.concatenate([_TOUCH - depth, _TOUCH + depth])]
    local_ns = day_start(DAY) + 1_000 * np.concatenate([np.full(2 * _LEVELS, 9), 20 + time_us])
    return Changes(
        local_ns - 4_000_000, local_ns,
        np.repeat([1, 0], [2 * _LEVELS, len(ticks)]).astype(np.uint8),
        np.concatenate([first[0], side]).astype(np.uint8), np.concatenate([first[1], ticks]),
        np.concatenate([_amounts(numbers, 2 * _LEVELS), lots]),
    )  # fmt: skip


def floats(found: Changes) -> dict[str, np.ndarray]:
    """Return the columns as a scan gives them."""
    names = ("exchange_ns", "local_ns", "is_snapshot", "side")
    numbers = {"price": found.ticks / 10.0**PRICE_SCALE, "amount": found.lots / 10.0**AMOUNT_SCALE}
    return {name: getattr(found, name) for name in names} | numbers


def file(settings: Settings) -> Path:
    """Return a Tardis file of these rows, as many as `settings.trades`."""
    name = f"{EXCHANGE}_{TYPE}_{DAY}_{SYMBOL}.csv.gz"

    def make(folder: Path) -> None:
        import polars as pl

        found = changes(settings.trades)
        cells = floats(found)
        flags, sides = np.array(["false", "true"]), np.array(["bid", "ask"])
        frame = pl.DataFrame(
            {
                "exchange": np.full(len(found.side), EXCHANGE), "symbol": np.full(len(found.side), SYMBOL),
                "timestamp": found.exchange_ns // 1_000, "local_timestamp": found.local_ns // 1_000,
                "is_snapshot": flags[found.is_snapshot], "side": sides[found.side],
                "price": cells["price"], "amount": cells["amount"],
            }
        )  # fmt: skip
        assert tuple(frame.columns) == RECORD_TYPES[TYPE].csv_header
        with gzip.open(folder / name, "wb", 6) as out:
            frame.write_csv(out)

    return kept(settings.work / f"l2-{settings.trades}", f"{_VERSION} {settings.trades}", make) / name


def _near(
    numbers: np.random.Generator, rows: np.ndarray, touch: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (message, side, ticks) of levels at distances as they are met: most within 1,000 ticks."""
    message = np.repeat(np.arange(len(rows)), rows)
    side = numbers.integers(0, 2, len(message))
    distance = 1 + np.minimum(numbers.lognormal(5.8, 1.3, len(message)), 200_000).astype(np.int64)
    return message, side, touch[message] + np.where(side == 0, -distance, distance)


def _passed(steps: np.ndarray, touch: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return rows that take away the levels between the old touch and the new: asks if it rose, else bids."""
    message = np.repeat(np.arange(len(steps)), np.abs(steps))
    nth = np.arange(len(message)) - np.repeat(np.cumsum(np.abs(steps)) - np.abs(steps), np.abs(steps))
    up = steps[message] > 0
    ticks = np.where(up, touch[message] - nth, touch[message] + nth)
    return message, up.astype(np.int64), ticks, np.zeros(len(message), np.int64)


def _amounts(numbers: np.random.Generator, count: int) -> np.ndarray:
    """Return sizes of a heavy tail, a third of them round."""
    lots = np.clip(numbers.lognormal(4.5, 2.0, count), 1, 10**7).astype(np.int64)
    return np.where(numbers.random(count) < 0.3, 1 + lots // 100 * 100, lots)
