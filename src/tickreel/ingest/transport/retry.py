"""What to do after a status or a failure: wait and ask again, or give up; pure.

Statuses as Tardis' official clients read them (section 1.6 of its HTTP API notes): 400, 401, 403, 404 and 414 stay
what they are, except a 400 about the "ISO 8601 format", which the server answers now and then without reason.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

MOST_WAIT_S = 60.0
EXHAUSTED_S = 300.0
"""Who is asked to wait longer is told so instead of made to wait: a quota is used up, or the provider away."""
_SECONDS = re.compile(r"-?\d+(\.\d+)?")
_SPURIOUS = b"ISO 8601 format"
_WRONG = re.compile(rb"Invalid \W*\w+\W* argument")
"""What tardis-machine says, with 500, of an exchange that it does not know, or of times."""


class Why(Enum):
    """Why there is no use in asking again."""

    REFUSED = "refused"
    MISSING = "missing"
    WRONG = "wrong"
    EXHAUSTED = "exhausted"
    AWAY = "away"
    TRIES = "tries"


@dataclass(frozen=True, slots=True)
class Again:
    """Ask again after `wait_s`. shared: nobody asks this provider before."""

    wait_s: float
    shared: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    why: Why


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one answer is tried for, and how long is waited between."""

    tries: int = 8
    first_s: float = 1.0
    most_s: float = MOST_WAIT_S


def backoff_s(failures: int, chance: float, *, first_s: float = 1.0, most_s: float = MOST_WAIT_S) -> float:
    """Return the wait after so many failures in a row: first, twice that ... most, of which half is chance.

    chance  a random number of 0 to 1, so that many clients do not come back at once
    """
    whole = min(most_s, first_s * 2.0 ** min(failures - 1, 60))
    return whole * (0.5 + 0.5 * chance)


def after_status(
    status: int, body: bytes, retry_after: float | None, failures: int, *, patience: Patience, chance: float
) -> Again | GiveUp:
    """Return what to do about a status that is no success.

    body         its beginning
    retry_after  seconds that the server asks for, None if it does not
    failures     in a row, this one counted
    """
    if status in (401, 403):
        return GiveUp(Why.REFUSED)
    if status == 404:
        return GiveUp(Why.MISSING)
    if status == 429 or (status >= 500 and retry_after is not None and retry_after > 0):
        return _after_asked(status, retry_after, failures, patience=patience, chance=chance)
    if status == 500 and _WRONG.search(body):
        return GiveUp(Why.WRONG)
    if status in (408, 425) or status >= 500 or (status == 400 and _SPURIOUS in body):
        return after_break(failures, patience=patience, chance=chance, lasting=False)
    return GiveUp(Why.WRONG)


def after_break(failures: int, *, patience: Patience, chance: float, lasting: bool) -> Again | GiveUp:
    """Return what to do about a connection or an answer that broke."""
    if lasting or failures >= patience.tries:
        return GiveUp(Why.TRIES)
    return Again(_wait_s(failures, chance, patience))


def _after_asked(
    status: int, retry_after: float | None, failures: int, *, patience: Patience, chance: float
) -> Again | GiveUp:
    """Return what to do where nobody is to ask for a while: never before the provider said so."""
    if retry_after is not None and retry_after > EXHAUSTED_S:
        return GiveUp(Why.EXHAUSTED if status == 429 else Why.AWAY)
    if failures >= patience.tries:
        return GiveUp(Why.TRIES)
    if not retry_after or retry_after < 0:
        return Again(_wait_s(failures, chance, patience), shared=True)
    return Again(retry_after + chance, shared=True)


def _wait_s(failures: int, chance: float, patience: Patience) -> float:
    return backoff_s(failures, chance, first_s=patience.first_s, most_s=patience.most_s)


def retry_after_s(text: str | None, date: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After: a number, or a date; None if it is neither.

    date  the answer's own Date, by which a date is measured: this machine's clock may be wrong
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until, then = _date(text), _date(date or "") or now or datetime.now(UTC)
    return None if until is None else (until - then).total_seconds()


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
