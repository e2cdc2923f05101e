"""How a tardis-machine is asked: the addresses of its routes, and the lines of its answers.

Format: https://docs.tardis.dev/tardis-machine/replaying-historical-data and .../streaming-real-time-data.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from tickreel.errors import UsageError
from tickreel.schema import GROUPS
from tickreel.sources.machine import TYPES
from tickreel.units import NS_PER_S, format_time

STREAM_PATH = "/ws-stream-normalized"
REPLAY_PATH = "/replay-normalized"
MINUTE_NS = 60 * NS_PER_S
"""What a machine's ranges are whole numbers of: it answers nothing for less."""

MOST_LINE_BYTES = 1 << 26
REPLAYED = ("trades", "liquidations", "book_ticker", "derivative_ticker", "options_chain")
"""Types of which a few minutes of history are whole.

A book, and what a machine computes from one, begins with the snapshot of a day's or a connection's start.
"""


def stream_options(exchange: str, symbols: Collection[str], types: Iterable[str]) -> dict[str, Any]:
    """Return the options of a live stream; one object an exchange: two would bring rows twice."""
    return {
        **_what(exchange, symbols, types), "withDisconnectMessages": True, "withErrorMessages": True,
    }  # fmt: skip


def replay_options(
    exchange: str, symbols: Collection[str], types: Iterable[str], from_ns: int, to_ns: int
) -> dict[str, Any]:
    """Return the options of a replay of [from_ns, to_ns) and what whole minutes add around it."""
    first_ns = from_ns - from_ns % MINUTE_NS
    end_ns = max(to_ns + -to_ns % MINUTE_NS, first_ns + MINUTE_NS)
    return {
        **_what(exchange, symbols, types), "from": format_time(first_ns), "to": format_time(end_ns),
        "withDisconnectMessages": True,
    }  # fmt: skip


def route(base_url: str, path: str, options: dict[str, Any]) -> str:
    """Return the address of a route with its options."""
    text = msgspec.json.encode(options).decode()
    return f"{base_url.rstrip('/')}{path}?options={quote(text, safe='')}"


def stream_base(base_url: str) -> str:
    """Return where a machine's WebSockets are, unless it is said otherwise: the port after that of its HTTP."""
    parts = urlsplit(base_url)
    secure = parts.scheme == "https"
    port = (parts.port or (443 if secure else 80)) + 1
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return urlunsplit(("wss" if secure else "ws", f"{host}:{port}", parts.path, "", ""))


def _what(exchange: str, symbols: Collection[str], types: Iterable[str]) -> dict[str, Any]:
    some = {"symbols": list(symbols)} if symbols else {}
    return {"exchange": exchange, **some, "dataTypes": [TYPES[type] for type in types]}


def check_types(types: Iterable[str]) -> None:
    """Raise UsageError for a type that no machine has."""
    for type in types:
        if type not in TYPES:
            raise UsageError(f"--types {type}: a tardis-machine has {', '.join(TYPES)}")


def check_replayed(types: Iterable[str], symbols: Iterable[str]) -> None:
    """Raise UsageError for what no replay of whole days is asked for."""
    for type in types:
        if type not in REPLAYED:
            raise UsageError(
                f"--type {type}: of a tardis-machine's history days of {', '.join(REPLAYED)} are downloaded"
            )
    for symbol in symbols:
        if symbol.upper() in GROUPS:
            raise UsageError(f"--symbols {symbol}: a tardis-machine has no such group; name the symbols")


class ReplayError(Exception):
    """What a machine said at the end of an answer that began well."""


class ReplayLines:
    """Cuts the body of a replay into messages.

    A machine that fails midway appends its error, as JSON without a line end, to what it has sent
    under status 200: so only a body that ends with a line end is whole.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages whose line end has come; empty lines are none."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(self._rest) > MOST_LINE_BYTES:
            raise ReplayError(f"a line of more than {MOST_LINE_BYTES} bytes ({self._rest[:100]!r}...)")

    def finish(self) -> None:
        """Raise ReplayError if the answer is not whole."""
        if self._rest.strip():
            raise ReplayError(_said(self._rest))


def _said(text: bytes) -> str:
    """Return what an error's JSON says; it may stand behind the beginning of a message."""
    for start in (0, text.rfind(b'{"message"'), text.rfind(b'{"responseText"')):
        try:
            said = msgspec.json.decode(text[max(0, start) :])
        except msgspec.DecodeError:
            continue
        if isinstance(said, dict) and "type" not in said and "message" in said:
            return str(said["message"])[:500]
    return f"the answer ends in the middle of a message ({text[:100]!r})"
