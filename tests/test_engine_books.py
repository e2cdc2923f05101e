"""Strategies that watch the order book: the engine shows what its plain twin shows, at the same moments."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_runs import DTYPES, Pages, Written, assert_same, engine, stopped, to_rows
from engine_strategies import Watcher
from test_books import kernel_rows, streams
from test_engine_twin import accounts, tapes
from tickreel.books.book import Book
from tickreel.books.book_kernel import BookRows
from tickreel.errors import FailedError, StrategyError
from tickreel.simulate import records as r
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.book_view import BookView
from tickreel.simulate.compile import build
from tickreel.simulate.strategy import Strategy
from twin_book import L2
from twin_engine import Twin, TwinStop, TwinTrade


def run_engine(
    strategy: Any, parameters: dict, account: AccountSettings, trades: list[TwinTrade], changes: list[L2],
    *, cuts: tuple[int, ...] = (), jit: bool = True, uncross: bool = False,
) -> tuple[Written, Any]:  # fmt: skip
    """Play both streams; cuts are times at which a batch ends: what is of that time goes into the next."""
    run = AccountRun(
        strategy,
        engine(strategy, jit),
        parameters,
        account,
        np.array([0, 50], np.int64),
        Book(uncross=uncross),
    )
    rows, rest, pages = to_rows(trades), kernel_rows(changes, 2), Pages()
    at = [0, 0]
    try:
        for cut in (*sorted(cuts), 2**62):
            to = [int(np.searchsorted(times, cut)) for times in (rows.local_ns, rest.local_ns)]
            run.feed_events(
                r.Rows(*(column[at[0] : to[0]] for column in rows)),
                BookRows(*(column[at[1] : to[1]] for column in rest)), 2, pages,
            )  # fmt: skip
            at = to
        summary, samples = run.finish(pages)
    except FailedError as error:
        return stopped("orders" if "open at one time" in str(error) else "money"), None
    kept = (pages.table(name) for name in ("orders", "fills", "postings"))
    return Written(*kept, np.array(samples), summary), run._state[0]


def run_twin(
    strategy: Any,
    parameters: dict,
    account: AccountSettings,
    trades: list[TwinTrade],
    changes: list[L2],
    *,
    uncross: bool = False,
) -> tuple[Written, Any]:
    twin = Twin(strategy, parameters, account, [0, 50])
    try:
        out = twin.play(trades, changes, uncross=uncross)
    except TwinStop as stop:
        return stopped(str(stop)), None
    tables = {name: np.array(getattr(out, name), dtype) for name, dtype in DTYPES.items()}
    return Written(**tables, summary=out.summary), twin.me


def changes_of(rows: list[L2]) -> list[L2]:
    """Bring a stream of test_books to the times of `tapes`: some units apart, from 0 on."""
    first = rows[0].local_ns if rows else 0
    return [one._replace(local_ns=(one.local_ns - first) // 1_000) for one in rows]


@given(
    tapes(),
    streams(most=60),
    accounts(),
    st.integers(0, 10**6),
    st.lists(st.integers(0, 400), max_size=4),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_a_strategy_does_with_a_book(
    trades: list[TwinTrade],
    rows: list[L2],
    account: AccountSettings,
    seed: int,
    cuts: list[int],
    uncross: bool,
) -> None:
    changes, parameters = changes_of(rows), {"seed": seed, "busy": 0.3}
    wanted, me = run_twin(Watcher, parameters, account, trades, changes, uncross=uncross)
    for some in ((), tuple(cuts), tuple(range(0, 400, 7))):
        found, state = run_engine(Watcher, parameters, account, trades, changes, cuts=some, uncross=uncross)
        assert_same(found, wanted)
        if state is not None:
            assert (state.messages, state.seen) == (me.messages, me.seen)
    if len(trades) + len(changes) < 60:  # plain Python is slow
        plain, _ = run_engine(Watcher, parameters, account, trades, changes, jit=False, uncross=uncross)
        assert_same(plain, wanted)


class Log(Strategy):
    """Notes when a message was shown, and what was known then."""

    times: int = 0
    last_ns: int = 0
    price: float = 0.0
    bid: float = 0.0

    def on_book(self, book, ctx):
        self.times += 1
        self.last_ns, self.price, self.bid = ctx.now_ns, ctx.price, book.bid


def log_of(trades: list[TwinTrade], changes: list[L2]) -> tuple[int, int, float, float]:
    _, state = run_engine(Log, {}, AccountSettings(), trades, changes)
    return int(state.times), int(state.last_ns), float(state.price), float(state.bid)


def trade(when: int, price: float) -> TwinTrade:
    return TwinTrade(price, 1.0, 1, when, when)


def test_c8_a_message_is_shown_once_whole_at_its_own_time_after_trades_of_that_time() -> None:
    rows = [L2(10, True, "bid", 9.0, 1.0), L2(10, True, "ask", 11.0, 1.0), L2(20, False, "bid", 9.5, 1.0)]
    assert log_of([trade(10, 10.0), trade(20, 10.5), trade(30, 12.0)], rows) == (2, 20, 10.5, 9.5)


def test_c8_nothing_is_shown_before_the_first_trade_or_the_first_snapshot() -> None:
    before = [L2(5, True, "bid", 9.0, 1.0), L2(12, False, "bid", 9.5, 1.0)]
    assert log_of([trade(10, 10.0)], before) == (1, 12, 10.0, 9.5)
    assert log_of([], before)[0] == 0
    assert log_of([trade(1, 10.0)], [L2(5, False, "bid", 9.0, 1.0)])[0] == 0


def test_c8_the_last_message_is_shown_at_the_end() -> None:
    assert log_of([trade(1, 10.0)], [L2(5, True, "bid", 9.0, 1.0), L2(5, True, "bid", 9.5, 1.0)]) == (
        1,
        5,
        10.0,
        9.5,
    )


def test_a_wrong_name_of_the_book_is_named() -> None:
    class Wrong(Strategy):
        def on_book(self, book, ctx):
            ctx.buy(book.best)

    with pytest.raises(StrategyError, match="book has no best; it has bid, ask, bid_amount"):
        build(Wrong)


class Deep(Strategy):
    depth: float = 2.0

    def on_book(self, book, ctx):
        ctx.buy(book.bid_depth(self.depth))


class Whether(Strategy):
    def on_book(self, book, ctx):
        ctx.buy(book.bid_amount_at(ctx.flat))


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (Deep, "book.bid_depth takes a whole number, not a float64"),
        (Whether, "book.bid_amount_at takes a whole number, not a bool"),
    ],
)
def test_a_level_that_is_no_whole_number_is_refused(strategy: Any, text: str, jit: bool) -> None:
    rows = [L2(10, True, "bid", 9.0, 1.0), L2(10, True, "ask", 11.0, 1.0)]
    with pytest.raises(StrategyError, match=rf"test_engine_books.py:\d+: {strategy.__name__} .*{text}"):
        run_engine(strategy, {}, AccountSettings(), [trade(10, 10.0)], rows, jit=jit)


def test_prices_beyond_53_bits_are_the_nearest_float64() -> None:
    chance = random.Random(1)
    for scale in (9, 14, 17):
        book = Book()
        ticks = chance.randrange(1, 9) * 10 ** (17 - 3) * 1_000 + chance.randrange(999) * 10**13
        rows = BookRows(
            np.zeros(1, np.int64), np.ones(1, np.uint8), np.zeros(1, np.uint8), np.array([ticks]), np.ones(1)
        )
        book.apply(rows, scale, 0, 1)
        view = BookView(book.state.bids, book.state.asks, 10.0**scale)
        assert view.bid == float(f"{ticks}e-{scale}") == book.bids(1).price[0]
