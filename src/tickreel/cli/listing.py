"""What `ls` lists: rows, days and bytes by feed, type, exchange and symbol."""

from typing import Any

from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment


def listing(
    store: Store,
    *,
    feed: str | None,
    type: str | None,
    exchange: str | None,
    symbols: tuple[str, ...],
    days: bool,
) -> list[dict[str, Any]]:
    """Return one entry per symbol (per symbol and day with `days`), sorted; symbols inside groups too."""
    entries: dict[tuple[str, ...], dict[str, Any]] = {}
    for key in store.find(feed=feed, type=type, exchange=exchange):
        segment = store.open(key)
        for symbol, rows in _symbols(key, segment):
            if symbols and symbol not in symbols:
                continue
            name = (key.feed, key.type, key.exchange, symbol, key.day if days else "")
            entry = entries.setdefault(name, _entry(key, symbol))
            entry["to"] = key.day
            entry["days"] += 1
            entry["rows"] += rows
            # A group's bytes are shared out by rows.
            entry["bytes"] += (
                round(segment.file_bytes * rows / segment.rows) if segment.rows else segment.file_bytes
            )
    return [entries[name] for name in sorted(entries)]


def _symbols(key: SegmentKey, segment: Segment) -> list[tuple[str, int]]:
    counts = segment.footer.symbols["rows"].tolist()
    found = list(zip(segment.footer.names, counts, strict=True))
    return found or [(key.symbol, 0)]


def _entry(key: SegmentKey, symbol: str) -> dict[str, Any]:
    return {
        "feed": key.feed, "type": key.type, "exchange": key.exchange, "symbol": symbol,
        "group": key.symbol if key.grouped else None,
        "from": key.day, "to": key.day, "days": 0, "rows": 0, "bytes": 0,
    }  # fmt: skip
