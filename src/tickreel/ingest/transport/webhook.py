"""Posts alerts to an address of the user's: some tries, and what is not delivered is said."""

import asyncio
import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from tickreel import __version__
from tickreel.config.profile import Limits
from tickreel.errors import NetworkError, UsageError
from tickreel.ingest.transport.background import Background
from tickreel.ingest.transport.retry import Again, Patience, after_break, after_status, retry_after_s
from tickreel.ingest.transport.wire import Broken, Request, Send

_PATIENCE = Patience(tries=3, first_s=0.5, most_s=5.0)
_ANSWER_S = 10.0


class Webhook:
    """An http:// or https:// address that takes JSON. Only its host is ever shown: the rest may be a secret.

    send  what asks in a test; None: sockets
    """

    def __init__(self, url: str, send: Send | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                "--webhook: write an address that begins with http:// or https:// and has a host"
            )
        self.place = f"the webhook at {parts.hostname}"
        self._url, self._send = url, send

    def post(self, bodies: Sequence[bytes]) -> tuple[int, NetworkError | None]:
        """Post documents one after the other; return how many were taken, and why no more."""
        if not bodies:
            return 0, None
        with Background() as network:
            return network.run(self._post_all(bodies))

    async def _post_all(self, bodies: Sequence[bytes]) -> tuple[int, NetworkError | None]:
        if self._send is not None:
            return await self._post_over(self._send, bodies)
        from tickreel.ingest.transport.sockets import Sockets

        async with Sockets(Limits(connect_s=_ANSWER_S)) as sockets:
            return await self._post_over(sockets.request, bodies)

    async def _post_over(self, send: Send, bodies: Sequence[bytes]) -> tuple[int, NetworkError | None]:
        for place, body in enumerate(bodies):
            try:
                await self._post(send, body)
            except NetworkError as error:
                return place, error
        return len(bodies), None

    async def _post(self, send: Send, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": f"tickreel/{__version__}"}
        request = Request(self._url, "POST", headers, body=body)
        failures = 0
        while True:
            failures += 1
            chance = random.random()
            try:
                async with asyncio.timeout(_ANSWER_S), send(request) as answer:
                    if 200 <= answer.status < 300:
                        return
                    told = retry_after_s(answer.headers.get("retry-after"), answer.headers.get("date"))
                    said = f"answered {answer.status}"
                    step = after_status(answer.status, b"", told, failures, patience=_PATIENCE, chance=chance)
            except (Broken, TimeoutError) as error:
                lasting = isinstance(error, Broken) and error.lasting
                said = str(error) or f"no answer within {_ANSWER_S:g} s"
                step = after_break(failures, patience=_PATIENCE, chance=chance, lasting=lasting)
            if not isinstance(step, Again):
                raise NetworkError(f"{self.place}: {said}")
            await asyncio.sleep(min(step.wait_s, _PATIENCE.most_s))
