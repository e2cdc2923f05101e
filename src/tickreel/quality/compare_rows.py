"""The rows of one feed as a comparison takes them: window after window, in few and equal columns."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tickreel.quality.compare_terms import NO_ID, Window
from tickreel.quality.ids_key_kernel import id_keys
from tickreel.quality.same import words_of
from tickreel.quality.same_kernel import mix_column
from tickreel.scan.plan import Stream
from tickreel.scan.read import Piece, StreamReader
from tickreel.schema import NULL_TIME, RECORD_TYPES, Column, Kind
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment

_LOOKED_AT = 1_000
"""Rows that tell whether a feed has ids."""
_NEVER_NS = np.iinfo(np.int64).min
_PRICES = ("price", "amount")


@dataclass(frozen=True, slots=True)
class Common:
    """What the segments of both feeds have in common.

    local   all have local times: rows are ordered by each feed's own, else by the exchange's
    extras  optional columns that all have: the others are not compared
    """

    local: bool
    extras: tuple[str, ...] = ()

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> "Common":
        records = [segment.record for segment in segments if segment.rows]
        extras = [record.extras for record in records]
        shared = tuple(name for name in extras[0] if all(name in other for other in extras)) if extras else ()
        return cls(all(record.has_local for record in records), shared)


class FeedRows:
    """Reads a stream of one feed. `number` of a row counts from the first one of the range, 0.

    window_ns  by how much, at most, an exchange time ahead of its local time moves the order on
    """

    def __init__(
        self, store: Store, stream: Stream, span: tuple[int, int], common: Common, window_ns: int
    ) -> None:
        self._record = RECORD_TYPES[stream.type].shape(common.extras)
        self._reader = StreamReader(store, stream, from_ns=span[0], to_ns=span[1])
        self._common, self._window_ns = common, window_ns
        self._named = [column for column in self._record.columns if column.name in _PRICES]
        self._rest = [column for column in self._record.columns if _is_rest(column)]
        self._has_side = any(column.name == "side" for column in self._rest)
        self._buffers: dict[str, np.ndarray] = {}
        self._pieces: list[Piece] = []
        self._firsts: list[int] = []
        self._last_ns = _NEVER_NS
        self._rows = 0

    def has_ids(self) -> bool:
        """Return whether at least half of the first rows have an id."""
        piece = next(self._reader.pieces(), None) if "id" in self._record.names else None
        if piece is None:
            return False
        rows = slice(piece.rows.start, min(piece.rows.start + _LOOKED_AT, piece.rows.stop))
        found = piece.segment.read("id", piece.block, rows=rows)
        return 2 * int(np.count_nonzero(found != b"")) >= len(found)

    def windows(self, *, by_id: bool) -> Iterator[Window]:
        """Yield all rows, each window's arrays overwritten by the next; the last window is empty."""
        for piece in self._reader.pieces():
            yield self._window(piece, by_id=by_id)
            self._firsts.append(self._rows)
            self._pieces.append(piece)
            self._rows += piece.rows.stop - piece.rows.start
        yield empty_window(is_last=True)

    def row(self, number: int) -> dict[str, Any]:
        """Return a row that was read as plain values, by column: None for an empty number or time."""
        place = bisect_right(self._firsts, number) - 1
        piece, at = self._pieces[place], number - self._firsts[place]
        rows = slice(piece.rows.start + at, piece.rows.start + at + 1)
        return {
            column.name: _plain(column, piece.segment.read(column.name, piece.block, rows=rows)[0])
            for column in piece.segment.record.columns
        }

    def _window(self, piece: Piece, *, by_id: bool) -> Window:
        exchange_ns = self._read(piece, "exchange_ns")
        own_ns = self._read(piece, "local_ns") if piece.segment.record.has_local else exchange_ns
        order_ns = own_ns if self._common.local else self._ordered(exchange_ns, own_ns)
        numbers = {column.name: self._decimals(piece, column.name) for column in self._named}
        none = self._buffer("none", len(own_ns), np.dtype("<f8"))
        price, amount = (numbers.get(name, none) for name in _PRICES)
        return Window(
            order_ns, own_ns, exchange_ns, exchange_ns.view(np.uint64),
            price, price.view(np.uint64), amount, amount.view(np.uint64),
            self._rest_of(piece), self._ids(piece, by_id=by_id),
            np.array([self._rows]), np.zeros(1, np.bool_),
        )  # fmt: skip

    def _ordered(self, exchange_ns: np.ndarray, own_ns: np.ndarray) -> np.ndarray:
        """Return the latest exchange time so far; one from the future must not set the feeds apart for good."""
        order_ns = np.maximum.accumulate(np.minimum(exchange_ns, own_ns + self._window_ns))
        np.maximum(order_ns, self._last_ns, out=order_ns)
        self._last_ns = int(order_ns[-1])
        return order_ns

    def _read(self, piece: Piece, name: str) -> np.ndarray:
        dtype = self._record.column(name).kind.dtype
        out = self._buffer(name, piece.segment.footer.block_rows, dtype)
        return piece.segment.read(name, piece.block, out, piece.rows)

    def _decimals(self, piece: Piece, name: str) -> np.ndarray:
        found = self._read(piece, name)
        return np.add(found, 0.0, out=found)  # -0.0 is 0.0: equal numbers have equal bits

    def _rest_of(self, piece: Piece) -> np.ndarray:
        """Return uint64[n]: a hash of all columns but the side, which has the lowest eight bits."""
        rows = piece.rows.stop - piece.rows.start
        rest = self._buffer("rest", rows, np.dtype("<u8"))
        rest[:] = 0
        others = [column for column in self._rest if column.name != "side"]
        if others:
            self._mix(piece, others, rest)
        if self._has_side:
            np.left_shift(rest, np.uint64(8), out=rest)
            np.bitwise_or(rest, self._read(piece, "side"), out=rest)
        return rest

    def _mix(self, piece: Piece, columns: list[Column], rest: np.ndarray) -> None:
        """Hash some columns of a piece into `rest`."""
        rows = len(rest)
        alive = np.ones(rows, np.bool_)
        for column in columns:
            if column.kind is Kind.TEXT:
                # Not its bytes: texts are as wide as the widest of their block.
                values = np.empty(rows, np.uint64)
                _keys(piece, column.name, values)
            elif column.kind is Kind.DECIMAL:
                values = self._decimals(piece, column.name)
            else:
                values = self._read(piece, column.name)
            mix_column(words_of(values), alive, rest)

    def _ids(self, piece: Piece, *, by_id: bool) -> np.ndarray:
        rows = piece.rows.stop - piece.rows.start
        keys = self._buffer("ids", max(rows, piece.segment.footer.block_rows), np.dtype("<u8"))
        if not by_id:
            keys[:rows] = NO_ID
            return keys[:rows]
        numbers = piece.segment.numbers("id", piece.block, keys.view(np.int64), piece.rows)
        if numbers is not None:
            return numbers.view(np.uint64)
        _keys(piece, "id", keys[:rows])
        return keys[:rows]

    def _buffer(self, name: str, rows: int, dtype: np.dtype) -> np.ndarray:
        if len(self._buffers.get(name, ())) < rows:
            self._buffers[name] = np.zeros(rows, dtype)
        found = self._buffers[name]
        return found[:rows] if name in ("none", "rest") else found


def _keys(piece: Piece, name: str, keys: np.ndarray) -> None:
    """Write a number for each text of a column."""
    texts = piece.segment.read(name, piece.block, rows=piece.rows)
    id_keys(texts.view(np.uint8).reshape(len(texts), texts.dtype.itemsize), keys)


def empty_window(*, is_last: bool) -> Window:
    """Return a window without rows: the one to begin with, or the last one."""
    times, floats, words = np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint64)
    return Window(
        times, times, times, words, floats, words, floats, words, words, words,
        np.zeros(1, np.int64), np.array([is_last]),
    )  # fmt: skip


def _is_rest(column: Column) -> bool:
    return column.name not in ("exchange_ns", "local_ns", "id", *_PRICES)


def _plain(column: Column, value: Any) -> Any:
    if column.kind is Kind.TEXT:
        return bytes(value).decode("utf-8", "replace")
    if column.kind is Kind.ENUM:
        return column.choices[int(value)]
    plain = value.item()
    return None if plain != plain or (column.kind is Kind.TIME and plain == NULL_TIME) else plain
