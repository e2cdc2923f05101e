"""The slow twin of the CSV parser and of what an import counts: plain Python, line by line.

Where a line is wrong in several ways, `reasons` holds all of them; the parser names one.
"""

import math
import re
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tickreel.schema import Allow, Column, Kind, RecordType

NS_PER_DAY = 86_400_000_000_000
_NUMBER = re.compile(rb"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_YEAR_2000_S, _YEAR_2100_S = 946_684_800, 4_102_444_800
_UNITS = {"": 10**6, "seconds": 1, "milliseconds": 10**3, "nanoseconds": 10**9}
_WINDOW = 65_536

Usable = Callable[[str, str], bool]


@dataclass
class Row:
    """A good line: `line` counts the header as 1; values by column name, None for an empty cell."""

    line: int
    exchange: str
    symbol: str
    values: dict[str, Any]

    @property
    def time(self) -> int:
        """What rows are ordered by: the time of arrival, or that of the exchange in files without it."""
        return self.values.get("local_ns", self.values["exchange_ns"])


@dataclass
class Aside:
    """A line that cannot be right, and every reason that applies to it."""

    line: int
    reasons: set[str]
    text: str


@dataclass
class Reading:
    """What a file says. lines = rows + aside; odd is (kind, line, cell)."""

    lines: int = 0
    rows: list[Row] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    odd: list[tuple[str, int, str]] = field(default_factory=list)


def read_csv(record: RecordType, data: bytes, *, usable: Usable = lambda exchange, symbol: True) -> Reading:
    """Read a file. ValueError: header."""
    reading = Reading()
    lines = data.split(b"\n")
    unended = lines.pop()
    if unended and not lines:
        lines.append(unended)
        unended = b""
    if lines and _without_cr(lines[0]) != ",".join(record.csv_header).encode():
        raise ValueError("the header is not the type's")
    for number, line in enumerate(lines[1:], start=2):
        _read_line(record, number, _without_cr(line), usable, reading)
    if unended:
        reason = "last line without a line end: the file may be cut; add one if the row is whole"
        number = reading.lines + 2
        reading.aside.append(Aside(number, {reason}, unended.decode("utf-8", "replace")))
        reading.lines += 1
    return reading


def _without_cr(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\r") else line


def _read_line(record: RecordType, number: int, line: bytes, usable: Usable, reading: Reading) -> None:
    reading.lines += 1
    cells = line.split(b",")
    reasons: set[str] = set()
    odd: list[tuple[str, int, str]] = []
    values: dict[str, Any] = {}
    if not line:
        reasons.add("empty line")
    elif len(cells) != len(record.csv_header):
        reasons.add("wrong number of fields")
    else:
        for name, cell in zip(record.csv_header[2:], cells[2:], strict=True):
            (column,) = (column for column in record.columns if column.csv == name)
            found, values[column.name] = _CELLS[column.kind](column, cell)
            reasons |= {f"{name}: {reason}" for reason in found}
            if found is _UNRECOGNISED:
                reasons.discard(f"{name}: unrecognised")
                odd.append((f"{column.name}_unrecognised", number, cell.decode("utf-8", "replace")))
        exchange, symbol = (cell.decode("utf-8", "surrogateescape") for cell in cells[:2])
        if len(cells[0]) + len(cells[1]) > 511 or not usable(exchange, symbol):
            reasons.add("exchange or symbol cannot be used")
    if reasons:
        reading.aside.append(Aside(number, reasons, line.decode("utf-8", "replace")))
    else:
        reading.rows.append(Row(number, exchange, symbol, values))
        reading.odd += odd


_UNRECOGNISED = {"unrecognised"}


def _time(column: Column, cell: bytes) -> tuple[set[str], Any]:
    if not cell and column.nullable:
        return set(), None
    if not re.fullmatch(rb"[0-9]+", cell):
        return {"time is not a whole number of microseconds"}, None
    value = int(cell.lstrip(b"0")[:30] or b"0")
    for unit, a_second in _UNITS.items():
        if _YEAR_2000_S * a_second <= value < _YEAR_2100_S * a_second:
            return (
                ({f"time is in {unit} where microseconds belong"}, None) if unit else (set(), value * 1_000)
            )
    return {"time is not between the years 2000 and 2100"}, None


def _decimal(column: Column, cell: bytes) -> tuple[set[str], Any]:
    if not cell:
        return (set() if column.nullable else {"empty where the type wants a value"}), None
    if not _NUMBER.fullmatch(cell):
        return {"not a finite number"}, None
    value = float(cell)
    reasons = set()
    if abs(value) >= 1e21:
        reasons.add("1e21 or more")
    if value == 0 and column.allow is Allow.POSITIVE:
        reasons.add("0 where the type forbids it")
    if value < 0 and column.allow is not Allow.ANY:
        reasons.add("negative where the type forbids it")
    return reasons, value


def _enum(column: Column, cell: bytes) -> tuple[set[str], Any]:
    for index, word in enumerate(column.choices):
        if cell == word.encode():
            return set(), index
    if column.choices[0] == "unknown":
        return _UNRECOGNISED, 0
    return {"not one of the words that the type allows"}, None


def _text(column: Column, cell: bytes) -> tuple[set[str], Any]:
    reasons = set()
    if len(cell) > 128:
        reasons.add("text longer than 128 bytes")
    if any(letter < 32 or letter == 127 for letter in cell):
        reasons.add("text with control characters")
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError:
        reasons.add("text that is not UTF-8")
    return reasons, cell


_CELLS = {Kind.TIME: _time, Kind.DECIMAL: _decimal, Kind.ENUM: _enum, Kind.TEXT: _text}


def bits(value: float | None) -> int:
    """Return the 64 bits of a number; an empty cell reads back as the usual NaN."""
    return struct.unpack("<q", struct.pack("<d", math.nan if value is None else value))[0]


Segments = dict[tuple[str, str, str], list[Row]]


def segments(rows: Iterable[Row], group: str = "") -> Segments:
    """Return the rows of each (exchange, symbol or group, day) in storage order: symbols bytewise, then
    time, rows of one time as in the file."""
    ordered = sorted(rows, key=lambda row: (row.exchange.encode(), row.symbol.encode(), row.time))
    found: Segments = {}
    for row in ordered:
        found.setdefault((row.exchange, group or row.symbol, _day(row)), []).append(row)
    return found


def _day(row: Row) -> str:
    from datetime import date, timedelta

    return (date(1970, 1, 1) + timedelta(days=row.time // NS_PER_DAY)).isoformat()


def out_of_order(rows: Iterable[Row]) -> list[int]:
    """Return the lines that are before an earlier line of their own symbol."""
    latest: dict[tuple[str, str], int] = {}
    late = []
    for row in rows:
        name, time = (row.exchange, row.symbol), row.time
        if time < latest.get(name, time):
            late.append(row.line)
        latest[name] = max(time, latest.get(name, time))
    return late


def oddities(rows: Iterable[Row]) -> dict[str, list[int]]:
    """Return the lines with each kind of oddity in one segment's rows, in storage order."""
    found: dict[str, list[int]] = {}
    for _, of_symbol in groupby(rows, key=lambda row: (row.exchange, row.symbol)):
        for kind, line in _oddities(of_symbol):
            found.setdefault(kind, []).append(line)
    return found


def _oddities(rows: Iterable[Row]) -> Iterator[tuple[str, int]]:
    """Ids are looked for among the last 65,536, or among all while they only rise."""
    exchange_before: int | None = None
    id_before: int | None = None
    window: deque[bytes] = deque(maxlen=_WINDOW)
    for row in rows:
        values = row.values
        if exchange_before is not None and values["exchange_ns"] < exchange_before:
            yield "exchange_time_backwards", row.line
        if row.time < values["exchange_ns"]:
            yield "local_before_exchange", row.line
        exchange_before = values["exchange_ns"]
        if values["side"] == 0:
            yield "side_unknown", row.line
        text = values["id"]
        if not text:
            yield "id_missing", row.line
            continue
        number = int(text) if re.fullmatch(rb"0|[1-9][0-9]{0,17}", text) else None
        if number is not None and id_before is not None and number < id_before:
            yield "id_backwards", row.line
        if text in window:
            yield "id_twice", row.line
        window.append(text)
        id_before = number
