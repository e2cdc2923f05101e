"""Appends to the journal of a feed while it is recorded: what came is on the disk within one interval."""

import os
import re
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from tickreel.errors import DiskError, disk_error
from tickreel.ingest.record.day_state import DayState
from tickreel.ingest.record.journal import EVENTS, Begin, GapNote, Note, StreamInfo, is_day
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.store import disk
from tickreel.units import NS_PER_DAY, day_of, day_start

ROLL_BYTES = 1 << 28
"""A file of messages that has grown to this is ended: of a day, a restart reads its last file."""
MOST_DAYS = 400
"""Of how many days a gap is noted."""
_MANY_DAYS = 8
"""With more days open than this, files of events are opened anew for each commit."""
_LOCAL = b'"localTimestamp"'
_DAY_FROM = len(_LOCAL) + len(b':"')
"""Where the day begins that a message without blanks names, from `_LOCAL` on."""
_DAY = re.compile(_LOCAL + rb'\s*:\s*"(.{10})')


class Journal:
    """The journal of one feed, under its lock.

    One thread appends, another commits. What was appended is on the disk once a later `commit` has
    returned, and not before. When a commit has failed all that follow fail too: what was not written
    is lost, though the next fsync would not say so.

    states  of the days that have files, as `read_state` gives them
    closed  days that are sealed: what still comes of them lies in the day of its arrival
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        feed: str,
        streams: Sequence[StreamInfo],
        states: Sequence[DayState] = (),
        *,
        closed: Collection[str] = (),
        roll_bytes: int = ROLL_BYTES,
    ) -> None:
        self._folder, self._root, self._feed, self._roll_bytes = folder, root, feed, roll_bytes
        self.streams = tuple(streams)
        self._lock = threading.Lock()
        self._days = {state.day: _Day(state, len(streams)) for state in states}
        self._closed = set(closed)
        self._usual: _Day | None = None
        self._epochs = [0] * len(streams)
        self._appended_bytes = self._durable_bytes = 0
        self._failed: DiskError | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much was appended and is not on the disk yet."""
        return self._appended_bytes - self._durable_bytes

    @property
    def days(self) -> list[str]:
        """The days that are open, sorted."""
        with self._lock:
            return sorted(self._days)

    def state(self, name: str) -> DayState:
        return self._days[name].state

    def folder(self, name: str) -> Path:
        """Return a day's folder, made if nothing has been written into it."""
        folder = self._folder / name
        if not folder.exists():
            disk.make_folder(folder, self._root)
        return folder

    def heard_ns(self, name: str) -> int:
        """Return when the latest message of a day came to this recorder; 0 if none did."""
        return self._days[name].heard_ns

    def connected(self, stream: int) -> None:
        """Note that what comes from now on comes over another connection."""
        self._epochs[stream] += 1

    def message(self, stream: int, received_ns: int, payload: bytes) -> None:
        """Append a message to the day of its local time, if that is the day of its arrival or beside it, else to that."""
        day = self._day_of(payload, received_ns)
        if day.epochs[stream] != self._epochs[stream]:
            self._begin_connection(day, stream, received_ns)
        record = pack(Kind.MESSAGE, stream, day.numbers[stream], received_ns, payload)
        with self._lock:
            if is_open := not day.is_closed:
                day.messages.append(record)
                day.state.last[self.streams[stream].exchange] = day.heard_ns = received_ns
                self._appended_bytes += len(record)
        if not is_open:
            self._usual = None
            self.message(stream, received_ns, payload)

    def disconnected(self, stream: int, at_ns: int, reason: str) -> None:
        """Note how a connection ended."""
        day = self._days[self.open_day(day_of(at_ns))]
        note = Note(self.streams[stream].exchange, reason)
        self._append(day, Kind.DISCONNECT, stream, day.numbers[stream], at_ns, note)

    def gap(
        self, asked: StreamInfo, from_ns: int, to_ns: int, reason: str, *, at_ns: int
    ) -> list[tuple[str, int]]:
        """Note that [from_ns, to_ns) is missing of what was asked for, in each of its days that is not closed.

        Returns (day, number of the gap) of each; of more than MOST_DAYS days the latest are noted.
        """
        noted = []
        for name in _days_of(from_ns, to_ns):
            # Streams note gaps in the thread that receives, and in the one that looks after days.
            with self._lock:
                if name in self._closed:
                    continue
                day = self._opened(name)
                day.state.latest_gap = number = day.state.latest_gap + 1
                day.state.gaps[number] = note = GapNote(
                    asked.exchange,
                    max(from_ns, day.start_ns),
                    min(to_ns, day.end_ns),
                    reason,
                    asked.symbols,
                    asked.types,
                )
                self._note(day, pack(Kind.GAP, 0, number, at_ns, msgspec.json.encode(note)))
            noted.append((name, number))
        return noted

    def settle(self, name: str, gap: int, reason: str, *, at_ns: int) -> None:
        """Note that a gap will not be filled; of a day that is closed there is nothing more to note."""
        if day := self._days.get(name):
            day.state.settled[gap] = reason
            self._append(day, Kind.NO_FILL, 0, gap, at_ns, Note(day.state.gaps[gap].exchange, reason))

    def is_closed(self, name: str) -> bool:
        """Return whether a day is sealed, or about to be: it takes nothing more."""
        return name in self._closed

    def open_day(self, name: str) -> str:
        """Open a day of which nothing may have come yet; return which: the first from this one on that is not closed."""
        with self._lock:
            while name in self._closed:  # a clock that was set back
                name = day_of(day_start(name) + NS_PER_DAY)
            self._opened(name)
        return name

    def _opened(self, name: str) -> "_Day":
        """Return an open day; in the lock."""
        if name not in self._days:
            self._days[name] = _Day(DayState(name, list(self.streams)), len(self.streams))
        return self._days[name]

    def close_day(self, name: str, *, at_ns: int) -> None:
        """End a day, durably: it is known of each of its streams what came until its end, and what is missing."""
        day = self._days[name]
        for place, stream in enumerate(self.streams):
            if day.epochs[place]:
                day.state.ended.add(stream.exchange)
                self._append(day, Kind.END, place, 0, at_ns, Note(stream.exchange))
        while not day.is_closed:
            self.commit()
            with self._lock:
                if not (day.events or day.messages):
                    day.is_closed = True
                    del self._days[name]
                    self._closed.add(name)
        day.close()

    def commit(self) -> None:
        """Make durable what was appended before. Raises DiskError, the same again each time after."""
        if self._failed:
            raise self._failed
        with self._lock:
            taken = [(day, *day.take()) for _, day in sorted(self._days.items())]
        try:
            # Gaps and connections of all days before messages of any: what is missing is known before what follows it.
            for day, events, _, _ in taken:
                self._write_events(day, events)
            for day, _, messages, last in taken:
                self._write_messages(day, messages)
                day.durable_last = last
        except DiskError as error:
            self._failed = error
            raise

    def close(self) -> None:
        """Make everything durable and close the files."""
        try:
            if not self._failed:
                self.commit()
        finally:
            for day in self._days.values():
                day.close()

    def _write_events(self, day: "_Day", events: list[bytes]) -> None:
        if not events:
            return
        day.event_file = day.event_file or self._file(day, EVENTS)
        self._append_to(day.event_file, events)
        if len(self._days) > _MANY_DAYS:
            day.event_file.close()
            day.event_file = None

    def _write_messages(self, day: "_Day", messages: list[bytes]) -> None:
        if not messages:
            return
        if day.message_file is None:
            day.state.files += 1
            day.message_file = self._file(day, f"{day.state.files:06d}.journal")
        self._append_to(day.message_file, messages)
        if day.message_file.size >= self._roll_bytes:
            day.message_file.close()
            day.message_file = None

    def _append_to(self, file: "_File", records: list[bytes]) -> None:
        data = b"".join(records)
        file.append(data)
        self._durable_bytes += len(data)

    def _file(self, day: "_Day", name: str) -> "_File":
        """Open a file of a day, behind what is in it, with a BEGIN."""
        folder = self._folder / day.state.day
        if not (day.event_file or day.message_file):
            disk.make_folder(folder, self._root)
        begin = Begin(VERSION, self._feed, day.state.day, list(self.streams), day.durable_last)
        return _File(folder / name, pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin)))

    def _day_of(self, payload: bytes, received_ns: int) -> "_Day":
        at, usual = payload.rfind(_LOCAL), self._usual
        if usual and (
            payload.startswith(usual.name, at + _DAY_FROM)
            if at >= 0
            else usual.start_ns <= received_ns < usual.end_ns
        ):
            return usual
        # Any other day, or a message with blanks: those take a little longer.
        found = _DAY.match(payload, max(at, 0))
        day = found.group(1).decode("ascii", "replace") if found else ""
        if usual and day == usual.state.day:
            return usual
        today = day_of(received_ns)
        if not is_day(day) or day in self._closed or abs(day_start(day) - day_start(today)) > NS_PER_DAY:
            day = today
        self._usual = self._days[self.open_day(day)]
        return self._usual

    def _begin_connection(self, day: "_Day", stream: int, at_ns: int) -> None:
        day.state.connections += 1
        day.epochs[stream], day.numbers[stream] = self._epochs[stream], day.state.connections
        note = Note(self.streams[stream].exchange)
        self._append(day, Kind.CONNECT, stream, day.state.connections, at_ns, note)

    def _append(self, day: "_Day", kind: Kind, stream: int, number: int, at_ns: int, note: Note) -> None:
        record = pack(kind, stream, number, at_ns, msgspec.json.encode(note))
        with self._lock:
            self._note(day, record)

    def _note(self, day: "_Day", event: bytes) -> None:
        """Append an event, in the lock."""
        day.events.append(event)
        self._appended_bytes += len(event)


def _days_of(from_ns: int, to_ns: int) -> list[str]:
    """Return the days of a time; of more than MOST_DAYS the latest."""
    if from_ns >= to_ns:
        return []
    last_ns = day_start(day_of(to_ns - 1))
    first_ns = max(day_start(day_of(from_ns)), last_ns - (MOST_DAYS - 1) * NS_PER_DAY)
    return [day_of(start_ns) for start_ns in range(first_ns, to_ns, NS_PER_DAY)]


class _Day:
    """An open day: what waits for the next commit, and its files.

    epochs, numbers  of each stream: the connection that is known here, and its number in this day
    durable_last     what `state.last` was for the messages that are on the disk
    """

    def __init__(self, state: DayState, streams: int) -> None:
        self.state = state
        self.name = state.day.encode()
        self.start_ns = day_start(state.day)
        self.end_ns = self.start_ns + NS_PER_DAY
        self.events: list[bytes] = []
        self.messages: list[bytes] = []
        self.epochs, self.numbers = [0] * streams, [0] * streams
        self.heard_ns = 0
        self.is_closed = False
        self.durable_last = dict(state.last)
        self.event_file: _File | None = None
        self.message_file: _File | None = None

    def take(self) -> tuple[list[bytes], list[bytes], dict[str, int]]:
        """Return what waits, in the lock of who appends."""
        taken = self.events, self.messages, dict(self.state.last)
        self.events, self.messages = [], []
        return taken

    def close(self) -> None:
        for file in (self.event_file, self.message_file):
            if file:
                file.close()
        self.event_file = self.message_file = None


class _File:
    """A file that grows; it begins, and goes on after a restart, with a BEGIN."""

    def __init__(self, path: Path, begin: bytes) -> None:
        self._path = str(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._fd = os.open(path, flags, 0o644)
            self.size = os.fstat(self._fd).st_size
        except OSError as error:
            raise disk_error(error, f"opening {path}") from error
        disk.sync_folder(path.parent)
        disk.write_all(self._fd, begin, self._path)

    def append(self, data: bytes) -> None:
        """Write, durably; what is not whole on the disk at a kill is cut off by the next recorder."""
        disk.write_all(self._fd, data, self._path)
        disk.sync_file(self._fd, self._path)
        self.size += len(data)

    def close(self) -> None:
        os.close(self._fd)
