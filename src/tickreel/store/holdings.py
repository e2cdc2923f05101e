"""What a store holds of each feed, type, exchange and symbol: days, rows, bytes, which times, and what lies between."""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Any

from tickreel.errors import TickreelError
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_DAY, day_start

Span = tuple[int, int]
"""[from, to) in ns UTC."""


def holdings(store: Store) -> Iterator[dict[str, Any]]:
    """Yield an entry for each symbol's or group's files, sorted as `Store.find` does.

    intervals  from the first row of a file to its last, over all days that follow each other; a file without rows
               covers its day. Files that make up one day have an interval each
    gaps       what lies between the intervals
    damaged    errors of segments that cannot be opened: they count as days alone
    """
    for name, keys in groupby(
        store.find(), key=lambda key: (key.feed, key.type, key.exchange, key.symbol, key.grouped)
    ):
        yield dict(zip(("feed", "type", "exchange", "symbol", "group"), name, strict=True)) | _entry(
            store, list(keys)
        )


def _entry(store: Store, keys: list[SegmentKey]) -> dict[str, Any]:
    symbols = set[str]()
    rows = size = 0
    days: list[tuple[int, list[Span]]] = []
    damaged = []
    for key in keys:
        try:
            segment = store.open(key)
        except (TickreelError, FileNotFoundError) as error:
            damaged.append(str(error))
            continue
        symbols.update(segment.footer.names)
        rows += segment.rows
        size += segment.file_bytes
        days.append((day_start(key.day), list(_joined(_covered(segment, day_start(key.day))))))
    found = list(_over_midnight(days))
    return {
        "symbols": len(symbols), "from": keys[0].day, "to": keys[-1].day, "days": len(keys),
        "rows": rows, "bytes": size,
        "intervals": [{"from_ns": start, "to_ns": end} for start, end in found],
        "gaps": [{"from_ns": before[1], "to_ns": after[0]} for before, after in pairwise(found)],
        "damaged": damaged,
    }  # fmt: skip


def _covered(segment: Segment, day_ns: int) -> list[Span]:
    """Return the times of a segment's files, of one without rows the whole day; sorted."""
    spans = [part.interval for part in segment.meta.parts if part.interval is not None]
    return sorted(spans) or [(day_ns, day_ns + NS_PER_DAY)]


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans, those that touch or overlap as one; given sorted."""
    last: Span | None = None
    for start, end in spans:
        if last is not None and start <= last[1]:
            last = last[0], max(last[1], end)
            continue
        if last is not None:
            yield last
        last = start, end
    if last is not None:
        yield last


def _over_midnight(days: list[tuple[int, list[Span]]]) -> Iterator[Span]:
    """Yield the spans of ascending days, the last of a day and the first of the next as one."""
    before_ns, last = 0, None
    for day_ns, spans in days:
        for place, span in enumerate(spans):
            if last is not None and place == 0 and day_ns == before_ns + NS_PER_DAY:
                last = last[0], span[1]
                continue
            if last is not None:
                yield last
            last = span
        before_ns = day_ns
    if last is not None:
        yield last
