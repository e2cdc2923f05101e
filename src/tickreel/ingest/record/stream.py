"""One live stream into the journal: what comes, and what is missing when its connection was lost."""

import threading
import time
from collections.abc import Callable

from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.status import StreamStatus
from tickreel.sources.machine import PROVIDER_LOST, Disconnect, Rows, Trouble, read_message
from tickreel.units import NS_PER_MS, day_of

NOT_RUNNING = "the recorder was not running"
BEGAN = "recording began"
_LAG_EVERY_NS = 10 * NS_PER_MS
_LONGEST_NOTE = 4_096
"""Messages about the provider's own connections are shorter."""


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
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._journal, self._place, self._now_ns = journal, place, now_ns
        self._most_waiting_bytes, self._on_gap = most_waiting_bytes, on_gap
        self.exchange = journal.streams[place].exchange
        self.status = StreamStatus(self.exchange)
        self.missing_since_ns: int | None = None
        """Since when messages are missing; None while they come."""
        self._why_missing = ""
        self._is_new = True
        self._lock = threading.Lock()
        self._next_lag_ns = 0

    @property
    def has_room(self) -> bool:
        return self._journal.waiting_bytes < self._most_waiting_bytes

    def miss(self, since_ns: int, why: str) -> None:
        """Note that what comes next ends a gap; the earliest beginning counts."""
        with self._lock:
            self._is_new = True
            if self.missing_since_ns is None:
                self.missing_since_ns, self._why_missing = since_ns, why

    def missed_until(self, end_ns: int) -> None:
        """Note a gap that goes on as far as a time, and that it goes on: at the end of a day, or of the recording."""
        with self._lock:
            since_ns = self.missing_since_ns
            if since_ns is not None and since_ns < end_ns:
                self._note_gap(since_ns, end_ns)
                self.missing_since_ns = end_ns

    def opened(self) -> None:
        self.status.state = "open"

    def held(self) -> None:
        self.status.held += 1

    def message(self, data: bytes) -> None:
        now_ns = self._now_ns()
        if len(data) < _LONGEST_NOTE and (b'"disconnect"' in data or b'"error"' in data) and self._told(data):
            self._journal.message(self._place, now_ns, data)
            return
        if self._is_new:
            self._begin(now_ns)
        self._journal.message(self._place, now_ns, data)
        status = self.status
        status.messages += 1
        status.last_ns = now_ns
        if now_ns >= self._next_lag_ns:
            self._next_lag_ns = now_ns + _LAG_EVERY_NS
            read = read_message(data, now_ns // 1_000)
            if isinstance(read, Rows):
                status.lag(now_ns - read.exchange_us * 1_000)

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
            if self.missing_since_ns is not None:
                since_ns, self.missing_since_ns = self.missing_since_ns, None
                self._note_gap(since_ns, now_ns)
        if self.status.messages:
            self.status.reconnects += 1

    def _note_gap(self, since_ns: int, end_ns: int) -> None:
        noted = self._journal.gap(self.exchange, since_ns, end_ns, self._why_missing, at_ns=self._now_ns())
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
