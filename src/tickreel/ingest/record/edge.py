"""Events near midnight: by them history's are known that another clock has in the day after, or before.

A day is sealed by itself. But an event that came before midnight may have come after it at the recorder whose history
fills the gap that follows: it would be in both days.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import zip_longest
from pathlib import Path

import msgspec

from tickreel.errors import disk_error
from tickreel.ingest.record.journal import message_files, read_begin, read_records
from tickreel.ingest.record.journal_format import Kind
from tickreel.ingest.record.overlap import digest
from tickreel.sources.machine import Rows, read_message
from tickreel.sources.machine_routes import REPLAYED
from tickreel.store import disk
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, day_start

EDGE_NS = 15 * NS_PER_S
"""How far from midnight: history's clock, the recorder's and the way differ by less."""
_ENDING = ".edge"


class Edges(msgspec.Struct):
    """The events of a day that came near its start and its end, as digests of their identity."""

    start: list[bytes] = []
    end: list[bytes] = []


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


def write_edges(path: Path, edges: Edges) -> None:
    """Write down, durably, the events of a day that are near its ends."""
    disk.write_file(path, msgspec.msgpack.encode(edges), path.parent)


def events_beside(folder: Path, tell: Callable[[str], None]) -> Counter[bytes]:
    """Return how often each event came, of those of the days before and after that are near a day's ends.

    tell  called with a sentence on a file that is damaged
    """
    start_ns = day_start(folder.name)
    before, after = _beside(folder, -NS_PER_DAY), _beside(folder, NS_PER_DAY)
    found = Counter(_near(before, start_ns) if before.exists() else _written(before, tell).end)
    found.update(_near(after, start_ns + NS_PER_DAY) if after.exists() else _written(after, tell).start)
    return found


def _beside(folder: Path, distance_ns: int) -> Path:
    return folder.with_name(day_of(day_start(folder.name) + distance_ns))


def _written(folder: Path, tell: Callable[[str], None]) -> Edges:
    path = edge_file(folder)
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Edges)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
    except msgspec.DecodeError as error:
        tell(
            f"{path}: damaged ({error}): an event near midnight that history has in the other day may be there twice"
        )
    return Edges()


def _near(folder: Path, midnight_ns: int) -> Iterator[bytes]:
    """Yield the events of a day's journal that came near one of its ends."""
    files = message_files(folder)
    for path, following in zip_longest(files, map(read_begin, files[1:])):
        if following and max(following.last.values(), default=midnight_ns) < midnight_ns - EDGE_NS:
            continue
        for _, record in read_records(path):
            if record.received_ns > midnight_ns + EDGE_NS:
                return
            if record.kind == Kind.MESSAGE and record.received_ns >= midnight_ns - EDGE_NS:
                yield from event(
                    read_message(record.payload, record.received_ns // 1_000), day_start(folder.name)
                )


def event(read: object, day_ns: int) -> Iterator[bytes]:
    """Yield the digest of what a message says, if it is of a day and history may have it too."""
    if isinstance(read, Rows) and read.type in REPLAYED and 0 <= read.local_us * 1_000 - day_ns < NS_PER_DAY:
        yield digest(f"{read.exchange},{read.identity}")
