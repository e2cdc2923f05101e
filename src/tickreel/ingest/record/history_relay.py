"""Gaps from a relay: its rows, symbol by symbol, page after page."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from tickreel.config import Profile
from tickreel.errors import MissingError
from tickreel.ingest.pages import pages
from tickreel.ingest.record.fill_rows import ASKED, NOT_ASKED, SLACK_NS
from tickreel.ingest.record.history_machine import NO_BOOKS
from tickreel.ingest.record.journal import GapNote, StreamInfo
from tickreel.ingest.record.journal_format import Kind, pack
from tickreel.ingest.record.record_file import Opened, Write
from tickreel.ingest.transport import Client
from tickreel.sources.machine_routes import REPLAYED
from tickreel.sources.relay import Relay, Row

NO_NAMES = (
    "{} is asked for its history symbol by symbol, and all of them were recorded: name them with --symbols"
)
NO_HISTORY = "the profile of {} has no history of {}"
NO_LOCAL = (
    "the history of {} has no local times: record with --fill-lag to declare how long after their exchange time"
    " rows arrive"
)


class RelayHistory:
    """The `GapHistory` of a relay. Rows without local times fill a gap if a delay is declared for them."""

    def __init__(self, profile: Profile, lag_ns: int | None) -> None:
        self._profile, self._lag_ns = profile, lag_ns

    def why_not(self, note: GapNote) -> str:
        types = [type for type in note.types if type in REPLAYED]
        if not types:
            return NO_BOOKS
        if not (have := [type for type in types if type in self._profile.types]):
            return NO_HISTORY.format(self._profile.name, ", ".join(types))
        if not note.symbols:
            return NO_NAMES.format(self._profile.name)
        return "" if self._fillable(have) else NO_LOCAL.format(self._profile.name)

    def asked(self, note: GapNote) -> list[StreamInfo]:
        have = [type for type in note.types if type in REPLAYED and type in self._profile.types]
        return [StreamInfo(note.exchange, note.symbols, [type]) for type in self._fillable(have)]

    def lags_ns(self, note: GapNote) -> dict[str, int]:
        lag_ns = self._lag_ns
        lacking = without_local(self._profile, self.asked(note))
        return {} if lag_ns is None else dict.fromkeys(lacking, lag_ns)

    async def fetch(self, client: Client, note: GapNote, opened: Opened) -> None:
        """See `GapHistory`. MissingError where it has nothing of all that it is asked for: then it may be none at all."""
        lags_ns = self.lags_ns(note)
        missing: list[MissingError | None] = []
        with opened() as write:
            for place, asked in enumerate(self.asked(note)):
                (type,) = asked.types
                lag_ns = lags_ns.get(type, 0)
                from_ns, to_ns = note.from_ns - lag_ns - SLACK_NS, note.to_ns - lag_ns + SLACK_NS
                for symbol in asked.symbols:
                    relay = Relay(
                        self._profile, type=type, exchange=note.exchange, symbol=symbol, recorded=True
                    )
                    found = pages(client, relay, from_ns, to_ns)
                    missing.append(await _write_pages(found, place, symbol, write))
            errors = [error for error in missing if error]
            if errors and len(errors) == len(missing):
                raise errors[0]

    def _fillable(self, types: Sequence[str]) -> list[str]:
        return [type for type in types if self._lag_ns is not None or _has_local(self._profile, type)]


async def _write_pages(
    found: AsyncIterator[list[Row]], place: int, symbol: str, write: Write
) -> MissingError | None:
    """Write what comes of a symbol; return the error by which history says that it has nothing of it."""
    has_come = False
    try:
        async for rows in found:
            has_come = True
            write(await asyncio.to_thread(_packed, place, symbol, rows))
    except MissingError as error:
        if has_come:
            raise
        return error
    return None


def _packed(place: int, symbol: str, rows: list[Row]) -> bytes:
    """Return rows as records. A relay that heeds no symbol gives others' rows at each request: they are marked."""
    records = []
    for row in rows:
        line = row.line.rstrip(b"\n")
        is_asked = line.split(b",", 2)[1].decode("utf-8", "replace").upper() == symbol.upper()
        records.append(pack(Kind.ROW, place, ASKED if is_asked else NOT_ASKED, 0, line))
    return b"".join(records)


def without_local(profile: Profile, streams: Sequence[StreamInfo]) -> list[str]:
    """Return the types that gaps could be filled of, had their history local times."""
    if profile.kind != "relay":
        return []
    types = dict.fromkeys(type for stream in streams if stream.symbols for type in stream.types)
    return [t for t in types if t in REPLAYED and t in profile.types and not _has_local(profile, t)]


def _has_local(profile: Profile, type: str) -> bool:
    return bool(profile.types[type].columns.get("local_timestamp"))
