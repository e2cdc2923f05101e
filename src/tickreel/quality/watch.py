"""Builds the order book of a symbol's day by the rules of docs/BOOKS.md, and looks at it after every message."""

import numpy as np

from tickreel.books.book import Book
from tickreel.books.book_kernel import SKIPPED, BookRows, BookState
from tickreel.quality.content_kernel import BEST
from tickreel.quality.contents import Best, best_places, kept_places
from tickreel.quality.figures import Figures, Place
from tickreel.quality.watch_kernel import WATCH, see_last, watch_rows


class Watch:
    """Takes rows in storage order, gives figures.

    before  the book that the rows go on with; None: unknown until their first snapshot
    """

    def __init__(self, before: Book | None = None) -> None:
        self._book = before or Book()
        self._skipped = self._rows_skipped()
        self._best = np.zeros(1, BEST)
        self._watch = np.zeros(1, WATCH)

    def add(self, rows: BookRows, scale: int, start: int, stop: int) -> None:
        """Apply rows[start:stop], whose prices are integers x 10^-scale. InputError as `Book.apply`."""

        def apply(book: BookState, rows: BookRows, factor: int, start: int, stop: int) -> int:
            return watch_rows(book, rows, factor, start, stop, self._best, self._watch)

        self._book.apply_with(apply, rows, scale, start, stop)

    def finish(self) -> tuple[Figures, dict[str, list[Place]]]:
        """Return the figures of the symbol, and kind -> the first places."""
        see_last(self._book.state, self._best, self._watch)
        found = {name: self._best[name][0].item() for name in Best.NAMES}
        found["rows_skipped"] = self._rows_skipped() - self._skipped
        found |= {name: self._watch[name][0].item() for name in ("book_messages", "removals_absent")}
        return found, best_places(self._best[0]) | kept_places(self._watch[0], "removals_absent")

    def _rows_skipped(self) -> int:
        return int(self._book.state.state[SKIPPED])
