"""Segments with lies in their footers and chunks, every checksum right: what a reader must refuse.

Run as a program it writes each into the folder named, reads it with little memory, and prints what
came of it as JSON.
"""

import json
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import store_sample as sample
from tickreel.codecs import constant, patched, pco, plain_text, planes, raw, stepped
from tickreel.errors import CorruptionError, FormatError
from tickreel.schema import RECORD_TYPES
from tickreel.store import format as fmt
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment

MEMORY_BYTES = 50 * 10**6
TRADES = RECORD_TYPES["trades"]
ID, SIDE, PRICE = (TRADES.names.index(name) for name in ("id", "side", "price"))


class Forgery:
    """A segment taken apart: change what you like, `pack` puts it together with right checksums."""

    def __init__(self, data: bytes) -> None:
        self.header = np.frombuffer(data, fmt.HEADER, 1).copy()
        self.trailer = np.frombuffer(data[-64:], fmt.TRAILER, 1).copy()
        start = int(self.trailer["footer_offset"][0])
        footer = data[start:-64]
        self.head = np.frombuffer(footer, fmt.FOOTER, 1).copy()
        counts = [int(self.head[name][0]) for name in ("columns", "blocks", "symbols", "names_bytes")]
        columns, blocks, symbols, names = counts
        tables, at = [], fmt.FOOTER.itemsize
        for dtype, count in (
            (fmt.COLUMN, columns), (fmt.BLOCK, blocks), (fmt.CHUNK, blocks * columns), (fmt.SYMBOL, symbols),
        ):  # fmt: skip
            tables.append(np.frombuffer(footer, dtype, count, at).copy())
            at += dtype.itemsize * count
        self.columns, self.blocks, self.chunks, self.symbols = tables
        self.names, self.meta = footer[at : at + names], footer[at + names :]
        self.payloads = [data[c["offset"] : c["offset"] + c["length"]] for c in self.chunks]

    def put(self, chunk: int, payload: bytes, codec: int) -> None:
        """Replace a chunk's bytes and move those after it."""
        self.payloads[chunk] = payload
        self.chunks["codec"][chunk] = codec
        end = fmt.HEADER_BYTES
        for number, data in enumerate(self.payloads):
            self.chunks["offset"][number], self.chunks["length"][number] = end, len(data)
            self.chunks["checksum"][number] = fmt.checksum(data)
            end += len(data) + -len(data) % fmt.ALIGN

    def describe(self, meta: bytes) -> None:
        self.meta = meta
        self.head["meta_bytes"] = len(meta)

    def pack(self) -> bytes:
        self.header["checksum"] = fmt.checksum(self.header.tobytes()[:56])
        data = b"".join(payload + bytes(-len(payload) % fmt.ALIGN) for payload in self.payloads)
        tables = (self.head, self.columns, self.blocks, self.chunks, self.symbols)
        footer = b"".join(table.tobytes() for table in tables) + self.names + self.meta
        packed = fmt.pack_trailer(fmt.HEADER_BYTES + len(data), footer)
        trailer = np.frombuffer(packed, fmt.TRAILER).copy()
        trailer["zero"] = self.trailer["zero"]
        trailer["checksum"] = fmt.checksum(trailer.tobytes()[:48])
        return self.header.tobytes() + data + footer + trailer.tobytes()


def setting(table: str, field: str, row: int, value: int) -> Callable[[Forgery], None]:
    return lambda f: getattr(f, table)[field].__setitem__(row, value)


def not_zero(table: str, row: int) -> Callable[[Forgery], None]:
    """Set the last byte of those called zero."""

    def forge(f: Forgery) -> None:
        zeros = getattr(f, table)["zero"]
        zeros[row] = bytes(zeros.dtype.itemsize - 1) + b"\x01"

    return forge


def described_as(old: bytes, new: bytes) -> Callable[[Forgery], None]:
    def forge(f: Forgery) -> None:
        assert old in f.meta
        f.describe(f.meta.replace(old, new))

    return forge


def description(**changes: Any) -> Callable[[Forgery], None]:
    return lambda f: f.describe(json.dumps({**json.loads(f.meta), **changes}).encode())


def described(text: bytes) -> Callable[[Forgery], None]:
    return lambda f: f.describe(text)


def holding(column: int, payload: Callable[[], bytes], codec: int) -> Callable[[Forgery], None]:
    return lambda f: f.put(len(TRADES.columns) + column, payload(), codec)


def frame(content: bytes, *, declared: int | None = None) -> bytes:
    """Return a zstd frame of zeros after `content`; `declared` is the size that its header tells."""
    made = zstandard.ZstdCompressor(level=3, write_content_size=True).compress(content)
    if declared is None:
        return made
    # Descriptor 0xC0: 8 bytes of content size, a window byte (1 MiB), no checksum, no dictionary.
    size_bytes = {0: 1, 0x40: 2, 0x80: 4, 0xC0: 8}[made[4] & 0xC0]
    return made[:4] + b"\xc0\x50" + declared.to_bytes(8, "little") + made[5 + size_bytes :]


def null_flag_alone(f: Forgery) -> None:
    """Say that a price of the first block is empty, in a codec that may have empty ones."""
    prices = np.empty(int(f.head["block_rows"][0]), np.int64)
    stepped.decode(memoryview(f.payloads[PRICE]), prices)
    f.put(PRICE, prices.tobytes(), raw.ID)
    f.chunks["nulls"][PRICE] = 1


def bomb() -> bytes:
    """Return a frame of 1 GiB of zeros that tells no size."""
    compressor = zstandard.ZstdCompressor(level=3, write_content_size=False).compressobj()
    piece = bytes(1 << 24)
    return b"".join(compressor.compress(piece) for _ in range(64)) + compressor.flush()


def great_block(f: Forgery) -> None:
    """Make one block of as many rows as are allowed, all constant but for ids that are a bomb."""
    rows, columns = fmt.MAX_BLOCK_ROWS, len(TRADES.columns)
    f.head["rows"], f.head["block_rows"], f.head["blocks"] = rows, rows, 1
    f.symbols["rows"] = rows
    f.blocks, f.chunks, f.payloads = f.blocks[:1], f.chunks[:columns], f.payloads[:columns]
    f.blocks["rows"] = rows
    f.head["first_ns"], f.head["last_ns"] = f.blocks["first_ns"][0], f.blocks["last_ns"][0]
    for place, column in enumerate(TRADES.columns):
        if place != ID:
            f.put(place, bytes(column.kind.dtype.itemsize), constant.ID)
    f.chunks["width"][ID] = 255
    f.put(ID, frame(bytes(rows * 256)), plain_text.ID)


def swapped_times(f: Forgery) -> None:
    for name in ("first_ns", "last_ns"):
        f.blocks[name][:2] = f.blocks[name][1::-1].copy()


def overlapping(f: Forgery) -> None:
    f.chunks["offset"][1] = f.chunks["offset"][0]


def wrapping(f: Forgery) -> None:
    f.chunks["offset"][0], f.chunks["length"][0] = 2**64 - 8, 72 + f.chunks["length"][0]


def gap(f: Forgery) -> None:
    f.payloads[-1] += bytes(8)


def two_names(names: bytes) -> Callable[[Forgery], None]:
    """Share the rows between two symbols with one-byte names."""

    def forge(f: Forgery) -> None:
        rows = int(f.head["rows"][0])
        f.symbols = np.array([(0, 5, 0, 1), (5, rows - 5, 1, 1)], fmt.SYMBOL)
        f.names = names
        f.head["symbols"], f.head["names_bytes"] = 2, len(names)

    return forge


def many_columns(f: Forgery) -> None:
    f.columns = np.zeros(200_000, fmt.COLUMN)
    f.head["columns"], f.head["blocks"], f.head["rows"] = len(f.columns), 0, 0
    f.blocks, f.chunks = f.blocks[:0], f.chunks[:0]


def many_symbols(count: int, size: int) -> Callable[[Forgery], None]:
    """Add symbols without rows, each with a name of `size` bytes, before the one that has all."""

    def forge(f: Forgery) -> None:
        table = np.zeros(count + 1, fmt.SYMBOL)
        table["name_bytes"][:count] = size
        table["name_offset"] = np.cumsum(table["name_bytes"]) - table["name_bytes"]
        table["rows"][count], table["name_bytes"][count] = f.head["rows"][0], len(f.names)
        f.symbols, f.names = table, b"".join(b"%0*d" % (size, n) for n in range(count)) * (size > 0) + f.names
        f.head["symbols"], f.head["names_bytes"] = len(table), len(f.names)

    return forge


def full(piece: bytes, last: bytes, *, before: bytes, after: bytes) -> Callable[[Forgery], None]:
    """Describe with as much of `piece` as is allowed, wrong only in the last of them."""

    def forge(f: Forgery) -> None:
        head = f.meta[: f.meta.index(b'"parts":')] + b'"parts":' + before
        room = fmt.MAX_META_BYTES - len(head) - len(last) - len(after) - len(f.meta)
        tail = f.meta[f.meta.index(b',"symbol"') :]
        f.describe(head + piece * (room // len(piece)) + last + after + tail)

    return forge


def one_part_more(**fields: Any) -> Callable[[Forgery], None]:
    """Add a part before the one that is there, which keeps what is left of the rows."""

    def forge(f: Forgery) -> None:
        meta = json.loads(f.meta)
        meta["parts"][0]["rows"] -= fields.get("rows", 0)
        meta["parts"].insert(0, json.loads(_PART) | fields)
        f.describe(json.dumps(meta).encode())

    return forge


_PART = b'{"source":"","sha256":"","bytes":0,"rows":0,"interval":null}'
_EXAMPLES = _PART[:-1] + b',"odd":{"x":{"count":1,"examples":['
DEEP = b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def without_column(place: int) -> Callable[[Forgery], None]:
    """Leave out a column, and its chunks."""

    def forge(f: Forgery) -> None:
        columns = len(f.columns)
        kept = [n for n in range(len(f.chunks)) if n % columns != place]
        f.columns, f.chunks = np.delete(f.columns, place), f.chunks[kept]
        f.payloads = [f.payloads[n] for n in kept]
        f.head["columns"] = columns - 1
        f.put(0, f.payloads[0], int(f.chunks["codec"][0]))

    return forge


def with_column(name: bytes, kind: int, *, times: int = 1) -> Callable[[Forgery], None]:
    """Add copies of the last column under another name and kind."""

    def forge(f: Forgery) -> None:
        columns = len(f.columns)
        order = [n for n in range(len(f.chunks)) for _ in range(1 + times * (n % columns == columns - 1))]
        added = np.repeat(f.columns[-1:], times)
        added["name"], added["kind"] = name, kind
        f.columns, f.chunks = np.concatenate([f.columns, added]), f.chunks[order].copy()
        f.payloads = [f.payloads[n] for n in order]
        f.head["columns"] = columns + times
        f.put(0, f.payloads[0], int(f.chunks["codec"][0]))

    return forge


AT_OPENING: dict[str, Callable[[Forgery], None]] = {
    "newer reader": setting("header", "reader_version", 0, 2),
    "rows 2^63": setting("head", "rows", 0, 2**63),
    "rows 2^64 - 1": setting("head", "rows", 0, 2**64 - 1),
    "one row more": lambda f: f.head["rows"].__iadd__(1),
    "2^32 - 1 blocks": setting("head", "blocks", 0, 2**32 - 1),
    "2^32 - 1 columns": setting("head", "columns", 0, 2**32 - 1),
    "both": lambda f: (f.head["blocks"].fill(2**32 - 1), f.head["columns"].fill(2**32 - 1)),
    "no columns": lambda f: (f.head["columns"].fill(0), setattr(f, "columns", f.columns[:0])),
    "200,000 columns": many_columns,
    "10^9 symbols": setting("head", "symbols", 0, 10**9),
    "names of 4 GiB": setting("head", "names_bytes", 0, 2**32 - 1),
    "description of 4 GiB": setting("head", "meta_bytes", 0, 2**32 - 1),
    "block_rows 2^32 - 1": setting("head", "block_rows", 0, 2**32 - 1),
    "block_rows 0": setting("head", "block_rows", 0, 0),
    "block_rows of another size": setting("head", "block_rows", 0, 17),
    "first_ns of no block": setting("head", "first_ns", 0, 0),
    "last_ns of no block": setting("head", "last_ns", 0, 2**63 - 1),
    "block of 2^32 - 1 rows": setting("blocks", "rows", 1, 2**32 - 1),
    "empty last block": setting("blocks", "rows", -1, 0),
    "blocks that overlap": setting("blocks", "row", 1, 0),
    "block far away": setting("blocks", "row", 1, 2**63),
    "blocks in the wrong order": swapped_times,
    "block from late to early": setting("blocks", "first_ns", 1, 2**63 - 1),
    "chunk beyond the file": setting("chunks", "offset", 3, 10**12),
    "chunk longer than the file": setting("chunks", "length", 3, 2**63),
    "chunk around the end of numbers": wrapping,
    "chunks that overlap": overlapping,
    "chunks with a gap": gap,
    "chunk on the header": setting("chunks", "offset", 0, 0),
    "unknown codec": setting("chunks", "codec", 0, 99),
    "codec 255": setting("chunks", "codec", ID, 255),
    "text codec for times": setting("chunks", "codec", 0, plain_text.ID),
    "number codec for texts": setting("chunks", "codec", ID, pco.ID),
    "planes for prices": setting("chunks", "codec", PRICE, planes.ID),
    "scale -1": setting("chunks", "scale", PRICE, -1),
    "scale 23": setting("chunks", "scale", PRICE, 23),
    "scale 126": setting("chunks", "scale", PRICE, 126),
    "scale of a time": setting("chunks", "scale", 0, 2),
    **{
        f"empty prices in {codec.NAME}": lambda f, codec=codec: [
            setting("chunks", field, PRICE, value)(f) for field, value in (("codec", codec.ID), ("nulls", 1))
        ]
        for codec in (patched, stepped)
    },
    "null flag 2": setting("chunks", "nulls", PRICE, 2),
    "null flag of an enum": setting("chunks", "nulls", SIDE, 1),
    "text of width 0": setting("chunks", "width", ID, 0),
    "price of width 4": setting("chunks", "width", PRICE, 4),
    "side of width 8": setting("chunks", "width", SIDE, 8),
    "another kind": setting("columns", "kind", PRICE, 3),
    "unknown kind": setting("columns", "kind", PRICE, 0),
    "another column": setting("columns", "name", PRICE, b"cost"),
    "column twice": setting("columns", "name", 1, b"exchange_ns"),
    "local time that is no time": setting("columns", "kind", 1, 4),
    "without prices": without_column(PRICE),
    "without exchange times": without_column(0),
    "optional column of another kind": with_column(b"fee", 3),
    "optional column twice": with_column(b"fee", 2, times=2),
    "column that no type has": with_column(b"rebate", 2),
    "column that is not ASCII": setting("columns", "name", PRICE, b"\xff\xfe"),
    "symbol of too many rows": setting("symbols", "rows", 0, 2**63),
    "symbol far away": setting("symbols", "row", 0, 7),
    "name beyond the names": setting("symbols", "name_bytes", 0, 2**32 - 1),
    "name from elsewhere": setting("symbols", "name_offset", 0, 3),
    "symbols in the wrong order": two_names(b"BA"),
    "symbol twice": two_names(b"AA"),
    "name that is not UTF-8": two_names(b"A\xff"),
    "500,000 symbols without a name": many_symbols(500_000, 0),
    "65,537 symbols": many_symbols(65_536, 5),
    "symbols without a name": many_symbols(2, 0),
    "name of 256 bytes": many_symbols(1, 256),
    "300,000 parts": described(b'{"parts":[' + b",".join([_PART] * 300_000) + b"]}"),
    "as many parts as fit, the last one wrong": full(_PART + b",", b"7", before=b"[", after=b"]"),
    "as many examples as fit, the last one wrong": full(
        b'[1,""],', b"7", before=b"[" + _EXAMPLES, after=b"]}}}]"
    ),
    "no JSON": described(b"{]"),
    "empty description": described(b""),
    "JSON of another form": described(b"[1]"),
    "JSON that is not UTF-8": described(b'{"feed":"\xff"}'),
    "JSON of great depth": described(DEEP),
    "field missing": described(b'{"type":"trades"}'),
    "record type of other columns": description(type="quotes"),
    "unknown record type": description(type="no_such_type"),
    "record type that is no text": description(type=7),
    "parts that are no list": description(parts=3),
    "part without fields": description(parts=[{}]),
    "part with text for rows": lambda f: f.describe(f.meta.replace(b'"rows":', b'"rows":"x","r":')),
}

AT_READING: dict[str, Callable[[Forgery], None]] = {
    "text wider than the footer says": setting("chunks", "width", len(TRADES.columns) + ID, 2),
    "enum beyond its words": holding(SIDE, lambda: b"\x03", constant.ID),
    "planes beyond their dictionary": holding(SIDE, lambda: b"\x03\x00\x01\x02\xff\xff\xff\xff", planes.ID),
    "pco of other values": holding(PRICE, lambda: pco.encode(np.arange(16.0)), pco.ID),
    "pco of too few values": holding(PRICE, lambda: pco.encode(np.arange(15)), pco.ID),
    "pco of too many values": holding(PRICE, lambda: pco.encode(np.arange(10**6)), pco.ID),
    "pco of nothing": holding(PRICE, lambda: b"", pco.ID),
    "raw of too few values": holding(PRICE, lambda: bytes(8 * 15), 0),
    "negative number text": holding(ID, lambda: pco.encode(np.arange(16) - 9), 4),
    "uuid of another width": holding(ID, lambda: bytes(16 * 16), 5),
    "bomb that tells no size": holding(ID, bomb, plain_text.ID),
    "bomb that tells its size": holding(ID, lambda: frame(bytes(10**8)), plain_text.ID),
    "frame that tells 2^40": holding(ID, lambda: frame(bytes(100), declared=2**40), plain_text.ID),
    "frame that tells too little": holding(ID, lambda: frame(bytes(10**8), declared=16), plain_text.ID),
    "frame of lengths that do not add up": holding(ID, lambda: frame(b"\x01" * 16), plain_text.ID),
    "frame with bytes after it": holding(ID, lambda: frame(bytes(16)) + b"x", plain_text.ID),
    "no frame": holding(ID, lambda: b"\x28\xb5\x2f\xfd", plain_text.ID),
    "bomb in the greatest block": great_block,
}

BY_VERIFYING: dict[str, Callable[[Forgery], None]] = {
    "times of another block": holding(1, lambda: np.full(16, sample.START + 5).tobytes(), 0),
    "low that no value has": setting("chunks", "low", PRICE, 0),
    "high that no value has": setting("chunks", "high", PRICE, 0),
    "null flag without nulls": null_flag_alone,
    "text narrower than the footer says": setting("chunks", "width", ID, 200),
    "an optional column that no part has": with_column(b"fee", 2),
    "a part with an optional column that is not there": described_as(b'"optional":[]', b'"optional":["fee"]'),
    "a part with an optional column that cannot be": described_as(b'"optional":[]', b'"optional":["x"]'),
    "no local times in a segment of another order": without_column(1),
    "another day": description(day="2024-01-02"),
    "another symbol": description(symbol="ETHUSDT"),
    "parts of too few rows": described_as(b'"rows":40', b'"rows":39'),
    "no day": description(day="nonsense"),
    "a day by its week": description(day="2024-W01-1"),
    "no feed": description(feed=""),
    "an exchange with a control character": description(exchange="a\x07"),
    "a group that is none": description(grouped=True),
    "a field twice": described_as(b'"feed":', b'"feed":"x","feed":'),
    "a field of a part twice": described_as(b'"rows":40', b'"rows":7,"rows":40'),
    "an unknown field twice": described_as(b'"feed":', b'"new":[{"a":1,"a":2}],"feed":'),
    "a part of less than no rows": one_part_more(rows=-3),
    "a part of less than no bytes": described_as(b'"bytes":1000', b'"bytes":-1'),
    "a part of less than no lines": described_as(b'"lines":40', b'"lines":-40'),
    "an interval that ends before it begins": one_part_more(interval=[5, 1]),
    "an interval beyond all times": one_part_more(interval=[1, 10**30]),
    "rows without an interval": one_part_more(rows=3),
    "an interval without rows": one_part_more(interval=[1, 2]),
    "a header that is not zero": not_zero("header", 0),
    "a trailer that is not zero": not_zero("trailer", 0),
    "a column that is not zero": not_zero("columns", 2),
    "a block that is not zero": not_zero("blocks", 1),
    "a chunk that is not zero": not_zero("chunks", 3),
}


def original(folder: Path) -> bytes:
    """Return a segment of trades in three blocks, its ids in plain_text."""
    cells = sample.random_cells(TRADES, 40, seed=5)
    cells["id"] = [b"ETH-%d" % number for number in range(40)]
    cells["price"] = [f"{42_000 + number}.5" for number in range(40)]
    path = sample.write(
        folder / "original.reel", TRADES, cells, block_rows=16, parts=[sample.part(TRADES, cells)]
    )
    return path.read_bytes()


def examine(path: Path) -> tuple[str, str, str]:
    """Return (when it was refused, the error's class, its text)."""
    when = "opening"
    try:
        segment = Segment.open(path)
        when = "reading"
        for block in range(len(segment.blocks)):
            for name in segment.record.names:
                segment.read(name, block)
        return "verifying", "", "\n".join(verify(segment))
    except (CorruptionError, FormatError) as error:
        return when, type(error).__name__, str(error)


def write_sparse(path: Path, data: bytes) -> None:
    """Write a file whose footer is 10^9 symbols long, all of it a hole."""
    size = 24 * 10**9
    trailer = np.frombuffer(fmt.pack_trailer(64, b""), fmt.TRAILER, 1).copy()
    trailer["footer_bytes"] = size
    trailer["checksum"] = fmt.checksum(trailer.tobytes()[:48])
    with open(path, "wb") as file:
        file.write(data[:64])
        file.seek(64 + size)
        file.write(trailer.tobytes())


def limit_memory(more: int) -> None:
    """Let this process have `more` bytes of address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def main(folder: Path) -> None:
    data = original(folder)
    forged = {}
    for name, forge in (AT_OPENING | AT_READING | BY_VERIFYING).items():
        forgery = Forgery(data)
        forge(forgery)
        forged[name] = forgery.pack()
    path = folder / "forged.reel"
    path.write_bytes(Forgery(data).pack())
    found: dict[str, Any] = {"untouched": examine(path)}
    write_sparse(folder / "sparse.reel", data)
    tracemalloc.start()
    for name in ("sparse", *forged):
        if name == "sparse":
            where = folder / "sparse.reel"
        else:
            where = path
            where.write_bytes(forged[name])
            if sys.platform == "linux":
                limit_memory(MEMORY_BYTES)
        tracemalloc.reset_peak()
        before, begun = tracemalloc.get_traced_memory()[0], time.process_time()
        result = examine(where)
        seconds = time.process_time() - begun
        found[name] = (*result, seconds, tracemalloc.get_traced_memory()[1] - before)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
