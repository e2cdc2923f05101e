"""How fast is an order book rebuilt, from arrays and from the store, and how far off is one at any time?"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import l2, market, peers
from bench.child import call
from bench.model import BenchError, Row, Settings, at_least, at_most
from bench.peers import hftbacktest_depth
from bench.timing import alternate
from tickreel.books.at import book_at
from tickreel.books.book import Book
from tickreel.books.book_kernel import BookRows
from tickreel.books.checkpoints import replay
from tickreel.books.rows import Source
from tickreel.store.catalog import SegmentKey, Store

TITLE = (
    "changes of price levels to an order book, one core, per CPU second; a book at a random time, wall time"
)
_QUERIES = 200
_ROWS, _STORE = "rows in arrays", "rows from the store"
_TWO_BOOKS = "keeps two books: the venue's and the strategy's"


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.books:measure", settings.plain(), pinned=True)
    speed, what = found["speed"], f"{found['rows']:,} updates"
    rows = [
        Row(f"{what}, {_ROWS}", speed[_ROWS], "M updates/s", bar=at_least(15.0)),
        Row(f"{what}, {_STORE}", speed[_STORE], "M updates/s", bar=at_least(8.0)),
    ]
    rows += [
        Row(f"{what}, {_ROWS}", speed[_ROWS], "M updates/s", value, against=name, note=_TWO_BOOKS)
        for name, value in speed.items() if name not in (_ROWS, _STORE)
    ]  # fmt: skip
    for share, value in zip(("p50", "p99"), found["at_ms"], strict=True):
        bar = at_most(50.0) if share == "p99" else None
        rows.append(Row(f"book at one of {_QUERIES} times, {share}", value, "ms", bar=bar))
    return rows + [Row("peer", note=text) for text in found["missing"]]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M updates per CPU second of each and the times of a book, equal books first: in a child."""
    settings = Settings.of(plain)
    changes = l2.changes(settings.trades)
    store = Store(_store(settings))
    key = SegmentKey("bench", l2.TYPE, l2.EXCHANGE, l2.SYMBOL, l2.DAY)
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        _ROWS: partial(_from_arrays, _rows(changes)),
        _STORE: partial(_from_store, store, key),
    }
    absent = peers.missing(hftbacktest_depth.NEEDS)
    if not absent:
        ways |= hftbacktest_depth.players(hftbacktest_depth.events(changes))
    best = {name: play() for name, play in ways.items()}
    if len(set(best.values())) > 1:
        raise BenchError(f"the best bid and ask differ: {best}")
    times = alternate(settings.rounds, ways)
    rows = len(changes.side)
    return {
        "rows": rows,
        "speed": {name: rows / taken.cpu / 1e6 for name, taken in times.items()},
        "at_ms": np.percentile(_queries(store, changes.local_ns), [50, 99]).tolist(),
        "missing": [absent] if absent else [],
    }


def _rows(changes: l2.Changes) -> BookRows:
    amounts = changes.lots / 10.0**l2.AMOUNT_SCALE
    return BookRows(changes.local_ns, changes.is_snapshot, changes.side, changes.ticks, amounts)


def _from_arrays(rows: BookRows) -> tuple[float, float]:
    book = Book()
    book.apply(rows, l2.PRICE_SCALE, 0, len(rows.side))
    return _best(book)


def _from_store(store: Store, key: SegmentKey) -> tuple[float, float]:
    segment = store.open(key)
    book = Book()
    replay(book, Source(segment, key.symbol, 0, segment.rows), 0, segment.rows)
    return _best(book)


def _best(book: Book) -> tuple[float, float]:
    book.close()
    return float(book.bids(1).price[0]), float(book.asks(1).price[0])


def _queries(store: Store, local_ns: np.ndarray) -> np.ndarray:
    """Return the milliseconds of books at random times of the day, each from nothing but the store's path."""
    numbers, taken = np.random.default_rng(2), []
    for at_ns in numbers.integers(local_ns[0], local_ns[-1], _QUERIES).tolist():
        begun = time.perf_counter()
        book_at(Store(store.root), l2.SYMBOL, at_ns)
        taken.append(1e3 * (time.perf_counter() - begun))
    return np.array(taken)


def _store(settings: Settings) -> Path:
    """Return a store of the made-up changes, sealed with the default settings, with its checkpoints."""
    return market.sealed(settings.work / f"l2-{settings.trades}" / "store", [l2.file(settings)])
