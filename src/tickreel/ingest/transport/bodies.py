"""Bytes of an answer, checked to their end: length, packing, size, speed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping

from tickreel.ingest.gunzip import Damaged, Gunzip
from tickreel.ingest.transport.wire import Answer, Broken
from tickreel.units import human_bytes

_WINDOW_S = 30.0
MOST_TEXT_BYTES = 256 << 20
"""Of an answer that is read into memory, unpacked."""


async def arriving(
    answer: Answer,
    least_bytes_per_s: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    window_s: float = _WINDOW_S,
) -> AsyncIterator[bytes]:
    """Yield the body as it came, still packed.

    Raises Broken where it ends before its Content-Length or comes slower than allowed: time that the caller takes
    does not count, so neither a slow disk nor a byte now and then passes for a live connection.
    """
    if answer.headers.get("content-type", "").startswith("text/html"):
        raise Broken(
            "it answered with an HTML page where data was asked for; a proxy or a login page may be between"
        )
    count, promised = 0, _length(answer.headers)
    waited, came = 0.0, 0
    while True:
        begun = clock()
        try:
            async with asyncio.timeout(window_s):
                piece = await anext(answer.body, b"")
        except TimeoutError:
            raise Broken(f"nothing came for {window_s:g} s") from None
        if not piece:
            break
        waited, came, count = waited + clock() - begun, came + len(piece), count + len(piece)
        if waited >= window_s:
            if came < least_bytes_per_s * waited:
                raise Broken(
                    f"{came} bytes came in {waited:.0f} s; the least is {least_bytes_per_s} a second"
                )
            waited, came = 0.0, 0
        yield piece
    if promised is not None and count != promised:
        raise Broken(f"{count} bytes came, and its Content-Length is {promised}")


async def text(answer: Answer, least_bytes_per_s: int, *, most_bytes: int = MOST_TEXT_BYTES) -> bytes:
    """Return the whole body, unpacked. Raises Broken where it is cut, damaged, or larger than allowed."""
    packing = answer.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip"):
        raise Broken(f"it is packed as {packing[:20]!r}, which was not asked for", lasting=True)
    unpack = Gunzip() if "gzip" in packing else None
    found = bytearray()
    try:
        async for piece in arriving(answer, least_bytes_per_s):
            for plain in unpack.feed(piece) if unpack else (piece,):
                found += plain
                if len(found) > most_bytes:
                    raise Broken(f"it is larger than {human_bytes(most_bytes)}", lasting=True)
        for plain in unpack.end() if unpack else ():
            found += plain
    except Damaged as error:
        raise Broken(f"{error}") from None
    return bytes(found)


def _length(headers: Mapping[str, str]) -> int | None:
    said = headers.get("content-length", "")
    return int(said) if said.isdecimal() else None
