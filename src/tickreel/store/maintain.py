"""Verifies, merges and describes segments that are already written."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tickreel.codecs.decimals import FLOAT_BITS, Decimals, from_floats, from_integers
from tickreel.errors import CorruptionError
from tickreel.schema import Kind
from tickreel.store.catalog import SegmentKey
from tickreel.store.format import BLOCK_ROWS, Meta, Part
from tickreel.store.reader import Segment
from tickreel.store.writer import Batch, SegmentWriter


class Source(NamedTuple):
    """A part of an open segment whose rows are wanted."""

    segment: Segment
    part: Part


def merge(key: SegmentKey, sources: list[Source], path: Path, *, block_rows: int = BLOCK_ROWS) -> int:
    """Write a durable segment of the rows of all parts to `path`; return the rows.

    The parts' intervals must be disjoint. The result depends on the parts alone, not on the order
    in which they came or on how they lay in their segments.
    """
    ordered = sorted(sources, key=lambda source: (source.part.interval or (0, 0), source.part.source))
    parts = [source.part for source in ordered]
    meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, parts)
    symbols = sorted({name for source in ordered for name in source.segment.footer.names}, key=str.encode)
    directory = []
    with SegmentWriter(path, ordered[0].segment.record, block_rows=block_rows) as writer:
        for symbol in symbols:
            before = writer.rows
            for segment, part in ordered:
                for batch in _rows_of_part(segment, symbol, part):
                    writer.append(batch)
            if writer.rows > before:
                directory.append((symbol, writer.rows - before))
        rows = writer.rows
        writer.finish(meta, directory)
    return rows


def verify(segment: Segment) -> Iterator[str]:
    """Yield what does not hold in a segment; every byte and every invariant is looked at.

    Checksums of all chunks, decoding, the padding, the bounds in the footer, the order of rows,
    and the provenance against the rows. A CorruptionError names file, block and column.
    """
    where, record, footer = segment.path, segment.record, segment.footer
    if not segment.padding_is_zero():
        yield f"{where}: bytes between blocks are not zero"
    edges = {int(row) for row in footer.symbols["row"]}
    last = np.iinfo(np.int64).min
    for block in range(len(segment.blocks)):
        row = int(segment.blocks["row"][block])
        try:
            for place, column in enumerate(record.columns):
                values = segment.read(column.name, block)
                yield from _verify_values(segment, block, place, values)
            times = segment.read(record.time, block)
        except CorruptionError as error:
            yield str(error)
            continue
        if (int(times.min()), int(times.max())) != (
            int(segment.blocks["first_ns"][block]),
            int(segment.blocks["last_ns"][block]),
        ):
            yield f"{where}: block {block}: its first and last time are not those of the footer"
        steps = np.diff(times, prepend=last) if row not in edges else np.diff(times, prepend=times[:1])
        backwards = [row + int(at) for at in np.flatnonzero(steps < 0) if row + int(at) not in edges]
        if backwards:
            yield f"{where}: block {block}: row {backwards[0]} is before the row before it"
        last = int(times[-1])
    parts = segment.meta.parts
    if parts and sum(part.rows for part in parts) != segment.rows:
        yield f"{where}: its parts have {sum(part.rows for part in parts)} rows, the segment {segment.rows}"
    intervals = sorted(part.interval for part in parts if part.interval)
    if any(a[1] > b[0] for a, b in zip(intervals, intervals[1:], strict=False)):
        yield f"{where}: the intervals of its parts overlap"
    if intervals and (intervals[0][0], intervals[-1][1]) != (footer.first_ns, footer.last_ns + 1):
        yield f"{where}: the intervals of its parts are not those of its rows"


def _verify_values(segment: Segment, block: int, place: int, values: np.ndarray) -> Iterator[str]:
    column = segment.record.columns[place]
    chunk = segment.footer.chunks[block, place]
    where = f"{segment.path}: block {block}, column {column.name}"
    if column.kind is Kind.TEXT:
        return
    if column.kind is Kind.ENUM and int(values.max()) >= len(column.choices):
        yield f"{where}: value {int(values.max())} where {len(column.choices)} are known"
    bounds = values
    if column.kind is Kind.DECIMAL:
        integers, scale = segment.integers(column.name, block)
        bounds = integers.view(np.float64) if scale == FLOAT_BITS else integers
    low, high = bounds.min(), bounds.max()
    if bounds.dtype.kind == "f":
        low, high = np.float64(low).view(np.int64), np.float64(high).view(np.int64)
    if (int(low), int(high)) != (int(chunk["low"]), int(chunk["high"])):
        yield f"{where}: its least and greatest value are not those of the footer"


def _rows_of_part(segment: Segment, symbol: str, part: Part) -> Iterator[Batch]:
    place = segment.symbol_rows(symbol)
    if place is None or part.interval is None:
        return
    time = segment.record.time
    for block in range(len(segment.blocks)):
        row, rows = int(segment.blocks["row"][block]), int(segment.blocks["rows"][block])
        start, stop = max(place[0] - row, 0), min(place[1] - row, rows)
        if start >= stop:
            continue
        times = segment.read(time, block)[start:stop]
        first, last = (start + int(at) for at in np.searchsorted(times, part.interval))
        if first < last:
            yield {name: _stored(segment, name, block, slice(first, last)) for name in segment.record.names}


def _stored(segment: Segment, name: str, block: int, rows: slice) -> "np.ndarray | Decimals":
    """Return rows of a column as the writer wants them, decimals with their digits."""
    if segment.record.column(name).kind is not Kind.DECIMAL:
        return segment.read(name, block)[rows]
    integers, scale = segment.integers(name, block)
    if scale == FLOAT_BITS:
        return from_floats(integers.view(np.float64)[rows])
    return from_integers(integers[rows], scale)
