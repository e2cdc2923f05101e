"""Removes segments, and the rejects files that nothing refers to any more."""

from collections.abc import Callable, Iterable
from typing import Any

from tickreel.books import checkpoints
from tickreel.errors import UsageError
from tickreel.store.catalog import SegmentKey, Store


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
            writing.remove([path for feed in {key.feed for key in keys} for path in _orphans(store, feed)])
            return {"segments": [str(key) for key in keys], "bytes": size, "dry_run": False}
    return {"segments": [str(key) for key in keys], "bytes": _size(store, keys), "dry_run": True}


def _size(store: Store, keys: list[SegmentKey]) -> int:
    return sum(store.path(key).stat().st_size for key in keys)


def _orphans(store: Store, feed: str) -> list[Any]:
    folder = store.root / feed / "rejects"
    if not folder.is_dir():
        return []
    used = {
        store.rejects_path(feed, part.sha256)
        for key in store.find(feed=feed)
        for part in store.open(key).meta.parts
    }
    return sorted(path for path in folder.iterdir() if path not in used)
