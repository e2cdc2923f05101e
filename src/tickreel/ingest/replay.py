"""Asks a tardis-machine for a replay, and gives its messages once each piece of it has come."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from tickreel.ingest.transport import Answer, Broken, Client
from tickreel.ingest.transport.bodies import arriving
from tickreel.sources import machine_routes as routes

T = TypeVar("T")
_QUIET_S = 300.0
"""A machine says nothing while it fetches minutes without messages, and sends some dozens together."""


async def replay(
    client: Client, options: dict[str, Any], take: Callable[[AsyncIterator[list[bytes]]], Awaitable[T]]
) -> T:
    """Return what `take` makes of the messages of a replay; it is called anew for every try.

    options  of `machine_routes.replay_options`
    Raises NetworkError where no try was whole: the messages end without an error only after the last.
    """
    url = routes.route(client.profile.base_url, routes.REPLAY_PATH, options)

    async def taken(answer: Answer) -> T:
        return await take(_messages(answer))

    request = client.request(url, headers={"Accept-Encoding": "identity"})
    return await client.fetch(request, taken, answer_s=_QUIET_S)


async def _messages(answer: Answer) -> AsyncIterator[list[bytes]]:
    lines = routes.ReplayLines()
    try:
        # No least speed: a quiet symbol has few bytes.
        async for piece in arriving(answer, 0, window_s=_QUIET_S):
            yield list(lines.feed(piece))
        lines.finish()
    except routes.ReplayError as error:
        raise Broken(f"the replay failed midway: {error}") from None
