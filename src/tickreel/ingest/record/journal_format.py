"""The bytes of a journal: what JOURNAL.md draws; records to bytes and back, without I/O."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import xxhash

VERSION = 1
MAGIC = b"\xf7JRN"
"""No text in UTF-8 has its first byte: a message does not look like the beginning of a record."""
MAX_PAYLOAD_BYTES = 1 << 26
_HEADER = struct.Struct("<4sQIHHIq")
_CHECKED = struct.Struct("<IHHIq")
HEADER_BYTES = _HEADER.size
_CHECKED_FROM = HEADER_BYTES - _CHECKED.size


class Kind(IntEnum):
    """What a record's payload is: a message to the letter, a line of CSV, or JSON."""

    BEGIN = 1
    MESSAGE = 2
    CONNECT = 3
    DISCONNECT = 4
    GAP = 5
    NO_FILL = 6
    END = 7
    ROW = 8


class Record(NamedTuple):
    """One record.

    kind         a Kind, or the number of one that a later version wrote
    stream       place of its stream among those of the file's BEGIN
    number       MESSAGE, CONNECT, DISCONNECT: of the connection; GAP, NO_FILL: of the gap; ROW: see `fill_rows`
    received_ns  when it came to be here, ns UTC
    """

    kind: int
    stream: int
    number: int
    received_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes between whole records that are none: [start, end) of the file."""

    start: int
    end: int


def pack(kind: int, stream: int, number: int, received_ns: int, payload: bytes) -> bytes:
    """Return a record's bytes."""
    checked = _CHECKED.pack(len(payload), kind, stream, number, received_ns) + payload
    return MAGIC + xxhash.xxh3_64_intdigest(checked).to_bytes(8, "little") + checked


class Scan:
    """Reads the records of a file, given in pieces of any size.

    damage  what lay between whole records and is none
    whole   where the last whole record ends: what follows in the file is a torn tail
    Both are complete when `records` has ended. Memory is that of two pieces and the largest record.
    """

    def __init__(self) -> None:
        self.damage: list[Damage] = []
        self.whole = 0

    def records(self, pieces: Iterable[bytes]) -> Iterator[Record]:
        """Yield every whole record, in order; damaged bytes are passed over."""
        coming = iter(pieces)
        data, at, base = next(coming, b""), 0, 0
        bad_from: int | None = None
        ended = False
        while True:
            found = _record_at(data, at)
            if isinstance(found, Record):
                if bad_from is not None:
                    self.damage.append(Damage(bad_from, base + at))
                    bad_from = None
                at += HEADER_BYTES + len(found.payload)
                self.whole = base + at
                yield found
                continue
            if not found or ended:
                # No record begins here: the next one is where its magic is, and its checksum fits.
                bad_from = base + at if bad_from is None else bad_from
                following = data.find(MAGIC, at + 1)
                at = following if following >= 0 else max(at, len(data) - len(MAGIC) + 1)
                if following >= 0:
                    continue
                if ended:
                    return
            piece = next(coming, None)
            ended = piece is None
            data, base, at = data[at:] + (piece or b""), base + at, 0


def _record_at(data: bytes, at: int) -> Record | bool:
    """Return the record that begins at a place; True if there may be one and bytes are missing, else False."""
    if len(data) - at < HEADER_BYTES:
        return data.startswith(MAGIC[: len(data) - at], at)
    magic, checksum, length, kind, stream, number, received_ns = _HEADER.unpack_from(data, at)
    if magic != MAGIC or length > MAX_PAYLOAD_BYTES:
        return False
    end = at + HEADER_BYTES + length
    if end > len(data):
        return True
    if xxhash.xxh3_64_intdigest(data[at + _CHECKED_FROM : end]) != checksum:
        return False
    return Record(kind, stream, number, received_ns, data[at + HEADER_BYTES : end])
