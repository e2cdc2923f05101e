"""A day from a relay: page after page of JSON rows, written as Tardis' CSV text."""

from pathlib import Path
from typing import Any

import msgspec

from tickreel.errors import NetworkError
from tickreel.ingest.download.fetched import Fetched
from tickreel.ingest.download.history_files import open_new
from tickreel.ingest.download.packed_text import PackedText
from tickreel.ingest.transport import Client, Request
from tickreel.ingest.transport.refusals import message_of
from tickreel.sources.relay import Ask, Page, Relay, query_of
from tickreel.sources.relay_paging import Paging
from tickreel.sources.tardis_http import DayFile
from tickreel.units import NS_PER_DAY, day_start


async def fetch_day(client: Client, file: DayFile, target: Path) -> Fetched:
    """Write a day's rows to `target` as csv.gz, not yet durable, and return its bytes.

    Days are of exchange time, ascending. Raises NetworkError and DiskError.
    """
    relay = Relay(client.profile, type=file.type, exchange=file.exchange, symbol=file.symbol)
    start = day_start(file.day)
    paging = Paging(relay, start, start + NS_PER_DAY)
    with open_new(target) as fd:
        packed = PackedText(fd, str(target))
        packed.write(relay.header)
        empty = True
        while paging.ask is not None:
            page = _page(client, relay, await client.json(request_of(client, relay, paging.ask)))
            lines = b"".join(row.line for row in paging.take(page))
            packed.write(lines)
            empty = empty and not lines
        packed.finish()
        return Fetched(packed.bytes, empty=empty)


def _page(client: Client, relay: Relay, document: Any) -> Page:
    """Return the rows of an answer; an error that came with a good status is told in the relay's own words."""
    try:
        return relay.page(document)
    except NetworkError as error:
        said = message_of(msgspec.json.encode(document), client.profile.errors, client.key)
        raise NetworkError(f"{error}; it says: {said}") from None


def request_of(client: Client, relay: Relay, ask: Ask) -> Request:
    """Return the HTTP request of an `Ask`."""
    method, path, fields = relay.request(ask)
    url = client.profile.base_url.rstrip("/") + path
    if method == "POST":
        return client.request(url, method=method, body=fields)
    return client.request(f"{url}?{query_of(fields)}", method=method)
