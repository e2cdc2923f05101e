"""The bytes of a segment file: what FORMAT.md draws, as NumPy records; header and trailer with their checks.

`footer.unpack_footer` is the inverse of `pack_footer`; nothing here does I/O. All integers are little-endian.
"""

import struct

import msgspec
import numpy as np
import xxhash

from tickreel.errors import CorruptionError, FormatError, UsageError
from tickreel.schema import Kind, RecordType

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
_HEADER = struct.Struct("<8sHH44xQ")
_TRAILER = struct.Struct("<QQQ24xQ8s")
"""HEADER and TRAILER in Python's own words, which are quicker for a single record."""
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

KIND_CODES = {Kind.TIME: 1, Kind.DECIMAL: 2, Kind.FLOAT: 3, Kind.INT: 4, Kind.ENUM: 5, Kind.TEXT: 6}
AGAIN = "restore the file, or remove it and import its day again"


class Finding(msgspec.Struct, frozen=True):
    """How often one kind of oddity was met, with the first few places: (line, what stood there)."""

    count: int
    examples: list[tuple[int, str]]


class Gap(msgspec.Struct, frozen=True):
    """A time within [from_ns, to_ns) whose rows a recorder missed; filled: history gave them later.

    lag_ns  declared delay of history's rows, which had no local times: these are exchange time + lag_ns; None: they had
            their own, or none came. Rows may be there though not filled, of an answer that was damaged
    """

    from_ns: int
    to_ns: int
    reason: str
    filled: bool = False
    lag_ns: int | None = None


class Part(msgspec.Struct, frozen=True):
    """Where some rows of a segment came from, and what was found in them."""

    source: str
    """Absolute path, or another lasting name."""
    sha256: str
    bytes: int
    rows: int
    interval: tuple[int, int] | None
    """[first, last + 1) of the times that rows are ordered by, in ns; None if there are no rows."""
    lines: int = 0
    """Data lines of the whole source, this segment's and others', set aside or not."""
    set_aside: dict[str, Finding] = {}
    odd: dict[str, Finding] = {}
    optional: list[str] = []
    """Optional columns that the source had; none if there are no rows."""
    gaps: list[Gap] = []
    """What a recorder, ours or a provider's, says to have missed of this day, ascending; CSV files do not tell."""


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


def checksum(data: bytes | memoryview) -> int:
    """Return XXH3-64 of some bytes."""
    return xxhash.xxh3_64_intdigest(data)


def bounds(values: np.ndarray) -> tuple[int, int]:
    """Return the least and greatest value as 64 bits: an integer's own, or a float's bit pattern.

    values  n > 0; floats with a NaN among them give two NaN, texts two zeros; -0.0 counts as 0.0
    """
    if values.dtype.kind == "S":
        return 0, 0
    if values.dtype == np.int64:
        from tickreel.codecs.decimal_kernel import extremes

        low, high = extremes(values)
        return int(low), int(high)
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


def check_header(data: bytes, name: str) -> None:
    """Raise FormatError if a newer reader is needed, CorruptionError if it is no header."""
    magic, reader_version, _, stored = _HEADER.unpack(data)
    if magic != HEADER_MAGIC:
        raise CorruptionError(f"{name}: begins with {magic!r}, a segment with {HEADER_MAGIC!r}; {AGAIN}")
    if stored != checksum(data[:-8]):
        raise CorruptionError(f"{name}: the header's checksum does not fit; {AGAIN}")
    if reader_version > READER_VERSION:
        raise FormatError(
            f"{name}: needs a reader of format {reader_version}, this tickreel has {READER_VERSION}: upgrade"
        )


def pack_trailer(footer_offset: int, footer: bytes) -> bytes:
    trailer = np.zeros((), TRAILER)
    trailer["footer_offset"], trailer["footer_bytes"] = footer_offset, len(footer)
    trailer["footer_checksum"], trailer["magic"] = checksum(footer), TRAILER_MAGIC
    trailer["checksum"] = checksum(trailer.tobytes()[:48])
    return trailer.tobytes()


def check_trailer(data: bytes, file_bytes: int, name: str) -> tuple[int, int, int]:
    """Return (offset, length, checksum) of the footer, all inside the file."""
    offset, length, footer_checksum, stored, magic = _TRAILER.unpack(data)
    if magic != TRAILER_MAGIC or stored != checksum(data[:48]):
        raise CorruptionError(f"{name}: does not end as a segment ends: it was cut or damaged; {AGAIN}")
    if offset < HEADER_BYTES or offset + length + TRAILER_BYTES != file_bytes or length > MAX_FOOTER_BYTES:
        raise CorruptionError(
            f"{name}: footer at {offset} of {length} bytes (at most {MAX_FOOTER_BYTES}) does not fit a file"
            f" of {file_bytes} bytes; {AGAIN}"
        )
    return offset, length, footer_checksum


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
    columns = column_table(record)
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


def column_table(record: RecordType) -> np.ndarray:
    """Return COLUMN[n]: the footer's table of the columns of a shape."""
    columns = np.zeros(len(record.columns), COLUMN)
    columns["name"] = [column.name.encode() for column in record.columns]
    columns["kind"] = [KIND_CODES[column.kind] for column in record.columns]
    return columns


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
