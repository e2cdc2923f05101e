"""tardis-machine's normalised messages to lines of Tardis' CSV text: one message in, its rows out.

Format: https://docs.tardis.dev/tardis-machine/tardis-machine-output-data-types (ISO times, absent fields).
Nothing is computed: a number is the text of the float64 that the message says, a time is cut to whole
microseconds as in Tardis' files, an absent field is an empty cell.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tickreel.units import day_start

TYPES = {
    "trades": "trade",
    "incremental_book_L2": "book_change",
    "book_snapshot_25": "book_snapshot_25_0ms",
    "book_snapshot_5": "book_snapshot_5_0ms",
    "quotes": "quote",
    "book_ticker": "book_ticker",
    "derivative_ticker": "derivative_ticker",
    "liquidations": "liquidation",
    "options_chain": "option_summary",
}
"""Record type -> the data type that is asked for."""

PROVIDER_LOST = "the provider lost its own connection"
"""Why there is a gap after a Disconnect."""
_MOST_SHOWN = 1_000
DEPTHS = {1: "quotes", 5: "book_snapshot_5", 25: "book_snapshot_25"}
Number = int | float | str | UnsetType | None
Text = int | str | UnsetType | None


class Rows(NamedTuple):
    """The rows of one message, all of one record type.

    exchange_us, local_us  the two clocks, whole microseconds UTC
    text      lines of CSV, each with its line end; none if the message changes nothing
    identity  what two deliveries of one event share: its type and id, or else type and all cells but the local time
    """

    type: str
    exchange: str
    symbol: str
    exchange_us: int
    local_us: int
    text: str
    identity: str


class Disconnect(NamedTuple):
    """The machine lost its own connection to the exchange after `local_us`."""

    exchange: str
    local_us: int


class Trouble(NamedTuple):
    """The machine says that its own connection failed."""

    exchange: str
    details: str


class Unknown(NamedTuple):
    """A message of a type that has no record type here."""

    type: str


class Unreadable(NamedTuple):
    """Bytes that are no message, or a message that lacks what its type must have.

    type  the record type, "" if that cannot be told
    """

    type: str
    reason: str


Read = Rows | Disconnect | Trouble | Unknown | Unreadable


class _Event(Struct):
    exchange: str
    symbol: str
    timestamp: str | UnsetType | None = UNSET
    localTimestamp: str | UnsetType | None = UNSET


class _Print(_Event, kw_only=True):
    id: Text = UNSET
    price: int | float | str
    amount: int | float | str
    side: str


class _Trade(_Print, tag_field="type", tag="trade"):
    pass


class _Liquidation(_Print, tag_field="type", tag="liquidation"):
    pass


class _Level(Struct):
    price: Number = UNSET
    amount: Number = UNSET


class _BookChange(_Event, tag_field="type", tag="book_change", kw_only=True):
    isSnapshot: bool
    bids: list[_Level]
    asks: list[_Level]


class _BookSnapshot(_Event, tag_field="type", tag="book_snapshot", kw_only=True):
    depth: int
    bids: list[_Level]
    asks: list[_Level]
    interval: int = 0
    grouping: Number = UNSET


class _Quote(_Event, tag_field="type", tag="quote"):
    askAmount: Number = UNSET
    askPrice: Number = UNSET
    bidPrice: Number = UNSET
    bidAmount: Number = UNSET


class _BookTicker(_Quote, tag_field="type", tag="book_ticker"):
    pass


class _Ticker(_Event, tag_field="type", tag="derivative_ticker"):
    fundingTimestamp: str | UnsetType | None = UNSET
    fundingRate: Number = UNSET
    predictedFundingRate: Number = UNSET
    openInterest: Number = UNSET
    lastPrice: Number = UNSET
    indexPrice: Number = UNSET
    markPrice: Number = UNSET


class _Option(_Event, tag_field="type", tag="option_summary", kw_only=True):
    optionType: str
    strikePrice: Number = UNSET
    expirationDate: str | UnsetType | None = UNSET
    openInterest: Number = UNSET
    lastPrice: Number = UNSET
    bestBidPrice: Number = UNSET
    bestBidAmount: Number = UNSET
    bestBidIV: Number = UNSET
    bestAskPrice: Number = UNSET
    bestAskAmount: Number = UNSET
    bestAskIV: Number = UNSET
    markPrice: Number = UNSET
    markIV: Number = UNSET
    underlyingIndex: Text = UNSET
    underlyingPrice: Number = UNSET
    delta: Number = UNSET
    gamma: Number = UNSET
    vega: Number = UNSET
    theta: Number = UNSET
    rho: Number = UNSET


class _Disconnect(Struct, tag_field="type", tag="disconnect"):
    exchange: str
    localTimestamp: str | UnsetType | None = UNSET


class _Error(Struct, tag_field="type", tag="error"):
    exchange: str
    details: str | UnsetType | None = UNSET


class _AnyType(Struct):
    type: str


_MESSAGE = (
    _Trade | _Liquidation | _BookChange | _BookSnapshot | _Quote | _BookTicker
    | _Ticker | _Option | _Disconnect | _Error
)  # fmt: skip
_decode = msgspec.json.Decoder(_MESSAGE).decode
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What bytes that are no message raise: no JSON, or not of that form; no UTF-8; nested too deep."""
_decode_type = msgspec.json.Decoder(_AnyType).decode


def read_message(data: bytes, received_us: int | None = None) -> Read:
    """Return what one message says; nothing that it can be raises.

    received_us  when it arrived here: its local time if it names none, as a relay's may
    """
    try:
        message = _decode(data)
        if isinstance(message, _Disconnect):
            return Disconnect(message.exchange, _local(message.localTimestamp, received_us))
        if isinstance(message, _Error):
            return Trouble(message.exchange, message.details or "")
        type, cells = _CELLS[message.__class__](message)
        return _rows(message, type, cells, received_us)
    except _NO_JSON as error:
        return _not_decoded(data, str(error))
    except _OtherType as error:
        return Unknown(str(error))
    except ValueError as error:
        return Unreadable(_record_type(data), str(error))


class _OtherType(Exception):
    """A message that decodes, of a variety that has no record type."""


def _rows(message: Any, type: str, cells: list[str], received_us: int | None) -> Rows:
    exchange, symbol = _name(message.exchange), _name(message.symbol)
    local_us = _local(message.localTimestamp, received_us)
    exchange_us = time_us(message.timestamp) if message.timestamp else local_us
    head = f"{exchange},{symbol},{exchange_us},"
    whole = "\n".join(cells)
    # A text with a comma or a line end in it would be two cells, or rows.
    if (
        whole.count(",") != _COMMAS[type] * len(cells)
        or whole.count("\n") >= max(1, len(cells))
        or "\r" in whole
    ):
        raise ValueError("a text with a comma or a line end")
    text = "".join([f"{head}{local_us},{cell}\n" for cell in cells])
    id = getattr(message, "id", None)
    named = id is not None and id is not UNSET and id != ""
    identity = f"{type},{symbol.upper()},{id}" if named else f"{type},{head}{whole}"
    return Rows(type, exchange, symbol, exchange_us, local_us, text, identity)


def aside_line(reason: str, raw: bytes) -> str:
    """Return a message that cannot be kept as a line that the parser sets aside: one field, so never a row."""
    shown = raw[:_MOST_SHOWN].decode("utf-8", "replace")
    text = f"{reason}: {shown}".replace(",", ";")
    return "".join(letter if letter.isprintable() else " " for letter in text) + "\n"


def _not_decoded(data: bytes, reason: str) -> Read:
    try:
        type = _decode_type(data).type
    except _NO_JSON:
        return Unreadable("", reason)
    return Unreadable(_RECORDS.get(type, ""), reason) if type in _RECORDS else Unknown(type[:64])


def _record_type(data: bytes) -> str:
    return _RECORDS.get(_decode_type(data).type, "")


def _cell(value: Number) -> str:
    """Return a number as text: that of a float is the shortest that reads back as it."""
    return "" if value is None or value is UNSET else value if isinstance(value, str) else repr(value)


def _text(value: Text) -> str:
    return "" if value is None or value is UNSET else str(value)


def _print_cells(message: Any) -> list[str]:
    id = message.id
    named = "" if id is None or id is UNSET else id
    return [f"{named},{message.side},{_cell(message.price)},{_cell(message.amount)}"]


def _change_cells(message: _BookChange) -> tuple[str, list[str]]:
    flag = "true" if message.isSnapshot else "false"
    cells = [f"{flag},ask,{_cell(level.price)},{_cell(level.amount)}" for level in message.asks]
    cells += [f"{flag},bid,{_cell(level.price)},{_cell(level.amount)}" for level in message.bids]
    return "incremental_book_L2", cells


def _snapshot_cells(message: _BookSnapshot) -> tuple[str, list[str]]:
    type = DEPTHS.get(message.depth)
    if type is None or message.interval or message.grouping not in (UNSET, None):
        grouped = "" if message.grouping in (UNSET, None) else "_grouped"
        raise _OtherType(f"book_snapshot_{message.depth}{grouped}_{message.interval}ms")
    asks, bids = message.asks, message.bids
    if max(len(asks), len(bids)) > message.depth:
        raise ValueError(f"more than {message.depth} levels")
    if type == "quotes":
        ask, bid = asks[0] if asks else _Level(), bids[0] if bids else _Level()
        return type, [",".join(map(_cell, (ask.amount, ask.price, bid.price, bid.amount)))]
    cells = []
    for place in range(message.depth):
        for side in (asks, bids):
            level = side[place] if place < len(side) else _Level()
            cells += [_cell(level.price), _cell(level.amount)]
    return type, [",".join(cells)]


def _top_cells(message: _Quote) -> list[str]:
    numbers = (message.askAmount, message.askPrice, message.bidPrice, message.bidAmount)
    return [",".join(map(_cell, numbers))]


def _ticker_cells(message: _Ticker) -> tuple[str, list[str]]:
    numbers = (
        message.fundingRate, message.predictedFundingRate, message.openInterest,
        message.lastPrice, message.indexPrice, message.markPrice,
    )  # fmt: skip
    return "derivative_ticker", [",".join([_when(message.fundingTimestamp), *map(_cell, numbers)])]


def _option_cells(message: _Option) -> tuple[str, list[str]]:
    m = message
    numbers = (
        m.openInterest, m.lastPrice, m.bestBidPrice, m.bestBidAmount, m.bestBidIV, m.bestAskPrice,
        m.bestAskAmount, m.bestAskIV, m.markPrice, m.markIV,
    )  # fmt: skip
    greeks = (m.underlyingPrice, m.delta, m.gamma, m.vega, m.theta, m.rho)
    cells = [m.optionType, _cell(m.strikePrice), _when(m.expirationDate), *map(_cell, numbers)]
    return "options_chain", [",".join([*cells, _text(m.underlyingIndex), *map(_cell, greeks)])]


_CELLS: dict[type, Callable[[Any], tuple[str, list[str]]]] = {
    _Trade: lambda message: ("trades", _print_cells(message)),
    _Liquidation: lambda message: ("liquidations", _print_cells(message)),
    _BookChange: _change_cells,
    _BookSnapshot: _snapshot_cells,
    _Quote: lambda message: ("quotes", _top_cells(message)),
    _BookTicker: lambda message: ("book_ticker", _top_cells(message)),
    _Ticker: _ticker_cells,
    _Option: _option_cells,
}
_COMMAS = {
    "trades": 3, "liquidations": 3, "incremental_book_L2": 3, "quotes": 3, "book_ticker": 3,
    "derivative_ticker": 6, "options_chain": 19, "book_snapshot_5": 19, "book_snapshot_25": 99,
}  # fmt: skip
_RECORDS = {
    "trade": "trades", "liquidation": "liquidations", "book_change": "incremental_book_L2", "quote": "quotes",
    "book_snapshot": "", "book_ticker": "book_ticker", "derivative_ticker": "derivative_ticker",
    "option_summary": "options_chain", "disconnect": "", "error": "",
}  # fmt: skip
"""Type of a message -> its record type; "" where the type alone does not tell."""


def _name(text: str) -> str:
    if not text or not text.isprintable() or "," in text:
        raise ValueError(f"exchange or symbol {text[:64]!r} cannot be used")
    return text


def _local(text: str | UnsetType | None, received_us: int | None) -> int:
    if text:
        return time_us(text)
    if received_us is None:
        raise ValueError("no localTimestamp")
    return received_us


def _when(text: str | UnsetType | None) -> str:
    return str(time_us(text)) if text else ""


_MOST_MINUTES = 4096
_minutes: dict[str, int] = {}
"""Microseconds of minutes that were met, "2024-01-31T09:30:" -> us: a stream has few different ones."""


def time_us(text: str) -> int:
    """Return whole microseconds UTC of "2024-01-31T09:30:00[.fraction]Z"; ValueError for any other form."""
    minute_us = _minutes.get(text[:17])
    if minute_us is None:
        minute_us = _minute_us(text[:17])
    digits, length = text[17:19] + text[20:-1], len(text)
    if (
        not (digits.isascii() and digits.isdigit())
        or digits[:2] > "60"
        or text[-1] != "Z"
        or (length != 20 if text[19] == "Z" else text[19] != "." or length < 22)
    ):
        raise ValueError(f"{text[:40]!r} is not a time like 2024-01-31T09:30:00.000Z")
    # Seconds and six digits of their fraction are the microseconds of the minute.
    return minute_us + int(digits[:8].ljust(8, "0"))


def _minute_us(head: str) -> int:
    day, hour, minute = head[:10], head[11:13], head[14:16]
    shape = head[10:11] + head[13:14] + head[16:17]
    if shape != "T::" or not (hour + minute).isdigit() or hour > "23" or minute > "59":
        raise ValueError(f"{head!r}... is not a time like 2024-01-31T09:30:00.000Z")
    minute_us = day_start(day) // 1_000 + (int(hour) * 60 + int(minute)) * 60_000_000
    if len(_minutes) >= _MOST_MINUTES:
        _minutes.clear()
    _minutes[head] = minute_us
    return minute_us
