"""One segment's figures: reads it block by block; the task of a worker."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from tickreel.books.at import book_before
from tickreel.books.book import Book
from tickreel.books.rows import RowReader
from tickreel.errors import TickreelError
from tickreel.quality.figures import OF_ONE_SYMBOL, Figures, Place, fold
from tickreel.quality.meter import Meter, percentiles
from tickreel.quality.times_kernel import keep_same, mark_same_times
from tickreel.quality.verdicts import Verdict, judge, worst
from tickreel.quality.watch import Watch
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment
from tickreel.units import day_start

WORST_SYMBOLS = 5
BOOK_TYPES = ("incremental_book_L2",)


class SymbolVerdict(msgspec.Struct, frozen=True):
    """The worst that was found of one symbol of a group."""

    symbol: str
    rows: int
    verdict: Verdict


class Measured(msgspec.Struct, frozen=True):
    """One segment's figures; `error` instead of them where it could not be read.

    places         kind -> where its first (gaps: longest) cases are
    worst_symbols  of a group: up to WORST_SYMBOLS with a warning or worse, worst first
    """

    key: SegmentKey
    figures: Figures = {}
    places: dict[str, list[Place]] = {}
    worst_symbols: list[SymbolVerdict] = []
    error: str | None = None


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
    """Return the figures of a segment. Raises CorruptionError, and InputError for prices that no book can hold.

    store   where it lies: an order book goes on with that of the day before
    gap_ns  threshold of a gap; None: the usual rule, see `meter.usual_gap_ns`
    """
    meter = Meter(segment.record, day_start(key.day), gap_ns)
    symbols: list[Figures] = []
    places: dict[str, list[Place]] = {}
    worst_symbols: list[SymbolVerdict] = []
    for name, figures, found in _measured_symbols(store, segment, key, meter):
        symbols.append(figures)
        places = found
        if key.grouped and (verdict := worst(judge(figures))):
            worst_symbols.append(SymbolVerdict(name, figures["rows"], verdict))
            worst_symbols.sort(key=lambda entry: (-entry.verdict.severity, -entry.rows, entry.symbol))
            del worst_symbols[WORST_SYMBOLS:]
    figures = fold(symbols) if symbols else {"rows": 0, "symbols": 0}
    if symbols:
        figures |= percentiles(meter.offsets, figures["offset_min_ns"], figures["offset_max_ns"])
    figures |= _provenance(segment)
    if not key.grouped and symbols:
        figures |= {name: symbols[0][name] for name in OF_ONE_SYMBOL if name in symbols[0]}
    return Measured(key, figures, {} if key.grouped else places, worst_symbols)


def _measured_symbols(
    store: Store, segment: Segment, key: SegmentKey, meter: Meter
) -> Iterator[tuple[str, Figures, dict[str, list[Place]]]]:
    """Yield the name of each symbol that has rows, with what was found in them."""
    reader = RowReader() if segment.record.name in BOOK_TYPES else None
    watch: Watch | None = None
    for block in range(len(segment.blocks)):
        columns = {name: segment.read(name, block) for name in meter.columns}
        same = equal_rows(segment, block)
        book_rows = reader.read(segment, block) if reader else None
        for symbol, rows, begins, ends in _parts(segment, block):
            if begins:
                same[rows.start] = False
            if begins and book_rows:
                is_snapshot = book_rows[0].is_snapshot[rows.start]
                watch = Watch(None if is_snapshot else _known_book(store, key, symbol))
            meter.add({name: values[rows] for name, values in columns.items()}, int(same[rows].sum()))
            if watch and book_rows:
                watch.add(*book_rows, rows.start, rows.stop)
            if ends:
                figures, places = meter.finish()
                yield symbol, figures | (watch.finish() if watch else {}), places
                meter.begin()


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


def equal_rows(segment: Segment, block: int) -> np.ndarray:
    """Return bool[n]: which rows of a block equal the row before in every column.

    Columns are decoded one by one, and only while a row is left that may be equal.
    """
    times = segment.read(segment.record.time, block)
    same = np.empty(len(times), np.bool_)
    left = mark_same_times(times, same)
    for name in segment.record.names:
        if left == 0:
            break
        values = np.ascontiguousarray(segment.read(name, block))
        word = np.dtype(np.int64 if values.dtype.itemsize % 8 == 0 else np.uint8)
        left = keep_same(values.view(word).reshape(len(values), -1), same)
    same[0] = block > 0 and all(
        segment.read(name, block - 1)[-1:].tobytes().rstrip(b"\0")
        == segment.read(name, block)[:1].tobytes().rstrip(b"\0")
        for name in (segment.record.time, *segment.record.names)
    )
    return same


def _provenance(segment: Segment) -> Figures:
    """Return what import said of the files, where it counted anything."""
    parts = segment.meta.parts

    def total(kind: str) -> int:
        return sum(part.odd[kind].count for part in parts if kind in part.odd)

    found = {
        "parts": len(parts),
        "set_aside": sum(finding.count for part in parts for finding in part.set_aside.values()),
        "out_of_order": total("out_of_order"),
    }
    return found | ({"id_twice": total("id_twice")} if "id" in segment.record.names else {})
