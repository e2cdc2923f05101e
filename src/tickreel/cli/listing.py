"""What `ls` lists: rows, days and bytes by feed, type, exchange and symbol."""

from typing import Any

from tickreel.errors import TickreelError, UsageError
from tickreel.ingest.record.journal import journal_days, journal_feeds, journal_folder, kept_journals
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.describe import check_names
from tickreel.store.gaps import LaggedSum, missed
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
    """Return one entry per symbol (per symbol and day with `days`), sorted; symbols inside groups too.

    A segment that cannot be opened counts as a day without rows, with its error in `damaged`; one of a
    group stands under the group's name.
    """
    check_names(store, feed=feed, type=type, exchange=exchange)
    entries: dict[tuple[str, ...], dict[str, Any]] = {}
    lagged: dict[tuple[str, ...], LaggedSum] = {}
    missing = dict.fromkeys(symbols)
    for key in store.find(feed=feed, type=type, exchange=exchange):
        if symbols and not (key.grouped or _named(key.exchange, key.symbol) & set(symbols)):
            continue
        segment, damage = _opened(store, key)
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
            entry["damaged"] += damage
            entry["days_without_local"] += segment is not None and not segment.record.has_local
            for start, end in missed(segment.meta.parts) if segment else ():
                entry["gaps"] += 1
                entry["gaps_ns"] += end - start
            lagged.setdefault(place, LaggedSum()).add(segment.meta.parts if segment else ())
            if segment is None:
                entry["bytes"] += store.path(key).stat().st_size
            else:  # a group's bytes are shared out by rows
                share = rows / segment.rows if segment.rows else 1
                entry["bytes"] += round(segment.file_bytes * share)
    if missing:
        raise UsageError(
            f"{', '.join(missing)}: not in the store; tickreel ls without --symbols lists what is"
        )
    return [entries[name] | {"lagged": lagged[name].documents()} for name in sorted(entries)]


def unsealed(store: Store) -> list[dict[str, Any]]:
    """Return what lies in journals and is not sealed for good: one entry per feed and day, sorted."""
    found = []
    for feed in journal_feeds(store):
        for day in journal_days(journal_folder(store, feed)):
            size = sum(path.stat().st_size for path in (journal_folder(store, feed) / day).glob("*.journal"))
            found.append({"feed": feed, "day": day, "bytes": size})
    return found


def kept(store: Store) -> list[dict[str, Any]]:
    """Return the journals that were damaged, and are kept though their day is sealed: sorted."""
    return [
        {"feed": feed, "day": day, "bytes": sum(file.stat().st_size for file in path.iterdir()), "path": str(path)}
        for feed in journal_feeds(store)
        for day, path in kept_journals(journal_folder(store, feed)).items()
    ]  # fmt: skip


def _named(exchange: str, symbol: str) -> set[str]:
    return {symbol, f"{exchange}:{symbol}"}


def _opened(store: Store, key: SegmentKey) -> tuple[Segment | None, list[str]]:
    """Return the segment, or None with what is wrong with it."""
    try:
        return store.open(key), []
    except TickreelError as error:
        return None, [str(error)]


def _symbols(key: SegmentKey, segment: Segment | None) -> list[tuple[str, int]]:
    if segment is None:
        return [(key.symbol, 0)]
    counts = segment.footer.symbols["rows"].tolist()
    found = list(zip(segment.footer.names, counts, strict=True))
    return found or [(key.symbol, 0)]


def _entry(key: SegmentKey, symbol: str) -> dict[str, Any]:
    return {
        "feed": key.feed, "type": key.type, "exchange": key.exchange, "symbol": symbol,
        "group": key.symbol if key.grouped else None,
        "from": key.day, "to": key.day, "days": 0, "days_without_local": 0, "rows": 0, "bytes": 0, "gaps": 0, "gaps_ns": 0,
        "damaged": [],
    }  # fmt: skip
