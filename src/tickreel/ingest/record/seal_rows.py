"""A day of a journal to CSV text: one file for each stream and record type, each row accounted for.

The same journal gives the same bytes. Memory is that of a few messages, and of the rows around
reconnects (`overlap.py`).
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from tickreel.ingest.record.alike import likenesses
from tickreel.ingest.record.csv_file import CsvFile
from tickreel.ingest.record.day_state import DayState, damaged, read_events, spare_begin
from tickreel.ingest.record.edge import EDGE_NS, Edges, edges_head, events_beside, keys
from tickreel.ingest.record.fill_rows import SLACK_NS, Fill
from tickreel.ingest.record.journal import (
    Begin,
    GapNote,
    StreamInfo,
    message_files,
    read_begin,
    read_fills,
    read_records,
)
from tickreel.ingest.record.journal_format import Damage, Kind, Record, Scan
from tickreel.ingest.record.overlap import Overlaps
from tickreel.ingest.record.record_file import RecordFile
from tickreel.schema import RECORD_TYPES
from tickreel.sources.machine import Disconnect, Read, Rows, Unknown, Unreadable, aside_line, read_message
from tickreel.sources.machine_routes import REPLAYED
from tickreel.store.format import Finding, Gap
from tickreel.store.gaps import Missed, few
from tickreel.units import NS_PER_DAY, day_of, day_start

APART = ("incremental_book_L2",)
"""Types whose rows belong to their connection's snapshot: none is the repetition of another connection's."""
DROPPED = "overlap_dropped"
SEALED_BEFORE = "it came when its day was sealed"
FAR = "its local time is days from its arrival"
EDGE = "edge"
DAMAGED = "the journal is damaged"
_DAMAGED_FROM = 1 << 32
"""Numbers of such gaps, above all that a recorder noted."""
_DAY_US = NS_PER_DAY // 1_000


class DayText(msgspec.Struct):
    """What became of a day's messages.

    files    (type, exchange) -> path of the CSV text
    gaps     exchange -> number -> note; filled: numbers of those that history filled, by exchange
    given    exchange -> number -> type -> declared delay of history's rows, None if they had local times: what it was
             asked for, also of gaps that are not filled, for its answer is damaged
    unknown  messages of types that are not kept, by type
    troubles, beside  what is wrong with the day's files, and with those of the days beside
    """

    files: dict[tuple[str, str], str] = {}
    streams: list[StreamInfo] = []
    gaps: dict[str, dict[int, GapNote]] = {}
    filled: dict[str, list[int]] = {}
    given: dict[str, dict[int, dict[str, int | None]]] = {}
    overlaps: dict[tuple[str, str], int] = {}
    messages: int = 0
    rows: int = 0
    unreadable: int = 0
    late: int = 0
    unknown: dict[str, int] = {}
    troubles: list[str] = []
    beside: list[str] = []

    def gaps_of(self, type: str, exchange: str) -> list[Missed]:
        """Return what is missing of a type, ascending, by symbol; of others than were asked for, all is."""
        filled, given = set(self.filled.get(exchange, [])), self.given.get(exchange, {})
        gaps: dict[frozenset[str], list[Gap]] = {}
        for number, note in self.gaps.get(exchange, {}).items():
            if type in note.types:
                asked = frozenset(symbol.upper() for symbol in note.symbols)
                types = given.get(number, {})
                is_filled = number in filled and type in types and type in REPLAYED
                gap = Gap(note.from_ns, note.to_ns, note.reason, is_filled, types.get(type))
                gaps.setdefault(asked, []).append(gap)
        alike: dict[tuple[frozenset[str], ...], list[str]] = {tuple(gaps): []} if gaps else {}
        for symbol in sorted(frozenset().union(*gaps)):
            of = tuple(asked for asked in gaps if not asked or symbol in asked)
            if len(of) < len(gaps):
                alike.setdefault(of, []).append(symbol)
        return [Missed(names, _ascending(gaps[asked] for asked in of)) for of, names in alike.items()]

    def lags_ns(self) -> set[int]:
        """Return the declared delays of what history gave."""
        given = [types for gaps in self.given.values() for types in gaps.values()]
        return {lag_ns for types in given for lag_ns in types.values() if lag_ns is not None}

    def odd_of(self, type: str, exchange: str) -> dict[str, Finding]:
        dropped = self.overlaps.get((type, exchange), 0)
        return {DROPPED: Finding(dropped, [])} if dropped else {}


def write_day(folder: Path, into: Path, progress: Any, *, final: bool) -> DayText:
    """Write a day's messages as CSV text into a folder.

    progress  called with messages=count now and then
    final     nothing of the day is being written any more
    """
    return _Day(folder, into, progress, final=final).run()


class _Day:
    """One day while it is written."""

    def __init__(self, folder: Path, into: Path, progress: Any, *, final: bool) -> None:
        self._folder, self._into, self._progress, self._final = folder, into, progress, final
        # A recorder may go on writing: what is here of messages now, and then the events, for those are written before.
        self._sizes = {path: path.stat().st_size for path in message_files(folder)}
        self._last_path = max(self._sizes, default=None)
        self._is_torn = False
        self._state = read_events(folder, final=final)
        self._fills = read_fills(folder)
        self._first_us = day_start(folder.name) // 1_000
        self._end_us = self._first_us + _DAY_US
        self._before_ns = day_start(folder.name)
        self._start_ns = self._before_ns + EDGE_NS
        self._end_ns = self._before_ns + NS_PER_DAY - EDGE_NS
        self._files: dict[tuple[str, str], CsvFile] = {}
        self._streams: dict[str, _Stream] = {}
        self._text = DayText(troubles=list(self._state.troubles))

    def run(self) -> DayText:
        with contextlib.ExitStack() as stack:
            self._stack = stack
            head = edges_head(self._folder.name)
            edges = Edges(self._folder.name, stack.enter_context(RecordFile(self._into / EDGE, head)))
            for info in self._state.streams:
                self._stream(info)
            for path, size in self._sizes.items():
                for info, record in self._records(path, size):
                    stream = self._stream(info)
                    if self._state.troubles:
                        self._bridge(stream, info, record)
                    self._insert(stream, before_ns=record.received_ns)
                    read = read_message(record.payload, record.received_ns // 1_000)
                    self._take(stream, record.number, record.received_ns, read, record.payload)
                    edges.take(info, record, read)
                    self._count()
            if self._is_torn:
                self._lose([], self._end_us * 1_000)
            for stream in self._streams.values():
                self._insert(stream, before_ns=None)
        return self._finished()

    def _records(self, path: Path, size: int) -> Iterator[tuple[StreamInfo, Record]]:
        scan, found, unknown_ns = Scan(), 0, 0
        spare = None if read_begin(path) else spare_begin(path, list(self._sizes), self._state)
        for begin, record in read_records(path, scan, size=size, spare=spare):
            if len(scan.damage) > found or self._is_torn:
                found, self._is_torn = len(scan.damage), False
                self._lose(begin.streams, record.received_ns)
            if record.kind == Kind.MESSAGE and record.stream >= len(begin.streams):
                unknown_ns = record.received_ns
                continue
            self._before_ns = record.received_ns
            if record.kind == Kind.MESSAGE:
                yield begin.streams[record.stream], record
        if unknown_ns:
            self._lose([], unknown_ns + 1)
            self._before_ns = unknown_ns
        if scan.whole < size and (self._final or path != self._last_path):
            # Not being written, and no recorder was killed while it was: such a tail is cut off.
            scan.damage.append(Damage(scan.whole, size))
            self._is_torn = True
        self._text.troubles += [damaged(path, place) for place in scan.damage]

    def _lose(self, streams: list[StreamInfo], to_ns: int) -> None:
        """Note as a gap what lay before a time in bytes that are damaged, whichever stream's it was. streams: none if unknown."""
        for info in streams or [info for stream in self._streams.values() for info in stream.asked]:
            self._note_damage(info, min(self._before_ns, to_ns - 1), to_ns)

    def _bridge(self, stream: "_Stream", info: StreamInfo, record: Record) -> None:
        """Note as a gap what lies between two connections, if the event that told it is among those that are damaged."""
        last_number, last_ns = stream.latest
        stream.latest = record.number, record.received_ns
        if last_number not in (0, record.number) and not any(
            last_ns < note.to_ns <= record.received_ns for note in stream.gaps.values()
        ):
            self._note_damage(info, last_ns, record.received_ns)

    def _note_damage(self, info: StreamInfo, from_ns: int, to_ns: int) -> None:
        gaps = self._stream(info).gaps
        note = GapNote(info.exchange, from_ns, to_ns, DAMAGED, info.symbols, info.types)
        gaps[max((_DAMAGED_FROM, *gaps)) + 1] = note

    def _count(self) -> None:
        self._text.messages += 1
        if self._text.messages % (1 << 16) == 0:
            self._progress(messages=self._text.messages)

    def _stream(self, info: StreamInfo) -> "_Stream":
        stream = self._streams.get(info.exchange)
        if stream is None:
            stream = self._streams[info.exchange] = _Stream(self._fills, self._state, info.exchange)
        if info not in stream.asked:
            stream.asked.append(info)
            for type in info.types:
                self._file(type, info.exchange)
        return stream

    def _insert(self, stream: "_Stream", *, before_ns: int | None) -> None:
        """Put history's rows in where their gaps were, once the rows around have come. before_ns: of the next message."""
        while stream.fills and (before_ns is None or stream.fills[0].end_ns + SLACK_NS < before_ns):
            fill, scan = stream.fills.pop(0), Scan()
            stream.filled.update(fill.gaps)
            stream.given |= dict.fromkeys(fill.gaps, fill.given)
            for read, raw in fill.read(scan):
                if isinstance(read, Rows) and not self._is_followed(stream):
                    read = fill.before(read, self._end_us)
                if isinstance(read, Disconnect):
                    # What history lacks itself is not filled.
                    stream.filled -= fill.gaps_at(read.local_us * 1_000)
                elif isinstance(read, Unreadable) or (
                    isinstance(read, Rows)
                    and fill.adds(read)
                    and self._is_of_day(read)
                    and not self._is_beside(stream, fill.source, read)
                ):
                    self._take(stream, fill.source, fill.end_ns, read, raw)
            if scan.damage or scan.whole < fill.path.stat().st_size:
                self._text.troubles.append(f"{fill.path} is damaged: its gaps count as not filled")
                stream.filled -= set(fill.gaps)

    def _take(self, stream: "_Stream", source: int, at_ns: int, read: Read, raw: bytes) -> None:
        if isinstance(read, Rows):
            read = stream.named(read)
            file = self._file(read.type, stream.exchange)
            if read.exchange != stream.exchange:
                self._text.unreadable += 1
                file.write(aside_line(f"of another exchange than {stream.exchange}", raw))
            elif not self._is_of_day(read):
                self._text.late += 1
                is_near = self._first_us - _DAY_US <= read.local_us < self._end_us + _DAY_US
                file.write(aside_line(SEALED_BEFORE if is_near else FAR, raw))
            elif read.type in APART or stream.is_new(source, read, at_ns):
                self._text.rows += read.text.count("\n")
                file.write(read.text)
            else:
                place = (read.type, stream.exchange)
                self._text.overlaps[place] = self._text.overlaps.get(place, 0) + 1
        elif isinstance(read, Unreadable):
            self._text.unreadable += 1
            self._file(read.type or stream.asked[0].types[0], stream.exchange).write(
                aside_line(read.reason, raw)
            )
        elif isinstance(read, Unknown):
            name = read.type if read.type in self._text.unknown or len(self._text.unknown) < 64 else "others"
            self._text.unknown[name] = self._text.unknown.get(name, 0) + 1

    def _is_beside(self, stream: "_Stream", source: int, read: Rows) -> bool:
        """Return whether history's event near midnight came live, in the day before or after; count it then."""
        at_ns = read.local_us * 1_000
        if read.type not in REPLAYED or self._start_ns < at_ns < self._end_ns:
            return False
        if stream.beside is None:
            tell = self._text.beside.append
            stream.beside = events_beside(self._folder, stream.exchange, stream.likes, tell)
        key = next(keys(read, stream.likes))
        stream.brought[source, key] += 1
        if stream.brought[source, key] > stream.beside[key]:
            return False
        place = (read.type, stream.exchange)
        self._text.overlaps[place] = self._text.overlaps.get(place, 0) + 1
        return True

    def _is_followed(self, stream: "_Stream") -> bool:
        """Return whether the next day has a gap so near midnight that what fills it takes rows of this day's gaps, too."""
        if stream.is_followed is None:
            end_ns = self._end_us * 1_000
            path = self._folder.with_name(day_of(end_ns))
            gaps = read_events(path).gaps.values() if path.is_dir() else ()
            near = [note for note in gaps if note.exchange == stream.exchange]
            stream.is_followed = any(note.from_ns < end_ns + 2 * SLACK_NS for note in near)
        return stream.is_followed

    def _is_of_day(self, rows: Rows) -> bool:
        return self._first_us <= rows.local_us < self._end_us

    def _file(self, type: str, exchange: str) -> CsvFile:
        file = self._files.get((type, exchange))
        if file is None:
            path = self._into / f"{len(self._files):03d}-{type}.csv.zst"
            file = self._files[type, exchange] = self._stack.enter_context(CsvFile(path))
            file.write(",".join(RECORD_TYPES[type].csv_header) + "\n")
        return file

    def _finished(self) -> DayText:
        text = self._text
        text.files = {place: str(file.path) for place, file in sorted(self._files.items())}
        for exchange, stream in sorted(self._streams.items()):
            text.streams += stream.asked
            text.filled[exchange] = sorted(stream.filled)
            text.given[exchange] = stream.given
            text.gaps[exchange] = stream.gaps
        return text


class _Stream:
    """What is known of one exchange's stream over the day."""

    def __init__(self, fills: Mapping[Path, Begin], state: DayState, exchange: str) -> None:
        self.exchange = exchange
        self.asked: list[StreamInfo] = []
        self.gaps = {number: note for number, note in state.gaps.items() if note.exchange == exchange}
        about = [
            Fill(path, head, {number: self.gaps[number] for number in head.gaps if number in self.gaps})
            for path, head in fills.items()
        ]
        self.fills = sorted(
            (fill for fill in about if fill.gaps), key=lambda fill: (fill.end_ns, fill.source)
        )
        self.likes = likenesses(self.fills)
        self.filled: set[int] = set()
        self.given: dict[int, dict[str, int | None]] = {}
        self.beside: Counter[bytes] | None = None
        """How often each event came near midnight, in the days beside; None: nobody has looked."""
        self.is_followed: bool | None = None
        self.brought: Counter[tuple[int, bytes]] = Counter()
        """How often each answer of history had such an event: of one that has it as often, none is new."""
        self.latest = (0, 0)
        """Number of the connection of the latest message, and when that came, ns."""
        connected = state.connected.get(exchange, [])[1:]
        moments = [(at_ns, at_ns) for at_ns in connected]
        self.overlaps = Overlaps([*moments, *((note.from_ns, note.to_ns) for note in self.gaps.values())])

    def is_new(self, source: int, rows: Rows, at_ns: int) -> bool:
        """Return whether rows are to be kept; see `Overlaps.is_new`."""
        likeness = self.likes.get(rows.type)
        alike = likeness.of(rows) if likeness and self.overlaps.compares(at_ns) else ""
        return self.overlaps.is_new(source, rows.identity, at_ns, alike)

    def named(self, rows: Rows) -> Rows:
        """Return rows under the exchange's own name, if they come under what the provider calls it."""
        if rows.exchange == self.exchange or rows.exchange not in {info.called for info in self.asked}:
            return rows
        lines = rows.text.split("\n")
        text = "\n".join(self.exchange + line[len(rows.exchange) :] if line else "" for line in lines)
        return rows._replace(exchange=self.exchange, text=text)


def _ascending(gaps: Iterable[list[Gap]]) -> list[Gap]:
    return few(sorted(chain.from_iterable(gaps), key=lambda gap: (gap.from_ns, gap.to_ns)))
