"""A segment's footer as a reader sees it: unpacked, with every check, in about 40 us for a day of one symbol.

A run opens thousands of segments, so each check is a few operations on whole tables.
"""

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import ge
from typing import NamedTuple

import msgspec
import numpy as np

from tickreel.codecs import READABLE, patched, stepped
from tickreel.codecs.decimals import FLOAT_BITS, MAX_SCALE
from tickreel.errors import CorruptionError
from tickreel.schema import RECORD_TYPES, Kind, RecordType
from tickreel.store.format import (
    AGAIN,
    ALIGN,
    BLOCK,
    CHUNK,
    COLUMN,
    FOOTER,
    HEADER_BYTES,
    KIND_CODES,
    MAX_BLOCK_ROWS,
    MAX_META_BYTES,
    MAX_NAME,
    MAX_SYMBOLS,
    SYMBOL,
    Meta,
    column_table,
)

_HEAD = struct.Struct("<QqqIIIIII")
"""format.FOOTER, in Python's own words, which are quicker for a single record."""
_CHUNK_WORDS, _KINDS = CHUNK.itemsize // 4, CHUNK.fields["codec"][1] // 4  # type: ignore[index]
"""format.CHUNK in words of four bytes, and which of them holds codec, scale, nulls and width."""

_Bad = Callable[[str], CorruptionError]


@dataclass(frozen=True, slots=True)
class Footer:
    """A verified footer; arrays are views of its bytes.

    blocks BLOCK[n], chunks CHUNK[n, columns], symbols SYMBOL[m] with their names
    """

    rows: int
    first_ns: int
    last_ns: int
    block_rows: int
    record: RecordType
    blocks: np.ndarray
    chunks: np.ndarray
    symbols: np.ndarray
    names: tuple[str, ...]
    meta: Meta


class _Head(NamedTuple):
    rows: int
    first_ns: int
    last_ns: int
    blocks: int
    columns: int
    symbols: int
    names_bytes: int
    meta_bytes: int
    block_rows: int


def unpack_footer(data: bytes, data_end: int, name: str) -> Footer:
    """Check and return a footer; nothing is allocated before the sizes are known to fit.

    data      the footer's bytes, their checksum verified
    data_end  offset of the footer in the file: where the last chunk must end
    """

    def bad(what: str) -> CorruptionError:
        return CorruptionError(f"{name}: footer: {what}; {AGAIN}")

    if len(data) < FOOTER.itemsize:
        raise bad(f"{len(data)} bytes where at least {FOOTER.itemsize} belong")
    head = _Head(*_HEAD.unpack_from(data))
    columns_at = FOOTER.itemsize
    blocks_at = columns_at + head.columns * COLUMN.itemsize
    chunks_at = blocks_at + head.blocks * BLOCK.itemsize
    symbols_at = chunks_at + head.blocks * head.columns * CHUNK.itemsize
    names_at = symbols_at + head.symbols * SYMBOL.itemsize
    meta_at = names_at + head.names_bytes
    if meta_at + head.meta_bytes != len(data):
        raise bad(f"tables of {meta_at + head.meta_bytes} bytes in {len(data)}")
    if head.symbols > MAX_SYMBOLS or head.meta_bytes > MAX_META_BYTES:
        raise bad(
            f"{head.symbols} symbols and a description of {head.meta_bytes} bytes, {MAX_SYMBOLS} and"
            f" {MAX_META_BYTES} are allowed"
        )
    meta, shape = _read_meta(memoryview(data)[meta_at:], bad)
    if data[columns_at:blocks_at] != shape.table:
        shape = _other_shape(np.frombuffer(data, COLUMN, head.columns, columns_at), shape.record, bad)
    blocks = np.frombuffer(data, BLOCK, head.blocks, blocks_at)
    chunks = np.frombuffer(data, CHUNK, head.blocks * head.columns, chunks_at)
    symbols = np.frombuffer(data, SYMBOL, head.symbols, symbols_at)
    _check_rows(blocks, head, bad)
    _check_places(chunks, data_end, bad)
    chunks = chunks.reshape(head.blocks, head.columns)
    _check_kinds(chunks, shape, bad)
    names = _read_names(symbols, data[names_at:meta_at], head.rows, bad)
    if len(names) == 1 and (blocks["first_ns"][1:] < blocks["last_ns"][:-1]).any():
        raise bad("times of blocks go backwards")
    return Footer(
        head.rows, head.first_ns, head.last_ns, head.block_rows, shape.record, blocks, chunks, symbols, names,
        meta,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a footer with these columns is compared with.

    table  its table of columns
    good   rows of words of chunks that were checked before: segments have few different ones
    """

    record: RecordType
    table: bytes
    good: set[tuple[int, ...]] = dataclasses.field(default_factory=set)


@cache
def _shapes(type_name: str) -> tuple[_Shape, ...]:
    """Return what footers of a record type may be, its own columns first."""
    return tuple(_Shape(one, column_table(one).tobytes()) for one in RECORD_TYPES[type_name].shapes)


def _read_meta(data: memoryview, bad: _Bad) -> tuple[Meta, _Shape]:
    try:
        meta = msgspec.json.decode(data, type=Meta)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(f"description: {error}") from None
    if meta.type not in RECORD_TYPES:
        raise bad(f"unknown record type {meta.type!r}")
    return meta, _shapes(meta.type)[0]


def _other_shape(columns: np.ndarray, record: RecordType, bad: _Bad) -> _Shape:
    """Return the shape with these names and kinds; bytes that nobody uses may differ."""
    if len(columns) > len(record.widest.columns):
        raise bad(f"{len(columns)} columns where {record.name} has {len(record.widest.columns)} at most")
    found = list(zip(columns["name"].tolist(), columns["kind"].tolist(), strict=True))
    for shape in _shapes(record.name):
        if found == [(column.name.encode(), KIND_CODES[column.kind]) for column in shape.record.columns]:
            return shape
    wanted = [(column.name, KIND_CODES[column.kind]) for column in record.columns]
    allowed = ", or these without local_ns" if record.is_market else ""
    allowed += "".join(f", or with {column.name} after them" for column in record.optional)
    raise bad(f"columns {found} where {record.name} has {wanted}{allowed}")


def _check_rows(blocks: np.ndarray, head: _Head, bad: _Bad) -> None:
    if not 1 <= head.block_rows <= MAX_BLOCK_ROWS:
        raise bad(f"blocks of {head.block_rows} rows, 1 to {MAX_BLOCK_ROWS} are allowed")
    if not len(blocks):
        if head.rows or head.first_ns or head.last_ns:
            raise bad(f"{head.rows} rows and times {(head.first_ns, head.last_ns)}, but no blocks")
        return
    counts, last = blocks["rows"], head.rows - (len(blocks) - 1) * head.block_rows
    if counts[-1] != last or not 1 <= last <= head.block_rows or (counts[:-1] != head.block_rows).any():
        raise bad(f"blocks do not add up to {head.rows} rows of {head.block_rows} each")
    starts = np.arange(len(blocks), dtype=np.uint64) * np.uint64(head.block_rows)
    first, latest = blocks["first_ns"], blocks["last_ns"]
    if (blocks["row"] != starts).any() or (first > latest).any():
        raise bad("blocks are not one after the other")
    times = int(first.min()), int(latest.max())
    if times != (head.first_ns, head.last_ns):
        raise bad(f"times {(head.first_ns, head.last_ns)} where its blocks have {times}")


def _check_places(chunks: np.ndarray, data_end: int, bad: _Bad) -> None:
    edges = np.empty(len(chunks) + 1, np.uint64)
    edges[0], edges[1:] = HEADER_BYTES, chunks["length"]
    # Before they are added up: sums of what is too large begin at zero again.
    if int(edges.max()) > max(data_end, HEADER_BYTES):
        raise bad(f"a chunk reaches beyond the {data_end} bytes of data")
    edges[1:] += np.uint64(ALIGN - 1)
    edges[1:] &= np.uint64(2**64 - ALIGN)
    edges = edges.cumsum()
    if (edges[:-1] != chunks["offset"]).any() or int(edges[-1]) != data_end:
        raise bad("chunks overlap or leave gaps")


_MOST_GOOD = 10_000


def _check_kinds(chunks: np.ndarray, shape: _Shape, bad: _Bad) -> None:
    record, good = shape.record, shape.good
    words = chunks.view("<u4").reshape(*chunks.shape, _CHUNK_WORDS)
    found = set(map(tuple, words[:, :, _KINDS].tolist()))
    if found <= good:
        return
    allowed = _allowed(record)
    columns = np.arange(len(record.columns))
    fits = np.ones(chunks.shape, bool)
    for field, table in allowed.items():
        fits &= table[columns, chunks[field].view(np.uint8)]
    fits &= ~np.isin(chunks["codec"], (patched.ID, stepped.ID)) | (chunks["nulls"] == 0)
    if not fits.all():
        block, place = np.argwhere(~fits)[0].tolist()
        column = record.columns[place]
        what = ", ".join(f"{field} {chunks[field][block, place]}" for field in allowed)
        raise bad(f"block {block}, column {column.name}: {what} cannot be of kind {column.kind}")
    if len(good) < _MOST_GOOD:
        good |= found


@cache
def _allowed(record: RecordType) -> dict[str, np.ndarray]:
    """Return, for each one-byte field of a chunk, bool[columns, 256]: which bytes may stand there."""
    columns = record.columns
    tables = {field: np.zeros((len(columns), 256), bool) for field in ("codec", "scale", "nulls", "width")}
    for place, column in enumerate(columns):
        decimal, text = column.kind is Kind.DECIMAL, column.kind is Kind.TEXT
        tables["codec"][place, list(READABLE[column.kind])] = True
        tables["scale"][place, [*range(MAX_SCALE + 1), FLOAT_BITS] if decimal else 0] = True
        tables["nulls"][place, : 2 if decimal or column.kind is Kind.TIME else 1] = True
        tables["width"][place, slice(1, None) if text else column.kind.dtype.itemsize] = True
    return tables


def _read_names(symbols: np.ndarray, names: bytes, rows: int, bad: _Bad) -> tuple[str, ...]:
    if len(symbols) == 1 and symbols[0].item() == (0, rows, 0, len(names)) and 1 <= len(names) <= MAX_NAME:
        return (_text(names, bad),)
    counts, sizes = symbols["rows"], symbols["name_bytes"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    ends = np.cumsum(sizes)
    offsets = ends - sizes
    fits = int(sizes.sum()) == len(names) and (symbols["name_offset"] == offsets).all()
    if not fits or (counts > rows).any() or int(counts.sum()) != rows or (symbols["row"] != starts).any():
        raise bad(f"the symbols do not add up to {rows} rows")
    if len(sizes) and not 1 <= int(sizes.min()) <= int(sizes.max()) <= MAX_NAME:
        raise bad(f"a symbol's name of {sizes.min()} or {sizes.max()} bytes, 1 to {MAX_NAME} are allowed")
    places = zip(offsets.tolist(), ends.tolist(), strict=True)
    # Every open does this, for thousands of options: slices of one text are the fast way.
    text = _text(names, bad)
    whole = text if text.isascii() else None
    found = tuple([_text(names[a:b], bad) if whole is None else whole[a:b] for a, b in places])
    if any(map(ge, found, found[1:])):
        raise bad("the symbols are not in ascending order")
    return found


def _text(name: bytes, bad: _Bad) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise bad("a symbol's name is not UTF-8") from None
