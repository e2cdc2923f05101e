"""Asks a relay for a range of time, page after page, and gives the rows of each page."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from tickreel.errors import NetworkError
from tickreel.ingest.transport import Client, Request
from tickreel.ingest.transport.refusals import message_of
from tickreel.sources.relay import Ask, Page, Relay, Row, query_of
from tickreel.sources.relay_paging import Paging


async def pages(client: Client, relay: Relay, from_ns: int, to_ns: int) -> AsyncIterator[list[Row]]:
    """Yield the rows of [from_ns, to_ns) of exchange time, each once, ascending; an answer without a new one is empty.

    Raises NetworkError, also where rows would be lost.
    """
    paging = Paging(relay, from_ns, to_ns)
    while paging.ask is not None:
        document = await client.json(request_of(client, relay, paging.ask))
        # A large answer takes a while to read, and live streams may be heard in this thread.
        yield await asyncio.to_thread(_taken, client, relay, paging, document)


def _taken(client: Client, relay: Relay, paging: Paging, document: Any) -> list[Row]:
    return paging.take(_page(client, relay, document))


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
