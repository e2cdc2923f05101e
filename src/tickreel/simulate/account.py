"""One account's run: feeds rows to the engine block by block and passes on what it writes."""

import math
from dataclasses import dataclass
from fractions import Fraction
from types import FunctionType
from typing import Any, NamedTuple, Protocol

import numpy as np

from tickreel.books.book import Book
from tickreel.books.book_kernel import BookRows, BookState
from tickreel.codecs.decimals import POWERS
from tickreel.errors import FailedError, UsageError
from tickreel.simulate import records as r
from tickreel.simulate.compile import Engine
from tickreel.simulate.explain import compiling, explain, raised
from tickreel.simulate.strategy import Strategy, make_state, timer_ns
from tickreel.units import NS_PER_DAY, format_time

_OUT_ROWS = 8_192
_ANSWERS = 1_024
_TIMED_ROWS = 4_096
"""Rows whose times are decoded together after somebody needs one."""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """capital in the settlement currency; fee as a fraction of notional; latency one way, ns.

    multiplier  what one unit of quantity stands for: money is quantity x price x multiplier
    """

    capital: float = 100_000.0
    fee: float = 0.0004
    latency_ns: int = 0
    allow_short: bool = False
    multiplier: float = 1.0

    def check(self) -> None:
        """Raise UsageError naming the setting that cannot be."""
        if not 1e-9 <= self.capital < 4e9:
            raise UsageError(
                f"capital {self.capital!r}: from 1e-9 to below 4e9 (the ledger counts 1e-9 in 64 bits)"
            )
        if not -0.1 < self.fee < 0.1:
            raise UsageError(f"fee {self.fee!r}: a fraction of notional between -0.1 and 0.1, e.g. 0.0004")
        if self.allow_short not in (True, False):
            raise UsageError(f"allow_short {self.allow_short!r}: True or False")
        if not 0 <= self.latency_ns < NS_PER_DAY:
            raise UsageError(f"latency {self.latency_ns} ns: 0 or more and less than a day")
        if not 0.0 < self.multiplier < math.inf:
            raise UsageError(f"multiplier {self.multiplier!r}: a finite number above 0")


class _Seen(NamedTuple):
    """Fields that are looked at for every block, int64[1] each: an attribute of a record takes 1.5 us."""

    live: np.ndarray
    started: np.ndarray
    status: np.ndarray
    next_due_ns: np.ndarray
    next_sample: np.ndarray
    now_ns: np.ndarray
    last_ns: np.ndarray


class Sink(Protocol):
    """Takes what a run writes; the arrays are valid during the call only."""

    def orders(self, rows: np.ndarray) -> None: ...
    def fills(self, rows: np.ndarray) -> None: ...
    def postings(self, rows: np.ndarray) -> None: ...


class Summary(NamedTuple):
    """What an account did. Money in 1e-9 of the settlement currency where the name says nanos."""

    events: int
    first_ns: int
    last_ns: int
    first_price: float
    last_price: float
    equity: float
    cash_nanos: int
    position: float
    max_drawdown: float
    orders: int
    rejected: int
    fills: int
    notional: float
    fees_nanos: int
    trips: int
    wins: int
    gross_profit_nanos: int
    gross_loss_nanos: int
    in_position_ns: int


def make_world(
    samples: int, *, accounts: int = 1, answers: int = _ANSWERS, out_rows: int = _OUT_ROWS
) -> r.World:
    """Return a world of zeros: of so many accounts one after the other, which share outputs and scratch words.

    samples, answers  room of each account; out_rows room of the outputs
    """
    return r.World(
        r.zeros(r.ACCOUNT, accounts),
        r.zeros(r.INSTRUMENT, accounts),
        r.zeros(r.ORDER, accounts * (r.MAX_ORDERS + 1)),
        r.zeros(r.ANSWER, accounts * answers),
        r.zeros(r.ORDER_OUT, out_rows),
        r.zeros(r.FILL_OUT, out_rows),
        r.zeros(r.POSTING_OUT, 2 * out_rows),
        r.zeros(r.SAMPLE_OUT, accounts * samples),
        np.zeros(r.LIMBS, np.int64),
    )


class AccountRun:
    """A strategy with an account of its own over one instrument.

    bounds  int64[n], sampling boundaries, ascending; the first at or before the first row
    book    for strategies with on_book: what changes are applied to; what it holds already is known, not shown
    memory  the strategy's record and a world of zeros, to be used instead of new ones
    """

    def __init__(
        self,
        strategy: type[Strategy],
        engine: Engine,
        parameters: dict[str, Any],
        settings: AccountSettings,
        bounds: np.ndarray,
        book: Book | None = None,
        *,
        memory: tuple[np.ndarray, r.World] | None = None,
    ) -> None:
        settings.check()
        self._book = book
        self._strategy = strategy
        self._engine = engine
        self._bounds = np.ascontiguousarray(bounds, np.int64)
        if memory is None:
            memory = make_state(strategy, parameters), make_world(len(bounds))
        self._state, self._world = memory
        account = self._world.account[0]
        nanos = round(Fraction(settings.capital) * 10**9)
        account.cash_nanos = account.seen_cash_nanos = nanos
        account.equity = account.peak = account.trough = nanos / 1e9
        account.fee_rate, account.latency_ns = settings.fee, settings.latency_ns
        account.allow_short = int(settings.allow_short)
        self._world.instruments[0].multiplier = settings.multiplier
        account.timer_ns = timer_ns(strategy)
        account.next_timer_ns = account.next_due_ns = r.FAR
        records = self._world.account[:1].view(np.ndarray), self._world.instruments[:1].view(np.ndarray)
        self._seen = _Seen(*(records[name == "last_ns"][name] for name in _Seen._fields))
        self._memory = self._as_arrays()

    def warm_up(self) -> None:
        """Compile, or load from the cache, without playing a row. Raises StrategyError."""
        none = np.empty(0)
        rows = r.Rows(none, none, np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
        self._call(self._engine.run, self._state, self._world, rows, self._bounds, 0, 0, True)
        if self._book is not None:
            none = np.empty(0, np.int64)
            flags = np.empty(0, np.uint8)
            changes = BookRows(none, flags, flags, none, np.empty(0))
            self._play(rows, self._book.state, changes, 1, np.zeros(2, np.int64))
            self._look()
        self._call(self._engine.end, self._state, self._world, self._bounds)

    def feed(self, rows: r.Rows, sink: Sink, late: r.LateTimes | None = None) -> None:
        """Play some rows; they follow those of the call before. Raises FailedError or StrategyError.

        late  their times, for a strategy that reads none: asked for if anything else needs one
        """
        row, stop = 0, len(rows.price)
        while late is not None and row < stop:
            row = self._play_late(rows, row, late, sink)
        if late is None:
            self._play_timed(rows, sink)

    def _play_timed(self, rows: r.Rows, sink: Sink) -> None:
        row, stop = 0, len(rows.price)
        while row < stop:
            row = self._call(self._engine.run, self._state, self._world, rows, self._bounds, row, stop, True)
            self.go_on(sink)

    def _play_late(self, rows: r.Rows, row: int, late: r.LateTimes, sink: Sink) -> int:
        """Play rows from one on as far as nobody needs their times, then some with times; return the next row."""
        seen, stop, sent = self._seen, len(rows.price), 0
        due_ns, sample = seen.next_due_ns[0], seen.next_sample[0]
        if sample < len(self._bounds):
            due_ns = min(due_ns, self._bounds[sample])
        if seen.started[0] and seen.live[0] == 0 and late.last_ns < due_ns:
            arguments = *self._memory, rows, self._bounds
            row = self._call(self._engine.run, *arguments, row, stop, False, late=late)
            if seen.live[0] == 0:
                seen.now_ns[0] = seen.last_ns[0] = late.last_ns
                return row
            sent = 1
        until = min(row + _TIMED_ROWS, stop)
        times = late.read(row - sent, until)
        if sent:
            self._date_orders(int(times[0]))
        some = r.Rows(*(column[row:until] for column in rows))
        self._play_timed(some._replace(local_ns=times[sent:]), sink)
        return until

    def _as_arrays(self) -> tuple[np.ndarray, r.World]:
        """Return state and world as machine code takes them in least time: a recarray is asked for its parts in Python."""
        if isinstance(self._engine.run, FunctionType):
            return self._state, self._world
        return self._state.view(np.ndarray), r.World(*(part.view(np.ndarray) for part in self._world))

    def _date_orders(self, now_ns: int) -> None:
        """Give orders the time at which they were sent; all that are live were sent at one row."""
        account, orders = self._world.account[0], self._world.orders
        account.now_ns = self._world.instruments[0].last_ns = now_ns
        arrival_ns = now_ns + account.latency_ns
        for order in orders[: account.live]:
            order.sent_ns, order.arrived_ns = now_ns, arrival_ns
            if order.cancel_ns != r.FAR:
                order.cancel_ns = arrival_ns

    def feed_events(self, rows: r.Rows, changes: BookRows, scale: int, sink: Sink) -> None:
        """Play some trades and changes of the book; none that follow are of an earlier time.

        changes  prices are integers x 10^-scale; a message may go on in the next call
        Raises InputError as `Book.apply`, FailedError or StrategyError.
        """
        assert self._book is not None
        account, cursor = self._world.account[0], np.zeros(2, np.int64)

        def play(book: BookState, changes: BookRows, factor: int, start: int, stop: int) -> int:
            while cursor[0] < len(rows.local_ns) or cursor[1] < stop:
                self._play(rows, book, changes, factor, cursor)
                if account.status == r.NO_BOOK_ROOM:
                    account.status = r.GOING
                    break
                self.go_on(sink)
            return int(cursor[1])

        self._book.apply_with(play, changes, scale, 0, len(changes.local_ns))

    def forget_book(self, sink: Sink) -> None:
        """Know no book until the next snapshot: rows of it are missing. The message at hand is shown first."""
        assert self._book is not None
        self._show_last(sink)
        self._book.forget()

    def _show_last(self, sink: Sink) -> None:
        while not self._look():
            self.go_on(sink)

    def _play(
        self, rows: r.Rows, book: BookState, changes: BookRows, factor: int, cursor: np.ndarray
    ) -> None:
        self._call(
            self._engine.play, self._state, self._world, rows, self._bounds,
            book, changes, factor, self._power, cursor,
        )  # fmt: skip

    def _look(self) -> bool:
        """Show the message that no later event has ended; False if the kernel stopped for want of room."""
        assert self._book is not None
        return self._call(
            self._engine.look, self._state, self._world, self._bounds,
            self._book.state, self._power, r.FAR,
        )  # fmt: skip

    @property
    def _power(self) -> float:
        """What the book's ticks are counted in: 1 / power."""
        assert self._book is not None
        return float(POWERS[self._book.scale])

    def go_on(self, sink: Sink) -> None:
        """Make what room the kernel stopped for; raise FailedError if it stopped for anything else."""
        status = self._seen.status
        if status[0] == r.NO_ROOM:
            self._drain(sink)
            self._make_room()
        elif status[0] != r.GOING:
            raise self._failure()
        status[0] = r.GOING

    def finish(self, sink: Sink) -> tuple[Summary, np.ndarray]:
        """End the run; return what it did and the samples (records.SAMPLE_OUT[n])."""
        if self._book is not None:
            self._show_last(sink)
        self._drain(sink)
        self._make_room()
        self._call(self._engine.end, self._state, self._world, self._bounds)
        if self._world.account[0].status != r.GOING:
            raise self._failure()
        self._drain(sink)
        a, i = self._world.account[0], self._world.instruments[0]
        summary = Summary(
            int(i.trades), int(i.first_ns), int(i.last_ns), float(i.first_price), float(i.price),
            float(a.equity), int(a.cash_nanos), float(i.position), float(a.max_drawdown),
            int(a.orders), int(a.rejected), int(a.fills), float(a.notional), int(a.fees_nanos),
            int(a.trips), int(a.wins), int(a.gross_profit_nanos), int(a.gross_loss_nanos),
            int(a.in_position_ns),
        )  # fmt: skip
        return summary, self._world.samples

    def _call(self, function: Any, *arguments: Any, late: r.LateTimes | None = None) -> Any:
        """Call the kernel. `late`: times of the rows, where the engine's clock counts them."""
        try:
            return function(*arguments)
        except Exception as error:
            if late is not None and not compiling(error):
                row = int(self._seen.now_ns[0])
                self._seen.now_ns[0] = late.read(row, row + 1)[0]
            raise self.explained(error) from error

    def explained(self, error: Exception) -> Exception:
        """Return what to raise for an error that came out of the engine while it played this account."""
        if compiling(error):
            return explain(error, self._strategy)
        plain = isinstance(self._engine.run, FunctionType)
        when = format_time(int(self._world.account[0].now_ns))
        return raised(error, self._strategy, when, plain=plain)

    def _drain(self, sink: Sink) -> None:
        world = self._world
        account = world.account[0]
        if account.orders_out:
            sink.orders(world.orders_out[: account.orders_out])
        if account.fills_out:
            sink.fills(world.fills_out[: account.fills_out])
            sink.postings(world.postings_out[: account.postings_out])
        account.orders_out = account.fills_out = account.postings_out = 0

    def _make_room(self) -> None:
        """Double the queue of answers where many wait: a long latency with many fills."""
        account, answers = self._world.account[0], self._world.answers
        if account.answers + 2 * r.MAX_ORDERS > len(answers):
            larger = r.zeros(r.ANSWER, 2 * len(answers))
            order = (account.answers_first + np.arange(account.answers)) % len(answers)
            larger[: len(order)] = answers[order]
            account.answers_first = 0
            self._world = self._world._replace(answers=larger)
            self._memory = self._as_arrays()

    def _failure(self) -> FailedError:
        account = self._world.account[0]
        when = format_time(int(account.now_ns))
        name = self._strategy.__name__
        if account.status == r.TOO_MANY_ORDERS:
            return FailedError(
                f"{name} at {when}: more than {r.MAX_ORDERS} orders open at one time; cancel some, or wait"
                " for ctx.idle"
            )
        return FailedError(
            f"{name} at {when}: an amount of money beyond 4.6e9 (the ledger counts 1e-9 in 64 bits);"
            " use a smaller capital"
        )
