"""A segment that is being written from a file, and what is known of it when it is finished."""

import msgspec

from tickreel.ingest.files.inspect import Inspector, Tally
from tickreel.sources.csv_batch import RowBatch
from tickreel.store.catalog import SegmentKey
from tickreel.store.format import Meta, Part
from tickreel.store.writer import SegmentWriter


class Staged(msgspec.Struct, frozen=True):
    """One finished segment file that waits to be published."""

    feed: str
    type: str
    exchange: str
    symbol: str
    day: str
    grouped: bool
    file: str
    rows: int

    @property
    def key(self) -> SegmentKey:
        return SegmentKey(self.feed, self.type, self.exchange, self.symbol, self.day, self.grouped)


class OpenSegment:
    """A segment being written, with its directory of symbols and its findings."""

    def __init__(self, key: SegmentKey, day: int, writer: SegmentWriter, inspector: Inspector) -> None:
        self.key, self.day, self.writer = key, day, writer
        self.tally = Tally()
        self._inspector = inspector
        self.symbols: list[tuple[str, int]] = []
        self.interval: tuple[int, int] | None = None
        self._begun = 0

    def begin_symbol(self, symbol: str) -> None:
        self._inspector.next_symbol()
        self.symbols.append((symbol, 0))
        self._begun = self.writer.rows

    def append(self, rows: RowBatch) -> None:
        times = rows.times
        first, last = int(times[0]), int(times[-1])
        start, end = self.interval or (first, last + 1)
        self.interval = (min(start, first), max(end, last + 1))
        self._inspector.look(rows, self.tally)
        self.writer.append(rows.columns)

    def end_symbol(self) -> None:
        self.symbols[-1] = (self.symbols[-1][0], self.writer.rows - self._begun)

    def finish(self, part: Part) -> Staged:
        key = self.key
        meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, [part])
        rows = self.writer.rows
        self.writer.finish(meta, self.symbols)
        return Staged(
            key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, str(self.writer.path), rows
        )
