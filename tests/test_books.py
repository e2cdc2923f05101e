"""Books: what the compiled ladders hold is what the twin's dictionaries hold, at any time and in any pieces."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tickreel
from import_sample import DAY, DAY_US, START_US, fast_folder, put, take
from tickreel.books.at import book_at, book_before
from tickreel.books.book import Book, make_ladder, read_levels, roomier
from tickreel.books.book_kernel import NULL, BookRows
from tickreel.books.ladder_kernel import write_levels
from tickreel.cli.app import run
from tickreel.errors import InputError, UsageError
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_US, day_of
from twin_book import L2, TwinBook

TYPE = "incremental_book_L2"
HEADER = ",".join(RECORD_TYPES[TYPE].csv_header).encode() + b"\n"
START_NS = START_US * NS_PER_US


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


def row(us: int, side: str, price: float | None, amount: float | None, snapshot: bool = False) -> L2:
    """A row at a time after the beginning of DAY."""
    return L2(START_NS + us * NS_PER_US, snapshot, side, price, amount)


def snap(us: int, side: str, price: float | None, amount: float | None) -> L2:
    return row(us, side, price, amount, snapshot=True)


def kernel_rows(rows: list[L2], scale: int) -> BookRows:
    ticks = [NULL if r.price is None else round(r.price * 10**scale) for r in rows]
    return BookRows(
        np.array([r.local_ns for r in rows], np.int64),
        np.array([r.is_snapshot for r in rows], np.uint8),
        np.array([r.side == "ask" for r in rows], np.uint8),
        np.array(ticks, np.int64),
        np.array([np.nan if r.amount is None else r.amount for r in rows]),
    )


def played(rows: list[L2], *, uncross: bool = False, scale: int = 2, cuts: list[int] | None = None) -> Book:
    book = Book(uncross=uncross)
    edges = [0, *sorted(cuts or []), len(rows)]
    for start, stop in zip(edges, edges[1:], strict=False):
        book.apply(kernel_rows(rows[start:stop], scale), scale, 0, stop - start)
    book.close()
    return book


def sides(book: Book) -> tuple[list, list]:
    return tuple(
        list(zip(*map(np.ndarray.tolist, levels), strict=True)) for levels in (book.bids(), book.asks())
    )  # type: ignore[return-value]


def assert_same(book: Book, twin: TwinBook) -> None:
    assert book.is_known == (twin.sides is not None)
    if twin.sides is not None:
        assert sides(book) == (twin.bids(), twin.asks())
        assert (book.last_ns, book.snapshot_ns) == (twin.last_ns, twin.snapshot_ns)
        assert (len(book.bids(3).price), len(book.asks(0).price)) == (min(3, len(twin.bids())), 0)


# Every rule of docs/BOOKS.md, on its own


RULES: dict[str, tuple[list[L2], list, list]] = {
    "B1 deltas before the first snapshot change nothing": (
        [row(1, "bid", 9, 5), snap(2, "bid", 8, 1), snap(2, "ask", 10, 1)], [(8, 1)], [(10, 1)],
    ),
    "B2 a snapshot drops both sides, once": (
        [snap(1, "bid", 8, 1), snap(1, "ask", 10, 1), row(2, "bid", 9, 2), snap(3, "bid", 7, 3), snap(3, "ask", 11, 4)],
        [(7, 3)], [(11, 4)],
    ),
    "B2 a snapshot with an empty side": (
        [snap(1, "bid", 8, 1), snap(1, "ask", 10, 1), row(2, "ask", 12, 2), snap(3, "bid", 7, 3)], [(7, 3)], [],
    ),
    "B2 a reconnect: one snapshot right after another": (
        [snap(1, "bid", 8, 1), snap(1, "ask", 10, 1), snap(2, "ask", 11, 2)], [], [(11, 2)],
    ),
    "B2 snapshot rows after others of the same time begin anew": (
        [snap(1, "bid", 8, 1), row(1, "bid", 7, 1), snap(1, "ask", 10, 1)], [], [(10, 1)],
    ),
    "B3 amounts are absolute and 0 removes": (
        [snap(1, "bid", 8, 1), snap(1, "bid", 7, 1), row(2, "bid", 8, 0), row(3, "bid", 7, 4)], [(7, 4)], [],
    ),
    "B3 removing what is not there, and zeros in a snapshot, are nothing": (
        [snap(1, "bid", 8, 1), snap(1, "ask", 9, 0), row(2, "bid", 5, 0)], [(8, 1)], [],
    ),
    "B3 rows without price or amount say nothing": (
        [snap(1, "bid", 8, 1), row(2, "bid", None, 3), row(2, "bid", 8, None)], [(8, 1)], [],
    ),
    "B5 crossed and locked books are kept": (
        [snap(1, "bid", 8, 1), snap(1, "ask", 10, 1), row(2, "bid", 11, 1), row(2, "bid", 10, 1)],
        [(11, 1), (10, 1), (8, 1)], [(10, 1)],
    ),
    "a price of 0 is a price": ([snap(1, "bid", 0, 1), snap(1, "ask", 0, 2)], [(0, 1)], [(0, 2)]),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_rules(name: str) -> None:
    rows, bids, asks = RULES[name]
    book = played(rows)
    assert sides(book) == (bids, asks)
    assert_same(book, TwinBook().play(rows))


UNCROSS: dict[str, tuple[list[L2], list, list]] = {
    "the message brings bids: asks fall": (
        [row(2, "bid", 11, 2)], [(11, 2), (8, 1)], [(12, 1)],
    ),
    "the message brings the best ask: bids fall": (
        [row(2, "ask", 8, 2)], [], [(8, 2), (10, 1), (11, 1), (12, 1)],
    ),
    "locked counts as crossed": ([row(2, "bid", 10, 2)], [(10, 2), (8, 1)], [(11, 1), (12, 1)]),
    "both: the best ask is the message's": (
        [row(2, "bid", 11, 2), row(2, "ask", 9, 2)], [(8, 1)], [(9, 2), (10, 1), (11, 1), (12, 1)],
    ),
    "an ask that the message took away again is not its best": (
        [row(2, "ask", 7, 1), row(2, "ask", 7, 0), row(2, "bid", 10, 2)], [(10, 2), (8, 1)], [(11, 1), (12, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCROSS)
def test_uncross_drops_the_older_side(name: str) -> None:
    begun = [snap(1, "bid", 8, 1), *(snap(1, "ask", price, 1) for price in (10, 11, 12))]
    rows, bids, asks = UNCROSS[name]
    for cut in range(len(begun + rows)):
        book = played(begun + rows, uncross=True, cuts=[cut])
        assert sides(book) == (bids, asks)
    assert_same(book, TwinBook(uncross=True).play(begun + rows))


def test_what_was_dropped_comes_back_only_with_a_row_of_its_own() -> None:
    rows = [snap(1, "bid", 8, 1), snap(1, "ask", 10, 1), row(2, "bid", 10, 1), row(3, "bid", 10, 0)]
    assert sides(played(rows, uncross=True)) == ([(8, 1)], [])
    assert sides(played([*rows, row(4, "ask", 10, 3)], uncross=True)) == ([(8, 1)], [(10, 3)])


def test_a_message_is_seen_as_a_whole() -> None:
    """B4: in the middle of a message the book is crossed; at its end it is not, and nothing falls."""
    rows = [
        snap(1, "bid", 8, 1),
        snap(1, "ask", 10, 1),
        row(2, "bid", 11, 2),
        row(2, "ask", 10, 0),
        row(2, "ask", 12, 1),
    ]
    for cut in range(len(rows)):
        assert sides(played(rows, uncross=True, cuts=[cut])) == ([(11, 2), (8, 1)], [(12, 1)])


# Random streams


@st.composite
def streams(draw: st.DrawFn, *, days: int = 1, most: int = 120) -> list[L2]:
    """Rows with many equal times, reconnects, empty sides, empty cells, crossings, prices near and far."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    centres = draw(st.sampled_from([[100.0], [100.0, 10_000.0], [1.0, 100.0, 7_777.77]]))
    rows: list[L2] = []
    for day in range(days):
        us, snapshot = day * DAY_US + chance.randrange(50), chance.random() < 0.5
        for _ in range(chance.randrange(most)):
            if chance.random() < 0.4:
                us += chance.choice((1, 1, 2, 50))
                snapshot = chance.random() < 0.15
            price = round(chance.choice(centres) + chance.randrange(-30, 30) / chance.choice((100, 10, 1)), 2)
            amount = chance.choice((0, 0, 1, 2.5, 0.001, chance.randrange(1, 10**6) / 1_000))
            cells = [max(price, 0), amount] if chance.random() < 0.98 else [None, amount]
            rows.append(row(us, chance.choice(("bid", "ask")), *cells, snapshot=snapshot))
    return rows


@given(streams(), st.booleans(), st.lists(st.integers(0, 120), max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_stream_in_any_pieces(rows: list[L2], uncross: bool, cuts: list[int]) -> None:
    book = played(rows, uncross=uncross, cuts=[cut for cut in cuts if cut <= len(rows)])
    assert_same(book, TwinBook(uncross=uncross).play(rows))


def test_scales_may_change_from_piece_to_piece() -> None:
    chance = random.Random(4)
    book, twin = Book(), TwinBook()
    rows = [snap(0, "bid", 100, 1)]
    for us in range(1, 200):
        scale = chance.choice((0, 1, 2, 5))
        step = round(chance.randrange(1, 400) * 10.0**-scale + chance.randrange(100), scale)
        one = row(us, chance.choice(("bid", "ask")), step, chance.choice((0, 1, 2)))
        rows.append(one)
        book.apply(
            kernel_rows(rows[-2:], scale) if us == 1 else kernel_rows([one], scale), scale, 0, 1 + (us == 1)
        )
    book.close()
    assert_same(book, twin.play(rows))


@pytest.mark.parametrize("step", [1, 3, 32, 1_000, 99_991])
def test_ten_thousand_levels_a_side_and_any_distance(step: int) -> None:
    """Levels that lie close and far apart, put in at random, moved and taken out at random."""
    chance, count = random.Random(step), 10_000
    prices = [1_000_000 + step * level for level in range(count)]
    chance.shuffle(prices)
    rows = [snap(0, "bid", price, 1) for price in prices] + [
        snap(0, "ask", 3 * 10**9 - price, 2) for price in prices
    ]
    rows += [
        row(us, "bid", price, chance.choice((0, 0, 5))) for us, price in enumerate(prices[:5_000], start=1)
    ]
    rows += [row(9_000, "ask", 3 * 10**9 - price, 0) for price in prices[2_000:]]
    book = played(rows, scale=0)
    twin = TwinBook()
    twin.sides = {"bid": {}, "ask": {}}
    for one in rows:
        assert one.price is not None
        side = twin.sides[one.side]
        side.pop(one.price, None) if one.amount == 0 else side.update({one.price: one.amount})
    assert sides(book) == (twin.bids(), twin.asks())


@pytest.mark.parametrize("uncross", [False, True])
def test_levels_best_first_cost_what_worst_first_costs(uncross: bool) -> None:
    """Thirty thousand levels a page or more apart, as rows of a snapshot; from checkpoints they come best first."""
    rising = 10**6 + 33 * np.arange(30_000)
    count = len(rising)

    def cost(side: int, prices: np.ndarray) -> float:
        flags = np.ones(count, np.uint8)
        rows = BookRows(np.zeros(count, np.int64), flags, side * flags, prices, np.ones(count))
        taken = []
        for _ in range(3):
            book = Book(uncross=uncross)
            begun = time.process_time()
            book.apply(rows, 0, 0, count)
            taken.append(time.process_time() - begun)
            levels = (book.bids, book.asks)[side]().price
            assert levels.tolist() == sorted(prices.tolist(), reverse=side == 0)
        return min(taken)

    for side in (0, 1):
        cost(side, rising)
        up, down = cost(side, rising), cost(side, rising[::-1].copy())
        assert max(up, down) < 5 * min(up, down), (up, down)


@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 3)), max_size=300))
def test_pages_in_any_order(steps: list[tuple[int, int]]) -> None:
    """One level a page, set and removed: few pages, so that their ring goes round and is made anew."""
    ladder, wanted = make_ladder(8), {}
    for page, amount in steps:
        key = 32 * page
        while not write_levels(ladder, np.array([key]), np.array([float(amount)]), False):
            ladder = roomier(ladder)
        wanted[key] = amount
        keys, amounts = read_levels(ladder, 100)
        levels = sorted(((key, amount) for key, amount in wanted.items() if amount), reverse=True)
        assert list(zip(keys.tolist(), amounts.tolist(), strict=True)) == levels


def test_prices_a_hundred_times_apart_with_all_their_digits() -> None:
    rows = [snap(1, "bid", price, 1) for price in (0.00000123, 0.000123, 1.5, 98_765.43210987)]
    assert [price for price, _ in sides(played(rows, scale=8))[0]] == [
        98_765.43210987,
        1.5,
        0.000123,
        0.00000123,
    ]


def test_prices_that_no_ladder_holds_are_refused() -> None:
    book = played([snap(1, "bid", 10**9, 1)], scale=0)
    with pytest.raises(InputError, match="62 bits"):
        book.apply(kernel_rows([row(2, "bid", 1, 1)], 12), 12, 0, 1)
    assert sides(book) == ([(10**9, 1)], [])


def test_a_level_that_was_removed_keeps_no_finer_scale_out() -> None:
    """Neither its page, which stays, nor its place among the asks of the message at hand."""
    book = Book(uncross=True)
    coarse = [snap(1, "bid", 10**9, 1), snap(1, "ask", 0, 1), row(2, "bid", 10**9, 0)]
    book.apply(kernel_rows([*coarse, row(2, "ask", 10**9, 1), row(2, "ask", 10**9, 0)], 0), 0, 0, 5)
    book.apply(kernel_rows([row(2, "bid", 0.5, 1), row(2, "ask", 0, 1)], 12), 12, 0, 2)
    book.close()
    assert sides(book) == ([], [(0, 1)])


@pytest.mark.parametrize("scale", [17, 18, 19, 20, 21, 22])
@pytest.mark.parametrize("uncross", [False, True])
def test_prices_of_many_decimals(scale: int, uncross: bool) -> None:
    """Blocks of so many decimals, without any, of zeros and of empty cells, one after the other."""
    fine = [float(f"{number}e-{scale}") for number in (12, 15, 1_001, 36)]
    prices: list[float | None] = [0, 0, *fine, None, None, 0, 0, fine[2], fine[0]]
    rows = [
        row(us, ("bid", "ask")[us % 2], price, 1 + us % 3, snapshot=us == 1)
        for us, price in enumerate(prices, start=1)
    ]
    for block_rows in (2, 3, 100):
        with fast_folder() as folder:
            store = store_of(folder, rows, block_rows=block_rows)
            for one in rows:
                twin = TwinBook(uncross=uncross).play(rows, one.local_ns)
                assert_book_at(store, twin, one.local_ns, uncross=uncross)


# From a store


def csv(rows: list[L2]) -> bytes:
    def cell(value: float | None) -> str:
        return "" if value is None else repr(value)

    lines = [
        f"binance,BTCUSDT,{r.local_ns // 1000 - 5},{r.local_ns // 1000},{str(r.is_snapshot).lower()},{r.side},"
        f"{cell(r.price)},{cell(r.amount)}\n"
        for r in rows
    ]
    return HEADER + "".join(lines).encode()


def store_of(folder: Path, rows: list[L2], *, block_rows: int = 16) -> Store:
    """Import the rows, a file for each day."""
    days: dict[str, list[L2]] = {}
    for one in rows:
        days.setdefault(day_of(one.local_ns), []).append(one)
    paths = [put(folder / f"binance_{TYPE}_{day}_BTCUSDT.csv.gz", csv(part)) for day, part in days.items()]
    store = Store(folder / "tape")
    summary = take(store, *paths, block_rows=block_rows)
    assert (summary.exit_code, summary.books) == (0, [])
    return store


def assert_book_at(store: Store, twin: TwinBook, at_ns: int, *, uncross: bool = False) -> None:
    if twin.sides is None:
        with pytest.raises(UsageError, match=r"no snapshot between|no rows of"):
            book_at(store, "BTCUSDT", at_ns, uncross=uncross)
        return
    found = book_at(store, "BTCUSDT", at_ns, uncross=uncross)
    assert list(zip(found.bids.price.tolist(), found.bids.amount.tolist(), strict=True)) == twin.bids()
    assert list(zip(found.asks.price.tolist(), found.asks.amount.tolist(), strict=True)) == twin.asks()
    assert (found.last_ns, found.snapshot_ns) == (twin.last_ns, twin.snapshot_ns)


@given(streams(days=3), st.data(), st.sampled_from([4, 16, 100_000]))
@settings(max_examples=40, deadline=None)
def test_the_book_at_any_time_of_several_days(rows: list[L2], data: st.DataObject, block_rows: int) -> None:
    days = {day_of(one.local_ns) for one in rows}
    if not rows:
        return
    with fast_folder() as folder:
        store = store_of(folder, rows, block_rows=block_rows)
        for _ in range(6):
            one = data.draw(st.sampled_from(rows))
            at_ns = one.local_ns + data.draw(st.sampled_from([0, -1, 1, 10_000]))
            uncross = data.draw(st.booleans())
            if day_of(at_ns) in days:
                twin = TwinBook(uncross=uncross).play(known_rows(rows, at_ns), at_ns)
                assert_book_at(store, twin, at_ns, uncross=uncross)


def known_rows(rows: list[L2], at_ns: int) -> list[L2]:
    """Return the rows of the day of `at_ns` and of the days right before it that there are."""
    days = {day_of(one.local_ns) for one in rows}
    first = at_ns
    while day_of(first - 86_400 * 10**9) in days:
        first -= 86_400 * 10**9
    return [one for one in rows if day_of(one.local_ns) >= day_of(first)]


def long_days(count: int = 4_000) -> list[L2]:
    """Two days: the second goes on with the first one's book, and has a snapshot of its own halfway."""
    chance = random.Random(8)
    rows = [snap(5, side, price, 1) for side, price in [("bid", 99), ("ask", 101)]]
    for day in range(2):
        for number in range(count):
            us = day * DAY_US + 10 + number * 7
            price = round(100 + chance.choice((-1, 1)) * chance.randrange(1, 300) / 100, 2)
            side = "bid" if price < 100 else "ask"
            rows.append(
                row(us, side, price, chance.choice((0, 1, 2)), snapshot=day == 1 and 2_000 <= number < 2_003)
            )
    return rows


def test_a_day_that_is_missing_ends_what_is_known(tmp_path: Path) -> None:
    rows = [snap(1, "bid", 9, 1), row(2 * DAY_US + 5, "bid", 8, 1), snap(2 * DAY_US + 9, "bid", 7, 1)]
    store = store_of(tmp_path, rows)
    with pytest.raises(UsageError, match="no snapshot between 2024-01-03 and"):
        book_at(store, "BTCUSDT", rows[1].local_ns)
    with pytest.raises(
        UsageError, match="no rows of incremental_book_L2 on 2024-01-02, the last before are of 2024-01-01"
    ):
        book_at(store, "BTCUSDT", START_NS + DAY_US * NS_PER_US)
    assert book_at(store, "BTCUSDT", rows[2].local_ns).best_bid == 7


def test_a_book_in_a_group(tmp_path: Path) -> None:
    lines = csv([snap(1, "bid", 9, 1)]) + csv([snap(1, "bid", 5, 2), row(2, "bid", 5, 0)])[
        len(HEADER) :
    ].replace(b"BTCUSDT", b"ETHUSDT")
    path = put(tmp_path / f"binance_{TYPE}_{DAY}_FUTURES.csv.gz", lines)
    store = Store(tmp_path / "tape")
    take(store, path)
    assert book_at(store, "BTCUSDT", START_NS + 9_000).best_bid == 9
    assert np.isnan(book_at(store, "ETHUSDT", START_NS + 9_000).best_bid)
    assert [file.name for file in sorted((store.root / ".books").rglob("*.reel"))] == [
        f"{DAY}.FUTURES.reel"
    ] * 2
    assert run(["rm", "--store", str(store.root), "--all", "--quiet"]) == 0
    assert not list((store.root / ".books").rglob("*.reel"))


@pytest.mark.parametrize("block_rows", [5, 16, 50, 64])
def test_a_symbol_of_a_group_that_begins_and_ends_within_a_block(tmp_path: Path, block_rows: int) -> None:
    """Neighbours whose times are later, or earlier, than all of the symbol's in the block."""
    others = {"AAAUSDT": 900, "BTCUSDT": 10, "CCCUSDT": 1}
    streams = {
        symbol: [snap(first, "bid", 9, 1)]
        + [row(first + 7 * n, "bid", 8, 1 + n) for n in range(1, 30 + 20 * (symbol == "BTCUSDT"))]
        for symbol, first in others.items()
    }
    lines = [
        csv(rows)[len(HEADER) :].replace(b"BTCUSDT", symbol.encode()) for symbol, rows in streams.items()
    ]
    store = Store(tmp_path / "tape")
    path = put(tmp_path / f"binance_{TYPE}_{DAY}_FUTURES.csv.gz", HEADER + b"".join(lines))
    assert take(store, path, block_rows=block_rows).exit_code == 0
    for uncross in (False, True):
        for one in streams["BTCUSDT"]:
            at_ns = one.local_ns + 1
            twin = TwinBook(uncross=uncross).play(streams["BTCUSDT"], at_ns)
            assert_book_at(store, twin, at_ns, uncross=uncross)


class Watched(Store):
    """A store that notes the days of the segments that are opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.days: list[str] = []

    def open(self, key: SegmentKey) -> Segment:
        self.days.append(key.day)
        return super().open(key)


def test_only_days_that_are_needed_are_opened(tmp_path: Path) -> None:
    """Eight days of a group; the fifth begins without a snapshot, so it goes on with the fourth's book."""
    paths = []
    for day in range(8):
        us = day * DAY_US + 5
        rows = [row(us, "bid", 9, 1, snapshot=day != 4), row(us + 9, "bid", 8 + day, 2)]
        path = tmp_path / f"binance_{TYPE}_{day_of(rows[0].local_ns)}_FUTURES.csv.gz"
        paths.append(put(path, csv(rows)))
    store = Watched(tmp_path / "tape")
    take(Store(store.root), *paths)
    for day, wanted in ((2, {"2024-01-03"}), (4, {"2024-01-05", "2024-01-04"}), (7, {"2024-01-08"})):
        store.days = []
        assert book_at(store, "BTCUSDT", START_NS + (day * DAY_US + 20) * NS_PER_US).best_bid == 8 + max(
            day, 1
        )
        assert set(store.days) == wanted
    store.days = []
    book = book_before(store, SegmentKey("tardis", TYPE, "binance", "FUTURES", "2024-01-05", True), "BTCUSDT")
    assert book is not None
    assert set(store.days) == {"2024-01-04"}


@pytest.mark.parametrize("depth", [-1, 2.5, "3", True, np.float64(2)])
def test_a_depth_that_is_none_is_refused(tmp_path: Path, depth: Any) -> None:
    store = store_of(tmp_path, [snap(1, "bid", 9, 1), snap(1, "bid", 8, 1)])
    tape, at_ns = tickreel.open_store(store.root), np.int64(START_NS + 9_000)
    with pytest.raises(UsageError, match="depth: "):
        tape.book("BTCUSDT", at_ns, depth=depth)
    for good, count in ((0, 0), (np.int64(1), 1), (7, 2), (None, 2)):
        assert len(tape.book("BTCUSDT", at_ns, depth=good).bids.price) == count


def test_the_command_and_the_tape_say_the_same(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    store = store_of(tmp_path, [snap(1, "bid", 9.5, 1), snap(1, "bid", 9, 0.001), snap(1, "ask", 9.25, 3)])
    words = ["book", "BTCUSDT", "--at", "2024-01-01T00:00:01", "--store", str(store.root)]
    assert run(words) == 0
    out, err = capfd.readouterr()
    assert [line.split() for line in out.splitlines()[1:]] == [["1", "9.5", "9.25", "3"], ["0.001", "9"]]
    assert "crossed" in err
    assert run([*words, "--depth", "1", "--uncross", "--quiet"]) == 0
    out, err = capfd.readouterr()
    assert (out.split()[-2:], err) == (["9.25", "3"], "")
    for policy, crossed in ((False, True), (True, False)):
        assert run([*words, "--json", *(["--uncross"] if policy else [])]) == 0
        document = json.loads(capfd.readouterr().out)
        assert (document["uncross"], document["is_crossed"]) == (policy, crossed)
    found = tickreel.open_store(store.root).book("binance:BTCUSDT", "2024-01-01T00:00:01", depth=1)
    assert (found.best_bid, found.best_ask, found.is_crossed) == (9.5, 9.25, True)
