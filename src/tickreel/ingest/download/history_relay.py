"""A day from a relay: page after page of JSON rows, written as Tardis' CSV text."""

from pathlib import Path
from typing import Any

import msgspec
from isal import isal_zlib

from tickreel.errors import NetworkError
from tickreel.ingest.download.history_files import open_new
from tickreel.ingest.transport import Client, Request
from tickreel.ingest.transport.refusals import message_of
from tickreel.sources.relay import Ask, Page, Relay, query_of
from tickreel.sources.relay_paging import Paging
from tickreel.sources.tardis_http import DayFile
from tickreel.store.disk import write_all
from tickreel.units import NS_PER_DAY, day_start

_GZIP = 31  # wbits of a gzip container, whose header then holds no time and no name
_LEVEL = 1


async def fetch_day(client: Client, file: DayFile, target: Path) -> int:
    """Write a day's rows to `target` as csv.gz, not yet durable, and return its bytes.

    Days are of exchange time, ascending. Raises NetworkError and DiskError.
    """
    relay = Relay(client.profile, type=file.type, exchange=file.exchange, symbol=file.symbol)
    start = day_start(file.day)
    paging = Paging(relay, start, start + NS_PER_DAY)
    packer, count = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP), 0
    with open_new(target) as fd:
        text = relay.header
        while True:
            packed = packer.compress(text) if paging.ask else packer.compress(text) + packer.flush()
            write_all(fd, packed, str(target))
            count += len(packed)
            if paging.ask is None:
                return count
            page = _page(client, relay, await client.json(request_of(client, relay, paging.ask)))
            text = b"".join(row.line for row in paging.take(page))


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
