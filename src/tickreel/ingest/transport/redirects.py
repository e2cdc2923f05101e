"""Where a redirect leads, and what goes along: https stays https, a key stays with its host; pure."""

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from tickreel.ingest.transport.wire import Broken, Request

STATUSES = (301, 302, 303, 307, 308)
MOST = 5


def follow(request: Request, status: int, location: str | None) -> Request:
    """Return the request that a redirect asks for. Raises Broken where it must not be followed."""
    if not location:
        raise Broken(f"it answered {status} without saying where to", lasting=True)
    try:
        url = urljoin(request.url, location)
        old, new, moved = urlsplit(request.url), urlsplit(url), _origin(url) != _origin(request.url)
    except ValueError:
        raise Broken(f"it answered {status} with an address that is none", lasting=True) from None
    shown = f"{new.scheme}://{new.hostname or ''}"
    if new.scheme not in ("http", "https") or not new.hostname or new.username is not None:
        raise Broken(f"it answered {status} with an address that cannot be asked ({shown})", lasting=True)
    if old.scheme == "https" and new.scheme != "https":
        raise Broken(f"it answered {status} from https to {shown}: not followed", lasting=True)
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        request = replace(request, method="GET", body=b"")
    if moved:
        request = replace(request, key=None, own={})
    return replace(request, url=url)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
