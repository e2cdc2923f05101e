"""One segment's figures: reads it block by block; the task of a worker."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from tickreel.books.at import book_before
from tickreel.books.book import Book
from tickreel.books.book_kernel import BookRows
from tickreel.books.rows import RowReader
from tickreel.errors import InputError, TickreelError
from tickreel.quality.figures import OF_ONE_SYMBOL, Figures, Place, fold
from tickreel.quality.gaps import Together
from tickreel.quality.groups import Symbols, SymbolVerdict
from tickreel.quality.meter import Meter, percentiles
from tickreel.quality.rule import BAD, Verdict
from tickreel.quality.same import SameRows
from tickreel.quality.verdicts import judge, placed, worst_first
from tickreel.quality.watch import Watch
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.gaps import lagged, missed
from tickreel.store.reader import Segment
from tickreel.units import day_start

BOOK_TYPES = ("incremental_book_L2",)


class Measured(msgspec.Struct, frozen=True):
    """One segment's figures; `error` instead of them where it could not be read.

    places         kind -> where its first (gaps: longest) cases are; of a group: gaps alone
    of_symbols     of a group: what was found of its symbols, a verdict for each rule
    worst_symbols  of a group: some with a warning or worse, worst first
    """

    key: SegmentKey
    figures: Figures = {}
    places: dict[str, list[Place]] = {}
    of_symbols: list[Verdict] = []
    worst_symbols: list[SymbolVerdict] = []
    error: str | None = None

    def verdicts(self) -> list[Verdict]:
        """Return what is to be said of the segment by itself, worst first."""
        if self.error:
            return [Verdict("unreadable", BAD, f"cannot be read: {self.error}")]
        if not self.key.grouped:
            return [placed(verdict, self.figures, self.places) for verdict in judge(self.figures, self.key)]
        # Ids that import has seen before it counts of the file; what symbols show of them tells more.
        told = {verdict.rule for verdict in self.of_symbols}
        asked = judge(
            self.figures,
            self.key,
            only=lambda rule: rule.whole or (rule.name == "ids_twice" and rule.name not in told),
        )
        return worst_first(
            [*(placed(verdict, self.figures, self.places) for verdict in asked), *self.of_symbols]
        )


def measure_segments(arguments: dict[str, Any], progress: Callable[..., None]) -> list[Any]:
    """Measure some segments; the task of a worker. One that is gone is left out."""
    store, gap_ns = Store(arguments["store"]), arguments["gap_ns"]
    found = []
    for key in msgspec.convert(arguments["keys"], list[SegmentKey]):
        try:
            found.append(measure_segment(store, store.open(key), key, gap_ns))
        except FileNotFoundError:
            continue
        except TickreelError as error:
            found.append(Measured(key, error=str(error)))
        progress(segments=len(found))
    return msgspec.to_builtins(found)


def measure_segment(store: Store, segment: Segment, key: SegmentKey, gap_ns: int | None = None) -> Measured:
    """Return the figures of a segment. Raises CorruptionError.

    store   where it lies: an order book goes on with that of the day before
    gap_ns  threshold of a gap; None: the usual rule, see `gaps.usual_gap_ns`
    """
    meter = Meter(segment.record, day_start(key.day), gap_ns)
    together = Together(day_start(key.day), gap_ns) if key.grouped else None
    of_symbols = Symbols(key)
    symbols: list[Figures] = []
    places: dict[str, list[Place]] = {}
    for name, figures, places in _measured_symbols(store, segment, key, meter, together):
        symbols.append(figures)
        if key.grouped:
            of_symbols.add(name, figures, places)
    figures = fold(symbols) if symbols else {"rows": 0, "symbols": 0}
    if symbols and segment.record.has_local:
        figures |= percentiles(meter.offsets, figures["offset_min_ns"], figures["offset_max_ns"])
    figures |= _provenance(segment)
    if not key.grouped:
        if symbols:
            figures |= {name: symbols[0][name] for name in OF_ONE_SYMBOL if name in symbols[0]}
        return Measured(key, figures, places)
    gaps: list[Place] = []
    if symbols and together:
        pace, gaps = together.figures()
        figures |= pace
    return Measured(key, figures, {"gaps": gaps} if gaps else {}, of_symbols.verdicts(), of_symbols.worst)


def _measured_symbols(
    store: Store, segment: Segment, key: SegmentKey, meter: Meter, together: Together | None
) -> Iterator[tuple[str, Figures, dict[str, list[Place]]]]:
    """Yield the name of each symbol that has rows, with what was found in them."""
    reader = RowReader() if segment.record.name in BOOK_TYPES else None
    same_rows = SameRows(segment, segment.footer.symbols["row"].astype(np.int64))
    watch = _Watched(store, key)
    for block in range(len(segment.blocks)):
        columns = {name: segment.read(name, block) for name in meter.columns}
        columns.setdefault("local_ns", columns["exchange_ns"])
        again = same_rows.look(block)
        book_rows = _book_rows(reader, segment, block) if reader else None
        if together:
            together.add(columns["local_ns"])
        for symbol, rows, begins, ends in _parts(segment, block):
            meter.add({name: values[rows] for name, values in columns.items()}, again[rows])
            if reader:
                if begins:
                    watch.begin(symbol, is_snapshot=bool(columns["is_snapshot"][rows.start]))
                watch.add(book_rows, rows)
            if ends:
                figures, places = meter.finish()
                seen, places_seen = watch.finish() if reader else ({}, {})
                yield symbol, figures | seen, places | places_seen
                meter.begin()


def _book_rows(reader: RowReader, segment: Segment, block: int) -> tuple[BookRows, int] | None:
    """Return a block's rows for a book and the scale of their prices; None if no book can hold these."""
    try:
        return reader.read(segment, block)
    except InputError:
        return None


class _Watched:
    """The book of the symbol at hand; none from the first price on that no book can hold."""

    def __init__(self, store: Store, key: SegmentKey) -> None:
        self._store, self._key = store, key
        self._watch: Watch | None = None

    def begin(self, symbol: str, *, is_snapshot: bool) -> None:
        self._watch = Watch(None if is_snapshot else _known_book(self._store, self._key, symbol))

    def add(self, book_rows: tuple[BookRows, int] | None, rows: slice) -> None:
        if not self._watch:
            return
        if book_rows is None:
            self._watch = None
            return
        try:
            self._watch.add(*book_rows, rows.start, rows.stop)
        except InputError:
            self._watch = None

    def finish(self) -> tuple[Figures, dict[str, list[Place]]]:
        if not self._watch:
            return {"books_refused": 1}, {}
        figures, places = self._watch.finish()
        return figures | {"books_refused": 0}, places


def _known_book(store: Store, key: SegmentKey, symbol: str) -> Book | None:
    """Return the book that the rows of a symbol go on with, None if it is not known."""
    try:
        return book_before(store, key, symbol)
    except TickreelError:  # said of the day before, in its own line
        return None


def _parts(segment: Segment, block: int) -> Iterator[tuple[str, slice, bool, bool]]:
    """Yield the parts of a block by symbol: name, rows, whether the symbol begins and ends with them."""
    directory = segment.footer.symbols
    first = int(segment.blocks["row"][block])
    end = first + int(segment.blocks["rows"][block])
    starts = directory["row"].astype(np.int64)
    stops = starts + directory["rows"].astype(np.int64)
    for place in np.flatnonzero((starts < end) & (stops > first)).tolist():
        start, stop = int(starts[place]), int(stops[place])
        rows = slice(max(start, first) - first, min(stop, end) - first)
        yield segment.footer.names[place], rows, start >= first, stop <= end


def _provenance(segment: Segment) -> Figures:
    """Return what import said of the files, where it counted anything."""
    parts = segment.meta.parts

    def total(kind: str) -> int:
        return sum(part.odd[kind].count for part in parts if kind in part.odd)

    gaps, late = missed(parts), lagged(parts)
    found = {
        "parts": len(parts),
        "lines": sum(part.lines for part in parts),
        "set_aside": sum(finding.count for part in parts for finding in part.set_aside.values()),
        "missed": len(gaps),
        "missed_ns": sum(end - start for start, end in gaps),
        "lagged": sum(map(len, late.values())),
        "lagged_ns": sum(end - start for spans in late.values() for start, end in spans),
        "lag_declared_ns": max(late, default=0),
        "out_of_order": total("out_of_order"),
    }
    return found | ({"id_twice": total("id_twice")} if "id" in segment.record.names else {})
