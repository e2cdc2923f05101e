"""Fills gaps of a recording from the provider's history: what is asked, when, and when no more."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tickreel.config import Key, Profile
from tickreel.errors import MissingError, NetworkError, QuotaError, RefusedError, disk_error
from tickreel.ingest.record.journal import Begin, GapNote, StreamInfo, fill_file
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.seal_rows import SLACK_NS
from tickreel.ingest.record.stream import BEGAN
from tickreel.ingest.replay import replay
from tickreel.ingest.transport import Background, open_client
from tickreel.sources import machine_routes as routes
from tickreel.store import disk
from tickreel.units import NS_PER_S

MOST_TRIES = 6
_AGAIN_NS = 600 * NS_PER_S
_TOGETHER_NS = 600 * NS_PER_S
_WRITE_BYTES = 1 << 20
NO_BOOKS = "books are not filled: the new connection began with a snapshot"
NO_LOCAL = "the history of {} has no local times, and none are made up"


@dataclass(slots=True)
class _Wanted:
    day: str
    number: int
    note: GapNote
    not_before_ns: int
    tries: int = 0


@dataclass(slots=True)
class _Asked:
    """Gaps of one stream and day that are asked for together, and the answer to come."""

    wanted: list[_Wanted]
    target: Path
    future: "Future[None]"


class Fills:
    """The gaps of one feed that wait for history, asked for one after the other.

    after_ns  how long after a gap's end history has it
    """

    def __init__(
        self, journal: Journal, folder: Path, profile: Profile, key: Key | None, *, after_ns: int
    ) -> None:
        self._journal, self._folder = journal, folder
        self._profile, self._key, self._after_ns = profile, key, after_ns
        self._streams = {stream.exchange: stream for stream in journal.streams}
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

    def add(self, day: str, number: int, now_ns: int) -> None:
        """Take in a gap; one that no history fills is settled at once."""
        note = self._journal.state(day).gaps[number]
        if why := self._hopeless(note):
            self._journal.settle(day, number, why, at_ns=now_ns)
            return
        self._wanted.append(_Wanted(day, number, note, note.to_ns + self._after_ns))

    def add_known(self, day: str, now_ns: int) -> None:
        """Take in what an earlier recorder left of a day."""
        state = self._journal.state(day)
        self.filled += len(state.filled)
        for number in state.gaps:
            if number not in state.filled and number not in state.settled:
                self.add(day, number, now_ns)

    def tick(self, background: Background, now_ns: int) -> None:
        """Take what has come, and ask for the next gaps that are due."""
        if self._asked:
            if not self._asked.future.done():
                return
            asked, self._asked = self._asked, None
            self._ended(asked, now_ns)
        if together := self._due(now_ns):
            for wanted in together:
                self._wanted.remove(wanted)
            target = fill_file(self._folder / together[0].day, together[0].number)
            self._asked = _Asked(together, target, background.start(self._fetch(together, target)))

    def drop_day(self, day: str, why: str, now_ns: int) -> None:
        """Give up what a day still waits for."""
        for wanted in [wanted for wanted in self._wanted if wanted.day == day]:
            self._wanted.remove(wanted)
            self._journal.settle(day, wanted.number, why, at_ns=now_ns)

    def _hopeless(self, note: GapNote) -> str:
        """Say why no history fills a gap; "" if one may."""
        stream = self._streams.get(note.exchange)
        if note.reason == BEGAN:
            return "nothing was recorded before"
        if stream is None:
            return "not recorded any more"
        if self._profile.kind != "machine":
            return NO_LOCAL.format(self._profile.name)
        return "" if _types(stream) else NO_BOOKS

    def _due(self, now_ns: int) -> list[_Wanted]:
        """Return gaps that are near each other: one answer has whole minutes, and so all of them."""
        due = [wanted for wanted in self._wanted if wanted.not_before_ns <= now_ns]
        due.sort(key=lambda wanted: (wanted.day, wanted.note.exchange, wanted.note.from_ns))
        together = due[:1]
        for wanted in due[1:]:
            first, note = together[0], wanted.note
            is_near = note.from_ns - max(one.note.to_ns for one in together) < routes.MINUTE_NS
            is_short = note.to_ns - first.note.from_ns < _TOGETHER_NS
            if (wanted.day, note.exchange) == (first.day, first.note.exchange) and is_near and is_short:
                together.append(wanted)
        return together

    def _ended(self, asked: _Asked, now_ns: int) -> None:
        try:
            asked.future.result()
            disk.publish([(_temporary(asked.target), asked.target)])
            self.filled += len(asked.wanted)
            return
        except (RefusedError, MissingError, QuotaError) as error:
            lasting, why = True, str(error)
        except NetworkError as error:
            lasting, why = False, str(error)
        for wanted in asked.wanted:
            wanted.tries += 1
            if lasting or wanted.tries >= MOST_TRIES:
                self._journal.settle(wanted.day, wanted.number, why, at_ns=now_ns)
            else:
                wanted.not_before_ns = now_ns + _AGAIN_NS * 2**wanted.tries
                self._wanted.append(wanted)

    async def _fetch(self, together: list[_Wanted], target: Path) -> None:
        """Write what history has of some gaps, and a little around them, to a temporary file, durably."""
        stream = self._streams[together[0].note.exchange]
        from_ns = min(wanted.note.from_ns for wanted in together) - SLACK_NS
        to_ns = max(wanted.note.to_ns for wanted in together) + SLACK_NS
        options = routes.replay_options(stream.exchange, stream.symbols, _types(stream), from_ns, to_ns)
        place, number = self._journal.streams.index(stream), together[0].number
        begin = Begin(
            VERSION, self._folder.name, together[0].day, list(self._journal.streams),
            gaps=[wanted.number for wanted in together],
        )  # fmt: skip
        head = pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))

        async def take(pieces: AsyncIterator[list[bytes]]) -> None:
            with _Writer(_temporary(target), head) as write:
                async for messages in pieces:
                    for message in messages:
                        write(pack(Kind.MESSAGE, place, number, 0, message))

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


def _types(stream: StreamInfo) -> list[str]:
    """Return the types of a stream that history has whole."""
    return [type for type in stream.types if type in routes.REPLAYED]


def _temporary(target: Path) -> Path:
    return target.with_suffix(".coming")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed recorder left of answers."""
    for path in folder.glob("*.coming"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
