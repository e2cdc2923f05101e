"""The bytes of a segment file: what FORMAT.md draws, as NumPy records, with every check a reader makes.

`pack_footer` and `unpack_footer` are inverse; nothing here does I/O. All integers are little-endian.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import ge

import msgspec
import numpy as np
import xxhash

from tickreel.codecs import READABLE
from tickreel.codecs.decimals import FLOAT_BITS, MAX_SCALE
from tickreel.errors import CorruptionError, FormatError, UsageError
from tickreel.schema import RECORD_TYPES, Kind, RecordType

READER_VERSION = 1
"""The oldest reader that may read what this writer writes."""
WRITER_VERSION = 1

HEADER_MAGIC = b"\x89REEL\r\n\x1a"
TRAILER_MAGIC = b"REEL.END"
ALIGN = 8
HEADER_BYTES = TRAILER_BYTES = 64
BLOCK_ROWS = 65_536
MAX_BLOCK_ROWS = 1 << 17
MAX_FOOTER_BYTES = 1 << 26
"""Together with the width of a text, what a forged file can make a reader allocate."""
MAX_META_BYTES = 1 << 20
"""Thousands of parts. Decoded it takes some ten times that, so more is refused unread."""
MAX_SYMBOLS = 1 << 16
MAX_NAME = 255
MAX_TEXT = 255

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("reader_version", "<u2"),
        ("writer_version", "<u2"),
        ("zero", "V44"),
        ("checksum", "<u8"),
    ]
)
TRAILER = np.dtype(
    [
        ("footer_offset", "<u8"),
        ("footer_bytes", "<u8"),
        ("footer_checksum", "<u8"),
        ("zero", "V24"),
        ("checksum", "<u8"),
        ("magic", "S8"),
    ]
)
FOOTER = np.dtype(
    [
        ("rows", "<u8"),
        ("first_ns", "<i8"),
        ("last_ns", "<i8"),
        ("blocks", "<u4"),
        ("columns", "<u4"),
        ("symbols", "<u4"),
        ("names_bytes", "<u4"),
        ("meta_bytes", "<u4"),
        ("block_rows", "<u4"),
    ]
)
COLUMN = np.dtype([("name", "S40"), ("kind", "u1"), ("zero", "V7")])
BLOCK = np.dtype([("row", "<u8"), ("rows", "<u4"), ("zero", "V4"), ("first_ns", "<i8"), ("last_ns", "<i8")])
CHUNK = np.dtype(
    [
        ("offset", "<u8"),
        ("length", "<u8"),
        ("checksum", "<u8"),
        ("low", "<i8"),
        ("high", "<i8"),
        ("codec", "u1"),
        ("scale", "i1"),
        ("nulls", "u1"),
        ("width", "u1"),
        ("zero", "V4"),
    ]
)
SYMBOL = np.dtype([("row", "<u8"), ("rows", "<u8"), ("name_offset", "<u4"), ("name_bytes", "<u4")])

_Bad = Callable[[str], CorruptionError]

KIND_CODES = {Kind.TIME: 1, Kind.DECIMAL: 2, Kind.FLOAT: 3, Kind.INT: 4, Kind.ENUM: 5, Kind.TEXT: 6}
AGAIN = "restore the file, or remove it and import its day again"


class Finding(msgspec.Struct, frozen=True):
    """How often one kind of oddity was met, with the first few places: (line, what stood there)."""

    count: int
    examples: list[tuple[int, str]]


class Part(msgspec.Struct, frozen=True):
    """Where some rows of a segment came from, and what was found in them."""

    source: str
    """Absolute path, or another lasting name."""
    sha256: str
    bytes: int
    rows: int
    interval: tuple[int, int] | None
    """[first, last + 1) of local time in ns; None if there are no rows."""
    lines: int = 0
    """Data lines of the whole source, this segment's and others', set aside or not."""
    set_aside: dict[str, Finding] = {}
    odd: dict[str, Finding] = {}


class Meta(msgspec.Struct, frozen=True):
    """What a segment is: its key and its provenance. Written as JSON with sorted keys."""

    feed: str
    type: str
    exchange: str
    symbol: str
    """The symbol, or the group's name."""
    day: str
    grouped: bool
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Footer:
    """A verified footer; arrays are views of the file.

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


def checksum(data: bytes | memoryview) -> int:
    """Return XXH3-64 of some bytes."""
    return xxhash.xxh3_64_intdigest(data)


def bounds(values: np.ndarray) -> tuple[int, int]:
    """Return the least and greatest value as 64 bits: an integer's own, or a float's bit pattern.

    Floats with a NaN among them give two NaN, texts two zeros; -0.0 counts as 0.0.
    """
    if values.dtype.kind == "S":
        return 0, 0
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        both = np.array([low, high]) + 0.0 if low == low else np.full(2, np.nan)
        low, high = both.view(np.int64)
    return int(low), int(high)


def pack_header() -> bytes:
    header = np.zeros((), HEADER)
    header["magic"], header["reader_version"], header["writer_version"] = (
        HEADER_MAGIC,
        READER_VERSION,
        WRITER_VERSION,
    )
    header["checksum"] = checksum(header.tobytes()[:-8])
    return header.tobytes()


def check_header(data: bytes | memoryview, name: str) -> None:
    """Raise FormatError if a newer reader is needed, CorruptionError if it is no header."""
    if bytes(data[:8]) != HEADER_MAGIC:
        raise CorruptionError(
            f"{name}: begins with {bytes(data[:8])!r}, a segment with {HEADER_MAGIC!r}; {AGAIN}"
        )
    header = np.frombuffer(data, HEADER, 1)[0]
    if int(header["checksum"]) != checksum(memoryview(data)[: HEADER_BYTES - 8]):
        raise CorruptionError(f"{name}: the header's checksum does not fit; {AGAIN}")
    if header["reader_version"] > READER_VERSION:
        raise FormatError(
            f"{name}: needs a reader of format {header['reader_version']}, this tickreel has"
            f" {READER_VERSION}: upgrade"
        )


def pack_trailer(footer_offset: int, footer: bytes) -> bytes:
    trailer = np.zeros((), TRAILER)
    trailer["footer_offset"], trailer["footer_bytes"] = footer_offset, len(footer)
    trailer["footer_checksum"], trailer["magic"] = checksum(footer), TRAILER_MAGIC
    trailer["checksum"] = checksum(trailer.tobytes()[:48])
    return trailer.tobytes()


def check_trailer(data: bytes | memoryview, file_bytes: int, name: str) -> tuple[int, int, int]:
    """Return (offset, length, checksum) of the footer, all inside the file."""
    trailer = np.frombuffer(data, TRAILER, 1)[0]
    if trailer["magic"] != TRAILER_MAGIC or int(trailer["checksum"]) != checksum(memoryview(data)[:48]):
        raise CorruptionError(f"{name}: does not end as a segment ends: it was cut or damaged; {AGAIN}")
    offset, length = int(trailer["footer_offset"]), int(trailer["footer_bytes"])
    if offset < HEADER_BYTES or offset + length + TRAILER_BYTES != file_bytes or length > MAX_FOOTER_BYTES:
        raise CorruptionError(
            f"{name}: footer at {offset} of {length} bytes (at most {MAX_FOOTER_BYTES}) does not fit a file"
            f" of {file_bytes} bytes; {AGAIN}"
        )
    return offset, length, int(trailer["footer_checksum"])


def pack_footer(
    record: RecordType,
    block_rows: int,
    blocks: np.ndarray,
    chunks: np.ndarray,
    symbols: list[tuple[str, int]],
    meta: Meta,
) -> bytes:
    """Return the footer's bytes. `symbols` is (name, rows), names ascending bytewise.

    Raises UsageError if the blocks are so many that no reader would take the footer.
    """
    columns = np.zeros(len(record.columns), COLUMN)
    columns["name"] = [column.name.encode() for column in record.columns]
    columns["kind"] = [KIND_CODES[column.kind] for column in record.columns]
    names = [name.encode() for name, _ in symbols]
    table = np.zeros(len(symbols), SYMBOL)
    table["rows"] = [rows for _, rows in symbols]
    table["row"] = np.cumsum(table["rows"]) - table["rows"]
    table["name_bytes"] = [len(name) for name in names]
    table["name_offset"] = np.cumsum(table["name_bytes"]) - table["name_bytes"]
    text = msgspec.json.encode(meta, order="sorted")
    head = np.zeros((), FOOTER)
    head["rows"], head["blocks"], head["columns"] = blocks["rows"].sum(), len(blocks), len(columns)
    head["symbols"], head["names_bytes"], head["meta_bytes"] = len(symbols), sum(map(len, names)), len(text)
    head["block_rows"] = block_rows
    if len(blocks):
        head["first_ns"], head["last_ns"] = blocks["first_ns"].min(), blocks["last_ns"].max()
    parts = (head, columns, blocks, chunks, table)
    footer = b"".join([part.tobytes() for part in parts] + names + [text])
    _refuse_too_much(meta, len(symbols), len(text))
    if len(footer) > MAX_FOOTER_BYTES:
        raise UsageError(
            f"{meta.symbol} {meta.day}: {len(blocks)} blocks of {block_rows} rows need a footer of"
            f" {len(footer)} bytes, {MAX_FOOTER_BYTES} are allowed; use larger blocks"
        )
    return footer


def _refuse_too_much(meta: Meta, symbols: int, meta_bytes: int) -> None:
    if symbols > MAX_SYMBOLS:
        raise UsageError(
            f"{meta.symbol} {meta.day}: {symbols} symbols in one segment, {MAX_SYMBOLS} are allowed; split the group"
        )
    if meta_bytes > MAX_META_BYTES:
        raise UsageError(
            f"{meta.symbol} {meta.day}: {len(meta.parts)} parts need a description of {meta_bytes} bytes,"
            f" {MAX_META_BYTES} are allowed; join the files that make up this day"
        )


def unpack_footer(data: memoryview, data_end: int, name: str) -> Footer:
    """Check and return a footer; nothing is allocated before the sizes are known to fit.

    data      the footer's bytes, their checksum verified
    data_end  offset of the footer in the file: where the last chunk must end
    """

    def bad(what: str) -> CorruptionError:
        return CorruptionError(f"{name}: footer: {what}; {AGAIN}")

    if len(data) < FOOTER.itemsize:
        raise bad(f"{len(data)} bytes where at least {FOOTER.itemsize} belong")
    head = dict(zip(FOOTER.names or (), np.frombuffer(data, FOOTER, 1)[0].item(), strict=True))
    n_blocks, n_columns, n_symbols = head["blocks"], head["columns"], head["symbols"]
    sizes = (
        FOOTER.itemsize,
        n_columns * COLUMN.itemsize,
        n_blocks * BLOCK.itemsize,
        n_blocks * n_columns * CHUNK.itemsize,
        n_symbols * SYMBOL.itemsize,
        head["names_bytes"],
        head["meta_bytes"],
    )
    if sum(sizes) != len(data):
        raise bad(f"tables of {sum(sizes)} bytes in {len(data)}")
    if n_symbols > MAX_SYMBOLS or head["meta_bytes"] > MAX_META_BYTES:
        raise bad(
            f"{n_symbols} symbols and a description of {head['meta_bytes']} bytes, {MAX_SYMBOLS} and"
            f" {MAX_META_BYTES} are allowed"
        )
    starts = np.cumsum((0, *sizes)).tolist()
    blocks = np.frombuffer(data, BLOCK, n_blocks, starts[2])
    chunks = np.frombuffer(data, CHUNK, n_blocks * n_columns, starts[3]).reshape(n_blocks, n_columns)
    symbols = np.frombuffer(data, SYMBOL, n_symbols, starts[4])
    try:
        meta = msgspec.json.decode(data[starts[6] :], type=Meta)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(f"description: {error}") from None
    record = RECORD_TYPES.get(meta.type)
    if record is None:
        raise bad(f"unknown record type {meta.type!r}")
    _check_columns(np.frombuffer(data, COLUMN, n_columns, starts[1]), record, bad)
    _check_rows(blocks, head, bad)
    _check_places(chunks, data_end, bad)
    _check_chunks(chunks, record, bad)
    names = _read_names(symbols, data[starts[5] : starts[6]], head["rows"], bad)
    return Footer(
        head["rows"], head["first_ns"], head["last_ns"], head["block_rows"],
        record, blocks, chunks, symbols, names, meta,
    )  # fmt: skip


def _check_columns(columns: np.ndarray, record: RecordType, bad: _Bad) -> None:
    wanted = [(column.name, KIND_CODES[column.kind]) for column in record.columns]
    if len(columns) != len(wanted):
        raise bad(f"{len(columns)} columns where {record.name} has {len(wanted)}")
    found = list(zip(columns["name"].tolist(), columns["kind"].tolist(), strict=True))
    if found != [(name.encode(), kind) for name, kind in wanted]:
        raise bad(f"columns {found} where {record.name} has {wanted}")


def _check_rows(blocks: np.ndarray, head: dict[str, int], bad: _Bad) -> None:
    rows, block_rows = head["rows"], head["block_rows"]
    if not 1 <= block_rows <= MAX_BLOCK_ROWS:
        raise bad(f"blocks of {block_rows} rows, 1 to {MAX_BLOCK_ROWS} are allowed")
    counts = blocks["rows"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    whole = counts[:-1] == block_rows
    if int(counts.sum()) != rows or not whole.all() or (len(counts) and not 1 <= counts[-1] <= block_rows):
        raise bad(f"blocks do not add up to {rows} rows of {block_rows} each")
    first, last = blocks["first_ns"], blocks["last_ns"]
    if (blocks["row"] != starts.astype(np.uint64)).any() or (first > last).any():
        raise bad("blocks are not one after the other")
    times = (int(first.min()), int(last.max())) if len(blocks) else (0, 0)
    if times != (head["first_ns"], head["last_ns"]):
        raise bad(f"times {(head['first_ns'], head['last_ns'])} where its blocks have {times}")


def _check_places(chunks: np.ndarray, data_end: int, bad: _Bad) -> None:
    offsets, lengths = chunks["offset"].reshape(-1), chunks["length"].reshape(-1)
    if (offsets > data_end).any() or (lengths > data_end).any():
        raise bad(f"a chunk reaches beyond the {data_end} bytes of data")
    ends = (offsets + lengths + np.uint64(ALIGN - 1)) // np.uint64(ALIGN) * np.uint64(ALIGN)
    wanted = np.concatenate([[np.uint64(HEADER_BYTES)], ends])
    if (wanted[:-1] != offsets).any() or int(wanted[-1]) != data_end:
        raise bad("chunks overlap or leave gaps")


def _check_chunks(chunks: np.ndarray, record: RecordType, bad: _Bad) -> None:
    allowed = _allowed(record.name)
    columns = np.arange(len(record.columns))
    fits = np.ones(chunks.shape, bool)
    for field, table in allowed.items():
        fits &= table[columns, chunks[field].view(np.uint8)]
    if not fits.all():
        block, place = np.argwhere(~fits)[0].tolist()
        column = record.columns[place]
        found = ", ".join(f"{field} {chunks[field][block, place]}" for field in allowed)
        raise bad(f"block {block}, column {column.name}: {found} cannot be of kind {column.kind}")


@cache
def _allowed(type_name: str) -> dict[str, np.ndarray]:
    """Return, for each one-byte field of a chunk, bool[columns, 256]: which bytes may stand there."""
    columns = RECORD_TYPES[type_name].columns
    tables = {field: np.zeros((len(columns), 256), bool) for field in ("codec", "scale", "nulls", "width")}
    for place, column in enumerate(columns):
        decimal, text = column.kind is Kind.DECIMAL, column.kind is Kind.TEXT
        tables["codec"][place, list(READABLE[column.kind])] = True
        tables["scale"][place, [*range(MAX_SCALE + 1), FLOAT_BITS] if decimal else 0] = True
        tables["nulls"][place, : 2 if decimal or column.kind is Kind.TIME else 1] = True
        tables["width"][place, slice(1, None) if text else column.kind.dtype.itemsize] = True
    return tables


def _read_names(symbols: np.ndarray, names: memoryview, rows: int, bad: _Bad) -> tuple[str, ...]:
    counts, sizes = symbols["rows"], symbols["name_bytes"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    offsets = np.cumsum(sizes) - sizes
    fits = int(sizes.sum()) == len(names) and (symbols["name_offset"] == offsets).all()
    if not fits or (counts > rows).any() or int(counts.sum()) != rows or (symbols["row"] != starts).any():
        raise bad(f"the symbols do not add up to {rows} rows")
    if len(sizes) and not 1 <= int(sizes.min()) <= int(sizes.max()) <= MAX_NAME:
        raise bad(f"a symbol's name of {sizes.min()} or {sizes.max()} bytes, 1 to {MAX_NAME} are allowed")
    places = zip(offsets.tolist(), (offsets + sizes).tolist(), strict=True)
    try:
        # Every open does this, for thousands of options: slices of one text are the fast way.
        text = str(names, "utf-8")
        whole = text if text.isascii() else None
        found = tuple([str(names[a:b], "utf-8") if whole is None else whole[a:b] for a, b in places])
    except UnicodeDecodeError:
        raise bad("a symbol's name is not UTF-8") from None
    if any(map(ge, found, found[1:])):
        raise bad("the symbols are not in ascending order")
    return found
