"""The smallest real request to a provider: does it answer, how fast, and what may its key read."""

import time
from dataclasses import dataclass
from typing import Any

from tickreel.config import Key, Profile
from tickreel.errors import UsageError
from tickreel.ingest.pages import request_of
from tickreel.ingest.transport import Background, Client, OnWait, Request, open_client
from tickreel.sources.relay import Ask, Relay
from tickreel.sources.tardis_http import api_url
from tickreel.units import NS_PER_S, parse_time

REQUESTS = 20
ACCESS = ("exchange", "access", "plan", "from", "to", "symbols")
_TRIES = 2
_RELAY_SYMBOL = "BTCUSDT"
_RELAY_FROM_NS = parse_time("2024-01-01")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a provider answered.

    round_trips_s  of each request, ascending
    access         what the key may read, in rows of ACCESS; no symbols are all; None: the provider does not say
    """

    url: str
    round_trips_s: tuple[float, ...]
    access: list[dict[str, Any]] | None

    def quantile_s(self, share: float) -> float:
        """Return the round trip that this share of the requests was at most (nearest rank)."""
        rank = max(1, -(-round(share * 100) * len(self.round_trips_s) // 100))
        return self.round_trips_s[rank - 1]


def check_provider(profile: Profile, key: Key | None, *, on_wait: OnWait = lambda wait: None) -> Checked:
    """Ask a provider some times for next to nothing. Raises NetworkError with what is wrong.

    on_wait  called with what is waited for

    tardis   api-key-info with a key, else the list of exchanges
    machine  its health check
    relay    one second of trades
    """
    with Background() as network:
        return network.run(_check(profile, key, on_wait))


async def _check(profile: Profile, key: Key | None, on_wait: OnWait) -> Checked:
    async with open_client(profile, key, on_wait=on_wait) as client:
        request = _smallest(client)
        # Whoever asks whether there is an answer does not want to wait long for one.
        answer = await client.json(request, tries=_TRIES)
        took = []
        for _ in range(REQUESTS):
            begun = time.perf_counter()
            await client.json(request, tries=_TRIES)
            took.append(time.perf_counter() - begun)
    return Checked(request.url, tuple(sorted(took)), _told(request, answer))


def account_access(profile: Profile, key: Key) -> list[dict[str, Any]] | None:
    """Return what a key may read, as `Checked.access`, by one request. Raises NetworkError."""
    if profile.kind != "tardis":
        return None
    with Background() as network:
        return network.run(_account_access(profile, key))


async def _account_access(profile: Profile, key: Key) -> list[dict[str, Any]] | None:
    async with open_client(profile, key) as client:
        request = _smallest(client)
        return _told(request, await client.json(request, tries=_TRIES))


def _told(request: Request, answer: Any) -> list[dict[str, Any]] | None:
    """Return what an answer says of a key, None if it is about something else."""
    told = isinstance(answer, list) and request.url.endswith("api-key-info")
    return [_access(row) for row in answer if isinstance(row, dict)] if told else None


def _access(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of api-key-info under our own names; what it lacks is None."""
    names = {"access": "accessType", "plan": "dataPlan"}
    return {name: row.get(names.get(name, name)) for name in ACCESS}


def _smallest(client: Client) -> Request:
    profile = client.profile
    if profile.kind == "tardis":
        return client.request(api_url(profile.base_url, "api-key-info" if client.key else "exchanges"))
    if profile.kind == "machine":
        return client.request(api_url(profile.base_url, "health-check"))
    if not profile.types:
        raise UsageError(f"{profile.name}: its profile has no table [{profile.name}.types.TYPE] to ask by")
    relay = Relay(
        profile, type=next(iter(profile.types)), exchange=next(iter(profile.exchanges)), symbol=_RELAY_SYMBOL
    )
    return request_of(client, relay, Ask(_RELAY_FROM_NS, _RELAY_FROM_NS + NS_PER_S))
