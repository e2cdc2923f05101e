"""Many days at a time from a provider to files in a folder, each whole when it has its name."""

import asyncio
import os
import queue
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tickreel.config import Key, Profile
from tickreel.errors import MissingError, NetworkError, QuotaError, RefusedError, disk_error
from tickreel.ingest.download import history_files, history_machine, history_relay
from tickreel.ingest.download.fetched import Fetched
from tickreel.ingest.download.plan import not_over
from tickreel.ingest.files.gaps_beside import keep_gaps
from tickreel.ingest.transport import Client, Wait, open_client
from tickreel.sources.tardis_http import DayFile
from tickreel.store.disk import sync_file

PART = ".part"
_AHEAD_BYTES = 2 << 30
"""What may wait for its import: so far a download runs ahead, and so much it leaves lying when it is killed."""
_LEAST_BYTES = 1 << 18
"""A day counts for as much at least: small ones are not to wait by the ten thousand."""

FetchDay = Callable[[Client, DayFile, Path], Awaitable[Fetched]]
FETCHERS: dict[str, FetchDay] = {
    "tardis": history_files.fetch_day, "machine": history_machine.fetch_day, "relay": history_relay.fetch_day,
}  # fmt: skip
"""How a day of a provider's kind is fetched."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A day that has been fetched whole; bytes: packed; empty: as `Fetched.empty`."""

    file: DayFile
    path: Path
    bytes: int
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A day that did not come, or was not asked for."""

    file: DayFile
    error: NetworkError


class Fetching:
    """Fetches days; used by one thread with a loop, whose results another takes from `results`.

    durable  files are to outlive a power cut
    results  Arrived or Lost of every day, then None; where many bytes wait, no other day is begun
    bytes    that came so far
    """

    def __init__(
        self,
        profile: Profile,
        key: Key | None,
        files: Sequence[DayFile],
        path_of: Callable[[DayFile], Path],
        *,
        parallel: int,
        durable: bool = False,
    ) -> None:
        self.results: queue.SimpleQueue[Arrived | Lost | None] = queue.SimpleQueue()
        self.bytes = 0
        self._profile = profile
        self._key = key
        self._files = deque(files)
        self._path_of = path_of
        self._parallel = parallel
        self._durable = durable
        self._waiting_bytes = 0
        self._client: Client | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._stopped: QuotaError | None = None
        self._refused: RefusedError | None = None

    async def run(self) -> None:
        """Fetch all; what goes wrong with one day is that day's result."""
        self._loop = asyncio.get_running_loop()
        try:
            async with open_client(self._profile, self._key) as client:
                self._client = client
                await self._leave_out(client)
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._parallel, len(self._files))):
                        group.create_task(self._work(client, group))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self.results.put(None)

    @property
    def waits(self) -> Wait | None:
        """What some request waits for just now."""
        return self._client.waits.now() if self._client else None

    def taken(self, results: Sequence[Arrived | Lost]) -> None:
        """Say, from another thread, that some results have been dealt with."""
        self._loop.call_soon_threadsafe(self._make_room, -sum(_weight(result) for result in results))

    def _make_room(self, change: int) -> None:
        self._waiting_bytes += change
        if self._waiting_bytes < _AHEAD_BYTES:
            self._room.set()
        else:
            self._room.clear()

    async def _leave_out(self, client: Client) -> None:
        """Take out the days that the provider does not have: it says so, or they are not over."""
        there = None
        if self._profile.kind == "tardis" and self._files:
            there = await history_files.availability(client, self._files[0].exchange)
        for _ in range(len(self._files)):
            file = self._files.popleft()
            why = there.refuses(file) if there else ""
            if there is None or there.until_ns is None:
                why = why or not_over(file)
            if why:
                self._give(Lost(file, MissingError(f"{self._profile.name} does not have it: {why}")))
            else:
                self._files.append(file)

    async def _work(self, client: Client, group: asyncio.TaskGroup) -> None:
        while await self._room.wait() and self._files:
            file = self._files.popleft()
            try:
                if error := self._known_answer(file):
                    raise error
                part = self._part_of(file)
                fetched = await FETCHERS[self._profile.kind](client, file, part)
            except NetworkError as error:
                self._learn(error)
                self._give(Lost(file, error))
            else:
                self.bytes += fetched.bytes
                arrived = Arrived(file, self._path_of(file), fetched.bytes, fetched.empty)
                if self._durable or fetched.gaps:
                    # The disk is waited for while the next day is on its way.
                    group.create_task(self._keep(part, arrived, fetched))
                else:
                    keep_gaps(arrived.path, ())
                    self._name(part, arrived)

    async def _keep(self, part: Path, arrived: Arrived, fetched: Fetched) -> None:
        await asyncio.to_thread(keep_gaps, arrived.path, fetched.gaps)
        await asyncio.to_thread(_make_durable, part)
        self._name(part, arrived)

    def _name(self, part: Path, arrived: Arrived) -> None:
        try:
            os.rename(part, arrived.path)
        except OSError as error:
            raise disk_error(error, f"writing {arrived.path}") from error
        self._give(arrived)

    def _part_of(self, file: DayFile) -> Path:
        path = self._path_of(file)
        return path.with_name(path.name + PART)

    def _learn(self, error: NetworkError) -> None:
        """Keep what an error says of days that were not asked for yet."""
        if isinstance(error, RefusedError):
            self._refused = error
        if isinstance(error, QuotaError):
            self._stopped = error

    def _known_answer(self, file: DayFile) -> NetworkError | None:
        """Return what would be answered, where that is known without asking."""
        if self._stopped:
            return self._stopped
        # Without a key only the first day of a month is free, and the first refusal has said so.
        return self._refused if self._key is None and not file.day.endswith("-01") else None

    def _give(self, result: Arrived | Lost) -> None:
        self._make_room(_weight(result))
        self.results.put(result)


def _weight(result: Arrived | Lost) -> int:
    return max(result.bytes, _LEAST_BYTES) if isinstance(result, Arrived) else 0


def _make_durable(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise disk_error(error, f"opening {path}") from error
    try:
        sync_file(fd, str(path))
    finally:
        os.close(fd)
