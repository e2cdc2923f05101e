"""Fills gaps of a recording from the provider's history: what is asked, when, and when no more."""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tickreel.config import Key, Profile
from tickreel.errors import DiskError, NetworkError, RefusedError, TickreelError
from tickreel.ingest.record.clock import Clock
from tickreel.ingest.record.day_state import GONE
from tickreel.ingest.record.history import history_of
from tickreel.ingest.record.history_relay import NO_LOCAL
from tickreel.ingest.record.journal import Begin, GapNote, StreamInfo, fill_file, read_fills
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.record_file import RecordFile
from tickreel.ingest.record.stream import BEGAN
from tickreel.ingest.transport import Background, open_client
from tickreel.ingest.transport.limiter import Limiter
from tickreel.store import disk
from tickreel.units import NS_PER_DAY, NS_PER_S

MOST_TRIES = 6
_AGAIN_NS = 600 * NS_PER_S
_NEVER_NS = 100 * 365 * NS_PER_DAY
_NEAR_NS = 60 * NS_PER_S
_TOGETHER_NS = 600 * NS_PER_S
_PATIENCE_NS = 12 * 3_600 * NS_PER_S
MOST_AGO_DAYS = 31
GIVEN_UP = "history did not have it half a day later"
LONG_AGO = f"it is more than {MOST_AGO_DAYS} days ago, and whole days of history are long"


@dataclass(slots=True)
class _Wanted:
    day: str
    number: int
    note: GapNote
    since_ns: int
    """By the steady clock, as the next."""
    not_before_ns: int
    tries: int = 0
    again: Path | None = None
    """The file that the answer takes the place of: it is about the same gaps, and of fewer types."""


@dataclass(slots=True)
class _Asked:
    """Gaps of one day, of the same symbols and types, that are asked for together, and the answer to come."""

    wanted: list[_Wanted]
    target: Path
    future: "Future[None]"


class Fills:
    """The gaps of one feed that wait for history, asked for one after the other.

    after_ns  how long after a gap's end history has it
    lag_ns    declared delay of history's rows that have no local times; None: such are not taken
    """

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        profile: Profile,
        key: Key | None,
        clock: Clock,
        *,
        after_ns: int,
        lag_ns: int | None = None,
        tell: Callable[[Sequence[str]], None] = lambda sentences: None,
    ) -> None:
        self._journal, self._folder, self._clock = journal, folder, clock
        self._tell = tell
        self._profile, self._key, self._after_ns = profile, key, after_ns
        self._history = history_of(profile, lag_ns)
        self._limiter = Limiter(profile.limits.calls_per_minute)
        self._wanted: list[_Wanted] = []
        self._asked: _Asked | None = None
        self.filled = 0

    @property
    def waiting(self) -> int:
        return len(self._wanted) + (len(self._asked.wanted) if self._asked else 0)

    def waits_for(self, day: str) -> bool:
        """Return whether a gap of a day is not filled and not given up."""
        asked = self._asked.wanted if self._asked else []
        return any(wanted.day == day for wanted in (*self._wanted, *asked))

    def add(self, day: str, number: int) -> None:
        """Take in a gap; one that no history fills is settled at once."""
        note, now_ns = self._journal.state(day).gaps[number], self._clock.now_ns()
        if why := self._hopeless(note):
            if why != self._journal.state(day).settled.get(number):
                self._journal.settle(day, number, why, at_ns=now_ns)
            return
        ago_ns = min(max(0, now_ns - note.to_ns), self._after_ns)
        since_ns = self._clock.steady_ns()
        self._wanted.append(_Wanted(day, number, note, since_ns, since_ns + self._after_ns - ago_ns))

    def add_known(self, day: str) -> None:
        """Take in what an earlier recorder left of a day; to it no delay may have been declared."""
        state = self._journal.state(day)
        open_gaps = {number for number in state.gaps if self._is_open(state.settled.get(number))}
        for number in sorted(open_gaps - state.filled):
            self.add(day, number)
        again: set[int] = set()
        now_ns = self._clock.steady_ns()
        for path, head in read_fills(self._journal.folder(day)).items():
            if open_gaps.issuperset(head.gaps) and self._has_more(head, [state.gaps[n] for n in head.gaps]):
                again.update(head.gaps)
                self._wanted += [
                    _Wanted(day, number, state.gaps[number], now_ns, now_ns, again=path)
                    for number in head.gaps
                ]
        self.filled += len(state.filled - again)

    def _is_open(self, why: str | None) -> bool:
        """Return whether a gap is not settled, or was for want of a delay."""
        return why in (None, NO_LOCAL.format(self._profile.name))

    def _has_more(self, head: Begin, notes: list[GapNote]) -> bool:
        """Return whether history gives all types now that it gave of some gaps, and others."""
        before = _types(head.streams)
        return all(not self._hopeless(note) and before < _types(self._history.asked(note)) for note in notes)

    def tick(self, background: Background) -> None:
        """Take what has come, and ask for the next gaps that are due."""
        if self._asked:
            if not self._asked.future.done():
                return
            asked, self._asked = self._asked, None
            self._ended(asked)
        if together := self._due():
            for wanted in together:
                self._wanted.remove(wanted)
            first = together[0]
            target = first.again or fill_file(self._journal.folder(first.day), first.number)
            self._asked = _Asked(together, target, background.start(self._fetch(together, target)))

    def give_up(self, day: str) -> None:
        """Give up what a day has waited for half a day; what was never asked for waits for its turn."""
        long_ago_ns = self._clock.steady_ns() - _PATIENCE_NS
        waited = [one for one in self._wanted if one.day == day and one.tries and one.since_ns <= long_ago_ns]
        for wanted in waited:
            self._wanted.remove(wanted)
            self._journal.settle(day, wanted.number, GIVEN_UP, at_ns=self._clock.now_ns())

    def _hopeless(self, note: GapNote) -> str:
        """Say why no history fills a gap; "" if one may."""
        if note.reason == BEGAN:
            return "nothing was recorded before"
        if note.reason == GONE:
            return GONE
        if why := self._history.why_not(note):
            return why
        return LONG_AGO if note.to_ns < self._clock.now_ns() - MOST_AGO_DAYS * NS_PER_DAY else ""

    def _due(self) -> list[_Wanted]:
        """Return gaps that are near each other: a machine's answer has whole minutes, and so all of them."""
        now_ns = self._clock.steady_ns()
        due = [wanted for wanted in self._wanted if wanted.not_before_ns <= now_ns]
        due.sort(key=lambda wanted: (wanted.day, wanted.note.exchange, wanted.note.from_ns, wanted.number))
        together = due[:1]
        for wanted in due[1:]:
            first, note = together[0], wanted.note
            is_near = note.from_ns - max(one.note.to_ns for one in together) < _NEAR_NS
            is_short = note.to_ns - first.note.from_ns < _TOGETHER_NS
            is_alike = (wanted.day, note.asked, wanted.again) == (first.day, first.note.asked, first.again)
            # What was asked for together stays so: the answer takes the place of all that was given.
            if is_alike and (first.again or (is_near and is_short)):
                together.append(wanted)
        return together

    def _ended(self, asked: _Asked) -> None:
        try:
            asked.future.result()
            disk.publish([(_temporary(asked.target), asked.target)])
            self.filled += len(asked.wanted)
            return
        except DiskError:
            raise
        except TickreelError as error:
            # What is refused is not asked for again, but by a recording that begins within half a day.
            is_refused, why = (
                not isinstance(error, NetworkError) or isinstance(error, RefusedError),
                str(error),
            )
        again = (
            "it is asked for again when the recording is started anew"
            if is_refused
            else "it is asked for again"
        )
        self._tell(
            [f"{self._profile.name}: history that gaps were to be filled from did not come, {again}: {why}"]
        )
        now_ns = self._clock.steady_ns()
        for wanted in asked.wanted:
            wanted.tries += 1
            if wanted.tries >= MOST_TRIES:
                self._journal.settle(wanted.day, wanted.number, why, at_ns=self._clock.now_ns())
            else:
                wait_ns = _NEVER_NS if is_refused else _AGAIN_NS * 2**wanted.tries
                wanted.not_before_ns = now_ns + wait_ns
                self._wanted.append(wanted)

    async def _fetch(self, together: list[_Wanted], target: Path) -> None:
        """Write what history has of some gaps, and a little around them, to a temporary file, durably."""
        notes = [wanted.note for wanted in together]
        from_ns, to_ns = min(note.from_ns for note in notes), max(note.to_ns for note in notes)
        note = msgspec.structs.replace(notes[0], from_ns=from_ns, to_ns=to_ns)
        begin = Begin(
            VERSION, self._folder.name, together[0].day, self._history.asked(note),
            gaps=[wanted.number for wanted in together], lags_ns=self._history.lags_ns(note),
        )  # fmt: skip
        head = pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))
        async with open_client(self._profile, self._key, limiter=self._limiter) as client:
            await self._history.fetch(client, note, lambda: RecordFile(_temporary(target), head))


def _types(streams: Sequence[StreamInfo]) -> set[str]:
    return {type for asked in streams for type in asked.types}


def _temporary(target: Path) -> Path:
    return target.with_suffix(".coming")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed recorder left of answers."""
    for path in folder.glob("*.coming"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
