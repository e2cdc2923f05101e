"""One live stream into the journal: what comes, and what is missing when its connection was lost."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tickreel.ingest.record.clock import Clock
from tickreel.ingest.record.journal import StreamInfo
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.status import StreamStatus
from tickreel.sources.machine import PROVIDER_LOST, Disconnect, Rows, Trouble, read_message
from tickreel.units import NS_PER_MS, NS_PER_S, day_of

NOT_RUNNING = "the recorder was not running"
BEGAN = "recording began"
_LAG_EVERY_NS = 10 * NS_PER_MS
_JITTER_NS = NS_PER_S
"""Two clocks that are read one after the other differ by less, on any machine that records."""
_LONGEST_NOTE = 4_096
"""Messages about the provider's own connections are shorter."""


@dataclass(slots=True)
class _Missing:
    """Since when messages are missing, by either clock, ns, why, and of what."""

    since_ns: int
    steady_ns: int
    why: str
    asked: StreamInfo


class RecordedStream:
    """Takes what `transport.streams.follow` brings; its methods are called in the loop's thread.

    most_waiting_bytes  received and not on the disk: with more, reading stops until there is room
    on_gap              called with (day, number of the gap) for each that is noted
    """

    def __init__(
        self,
        journal: Journal,
        place: int,
        *,
        most_waiting_bytes: int,
        on_gap: Callable[[str, int], None],
        clock: Clock,
    ) -> None:
        self._journal, self._place, self._clock = journal, place, clock
        self._now_ns, self._steady_ns = clock.now_ns, clock.steady_ns
        self._most_waiting_bytes, self._on_gap = most_waiting_bytes, on_gap
        self.asked = journal.streams[place]
        self.status = StreamStatus(self.asked.exchange)
        self._missing: list[_Missing] = []
        """Of each part once, or of none."""
        self._is_new = True
        self._lock = threading.Lock()
        self._next_lag_ns = 0
        self._last_steady_ns = clock.steady_ns()

    @property
    def has_room(self) -> bool:
        return self._journal.waiting_bytes < self._most_waiting_bytes

    def miss(self, since_ns: int, why: str) -> None:
        """Note that what comes next ends a gap that began with the last message; the earliest beginning counts."""
        with self._lock:
            self._is_new = True
            self._missing = self._missing or [_Missing(since_ns, self._last_steady_ns, why, self.asked)]

    def absent(self, asked: StreamInfo, since_ns: int, why: str) -> None:
        """Note, as the recording begins, since when a part of what is asked for is missing."""
        self._missing.append(_Missing(since_ns, self._last_steady_ns, why, asked))

    def missed_until(self, end_ns: int) -> None:
        """Note a gap that goes on as far as the end of a day, and that it goes on."""
        with self._lock:
            for missing in self._missing:
                if missing.since_ns < end_ns:
                    self._note_gap(missing, missing.since_ns, end_ns)
                    missing.steady_ns = min(missing.steady_ns + end_ns - missing.since_ns, self._steady_ns())
                    missing.since_ns = end_ns

    def ended(self) -> None:
        """Note a gap that goes on as the recording ends."""
        with self._lock:
            self._note_missing(self._now_ns())

    def opened(self) -> None:
        self.status.state = "open"

    def held(self) -> None:
        self.status.held += 1

    def message(self, data: bytes) -> bool:
        """Take a message; return whether it is data, by which a connection has begun."""
        now_ns = self._now_ns()
        if len(data) < _LONGEST_NOTE and (b'"disconnect"' in data or b'"error"' in data) and self._told(data):
            self._journal.message(self._place, now_ns, data)
            return False
        if self._is_new:
            if not isinstance(read_message(data, now_ns // 1_000), Rows):
                self._journal.message(self._place, now_ns, data)
                return False
            self._begin(now_ns)
        self._journal.message(self._place, now_ns, data)
        status = self.status
        status.messages += 1
        steady_ns = self._steady_ns()
        status.last_ns, status.last_steady_ns, self._last_steady_ns = now_ns, steady_ns, steady_ns
        if steady_ns >= self._next_lag_ns:
            self._next_lag_ns = steady_ns + _LAG_EVERY_NS
            read = read_message(data, now_ns // 1_000)
            if isinstance(read, Rows):
                status.lag(now_ns - read.exchange_us * 1_000)
        return True

    def lost(self, why: str) -> None:
        now_ns = self._now_ns()
        self.status.state, self.status.last_error = "waiting", why
        self._journal.disconnected(self._place, now_ns, why)
        self.miss(now_ns if self.status.last_ns is None else self.status.last_ns, why)

    def _begin(self, now_ns: int) -> None:
        """A connection has its first message: what is missing before it is noted first."""
        self._journal.open_day(day_of(now_ns))
        self._journal.connected(self._place)
        with self._lock:
            self._is_new = False
            self._note_missing(now_ns)
        if self.status.messages:
            self.status.reconnects += 1

    def _note_missing(self, end_ns: int) -> None:
        """Note that what is missing ends. Where the clock was set back meanwhile, by both clocks: one of them was wrong."""
        for missing in self._missing:
            since_ns, lasted_ns = missing.since_ns, self._steady_ns() - missing.steady_ns
            if end_ns - since_ns > lasted_ns - _JITTER_NS:
                self._note_gap(missing, since_ns if since_ns < end_ns else end_ns - lasted_ns, end_ns)
            else:
                self._note_gap(missing, end_ns - lasted_ns, end_ns)
                self._note_gap(missing, since_ns, since_ns + lasted_ns)
        self._missing = []

    def _note_gap(self, missing: _Missing, since_ns: int, end_ns: int) -> None:
        noted = self._journal.gap(missing.asked, since_ns, end_ns, missing.why, at_ns=self._now_ns())
        if missing.why != BEGAN:  # what was before is missing, but nothing was lost
            self.status.gaps += len(noted)
            self.status.gaps_ns += max(0, end_ns - since_ns)
        for day, number in noted:
            self._on_gap(day, number)

    def _told(self, data: bytes) -> bool:
        """Hear what the provider says of its own connection: what it lost is missing here. False: it says nothing."""
        read = read_message(data, 0)
        if isinstance(read, Trouble):
            self.status.errors += 1
            self.status.last_error = read.details[:200]
        elif isinstance(read, Disconnect):
            now_ns = self._now_ns()
            self.miss(now_ns if self.status.last_ns is None else self.status.last_ns, PROVIDER_LOST)
        return isinstance(read, Trouble | Disconnect)
