"""A day from a relay: page after page of JSON rows, written as Tardis' CSV text."""

from pathlib import Path

from tickreel.ingest.download.fetched import Fetched
from tickreel.ingest.download.history_files import open_new
from tickreel.ingest.download.packed_text import PackedText
from tickreel.ingest.pages import pages
from tickreel.ingest.transport import Client
from tickreel.sources.relay import Relay
from tickreel.sources.tardis_http import DayFile
from tickreel.units import NS_PER_DAY, day_start


async def fetch_day(client: Client, file: DayFile, target: Path) -> Fetched:
    """Write a day's rows to `target` as csv.gz, not yet durable, and return its bytes.

    Days are of exchange time, ascending. Raises NetworkError and DiskError.
    """
    relay = Relay(client.profile, type=file.type, exchange=file.exchange, symbol=file.symbol)
    start = day_start(file.day)
    with open_new(target) as fd:
        packed = PackedText(fd, str(target))
        packed.write(relay.header)
        empty = True
        async for rows in pages(client, relay, start, start + NS_PER_DAY):
            lines = b"".join(row.line for row in rows)
            packed.write(lines)
            empty = empty and not lines
        packed.finish()
        return Fetched(packed.bytes, empty=empty)
