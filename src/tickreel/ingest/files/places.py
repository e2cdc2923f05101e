"""Where the rows of a source lie: a small record for each path whose rows are not all where its name says.

A part of a segment names its source; a record names the segments of a source, so that a file that
comes again with other bytes is taken out of all of them. Records lie in FEED/sources. They may say
too much, never too little: what they say is looked up in the segments. The folder can be deleted as
a whole: the next import makes it again from the segments, without the fields that they cannot tell.
"""

import hashlib
from pathlib import Path

import msgspec

from tickreel.errors import CorruptionError, FailedError, InputError, UsageError, disk_error
from tickreel.sources.tardis_names import read_name
from tickreel.store import disk
from tickreel.store.catalog import SegmentKey, Store, WritingStore
from tickreel.store.format import Part
from tickreel.store.names import safe_path

FOLDER = "sources"


class Place(msgspec.Struct, frozen=True):
    """What is known of a path.

    sha256    the bytes that it had when it was last imported
    segments  every segment that may hold rows of it, sorted
    also      paths that brought the same bytes later: one of them inherits the rows if they leave this path
    """

    source: str
    type: str
    sha256: str
    segments: list[SegmentKey]
    also: list[str] = []


def named_key(feed: str, type: str, source: str) -> SegmentKey | None:
    """Return the segment that a path says, if it follows a convention, is of that type and can be stored."""
    name = read_name(source)
    if name is None or name.type != type:
        return None
    key = SegmentKey(feed, type, name.exchange, name.symbol, name.day, name.grouped)
    try:
        key.parts()
    except (InputError, UsageError):
        return None
    return key


class Places:
    """The records of one feed while its store's lock is held."""

    def __init__(self, store: WritingStore, feed: str) -> None:
        self._store = store
        self._feed = feed
        if feed in store.feeds() and not self._folder.is_dir():
            self._make_again()

    def find(self, type: str, source: str) -> Place | None:
        """Return the record of a path, or None if it has none."""
        return find_place(self._store, self._feed, type, source)

    def keep(self, place: Place) -> None:
        """Write a record durably, unless it is there."""
        path = self._path(place.type, place.source)
        if self.find(place.type, place.source) != place:
            disk.write_file(path, _packed(place), self._store.staging)

    def settle(self, place: Place) -> None:
        """Keep a record of a path that brought its rows itself; none is needed where its name tells all."""
        named = named_key(self._feed, place.type, place.source)
        if place.segments != [named] or place.also:
            self.keep(place)
        elif self.find(place.type, place.source):
            disk.remove_file(self._path(place.type, place.source))

    def claims(self, place: Place | None, sha256: str) -> list[str]:
        """Return the other paths that brought these bytes and have not come with others since."""
        if place is None:
            return []
        others = [self.find(place.type, source) for source in place.also]
        return sorted(other.source for other in others if other and other.sha256 == sha256)

    def begin(self) -> None:
        """Create the folder, so that it is known to hold every record that is needed."""
        disk.make_folder(self._folder, self._store.root)

    @property
    def _folder(self) -> Path:
        return self._store.root / self._feed / FOLDER

    def _path(self, type: str, source: str) -> Path:
        return _path(self._store, self._feed, type, source)

    def _make_again(self) -> None:
        """Write the records anew from what the segments say, all of them or none."""
        found: dict[tuple[str, str], dict[SegmentKey, str]] = {}
        for key in self._store.find(feed=self._feed):
            for part in parts_of(self._store, key):
                found.setdefault((key.type, part.source), {})[key] = part.sha256
        made = self._store.staging / FOLDER
        disk.make_folder(made, self._store.root)
        for (type, source), keys in found.items():
            if list(keys) != [named_key(self._feed, type, source)]:
                place = Place(source, type, max(keys.values()), sorted(keys))
                disk.write_file(made / self._path(type, source).name, _packed(place), self._store.staging)
        disk.publish([(made, self._folder)])


def find_place(store: Store, feed: str, type: str, source: str) -> Place | None:
    """Return the record of a path in a feed, or None if it has none."""
    return read_place(store, _path(store, feed, type, source))


def _path(store: Store, feed: str, type: str, source: str) -> Path:
    name = hashlib.sha256(f"{type}\n{source}".encode()).hexdigest()[:32]
    return store.root / safe_path([feed, FOLDER, f"{name}.json"])


def read_place(store: Store, path: Path) -> Place | None:
    """Return a record, or None if there is none. Links are not followed."""
    try:
        fd = disk.open_beneath(store.root, path.relative_to(store.root).parts)
    except FileNotFoundError:
        return None
    try:
        with open(fd, "rb") as file:
            return msgspec.json.decode(file.read(), type=Place)
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CorruptionError(
            f"{path} is damaged; remove the folder {path.parent}: the next import makes it again"
        ) from None


def parts_of(store: Store, key: SegmentKey) -> list[Part]:
    """Return the parts of a segment; none if it cannot be opened: what is wrong is said when it is written to."""
    try:
        return store.open(key).meta.parts
    except (FileNotFoundError, FailedError, UsageError):
        return []


def _packed(place: Place) -> bytes:
    return msgspec.json.encode(place, order="sorted")
