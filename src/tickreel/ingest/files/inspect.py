"""Counts what is odd in rows that are kept: ids twice, clocks that run backwards, unknown sides."""

import numpy as np

from tickreel.ingest.files import inspect_kernel as k
from tickreel.schema import RecordType
from tickreel.sources.csv_batch import RowBatch
from tickreel.store.format import Finding
from tickreel.units import format_time

KIND_NAMES = (
    "exchange_time_backwards",
    "local_before_exchange",
    "id_twice",
    "id_backwards",
    "id_missing",
    "side_unknown",
)
EXAMPLE_LETTERS = 200
"""Most of an example's text that is kept: a cell may be as long as a line."""
ODD_KINDS = {
    "exchange_time_backwards": "exchange time before that of the row before",
    "local_before_exchange": "arrived before it happened: the two clocks disagree",
    "id_twice": "id seen before (exact for rising ids, else within 65,536 rows)",
    "id_backwards": "id lower than that of the row before",
    "id_missing": "no id",
    "side_unknown": "side is unknown",
    "side_unrecognised": "side is none of buy, sell, unknown: kept as unknown",
    "out_of_order": "time before that of an earlier row: put in order",
    "other_day": "time outside the day that the file's name says",
    "other_symbol": "symbol or exchange is not the one of the file's name",
}
"""Every kind of oddity, for people."""


class Tally:
    """Counts by kind with the first few examples."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[tuple[int, str]]] = {}

    def add(self, kind: str, count: int, examples: list[tuple[int, str]]) -> None:
        if count:
            self._counts[kind] = self._counts.get(kind, 0) + count
            kept = self._examples.setdefault(kind, [])
            more = examples[: k.EXAMPLES - len(kept)]
            kept.extend((line, text[:EXAMPLE_LETTERS]) for line, text in more)

    def findings(self) -> dict[str, Finding]:
        return {kind: Finding(self._counts[kind], self._examples[kind]) for kind in sorted(self._counts)}


class Inspector:
    """Looks at rows in storage order, symbol after symbol; one serves all segments of a file."""

    def __init__(self, record: RecordType) -> None:
        self._has_id = "id" in record.names
        self._has_side = "side" in record.names and record.column("side").choices[0] == "unknown"
        self._state = np.zeros(k.STATE, np.int64)
        self._ring = np.zeros(k.WINDOW, np.int64)
        self._table_key = np.zeros(k.TABLE, np.int64)
        self._table_row = np.zeros(k.TABLE, np.int64)

    def next_symbol(self) -> None:
        self._state[:] = 0

    def look(self, rows: RowBatch, tally: Tally) -> None:
        """Add the findings in some rows to `tally`; they go on where the last ones of the symbol ended."""
        counts = np.zeros(k.KINDS, np.int64)
        examples = np.zeros((k.KINDS, k.EXAMPLES), np.int64)
        columns = rows.columns
        ids, sides = columns.get("id"), columns.get("side")
        letters, numbers = np.empty((0, 0), np.uint8), np.empty(0, np.int64)
        if self._has_id and isinstance(ids, np.ndarray):
            if ids.dtype == np.int64:
                numbers = ids
            else:
                letters = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), ids.dtype.itemsize)
        k.inspect(
            rows.array("exchange_ns"),
            # Rows without a local clock are compared with themselves: none is before its exchange time.
            rows.times,
            letters,
            numbers,
            sides if self._has_side else np.empty(0, np.uint8),
            self._state,
            self._ring,
            self._table_key,
            self._table_row,
            counts,
            examples,
        )
        for kind in np.flatnonzero(counts).tolist():
            shown = examples[kind, : min(counts[kind], k.EXAMPLES)].tolist()
            tally.add(KIND_NAMES[kind], int(counts[kind]), [_example(rows, row, kind) for row in shown])


def _example(rows: RowBatch, row: int, kind: int) -> tuple[int, str]:
    text = ""
    if kind in (k.EXCHANGE_BACKWARDS, k.LOCAL_FIRST):
        exchange, local = int(rows.array("exchange_ns")[row]), int(rows.times[row])
        text = f"exchange {format_time(exchange)} local {format_time(local)}"
    elif kind in (k.ID_TWICE, k.ID_BACKWARDS):
        found = rows.array("id")[row]
        text = f"id {found.decode('utf-8', 'replace') if isinstance(found, bytes) else found}"
    return int(rows.line[row]), text
