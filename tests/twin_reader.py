"""Reads a segment file in plain Python, slowly: written after FORMAT.md alone, to prove it complete."""

import json
import struct
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import xxhash
import zstandard
from pcodec import standalone

TIME, DECIMAL, FLOAT, INT, ENUM, TEXT = 1, 2, 3, 4, 5, 6
EMPTY = -(2**63)


class Rejected(Exception):
    """The bytes are no segment."""


@dataclass
class Tape:
    """A whole segment in memory; `columns` holds Python values, empty numbers as NaN."""

    kinds: dict[str, int]
    columns: dict[str, list[Any]]
    symbols: list[tuple[str, int, int]]
    block_rows: list[int]
    description: dict[str, Any]


@dataclass
class Head:
    """The first table of the footer."""

    rows: int
    first_ns: int
    last_ns: int
    blocks: int
    columns: int
    symbols: int
    names_bytes: int
    meta_bytes: int
    block_rows: int


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Rejected(what)


def checksum(data: bytes) -> int:
    return xxhash.xxh3_64_intdigest(data, seed=0)


def read_tape(data: bytes) -> Tape:
    """Return everything that a segment's bytes say; Rejected if FORMAT.md does not allow them."""
    must(len(data) >= 128, "too short")
    magic, reader_version, _, _, check = struct.unpack("<8sHH44sQ", data[:64])
    must(magic == bytes.fromhex("895245454C0D0A1A") and check == checksum(data[:56]), "header")
    must(reader_version <= 1, "needs a newer reader")
    place, length, footer_check, _, check, magic = struct.unpack("<QQQ24sQ8s", data[-64:])
    must(magic == b"REEL.END" and check == checksum(data[-64:-16]), "trailer")
    must(place >= 64 and place + length + 64 == len(data) and length <= 64 << 20, "footer's place")
    footer = data[place : place + length]
    must(footer_check == checksum(footer), "footer's checksum")
    return _read_footer(data, place, footer)


def _read_footer(data: bytes, place: int, footer: bytes) -> Tape:
    must(len(footer) >= 48, "head")
    head = Head(*struct.unpack("<QqqIIIIII", footer[:48]))
    sizes = [48, 48 * head.columns, 32 * head.blocks, 48 * head.blocks * head.columns, 24 * head.symbols]
    sizes += [head.names_bytes, head.meta_bytes]
    must(sum(sizes) == len(footer), "tables")
    tables = [footer[sum(sizes[:number]) : sum(sizes[: number + 1])] for number in range(7)]
    _, columns, blocks, chunks, symbols, names, meta = tables
    kinds = {
        name.rstrip(b"\0").decode("ascii"): kind for name, kind, _ in struct.iter_unpack("<40sB7s", columns)
    }
    block_rows = _read_blocks(head, blocks)
    values: dict[str, list[Any]] = {name: [] for name in kinds}
    end = 64
    found = list(struct.iter_unpack("<QQQqqBBBB4s", chunks))
    for number, rows in enumerate(block_rows):
        for position, (name, kind) in enumerate(kinds.items()):
            offset, length, check, *about, _ = found[number * len(kinds) + position]
            must(offset == end and offset + length <= place, "a chunk's place")
            chunk = data[offset : offset + length]
            end = offset + length + -length % 8
            must(check == checksum(chunk), "a chunk's checksum")
            must(not any(data[offset + length : end]), "padding")
            values[name] += _read_chunk(kind, chunk, rows, *about)
    must(end == place, "bytes between the chunks and the footer")
    directory = _read_symbols(head, symbols, names)
    times = [ns for _, _, _, first, last in struct.iter_unpack("<QI4sqq", blocks) for ns in (first, last)]
    must(len(directory) != 1 or times == sorted(times), "blocks of one symbol in order of time")
    return Tape(kinds, values, directory, block_rows, json.loads(meta))


def _read_blocks(head: Head, table: bytes) -> list[int]:
    counts, firsts, lasts, row = [], [], [], 0
    for number, (start, rows, _, first, last) in enumerate(struct.iter_unpack("<QI4sqq", table)):
        must(start == row and first <= last, "blocks in order")
        whole = rows == head.block_rows
        must(whole or (number == head.blocks - 1 and 1 <= rows < head.block_rows), "a block's length")
        row += rows
        counts.append(rows)
        firsts.append(first)
        lasts.append(last)
    must(1 <= head.block_rows <= 131_072 and row == head.rows, "rows")
    must((min(firsts, default=0), max(lasts, default=0)) == (head.first_ns, head.last_ns), "times")
    return counts


def _read_symbols(head: Head, table: bytes, names: bytes) -> list[tuple[str, int, int]]:
    found, row, end = [], 0, 0
    for start, rows, offset, length in struct.iter_unpack("<QQII", table):
        must(start == row and offset == end, "symbols in order")
        row, end = row + rows, end + length
        found.append((names[offset:end].decode("utf-8"), start, rows))
    must(row == head.rows and end == len(names), "symbols share all rows")
    encoded = [name.encode() for name, _, _ in found]
    must(encoded == sorted(set(encoded)), "symbols ascend")
    return found


def _read_chunk(
    kind: int, chunk: bytes, rows: int, low: int, high: int, codec: int, scale: int, nulls: int, width: int
) -> list[Any]:
    """Return the values of a chunk as a user reads them."""
    must(scale == 0 or (kind == DECIMAL and (scale <= 22 or scale == 127)), "scale")
    must(nulls == 0 or (nulls == 1 and kind in (TIME, DECIMAL)), "nulls")
    must(width == (1 if kind == ENUM else 8) if kind != TEXT else width >= 1, "width")
    if kind == TEXT:
        return _read_texts(codec, chunk, rows, width)
    if kind == ENUM:
        return _read_enums(codec, chunk, rows)
    floats = kind == FLOAT or scale == 127
    values = _read_numbers(codec, chunk, rows, "d" if floats else "q")
    empty = [value for value in values if (value != value if floats else value == EMPTY)]
    if kind in (TIME, DECIMAL):
        must(bool(empty) == bool(nulls), "nulls")
    _check_bounds(values, bool(floats), low, high)
    if kind == DECIMAL and not floats:
        return [nan if value == EMPTY else value / 10**scale for value in values]
    return values


def _check_bounds(values: list[Any], floats: bool, low: int, high: int) -> None:
    if floats:
        low, high = struct.unpack("<dd", struct.pack("<qq", low, high))
        if any(value != value for value in values):
            must(low != low and high != high, "bounds")
            return
    must((low, high) == (min(values), max(values)), "bounds")


def _read_numbers(codec: int, chunk: bytes, rows: int, letter: str) -> list[Any]:
    must(codec in (0, 1, 2) or (codec in (7, 9) and letter == "q"), "codec")
    if codec == 7:
        return _read_patched(chunk, rows)
    if codec == 9:
        base, step = struct.unpack_from("<2q", chunk)
        steps = _read_pco(chunk[16:], rows, "<i4")
        must(0 < step < 2**62 and min(steps) >= 0 and base + step * max(steps) < 2**63, "stepped")
        return [base + step * number for number in steps]
    if codec == 2:
        return _read_pco(chunk, rows, "<f8" if letter == "d" else "<i8")
    count = rows if codec == 0 else 1
    must(len(chunk) == 8 * count, "raw or constant")
    return list(struct.unpack(f"<{count}{letter}", chunk)) * (rows // count)


def _read_pco(chunk: bytes, rows: int, dtype: str) -> list[Any]:
    out = np.zeros(rows, dtype)
    progress = standalone.simple_decompress_into(chunk, out)
    must(progress.finished and progress.n_processed == rows, "pco")
    return out.tolist()


def _read_patched(chunk: bytes, rows: int) -> list[int]:
    must(len(chunk) >= 88 and len(chunk) % 8 == 0, "patched")
    mode, layers, *numbers = struct.unpack("<11q", chunk[:88])
    widths, counts, (base, step, least) = numbers[:3], numbers[3:6], numbers[6:]
    must(mode in (0, 1, 2) and layers in (1, 2, 3) and counts[0] == rows and step > 0, "patched")
    must(
        not any(widths[layers:]) and not any(counts[layers:]) and max(widths) <= 32 and sum(widths) <= 64,
        "patched",
    )
    pieces, at = -(-rows // 4096), 88
    tables = []
    for length, letter in _patched_tables(mode, layers, widths, counts, pieces):
        size = struct.calcsize(f"<{length}{letter}")
        must(at + size <= len(chunk), "patched")
        tables.append(struct.unpack(f"<{length}{letter}", chunk[at : at + size]))
        at += -(-size // 8) * 8
    must(at == len(chunk), "patched")
    firsts, starts_1, starts_2, *words, bits_0, bits_1 = tables
    packed, going = [_unpacked(*layer) for layer in zip(words, widths, counts, strict=True)], (bits_0, bits_1)
    for number, starts in ((1, starts_2), (0, starts_1)):
        if number + 1 < layers:
            goes_on = [going[number][p >> 6] >> (p & 63) & 1 for p in range(64 * len(going[number]))]
            must(sum(goes_on[: counts[number]]) == counts[number + 1], "patched: bits")
            edges = range(0, rows, 4096) if number == 0 else starts_1
            must(list(starts) == [sum(goes_on[:edge]) for edge in edges], "patched: starts")
            rest = iter(packed[number + 1])
            for p in range(counts[number]):
                packed[number][p] |= next(rest) << widths[number] if goes_on[p] else 0
    values: list[int] = []
    for row, p in enumerate(packed[0]):
        if mode == 0:
            s = p
        elif row % 4096 == 0:
            must(p == 0, "patched: first of a piece")
            s = firsts[row // 4096]
        else:
            s += p + least if mode == 1 else (p >> 1 if p % 2 == 0 else -(p >> 1) - 1)
        values.append((base + step * s + 2**63) % 2**64 - 2**63)
    return values


def _patched_tables(
    mode: int, layers: int, widths: list[int], counts: list[int], pieces: int
) -> list[tuple[int, str]]:
    """Return the length and letter of each table after the head."""
    found = [
        (pieces if mode else 0, "q"),
        (pieces if layers > 1 else 0, "I"),
        (pieces if layers > 2 else 0, "I"),
    ]
    found += [
        (64 * -(-(-(-count // 64)) * width // 32), "I") for width, count in zip(widths, counts, strict=True)
    ]
    return found + [(-(-counts[layer] // 64) if layer + 1 < layers else 0, "Q") for layer in (0, 1)]


def _unpacked(words: tuple[int, ...], width: int, count: int) -> list[int]:
    """Return the numbers of a layer: each lane's words are one long number."""
    lanes = [sum(word << 32 * place for place, word in enumerate(words[lane::64])) for lane in range(64)]
    return [lanes[p % 64] >> (p // 64) * width & (1 << width) - 1 for p in range(count)]


def _read_enums(codec: int, chunk: bytes, rows: int) -> list[int]:
    must(codec in (0, 1, 2, 3), "codec")
    if codec == 2:
        return _read_pco(chunk, rows, "<u1")
    if codec == 3:
        return _read_planes(chunk, rows)
    count = rows if codec == 0 else 1
    must(len(chunk) == count, "raw or constant")
    return list(chunk) * (rows // count)


def _read_planes(chunk: bytes, rows: int) -> list[int]:
    distinct = chunk[0] or 256
    words = chunk[1 : 1 + distinct]
    must(all(a < b for a, b in zip(words, words[1:], strict=False)), "planes ascend")
    planes = (distinct - 1).bit_length()
    stride = (rows + 7) // 8
    must(len(chunk) == 1 + distinct + planes * stride, "planes")
    values = []
    for row in range(rows):
        position = 0
        for plane in range(planes):
            byte = chunk[1 + distinct + plane * stride + row // 8]
            position |= (byte >> (7 - row % 8) & 1) << plane
        must(position < distinct, "planes")
        values.append(words[position])
    return values


def _read_texts(codec: int, chunk: bytes, rows: int, width: int) -> list[bytes]:
    must(codec in (1, 4, 5, 6, 8), "codec")
    if codec == 1:
        must(len(chunk) == width, "constant")
        return [chunk.rstrip(b"\0")] * rows
    if codec == 4:
        texts = [b"%d" % number for number in _read_numbers(2, chunk, rows, "q")]
        must(all(text.isdigit() and len(text) <= 18 for text in texts), "number_text")
    elif codec == 8:
        first, count, jumps, *places = struct.unpack(f"<{len(chunk) // 8}q", chunk)
        must(count == rows and len(places) == 2 * jumps, "counted_text")
        steps = dict(zip(places[:jumps], places[jumps:], strict=True))
        numbers = [first]
        for row in range(1, rows):
            numbers.append(numbers[-1] + steps.get(row, 1))
        texts = [b"%d" % number for number in numbers]
    elif codec == 5:
        must(width == 36 and len(chunk) == 16 * rows, "uuid_text")
        texts = [_uuid(chunk[16 * row : 16 * row + 16].hex()) for row in range(rows)]
    else:
        body = zstandard.ZstdDecompressor().decompress(chunk)
        ends = [rows]
        for length in body[:rows]:
            ends.append(ends[-1] + length)
        must(ends[-1] == len(body), "plain_text")
        texts = [body[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    must(max(1, *map(len, texts)) == width, "width")
    return texts


def _uuid(digits: str) -> bytes:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])).encode()
