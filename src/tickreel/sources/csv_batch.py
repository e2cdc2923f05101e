"""Rows as they are collected from pieces of text: judged with the piece, passed on in batches."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tickreel.codecs import number_text
from tickreel.codecs.decimals import Decimals, parse_decimal
from tickreel.schema import Allow, Column, Kind, RecordType, clock_of
from tickreel.sources import csv_kernel as k
from tickreel.sources.csv_layout import fields_of, layout_of, line_arrays, row_arrays, row_bytes

MAX_NUMBER = 1e21
"""Prices and amounts of this size or more are no market data."""

REASONS = (
    "",
    "wrong number of fields",
    "time is not a whole number of microseconds",
    "time is in seconds where microseconds belong",
    "time is in milliseconds where microseconds belong",
    "time is in nanoseconds where microseconds belong",
    "time is not between the years 2000 and 2100",
    "not a finite number",
    "negative where the type forbids it",
    "0 where the type forbids it",
    "1e21 or more",
    "text longer than 128 bytes",
    "text with control characters",
    "empty line",
    "last line without a line end: the file may be cut; add one if the row is whole",
    "exchange or symbol cannot be used",
    "empty where the type wants a value",
    "not one of the words that the type allows",
    "text that is not UTF-8",
)
MAX_BATCH_ROWS = 1 << 16
"""A block of a segment, which then needs no copy."""
_BATCH_BYTES, _LEAST_ROWS = 1 << 24, 1 << 10
_KEPT_BYTES = 1 << 20
"""Of lines that are set aside, and of words that are not known: with so many a batch is passed on."""


class SetAside(NamedTuple):
    """A line that cannot be right: its number in the file (the header is line 1), why, its text."""

    line: int
    reason: str
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Good rows in file order.

    line     int64[n], line numbers in the file
    name     int32[n], index into CsvParser.names
    columns  by name: Decimals for DECIMAL; of TEXT int64[n] where each is a canonical whole number
             (codecs.number_text); arrays of the kind's dtype for the others
    odd      (kind, line, what stood there) of cells that were read as another value
    """

    line: np.ndarray
    name: np.ndarray
    columns: dict[str, "np.ndarray | Decimals"]
    odd: list[tuple[str, int, str]]
    set_aside: list[SetAside]

    def __len__(self) -> int:
        return len(self.line)

    def array(self, name: str) -> np.ndarray:
        """Return a column that is not DECIMAL."""
        values = self.columns[name]
        assert isinstance(values, np.ndarray)
        return values

    @property
    def times(self) -> np.ndarray:
        """What rows are ordered by, and days follow: int64[n], ns UTC."""
        return self.array(clock_of(self.columns))


class Collector:
    """The lines of one batch of a file whose header was read, while they come.

    layout, rows, count  what the parsing kernel takes, and how many lines it has written
    lines                what it takes for the lines of one call
    """

    def __init__(self, record: RecordType) -> None:
        self._record = record
        self._fields = fields_of(record)
        self.layout = layout_of(self._fields)
        self.lines = line_arrays(self.layout)
        # Odd, so that not all of a hundred columns come to a new cache line at the same row: a fifth of the time.
        self._room = min(MAX_BATCH_ROWS, max(_LEAST_ROWS, _BATCH_BYTES // row_bytes(self.layout)) | 1)
        self._begin(first_line=2)

    @property
    def is_full(self) -> bool:
        return self.count == self._room or self._kept_bytes >= _KEPT_BYTES

    @property
    def is_empty(self) -> bool:
        return not self.count and not self._aside

    def _begin(self, *, first_line: int) -> None:
        # The arrays of a batch are its reader's.
        self.rows = row_arrays(self.layout, self._room)
        self.count = 0
        self._first_line = first_line
        self._all_good = True
        self._kept_bytes = 0
        self._aside: list[SetAside] = []
        self._odd: list[tuple[str, int, str]] = []
        self._words: list[list[tuple[int, np.ndarray]]] = [[] for _ in self.rows.worded]

    def take(self, data: bytes, count: int, bad_names: dict[int, str], *, usual: bool) -> None:
        """Take in the lines up to `count` that the kernel found in `data`, and judge what it left.

        bad_names  number of a name that cannot be used -> why
        usual      what the kernel said of them
        """
        new = slice(self.count, count)
        if not usual or bad_names:
            self._judge(data, new, bad_names)
        for slot, worded in enumerate(self.rows.worded.tolist()):
            if worded:
                self._keep_words(data, slot, new)
        self.count = count

    def cut_line(self, text: bytes) -> None:
        """Set aside a last line without a line end."""
        self._set_aside(self.count, REASONS[k.NO_NEWLINE], text, "")

    def batch(self) -> RowBatch:
        """Return what was collected, and begin anew."""
        rows, count = self.rows, self.count
        good = slice(0, count) if self._all_good else np.flatnonzero(rows.reason[:count] == k.OK)
        columns: dict[str, np.ndarray | Decimals] = {}
        for field, column in enumerate(self._fields, start=2):
            slot = int(self.layout.slot[field])
            if column.kind is Kind.TIME:
                columns[column.name] = rows.time[slot][good]
            elif column.kind is Kind.DECIMAL:
                columns[column.name] = Decimals(rows.mantissa[slot][good], rows.scale[slot][good])
            elif column.kind is Kind.ENUM:
                columns[column.name] = rows.enum[slot][good]
            else:
                columns[column.name] = self._texts(slot)[good]
        line = np.arange(self._first_line, self._first_line + count)[good]
        found = RowBatch(line, rows.name[good], columns, self._odd, self._aside)
        self._begin(first_line=self._first_line + count)
        return found

    def _judge(self, data: bytes, new: slice, bad_names: dict[int, str]) -> None:
        """Finish what the kernel left of some lines: exact numbers, unknown words, names; set aside what cannot be right."""
        rows, lines, reason = self.rows, self.lines, self.rows.reason[new]
        details: dict[int, str] = {}
        if lines.hard[: len(reason)].any():
            self._exact_numbers(data, new)
        for slot, column in enumerate(c for c in self._fields if c.kind is Kind.ENUM):
            if column.choices[0] != "unknown":
                unknown = (rows.enum[slot, new] == k.UNRECOGNISED) & (reason == k.OK)
                reason[unknown] = k.BAD_CHOICE
                lines.bad_field[: len(reason)][unknown] = self._field(column)
        if bad_names:
            bad = np.isin(rows.name[new], list(bad_names)) & (reason == k.OK)
            reason[bad] = k.BAD_NAME
            details = {row: bad_names[int(rows.name[new][row])] for row in np.flatnonzero(bad).tolist()}
        self._note_unknown(data, new)
        for row in np.flatnonzero(reason).tolist():
            self._all_good = False
            field = int(lines.bad_field[row])
            why = REASONS[reason[row]]
            why = f"{self._record.csv_header[field]}: {why}" if field >= 0 else why
            text = data[lines.start[row] : lines.stop[row]]
            self._set_aside(new.start + row, why, text, details.get(row, ""))

    def _set_aside(self, row: int, reason: str, text: bytes, detail: str) -> None:
        line = self._first_line + row
        self._kept_bytes += len(text)
        self._aside.append(SetAside(line, reason, text.decode("utf-8", "replace"), detail))

    def _note_unknown(self, data: bytes, new: slice) -> None:
        """Keep words that are none of a column's as unknown, and tell what stood there."""
        rows, good = self.rows, self.rows.reason[new] == k.OK
        for slot, column in enumerate(c for c in self._fields if c.kind is Kind.ENUM):
            for row in np.flatnonzero((rows.enum[slot, new] == k.UNRECOGNISED) & good).tolist():
                cell = self._cell(data, row, column).decode("utf-8", "replace")
                self._kept_bytes += len(cell)
                self._odd.append((f"{column.name}_unrecognised", self._first_line + new.start + row, cell))
                rows.enum[slot, new.start + row] = 0

    def _exact_numbers(self, data: bytes, new: slice) -> None:
        """Finish the numbers that the kernel left: more than 15 digits, or a far exponent."""
        rows, lines, reasons = self.rows, self.lines, self.rows.reason[new]
        decimals = [column for column in self._fields if column.kind is Kind.DECIMAL]
        for row in np.flatnonzero(lines.hard[: len(reasons)] & (reasons == k.OK)).tolist():
            at = new.start + row
            for slot, column in enumerate(decimals):
                if rows.scale[slot, at] == k.HARD:
                    text = self._cell(data, row, column).decode("ascii")
                    reason = self._exact_number(text, column, slot, at)
                    if reason != k.OK:
                        reasons[row], lines.bad_field[row] = reason, self._field(column)
                        break

    def _exact_number(self, text: str, column: Column, slot: int, at: int) -> int:
        value = float(text)
        if abs(value) >= MAX_NUMBER:
            return k.HUGE
        if value == 0 and column.allow is Allow.POSITIVE:
            return k.ZERO
        if value < 0 and column.allow is not Allow.ANY:
            return k.NEGATIVE
        self.rows.mantissa[slot, at], self.rows.scale[slot, at] = parse_decimal(repr(value))
        return k.OK

    def _keep_words(self, data: bytes, slot: int, new: slice) -> None:
        """Keep the texts of some lines of which not all are numbers: their bytes go with the piece."""
        bad = self.rows.reason[new] != k.OK
        start, stop = self.lines.text_start[slot, : len(bad)], self.lines.text_stop[slot, : len(bad)]
        start[bad] = stop[bad] = 0
        width = max(1, int((stop - start).max(initial=0)))
        letters = np.empty((len(start), width), np.uint8)
        k.gather_text(np.frombuffer(data, np.uint8), start, stop, letters)
        self._words[slot].append((new.start, letters.reshape(-1).view(f"S{width}")))
        self.rows.worded[slot] = False

    def _texts(self, slot: int) -> np.ndarray:
        """Return the texts of all lines: as numbers if they all are."""
        numbers, at, parts = self.rows.number[slot, : self.count], 0, []
        if not self._words[slot]:
            return numbers
        numbers[self.rows.reason[: self.count] != k.OK] = 0
        for start, words in self._words[slot]:
            parts += [numbers[at:start], words]
            at = start + len(words)
        return number_text.joined([*parts, numbers[at:]])

    def _cell(self, data: bytes, line: int, column: Column) -> bytes:
        return data[self.lines.start[line] : self.lines.stop[line]].split(b",")[self._field(column)]

    def _field(self, column: Column) -> int:
        return self._record.csv_header.index(column.csv or "")
