"""What `on_book` sees in a run is the book that `book_at` gives at that time, message by message."""

import random
from collections.abc import Iterator
from inspect import getsource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tickreel
from import_sample import DAY_US, START_US, dataset, fast_folder, put, take, trade, trades
from test_books import HEADER, START_NS, TYPE
from tickreel.books.at import book_at
from tickreel.books.book import Levels
from tickreel.cli.app import run
from tickreel.codecs.decimals import FLOAT_BITS
from tickreel.errors import UsageError
from tickreel.runs import RunResult
from tickreel.simulate.strategy import Strategy
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_US, day_of, parse_time

Cells = tuple[int, bool, str, str, str]
"""us after the beginning of DAY, is_snapshot, side, price, amount."""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


class Teller(Strategy):
    """Tells all that it sees of a book in two orders, which the venue refuses at once."""

    def on_book(self, book, ctx):
        bids = 0.0
        for level in range(book.bid_levels):
            bids += book.bid_price_at(level) * book.bid_amount_at(level) * (level + 1)
        asks = 0.0
        for level in range(book.ask_levels):
            asks += book.ask_price_at(level) * book.ask_amount_at(level) * (level + 1)
        ctx.buy(book.bid, -bids)
        ctx.sell(book.ask, -asks)


def told(levels: Levels) -> tuple[float, float]:
    """Return what Teller's order says of a side."""
    total = 0.0
    for level, (price, amount) in enumerate(zip(*map(np.ndarray.tolist, levels), strict=True)):
        total += price * amount * (level + 1)
    return (float(levels.price[0]) if len(levels.price) else np.nan), -total


def store_of(folder: Path, rows: list[Cells], *, days: int = 1, block_rows: int = 16) -> Store:
    """Import rows of a book, a file for each day that has some, and a trade every 50 us of an early part of each day."""
    for day in range(days):
        some = [trade(day * DAY_US + us) for us in range(100, 4_000, 50)]
        put(dataset(folder, day=day_of(START_NS + day * NS_PER_DAY)), trades(*some))
    by_day: dict[str, list[str]] = {}
    for us, snapshot, side, price, amount in rows:
        when = START_US + us
        line = f"binance,BTCUSDT,{when - 5},{when},{str(snapshot).lower()},{side},{price},{amount}\n"
        by_day.setdefault(day_of(when * NS_PER_US), []).append(line)
    for day_name, lines in by_day.items():
        put(folder / f"binance_{TYPE}_{day_name}_BTCUSDT.csv.gz", HEADER + "".join(lines).encode())
    store = Store(folder / "tape")
    summary = take(store, folder, block_rows=block_rows)
    assert (summary.exit_code, summary.books) == (0, [])
    return store


def book_rows(prices: list[str], *, days: list[int], seed: int = 1, count: int = 70) -> list[Cells]:
    """Return messages of one to three rows over all prices; a snapshot opens the first day alone."""
    chance = random.Random(seed)
    rows = [(days[0] * DAY_US + 50, True, side, prices[0], "1") for side in ("bid", "ask")]
    for day in days:
        us = day * DAY_US + 60
        for _ in range(count):
            us += chance.choice((1, 13, 100))
            for _ in range(chance.randrange(1, 4)):
                side, amount = chance.choice(("bid", "ask")), chance.choice(("0", "1", "2.5"))
                rows.append((us, False, side, chance.choice(prices), amount))
    return rows


def assert_seen(store: Store, rows: list[Cells], *, uncross: bool = False, **settings: Any) -> int:
    """Fail unless every message of the run's range is seen as `book_at` has it; return how many were."""
    result = tickreel.backtest(Teller, store=store.root, workers=1, jit=False, uncross=uncross, **settings)
    result.raise_failed()
    begin, end = (parse_time(settings[name], name) if name in settings else None for name in ("start", "end"))
    begin = max(begin or START_NS, int(result.record.symbols[0].summary["first_ns"]))  # type: ignore[index]
    wanted = []
    for when in sorted({START_NS + us * NS_PER_US for us, *_ in rows}):
        if when >= begin and (end is None or when < end):
            try:
                found = book_at(store, "BTCUSDT", when, uncross=uncross)
            except UsageError:
                continue
            wanted += [(when, 1, *told(found.bids)), (when, 2, *told(found.asks))]
    orders = result.orders("BTCUSDT")
    order = np.argsort(orders["order_id"])
    for place, column in enumerate(("sent_ns", "side", "quantity", "limit_price")):
        np.testing.assert_array_equal(orders[column][order], [one[place] for one in wanted], column)
    return len(wanted) // 2


TICKS = [f"{number / 100:.2f}" for number in range(9_876_540, 9_876_580)]
PRICES = {
    "many digits beside ticks": [*TICKS, "98765.43210987", "0.349999999999"],
    "zero with and without a sign": ["0", "-0", "10.5", "1e-7", "1E2"],
} | {
    f"{scale} decimals": ["0", "0.0001", "0.00012", f"0.{12:0{scale}d}", f"0.{345:0{scale}d}"]
    for scale in (18, 19, 20, 21, 22)
}  # fmt: skip


@pytest.mark.parametrize("name", PRICES)
def test_prices_of_any_digits(name: str, tmp_path: Path) -> None:
    """Blocks of four rows: the scale changes from block to block, and some keep floats."""
    rows = book_rows(PRICES[name], days=[0])
    store = store_of(tmp_path, rows, block_rows=4)
    segment = store.open(next(iter(store.find(type=TYPE))))
    scales = set(segment.footer.chunks["scale"][:, segment.record.names.index("price")].tolist())
    assert len(scales) > 1
    assert FLOAT_BITS in scales or "decimals" in name
    assert assert_seen(store, rows) > 50


def test_after_a_missing_day_no_book_is_known(tmp_path: Path) -> None:
    """B6: days 1 and 4 are missing; day 2 brings no snapshot, day 5 brings one late."""
    rows = [*book_rows(TICKS, days=[0, 2, 3]), *book_rows(TICKS, days=[5], seed=2)]
    store = store_of(tmp_path, late_snapshot(rows, day=5), days=6)
    assert 90 < assert_seen(store, rows) < 130


def late_snapshot(rows: list[Cells], *, day: int) -> list[Cells]:
    """Move a day's snapshot behind half of its rows."""
    begin = day * DAY_US
    there = [one for one in rows if begin <= one[0] < begin + DAY_US]
    middle = there[len(there) // 2][0]
    others = [one for one in rows if one not in there or not one[1]]
    return sorted([*others, *((middle, *one[1:]) for one in there if one[1])], key=lambda one: one[:2])


def test_missing_days_of_the_book_are_reported(tmp_path: Path) -> None:
    store = store_of(tmp_path, book_rows(TICKS, days=[0, 2]), days=4)
    result = tickreel.backtest(Teller, store=store.root, workers=1, jit=False, out=tmp_path / "out")
    (record,) = RunResult.open(result.path).record.symbols
    assert (record.missing_days, record.missing_book_days) == ([], ["2024-01-02", "2024-01-04"])
    table = " ".join(repr(result).split())
    assert "Days with books 50.00% order books on 2 of 4 days; after a day without, no book is known" in table
    (row,) = result.view()["symbols"]
    assert row["coverage"] is not None and row["coverage"]["missing_book_days"] == record.missing_book_days
    assert '"missing_book":[[1,1],[3,1]]' in result.report.read_text("utf-8").replace(" ", "")


def test_a_day_without_rows_is_not_missing(tmp_path: Path) -> None:
    put(tmp_path / f"binance_{TYPE}_2024-01-02_BTCUSDT.csv.gz", HEADER)
    rows = book_rows(TICKS, days=[0, 2])
    store = store_of(tmp_path, rows, days=3)
    assert assert_seen(store, rows) == len({us for us, *_ in rows if us >= 100})


@pytest.mark.parametrize(
    "range_of_time",
    [
        {"start": "2024-01-01T00:00:00.001", "end": "2024-01-02"},
        {"start": "2024-01-02"},
        {"start": "2024-01-02T00:00:00.001", "end": "2024-01-02T00:00:00.003"},
        {"start": "2024-01-03T00:00:00.001"},
        {"start": "2024-01-05T00:00:00.001"},
    ],
    ids=lambda given: given["start"],
)
@pytest.mark.parametrize("uncross", [False, True], ids=["kept", "uncrossed"])
def test_a_run_begins_with_the_book_of_its_time(
    range_of_time: dict[str, str], uncross: bool, books_of_days: tuple[Store, list[Cells]]
) -> None:
    """Days 0 to 2 go on from one snapshot; day 3 is missing, so of day 4 nothing is known."""
    store, rows = books_of_days
    known = "05" not in range_of_time["start"]
    assert (assert_seen(store, rows, uncross=uncross, **range_of_time) > 20) == known


@pytest.fixture(scope="module")
def books_of_days() -> Iterator[tuple[Store, list[Cells]]]:
    with fast_folder() as folder:
        rows = book_rows(TICKS, days=[0, 1, 2, 4])
        yield store_of(folder, rows, days=5), rows


def test_a_run_begins_with_the_book_over_a_day_without_rows_but_not_over_a_missing_one(
    tmp_path: Path,
) -> None:
    put(tmp_path / f"binance_{TYPE}_2024-01-02_BTCUSDT.csv.gz", HEADER)
    rows = book_rows(TICKS, days=[0, 2, 4])
    store = store_of(tmp_path, rows, days=5)
    there = {us for us, *_ in rows if 2 * DAY_US <= us < 4 * DAY_US}
    assert assert_seen(store, rows, start="2024-01-02T00:00:00.001") == len(there)
    after_a_trade = [us for us in there if us >= 2 * DAY_US + 100]
    assert assert_seen(store, rows, start="2024-01-03") == len(after_a_trade)


def test_the_book_at_the_begin_is_among_the_fingerprints_of_the_data(
    books_of_days: tuple[Store, list[Cells]],
) -> None:
    store, _ = books_of_days
    words, notes = [], []
    for start in ("2024-01-01", "2024-01-02", "2024-01-05"):
        result = tickreel.backtest(Teller, store=store.root, workers=1, jit=False, start=start)
        words.append(len(result.record.symbols[0].data.split()))
        notes.append(any("its order book is not known at the end" in note for note in result.notes()))
    assert (words, notes) == ([2, 3, 2], [True, True, True])
    whole = tickreel.backtest(Teller, store=store.root, workers=1, jit=False, end="2024-01-04")
    assert whole.notes() == []


class Crossed(Strategy):
    """Notes whether a book was ever crossed, in an order that the venue refuses."""

    times: int = 0

    def on_book(self, book, ctx):
        if book.spread <= 0.0:
            self.times += 1

    def on_end(self, ctx):
        ctx.buy(1.0 + self.times, -1.0)


def test_the_policy_of_crossed_levels_is_a_setting_of_the_run(
    books_of_days: tuple[Store, list[Cells]], tmp_path: Path
) -> None:
    store, _ = books_of_days
    strategy = put(tmp_path / "crossed.py", crossed_source().encode())
    config = put(tmp_path / "run.toml", f'strategy = "{strategy}"\nuncross = true\n'.encode())
    common = ["--store", str(store.root), "--workers", "1", "--no-jit", "--quiet"]
    outs = [tmp_path / name for name in ("kept", "uncrossed", "config")]
    for out, words in zip(
        outs, ([str(strategy)], [str(strategy), "--uncross"], ["--config", str(config)]), strict=True
    ):
        assert run(["run", *words, *common, "--out", str(out)]) == 0
    results = [RunResult.open(out) for out in outs]
    assert [result.record.settings["uncross"] for result in results] == [False, True, True]
    assert [result.view()["settings"]["crossed books"] for result in results] == [
        "kept",
        "uncrossed",
        "uncrossed",
    ]
    times = [result.orders("BTCUSDT")["quantity"].tolist()[0] - 1.0 for result in results]
    assert times[0] > 50 and times[1:] == [0.0, 0.0]


def crossed_source() -> str:
    return "from tickreel import Strategy\n\n\n" + getsource(Crossed)


def test_the_policy_is_yes_or_no(books_of_days: tuple[Store, list[Cells]]) -> None:
    with pytest.raises(UsageError, match="uncross 'no': True or False"):
        tickreel.backtest(Teller, store=books_of_days[0].root, uncross="no")
