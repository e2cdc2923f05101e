"""Every record type, declared once: file layout, import, docs and listings derive from here.

Times are int64 ns UTC. Market records carry Tardis' dataset names and columns; run records are
what a backtest writes. `exchange` and `symbol` are not columns: a segment's key holds them.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import combinations

import numpy as np

NULL_TIME = np.iinfo(np.int64).min
"""What an empty time cell reads back as; an empty number reads back as NaN, an empty text as b""."""


class Kind(StrEnum):
    """What a column's values are, and the dtype of the arrays that a scan yields."""

    TIME = "time"  # int64, ns UTC
    DECIMAL = "decimal"  # float64 nearest to the decimal text; stored as integer x 10^-k
    FLOAT = "float"  # float64 computed by a run
    INT = "int"  # int64
    ENUM = "enum"  # uint8, an index into `choices`
    TEXT = "text"  # bytes "S<n>"

    @property
    def dtype(self) -> np.dtype:
        """The dtype in memory; TEXT widens to the longest value of a block."""
        return _DTYPES[self]


_DTYPES = {
    kind: np.dtype(text) for kind, text in zip(Kind, ("<i8", "<f8", "<f8", "<i8", "u1", "S1"), strict=True)
}


class Allow(StrEnum):
    """Which numbers a DECIMAL cell may hold; a row with any other is set aside."""

    ANY = "any finite number"
    NOT_NEGATIVE = "a finite number of 0 or more"
    POSITIVE = "a finite number above 0"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name here, its kind, unit and name in Tardis' CSV files (None: not there)."""

    name: str
    kind: Kind
    unit: str
    doc: str
    csv: str | None = None
    choices: tuple[str, ...] = ()
    nullable: bool = False
    allow: Allow = Allow.NOT_NEGATIVE


@dataclass(frozen=True)
class RecordType:
    """A kind of event with its columns in storage order; `order` is the tie-break of D1 across types.

    optional  columns that a source may have after these: decimals that may be empty
    What a file or a segment has in fact is one of the type's `shapes`, a RecordType itself.
    """

    name: str
    order: int
    columns: tuple[Column, ...]
    csv_header: tuple[str, ...] = ()
    doc: str = ""
    optional: tuple[Column, ...] = ()

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError if there is none."""
        return self.columns[self.places[name]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(column.kind for column in self.columns)

    @cached_property
    def places(self) -> dict[str, int]:
        """Name -> place of each column."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def time(self) -> str:
        """The column that rows are ordered by, and that days and ranges follow."""
        return _TIME_COLUMNS.get(self.name) or clock_of(self.places)

    @property
    def is_market(self) -> bool:
        return bool(self.csv_header)

    @property
    def extras(self) -> tuple[str, ...]:
        """Names of the optional columns that this shape has."""
        return tuple(column.name for column in self.optional if column.name in self.places)

    @cached_property
    def shapes(self) -> tuple["RecordType", ...]:
        """What columns files and segments of a type of RECORD_TYPES may have: its own first.

        Rows of the market may lack `local_ns`, all of them, and have some of the optional columns.
        """
        if not self.is_market:
            return (self,)
        some = [
            extras for count in range(len(self.optional) + 1) for extras in combinations(self.optional, count)
        ]
        found = [self._with(extras, local=local) for local in (True, False) for extras in some]
        return (self, *found[1:])

    @cached_property
    def widest(self) -> "RecordType":
        """The shape of all columns that can be asked for."""
        return self.shape([column.name for column in self.optional])

    def shape(self, extras: Collection[str] = (), *, local: bool = True) -> "RecordType":
        """Return the shape, of a type of RECORD_TYPES, with these optional columns and with `local_ns` or without."""
        return next(one for one in self.shapes if set(one.extras) == set(extras) and one.has_local == local)

    @property
    def has_local(self) -> bool:
        """Whether rows carry the time of their arrival; without it days and order follow `exchange_ns`."""
        return not self.is_market or "local_ns" in self.places

    def _with(self, extras: tuple[Column, ...], *, local: bool) -> "RecordType":
        columns = tuple(column for column in self.columns if local or column.name != "local_ns")
        header = tuple(name for name in self.csv_header if local or name != "local_timestamp")
        return replace(
            self,
            columns=columns + extras,
            csv_header=header + tuple(column.csv for column in extras if column.csv),
        )


def clock_of(columns: Collection[str]) -> str:
    """Return the column that rows of the market are ordered by: the local clock where they have one."""
    return "local_ns" if "local_ns" in columns else "exchange_ns"


_TIME_COLUMNS = {"orders": "closed_ns", "fills": "venue_ns", "postings": "venue_ns", "equity": "time_ns"}

SIDES = ("unknown", "buy", "sell")
BOOK_SIDES = ("bid", "ask")
FLAGS = ("false", "true")

_CLOCKS = (
    Column(
        "exchange_ns", Kind.TIME, "ns UTC", "the venue's clock; equals local_ns if it gives none", "timestamp"
    ),
    Column(
        "local_ns",
        Kind.TIME,
        "ns UTC",
        "arrival at the recorder: sort key, if there is one",
        "local_timestamp",
    ),
)
_KEYS = ("exchange", "symbol")


def _decimal(name: str, unit: str, doc: str, allow: Allow, csv: str | None = None) -> Column:
    nullable = allow is not Allow.POSITIVE
    return Column(name, Kind.DECIMAL, unit, doc, csv or name, nullable=nullable, allow=allow)


def _market(name: str, order: int, columns: tuple[Column, ...], doc: str, *optional: Column) -> RecordType:
    header = _KEYS + tuple(column.csv for column in (*_CLOCKS, *columns) if column.csv)
    return RecordType(name, order, _CLOCKS + columns, header, doc, optional)


_PRINT = (
    Column("id", Kind.TEXT, "text", "the venue's trade id, empty if it gives none", "id", nullable=True),
    Column("side", Kind.ENUM, "aggressor", "the side that took liquidity", "side", SIDES),
    _decimal("price", "quote currency", "price of one unit", Allow.POSITIVE),
    _decimal("amount", "as the venue counts", "quantity traded", Allow.POSITIVE),
)
_TOP = (
    _decimal("ask_amount", "as the venue counts", "size at the best ask", Allow.NOT_NEGATIVE),
    _decimal("ask_price", "quote currency", "best ask", Allow.NOT_NEGATIVE),
    _decimal("bid_price", "quote currency", "best bid", Allow.NOT_NEGATIVE),
    _decimal("bid_amount", "as the venue counts", "size at the best bid", Allow.NOT_NEGATIVE),
)


def _levels(depth: int) -> tuple[Column, ...]:
    columns = []
    for level in range(depth):
        for side in ("asks", "bids"):
            for field, unit in (("price", "quote currency"), ("amount", "as the venue counts")):
                columns.append(
                    _decimal(
                        f"{side}_{level}_{field}",
                        unit,
                        f"level {level} of the {side}",
                        Allow.NOT_NEGATIVE,
                        f"{side}[{level}].{field}",
                    )
                )
    return tuple(columns)


_L2 = (
    Column("is_snapshot", Kind.ENUM, "flag", "row of a full snapshot", "is_snapshot", FLAGS),
    Column("side", Kind.ENUM, "book side", "which ladder", "side", BOOK_SIDES),
    _decimal("price", "quote currency", "price of the level", Allow.NOT_NEGATIVE),
    _decimal("amount", "as the venue counts", "new size of the level; 0 removes it", Allow.NOT_NEGATIVE),
)
_TICKER = (
    Column(
        "funding_ns",
        Kind.TIME,
        "ns UTC",
        "next funding event",
        "funding_timestamp",
        nullable=True,
    ),
    _decimal("funding_rate", "fraction", "rate that settles next", Allow.ANY),
    _decimal("predicted_funding_rate", "fraction", "rate after the next", Allow.ANY),
    _decimal("open_interest", "as the venue counts", "open contracts", Allow.NOT_NEGATIVE),
    _decimal("last_price", "quote currency", "last trade", Allow.NOT_NEGATIVE),
    _decimal("index_price", "quote currency", "index", Allow.NOT_NEGATIVE),
    _decimal("mark_price", "quote currency", "mark", Allow.NOT_NEGATIVE),
)
_OPTION = (
    Column("type", Kind.ENUM, "option side", "put or call", "type", ("put", "call")),
    _decimal("strike_price", "quote currency", "strike", Allow.NOT_NEGATIVE),
    Column("expiration_ns", Kind.TIME, "ns UTC", "expiry", "expiration", nullable=True),
    _decimal("open_interest", "as the venue counts", "open contracts", Allow.NOT_NEGATIVE),
    *(
        _decimal(name, unit, doc, Allow.NOT_NEGATIVE)
        for name, unit, doc in (
            ("last_price", "as the venue quotes", "last trade"),
            ("bid_price", "as the venue quotes", "best bid"),
            ("bid_amount", "as the venue counts", "size at the best bid"),
            ("bid_iv", "percent", "implied volatility of the bid"),
            ("ask_price", "as the venue quotes", "best ask"),
            ("ask_amount", "as the venue counts", "size at the best ask"),
            ("ask_iv", "percent", "implied volatility of the ask"),
            ("mark_price", "as the venue quotes", "mark"),
            ("mark_iv", "percent", "implied volatility of the mark"),
        )
    ),
    Column("underlying_index", Kind.TEXT, "text", "name of the index", "underlying_index", nullable=True),
    _decimal("underlying_price", "quote currency", "index or future", Allow.NOT_NEGATIVE),
    *(
        _decimal(name, "greek", f"{name} as the venue publishes it", Allow.ANY)
        for name in ("delta", "gamma", "vega", "theta", "rho")
    ),
)

_FEE = _decimal("fee", "as the provider says", "fee of the trade; below 0 a rebate", Allow.ANY)

_MARKET = (
    _market("trades", 0, _PRINT, "one row per trade", _FEE),
    _market("incremental_book_L2", 1, _L2, "one row per changed price level"),
    _market("book_snapshot_25", 2, _levels(25), "top 25 levels whenever one of them changed"),
    _market("book_snapshot_5", 3, _levels(5), "top 5 levels whenever one of them changed"),
    _market("quotes", 4, _TOP, "best bid and ask taken from the book"),
    _market("book_ticker", 5, _TOP, "best bid and ask as the venue's own channel sends them"),
    _market("derivative_ticker", 6, _TICKER, "funding, open interest, index and mark"),
    _market("liquidations", 7, _PRINT, "forced orders; buy means that a short was liquidated"),
    _market("options_chain", 8, _OPTION, "one row per update of an option"),
)

ORDER_KINDS = ("market", "limit")
ORDER_STATES = ("in flight", "resting", "filled", "cancelled", "rejected", "expired")
REASONS = (
    "",
    "not enough cash",
    "short not allowed",
    "quantity is not a positive number",
    "price is not a positive number",
    "too many open orders",
    "the run ended",
    "cancelled by the strategy",
    "short would exceed equity",
)
POSTINGS = ("trade", "fee")

_RUN = (
    RecordType(
        "orders",
        100,
        (
            Column("order_id", Kind.INT, "count", "1, 2, 3 ... within the account"),
            Column("sent_ns", Kind.TIME, "ns UTC", "when the strategy sent it"),
            Column("arrived_ns", Kind.TIME, "ns UTC", "when it reached the venue"),
            Column("closed_ns", Kind.TIME, "ns UTC", "when the venue filled, cancelled or refused it"),
            Column("answered_ns", Kind.TIME, "ns UTC", "when the strategy learnt of that"),
            Column("side", Kind.ENUM, "side", "buy or sell", choices=SIDES),
            Column("kind", Kind.ENUM, "kind", "market or limit", choices=ORDER_KINDS),
            Column("state", Kind.ENUM, "state", "how it ended", choices=ORDER_STATES),
            Column("reason", Kind.ENUM, "reason", "why it was refused or cancelled", choices=REASONS),
            Column("quantity", Kind.FLOAT, "as the venue counts", "wanted"),
            Column("limit_price", Kind.FLOAT, "quote currency", "NaN for a market order"),
            Column("filled", Kind.FLOAT, "as the venue counts", "done"),
        ),
        doc="one row per order, in the order of their closing",
    ),
    RecordType(
        "fills",
        101,
        (
            Column("order_id", Kind.INT, "count", "the order it belongs to"),
            Column("venue_ns", Kind.TIME, "ns UTC", "time of the row that filled it"),
            Column("side", Kind.ENUM, "side", "buy or sell", choices=SIDES),
            Column("maker", Kind.ENUM, "flag", "true if it rested", choices=FLAGS),
            Column("price", Kind.FLOAT, "quote currency", "price paid"),
            Column("quantity", Kind.FLOAT, "as the venue counts", "quantity of this fill"),
            Column("fee_nanos", Kind.INT, "1e-9 of the settlement currency", "fee, positive is paid"),
            Column("cash_nanos", Kind.INT, "1e-9 of the settlement currency", "cash after this fill"),
            Column("position", Kind.FLOAT, "as the venue counts", "position after this fill"),
        ),
        doc="one row per fill",
    ),
    RecordType(
        "postings",
        102,
        (
            Column("order_id", Kind.INT, "count", "the order it belongs to"),
            Column("venue_ns", Kind.TIME, "ns UTC", "when it was posted"),
            Column("kind", Kind.ENUM, "kind", "what it is for", choices=POSTINGS),
            Column("nanos", Kind.INT, "1e-9 of the settlement currency", "change of cash, rounded half even"),
        ),
        doc="every change of cash; their sum is the change of the balance, exactly",
    ),
    RecordType(
        "equity",
        103,
        (
            Column("time_ns", Kind.TIME, "ns UTC", "sampling boundary"),
            Column("equity", Kind.FLOAT, "settlement currency", "marked at the last trade before it"),
            Column("drawdown", Kind.FLOAT, "fraction", "deepest since the boundary before, 0 to 1"),
            Column("position", Kind.FLOAT, "as the venue counts", "position at the boundary"),
        ),
        doc="equity on the sampling grid; the first row is the initial capital",
    ),
)

BOOK_PARTS = ("state", "bid", "ask")
BOOK_KINDS = ("changes", "book")

_DERIVED = (
    RecordType(
        "book_levels",
        200,
        (
            Column("local_ns", Kind.TIME, "ns UTC", "the last row applied, on the clock of its rows"),
            Column("row", Kind.INT, "count", "rows of the symbol and day that were applied"),
            Column(
                "part", Kind.ENUM, "part", "a level, or the line before a book's levels", choices=BOOK_PARTS
            ),
            Column("kind", Kind.ENUM, "kind", "a book, or changes since midnight", choices=BOOK_KINDS),
            Column("snapshot_ns", Kind.TIME, "ns UTC", "the snapshot that it rests on", nullable=True),
            Column("in_snapshot", Kind.ENUM, "flag", "the last row was a snapshot's", choices=FLAGS),
            Column("scale", Kind.INT, "count", "k: prices count 10^-k"),
            Column("price", Kind.INT, "10^-k of the quote currency", "price of the level"),
            Column("amount", Kind.FLOAT, "as the venue counts", "size of the level; 0 for one removed"),
        ),
        doc="an order book after some rows of a day; derived, and can be deleted",
    ),
)

RECORD_TYPES: dict[str, RecordType] = {record.name: record for record in _MARKET + _RUN + _DERIVED}
MARKET_TYPES: tuple[str, ...] = tuple(record.name for record in _MARKET)
GROUPS = ("SPOT", "FUTURES", "PERPETUALS", "OPTIONS")
"""Names under which Tardis publishes one file for many symbols."""
