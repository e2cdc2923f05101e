"""Every figure of one type, exchange, symbol and day, declared once: meter, documents and pages derive from here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tickreel.schema import RECORD_TYPES

Figures = dict[str, Any]
"""Name -> int or float; only the figures that the record type has."""
Place = tuple[int, int | None, str]
"""Where something was found: ns UTC on the clock of the rows, ns of its end or None, what stood there."""

_BOOK = ("incremental_book_L2",)
_QUOTED = ("quotes", "book_ticker", "book_snapshot_5", "book_snapshot_25", "options_chain", *_BOOK)
_WITH_IDS = ("trades", "liquidations")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `types` that have it (none: all), `fold`: how those of a group's symbols become one."""

    name: str
    unit: str
    doc: str
    types: tuple[str, ...] = ()
    fold: Callable[[Iterable[Any]], Any] = sum


FIGURES: tuple[Figure, ...] = (
    Figure("rows", "rows", "rows of the day"),
    Figure("symbols", "symbols", "symbols with rows; 1 but for a group's file"),
    Figure("first_ns", "ns UTC", "local time of the first row", fold=min),
    Figure("last_ns", "ns UTC", "local time of the last row", fold=max),
    Figure("head_ns", "ns", "from midnight to the first row", fold=min),
    Figure("tail_ns", "ns", "from the last row to midnight", fold=min),
    Figure("covered_ns", "ns", "the day less its gaps, and less head and tail longer than the threshold", fold=max),
    Figure("active_seconds", "s", "UTC seconds with a row", fold=max),
    Figure("peak_rows", "rows", "most rows in one UTC second", fold=max),
    Figure("same_time", "rows", "rows with the local time of the row before"),
    Figure("same_exchange_time", "rows", "rows with the exchange time of the row before"),
    Figure("time_step_ns", "ns", "1 s, 1 ms or 1 us: the coarsest of them that every local time is a multiple of", fold=min),
    Figure("gap_threshold_ns", "ns", "a longer silence is a gap", fold=min),
    Figure("gaps", "gaps", "silences between two rows that are longer than the threshold"),
    Figure("gaps_ns", "ns", "time in gaps"),
    Figure("gap_max_ns", "ns", "longest gap, 0 if there is none", fold=max),
    Figure("duplicate_rows", "rows", "rows equal to an earlier one of the same local time in every column, of the first 65,536 of that time"),
    Figure("offset_min_ns", "ns", "least clock offset: local - exchange", fold=min),
    Figure("offset_p1_ns", "ns", "1st percentile of the offset, to 0.4 %"),
    Figure("offset_p50_ns", "ns", "median offset, to 0.4 %"),
    Figure("offset_p99_ns", "ns", "99th percentile of the offset, to 0.4 %"),
    Figure("offset_max_ns", "ns", "greatest offset", fold=max),
    Figure("offset_negative", "rows", "rows that arrived before the exchange's time"),
    Figure("offset_zero", "rows", "rows whose two times are equal"),
    Figure("offset_drift_ns", "ns", "greatest less least of the hours' median offsets (hours of 100 rows or more), at least", fold=max),
    Figure("offset_jump_ns", "ns", "largest change of that median from one such hour to the next, at least", fold=max),
    Figure("exchange_backwards", "rows", "rows whose exchange time is before that of the row before"),
    Figure("exchange_backwards_max_ns", "ns", "largest such step", fold=max),
    Figure("parts", "files", "files that gave rows to the segment"),
    Figure("lines", "lines", "data lines of those files, also those of other symbols and days"),
    Figure("set_aside", "lines", "lines of those files that import set aside"),
    Figure("missed", "gaps", "times of which a recorder missed rows that history did not give later"),
    Figure("missed_ns", "ns", "their length together"),
    Figure("lagged", "gaps", "times of which history gave the rows later, without local times: these are exchange time + a declared delay"),
    Figure("lagged_ns", "ns", "their length together"),
    Figure("lag_declared_ns", "ns", "that delay, the greatest if there are several; 0 without such gaps", fold=max),
    Figure("out_of_order", "rows", "rows of those files that import put in order"),
    Figure("id_twice", "rows", "ids that import had seen before", _WITH_IDS),
    Figure("ids_empty", "rows", "rows without an id", _WITH_IDS),
    Figure("ids_text", "rows", "ids that are no number of up to 18 digits after the letters that the first has before it", _WITH_IDS),
    Figure("ids_repeated", "rows", "numeric ids equal to the one before", _WITH_IDS),
    Figure("ids_backwards", "rows", "numeric ids not above the highest before that fill no hole", _WITH_IDS),
    Figure("ids_late", "rows", "numeric ids that come after higher ones and fill a hole", _WITH_IDS),
    Figure("id_holes", "holes", "steps of more than 1 above the highest id before, but for those that are filled", _WITH_IDS),
    Figure("ids_missing", "ids", "ids in those holes that do not come; at most 2^62", _WITH_IDS),
    Figure("id_hole_max", "ids", "ids missing in the largest hole", _WITH_IDS, max),
    Figure("first_id", "id", "the first numeric id, or a lower one that comes late; not of a group", _WITH_IDS),
    Figure("highest_id", "id", "the highest numeric id since ids last began anew; not of a group", _WITH_IDS),
    Figure("side_unknown", "rows", "rows of unknown side", _WITH_IDS),
    Figure("amount_total", "as the venue counts", "sum of all amounts", _WITH_IDS),
    Figure("amount_max", "as the venue counts", "largest amount of one row", _WITH_IDS, max),
    Figure("outliers", "trades", "prices off the median of the 11 trades around them by more than 1 % and 10 median deviations", ("trades",)),
    Figure("outliers_alike", "trades", "those of them that have the price of the outlier before", ("trades",)),
    Figure("sides_empty", "rows", "rows (of order books: messages) without a best bid or ask", _QUOTED),
    Figure("locked_rows", "rows", "rows or messages whose best bid equals the best ask", _QUOTED),
    Figure("crossed_rows", "rows", "rows or messages whose best bid is above the best ask", _QUOTED),
    Figure("crossed_intervals", "intervals", "runs of such rows", _QUOTED),
    Figure("crossed_ns", "ns", "time from the first row of each run to the next row that is not crossed", _QUOTED),
    Figure("crossed_max_ns", "ns", "longest of them", _QUOTED, max),
    Figure("snapshots", "snapshots", "runs of snapshot rows with one local time", _BOOK),
    Figure("reconnects", "snapshots", "snapshots after the first", _BOOK),
    Figure("snapshot_rows", "rows", "rows of snapshots", _BOOK),
    Figure("snapshot_zeros", "rows", "rows of snapshots with amount 0", _BOOK),
    Figure("rows_before_snapshot", "rows", "rows before the day's first snapshot, all if there is none", _BOOK),
    Figure("rows_skipped", "rows", "those of them that no book of the day before is known for", _BOOK),
    Figure("cells_empty", "rows", "rows without a price or an amount", _BOOK),
    Figure("removals", "rows", "rows that remove a level: amount 0, not in a snapshot", _BOOK),
    Figure("removals_absent", "rows", "those of them whose level is not in the book, once it is known", _BOOK),
    Figure("book_messages", "messages", "messages after which the book is known", _BOOK),
    Figure("books_refused", "symbols", "symbols with prices that no one book can hold: what a book tells is left out", _BOOK),
    Figure("funding_steps", "rows", "rows whose funding time is later than the last one given", ("derivative_ticker",)),
    Figure("funding_steps_back", "rows", "rows whose funding time is earlier than the last one given", ("derivative_ticker",)),
    Figure("funding_empty", "rows", "rows without a funding time", ("derivative_ticker",)),
    Figure("funding_rate_changes", "rows", "rows whose funding rate differs from the last one given", ("derivative_ticker",)),
)  # fmt: skip

PERCENTILES = {"offset_p1_ns": 1, "offset_p50_ns": 50, "offset_p99_ns": 99}
OF_ONE_SYMBOL = ("first_id", "highest_id")
PER_SEGMENT = (
    "parts",
    "lines",
    "set_aside",
    "missed",
    "missed_ns",
    "lagged",
    "lagged_ns",
    "lag_declared_ns",
    "out_of_order",
    "id_twice",
)
"""Figures of the segment's provenance, known without looking at a row."""


def best_columns(type: str) -> tuple[str, str] | None:
    """Return the columns of best bid and ask of a record type, if its rows have both."""
    names = RECORD_TYPES[type].names
    for pair in (("bid_price", "ask_price"), ("bids_0_price", "asks_0_price")):
        if set(pair) <= set(names):
            return pair
    return None


def fold(symbols: list[Figures]) -> Figures:
    """Return the figures of a group from those of its symbols, but for percentiles and OF_ONE_SYMBOL."""
    return {
        figure.name: figure.fold(found[figure.name] for found in symbols if figure.name in found)
        for figure in FIGURES
        if any(figure.name in found for found in symbols)
        and figure.name not in (*PERCENTILES, *OF_ONE_SYMBOL)
    }
