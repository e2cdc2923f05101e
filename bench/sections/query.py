"""How long does one minute at a random time take, asked of an open store?"""

import time
from collections.abc import Callable
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
    """Return p50 and p99 in ms, rounds of queries of one and the other in turn, and the rows compared: in a child."""
    settings = Settings.of(plain)
    data = market.deep(settings)
    times = np.concatenate([file.trades().local_ns for file in data.files])
    starts = _minutes(times, _QUERIES_A_ROUND * settings.rounds)
    store = open_store(data.store)
    absent = peers.missing(parquet.NEEDS)
    files = None if absent else parquet.Minutes(data.kept_by(parquet))
    ask: dict[str, Callable[[int], Columns]] = {"tickreel": lambda start: _ask(store, start)}
    if files:
        ask["peer"] = lambda start: files.read(start, start + _MINUTE_NS, HOT)
    taken: dict[str, list[float]] = {name: [] for name in ask}
    rows = 0
    for number in range(settings.rounds):
        asked = starts[_QUERIES_A_ROUND * number :][:_QUERIES_A_ROUND]
        answers = {name: _round(one, asked, taken[name]) for name, one in ask.items()}
        for place, start in enumerate(asked):
            mine = answers["tickreel"][place]
            _compare(mine, answers["peer"][place] if files else None, times, start)
            rows += len(mine["side"])
    found = {"queries": len(starts), "rows": rows // len(starts), "missing": [absent] if absent else []}
    return found | {name: _percentiles(seconds) for name, seconds in taken.items()}


def _round(ask: Callable[[int], Columns], starts: list[int], taken: list[float]) -> list[Columns]:
    """Ask for some minutes, one after the other, as a program does that has one store; the first few are not counted."""
    for start in starts[:5]:  # open files, fill caches
        ask(start)
    answers = []
    for start in starts:
        began = time.perf_counter()
        answers.append(ask(start))
        taken.append(time.perf_counter() - began)
    return answers


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
