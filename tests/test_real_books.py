"""Books rebuilt from real changes, beside the best bid and ask that the venue sent on a channel of its own.

Needs the folder of real files; see test_real_data.py.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from import_sample import fast_folder, take
from test_real_data import REAL
from tickreel.books.at import book_at
from tickreel.books.book import Book
from tickreel.books.rows import RowReader
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment

TYPES = ("incremental_book_L2", "book_ticker")
FILES = sorted(path for type in TYPES for path in REAL.glob(f"*/{type}/2024/08/*/*.csv.gz"))
PAIRS = [
    ("binance", "BTCUSDT"),
    ("binance", "ETHUSDT"),
    ("binance-futures", "BTCUSDT"),
    ("binance-futures", "ETHUSDT"),
]
NEAR_NS = 150_000_000

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not FILES, reason=f"no real order books in {REAL}"),
]


class Tops(NamedTuple):
    """Best bid and ask after each message, or as the venue sent them."""

    local_ns: np.ndarray
    bid: np.ndarray
    ask: np.ndarray


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with fast_folder() as folder:
        made = Store(folder / "tape")
        assert take(made, *FILES).exit_code == 0
        yield made


def segments(store: Store, type: str, exchange: str, symbol: str) -> list[Segment]:
    return [store.open(key) for key in store.find(type=type, exchange=exchange, symbol=symbol)]


def rebuilt(found: list[Segment], *, uncross: bool) -> Tops:
    """Play all days, one after the other, and look at the book after each message."""
    book, reader, tops = Book(uncross=uncross), RowReader(), []
    for segment in found:
        for block in range(len(segment.blocks)):
            rows, scale = reader.read(segment, block)
            ends = [*(np.flatnonzero(np.diff(rows.local_ns)) + 1).tolist(), len(rows.local_ns)]
            start = 0
            for end in ends:
                book.apply(rows, scale, start, end)
                start = end
                if end < len(rows.local_ns) and book.is_known:
                    book.close()
                    bids, asks = book.bids(1).price, book.asks(1).price
                    if len(bids) and len(asks):
                        tops.append((int(rows.local_ns[end - 1]), bids[0], asks[0]))
    return Tops(*(np.array(column) for column in zip(*tops, strict=True)))


def sent(found: list[Segment]) -> Tops:
    names = ("local_ns", "bid_price", "ask_price")
    return Tops(*(np.concatenate([s.read(n, b) for s in found for b in range(len(s.blocks))]) for n in names))


@pytest.mark.parametrize(("exchange", "symbol"), PAIRS)
def test_best_bid_and_ask_are_those_that_the_venue_sent(store: Store, exchange: str, symbol: str) -> None:
    """At the time of each message the ticker's last prices are the book's in more than 99 of 100 cases.

    In the others one channel was ahead of the other: the pair was sent within 150 ms before or after.
    """
    ours = rebuilt(segments(store, "incremental_book_L2", exchange, symbol), uncross=True)
    theirs = sent(segments(store, "book_ticker", exchange, symbol))
    at = np.searchsorted(theirs.local_ns, ours.local_ns, "right") - 1
    ours = Tops(*(column[at >= 0] for column in ours))
    at = at[at >= 0]
    same = (theirs.bid[at] == ours.bid) & (theirs.ask[at] == ours.ask)
    late = [row for row in np.flatnonzero(~same) if not was_sent_near(theirs, ours, row)]
    print(f"{exchange} {symbol}: {len(same):,} messages, {same.mean():.4%} agree, {len(late)} unexplained")
    assert len(same) > 6_000
    assert same.mean() > 0.99
    assert len(late) < 0.001 * len(same)


def was_sent_near(theirs: Tops, ours: Tops, row: int) -> bool:
    """Whether bid and ask were each the ticker's at some moment within NEAR_NS of the message."""
    now = ours.local_ns[row]
    first, last = np.searchsorted(theirs.local_ns, [now - NEAR_NS, now + NEAR_NS]).tolist()
    near = slice(max(first - 1, 0), last)
    return bool((theirs.bid[near] == ours.bid[row]).any() and (theirs.ask[near] == ours.ask[row]).any())


def test_what_is_crossed_rests_on_one_level_that_no_row_removed(store: Store) -> None:
    """Binance spot BTCUSDT: kept as the data say, three quarters of the messages leave a crossed book."""
    found = segments(store, "incremental_book_L2", "binance", "BTCUSDT")
    kept = rebuilt(found, uncross=False)
    assert 0.7 < (kept.bid >= kept.ask).mean() < 1
    stale = {price for price in kept.bid[kept.bid >= kept.ask].tolist()}
    end = int(kept.local_ns[-1])
    crossed = book_at(store, "binance:BTCUSDT", end)
    assert crossed.is_crossed
    assert crossed.best_bid in stale
    mended = book_at(store, "binance:BTCUSDT", end, uncross=True)
    assert not mended.is_crossed
    assert (
        crossed.bids.price[crossed.bids.price < crossed.best_ask].tolist()[:50]
        == mended.bids.price.tolist()[:50]
    )


@pytest.mark.parametrize(("exchange", "symbol"), PAIRS)
def test_a_book_at_a_time_is_the_book_of_the_whole_replay(store: Store, exchange: str, symbol: str) -> None:
    for uncross in (False, True):
        tops = rebuilt(segments(store, "incremental_book_L2", exchange, symbol), uncross=uncross)
        for row in np.linspace(0, len(tops.local_ns) - 1, 25).astype(int).tolist():
            found = book_at(store, f"{exchange}:{symbol}", int(tops.local_ns[row]), depth=1, uncross=uncross)
            assert (found.best_bid, found.best_ask) == (tops.bid[row], tops.ask[row])
