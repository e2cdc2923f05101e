"""A relay's history, as its profile describes it: requests, and answers to Tardis CSV text; pure.

Numbers become the shortest text that reads back as the number that JSON gave; times become microseconds; words of
sides become Tardis'. Nothing is guessed: a cell that cannot be read goes on as it is, and is set aside or counted by
the one parser of CSV text, with its reason.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from tickreel.config.profile import History, Profile, RequestTime, RowTime
from tickreel.errors import NetworkError, UsageError
from tickreel.schema import RECORD_TYPES
from tickreel.sources.csv_text import float_text
from tickreel.units import NS_PER_MS, NS_PER_S, NS_PER_US, format_time, parse_time

_UNIT_NS = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1, "iso": NS_PER_MS}
_DIGITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}
"""Digits of a time from 2001 to 2286 in each unit."""
_WORDS = ("side", "is_snapshot", "type")
"""Columns whose words a profile may translate."""
_LINE_ENDS = str.maketrans({"\n": "\x01", "\r": "\x01"})
"""A line end within a text must not begin a row: as a control character it sets its own row aside."""


class Row(NamedTuple):
    """One row: its exchange time in us, None if it cannot be read, and its cells as CSV."""

    time_us: int | None
    line: bytes


class Page(NamedTuple):
    """What one answer holds, in the order of the answer; next: the cursor of the following one, if any."""

    rows: list[Row]
    next: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for rows of [from_ns, to_ns)."""

    from_ns: int
    to_ns: int
    cursor: str = ""


class Relay:
    """Requests and answers of one record type, exchange and symbol of a relay.

    recorded  rows are to lie beside recorded ones: under Tardis' own header, whatever columns the relay has
    """

    def __init__(
        self, profile: Profile, *, type: str, exchange: str, symbol: str, recorded: bool = False
    ) -> None:
        self.history = profile.history(type)
        self.name = profile.name
        self._record = RECORD_TYPES[type]
        self._exchange, self._symbol = exchange, symbol
        self._asked = profile.exchange(exchange).name
        self._exchanges = {
            said: name
            for name, known in profile.exchanges.items()
            for said in (known.name, str(known.number) if known.number else known.name)
        }
        self._columns = list(self._record.csv_header[2:]) if recorded else columns(type, self.history)
        self._fields = {**self.history.columns, **self.history.optional}

    @property
    def header(self) -> bytes:
        """The header line: Tardis' own, without local_timestamp if rows have none, then the optional columns."""
        return ",".join(("exchange", "symbol", *self._columns)).encode() + b"\n"

    def request(self, ask: Ask) -> tuple[str, str, dict[str, Any]]:
        """Return (method, path, fields) of a request: fields are the body's JSON, or the query of a GET.

        The end is rounded up to the relay's unit, and rows after it are left out: none is lost whether it counts or not.
        """
        history, names = self.history, self.history.request
        values = {
            names.symbol: self._symbol,
            names.exchange: self._asked,
            names.start: _request_time(ask.from_ns, history.request_time, up=False),
            names.end: _request_time(ask.to_ns - history.end_is_inclusive, history.request_time, up=True),
            names.limit: history.page_rows or None,
            names.cursor: ask.cursor or None,
        }
        fields = {name: value for name, value in values.items() if name and value is not None}
        wrap = history.wrapper and history.method == "POST"
        return history.method, history.path, {history.wrapper: fields} if wrap else fields

    def next_request_time(self, ns: int) -> int:
        """Return the first time after `ns` that a request can name."""
        unit_ns = _UNIT_NS[self.history.request_time]
        return (ns // unit_ns + 1) * unit_ns

    def page(self, document: Any) -> Page:
        """Return the rows of an answer. NetworkError where it has no list at the path that the profile says."""
        rows = at_path(document, self.history.rows)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            what = f"at {self.history.rows!r}" if self.history.rows else "itself"
            raise NetworkError(
                f"{self.name}: its answer has no list of rows {what}; see rows of [{self.name}.types.{self._record.name}]"
            )
        following = at_path(document, self.history.next) if self.history.next else None
        return Page([self._row(row) for row in rows], _text(following))

    def _row(self, row: Mapping[str, Any]) -> Row:
        time_us, cells = None, [self._named(row), _clean(self._symbol_of(row))]
        for column in self._columns:
            value = row.get(self._fields[column]) if self._fields.get(column) else None
            if column.endswith("timestamp") or column == "expiration":
                us = _microseconds(value, self.history.row_time)
                time_us = us if column == "timestamp" else time_us
                # What is no time must not pass for one of microseconds.
                cells.append(
                    str(us) if us is not None else _clean(f"?{text}") if (text := _text(value)) else ""
                )
            else:
                text = _text(value)
                cells.append(_clean(self.history.words.get(text, text) if column in _WORDS else text))
        return Row(time_us, ",".join(cells).encode() + b"\n")

    def _named(self, row: Mapping[str, Any]) -> str:
        """Return the exchange of a row: that of the request, unless the row says another."""
        said = _text(row.get(self.history.columns.get("exchange") or "exchange"))
        return self._exchange if said in ("", self._asked) else _clean(self._exchanges.get(said, said))

    def _symbol_of(self, row: Mapping[str, Any]) -> str:
        said = self.history.columns.get("symbol")
        return (_text(row.get(said)) if said else "") or self._symbol


def columns(type: str, history: History) -> list[str]:
    """Return the CSV columns after exchange and symbol that a relay's rows of a type have."""
    own = RECORD_TYPES[type].csv_header[2:]
    return [c for c in own if c != "local_timestamp" or history.columns.get(c)] + list(history.optional)


def query_of(fields: Mapping[str, Any]) -> str:
    """Return the fields of a GET as a query."""
    return urlencode({name: _text(value) for name, value in fields.items()})


def at_path(document: Any, path: str) -> Any:
    """Return what lies at a dotted path of JSON, None if nothing does; "" is the document."""
    for name in path.split(".") if path else ():
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _request_time(ns: int, unit: RequestTime, *, up: bool) -> int | str:
    if unit == "iso":
        return format_time(-(-ns // NS_PER_MS) * NS_PER_MS if up else ns // NS_PER_MS * NS_PER_MS)
    return -(-ns // _UNIT_NS[unit]) if up else ns // _UNIT_NS[unit]


def _microseconds(value: Any, unit: RowTime) -> int | None:
    """Return a time in us, cut to whole ones; None if the value is no time in that unit."""
    if unit == "iso":
        try:
            return parse_time(value) // NS_PER_US if isinstance(value, str) else None
        except UsageError:
            return None
    number = _number(value)
    if number is None or number < 0:
        return None
    known = _DIGITS.get(len(str(int(number)))) if unit == "magnitude" else unit
    return int(number * _UNIT_NS[known] // NS_PER_US) if known else None


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        return None
    # Beyond any time; and no number of so many digits is worked with.
    return number if number.is_finite() and abs(number) < 10**20 else None


def _text(value: Any) -> str:
    """Return a JSON value as a cell: of a float the shortest text that reads back equal."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float_text(value)
    return msgspec.json.encode(value).decode() if not isinstance(value, float) else str(value)


def _clean(text: str) -> str:
    return text.translate(_LINE_ENDS)
