"""Many streams as one: their rows in one order, batch by batch, in bounded memory.

The order is that of the local clock; rows without one count with their exchange time. Ties go by record type
in schema order, exchange, symbol, feed; rows of one stream keep their order. It depends on nothing else: not on the order in which streams are
named, on sizes of blocks or on the memory given.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from tickreel.errors import UsageError
from tickreel.scan.plan import Slice, Stream
from tickreel.scan.read import check_columns, contents, open_slice, row_ranges
from tickreel.schema import RECORD_TYPES, Kind
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment

BUDGET_BYTES = 64 << 20
BATCH_ROWS = 65_536
MOST_OPEN = 256
"""Segments that are open at a time: well below the usual limit of 1,024 open files."""
_ORDER_BYTES = 8 + 20
"""What a row costs beside its columns: its time, and its place in the merged order."""

Columns = dict[str, np.ndarray]


class Order(NamedTuple):
    """The merged rows: time_ns int64[n], stream int32[n], row int64[n], as in `Batch`."""

    time_ns: np.ndarray
    stream: np.ndarray
    row: np.ndarray


class Windows(NamedTuple):
    """What the kernel merges: k places, in the order in which ties are broken.

    times_ns  int64, ns UTC: the rows of place p are times_ns[head[p] : stop[p]], non-decreasing
    head, stop  int64[k]
    ends      bool[k]: whether a place's stream ends with its window
    number    int32[k]: the number of its stream
    first     int64[k]: index into times_ns from which `Order.row` counts
    """

    times_ns: np.ndarray
    head: np.ndarray
    stop: np.ndarray
    ends: np.ndarray
    number: np.ndarray
    first: np.ndarray


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of the merged order.

    streams   all streams of the merge, the same in every batch; their places are their numbers
    time_ns   int64[n], ns UTC, non-decreasing: time of each row
    stream    int32[n]: number of each row's stream
    row       int64[n]: index of each row in `columns[stream]`
    columns   for each stream the columns asked for, with its rows of this batch in its own order
    """

    streams: tuple[Stream, ...]
    time_ns: np.ndarray
    stream: np.ndarray
    row: np.ndarray
    columns: list[Columns]

    def __len__(self) -> int:
        return len(self.stream)


def merge(
    store: Store,
    streams: Sequence[Stream],
    columns: Mapping[str, Sequence[str]] | None = None,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    budget_bytes: int = BUDGET_BYTES,
) -> Iterator[Batch]:
    """Return the batches of streams merged into one order; see the module for the order.

    columns       record type to names, or to none; a type that is left out has its own columns
    budget_bytes  of decoded rows: those being merged, the batch given out and the next one. Beside it
                  there are the block decoded last and the footers of open segments. A stream whose share
                  is less than a block decodes each once for every window of it: slower, with the same
                  result. 40 streams of two columns, 66,000 rows each: 256 MiB decode a block once, 64 MiB
                  2.5 times at 2/5 of the speed, 8 MiB 14 times at 1/8. Fewer columns help as much
    Raises UsageError; while reading CorruptionError, and FailedError if the store changed.
    """
    if budget_bytes < 1:
        raise UsageError(f"budget_bytes is {budget_bytes}: 1 or more")
    found = ordered(streams)
    names = [check_columns(RECORD_TYPES[s.type], (columns or {}).get(s.type)) for s in found]
    return _batches(store, _Asked(found, names, from_ns, to_ns, budget_bytes))


def ordered(streams: Sequence[Stream]) -> tuple[Stream, ...]:
    """Return the streams in the order in which ties are broken."""
    # By code point, which is bytewise.
    return tuple(sorted(streams, key=lambda s: (RECORD_TYPES[s.type].order, s.exchange, s.symbol, s.feed)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is merged: columns by stream's number; the range and the budget of `merge`."""

    streams: tuple[Stream, ...]
    names: list[tuple[str, ...]]
    from_ns: int | None
    to_ns: int | None
    budget_bytes: int


def _batches(store: Store, asked: _Asked) -> Iterator[Batch]:
    """Merge day after day: a segment holds rows of its day alone, so no other's need be open."""
    days: dict[str, list[tuple[int, Slice]]] = {}
    for number, stream in enumerate(asked.streams):
        for part in stream.slices:
            days.setdefault(part.key.day, []).append((number, part))
    empty = [_empty(stream.type, names) for stream, names in zip(asked.streams, asked.names, strict=True)]
    for day in sorted(days):
        for order, taken in _day(_Segments(store), days[day], asked):
            columns = [taken.get(number, none) for number, none in enumerate(empty)]
            yield Batch(asked.streams, *order, columns)


def _empty(type: str, names: tuple[str, ...]) -> Columns:
    return {name: np.empty(0, RECORD_TYPES[type].widest.column(name).kind.dtype) for name in names}


def _day(
    segments: "_Segments", parts: list[tuple[int, Slice]], asked: _Asked
) -> Iterator[tuple[Order, dict[int, Columns]]]:
    sources = [_Source(segments, number, part, asked) for number, part in parts]
    sources = [source for source in sources if source.more]
    # Half is for the batch that was given out: the caller holds it while the next one is made.
    given = shares([source.need_bytes for source in sources], asked.budget_bytes // 2)
    for source, window_bytes in zip(sources, given, strict=True):
        source.limit(window_bytes)
    yield from _Merge(sources).batches()


class _Segments:
    """Open segments, MOST_OPEN at most, and the block that was decoded last.

    So a group's segment is open once, and its blocks are decoded once, for symbols that lie side by side.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[SegmentKey, Segment] = {}
        self._last: tuple[SegmentKey, int] | None = None
        self._decoded: Columns = {}

    def get(self, part: Slice) -> Segment:
        """Return a segment, opened again if it had to be let go; the one used last goes first.

        Streams are read in turn: the one used last is needed again after all others.
        """
        segment = self._open.pop(part.key, None)
        if segment is None:
            if len(self._open) == MOST_OPEN:
                self._open.popitem()
            segment = open_slice(self._store, part)
        self._open[part.key] = segment
        return segment

    def let_go(self, part: Slice) -> None:
        """Close a segment whose stream is read; one of a group stays, for its other symbols."""
        if not part.key.grouped:
            self._open.pop(part.key, None)

    def read(self, part: Slice, block: int, name: str) -> np.ndarray:
        """Return a column of a block, not to be changed."""
        if self._last != (part.key, block):
            self._last, self._decoded = (part.key, block), {}
        if name not in self._decoded:
            segment = self.get(part)
            self._decoded[name] = segment.read(name, block)
            segment.release()
        return self._decoded[name]


class _Source:
    """One stream's rows of one day, decoded window by window.

    need_bytes   of the largest window that it has a use for
    window_rows  rows of a window at most
    """

    def __init__(self, segments: _Segments, number: int, part: Slice, asked: _Asked) -> None:
        segment = segments.get(part)
        found = contents(segment, part, asked.streams[number].symbol)
        self.number = number
        self._names = names = asked.names[number]
        # From here on the segment must stay the one that it is.
        self._segments, self._part = segments, replace(part, contents=found)
        self._time = segment.record.time
        self._ranges = list(row_ranges(segment, found, asked.from_ns, asked.to_ns))
        self._at = self._done = 0
        self._row_bytes = _ORDER_BYTES + sum(_bytes(segment, name, self._ranges) for name in names)
        most = max((rows.stop - rows.start for _, rows in self._ranges), default=0)
        self.need_bytes = most * self._row_bytes
        self.window_rows = most

    @property
    def more(self) -> bool:
        """Whether there are rows that were not yet read."""
        return self._at < len(self._ranges)

    def limit(self, window_bytes: int) -> None:
        """Make windows of that many bytes at most, but of one row at least."""
        self.window_rows = max(1, min(self.window_rows, window_bytes // self._row_bytes))

    def read(self) -> tuple[np.ndarray, Columns]:
        """Return the next rows: their times and columns."""
        block, rows = self._ranges[self._at]
        start = rows.start + self._done
        stop = min(start + self.window_rows, rows.stop)
        self._done += stop - start
        if stop == rows.stop:
            self._at, self._done = self._at + 1, 0
        column = partial(self._segments.read, self._part, block)
        times = column(self._time)[start:stop]
        columns = {name: _cut(column(name), start, stop) for name in self._names}
        if not self.more:
            self._segments.let_go(self._part)
        return times, columns


def _bytes(segment: Segment, name: str, ranges: list[tuple[int, slice]]) -> int:
    """Return the bytes of a value; of a text in the block where it is widest."""
    kind = RECORD_TYPES[segment.record.name].widest.column(name).kind
    if kind is not Kind.TEXT:
        return kind.dtype.itemsize
    place = segment.record.names.index(name)
    return int(segment.footer.chunks["width"][[block for block, _ in ranges], place].max(initial=1))


def _cut(values: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return some rows; a copy where they are not all, so that the rest is let go."""
    return values if stop - start == len(values) else values[start:stop].copy()


def shares(needs: Sequence[int], budget: int) -> list[int]:
    """Return what each gets of a budget: a small need all of it, the others equal parts of what is left."""
    given = [0] * len(needs)
    for rank, place in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
        given[place] = min(needs[place], budget // (len(needs) - rank))
        budget -= given[place]
    return given


class _Merge:
    """Merges the sources of a day, window after window."""

    def __init__(self, sources: list[_Source]) -> None:
        self._sources = sources
        self._columns: list[Columns] = [{} for _ in sources]
        rows = np.array([source.window_rows for source in sources], np.int64)
        self._begin = begin = np.cumsum(rows) - rows
        self._windows = Windows(
            np.empty(int(rows.sum()), np.int64), begin.copy(), begin.copy(), np.zeros(len(sources), bool),
            np.array([source.number for source in sources], np.int32), begin.copy(),
        )  # fmt: skip
        self._heap = np.empty((2, len(sources)), np.int64)

    def batches(self) -> Iterator[tuple[Order, dict[int, Columns]]]:
        """Yield the order of a batch, and by number the columns of the streams with rows in it."""
        from tickreel.scan.merge_kernel import merge_windows

        windows = self._windows
        while True:
            self._fill()
            left = min(int((windows.stop - windows.head).sum()), BATCH_ROWS)
            if left == 0:
                return
            windows.first[:] = windows.head
            order = Order(np.empty(left, np.int64), np.empty(left, np.int32), np.empty(left, np.int64))
            heap_ns, heap = self._heap
            done = merge_windows(windows, heap_ns, heap, order)
            yield Order(*(values[:done] for values in order)), self._taken()

    def _fill(self) -> None:
        """Read the next window of each source that has used up its last."""
        times_ns, head, stop, ends, *_ = self._windows
        for place in np.flatnonzero((head == stop) & ~ends).tolist():
            source, begin = self._sources[place], self._begin[place]
            times, self._columns[place] = source.read()
            times_ns[begin : begin + len(times)] = times
            head[place], stop[place] = begin, begin + len(times)
            ends[place] = not source.more

    def _taken(self) -> dict[int, Columns]:
        """Return the columns of the rows that were merged; windows that are used up are let go."""
        windows, taken = self._windows, {}
        for place in np.flatnonzero(windows.head > windows.first).tolist():
            rows = slice(*(int(at[place] - self._begin[place]) for at in (windows.first, windows.head)))
            columns = self._columns[place]
            taken[self._sources[place].number] = {name: columns[name][rows] for name in columns}
            if windows.head[place] == windows.stop[place]:
                self._columns[place] = {}
        return taken
