"""The instrument files of a store: text under a checksum, replaced as a whole.

    <store>/instruments/okex-swap.jsonl   of one exchange: a line for each symbol, sorted
    <store>/instruments/user.toml         the user's own

The first line of each holds the format's number and the checksum of all that follows.
"""

import os
import re
from pathlib import Path

import msgspec

from tickreel.errors import CorruptionError, FormatError, TickreelError, disk_error
from tickreel.store import disk
from tickreel.store.catalog import Store, WritingStore
from tickreel.store.format import checksum
from tickreel.store.names import encode_exchange

FOLDER = "instruments"
USER_FILE = "user.toml"
FORMAT = 1
_HEADS = {
    ".jsonl": '{{"tickreel": "instruments", "format": {}, "checksum": "{:016x}"}}\n',
    ".toml": "# tickreel instruments, format {}, checksum {:016x}\n",
}


class _Line(msgspec.Struct):
    symbol: str
    file: str
    item: msgspec.Raw


_LINE = msgspec.json.Decoder(_Line)
_HEAD = re.compile(rb'format\W+(\d+)\W+checksum\W+([0-9a-f]{16})"?\}?')
_AGAIN = "import the instruments again (tickreel instruments import FILE)"


def exchange_file(exchange: str) -> str:
    """Return the name of the file of an exchange."""
    return encode_exchange(exchange) + ".jsonl"


def file_names(store: Store) -> list[str]:
    """Return the names of the instrument files that a store has, sorted."""
    folder = store.root / FOLDER
    try:
        return sorted(name for name in os.listdir(folder) if Path(name).suffix in _HEADS)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise disk_error(error, f"listing {folder}") from error


def read_file(store: Store, name: str) -> bytes | None:
    """Return what an instrument file holds below its first line, or None if it is not there.

    Raises CorruptionError if its checksum does not fit, FormatError if a newer version wrote it.
    """
    path = store.root / FOLDER / name
    try:
        with open(disk.open_beneath(store.root, [FOLDER, name]), "rb") as file:
            head, _, body = file.read().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
    match = _HEAD.search(head)
    if not match:
        raise CorruptionError(f"{path}: its first line holds no checksum; {_AGAIN}")
    if int(match[1]) != FORMAT:
        raise FormatError(f"{path}: format {int(match[1])}; this version reads {FORMAT}: upgrade tickreel")
    if int(match[2], 16) != checksum(body):
        raise CorruptionError(f"{path}: its checksum does not fit: it was changed; {_AGAIN}")
    return body


def write_file(store: WritingStore, name: str, body: bytes) -> None:
    """Put a file in the place of the one of that name, atomically, durable on return."""
    disk.make_folder(store.root / FOLDER, store.root)
    head = _HEADS[Path(name).suffix].format(FORMAT, checksum(body))
    disk.write_file(store.root / FOLDER / name, head.encode() + body, store.staging)


def item_line(symbol: str, file: str, item: bytes) -> bytes:
    """Return the line of one symbol: `item` as the provider gave it, and the name of the file it came in."""
    raw = msgspec.Raw(msgspec.json.format(item, indent=-1))
    return msgspec.json.encode({"symbol": symbol, "file": file, "item": raw}) + b"\n"


def split_lines(body: bytes) -> dict[str, bytes]:
    """Return symbol -> line of an exchange's file."""
    return {_LINE.decode(line).symbol: line for line in body.splitlines(keepends=True)}


def find_item(body: bytes, symbol: str) -> tuple[str, bytes] | None:
    """Return (file, item) of a symbol in an exchange's file, or None; a binary search over its lines."""
    low, high = 0, len(body)
    while low < high:
        begin = body.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = body.index(b"\n", begin) + 1
        line = _LINE.decode(body[begin:end])
        if line.symbol == symbol:
            return line.file, bytes(line.item)
        low, high = (end, high) if line.symbol < symbol else (low, begin)
    return None


def damaged_files(store: Store) -> list[str]:
    """Return what is wrong with the instrument files, as texts."""
    problems = []
    for name in file_names(store):
        try:
            read_file(store, name)
        except TickreelError as error:
            problems.append(str(error))
    return problems
