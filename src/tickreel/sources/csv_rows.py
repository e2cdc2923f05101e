"""Tardis' CSV files to columns: bytes in, RowBatch out, every data line accounted for.

Format: https://docs.tardis.dev/downloadable-csv-files (header, microseconds UTC, empty cell = no
value). A line that cannot be right is set aside with a reason; one that is only odd is kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tickreel.codecs.decimals import Decimals, parse_decimal
from tickreel.errors import InputError
from tickreel.schema import Allow, Column, Kind, RecordType, clock_of
from tickreel.sources import csv_kernel as k
from tickreel.sources.csv_records import Layout, NameTable, RowArrays

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
ALLOWED = (Allow.ANY, Allow.NOT_NEGATIVE, Allow.POSITIVE)
FIELD_KINDS = {Kind.TIME: k.F_TIME, Kind.DECIMAL: k.F_DECIMAL, Kind.ENUM: k.F_ENUM, Kind.TEXT: k.F_TEXT}
MAX_NAMES = 1 << 16
MAX_BATCH_ROWS = 1 << 16
_NAME_BYTES = MAX_NAMES * k.MAX_KEY
"""Room for every name: the memory is taken as it is filled."""
_LEAST_ROWS, _CELL_BYTES = 1 << 10, 4
_SAMPLE = 200
_MAX_LINE_BYTES = 1 << 26
"""What a packed file of next to nothing, or one that is no text, can make a reader keep."""


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
    columns  by name: Decimals for DECIMAL, arrays of the kind's dtype for the others
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


class CsvParser:
    """Parses one file of one record type, fed with its bytes in order.

    record      the type's own columns; once the header was read, those of the file
    check_name  is called with (exchange, symbol) of every new pair; an InputError from it sets
                the pair's rows aside
    """

    def __init__(
        self, record: RecordType, source: str, check_name: Callable[[str, str], None] | None = None
    ) -> None:
        self.source = source
        self.names: list[tuple[str, str]] = []
        self.lines = 0
        self._check_name = check_name
        self._bad_names: dict[int, str] = {}
        self._rest = b""
        self._header_seen = False
        self._type = record
        self._take_shape(record)
        self._table = NameTable(
            np.zeros(_NAME_BYTES, np.uint8),
            np.zeros(MAX_NAMES + 1, np.int64),
            np.full(4 * MAX_NAMES, -1, np.int32),
            np.zeros(1, np.int64),
        )

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[RowBatch]:
        """Yield the rows of the whole lines so far; a cut line waits for the next call.

        last  no more bytes follow: a last line without a line end may be cut, and is set aside
        Raises InputError if the first line is no header of the type.
        """
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        unended = b""
        if last and cut < len(data):
            if not self._header_seen and cut == 0:
                data += b"\n"
                cut = len(data)
            else:
                unended = data[cut:]
        self._rest = data[cut:] if not last else b""
        start = 0
        if not self._header_seen and cut:
            start = data.index(b"\n") + 1
            self._check_header(data[: start - 1])
            self._header_seen = True
        elif not self._header_seen and len(data) > 1 << 16:
            self._check_header(data[:_SAMPLE])
        letters, rows = np.frombuffer(data, np.uint8), self._room(cut)
        while start < cut:
            count, stop, usual = k.parse(letters, start, cut, self._layout, rows, self._table)
            if stop == start:
                raise InputError(f"{self.source}: more than {MAX_NAMES} symbols in one file; split it")
            yield self._batch(data, rows, count, usual=usual)
            start = stop
        if len(self._rest) > _MAX_LINE_BYTES:
            raise InputError(
                f"{self.source}: line {self.lines + 2} is longer than {_MAX_LINE_BYTES} bytes: that is no row;"
                " fetch the file again"
            )
        if unended:
            self.lines += 1
            text = unended.decode("utf-8", "replace")
            yield self._empty([SetAside(self.lines + 1, REASONS[k.NO_NEWLINE], text)])

    def _check_header(self, line: bytes) -> None:
        found = line.removesuffix(b"\r")
        for shape in self._type.shapes:
            if found == ",".join(shape.csv_header).encode():
                if shape is not self.record:
                    self._take_shape(shape)
                return
        text = found[:_SAMPLE].decode("utf-8", "replace")
        raise InputError(
            f"{self.source}: line 1 is {text!r}, {self._type.name} files begin with {_allowed(self._type)};"
            " name the right record type with --types, or mend the file"
        )

    def _take_shape(self, record: RecordType) -> None:
        self.record = record
        self._fields = [column for column in record.columns if column.csv]
        self._fields.sort(key=lambda column: record.csv_header.index(column.csv or ""))
        self._layout = _layout(record, self._fields)
        self._rows: RowArrays | None = None

    def _room(self, text_bytes: int) -> RowArrays:
        """Return arrays for the rows of so much text, used again for every piece; more rows are more batches."""
        count = min(MAX_BATCH_ROWS, max(_LEAST_ROWS, text_bytes // (_CELL_BYTES * len(self._layout.kind))))
        if self._rows is None or len(self._rows.reason) < count:
            self._rows = _row_arrays(self._layout, count)
        return self._rows

    def _batch(self, data: bytes, rows: RowArrays, count: int, *, usual: bool) -> RowBatch:
        first_line = self.lines + 2
        self.lines += count
        self._learn_names()
        aside = [] if usual and not self._bad_names else self._judged(data, rows, count, first_line)
        good = np.flatnonzero(rows.reason[:count] == k.OK) if aside else slice(0, count)
        return self._columns(data, rows, good, np.arange(first_line, first_line + count), aside)

    def _judged(self, data: bytes, rows: RowArrays, count: int, first_line: int) -> list[SetAside]:
        """Finish what the kernel left, and return the lines that cannot be right."""
        reason = rows.reason[:count]
        details: dict[int, str] = {}
        if rows.hard[:count].any():
            self._exact_numbers(data, rows, count)
        for place, column in enumerate(c for c in self._fields if c.kind is Kind.ENUM):
            if column.choices[0] != "unknown":
                unknown = (rows.enum[place, :count] == k.UNRECOGNISED) & (reason == k.OK)
                reason[unknown] = k.BAD_CHOICE
                rows.bad_field[:count][unknown] = self._field(column)
        if self._bad_names:
            bad = np.isin(rows.name[:count], list(self._bad_names)) & (reason == k.OK)
            reason[bad] = k.BAD_NAME
            details = {row: self._bad_names[int(rows.name[row])] for row in np.flatnonzero(bad).tolist()}
        return [
            self._aside(data, rows, row, first_line, details.get(row))
            for row in np.flatnonzero(reason).tolist()
        ]

    def _columns(
        self,
        data: bytes,
        rows: RowArrays,
        good: "slice | np.ndarray",
        lines: np.ndarray,
        aside: list[SetAside],
    ) -> RowBatch:
        letters = np.frombuffer(data, np.uint8)
        columns: dict[str, np.ndarray | Decimals] = {}
        odd: list[tuple[str, int, str]] = []
        line = lines[good]
        for field, column in enumerate(self._fields, start=2):
            slot = int(self._layout.slot[field])
            if column.kind is Kind.TIME:
                columns[column.name] = _own(rows.time[slot], good)
            elif column.kind is Kind.DECIMAL:
                columns[column.name] = Decimals(_own(rows.mantissa[slot], good), _own(rows.scale[slot], good))
            elif column.kind is Kind.ENUM:
                values = _own(rows.enum[slot], good)
                starts, stops = rows.start[good], rows.stop[good]
                for row in np.flatnonzero(values == k.UNRECOGNISED).tolist():
                    cell = data[starts[row] : stops[row]].split(b",")[field].decode("utf-8", "replace")
                    odd.append((f"{column.name}_unrecognised", int(line[row]), cell))
                    values[row] = 0
                columns[column.name] = values
            else:
                start, stop = rows.text_start[slot][good], rows.text_stop[slot][good]
                width = max(1, int((stop - start).max(initial=0)))
                text = np.empty((len(start), width), np.uint8)
                k.gather_text(letters, start, stop, text)
                columns[column.name] = text.reshape(-1).view(f"S{width}")
        return RowBatch(line, _own(rows.name, good), columns, odd, aside)

    def _exact_numbers(self, data: bytes, rows: RowArrays, count: int) -> None:
        """Finish the numbers that the kernel left: more than 15 digits, or a far exponent."""
        decimals = [column for column in self._fields if column.kind is Kind.DECIMAL]
        for row in np.flatnonzero(rows.hard[:count] & (rows.reason[:count] == k.OK)).tolist():
            for slot, column in enumerate(decimals):
                if rows.scale[slot, row] == k.HARD:
                    cell = data[rows.start[row] : rows.stop[row]].split(b",")[self._field(column)]
                    reason = self._exact_number(cell.decode("ascii"), column, rows, slot, row)
                    if reason != k.OK:
                        rows.reason[row] = reason
                        rows.bad_field[row] = self._field(column)
                        break

    @staticmethod
    def _exact_number(text: str, column: Column, rows: RowArrays, slot: int, row: int) -> int:
        value = float(text)
        if abs(value) >= MAX_NUMBER:
            return k.HUGE
        if value == 0 and column.allow is Allow.POSITIVE:
            return k.ZERO
        if value < 0 and column.allow is not Allow.ANY:
            return k.NEGATIVE
        rows.mantissa[slot, row], rows.scale[slot, row] = parse_decimal(repr(value))
        return k.OK

    def _learn_names(self) -> None:
        for number in range(len(self.names), int(self._table.names[0])):
            raw = self._table.letters[self._table.start[number] : self._table.start[number + 1]].tobytes()
            exchange, _, symbol = raw.decode("utf-8", "surrogateescape").partition(",")
            self.names.append((exchange, symbol))
            try:
                if self._check_name:
                    self._check_name(exchange, symbol)
            except InputError as error:
                self._bad_names[number] = str(error)

    def _aside(self, data: bytes, rows: RowArrays, row: int, first_line: int, detail: str | None) -> SetAside:
        reason = REASONS[rows.reason[row]]
        field = int(rows.bad_field[row])
        if field >= 0:
            reason = f"{self.record.csv_header[field]}: {reason}"
        text = data[rows.start[row] : rows.stop[row]].decode("utf-8", "replace")
        return SetAside(first_line + row, reason, text, detail or "")

    def _empty(self, aside: list[SetAside]) -> RowBatch:
        columns: dict[str, np.ndarray | Decimals] = {}
        for column in self._fields:
            empty = np.empty(0, column.kind.dtype)
            columns[column.name] = (
                Decimals(np.empty(0, np.int64), np.empty(0, np.int8))
                if column.kind is Kind.DECIMAL
                else empty
            )
        return RowBatch(np.empty(0, np.int64), np.empty(0, np.int32), columns, [], aside)

    def _field(self, column: Column) -> int:
        return self.record.csv_header.index(column.csv or "")


def _allowed(record: RecordType) -> str:
    """Return what a file of a type begins with, for people."""
    extras = [column.csv or "" for column in record.optional]
    after = f", or with {' and '.join(extras)} after it" if extras else ""
    return f"{','.join(record.csv_header)!r}, or that without local_timestamp{after}"


def _own(values: np.ndarray, good: "slice | np.ndarray") -> np.ndarray:
    """Return a copy of some values: the arrays of a batch are used for the next one, too."""
    return values[good].copy() if isinstance(good, slice) else values[good]


def _row_arrays(layout: Layout, count: int) -> RowArrays:
    """Return room for `count` lines."""
    slots = {kind: int((layout.kind == kind).sum()) for kind in FIELD_KINDS.values()}

    def table(kind: int, dtype: type) -> np.ndarray:
        return np.empty((slots[kind], count), dtype)

    def row(dtype: type) -> np.ndarray:
        return np.empty(count, dtype)

    return RowArrays(
        row(np.uint8), row(np.int8), row(np.int64), row(np.int64), row(np.int32), row(np.bool_),
        table(k.F_TIME, np.int64), table(k.F_DECIMAL, np.int64), table(k.F_DECIMAL, np.int8),
        table(k.F_ENUM, np.uint8), table(k.F_TEXT, np.int64), table(k.F_TEXT, np.int64),
    )  # fmt: skip


def _layout(record: RecordType, fields: list[Column]) -> Layout:
    """Return the kernel's view of the columns; the first two fields are exchange and symbol."""
    enums = [column for column in fields if column.kind is Kind.ENUM]
    most = max((len(column.choices) for column in enums), default=1)
    longest = max((len(word) for column in enums for word in column.choices), default=1)
    choices = np.zeros((max(1, len(enums)), most, longest), np.uint8)
    lengths = np.full((max(1, len(enums)), most), -1, np.int64)
    spelled, masks = np.ones_like(lengths, np.uint64), np.zeros_like(lengths, np.uint64)
    for place, column in enumerate(enums):
        for index, word in enumerate(column.choices):
            choices[place, index, : len(word)] = np.frombuffer(word.encode(), np.uint8)
            lengths[place, index] = len(word)
            if len(word) < 8:
                spelled[place, index] = int.from_bytes(word.encode() + b",", "little")
                masks[place, index] = (1 << 8 * (len(word) + 1)) - 1
    kinds, slots, counts = [k.F_KEY, k.F_KEY], [0, 1], dict.fromkeys(FIELD_KINDS.values(), 0)
    for column in fields:
        kind = FIELD_KINDS[column.kind]
        kinds.append(kind)
        slots.append(counts[kind])
        counts[kind] += 1
    nullable = [False, False] + [column.nullable for column in fields]
    allow = [0, 0] + [ALLOWED.index(column.allow) for column in fields]
    return Layout(
        np.array(kinds, np.int8), np.array(slots, np.int8), np.array(nullable), np.array(allow, np.int8),
        choices, lengths, spelled, masks,
    )  # fmt: skip
