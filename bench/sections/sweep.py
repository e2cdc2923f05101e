"""How many trades x sets a second does a parameter sweep play, and what memory does it take?"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bench import market
from bench.child import call
from bench.model import BenchError, Row, Settings, at_least, at_most
from bench.sections.memory import LINUX_ONLY, is_measured, peak
from bench.timing import alternate

TITLE = "momentum with many thresholds, many sets to a scan of the store, 2 workers"
_SETS, _FEW = 200, 20
_MEMORY_SETS = 1_000
_LOW, _HIGH = 0.0005, 0.005
_CAPITAL, _FEE, _FRACTION = 100_000.0, 0.0004, 0.95
_LOOP = "numba loop over arrays in RAM, 2 threads"


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.sweep:measure", settings.plain())
    trades, loop = found["trades"], found["loop"]
    return [
        Row(f"{trades:,} trades x {_SETS} sets, start and report included", found["whole"], "M trades x sets/s", loop, _LOOP),
        Row(
            "the same without fixed cost", found["replay"], "M trades x sets/s", loop, _LOOP, at_least(400.0),
            f"from the times of {_SETS} and of {_FEW} sets; the loop is given floats for money and no orders to keep",
        ),
        Row("results equal", note=f"{_SETS} sets over {found['symbols']} symbols, to 1e-9 of equity"),
        *_memory(settings),
    ]  # fmt: skip


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the rates in M trades x sets/s, of a sweep and of the loop: in a child."""
    from tickreel import open_store, sweep

    settings = Settings.of(plain)
    store = market.wide(settings).store
    tape = open_store(store)
    columns = {name: _columns(tape, name) for name in market.SYMBOLS}
    trades = sum(len(price) for price, _ in columns.values())
    results: dict[int, Any] = {}

    def ours(sets: int) -> None:
        asked = {"threshold": f"{_LOW}:{_HIGH}:{sets}", "fraction": _FRACTION}
        results[sets] = sweep("momentum", asked, store=store, workers=2, capital=_CAPITAL, fee=_FEE)

    loops: dict[str, np.ndarray] = {}
    calls = {
        "few": lambda: ours(_FEW),
        "many": lambda: ours(_SETS),
        "loop": lambda: loops.update(_loop(columns)),
    }
    seconds = {name: taken.wall for name, taken in alternate(settings.rounds, calls).items()}
    _compare(results[_SETS], loops)
    more = seconds["many"] - seconds["few"]
    return {
        "trades": trades,
        "symbols": len(columns),
        "whole": trades * _SETS / seconds["many"] / 1e6,
        "replay": trades * (_SETS - _FEW) / more / 1e6 if more > 0 else None,
        "loop": trades * _SETS / seconds["loop"] / 1e6,
    }


def _columns(tape: Any, symbol: str) -> tuple[np.ndarray, np.ndarray]:
    blocks = [
        (b["price"].copy(), b["local_ns"].copy()) for b in tape.scan(symbol, columns=["price", "local_ns"])
    ]
    price, local_ns = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return price, local_ns


def _loop(columns: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return symbol -> equity at the end with each threshold; a thread for each symbol."""
    from bench.peers.numba_loop import momentum_sets

    thresholds = np.linspace(_LOW, _HIGH, _SETS)
    found = {name: np.zeros(_SETS) for name in columns}
    with ThreadPoolExecutor(2) as threads:
        calls = [
            threads.submit(momentum_sets, *columns[name], thresholds, _FRACTION, _CAPITAL, _FEE, equity)
            for name, equity in found.items()
        ]
        for one in calls:
            one.result()
    return found


def _compare(result: Any, loops: dict[str, np.ndarray]) -> None:
    for name, equity in loops.items():
        (key,) = (key for key in result.sets[0].returns if key.endswith(f":{name}"))
        mine = np.array([one.returns[key] for one in result.sets]) + 1.0
        if not np.allclose(mine * _CAPITAL, equity, rtol=1e-9, atol=0):
            raise BenchError(f"sweep: the equity of {name} is other than the loop's")


def _memory(settings: Settings) -> list[Row]:
    if not is_measured():
        return [Row("peak memory", note=LINUX_ONLY)]
    stores = call("bench.market:paths", settings.plain())
    words = ("sweep", "momentum", "--set", f"threshold={_LOW}:{_HIGH}:{_MEMORY_SETS}")
    large, small = (peak(stores[name], settings.work, words) for name in ("store", "tenth"))
    many, few = (stores["rows"][stores[name]] for name in ("store", "tenth"))
    what = f"{_MEMORY_SETS:,} sets, {many:,} trades beside {few:,}: anonymous + shared (PSS)"
    growth = (large.own / small.own - 1) * 100
    return [
        Row(what, large.own, "MiB", small.own, f"{few:,} trades", at_most(512)),
        Row(f"growth over {many / few:.1f} times the trades", growth, "%", bar=at_most(20), note="ten times the samples, too"),
    ]  # fmt: skip
