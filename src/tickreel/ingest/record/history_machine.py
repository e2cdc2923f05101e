"""Gaps from a tardis-machine: its replay, message by message."""

from collections.abc import AsyncIterator

from tickreel.ingest.record.fill_rows import SLACK_NS
from tickreel.ingest.record.journal import GapNote, StreamInfo
from tickreel.ingest.record.journal_format import Kind, pack
from tickreel.ingest.record.record_file import Opened
from tickreel.ingest.replay import replay
from tickreel.ingest.transport import Client
from tickreel.sources.machine_routes import REPLAYED, replay_options

NO_BOOKS = "books are not filled: the new connection began with a snapshot"


class MachineHistory:
    """The `GapHistory` of a machine; its messages have local times."""

    def why_not(self, note: GapNote) -> str:
        return "" if self.asked(note)[0].types else NO_BOOKS

    def asked(self, note: GapNote) -> list[StreamInfo]:
        types = [type for type in note.types if type in REPLAYED]
        return [StreamInfo(note.exchange, note.symbols, types)]

    def lags_ns(self, note: GapNote) -> dict[str, int]:
        return {}

    async def fetch(self, client: Client, note: GapNote, opened: Opened) -> None:
        (asked,) = self.asked(note)
        from_ns, to_ns = note.from_ns - SLACK_NS, note.to_ns + SLACK_NS
        options = replay_options(asked.exchange, asked.symbols, asked.types, from_ns, to_ns)

        async def take(pieces: AsyncIterator[list[bytes]]) -> None:
            with opened() as write:
                async for messages in pieces:
                    for message in messages:
                        write(pack(Kind.MESSAGE, 0, 0, 0, message))

        await replay(client, options, take)
