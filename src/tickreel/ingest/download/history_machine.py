"""A day from a tardis-machine: its messages as they are replayed, written as Tardis' CSV text."""

from collections.abc import AsyncIterator
from pathlib import Path

from tickreel.ingest.download.fetched import Fetched
from tickreel.ingest.download.history_files import open_new
from tickreel.ingest.download.packed_text import PackedText
from tickreel.ingest.replay import replay
from tickreel.ingest.transport import Client
from tickreel.schema import RECORD_TYPES
from tickreel.sources.machine import PROVIDER_LOST, Disconnect, Rows, Unreadable, aside_line, read_message
from tickreel.sources.machine_routes import replay_options
from tickreel.sources.tardis_http import DayFile
from tickreel.store.format import Gap
from tickreel.store.gaps import few
from tickreel.units import NS_PER_DAY, day_start


async def fetch_day(client: Client, file: DayFile, target: Path) -> Fetched:
    """Write a day's rows to `target` as csv.gz, not yet durable, and return its bytes and gaps.

    Days are of local time, in the order of the replay. Raises NetworkError and DiskError.
    """
    start = day_start(file.day)
    options = replay_options(file.exchange, [file.symbol], [file.type], start, start + NS_PER_DAY)

    async def take(pieces: AsyncIterator[list[bytes]]) -> Fetched:
        with open_new(target) as fd:
            day, packed = _Day(file), PackedText(fd, str(target))
            packed.write(day.header)
            empty = True
            async for messages in pieces:
                for message in messages:
                    text = day.text(message)
                    packed.write(text)
                    empty = empty and not text
            packed.finish()
            return Fetched(packed.bytes, day.gaps(), empty)

    return await replay(client, options, take)


class _Day:
    """The messages of a day: each is rows, the begin of a gap, or a line that the import sets aside."""

    def __init__(self, file: DayFile) -> None:
        self.header = (",".join(RECORD_TYPES[file.type].csv_header) + "\n").encode()
        self._type = file.type
        self._first_us = day_start(file.day) // 1_000
        self._end_us = self._first_us + NS_PER_DAY // 1_000
        self._lost_us: int | None = None
        self._gaps: list[Gap] = []

    def text(self, message: bytes) -> bytes:
        """Return the CSV text of a message."""
        read = read_message(message)
        if isinstance(read, Rows):
            text = self._rows(read, message)
        elif isinstance(read, Disconnect):
            text = ""
            self._lost_us = read.local_us if self._lost_us is None else min(self._lost_us, read.local_us)
        else:
            reason = read.reason if isinstance(read, Unreadable) else "nothing of this type was asked for"
            text = aside_line(reason, message)
        return text.encode("utf-8", "surrogatepass")

    def gaps(self) -> tuple[Gap, ...]:
        """Return what the machine missed, each time from its last message before to the first one after."""
        self._end_gap(self._end_us)
        return tuple(few(self._gaps))

    def _rows(self, rows: Rows, message: bytes) -> str:
        if rows.type != self._type or not self._first_us <= rows.local_us < self._end_us:
            return aside_line("neither this type nor this day was asked for", message)
        self._end_gap(rows.local_us)
        return rows.text

    def _end_gap(self, end_us: int) -> None:
        if self._lost_us is not None:
            begin_us = max(self._first_us, self._lost_us)
            self._gaps.append(Gap(begin_us * 1_000, max(end_us, begin_us + 1) * 1_000, PROVIDER_LOST))
            self._lost_us = None
