"""Compiles all that a comparison needs, by matching two rows."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tickreel.quality.compare_day import match_windows
from tickreel.quality.compare_rows import empty_window
from tickreel.quality.compare_terms import Terms, Window
from tickreel.quality.ids_key_kernel import id_keys
from tickreel.quality.same_kernel import mix_column
from tickreel.quality.waiting_kernel import ROW, make_waiting, move


def warm_up(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Compile everything; the task of a worker."""
    terms = Terms(1, 0, 0.0, 0.0, False, 0, 0, 1, True, 2)
    match_windows(_two_rows(0), _two_rows(5), terms)
    move(make_waiting(1), make_waiting(1), np.zeros(1, ROW))
    id_keys(np.zeros((1, 1), np.uint8), np.zeros(1, np.uint64))
    mix_column(np.zeros((1, 1), np.uint64), np.ones(1, np.bool_), np.zeros(1, np.uint64))


def _two_rows(first_ns: int) -> Iterator[Window]:
    times, floats, words = np.full(2, first_ns), np.zeros(2), np.zeros(2, np.uint64)
    yield Window(
        times, times, times, words, floats, words, floats, words, words, words,
        np.zeros(1, np.int64), np.zeros(1, np.bool_),
    )  # fmt: skip
    yield empty_window(is_last=True)
