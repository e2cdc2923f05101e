"""One feed while it is recorded: its streams, its journal, its gaps, and its days as they end."""

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tickreel.config import Key, Profile
from tickreel.errors import TickreelError
from tickreel.ingest.record.clock import STEP_NS, Clock
from tickreel.ingest.record.day_state import GONE, DayState, read_state
from tickreel.ingest.record.fill import MOST_AGO_DAYS, Fills, remove_unfinished
from tickreel.ingest.record.history_relay import without_local
from tickreel.ingest.record.journal import Part, StreamInfo, journal_days, parts, together
from tickreel.ingest.record.journal_writer import MOST_DAYS, Journal
from tickreel.ingest.record.seal import end_day
from tickreel.ingest.record.sealed import KNOWN, read_known, sealed_days
from tickreel.ingest.record.sealing import Sealing
from tickreel.ingest.record.settings import RecordSettings
from tickreel.ingest.record.status import FeedNumbers
from tickreel.ingest.record.stream import BEGAN, NOT_RUNNING, RecordedStream
from tickreel.ingest.transport import Background
from tickreel.ingest.transport.session import Session
from tickreel.ingest.transport.streams import Call, follow
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, day_start, format_time

_LONG_NS = 7 * NS_PER_DAY
"""An absence that is told."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A provider to record, and where its streams are; calls: one for each stream."""

    profile: Profile
    key: Key | None
    streams: tuple[StreamInfo, ...]
    calls: tuple[Call, ...]

    @property
    def name(self) -> str:
        return self.profile.name


class FeedRecorder:
    """Records one feed, under its lock, from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        folder: Path,
        settings: RecordSettings,
        clock: Clock | None = None,
    ) -> None:
        self.feed, self.problem, self._clock = feed, "", clock or Clock()
        self._now_ns = self._clock.now_ns
        self.troubles: list[str] = []
        self._store, self._folder, self._settings = store, folder, settings
        self._began_ns = self._clock.steady_ns()
        self.sealing = Sealing(store, feed.name, folder, settings, self._tell)
        self._following: list[Future[None]] = []
        self._gone: list[tuple[StreamInfo, int]] = []
        """What is not recorded any more, and since when that is not noted."""
        self._recover()

    @property
    def is_lost(self) -> bool:
        """Whether every stream has given up."""
        return bool(self._following) and all(future.done() for future in self._following)

    def start(self, background: Background) -> None:
        """Begin to listen."""
        for call, stream in zip(self.feed.calls, self.streams, strict=True):
            self._following.append(background.start(_follow(self.feed, call, stream)))

    def commit(self) -> None:
        """Make durable what came. Raises DiskError: nothing more is acknowledged then."""
        self.journal.commit()

    def look(self, background: Background) -> None:
        """Look after streams, gaps and days; once a second is enough."""
        self._look_at_clock()
        now_ns = self._now_ns()
        for stream, future in zip(self.streams, self._following, strict=False):
            if future.done() and not future.cancelled() and (error := future.exception()):
                if not isinstance(error, TickreelError):
                    raise error
                stream.status.state, self.problem = "given up", str(error)
        self.fills.tick(background)
        for day in self.journal.days:
            self._look_at_day(day, now_ns)
        self.sealing.look(self.journal)

    def stop(self) -> None:
        """Make everything durable. Nothing comes any more."""
        try:
            for stream in self.streams:
                stream.ended()
            silent = [stream.status for stream in self.streams if not stream.status.messages]
            if len(silent) == len(self.streams) and (why := silent[0].last_error):
                self.problem = self.problem or f"{self.feed.name}: nothing came: {why}"
        finally:
            self.journal.close()

    def seal(self, on_wait: Callable[[str], None] = lambda why: None) -> None:
        """Seal what is there, so that all of it can be read; days that go on are sealed anew later.

        on_wait  called when another writer has the store
        """
        self.sealing.finish(self.journal.days, on_wait)

    def numbers(self, primary: str | None) -> FeedNumbers:
        """Return what is to be shown."""
        steady_ns = self._clock.steady_ns()
        return FeedNumbers(
            self.feed.name, primary == self.feed.name, [s.status.numbers(steady_ns) for s in self.streams],
            self.journal.waiting_bytes, self.fills.filled, self.fills.waiting, self.journal.days,
            self.sealing.day, _free_bytes(self._folder),
            steady_ns - self._began_ns, self.sealing.unsealed, self.problem,
        )  # fmt: skip

    def _recover(self) -> None:
        """Take up what the recorder before left, wherever it was killed."""
        sealed = sealed_days(self._folder)
        states = self._read_days(sealed)
        self.journal = Journal(
            self._folder, self._store.root, self.feed.name, self.feed.streams, states, closed=sealed
        )
        now_ns = self._now_ns()
        self._open_today(now_ns)
        settings = self._settings
        self.fills = Fills(
            self.journal, self._folder, self.feed.profile, self.feed.key, self._clock,
            after_ns=settings.fill_after_ns, lag_ns=settings.fill_lag_ns, tell=self._tell,
        )  # fmt: skip
        self._tell_open(without_local(self.feed.profile, self.feed.streams))
        self.streams = [
            RecordedStream(
                self.journal, place, most_waiting_bytes=settings.most_waiting_bytes,
                on_gap=self.fills.add, clock=self._clock,
            )
            for place in range(len(self.feed.streams))
        ]  # fmt: skip
        for state in states:
            self.fills.add_known(state.day)
        known, ahead = _known_until(states, self._known_by(sealed), now_ns)
        self._tell_absence(known, ahead, now_ns)
        self._note_absence(ahead | known, now_ns)

    def _read_days(self, sealed: set[str]) -> list[DayState]:
        """Return what is known of the days that are not sealed for good, and end those that are."""
        states = []
        for day in journal_days(self._folder):
            if day in sealed:
                self._tell(end_day(self._folder / day))
                continue
            remove_unfinished(self._folder / day)
            states.append(read_state(self._folder / day, mend=True))
            self._tell(states[-1].troubles)
        return states

    def _known_by(self, sealed: set[str]) -> dict[Part, int]:
        """Return until when each part is known by the days that are sealed."""
        known = read_known(self._folder)
        if known is None:
            until_ns = day_start(max(sealed)) + NS_PER_DAY if sealed else day_start(day_of(self._now_ns()))
            self._tell([
                f"{self._folder / KNOWN}: damaged or missing: what was recorded until when cannot be told; a gap from"
                f" {format_time(until_ns)} on is noted of all that is asked for"
            ])  # fmt: skip
            known = {part: until_ns for stream in self.streams for part in parts(stream.asked)}
        return known

    def _tell_absence(self, known: dict[Part, int], ahead: dict[Part, int], now_ns: int) -> None:
        """Say what gaps do not: that a clock is or was wrong, or how long ago it is that something was recorded."""
        name, clock = self.feed.name, f"this machine's clock says {format_time(now_ns)}"
        if ahead:
            before_ns = min((known[part] for part in ahead if part in known), default=None)
            self._tell([
                f"{name}: the journal goes to {format_time(max(ahead.values()))}, and {clock}: one of them is wrong; "
                + (
                    "how long nothing was recorded cannot be told"
                    if before_ns is None
                    else f"what is missing since is noted from {format_time(before_ns)} on, the latest time before"
                )
            ])  # fmt: skip
        latest_ns = max(known.values(), default=now_ns)
        if now_ns - latest_ns > _LONG_NS:
            self._tell([
                f"{name}: the journal goes to {format_time(latest_ns)}, and {clock}: each day between is noted as a gap,"
                f" at most {MOST_DAYS}; history is asked for the latest {MOST_AGO_DAYS}"
            ])  # fmt: skip

    def _tell_open(self, types: list[str]) -> None:
        """Say that gaps stay open, of types whose history has no local times, unless a delay is declared."""
        if types and self._settings.fill_lag_ns is None:
            self._tell([
                f"{self.feed.name}: gaps of {', '.join(types)} stay open, for its history has no local times: declare how"
                " long after their exchange time rows arrive, as --fill-lag 50ms, and they are filled with it"
            ])  # fmt: skip

    def _open_today(self, now_ns: int) -> None:
        """Open the day of now. One that is sealed stays so: an empty journal would take its segments' place."""
        today = day_of(now_ns)
        if (opened := self.journal.open_day(today)) != today:
            self._tell([
                f"{self.feed.name}: this machine's clock says {today}, a day that is sealed for good: what comes lies in"
                f" {opened}, and rows of {today} are set aside there; set the clock right"
            ])  # fmt: skip

    def _note_absence(self, known: dict[Part, int], now_ns: int) -> None:
        """Note since when messages of each part are missing. known: until when it is known of a part what came."""
        began = day_start(day_of(now_ns)), BEGAN
        for stream in self.streams:
            since = {part: _known(known, part) or began for part in parts(stream.asked)}
            for asked, (since_ns, why) in _alike(since):
                stream.absent(asked, since_ns, why)
        for asked, (since_ns, _) in _alike(self._gone_parts(known)):
            self._note_gone(asked, since_ns, now_ns)

    def _gone_parts(self, known: dict[Part, int]) -> "_Since":
        """Return those parts that are asked for no more; of all symbols of an exchange, if none of them is."""
        recorded = {part for stream in self.streams for part in parts(stream.asked)}
        of_some = {part[:2] for part in recorded}
        of_all = {part[:2] for part in recorded if not part[2]}
        return {
            part: (ns, GONE) for part, ns in known.items()
            if part not in recorded and part[:2] not in (of_all if part[2] else of_some)
        }  # fmt: skip

    def _note_gone(self, asked: StreamInfo, since_ns: int, until_ns: int) -> None:
        """Note what is not recorded any more: so far, and to the end of its day when that is over."""
        end_ns = day_start(day_of(since_ns)) + NS_PER_DAY
        for day, number in self.journal.gap(
            asked, since_ns, min(until_ns, end_ns), GONE, at_ns=self._now_ns()
        ):
            self.fills.add(day, number)
        if until_ns < end_ns:
            self._gone.append((asked, max(since_ns, until_ns)))

    def _look_at_clock(self) -> None:
        now_ns = self._now_ns()
        if step_ns := self._clock.look():
            way = "forward" if step_ns > 0 else "back"
            grace_s = self._settings.grace_ns / NS_PER_S
            self._tell([
                f"{self.feed.name}: this machine's clock was set {way} by {abs(step_ns) / NS_PER_S:,.0f} s, to"
                f" {format_time(now_ns)}: no day ends until it has stayed for {grace_s:g} s; keep it in step"
            ])  # fmt: skip
        if self.journal.is_closed(day_of(now_ns)):
            self._open_today(now_ns)

    def _look_at_day(self, day: str, now_ns: int) -> None:
        """Close a day that is over: when nothing of it comes any more, and history has been asked.

        A clock that was set may be set right again: it is waited as long as for what is late.
        """
        end_ns, grace_ns = day_start(day) + NS_PER_DAY, self._settings.grace_ns
        heard_ns = self.journal.heard_ns(day)
        if now_ns < end_ns + grace_ns or heard_ns <= now_ns < heard_ns + grace_ns:
            return
        if self._clock.settled_ns < grace_ns:
            return
        for stream in self.streams:
            stream.missed_until(end_ns)
        over = [gone for gone in self._gone if day_of(gone[1]) == day]
        self._gone = [gone for gone in self._gone if gone not in over]
        for asked, since_ns in over:
            self._note_gone(asked, since_ns, end_ns)
        self.fills.give_up(day)
        if self.fills.waits_for(day):
            return
        self.journal.close_day(day, at_ns=now_ns)
        self.sealing.add(day)

    def _tell(self, troubles: Sequence[str]) -> None:
        """Keep what is wrong, each sentence once: a day is sealed again and again."""
        self.troubles += [trouble for trouble in troubles if trouble not in self.troubles]


_Since = dict[Part, tuple[int, str]]
"""Part -> since when its messages are missing, and why."""


def _known_until(
    states: list[DayState], sealed: dict[Part, int], now_ns: int
) -> tuple[dict[Part, int], dict[Part, int]]:
    """Return until when it is known of each part what came and what is missing, ns: what lies before now, and ahead of it.

    sealed  the same as days tell that are sealed
    A clock that was ahead for seconds leaves times that say nothing of what came after it was set right.
    """
    known: dict[Part, int] = {}
    ahead: dict[Part, int] = {}
    for part, until_ns in chain(sealed.items(), *(state.known_until() for state in states)):
        of = ahead if until_ns > now_ns + STEP_NS else known
        of[part] = max(until_ns, of.get(part, 0))
    return known, ahead


def _known(known: dict[Part, int], part: Part) -> tuple[int, str] | None:
    """Return until when a part is known, by itself or as one of all symbols; None if it is new."""
    exchange, type, _ = part
    found = [known[one] for one in (part, (exchange, type, "")) if one in known]
    return (max(found), NOT_RUNNING) if found else None


def _alike(since: _Since) -> list[tuple[StreamInfo, tuple[int, str]]]:
    """Return parts together that are missing since one time."""
    some: dict[tuple[int, str], list[Part]] = {}
    for part, when in since.items():
        some.setdefault(when, []).append(part)
    return [(asked, when) for when, of in some.items() for asked in together(of)]


async def _follow(feed: Feed, call: Call, stream: RecordedStream) -> None:
    from tickreel.ingest.transport.websockets import WebSockets

    session = Session(feed.profile.stream, chance=random.random)
    async with WebSockets(feed.profile, feed.key) as sockets:
        await follow(call, session, stream, sockets.connect)


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
