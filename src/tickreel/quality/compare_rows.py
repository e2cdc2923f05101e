"""The rows of one feed as a comparison takes them: window after window, in few and equal columns."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np

from tickreel.quality.compare_terms import NO_ID, Window
from tickreel.quality.ids_key_kernel import id_keys
from tickreel.quality.same import words_of
from tickreel.quality.same_kernel import mix_column
from tickreel.scan.plan import Stream
from tickreel.scan.read import Piece, StreamReader, open_slice
from tickreel.schema import NULL_TIME, RECORD_TYPES, Column, Kind
from tickreel.store.catalog import Store

_LOOKED_AT = 1_000
"""Rows that tell whether a feed has ids."""
_NEVER_NS = np.iinfo(np.int64).min
_PRICES = ("price", "amount")


class FeedRows:
    """Reads a stream of one feed. `number` of a row counts from the first one of the range, 0.

    by_exchange  the order that both feeds share is that of the exchange's clock, else each one's local clock
    """

    def __init__(self, store: Store, stream: Stream, from_ns: int, to_ns: int, *, by_exchange: bool) -> None:
        self._record = RECORD_TYPES[stream.type]
        self._reader = StreamReader(store, stream, from_ns=from_ns, to_ns=to_ns)
        self._by_exchange = by_exchange
        self._named = [column for column in self._record.columns if column.name in _PRICES]
        self._rest = [column for column in self._record.columns if _is_rest(column)]
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
            for column in self._record.columns
        }

    def _window(self, piece: Piece, *, by_id: bool) -> Window:
        exchange_ns = self._read(piece, "exchange_ns")
        own_ns = self._read(piece, piece.segment.record.time)
        order_ns = own_ns
        if self._by_exchange:
            order_ns = np.maximum.accumulate(exchange_ns)
            np.maximum(order_ns, self._last_ns, out=order_ns)
            self._last_ns = int(order_ns[-1])
        numbers = {column.name: self._decimals(piece, column.name) for column in self._named}
        none = self._buffer("none", len(own_ns), np.dtype("<f8"))
        price, amount = (numbers.get(name, none) for name in _PRICES)
        return Window(
            order_ns, own_ns, exchange_ns, exchange_ns.view(np.uint64),
            price, price.view(np.uint64), amount, amount.view(np.uint64),
            self._rest_of(piece), self._ids(piece, by_id=by_id),
            np.array([self._rows]), np.zeros(1, np.bool_),
        )  # fmt: skip

    def _read(self, piece: Piece, name: str) -> np.ndarray:
        dtype = self._record.column(name).kind.dtype
        out = self._buffer(name, piece.segment.footer.block_rows, dtype)
        return piece.segment.read(name, piece.block, out, piece.rows)

    def _decimals(self, piece: Piece, name: str) -> np.ndarray:
        found = self._read(piece, name)
        return np.add(found, 0.0, out=found)  # -0.0 is 0.0: equal numbers have equal bits

    def _rest_of(self, piece: Piece) -> np.ndarray:
        """Return uint64[n]: a few enumerations side by side, or a hash of all columns."""
        rows = piece.rows.stop - piece.rows.start
        rest = self._buffer("rest", rows, np.dtype("<u8"))
        rest[:] = 0
        if len(self._rest) <= 8 and all(column.kind is Kind.ENUM for column in self._rest):
            for column in self._rest:
                np.left_shift(rest, np.uint64(8), out=rest)
                np.bitwise_or(rest, self._read(piece, column.name), out=rest)
            return rest
        alive = np.ones(rows, np.bool_)
        for column in self._rest:
            if column.kind is Kind.TEXT:
                # Not its bytes: texts are as wide as the widest of their block.
                values = np.empty(rows, np.uint64)
                _keys(piece, column.name, values)
            elif column.kind is Kind.DECIMAL:
                values = self._decimals(piece, column.name)
            else:
                values = self._read(piece, column.name)
            mix_column(words_of(values), alive, rest)
        return rest

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


def has_local_times(store: Store, stream: Stream) -> bool:
    """Return whether all rows of a stream have local times; opens its segments."""
    segments = (open_slice(store, part) for part in stream.slices)
    return all(segment.record.has_local for segment in segments if segment.rows)


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
