"""What is to be recorded, in words, to feeds with the addresses of their streams."""

import re
from collections.abc import Sequence

import msgspec

from tickreel.config import Profile, find_key, load_profile
from tickreel.errors import UsageError
from tickreel.ingest.record.feed import Feed
from tickreel.ingest.record.journal import StreamInfo
from tickreel.ingest.transport.streams import Call
from tickreel.schema import MARKET_TYPES
from tickreel.sources import machine, machine_routes
from tickreel.store import names

_QUALIFIED = re.compile(r"([a-z0-9-]+):(.+)")
"""Exchanges are lower-case, symbols upper: BTC/USD:BTC is a symbol."""


def plan_feeds(
    providers: Sequence[str], exchange: str | None, symbols: Sequence[str], types: Sequence[str]
) -> list[Feed]:
    """Return a feed for each provider, with a stream for each exchange. Raises UsageError, NetworkError without a key.

    symbols  SYMBOL, of `exchange`, or EXCHANGE:SYMBOL; none: all of `exchange`
    """
    for type in types:
        if type not in MARKET_TYPES:
            raise UsageError(f"--types {type}: known are {', '.join(MARKET_TYPES)}")
    wanted = _by_exchange(exchange, symbols)
    feeds = []
    for name in dict.fromkeys(providers):
        profile = load_profile(name).profile
        _check_records(profile)
        streams = tuple(_stream(profile, place, found, types) for place, found in wanted.items())
        calls = tuple(_call(profile, stream) for stream in streams)
        feeds.append(Feed(profile, find_key(profile), streams, calls))
    return feeds


def _by_exchange(exchange: str | None, symbols: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in symbols:
        match = _QUALIFIED.fullmatch(text)
        place, symbol = match.groups() if match else (exchange, text)
        if place is None:
            raise UsageError(f"--symbols {text}: of which exchange? add --exchange, or write EXCHANGE:{text}")
        names.encode_symbol(symbol)
        found.setdefault(place, []).append(symbol)
    if exchange is not None and not symbols:
        found[exchange] = []
    if not found:
        raise UsageError("nothing to record; name what with --exchange and --symbols")
    for place in found:
        names.encode_exchange(place)
    return {place: sorted(set(of_place)) for place, of_place in found.items()}


def _check_records(profile: Profile) -> None:
    names.check_feed(profile.name)
    if profile.kind == "tardis":
        raise UsageError(
            f"--provider {profile.name}: Tardis.dev has no hosted stream, its API gives history alone; run"
            " tardis-machine, its server for live data (https://docs.tardis.dev/tardis-machine/quickstart), and"
            " record --provider tardis-machine"
        )
    if profile.kind == "relay" and not profile.stream.url:
        raise UsageError(
            f"--provider {profile.name}: its profile has no stream; set url in [{profile.name}.stream] of your"
            " providers.toml"
        )


def _stream(profile: Profile, exchange: str, symbols: list[str], types: Sequence[str]) -> StreamInfo:
    called = profile.exchange(exchange).name if profile.kind == "relay" else ""
    return StreamInfo(exchange, symbols, list(dict.fromkeys(types)), called if called != exchange else "")


def _call(profile: Profile, stream: StreamInfo) -> Call:
    """Return where a stream is: of a machine the address says what is wanted, of a relay the first message may."""
    place = profile.stream
    if profile.kind == "machine":
        base = place.url or machine_routes.stream_base(profile.base_url)
        options = machine_routes.stream_options(stream.exchange, stream.symbols, stream.types)
        return Call(machine_routes.route(base, machine_routes.STREAM_PATH, options))
    asked = {
        "{exchange}": stream.called or stream.exchange,
        "{symbols}": stream.symbols,
        "{types}": [machine.TYPES[type] for type in stream.types],
    }
    text = place.subscribe
    for field, value in asked.items():
        text = text.replace(field, msgspec.json.encode(value).decode())
    return Call(place.url, text)
