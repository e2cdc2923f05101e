"""Many parameter sets of one strategy over one instrument: an account for each, one pass over the rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tickreel.books.book import Book
from tickreel.books.book_kernel import BookRows
from tickreel.errors import TickreelError
from tickreel.simulate import records as r
from tickreel.simulate.account import AccountRun, AccountSettings, Summary, make_world
from tickreel.simulate.compile import Engine, build_sets
from tickreel.simulate.sets_kernel import ELSEWHERE, world_of
from tickreel.simulate.strategy import Strategy, make_states

_ANSWERS = 4 * r.MAX_ORDERS
_OUT_ROWS = 4 * r.MAX_ORDERS


def bytes_of_set(strategy: type[Strategy], samples: int) -> int:
    """Return the memory that a set takes: its strategy's record, its account and the samples of its equity."""
    world = make_world(samples, answers=_ANSWERS, out_rows=0)
    return make_states(strategy, [{}]).nbytes + sum(column.nbytes for column in world)


class _Nowhere:
    """A Sink: a sweep keeps what an account counts, not what it writes."""

    def orders(self, rows: np.ndarray) -> None:
        pass

    fills = postings = orders


class SetRuns:
    """Runs as AccountRun's, with the same results, of many sets side by side.

    sets     of each the parameters by name
    bounds   as of AccountRun
    books    for strategies with on_book, one of each set: a book is changed while it is shown
    failed   set number -> what it failed with; the others go on
    """

    def __init__(
        self,
        strategy: type[Strategy],
        engine: Engine,
        sets: Sequence[dict[str, Any]],
        settings: AccountSettings,
        bounds: np.ndarray,
        *,
        books: Sequence[Book] | None = None,
    ) -> None:
        count = len(sets)
        self.failed: dict[int, Exception] = {}
        self._bounds = np.ascontiguousarray(bounds, np.int64)
        self._kernel: Callable[..., None] = build_sets(engine)
        self._states = make_states(strategy, sets)
        self._worlds = make_world(len(bounds), accounts=count, answers=_ANSWERS, out_rows=_OUT_ROWS)
        self._runs = []
        for k, parameters in enumerate(sets):
            memory = self._states[k : k + 1], world_of(self._worlds, k, count)
            book = books[k] if books else None
            self._runs.append(AccountRun(strategy, engine, parameters, settings, bounds, book, memory=memory))
        self._at = np.zeros(count, np.int64)
        self._current = np.zeros(1, np.int64)

    def warm_up(self) -> None:
        """Compile, or load from the cache, without playing a row. Raises StrategyError."""
        self._runs[0].warm_up()
        none = np.empty(0)
        times = np.empty(0, np.int64)
        self.feed(r.Rows(none, none, np.empty(0, np.uint8), times, times))
        for error in self.failed.values():
            raise error

    def feed(self, rows: r.Rows) -> None:
        """Play some rows for all sets; they follow those of the call before."""
        self._at[self._at != ELSEWHERE] = 0
        while not self._together(rows):
            pass
        stopped = (self._worlds.account["status"] != r.GOING) & (self._at != ELSEWHERE)
        for k, run in self._going(np.flatnonzero(self._at == ELSEWHERE).tolist()):
            self._alone(k, run.feed, rows)
        for k in np.flatnonzero(stopped).tolist():
            # It needs room for answers, which is its own from now on, or has failed.
            rest = r.Rows(*(column[self._at[k] :] for column in rows))
            self._at[k] = ELSEWHERE
            self._alone(k, self._feed_stopped, self._runs[k], rest)

    def feed_events(self, rows: r.Rows, changes: BookRows, scale: int) -> None:
        """Play some trades and changes of the book for all sets, as AccountRun.feed_events."""
        for k, run in self._going():
            self._alone(k, run.feed_events, rows, changes, scale)

    def forget_book(self) -> None:
        """Know no book until the next snapshot, as AccountRun.forget_book."""
        for k, run in self._going():
            self._alone(k, run.forget_book)

    def finish(self) -> Iterator[tuple[int, Summary, np.ndarray]]:
        """End the runs; yield number, summary and samples of each set that has not failed."""
        for k, run in self._going():
            found = self._alone(k, run.finish)
            if found is not None:
                yield k, *found

    def _going(self, places: Iterable[int] | None = None) -> Iterator[tuple[int, AccountRun]]:
        """Yield the sets, or those at some places, that have not failed."""
        every = range(len(self._runs)) if places is None else places
        return ((k, self._runs[k]) for k in every if k not in self.failed)

    def _together(self, rows: r.Rows) -> bool:
        """Play rows for the sets that share memory; False if one of them raised: the others go on."""
        try:
            self._kernel(self._states, self._worlds, rows, self._bounds, self._at, self._current)
        except Exception as error:
            k = int(self._current[0])
            if k in self.failed:
                raise
            found = self._runs[k].explained(error)
            found.__cause__ = error
            self._fail(k, found)
            return False
        return True

    @staticmethod
    def _feed_stopped(run: AccountRun, rows: r.Rows, sink: _Nowhere) -> None:
        run.go_on(sink)
        run.feed(rows, sink)

    def _alone(self, k: int, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments, _Nowhere())
        except TickreelError as error:
            self._fail(k, error)

    def _fail(self, k: int, error: Exception) -> None:
        self.failed[k] = error
        self._at[k] = ELSEWHERE
