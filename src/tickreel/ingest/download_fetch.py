"""Many days at a time from a provider to files in a folder, each whole and durable when it has its name."""

import asyncio
import os
import queue
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tickreel.config import Key, Profile
from tickreel.errors import MissingError, NetworkError, QuotaError, RefusedError, TickreelError, disk_error
from tickreel.ingest import history_files
from tickreel.ingest.transport import Client, open_client
from tickreel.sources.tardis_http import DayFile
from tickreel.store.disk import sync_file

PART = ".part"
MOST_WAITING = 64
"""Days that may wait for their import: so much a download runs ahead, and leaves lying when it is killed."""

FetchDay = Callable[[Client, DayFile, Path], Awaitable[int]]
FETCHERS: dict[str, FetchDay] = {"tardis": history_files.fetch_day}
"""How a day of a provider's kind is fetched."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A day that has been fetched whole; bytes: packed."""

    file: DayFile
    path: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A day that did not come; asked: whether it was asked for at all."""

    file: DayFile
    error: TickreelError
    asked: bool = True


class Fetching:
    """Fetches days; used by one thread with a loop, whose results another takes from `results`.

    results  Arrived or Lost of every day, then None; it holds at most some: then fetching waits
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
    ) -> None:
        self.results: queue.SimpleQueue[Arrived | Lost | None] = queue.SimpleQueue()
        self.bytes = 0
        self._profile = profile
        self._key = key
        self._files = deque(files)
        self._path_of = path_of
        self._parallel = parallel
        self._stopped: TickreelError | None = None
        self._refused: RefusedError | None = None

    async def run(self) -> None:
        """Fetch all; what goes wrong with one day is that day's result."""
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._loop = asyncio.get_running_loop()
        try:
            async with open_client(self._profile, self._key) as client:
                await self._leave_out(client)
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._parallel, len(self._files))):
                        group.create_task(self._work(client))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self.results.put(None)

    def taken(self, count: int) -> None:
        """Say, from any thread, that so many results have been dealt with."""
        for _ in range(count):
            self._loop.call_soon_threadsafe(self._room.release)

    async def _leave_out(self, client: Client) -> None:
        """Take out the days that the provider says it does not have."""
        if self._profile.kind != "tardis" or not self._files:
            return
        there = await history_files.availability(client, self._files[0].exchange)
        for _ in range(len(self._files) if there else 0):
            file = self._files.popleft()
            if why := there.refuses(file) if there else "":
                await self._give(
                    Lost(file, MissingError(f"{self._profile.name} has no {file}: {why}"), asked=False)
                )
            else:
                self._files.append(file)

    async def _work(self, client: Client) -> None:
        while self._files:
            file = self._files.popleft()
            error = self._known_answer(file)
            await self._give(Lost(file, error, asked=False) if error else await self._fetch(client, file))

    def _known_answer(self, file: DayFile) -> TickreelError | None:
        """Return what would be answered, where that is known without asking."""
        if self._stopped:
            return self._stopped
        # Without a key only the first day of a month is free, and the first refusal has said so.
        return self._refused if self._key is None and not file.day.endswith("-01") else None

    async def _fetch(self, client: Client, file: DayFile) -> Arrived | Lost:
        path = self._path_of(file)
        part = path.with_name(path.name + PART)
        try:
            count = await FETCHERS[self._profile.kind](client, file, part)
            await asyncio.to_thread(_make_durable, part, path)
        except NetworkError as error:
            part.unlink(missing_ok=True)
            if isinstance(error, RefusedError):
                self._refused = error
            if isinstance(error, QuotaError):
                self._stopped = error
            return Lost(file, error)
        self.bytes += count
        return Arrived(file, path, count)

    async def _give(self, result: Arrived | Lost) -> None:
        await self._room.acquire()
        self.results.put(result)


def _make_durable(part: Path, path: Path) -> None:
    """Give a fetched file its name once its bytes are on the disk: an empty one would pass for a day without rows."""
    try:
        fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sync_file(fd, str(part))
        finally:
            os.close(fd)
        os.rename(part, path)
    except OSError as error:
        raise disk_error(error, f"writing {path}") from error
