"""Tardis' raw feeds into a folder that its official clients share: what lies there is not asked for again."""

import asyncio
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tickreel.config import Key, Profile, find_key, load_profile
from tickreel.errors import NetworkError, QuotaError, UsageError, disk_error
from tickreel.ingest.download.history_files import check_ratio, open_new
from tickreel.ingest.gunzip import Damaged, Gunzip
from tickreel.ingest.transport import Answer, Background, Broken, Client, Wait, open_client
from tickreel.ingest.transport.bodies import arriving
from tickreel.sources.tardis_feeds import (
    MINUTE_NS,
    MOST_MINUTES,
    Feed,
    SliceOf,
    check_range,
    lacking,
    middle_slices,
    named_slice,
    slice_url,
    wrong_lines,
)
from tickreel.store.disk import write_all
from tickreel.units import human_bytes

MOST_LINE_BYTES = 1 << 24
"""A message of an exchange is smaller: an order book of a hundred thousand levels, a list of all instruments."""
HALF = ".unconfirmed"
"""The end of a name, as the official clients give it, of a slice that is on its way."""


@dataclass(slots=True)
class FeedsSummary:
    """What became of a range of minutes; failed: (slice, what was said)."""

    folder: Path
    minutes: int
    there: int = 0
    fetched: int = 0
    bytes: int = 0
    failed: list[tuple[SliceOf, NetworkError]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Minutes that are there by now."""
        return self.there + self.fetched

    @property
    def exit_code(self) -> int:
        return NetworkError.exit_code if self.failed else 0


def download_feeds(
    cache: Path,
    feed: Feed,
    from_ns: int,
    to_ns: int,
    *,
    provider: str = "tardis",
    parallel: int | None = None,
    api_key: str | None = None,
    environment: Mapping[str, str] = os.environ,
    on_progress: Callable[[int, int], None] = lambda minutes, count: None,
    on_wait: Callable[[int, Wait], None] = lambda minutes, wait: None,
) -> FeedsSummary:
    """Fetch the minutes of [from_ns, to_ns) that `cache` lacks, raw; those that lie there need no network.

    on_progress  called with (minutes there and fetched, bytes fetched)
    on_wait      called with (minutes there and fetched, what is waited for)
    What goes wrong with one slice is in the summary. Raises UsageError for what cannot be asked, DiskError.
    """
    profile = load_profile(provider, environment=environment).profile
    if profile.kind != "tardis":
        raise UsageError(f"--provider {provider}: raw feeds are Tardis' own; this is a {profile.kind}")
    check_range(from_ns, to_ns)
    folder = cache / feed.folder
    gaps = lacking(from_ns, to_ns, _there(folder, from_ns, to_ns))
    missing = sum(end - begin for begin, end in gaps) // MINUTE_NS
    summary = FeedsSummary(folder, (to_ns - from_ns) // MINUTE_NS)
    summary.there = summary.minutes - missing
    if gaps:
        key = find_key(profile, api_key, environment=environment)
        job = _Job(profile, key, feed, folder, summary, on_progress, on_wait)
        with Background() as network:
            network.run(job.run(gaps, parallel or profile.limits.parallel))
    return summary


def _there(folder: Path, from_ns: int, to_ns: int) -> Iterator[SliceOf]:
    """Yield the slices that lie in a cache, of a range and a little before it."""
    hour = 60 * MINUTE_NS
    for ns in range((from_ns - MOST_MINUTES * MINUTE_NS) // hour * hour, to_ns, hour):
        place = folder / SliceOf(ns, 1).hour
        for name in sorted(os.listdir(place)) if place.is_dir() else ():
            if found := named_slice(ns, name):
                yield found


class _Job:
    def __init__(
        self,
        profile: Profile,
        key: Key | None,
        feed: Feed,
        folder: Path,
        summary: FeedsSummary,
        on_progress: Callable[[int, int], None],
        on_wait: Callable[[int, Wait], None],
    ) -> None:
        self._profile, self._key, self._feed, self._folder = profile, key, feed, folder
        self._summary = summary
        self._on_progress, self._on_wait = on_progress, on_wait
        self._begin_ns = 0
        self._suggested = 1
        self._stopped: QuotaError | None = None

    async def run(self, gaps: list[tuple[int, int]], parallel: int) -> None:
        """Fetch some ranges, the last and the first minute of each before the others: they tell the size of slices."""

        def told(wait: Wait) -> None:
            self._on_wait(self._summary.done, wait)

        async with open_client(self._profile, self._key, on_wait=told) as client:
            for begin, end in gaps:
                self._begin_ns = begin
                for ns in dict.fromkeys((end - MINUTE_NS, begin)):
                    await self._fetch(client, SliceOf(ns, 1))
                waiting = deque(middle_slices(begin, end, self._suggested if self._feed.channels else 1))
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(parallel, len(waiting))):
                        group.create_task(self._work(client, waiting))

    async def _work(self, client: Client, waiting: deque[SliceOf]) -> None:
        while waiting:
            await self._fetch(client, waiting.popleft())

    async def _fetch(self, client: Client, part: SliceOf) -> None:
        """Fetch a slice; where the answer is shorter than was asked, its rest too."""
        while part.minutes:
            try:
                if self._stopped:
                    raise self._stopped
                got = await self._fetch_one(client, part)
            except NetworkError as error:
                self._stopped = error if isinstance(error, QuotaError) else self._stopped
                self._summary.failed.append((part, error))
                return
            self._summary.fetched += got
            self._on_progress(self._summary.done, self._summary.bytes)
            part = SliceOf(part.from_ns + got * MINUTE_NS, part.minutes - got)

    async def _fetch_one(self, client: Client, part: SliceOf) -> int:
        """Write a slice under its name and return the minutes that it has."""
        request = client.request(slice_url(self._profile.base_url, self._feed, self._begin_ns, part))

        async def take(answer: Answer) -> int:
            minutes = _header(answer, "x-slice-size", default=part.minutes, most=part.minutes)
            self._suggested = max(self._suggested, _header(answer, "x-suggested-slice-size", default=1))
            answered = SliceOf(part.from_ns, minutes)
            path = self._folder / answered.path
            half = path.with_name(f"{path.name}{secrets.token_hex(8)}{HALF}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with open_new(half) as fd:
                    count = await _write(answer, client.profile.limits.least_bytes_per_s, fd, answered)
                    os.rename(half, path)
            except OSError as error:
                raise disk_error(error, f"writing {path}") from error
            self._summary.bytes += count
            return minutes

        return await client.fetch(request, take)


async def _write(answer: Answer, least_bytes_per_s: int, fd: int, part: SliceOf) -> int:
    """Write a body as it comes, checked to its end: its packing, its first lines and its last."""
    packing = answer.headers.get("content-encoding", "gzip").strip().lower()
    if packing != "gzip":
        raise Broken(f"it is packed as {packing[:20]!r}, which was not asked for", lasting=True)
    unpack, count, lines = Gunzip(), 0, _Lines(part)
    try:
        async for piece in arriving(answer, least_bytes_per_s):
            count += len(piece)
            for text in unpack.feed(piece):
                lines.take(text)
                check_ratio(count, lines.bytes)
            write_all(fd, piece, "a slice")
        for text in unpack.end():
            lines.take(text)
    except Damaged as error:
        raise Broken(str(error)) from None
    lines.finish()
    return count


class _Lines:
    """Looks at the lines of a text as its pieces come: the first and the last of each piece. bytes: of all pieces."""

    def __init__(self, part: SliceOf) -> None:
        self.bytes = 0
        self._part = part
        self._is_first = True
        self._rest: list[bytes] = []
        self._rest_bytes = 0

    def take(self, text: bytes) -> None:
        """Take a piece. Raises Broken for a line that is none of this slice, or larger than any message."""
        self.bytes += len(text)
        end = text.rfind(b"\n")
        if end >= 0:
            whole = b"".join((*self._rest, text[:end]))
            self._rest, self._rest_bytes, text = [], 0, text[end + 1 :]
            self._check(whole)
        self._rest.append(text)
        self._rest_bytes += len(text)
        if self._rest_bytes > MOST_LINE_BYTES:
            raise Broken(f"it has a line of more than {human_bytes(MOST_LINE_BYTES)}", lasting=True)

    def finish(self) -> None:
        """Raise Broken if the last line has no end."""
        if self._rest_bytes:
            raise Broken("its last line has no end")

    def _check(self, lines: bytes) -> None:
        first = lines.partition(b"\n")[0] if self._is_first else b""
        if wrong := wrong_lines([first, lines[lines.rfind(b"\n") + 1 :]], self._part):
            raise Broken(wrong)
        self._is_first = False


def _header(answer: Answer, name: str, *, default: int, most: int = MOST_MINUTES) -> int:
    said = answer.headers.get(name)
    if said is None:
        return default
    if not said.isdecimal() or not 1 <= int(said) <= most:
        raise Broken(f"its {name} is {said[:20]!r}, where 1 to {most} belongs")
    return int(said)
