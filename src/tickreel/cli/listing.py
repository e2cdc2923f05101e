"""What `ls` lists: rows, days and bytes by feed, type, exchange and symbol."""

from typing import Any

from tickreel.errors import UsageError
from tickreel.schema import MARKET_TYPES
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
    if type is not None and type not in MARKET_TYPES:
        raise UsageError(f"--type {type}: known are {', '.join(MARKET_TYPES)}")
    if feed is not None and feed not in store.feeds():
        raise UsageError(f"--feed {feed}: the store has {', '.join(store.feeds()) or 'none'}")
    entries: dict[tuple[str, ...], dict[str, Any]] = {}
    missing = dict.fromkeys(symbols)
    for key in store.find(feed=feed, type=type, exchange=exchange):
        if symbols and not (key.grouped or _named(key.exchange, key.symbol) & set(symbols)):
            continue
        segment = store.open(key)
        for symbol, rows in _symbols(key, segment):
            found = _named(key.exchange, symbol) & set(symbols)
            if symbols and not found:
                continue
            for name in found:
                missing.pop(name, None)
            place = (key.feed, key.type, key.exchange, symbol, key.day if days else "")
            entry = entries.setdefault(place, _entry(key, symbol))
            entry["to"] = key.day
            entry["days"] += 1
            entry["rows"] += rows
            # A group's bytes are shared out by rows.
            entry["bytes"] += (
                round(segment.file_bytes * rows / segment.rows) if segment.rows else segment.file_bytes
            )
    if missing:
        raise UsageError(
            f"{', '.join(missing)}: not in the store; tickreel ls without --symbols lists what is"
        )
    return [entries[name] for name in sorted(entries)]


def _named(exchange: str, symbol: str) -> set[str]:
    return {symbol, f"{exchange}:{symbol}"}


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
