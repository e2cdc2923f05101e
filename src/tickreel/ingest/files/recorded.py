"""What a recorder brought of a day: its segments' parts say it, and whether there is a journal yet."""

from dataclasses import dataclass

from tickreel.ingest.files.places import parts_of
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.gaps import missed

JOURNALS = ".journal"
"""Folder of a store in which days lie, FEED/DAY, until they are sealed for good."""
_SCHEME = "record://"


def source(feed: str, type: str, exchange: str, day: str) -> str:
    """Return the lasting name of what a recorder brought of a day, of all symbols."""
    return f"{_SCHEME}{feed}/{type}/{exchange}/{day}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a recorded day. gaps: that no history has filled; sealed: for good."""

    gaps: int
    sealed: bool

    @property
    def lacks(self) -> str:
        """What is missing of it, "" if nothing is known to be."""
        if not self.sealed:
            return "it is recorded, and not sealed for good yet"
        gaps = "1 gap that is" if self.gaps == 1 else f"{self.gaps:,} gaps that are"
        return f"it was recorded, with {gaps} not filled" if self.gaps else ""


def find_recorded(store: Store, key: SegmentKey) -> Recorded | None:
    """Return what a recorder brought of a segment, None if none did."""
    parts = [part for part in parts_of(store, key) if part.source.startswith(_SCHEME)]
    if not parts:
        return None
    return Recorded(len(missed(parts)), not (store.root / JOURNALS / key.feed / key.day).exists())
