"""What crosses between a client and its sockets."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tickreel.config import Key


@dataclass(frozen=True, slots=True)
class Request:
    """One request. The key is put into its header by the sockets, so that no other code handles its text.

    headers  those of any request; own: the provider's, which go to its own host alone
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    key: Key | None = None
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers by lower-case name, and the body as it comes, still packed; it is read once."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


Send = Callable[[Request], AbstractAsyncContextManager[Answer]]
"""The one method: asks, and gives the answer once its headers are there. Raises Broken."""


class Broken(Exception):
    """A connection or an answer failed. lasting: it would again; away: no connection could be made."""

    def __init__(self, why: str, *, lasting: bool = False, away: bool = False) -> None:
        super().__init__(why)
        self.lasting = lasting
        self.away = away


def is_local(url: str) -> bool:
    """Return whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdecimal())
