"""Frames on a pipe between an executor and its worker: a length, uint32 little-endian, then msgpack.

to a worker     Call
from a worker   Ready, once; then for each Call some ProgressNotes and one Reply
"""

import os

import msgspec

from tickreel.compute import plain
from tickreel.compute.call import Numbers, Reply

_LENGTH_BYTES = 4
_MOST_BYTES = plain.LIMIT_BYTES + 10_000


class Call(msgspec.Struct, frozen=True):
    """What to run; `arguments` as packed by `plain.encode`."""

    function: str
    arguments: bytes


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The worker has started."""


class ProgressNote(msgspec.Struct, tag=True, frozen=True):
    """What a task reported on its way."""

    numbers: Numbers


Note = Ready | ProgressNote | Reply

_encoder = msgspec.msgpack.Encoder()
_notes: msgspec.msgpack.Decoder[Note] = msgspec.msgpack.Decoder(Note)
_calls = msgspec.msgpack.Decoder(Call)


def send(fd: int, message: Call | Note) -> None:
    """Write a message whole; raises BrokenPipeError if nobody reads."""
    body = _encoder.encode(message)
    rest = memoryview(len(body).to_bytes(_LENGTH_BYTES, "little") + body)
    while rest:
        rest = rest[os.write(fd, rest) :]


def receive_call(fd: int) -> Call | None:
    """Wait for a call; None when the other end is closed."""
    head = _read(fd, _LENGTH_BYTES)
    body = _read(fd, int.from_bytes(head, "little")) if head else b""
    return _calls.decode(body) if body else None


def _read(fd: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = os.read(fd, count - len(data))
        if not part:
            return b""
        data += part
    return bytes(data)


class NoteParser:
    """Cuts the bytes of a worker's pipe, as they come, into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, part: bytes) -> list[Note]:
        """Return the messages that are complete; raises msgspec.DecodeError for anything else."""
        self._data += part
        notes: list[Note] = []
        while len(self._data) >= _LENGTH_BYTES:
            length = int.from_bytes(self._data[:_LENGTH_BYTES], "little")
            if length > _MOST_BYTES:
                raise msgspec.DecodeError(f"a message of {length:,} bytes, {_MOST_BYTES:,} are allowed")
            end = _LENGTH_BYTES + length
            if len(self._data) < end:
                break
            notes.append(_notes.decode(self._data[_LENGTH_BYTES:end]))
            del self._data[:end]
        return notes
