"""Chooses segments and says where their bytes are."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tickreel.codecs import CODECS
from tickreel.errors import UsageError
from tickreel.schema import MARKET_TYPES, RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.gaps import LaggedSum, missed
from tickreel.store.names import readings
from tickreel.units import NS_PER_DAY, format_time


def select(
    store: Store,
    *,
    feed: str | None = None,
    type: str | None = None,
    exchange: str | None = None,
    symbols: tuple[str, ...] = (),
    from_ns: int | None = None,
    to_ns: int | None = None,
    whole_days: bool = False,
) -> Iterator[SegmentKey]:
    """Yield the keys that match. `symbols` may be "EXCHANGE:SYMBOL" and name groups.

    whole_days  UsageError if a time is not a midnight
    Raises UsageError for a name that is not there, or that is there only within a group, and for a range of
    time with no day in it.
    """
    check_names(store, feed=feed, type=type, exchange=exchange)
    for name, ns in (("--from", from_ns), ("--to", to_ns)):
        if whole_days and ns is not None and ns % NS_PER_DAY:
            raise UsageError(
                f"{name} {format_time(ns)}: days are kept or removed as a whole; give a midnight"
            )
    wanted = dict.fromkeys(symbols, False)
    groups = []
    empty = True
    for key in store.find(feed=feed, type=type, exchange=exchange, from_ns=from_ns, to_ns=to_ns):
        names = [name for name in (key.symbol, f"{key.exchange}:{key.symbol}") if name in wanted]
        if not wanted or names:
            wanted.update(dict.fromkeys(names, True))
            empty = False
            yield key
        elif key.grouped:
            groups.append(key)
    timed = (from_ns, to_ns) != (None, None)
    missing = [name for name, found in wanted.items() if not found]
    for name in missing:
        if group := _group_of(store, groups, name):
            raise UsageError(
                f"{name} lies in a group's file with other symbols ({group}): it can be taken only with them;"
                f" name the group, {group.exchange}:{group.symbol}"
            )
    if missing:
        when = " in that time" if timed else ""
        raise UsageError(f"{', '.join(missing)}: not in the store{when}; tickreel ls lists what is")
    if empty and timed:
        days = [key.day for key in store.find(feed=feed, type=type, exchange=exchange)]
        have = f"{min(days)} to {max(days)}" if days else "none"
        raise UsageError(f"no day lies in that range of time; the days that there are: {have}")


def check_names(
    store: Store, *, feed: str | None = None, type: str | None = None, exchange: str | None = None
) -> None:
    """Raise UsageError for a name of which the store holds nothing, with the names of what it holds."""
    if next(store.find(feed=feed, type=type, exchange=exchange), None) is not None:
        return
    if feed is not None and feed not in store.feeds():
        raise UsageError(f"--feed {feed}: the store has {', '.join(store.feeds()) or 'none'}")
    if type is not None:
        if type not in MARKET_TYPES:
            raise UsageError(f"--type {type}: known are {', '.join(MARKET_TYPES)}")
        _refuse_unknown("--type", type, {key.type for key in store.find(feed=feed)})
    if exchange is not None:
        found = {key.exchange for key in store.find(feed=feed, type=type)}
        _refuse_unknown("--exchange", exchange, found)


def _refuse_unknown(option: str, name: str, found: set[str]) -> None:
    if name not in found:
        have = ", ".join(sorted(found)) or "nothing"
        raise UsageError(f"{option} {name}: nothing of that is in the store; it has {have}")


def _group_of(store: Store, groups: list[SegmentKey], name: str) -> SegmentKey | None:
    """Return the first group's segment with rows of "[EXCHANGE:]SYMBOL"."""
    for key in groups:
        asked = [symbol for exchange, symbol in readings(name) if exchange in (None, key.exchange)]
        if any(store.open(key).symbol_rows(symbol) for symbol in asked):
            return key
    return None


def describe(store: Store, keys: Iterable[SegmentKey]) -> list[dict[str, Any]]:
    """Return, per record type, rows, bytes, and per column of its segments bytes per row, ratio and codecs.

    ratio  bytes in memory (a text counts with its own length) to bytes stored
    """
    types: dict[str, _Sum] = {}
    for key in keys:
        types.setdefault(key.type, _Sum(key.type)).add(store, key)
    return [types[name].document() for name in sorted(types)]


class _Sum:
    """Sums over the segments of one record type."""

    def __init__(self, type: str) -> None:
        self._record = RECORD_TYPES[type].widest
        self._segments = self._rows = self._bytes = self._source_bytes = self._gaps = self._gaps_ns = 0
        self._lagged = LaggedSum()
        columns = len(self._record.columns)
        self._stored = np.zeros(columns, np.int64)
        self._memory = np.zeros(columns, np.int64)
        self._found: set[str] = set()
        self._codecs: list[dict[str, int]] = [{} for _ in range(columns)]

    def add(self, store: Store, key: SegmentKey) -> None:
        segment = store.open(key)
        chunks, rows = segment.footer.chunks, segment.blocks["rows"].astype(np.int64)
        places = [self._record.places[name] for name in segment.record.names]
        self._segments += 1
        self._rows += segment.rows
        self._bytes += segment.file_bytes
        self._source_bytes += sum(part.bytes for part in segment.meta.parts)
        gaps = missed(segment.meta.parts)
        self._gaps += len(gaps)
        self._gaps_ns += sum(end - start for start, end in gaps)
        self._lagged.add(segment.meta.parts)
        self._stored[places] += chunks["length"].sum(axis=0).astype(np.int64)
        self._memory[places] += (chunks["width"].astype(np.int64) * rows[:, None]).sum(axis=0)
        self._found.update(segment.record.names)
        for own, place in enumerate(places):
            for codec, count in zip(chunks["codec"][:, own].tolist(), rows.tolist(), strict=True):
                name = CODECS[codec].NAME
                self._codecs[place][name] = self._codecs[place].get(name, 0) + count

    def document(self) -> dict[str, Any]:
        rows = max(self._rows, 1)
        columns = []
        for name in filter(self._found.__contains__, self._record.names):
            place = self._record.places[name]
            stored = int(self._stored[place])
            columns.append(
                {
                    "column": name, "bytes": stored, "bytes_per_row": stored / rows,
                    "share": stored / max(self._bytes, 1), "ratio": float(self._memory[place]) / max(stored, 1),
                    "codecs": {codec: count / rows for codec, count in sorted(self._codecs[place].items())},
                }
            )  # fmt: skip
        return {
            "type": self._record.name, "segments": self._segments, "rows": self._rows, "bytes": self._bytes,
            "bytes_per_row": self._bytes / rows, "source_bytes_per_row": self._source_bytes / rows,
            "gaps": self._gaps, "gaps_ns": self._gaps_ns, "lagged": self._lagged.documents(),
            "columns": columns,
        }  # fmt: skip
