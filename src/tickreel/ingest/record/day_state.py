"""What the files of a journal's day tell: what was heard of it and when, its gaps, what history gave, what is wrong."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tickreel.errors import disk_error
from tickreel.ingest.record.journal import (
    EVENTS,
    Begin,
    GapNote,
    Note,
    Part,
    StreamInfo,
    fill_number,
    first_message,
    message_files,
    parts,
    read_begin,
    read_fills,
    read_records,
)
from tickreel.ingest.record.journal_format import VERSION, Damage, Kind, Record, Scan
from tickreel.store import disk
from tickreel.units import NS_PER_DAY, day_start

GONE = "not recorded any more"
"""Why a gap is one of what was dropped."""


@dataclass(slots=True)
class DayState:
    """What the files of a day tell about it.

    last         exchange -> when its latest message came, ns
    heard        part -> when the latest message of a stream came that was asked for it, as a recorder before left it
    gaps         by number; history filled those in `filled`, and those in `settled` will not be, for a reason
    ended        exchanges that were followed to the end of the day
    connections  the highest number of a connection that anything names; latest_gap: that of a gap
    has_events   whether all events that were written could be read
    troubles     what is wrong with the files, for people
    """

    day: str
    streams: list[StreamInfo] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    heard: dict[Part, int] = field(default_factory=dict)
    gaps: dict[int, GapNote] = field(default_factory=dict)
    filled: set[int] = field(default_factory=set)
    settled: dict[int, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    connections: int = 0
    latest_gap: int = 0
    has_events: bool = False
    begun: dict[int, list[StreamInfo]] = field(default_factory=dict)
    """Number of a connection -> the streams of its recorder."""
    connected: dict[str, list[int]] = field(default_factory=dict)
    """Exchange -> when the first message of each of its connections came, ns."""
    files: int = 0
    """Number of the latest file of messages."""
    troubles: list[str] = field(default_factory=list)

    def known_until(self) -> Iterator[tuple[Part, int]]:
        """Yield until when it is known of each part what came and what is missing, ns; the latest of a part counts."""
        yield from self.heard.items()
        for stream in self.streams:
            if stream.exchange in self.ended:
                yield from dict.fromkeys(parts(stream), self.end_ns).items()
        for gap in self.gaps.values():
            yield from dict.fromkeys(parts(gap.asked), gap.to_ns).items()

    def gone(self) -> set[Part]:
        """Return the parts that were not recorded any more as the day ended."""
        some = [gap for gap in self.gaps.values() if (gap.reason, gap.to_ns) == (GONE, self.end_ns)]
        return {part for gap in some for part in parts(gap.asked)}

    @property
    def end_ns(self) -> int:
        return day_start(self.day) + NS_PER_DAY

    def hear(self, asked: Sequence[StreamInfo], last: dict[str, int]) -> None:
        """Take in when the latest messages of some streams came. last: by exchange, so far."""
        for stream in asked:
            at_ns = last.get(stream.exchange)
            if at_ns is not None and at_ns != self.last.get(stream.exchange):
                self.heard |= dict.fromkeys(parts(stream), at_ns)
        self.last = dict(last)


def read_state(folder: Path, *, mend: bool = False) -> DayState:
    """Return what is known of a day from its events and its files of messages.

    mend  cut torn tails off, durably: a recorder that was killed wrote them. Else one is taken for what a recorder
          is writing now
    """
    state, files = read_events(folder, mend=mend), message_files(folder)
    state.files = int(files[-1].name[:6]) if files else 0
    if files:
        _hear(state, files, mend=mend)
    if not state.has_events:
        # Connections of which only messages tell: a number is never given again.
        for path in files[:-1]:
            for _, record in read_records(path, spare=Begin(VERSION, "", state.day, [])):
                state.connections = max(state.connections, record.number)
    return state


def read_events(folder: Path, *, mend: bool = False, final: bool = False) -> DayState:
    """Return what a day's events tell. final: nothing is being written any more, so that a torn tail is damage."""
    state, events = DayState(folder.name), folder / EVENTS
    if events.exists():
        spare, scan, size = _neighbour(state.day, message_files(folder)), Scan(), events.stat().st_size
        for begin, record in _mended(events, state, spare, scan, mend=mend, final=final):
            state.streams = begin.streams
            _take_event(state, begin, record)
        state.has_events = not scan.damage and scan.whole == size
    for path, head in read_fills(folder).items():
        state.filled.update(head.gaps)
        state.latest_gap = max(state.latest_gap, fill_number(path), *head.gaps)
    return state


def _hear(state: DayState, files: list[Path], *, mend: bool) -> None:
    """Take in when messages came: a file's BEGIN tells it of the files before, so only the last is read."""
    asked: list[StreamInfo] = []
    for path in files:
        begin = read_begin(path)
        if begin:
            state.hear(asked, begin.last)
        asked = (begin or spare_begin(path, files, state)).streams
    last = dict(state.last)
    spare = Begin(VERSION, "", state.day, asked)
    for begin, record in _mended(files[-1], state, spare, Scan(), mend=mend):
        state.connections = max(state.connections, record.number)
        if record.kind == Kind.MESSAGE and record.stream < len(begin.streams):
            last[begin.streams[record.stream].exchange] = record.received_ns
    state.hear(asked, last)


def spare_begin(path: Path, files: list[Path], state: DayState) -> Begin:
    """Return what stands for the BEGIN of a file of messages, if that is damaged.

    It has the streams of the recorder that made the file's first connection, or else of a file beside; none if
    nothing tells.
    """
    first, place = first_message(path), files.index(path)
    if first and (streams := state.begun.get(first.number)):
        return Begin(VERSION, "", state.day, streams)
    return _neighbour(state.day, [*files[:place][::-1], *files[place + 1 :]])


def _neighbour(day: str, files: list[Path]) -> Begin:
    """Return the first BEGIN of some files that can be read; one without streams if there is none."""
    begins = (read_begin(path) for path in files)
    return next((begin for begin in begins if begin), Begin(VERSION, "", day, []))


def _mended(
    path: Path, state: DayState, spare: Begin, scan: Scan, *, mend: bool, final: bool = False
) -> Iterator[tuple[Begin, Record]]:
    yield from read_records(path, scan, spare=spare)
    size = path.stat().st_size
    if final and size > scan.whole:
        scan.damage.append(Damage(scan.whole, size))
    state.troubles += [damaged(path, place) for place in scan.damage]
    if mend and size > scan.whole:
        state.troubles.append(
            f"{path}: its last {size - scan.whole} bytes are no whole record: the recorder was killed while it wrote"
        )
        _cut(path, scan.whole)


def damaged(path: Path, place: Damage) -> str:
    """Say that bytes of a journal cannot be read."""
    what = "gaps and connections" if path.name == EVENTS else "messages"
    return f"{path}: bytes {place.start} to {place.end} are damaged: the {what} in them are lost"


def _cut(path: Path, size: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.ftruncate(fd, size)
            disk.sync_file(fd, str(path))
        finally:
            os.close(fd)
    except OSError as error:
        raise disk_error(error, f"mending {path}") from error


def _take_event(state: DayState, begin: Begin, record: Record) -> None:
    if record.kind in (Kind.GAP, Kind.NO_FILL):
        state.latest_gap = max(state.latest_gap, record.number)
    elif record.kind in (Kind.CONNECT, Kind.DISCONNECT):
        state.connections = max(state.connections, record.number)
    if record.kind == Kind.GAP:
        state.gaps[record.number] = msgspec.json.decode(record.payload, type=GapNote)
    elif record.kind in (Kind.CONNECT, Kind.NO_FILL, Kind.END):
        note = msgspec.json.decode(record.payload, type=Note)
        if record.kind == Kind.CONNECT:
            state.connected.setdefault(note.exchange, []).append(record.received_ns)
            state.begun[record.number] = begin.streams
        elif record.kind == Kind.NO_FILL:
            state.settled[record.number] = note.text
        else:
            state.ended.add(note.exchange)
