"""How much was brought into a feed, by what its segments say of where their rows come from."""

from dataclasses import dataclass

from tickreel.store.catalog import Store


@dataclass(frozen=True, slots=True)
class Volumes:
    """trades: rows of trades; messages: of all other types; files: each counted once; bytes: of those files; days: UTC days."""

    trades: int
    messages: int
    files: int
    bytes: int
    days: int


def volumes(store: Store, feed: str) -> Volumes:
    """Return what all segments of a feed hold and came from. Raises CorruptionError."""
    trades = messages = size = 0
    files = set[tuple[str, str]]()
    days = set[str]()
    for key in store.find(feed=feed):
        segment = store.open(key)
        trades += segment.rows if key.type == "trades" else 0
        messages += segment.rows if key.type != "trades" else 0
        days.add(key.day)
        for part in segment.meta.parts:
            file = (part.source, part.sha256)
            size += part.bytes if file not in files else 0
            files.add(file)
    return Volumes(trades, messages, len(files), size, len(days))
