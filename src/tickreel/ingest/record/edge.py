"""Events near midnight: by them history's are known that another clock has in the day after, or before.

A day is sealed by itself. But an event that came before midnight may have come after it at the recorder whose history
fills the gap that follows: it would be in both days. So the messages near a day's ends stay, to the letter, when it is
sealed: what they are compared by is known when the day beside is.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

import msgspec

from tickreel.ingest.record.alike import Likeness
from tickreel.ingest.record.journal import Begin, StreamInfo, message_files, read_begin, read_records
from tickreel.ingest.record.journal_format import VERSION, Kind, Record, Scan, pack
from tickreel.ingest.record.overlap import digest
from tickreel.ingest.record.record_file import Write
from tickreel.sources.machine import Rows, read_message
from tickreel.sources.machine_routes import REPLAYED
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, day_start

EDGE_NS = 15 * NS_PER_S
"""How far from midnight: history's clock, the recorder's and the way differ by less."""
_ENDING = ".edge"
Likes = Mapping[str, Likeness]
"""Type -> what rows are compared by where history has no ids."""


def edge_file(folder: Path) -> Path:
    """Return the file of the first and last events of a day that is sealed; it is there until both days beside it are."""
    return folder.with_name(folder.name + _ENDING)


def remove_edges(folder: Path, sealed: Collection[str]) -> None:
    """Remove those files of a feed that no day needs any more. A day beside may be sealed late, or have no journal."""
    for path in folder.glob(f"*{_ENDING}"):
        day = path.with_suffix("")
        is_needed = any(_beside(day, distance_ns).exists() for distance_ns in (-NS_PER_DAY, NS_PER_DAY))
        if not is_needed and day.name < max(sealed, default=""):
            path.unlink()


class Edges:
    """Writes down the messages of a day that came near its ends and that history may have, too."""

    def __init__(self, day: str, write: Write) -> None:
        self._day, self._write = day, write
        self._start_ns = day_start(day)
        self._end_ns = self._start_ns + NS_PER_DAY
        self._asked: StreamInfo | None = None

    def take(self, asked: StreamInfo, record: Record, read: object) -> None:
        """Take a message of a stream. read: what it says."""
        at_ns = record.received_ns
        if self._start_ns + EDGE_NS < at_ns < self._end_ns - EDGE_NS or not _is_event(read, self._start_ns):
            return
        if asked != self._asked:
            self._asked = asked
            self._write(edges_head(self._day, asked))
        self._write(pack(Kind.MESSAGE, 0, record.number, at_ns, record.payload))


def edges_head(day: str, *streams: StreamInfo) -> bytes:
    """Return the record before the messages of a stream."""
    return pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(Begin(VERSION, "", day, [*streams])))


def events_beside(folder: Path, exchange: str, likes: Likes, tell: Callable[[str], None]) -> Counter[bytes]:
    """Return how often each event of an exchange came near a day's ends in the days before and after, by its `keys`.

    tell  called with a sentence on a file that is damaged
    """
    start_ns = day_start(folder.name)
    return Counter(
        key
        for distance_ns, midnight_ns in ((-NS_PER_DAY, start_ns), (NS_PER_DAY, start_ns + NS_PER_DAY))
        for of, rows in _near(_beside(folder, distance_ns), midnight_ns, tell)
        if of == exchange
        for key in keys(rows, likes)
    )


def keys(rows: Rows, likes: Likes) -> Iterator[bytes]:
    """Yield what stands for an event: its identity, if it has one, and what it is like, if rows are compared by that."""
    if rows.identity:
        yield digest(rows.identity)
    if likeness := likes.get(rows.type):
        yield digest(f"alike,{likeness.of(rows)}")


def _beside(folder: Path, distance_ns: int) -> Path:
    return folder.with_name(day_of(day_start(folder.name) + distance_ns))


def _near(day: Path, midnight_ns: int, tell: Callable[[str], None]) -> Iterator[tuple[str, Rows]]:
    """Yield the events of a day that came near one of its ends, with their exchange."""
    found = _of_journal(day, midnight_ns) if day.exists() else _of_edges(edge_file(day), tell)
    for begin, record in found:
        is_near = abs(record.received_ns - midnight_ns) <= EDGE_NS
        if is_near and record.kind == Kind.MESSAGE and record.stream < len(begin.streams):
            read = read_message(record.payload, record.received_ns // 1_000)
            if isinstance(read, Rows) and _is_event(read, day_start(day.name)):
                yield begin.streams[record.stream].exchange, read


def _of_journal(folder: Path, midnight_ns: int) -> Iterator[tuple[Begin, Record]]:
    """Yield the records of a day that is not sealed, without those of files and times far from midnight."""
    files = message_files(folder)
    for path, following in zip_longest(files, map(read_begin, files[1:])):
        if following and max(following.last.values(), default=midnight_ns) < midnight_ns - EDGE_NS:
            continue
        for begin, record in read_records(path):
            if record.received_ns > midnight_ns + EDGE_NS:
                return
            yield begin, record


def _of_edges(path: Path, tell: Callable[[str], None]) -> Iterator[tuple[Begin, Record]]:
    if not path.exists():
        return
    scan = Scan()
    yield from read_records(path, scan)
    if scan.damage or scan.whole < path.stat().st_size:
        tell(f"{path}: damaged: an event near midnight that history has in the other day may be there twice")


def _is_event(read: object, day_ns: int) -> bool:
    """Return whether a message is of a day, and one that history may have, too."""
    return (
        isinstance(read, Rows) and read.type in REPLAYED and 0 <= read.local_us * 1_000 - day_ns < NS_PER_DAY
    )
