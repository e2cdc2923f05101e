"""What lies in the journal of a feed: its folder and lock, the files of a day, and what they tell.

`<store>/.journal/<feed>/<day>/`; JOURNAL.md draws the files. A journal has a lock of its own, one recorder
a feed, and needs none of the store's: imports and switches go on beside it.
"""

import contextlib
import fcntl
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tickreel.errors import FormatError, LockedError, disk_error
from tickreel.ingest.record.journal_format import VERSION, Damage, Kind, Record, Scan
from tickreel.store import disk, names
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, day_of, day_start

FOLDER = ".journal"
EVENTS = "events.journal"
_PIECE_BYTES = 1 << 22
_FILLS = re.compile(r"fill-\d{6}\.journal")
_MESSAGES = re.compile(r"\d{6}\.journal")


class StreamInfo(msgspec.Struct, frozen=True):
    """What a stream was asked for. called: what its provider calls the exchange, if that is another name."""

    exchange: str
    symbols: list[str]
    types: list[str]
    called: str = ""


class Begin(msgspec.Struct, frozen=True):
    """The first record of a file.

    last  when the latest message of each exchange that day had come, as the file begins
    gaps  of a fill: the gaps that it is about
    """

    version: int
    feed: str
    day: str
    streams: list[StreamInfo]
    last: dict[str, int] = {}
    gaps: list[int] = []


class GapNote(msgspec.Struct, frozen=True):
    """A time of which a stream's messages are missing: [from_ns, to_ns) within one day."""

    exchange: str
    from_ns: int
    to_ns: int
    reason: str


class Note(msgspec.Struct, frozen=True):
    """The payload of the other events."""

    exchange: str
    text: str = ""


@dataclass(slots=True)
class DayState:
    """What the files of a day tell about it.

    last         exchange -> when its latest message came, ns
    gaps         by number; history filled those in `filled`, and those in `settled` will not be, for a reason
    ended        exchanges that were followed to the end of the day
    connections  number of the latest connection
    troubles     what is wrong with the files, for people
    """

    day: str
    streams: list[StreamInfo] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    gaps: dict[int, GapNote] = field(default_factory=dict)
    filled: set[int] = field(default_factory=set)
    settled: dict[int, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    connections: int = 0
    connected: dict[str, list[int]] = field(default_factory=dict)
    """Exchange -> when the first message of each of its connections came, ns."""
    files: int = 0
    """Number of the latest file of messages."""
    troubles: list[str] = field(default_factory=list)

    def known_until(self) -> dict[str, int]:
        """Return until when it is known of each exchange what came and what is missing, ns."""
        until = dict(self.last)
        until |= dict.fromkeys(self.ended, day_start(self.day) + NS_PER_DAY)
        for gap in self.gaps.values():
            until[gap.exchange] = max(gap.to_ns, until.get(gap.exchange, gap.to_ns))
        return until


def journal_folder(store: Store, feed: str) -> Path:
    """Return where a feed's journal lies."""
    return store.root / FOLDER / names.check_feed(feed)


def journal_feeds(store: Store) -> list[str]:
    """Return the feeds that have a journal, sorted."""
    try:
        found = [
            entry.name for entry in os.scandir(store.root / FOLDER) if entry.is_dir(follow_symlinks=False)
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


def is_day(name: str) -> bool:
    """Return whether a text is a day that rows can be of: YYYY-MM-DD in the years 2000 to 2099."""
    try:
        return name.startswith("20") and day_of(day_start(name)) == name
    except ValueError:
        return False


def message_files(folder: Path) -> list[Path]:
    """Return a day's files of messages, in their order."""
    return sorted(path for path in folder.iterdir() if _MESSAGES.fullmatch(path.name))


def fill_file(folder: Path, gap: int) -> Path:
    """Return the file of what history gave for a gap, and others near it; it is there once all of it is."""
    return folder / f"fill-{gap:06d}.journal"


def read_fills(folder: Path) -> dict[Path, list[int]]:
    """Return a day's files of what history gave, each with the gaps that it is about: none if its head is damaged."""
    found = {}
    for path in sorted(folder.iterdir()):
        if _FILLS.fullmatch(path.name):
            head = next(Scan().records(_pieces(path)), None)
            found[path] = _begin(path, head).gaps if head and head.kind == Kind.BEGIN else []
    return found


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
    path: Path, scan: Scan | None = None, *, size: int | None = None
) -> Iterator[tuple[Begin, Record]]:
    """Yield the records of a file behind its first, each with that first one.

    scan  knows at the end what was damaged
    size  how much of the file is read, None: to its end
    Raises FormatError where a newer tickreel wrote the file; nothing comes where the first record is damaged.
    """
    begin: Begin | None = None
    for record in (scan or Scan()).records(_pieces(path, size)):
        if record.kind == Kind.BEGIN:
            begin = _begin(path, record)
        elif begin:
            yield begin, record


def _begin(path: Path, record: Record) -> Begin:
    begin = msgspec.json.decode(record.payload, type=Begin)
    if begin.version > VERSION:
        raise FormatError(
            f"{path}: journal of version {begin.version}, this tickreel reads {VERSION}: upgrade"
        )
    return begin


def _pieces(path: Path, size: int | None = None) -> Iterator[bytes]:
    left = sys.maxsize if size is None else size
    try:
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(min(left, _PIECE_BYTES)):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error


def read_state(folder: Path, *, mend: bool = False, events_alone: bool = False) -> DayState:
    """Return what is known of a day from its events and its last file of messages.

    mend  cut torn tails off, durably: a recorder that was killed wrote them. Else one is taken for what a recorder
          is writing now
    events_alone  `last` is then not known
    """
    state = DayState(folder.name)
    events = folder / EVENTS
    if events.exists():
        for begin, record in _mended(events, state, mend=mend):
            state.streams = begin.streams
            _take_event(state, begin, record)
    for gaps in read_fills(folder).values():
        state.filled.update(gaps)
    files = message_files(folder)
    state.files = int(files[-1].name[:6]) if files else 0
    for path in () if events_alone else files[-1:]:
        for begin, record in _mended(path, state, mend=mend):
            if not state.last:
                state.last = dict(begin.last)
            if record.kind == Kind.MESSAGE:
                state.last[begin.streams[record.stream].exchange] = record.received_ns
    return state


def _mended(path: Path, state: DayState, *, mend: bool) -> Iterator[tuple[Begin, Record]]:
    scan = Scan()
    yield from read_records(path, scan)
    size = path.stat().st_size
    state.troubles += [damaged(path, place) for place in scan.damage]
    if mend and size > scan.whole:
        state.troubles.append(
            f"{path}: its last {size - scan.whole} bytes are no whole record: the recorder was killed while it wrote"
        )
        _cut(path, scan.whole)


def damaged(path: Path, place: Damage) -> str:
    """Say that bytes of a journal cannot be read."""
    return f"{path}: bytes {place.start} to {place.end} are damaged: the messages in them are lost"


def _cut(path: Path, size: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.ftruncate(fd, size)
            disk.sync_file(fd, str(path))
        finally:
            os.close(fd)
    except OSError as error:
        raise disk_error(error, f"mending {path}") from error


def _take_event(state: DayState, begin: Begin, record: Record) -> None:
    if record.kind == Kind.CONNECT:
        state.connections = max(state.connections, record.number)
        exchange = begin.streams[record.stream].exchange
        state.connected.setdefault(exchange, []).append(record.received_ns)
    elif record.kind == Kind.GAP:
        state.gaps[record.number] = msgspec.json.decode(record.payload, type=GapNote)
    elif record.kind == Kind.NO_FILL:
        state.settled[record.number] = msgspec.json.decode(record.payload, type=Note).text
    elif record.kind == Kind.END:
        state.ended.add(begin.streams[record.stream].exchange)
