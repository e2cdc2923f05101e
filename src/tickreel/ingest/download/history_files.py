"""A day from Tardis' CSV files: the bytes as they come, checked to their end."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tickreel.errors import NetworkError, disk_error
from tickreel.ingest.download.fetched import Fetched
from tickreel.ingest.gunzip import Damaged, Gunzip
from tickreel.ingest.transport import Answer, Broken, Client
from tickreel.ingest.transport.bodies import arriving
from tickreel.sources.tardis_http import Availability, DayFile, api_url, file_url, read_availability
from tickreel.store.disk import write_all
from tickreel.units import human_bytes

_MOST_RATIO = 250
_ALWAYS_FINE_BYTES = 256 << 20
"""A day of any size is fine, but not one that unpacks to far more than texts of numbers can."""


async def availability(client: Client, exchange: str) -> Availability | None:
    """Return what the provider says of its days, None where it does not answer: then each day is just asked for."""
    request = client.request(api_url(client.profile.base_url, "exchanges", exchange))
    try:
        return read_availability(await client.json(request, tries=2))
    except NetworkError:
        return None


async def fetch_day(client: Client, file: DayFile, target: Path) -> Fetched:
    """Write a day's file to `target`, not yet durable, and return its bytes. Raises NetworkError and DiskError."""

    async def take(answer: Answer) -> Fetched:
        with open_new(target) as fd:
            return Fetched(await _write(answer, client.profile.limits.least_bytes_per_s, fd, str(target)))

    return await client.fetch(client.request(file_url(client.profile.datasets_url, file)), take)


async def _write(answer: Answer, least_bytes_per_s: int, fd: int, name: str) -> int:
    unpack, packed, plain = Gunzip(), 0, 0
    try:
        async for piece in arriving(answer, least_bytes_per_s):
            packed += len(piece)
            for text in unpack.feed(piece):
                plain += len(text)
                check_ratio(packed, plain)
            write_all(fd, piece, name)
        for _ in unpack.end():
            pass
    except Damaged as error:
        raise Broken(str(error)) from None
    if not packed and answer.headers.get("content-length") != "0":
        raise Broken("it ended before it began")
    return packed


def check_ratio(packed: int, plain: int) -> None:
    """Raise Broken where so many bytes unpack to more than any text of rows or messages does."""
    if plain > max(_ALWAYS_FINE_BYTES, _MOST_RATIO * packed):
        raise Broken(
            f"{human_bytes(packed)} unpack to more than {human_bytes(plain)}: no file of rows does",
            lasting=True,
        )


@contextlib.contextmanager
def open_new(path: Path) -> Iterator[int]:
    """Yield a descriptor of an empty file, in the place of one that is there; no link is followed."""
    try:
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise disk_error(error, f"creating {path}") from error
    try:
        yield fd
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
