"""Fills gaps of a recording from the provider's history: what is asked, when, and when no more."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tickreel.config import Key, Profile
from tickreel.errors import (
    DiskError,
    NetworkError,
    RefusedError,
    TickreelError,
    disk_error,
)
from tickreel.ingest.record.clock import Clock
from tickreel.ingest.record.day_state import GONE
from tickreel.ingest.record.journal import Begin, GapNote, StreamInfo, fill_file
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.seal_rows import SLACK_NS
from tickreel.ingest.record.stream import BEGAN
from tickreel.ingest.replay import replay
from tickreel.ingest.transport import Background, open_client
from tickreel.sources import machine_routes as routes
from tickreel.store import disk
from tickreel.units import NS_PER_DAY, NS_PER_S

MOST_TRIES = 6
_AGAIN_NS = 600 * NS_PER_S
_NEVER_NS = 100 * 365 * NS_PER_DAY
_TOGETHER_NS = 600 * NS_PER_S
_WRITE_BYTES = 1 << 20
_PATIENCE_NS = 12 * 3_600 * NS_PER_S
MOST_AGO_DAYS = 31
GIVEN_UP = "history did not have it half a day later"
LONG_AGO = f"it is more than {MOST_AGO_DAYS} days ago, and whole days of history are long"
NO_BOOKS = "books are not filled: the new connection began with a snapshot"
NO_LOCAL = "the history of {} has no local times, and none are made up"


@dataclass(slots=True)
class _Wanted:
    day: str
    number: int
    note: GapNote
    since_ns: int
    """By the steady clock, as the next."""
    not_before_ns: int
    tries: int = 0


@dataclass(slots=True)
class _Asked:
    """Gaps of one day, of the same symbols and types, that are asked for together, and the answer to come."""

    wanted: list[_Wanted]
    target: Path
    future: "Future[None]"


class Fills:
    """The gaps of one feed that wait for history, asked for one after the other.

    after_ns  how long after a gap's end history has it
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
        tell: Callable[[Sequence[str]], None] = lambda sentences: None,
    ) -> None:
        self._journal, self._folder, self._clock = journal, folder, clock
        self._tell = tell
        self._profile, self._key, self._after_ns = profile, key, after_ns
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
            self._journal.settle(day, number, why, at_ns=now_ns)
            return
        ago_ns = min(max(0, now_ns - note.to_ns), self._after_ns)
        since_ns = self._clock.steady_ns()
        self._wanted.append(_Wanted(day, number, note, since_ns, since_ns + self._after_ns - ago_ns))

    def add_known(self, day: str) -> None:
        """Take in what an earlier recorder left of a day."""
        state = self._journal.state(day)
        self.filled += len(state.filled)
        for number in state.gaps:
            if number not in state.filled and number not in state.settled:
                self.add(day, number)

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
            target = fill_file(self._journal.folder(together[0].day), together[0].number)
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
        if self._profile.kind != "machine":
            return NO_LOCAL.format(self._profile.name)
        if note.to_ns < self._clock.now_ns() - MOST_AGO_DAYS * NS_PER_DAY:
            return LONG_AGO
        return "" if _types(note) else NO_BOOKS

    def _due(self) -> list[_Wanted]:
        """Return gaps that are near each other: one answer has whole minutes, and so all of them."""
        now_ns = self._clock.steady_ns()
        due = [wanted for wanted in self._wanted if wanted.not_before_ns <= now_ns]
        due.sort(key=lambda wanted: (wanted.day, wanted.note.exchange, wanted.note.from_ns, wanted.number))
        together = due[:1]
        for wanted in due[1:]:
            first, note = together[0], wanted.note
            is_near = note.from_ns - max(one.note.to_ns for one in together) < routes.MINUTE_NS
            is_short = note.to_ns - first.note.from_ns < _TOGETHER_NS
            if (wanted.day, note.asked) == (first.day, first.note.asked) and is_near and is_short:
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
        for wanted in asked.wanted:
            wanted.tries += 1
            if wanted.tries >= MOST_TRIES:
                self._journal.settle(wanted.day, wanted.number, why, at_ns=self._clock.now_ns())
            else:
                wait_ns = _NEVER_NS if is_refused else _AGAIN_NS * 2**wanted.tries
                wanted.not_before_ns = self._clock.steady_ns() + wait_ns
                self._wanted.append(wanted)

    async def _fetch(self, together: list[_Wanted], target: Path) -> None:
        """Write what history has of some gaps, and a little around them, to a temporary file, durably."""
        asked, number = together[0].note.asked, together[0].number
        from_ns = min(wanted.note.from_ns for wanted in together) - SLACK_NS
        to_ns = max(wanted.note.to_ns for wanted in together) + SLACK_NS
        options = routes.replay_options(asked.exchange, asked.symbols, _types(asked), from_ns, to_ns)
        begin = Begin(
            VERSION, self._folder.name, together[0].day, [asked], gaps=[wanted.number for wanted in together]
        )
        head = pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))

        async def take(pieces: AsyncIterator[list[bytes]]) -> None:
            with _Writer(_temporary(target), head) as write:
                async for messages in pieces:
                    for message in messages:
                        write(pack(Kind.MESSAGE, 0, number, 0, message))

        async with open_client(self._profile, self._key) as client:
            await replay(client, options, take)


class _Writer:
    """A file of records that is durable when it is closed without an error."""

    def __init__(self, path: Path, head: bytes) -> None:
        self._path, self._waiting, self._bytes = path, [head], len(head)

    def __enter__(self) -> Callable[[bytes], None]:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise disk_error(error, f"creating {self._path}") from error
        return self._write

    def _write(self, record: bytes) -> None:
        self._waiting.append(record)
        self._bytes += len(record)
        if self._bytes >= _WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        disk.write_all(self._fd, b"".join(self._waiting), str(self._path))
        self._waiting, self._bytes = [], 0

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            if kind is None:
                self._flush()
                disk.sync_file(self._fd, str(self._path))
        finally:
            os.close(self._fd)


def _types(what: GapNote | StreamInfo) -> list[str]:
    """Return the types that history has whole."""
    return [type for type in what.types if type in routes.REPLAYED]


def _temporary(target: Path) -> Path:
    return target.with_suffix(".coming")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed recorder left of answers."""
    for path in folder.glob("*.coming"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
