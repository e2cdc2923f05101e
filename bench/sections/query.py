"""How long does one minute at a random time take, asked of an open store?"""

import time
from typing import Any

import numpy as np

from bench import market, peers
from bench.child import call
from bench.model import BenchError, Row, Settings, at_most
from bench.peers import parquet
from bench.trades import HOT, Columns
from tickreel.tape import Tape, open_store

TITLE = "one minute at a random time, four columns, one core, wall time"
_BAR = at_most(1.0)
_MINUTE_NS = 60 * 10**9
_QUERIES_A_ROUND = 80


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.query:measure", settings.plain(), pinned=True)
    peer = found.get("peer", {})
    rows = [
        Row(
            f"{name} of {found['queries']:,} queries, {found['rows']:,} rows on average",
            found["tickreel"][name], "ms", peer.get(name), against=parquet.NAME if peer else "",
            bar=_BAR if name == "p99" else None,
        )
        for name in ("p50", "p99")
    ]  # fmt: skip
    return rows + [Row("peer", note=text) for text in found["missing"]]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return p50 and p99 in ms, each query asked of both in turn and the rows compared: in a child."""
    settings = Settings.of(plain)
    data = market.deep(settings)
    times = np.concatenate([file.trades().local_ns for file in data.files])
    starts = _minutes(times, _QUERIES_A_ROUND * settings.rounds)
    store = open_store(data.store)
    absent = peers.missing(parquet.NEEDS)
    files = None if absent else parquet.Minutes(data.kept_by(parquet))
    taken: dict[str, list[float]] = {"tickreel": [], "peer": []}
    rows = 0
    for number, start in enumerate([*starts[:5], *starts]):
        began = time.perf_counter()
        mine = _ask(store, start)
        between = time.perf_counter()
        theirs = files.read(start, start + _MINUTE_NS, HOT) if files else None
        ended = time.perf_counter()
        _compare(mine, theirs, times, start)
        if number >= 5:  # the first few open files and fill caches
            taken["tickreel"].append(between - began)
            taken["peer"].append(ended - between)
            rows += len(mine["side"])
    found = {"queries": len(starts), "rows": rows // len(starts), "missing": [absent] if absent else []}
    return found | {name: _percentiles(seconds) for name, seconds in taken.items() if files or name != "peer"}


def _minutes(times: np.ndarray, count: int) -> list[int]:
    """Return the beginnings of minutes, even over the whole time, each with a trade in it."""
    random = np.random.default_rng(1)
    drawn = random.integers(int(times[0]), max(int(times[-1]) - _MINUTE_NS, int(times[0]) + 1), 200 * count)
    first = np.searchsorted(times, drawn)
    busy = drawn[(first < len(times)) & (times[np.minimum(first, len(times) - 1)] < drawn + _MINUTE_NS)]
    return [int(start) for start in busy[:count]]


def _ask(store: Tape, start: int) -> Columns:
    blocks = list(store.scan(market.SYMBOLS[0], start=start, end=start + _MINUTE_NS, columns=HOT))
    return {name: np.concatenate([block[name] for block in blocks]) for name in HOT}


def _compare(mine: Columns, theirs: Columns | None, times: np.ndarray, start: int) -> None:
    first, last = np.searchsorted(times, (start, start + _MINUTE_NS))
    if not np.array_equal(mine["local_ns"], times[first:last]):
        raise BenchError(f"tickreel: other rows than the file's in the minute at {start}")
    if theirs and not all(np.array_equal(mine[name], theirs[name]) for name in HOT):
        raise BenchError(f"{parquet.NAME}: other rows than tickreel's in the minute at {start}")


def _percentiles(seconds: list[float]) -> dict[str, float]:
    return {f"p{share}": float(np.percentile(seconds, share)) * 1e3 for share in (50, 99)}
