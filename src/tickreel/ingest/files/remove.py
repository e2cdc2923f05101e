"""Removes segments, and the files of rejects and records of sources that nothing refers to any more."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tickreel.books import checkpoints
from tickreel.errors import CorruptionError, FormatError, UsageError
from tickreel.ingest.files.places import FOLDER, Place, read_place
from tickreel.store import disk
from tickreel.store.catalog import SegmentKey, Store, WritingStore


def remove(
    store: Store, select: Callable[[], Iterable[SegmentKey]], *, chosen: bool, dry_run: bool
) -> dict[str, Any]:
    """Remove what `select` yields; return {"segments", "bytes", "dry_run"}.

    chosen  whether the user named anything; if not, UsageError
    """
    if not chosen:
        raise UsageError(
            "rm without any choice would remove everything; say what, or --all; --dry-run shows it"
        )
    if dry_run:
        keys = list(select())
    else:
        with store.writing() as writing:
            keys = list(select())
            size = _size(store, keys)
            writing.remove([store.path(key) for key in keys])
            writing.remove([path for key in keys for path in checkpoints.files_of(store, key)])
            for feed in sorted({key.feed for key in keys}):
                _remove_orphans(writing, feed)
            return {"segments": [str(key) for key in keys], "bytes": size, "dry_run": False}
    return {"segments": [str(key) for key in keys], "bytes": _size(store, keys), "dry_run": True}


def _size(store: Store, keys: list[SegmentKey]) -> int:
    return sum(store.path(key).stat().st_size for key in keys)


def _remove_orphans(store: WritingStore, feed: str) -> None:
    keys = set(store.find(feed=feed))
    kept: list[Place] = []
    for path in _files(store, feed, FOLDER):
        place = _needed(store, path, keys)
        if place:
            kept.append(place)
        else:
            disk.remove_file(path)
    store.remove(_unused_rejects(store, feed, keys, kept))
    if not keys:
        store.prune(store.root / feed / FOLDER)


def _needed(store: Store, path: Path, keys: set[SegmentKey]) -> Place | None:
    """Return a record that is of use: one of a segment that is there, or of a file that gave no row."""
    try:
        place = read_place(store, path)
    except CorruptionError:
        return None
    if place is None or not keys or (place.segments and keys.isdisjoint(place.segments)):
        return None
    return place


def _unused_rejects(store: Store, feed: str, keys: set[SegmentKey], places: list[Place]) -> list[Path]:
    try:
        used = {part.sha256 for key in keys for part in store.open(key).meta.parts}
    except (CorruptionError, FormatError):
        # What cannot be read may refer to any of them.
        return []
    used |= {place.sha256 for place in places}
    wanted = {store.rejects_path(feed, sha256) for sha256 in used}
    return [path for path in _files(store, feed, "rejects") if path not in wanted]


def _files(store: Store, feed: str, folder: str) -> list[Path]:
    path = store.root / feed / folder
    return sorted(path.iterdir()) if path.is_dir() else []
