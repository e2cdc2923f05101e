"""Runs the engine and its twin over the same trades, and says whether they wrote the same bytes."""

import os
import tempfile
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

# A stable folder, so that machine code is made once and not once per run of the tests.
os.environ.setdefault(
    "TICKREEL_CACHE", str(Path(tempfile.gettempdir()) / f"tickreel-tests-{os.environ.get('USER', 'user')}")
)

import numpy as np

from tickreel.errors import FailedError
from tickreel.simulate import account
from tickreel.simulate import records as r
from tickreel.simulate.account import AccountRun, AccountSettings, Summary
from tickreel.simulate.compile import Engine, build
from twin_engine import Twin, TwinStop, TwinTrade

SIDE_CODES = {0: 0, 1: 1, -1: 2}
DTYPES = {"orders": r.ORDER_OUT, "fills": r.FILL_OUT, "postings": r.POSTING_OUT, "samples": r.SAMPLE_OUT}


class Written(NamedTuple):
    """What a run wrote. stop: "" or why it could not go on, and then only that."""

    orders: np.ndarray
    fills: np.ndarray
    postings: np.ndarray
    samples: np.ndarray
    summary: Summary | None
    stop: str = ""


class Pages:
    """A sink that keeps copies."""

    def __init__(self) -> None:
        self.kept: dict[str, list[np.ndarray]] = {"orders": [], "fills": [], "postings": []}

    def orders(self, rows: np.ndarray) -> None:
        self.kept["orders"].append(rows.copy())

    def fills(self, rows: np.ndarray) -> None:
        self.kept["fills"].append(rows.copy())

    def postings(self, rows: np.ndarray) -> None:
        self.kept["postings"].append(rows.copy())

    def table(self, name: str) -> np.ndarray:
        return np.concatenate([np.zeros(0, DTYPES[name]), *self.kept[name]])


@cache
def engine(strategy: type, jit: bool) -> Engine:
    return build(strategy, jit=jit)


def to_rows(trades: Iterable[TwinTrade]) -> r.Rows:
    columns = list(zip(*trades, strict=True)) or [()] * 5
    price, amount, side, exchange_ns, local_ns = columns
    return r.Rows(
        np.array(price, np.float64),
        np.array(amount, np.float64),
        np.array([SIDE_CODES[one] for one in side], np.uint8),
        np.array(exchange_ns, np.int64),
        np.array(local_ns, np.int64),
    )


def run_engine(
    strategy: Any,
    parameters: dict[str, Any],
    settings: AccountSettings,
    bounds: Any,
    trades: list[TwinTrade],
    *,
    split: int = 0,
    jit: bool = True,
    late: bool = False,
    state: dict[str, Any] | None = None,
) -> tuple[Written, Any]:
    """Return what it wrote, and the strategy's state at the end.

    split  rows a block, 0 for all; late: give times only when they are asked for
    """
    run = AccountRun(strategy, engine(strategy, jit), parameters, settings, np.array(bounds, np.int64))
    for name, value in (state or {}).items():
        run._state[name] = value
    rows, pages = to_rows(trades), Pages()
    try:
        for start in range(0, len(trades), split or max(len(trades), 1)):
            stop = start + (split or len(trades))
            block = r.Rows(*(column[start:stop] for column in rows))
            if late:
                times, none = block.local_ns, np.empty(0, np.int64)
                late_times = r.LateTimes(partial(_part, times), int(times[-1]))
                with patch.object(account, "_TIMED_ROWS", 3):
                    run.feed(block._replace(local_ns=none), pages, late_times)
            else:
                run.feed(block, pages)
        summary, samples = run.finish(pages)
    except FailedError as error:
        return stopped("orders" if "open at one time" in str(error) else "money"), None
    kept = (pages.table(name) for name in ("orders", "fills", "postings"))
    return Written(*kept, np.array(samples), summary), run._state


def _part(times: np.ndarray, start: int, stop: int) -> np.ndarray:
    return times[start:stop].copy()


def run_twin(
    strategy: Any,
    parameters: dict[str, Any],
    settings: AccountSettings,
    bounds: Any,
    trades: list[TwinTrade],
    *,
    state: dict[str, Any] | None = None,
    feed_latency_ns: int | None = None,
) -> tuple[Written, Any]:
    twin = Twin(strategy, parameters, settings, bounds)
    for name, value in (state or {}).items():
        setattr(twin.me, name, list(value))
    try:
        out = twin.play(trades, feed_latency_ns=feed_latency_ns)
    except TwinStop as stop:
        return stopped(str(stop)), None
    tables = {name: np.array(getattr(out, name), dtype) for name, dtype in DTYPES.items()}
    return Written(**tables, summary=out.summary), twin.me


def stopped(why: str) -> Written:
    return Written(*(np.zeros(0, dtype) for dtype in DTYPES.values()), None, why)


def assert_same(found: Written, wanted: Written) -> None:
    """Fail unless both wrote the same, to the bit."""
    assert found.stop == wanted.stop
    for name, dtype in DTYPES.items():
        mine, theirs = getattr(found, name), getattr(wanted, name)
        assert len(mine) == len(theirs), f"{name}\n{mine}\n{theirs}"
        for column in dtype.names:
            same = mine[column].tobytes() == theirs[column].tobytes()
            assert same, f"{name}.{column}\n{mine[column]}\n{theirs[column]}"
    if wanted.summary is not None:
        assert found.summary._asdict() == wanted.summary._asdict()
