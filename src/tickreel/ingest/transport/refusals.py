"""What a refusal says to a person: who, which address, what the provider said, which key, what to do next; pure."""

from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from tickreel.config import Key, Profile
from tickreel.config.keys import looked_for, renewal
from tickreel.errors import MissingError, NetworkError, QuotaError, RefusedError
from tickreel.ingest.transport.retry import Why
from tickreel.sources.relay import at_path

_MOST_SAID = 300


def refusal(
    why: Why,
    status: int,
    said: str,
    *,
    profile: Profile,
    key: Key | None,
    url: str,
    wait_s: float | None = None,
) -> NetworkError:
    """Return the error of a status that is not to be asked about again.

    wait_s  what the provider asked to wait
    """
    told = f"{profile.name} answered {status}" + (f" ({said})" if said else "") + f" to {shown_url(url)}"
    if why is Why.REFUSED:
        return RefusedError(f"{told}: {_about_key(profile, key)}")
    if why is Why.MISSING:
        return MissingError(f"{told}: it has no such thing; check exchange, type, symbol and day")
    if why is Why.EXHAUSTED:
        return QuotaError(
            f"{told}: the quota is used up; it says to wait {wait_s or 0:,.0f} s, which is not waited for: run the"
            " same command again then"
        )
    if why is Why.AWAY:
        return NetworkError(
            f"{told}: it says to wait {wait_s or 0:,.0f} s, which is not waited for: run the same command again then"
        )
    if why is Why.TRIES:
        return NetworkError(f"{told}, and again at every try; run the same command again later")
    hint = (
        "too many symbols for one address: ask for fewer"
        if status == 414
        else "the request cannot be right; check exchange, type and symbols"
    )
    return NetworkError(f"{told}: {hint}")


def message_of(body: bytes, paths: Iterable[str], key: Key | None) -> str:
    """Return what the body of an error says: the first text at some dotted paths of its JSON, else its beginning.

    The key is taken out of it, and what does not print.
    """
    text = _found(body, paths) or body.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        text = "an HTML page"
    hidden = key.hide_in(text) if key else text
    return "".join(letter if letter.isprintable() else " " for letter in hidden)[:_MOST_SAID]


def shown_url(url: str) -> str:
    """Return an address without its query, which may be long."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _found(body: bytes, paths: Iterable[str]) -> str:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    texts = (at_path(document, path) for path in paths)
    return next((text for text in texts if isinstance(text, str) and text), "")


def _about_key(profile: Profile, key: Key | None) -> str:
    if profile.key.use == "never":
        return "it takes no key from here; see what its own log says"
    if key is None:
        about = f"no key was sent, for {looked_for(profile)}; set {profile.variable}_API_KEY"
    else:
        about = f"the key of {key.place} is not valid, has ended, or may not read that"
    return "; ".join(filter(None, (about, profile.key.rule, renewal(profile))))
