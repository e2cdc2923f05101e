"""Verifies and merges segments that are already written."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tickreel.codecs.choice import Purpose
from tickreel.codecs.decimals import (
    FLOAT_BITS,
    MAX_MANTISSA,
    NULL_MANTISSA,
    Decimals,
    from_floats,
    from_integers,
)
from tickreel.errors import CorruptionError, InputError
from tickreel.schema import GROUPS, NULL_TIME, RECORD_TYPES, Kind, RecordType
from tickreel.store.catalog import SegmentKey
from tickreel.store.format import (
    AGAIN,
    BLOCK_ROWS,
    COLUMN,
    FOOTER,
    HEADER,
    TRAILER,
    WRITER_VERSION,
    Meta,
    Part,
    bounds,
)
from tickreel.store.names import encode_exchange, encode_symbol, is_feed
from tickreel.store.reader import Segment
from tickreel.store.writer import Batch, SegmentWriter
from tickreel.units import day_of, day_start


class Source(NamedTuple):
    """A part of an open segment whose rows are wanted."""

    segment: Segment
    part: Part


def merge(
    key: SegmentKey,
    sources: list[Source],
    path: Path,
    *,
    block_rows: int = BLOCK_ROWS,
    optimise: Purpose = "balanced",
) -> int:
    """Write a durable segment of the rows of all parts to `path`; return the rows.

    The parts' intervals must be disjoint, and all with rows on one clock. The result depends on the parts
    alone, not on the order in which they came or on how they lay in their segments: it has the optional
    columns that one of them has.
    """
    ordered = sorted(sources, key=lambda source: (source.part.interval or (0, 0), source.part.source))
    parts = [source.part for source in ordered]
    meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, parts)
    symbols = sorted({name for source in ordered for name in source.segment.footer.names}, key=str.encode)
    record = _shape_of(key.type, ordered)
    readers = [_PartRows(source, record) for source in ordered]
    directory = []
    with SegmentWriter(path, record, block_rows=block_rows, optimise=optimise) as writer:
        for symbol in symbols:
            before = writer.rows
            for reader in readers:
                for batch in reader.of(symbol):
                    writer.append(batch)
            if writer.rows > before:
                directory.append((symbol, writer.rows - before))
        rows = writer.rows
        writer.finish(meta, directory)
    return rows


def _shape_of(type: str, sources: list[Source]) -> RecordType:
    """Return the columns of the rows of some parts; parts without rows have no say."""
    local = all(source.segment.record.has_local for source in sources if source.part.rows)
    named = {name for source in sources for name in source.part.optional}
    return RECORD_TYPES[type].shape(named.intersection(RECORD_TYPES[type].widest.extras), local=local)


def verify(segment: Segment) -> Iterator[str]:
    """Yield what does not hold in a segment; every byte and every invariant is looked at.

    Checksums of all chunks, decoding, the padding and all other bytes called zero, the values against the
    footer, the order of rows, and key and provenance by themselves and against the rows. Each text names the
    file, and block and column.
    """
    edges = frozenset(segment.footer.symbols["row"].tolist())
    last = NULL_TIME
    for block in range(len(segment.blocks)):
        for place, column in enumerate(segment.record.columns):
            where = f"{segment.path}: block {block}, column {column.name}"
            if any(segment.padding(column.name, block)):
                yield f"{where}: the bytes after it are not zero; {AGAIN}"
            try:
                yield from (f"{where}: {what}; {AGAIN}" for what in _wrong_values(segment, block, place))
            except CorruptionError as error:
                yield str(error)
        try:
            times = segment.read(segment.record.time, block)
        except CorruptionError:
            continue
        found = _wrong_times(times, segment.blocks[block], edges, last)
        yield from (f"{segment.path}: block {block}: {what}; {AGAIN}" for what in found)
        last = int(times[-1])
    whole = (_wrong_bytes(segment), _wrong_key(segment), _wrong_parts(segment), _wrong_description(segment))
    yield from (f"{segment.path}: {what}; {AGAIN}" for what in chain(*whole))


def _wrong_values(segment: Segment, block: int, place: int) -> Iterator[str]:
    """Yield what the footer says of a chunk that its values do not bear out."""
    column, chunk = segment.record.columns[place], segment.footer.chunks[block, place]
    empty = np.zeros(1, bool)
    if column.kind is Kind.DECIMAL:
        values, scale = segment.integers(column.name, block)
        if scale == FLOAT_BITS:
            values = values.view(np.float64)
            empty = np.isnan(values)
        else:
            empty = values == NULL_MANTISSA
            if (np.abs(values[~empty]) >= MAX_MANTISSA).any():
                yield "it has an integer of more than 53 bits"
    else:
        values = segment.read(column.name, block)
    if column.kind is Kind.TIME:
        empty = values == NULL_TIME
    if column.kind is Kind.TEXT and max(1, int(np.strings.str_len(values).max())) != chunk["width"]:
        yield "its longest text is not as long as the footer says"
    if empty.any() != bool(chunk["nulls"]):
        yield "it has empty cells and the footer denies them, or the other way round"
    if bounds(values) != (int(chunk["low"]), int(chunk["high"])):
        yield "its least and greatest value are not those of the footer"


def _wrong_times(times: np.ndarray, block: np.void, edges: frozenset[int], last: int) -> Iterator[str]:
    """Yield what is wrong with a block's sort key; `last` is that of the row before the block."""
    row = int(block["row"])
    if (int(times.min()), int(times.max())) != (int(block["first_ns"]), int(block["last_ns"])):
        yield "its first and last time are not those of the footer"
    before = np.concatenate([[last], times[:-1]])
    backwards = [row + int(at) for at in np.flatnonzero(times < before) if row + int(at) not in edges]
    if backwards:
        yield f"row {backwards[0]} is before the row before it"


def _wrong_bytes(segment: Segment) -> Iterator[str]:
    """Yield where bytes called zero are not, and what the description says twice: no reader looks at either."""
    data, footer = segment._data, segment.footer
    header = np.frombuffer(data, HEADER, 1)
    trailer = np.frombuffer(data[-TRAILER.itemsize :], TRAILER)
    start = int(trailer["footer_offset"][0])
    head = np.frombuffer(data, FOOTER, 1, start)
    tables = {
        "its header": header,
        "its trailer": trailer,
        "the columns of its footer": np.frombuffer(
            data, COLUMN, int(head["columns"][0]), start + FOOTER.itemsize
        ),
        "the blocks of its footer": footer.blocks,
        "the chunks of its footer": footer.chunks,
    }
    for where, table in tables.items():
        if any(table["zero"].tobytes()) and header["writer_version"][0] <= WRITER_VERSION:
            yield f"bytes of {where} that are kept for later versions are not zero"
    text = data[-TRAILER.itemsize - int(head["meta_bytes"][0]) : -TRAILER.itemsize]
    yield from _said_twice(bytes(text))


def _said_twice(text: bytes) -> Iterator[str]:
    """Yield the fields that an object of a JSON text has more than once."""
    found: dict[str, None] = {}

    def note(pairs: list[tuple[str, object]]) -> None:
        counts = Counter(name for name, _ in pairs)
        found.update((name, None) for name, count in counts.items() if count > 1)

    try:
        json.loads(text, object_pairs_hook=note, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        yield f"its description has fields that are no JSON: {error}"
    if found:
        yield f"its description says twice what {', '.join(list(found)[:5])} is"


def _wrong_key(segment: Segment) -> Iterator[str]:
    """Yield what no segment can be of."""
    meta = segment.meta
    if not is_feed(meta.feed):
        yield f"its feed is {meta.feed!r}: lower-case letters, digits, - and _ make one"
    if not _is_day(meta.day) and (segment.record.is_market or meta.day):
        yield f"its day is {meta.day!r}, which is none: YYYY-MM-DD"
    if meta.grouped and meta.symbol not in GROUPS:
        yield f"its group is {meta.symbol!r}; there are {', '.join(GROUPS)}"
    try:
        encode_exchange(meta.exchange)
        for symbol in (meta.symbol, *segment.footer.names):
            encode_symbol(symbol)
    except InputError as error:
        yield str(error)


def _is_day(text: str) -> bool:
    try:
        return day_of(day_start(text)) == text
    except ValueError:
        return False


def _wrong_parts(segment: Segment) -> Iterator[str]:
    """Yield what no part can be."""
    for part in segment.meta.parts:
        counts = {"rows": part.rows, "bytes": part.bytes, "lines": part.lines}
        for name, count in counts.items():
            if count < 0:
                yield f"its part {part.source!r} has {count} {name}"
        if segment.record.is_market and (part.interval is None) != (part.rows == 0):
            yield f"its part {part.source!r} has {part.rows} rows and the interval {part.interval}"
        if unknown := set(part.optional) - set(segment.record.extras):
            yield f"its part {part.source!r} has {', '.join(sorted(unknown))}, and the segment has not"
        if part.interval and not NULL_TIME <= part.interval[0] < part.interval[1] <= -NULL_TIME:
            yield f"its part {part.source!r} lasts from {part.interval[0]} to {part.interval[1]}"
        for gap in part.gaps:
            if gap.from_ns >= gap.to_ns:
                yield f"its part {part.source!r} has a gap from {gap.from_ns} to {gap.to_ns}"
            if gap.lag_ns is not None and gap.lag_ns < 0:
                yield f"its part {part.source!r} has a gap whose rows came {gap.lag_ns} ns after their exchange time"


def _wrong_description(segment: Segment) -> Iterator[str]:
    """Yield what does not hold between a segment's key, directory and provenance, and its rows."""
    meta, footer = segment.meta, segment.footer
    if not meta.grouped and footer.names not in ((), (meta.symbol,)):
        yield f"it is of {meta.symbol} and holds {', '.join(footer.names[:5])}"
    if segment.record.is_market and segment.rows:
        days = (day_of(footer.first_ns), day_of(footer.last_ns))
        if days != (meta.day, meta.day):
            yield f"it is of {meta.day} and its rows of {days[0]} to {days[1]}"
    unsaid = set(segment.record.extras).difference(*(part.optional for part in meta.parts))
    if meta.parts and unsaid:
        yield f"it has {', '.join(sorted(unsaid))}, and none of its parts has"
    if meta.parts and sum(part.rows for part in meta.parts) != segment.rows:
        yield f"its parts have {sum(part.rows for part in meta.parts)} rows, the segment {segment.rows}"
    intervals = sorted(part.interval for part in meta.parts if part.interval)
    if any(a[1] > b[0] for a, b in pairwise(intervals)):
        yield "the intervals of its parts overlap"
    if intervals and (intervals[0][0], intervals[-1][1]) != (footer.first_ns, footer.last_ns + 1):
        yield "the intervals of its parts are not those of its rows"


class _PartRows:
    """The rows of a part, symbol by symbol: the last block is kept, for the next symbols lie in it too."""

    def __init__(self, source: Source, record: RecordType) -> None:
        self._segment, self._part = source
        self._names = record.names
        self._block = -1
        self._columns: dict[str, np.ndarray | Decimals] = {}

    def of(self, symbol: str) -> Iterator[Batch]:
        """Yield a symbol's rows, block by block; symbols are asked for in their order."""
        segment, interval = self._segment, self._part.interval
        place = segment.symbol_rows(symbol)
        if place is None or interval is None:
            return
        size = segment.footer.block_rows
        for block in range(place[0] // size, -(-place[1] // size)):
            columns = self._read(block)
            start, stop = max(place[0] - block * size, 0), min(place[1] - block * size, size)
            times = columns[segment.record.time][start:stop]
            first, last = (start + int(at) for at in np.searchsorted(times, interval))  # type: ignore[arg-type]
            if first < last:
                yield {name: values[first:last] for name, values in columns.items()}

    def _read(self, block: int) -> "dict[str, np.ndarray | Decimals]":
        if block != self._block:
            self._columns = {name: _stored(self._segment, name, block) for name in self._names}
            self._block = block
        return self._columns


def _stored(segment: Segment, name: str, block: int) -> "np.ndarray | Decimals":
    """Return a column of a block as the writer wants it, decimals with their digits."""
    if name not in segment.record.places:
        return from_integers(np.full(segment.rows_of(block), NULL_MANTISSA), 0)
    if segment.record.column(name).kind is not Kind.DECIMAL:
        return segment.read(name, block)
    integers, scale = segment.integers(name, block)
    return from_floats(integers.view(np.float64)) if scale == FLOAT_BITS else from_integers(integers, scale)
