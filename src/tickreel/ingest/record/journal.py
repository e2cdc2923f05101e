"""Where the journal of a feed lies: its folder and lock, the files of a day, their records.

`<store>/.journal/<feed>/<day>/`; JOURNAL.md draws the files. A journal has a lock of its own, one recorder
a feed, and needs none of the store's: imports and switches go on beside it.
"""

import contextlib
import fcntl
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from tickreel.errors import FormatError, LockedError, disk_error
from tickreel.ingest.files.recorded import JOURNALS
from tickreel.ingest.record.journal_format import VERSION, Kind, Record, Scan
from tickreel.store import disk, names
from tickreel.store.catalog import Store
from tickreel.units import day_of, day_start

EVENTS = "events.journal"
DAMAGED = ".damaged"
"""Ends the name of the folder of a day that is sealed, whose journal had bytes that could not be read."""
_PIECE_BYTES = 1 << 22
_HEAD_BYTES = 1 << 14
_FILLS = re.compile(r"fill-\d{6}\.journal")
_MESSAGES = re.compile(r"\d{6}\.journal")


class StreamInfo(msgspec.Struct, frozen=True):
    """What a stream was asked for. called: what its provider calls the exchange, if that is another name."""

    exchange: str
    symbols: list[str]
    types: list[str]
    called: str = ""


Part = tuple[str, str, str]
"""Exchange, record type and symbol; "" stands for all symbols of an exchange."""


def parts(info: StreamInfo) -> list[Part]:
    """Return what a stream was asked for, one by one."""
    return [(info.exchange, type, symbol) for type in info.types for symbol in info.symbols or [""]]


def together(some: Iterable[Part]) -> list[StreamInfo]:
    """Return parts as what can be asked for: all symbols of an entry with all its types."""
    symbols: dict[tuple[str, str], set[str]] = {}
    for exchange, type, symbol in some:
        symbols.setdefault((exchange, type), set()).add(symbol)
    types: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (exchange, type), found in symbols.items():
        names = () if "" in found else tuple(sorted(found))
        types.setdefault((exchange, names), []).append(type)
    return [StreamInfo(exchange, list(names), of) for (exchange, names), of in types.items()]


class Begin(msgspec.Struct, frozen=True):
    """The first record of a file.

    streams  what was asked for; of a fill of history
    last     when the latest message of each exchange that day had come, as the file begins
    gaps     of a fill: the gaps that it is about
    lags_ns  of a fill: type -> the declared delay, after its exchange time, of rows that have no local time
    """

    version: int
    feed: str
    day: str
    streams: list[StreamInfo]
    last: dict[str, int] = {}
    gaps: list[int] = []
    lags_ns: dict[str, int] = {}


class GapNote(msgspec.Struct, frozen=True):
    """A time of which a stream's messages are missing: [from_ns, to_ns) within one day.

    symbols, types  what they are missing of, as it was asked for then; no symbols: all
    """

    exchange: str
    from_ns: int
    to_ns: int
    reason: str
    symbols: list[str]
    types: list[str]

    @property
    def asked(self) -> StreamInfo:
        return StreamInfo(self.exchange, self.symbols, self.types)


class Note(msgspec.Struct, frozen=True):
    """The payload of the other events."""

    exchange: str
    text: str = ""


def journal_folder(store: Store, feed: str) -> Path:
    """Return where a feed's journal lies."""
    return store.root / JOURNALS / names.check_feed(feed)


def journal_feeds(store: Store) -> list[str]:
    """Return the feeds that have a journal, sorted."""
    try:
        found = [
            entry.name for entry in os.scandir(store.root / JOURNALS) if entry.is_dir(follow_symlinks=False)
        ]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if names.is_feed(name))


def journal_days(folder: Path) -> list[str]:
    """Return the days that a feed's journal has, sorted."""
    try:
        found = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if is_day(name))


def kept_journals(folder: Path) -> dict[str, Path]:
    """Return the journals of a feed that were damaged, and are kept though their day is sealed: day -> folder."""
    paths = sorted(folder.glob(f"*{DAMAGED}")) if folder.is_dir() else []
    return {path.stem: path for path in paths if is_day(path.stem)}


def is_day(name: str) -> bool:
    """Return whether a text is a day that rows can be of: YYYY-MM-DD in the years 2000 to 2099."""
    try:
        return name.startswith("20") and day_of(day_start(name)) == name
    except ValueError:
        return False


def message_files(folder: Path) -> list[Path]:
    """Return a day's files of messages, in their order."""
    return sorted(path for path in folder.iterdir() if _MESSAGES.fullmatch(path.name))


def first_message(path: Path) -> Record | None:
    """Return the first whole message of a file."""
    records = Scan().records(_pieces(path, piece_bytes=_HEAD_BYTES))
    return next((record for record in records if record.kind == Kind.MESSAGE), None)


def fill_file(folder: Path, gap: int) -> Path:
    """Return the file of what history gave for a gap, and others near it; it is there once all of it is."""
    return folder / f"fill-{gap:06d}.journal"


def fill_number(path: Path) -> int:
    """Return the number of the gap that such a file is named by."""
    return int(path.stem[-6:])


def read_fills(folder: Path) -> dict[Path, Begin]:
    """Return a day's files of what history gave, each with its head; one that is damaged is about no gap."""
    paths = sorted(path for path in folder.iterdir() if _FILLS.fullmatch(path.name))
    return {path: read_begin(path) or Begin(VERSION, "", folder.name, []) for path in paths}


@contextlib.contextmanager
def feed_lock(store: Store, feed: str) -> Iterator[Path]:
    """Hold the right to record a feed; yield its folder. LockedError names the process that has it."""
    folder = journal_folder(store, feed)
    disk.make_root(store.root)
    disk.make_folder(folder, store.root)
    path = folder / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise disk_error(error, f"opening {path}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 100, 0).decode("ascii", "replace").partition("\n")[0]
            raise LockedError(
                f"feed {feed} of {store.root} is being recorded by process {holder or 'unknown'};"
                " stop that one, or record another provider"
            ) from None
        mine = f"{os.getpid()}\n".encode()
        os.pwrite(lock, mine, 0)
        os.ftruncate(lock, len(mine))
        yield folder
    finally:
        os.close(lock)


def read_records(
    path: Path, scan: Scan | None = None, *, size: int | None = None, spare: Begin | None = None
) -> Iterator[tuple[Begin, Record]]:
    """Yield the records of a file behind its first, each with that first one.

    scan   knows at the end what was damaged
    size   how much of the file is read, None: to its end
    spare  stands for a first record that is damaged; None: nothing comes then
    Raises FormatError where a newer tickreel wrote the file.
    """
    begin = spare
    for record in (scan or Scan()).records(_pieces(path, size)):
        if record.kind == Kind.BEGIN:
            begin = _begin(path, record)
        elif begin:
            yield begin, record


def read_begin(path: Path) -> Begin | None:
    """Return the first record of a file, None if it is damaged."""
    head = next(Scan().records(_pieces(path, piece_bytes=_HEAD_BYTES)), None)
    return _begin(path, head) if head and head.kind == Kind.BEGIN else None


def _begin(path: Path, record: Record) -> Begin:
    begin = msgspec.json.decode(record.payload, type=Begin)
    if begin.version > VERSION:
        raise FormatError(
            f"{path}: journal of version {begin.version}, this tickreel reads {VERSION}: upgrade"
        )
    return begin


def _pieces(path: Path, size: int | None = None, *, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes]:
    left = sys.maxsize if size is None else size
    try:
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(min(left, piece_bytes)):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
