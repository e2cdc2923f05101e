"""Times and durations: int64 nanoseconds since 1970-01-01 UTC, to and from text."""

import contextlib
import operator
import re
from datetime import UTC, date, datetime, timedelta
from typing import SupportsIndex

from tickreel.errors import UsageError

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_S

_DURATION_NS = {
    "ns": 1,
    "us": NS_PER_US,
    "µs": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "min": 60 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
}
_DURATION = re.compile(r"(\d+)(?:\.(\d{1,9}))?\s*([a-zµ]+)")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_EPOCH = date(1970, 1, 1)
_FIRST_NS = (date.min - _EPOCH).days * NS_PER_DAY
_END_NS = ((date.max - _EPOCH).days + 1) * NS_PER_DAY


def parse_time(text: str | date | datetime | SupportsIndex, name: str = "time") -> int:
    """Return ns UTC of an ISO 8601 date or time; text without a zone is UTC.

    Whole numbers, NumPy's too, are taken as ns since the epoch. A `datetime` without a zone is UTC.
    Raises UsageError naming `name`, also for times before the year 1 and after 9999.
    """
    ns = _time_ns(text, name)
    if not _FIRST_NS <= ns < _END_NS:
        raise UsageError(
            f"{name}: {text!r} is not in the years 1 to 9999; a whole number is taken as ns since 1970"
        )
    return ns


def _time_ns(text: str | date | datetime | SupportsIndex, name: str) -> int:
    if isinstance(text, bool):
        raise UsageError(f"{name}: expected a date, got {text!r}")
    with contextlib.suppress(TypeError):
        return operator.index(text)  # type: ignore[arg-type]
    if isinstance(text, datetime):
        aware = text if text.tzinfo else text.replace(tzinfo=UTC)
        whole = aware - datetime(1970, 1, 1, tzinfo=UTC)
        return (whole.days * 86_400 + whole.seconds) * NS_PER_S + whole.microseconds * NS_PER_US
    if isinstance(text, date):
        return (text - _EPOCH).days * NS_PER_DAY
    if not isinstance(text, str):
        raise UsageError(
            f"{name}: {text!r} is no time; write 2024-01-31, 2024-01-31T09:30:00.5 (UTC), or whole ns since 1970"
        )
    match = _TIME.fullmatch(text.strip())
    try:
        if not match:
            raise ValueError("not ISO 8601")
        day, hour, minute, second, fraction, zone = match.groups()
        when = datetime.fromisoformat(f"{day}T{hour or '00'}:{minute or '00'}:{second or '00'}")
    except ValueError as error:
        raise UsageError(
            f"{name}: {text!r} is not a time ({error}); write 2024-01-31 or 2024-01-31T09:30:00.5 (UTC)"
        ) from None
    whole = when - datetime(1970, 1, 1)
    ns = (whole.days * 86_400 + whole.seconds) * NS_PER_S + int((fraction or "0").ljust(9, "0"))
    return ns - _zone_ns(zone)


def _zone_ns(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    offset = (int(digits[:2]) * 3_600 + int(digits[2:]) * 60) * NS_PER_S
    return offset if zone[0] == "+" else -offset


def parse_duration(text: str | int | timedelta, name: str = "duration") -> int:
    """Return the ns of "1m", "5ms", "1.5s", "1d" (w d h m s ms us ns); whole numbers are ns."""
    if isinstance(text, timedelta):
        return (text.days * 86_400 + text.seconds) * NS_PER_S + text.microseconds * NS_PER_US
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise UsageError(f"{name}: {text} is negative; a duration is 0 or more")
        return text
    text = str(text).strip()
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not match or match.group(3) not in _DURATION_NS:
        raise UsageError(f"{name}: {text!r} is not a duration; write 250us, 5ms, 30s, 1m, 4h or 1d")
    whole, fraction, unit = match.groups()
    scale = 10 ** len(fraction or "")
    ns, rest = divmod(int(whole + (fraction or "")) * _DURATION_NS[unit], scale)
    if rest:
        raise UsageError(f"{name}: {text!r} is not a whole number of nanoseconds")
    return ns


def format_duration(ns: int) -> str:
    """Return the shortest text that `parse_duration` reads back: 60_000_000_000 -> "1m"."""
    for unit in ("w", "d", "h", "m", "s", "ms", "us"):
        if ns and ns % _DURATION_NS[unit] == 0:
            return f"{ns // _DURATION_NS[unit]}{unit}"
    return f"{ns}ns" if ns else "0"


def format_time(ns: int) -> str:
    """Return ISO 8601 UTC with as many fraction digits (0, 3, 6, 9) as needed."""
    seconds, rest = divmod(ns, NS_PER_S)
    base = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat()
    if rest == 0:
        return base + "Z"
    digits = f"{rest:09d}"
    keep = 3 if digits[3:] == "000000" else 6 if digits[6:] == "000" else 9
    return f"{base}.{digits[:keep]}Z"


_SIZES = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
}
_SIZE = re.compile(r"(\d{1,12})(?:\.(\d{1,3}))?\s*([a-zA-Z]*)")


def parse_bytes(text: str, name: str = "size") -> int:
    """Return the bytes of "2GiB", "1.5GB", "512MB" (B KB MB GB KiB MiB GiB)."""
    match = _SIZE.fullmatch(text.strip())
    if not match or match.group(3).upper() not in _SIZES:
        raise UsageError(f"{name}: {text!r} is not a size; write 512MB, 1.5GB or 2GiB")
    whole, fraction, unit = match.groups()
    scale = 10 ** len(fraction or "")
    return int(whole + (fraction or "")) * _SIZES[unit.upper()] // scale


def day_of(ns: int) -> str:
    """Return the UTC day of a time as "YYYY-MM-DD"."""
    return (_EPOCH + timedelta(days=ns // NS_PER_DAY)).isoformat()


def day_start(day: str) -> int:
    """Return the first ns of a "YYYY-MM-DD" day; raises ValueError if it is not one."""
    if len(day) != 10:
        raise ValueError(f"{day!r} is not YYYY-MM-DD")
    return (date.fromisoformat(day) - _EPOCH).days * NS_PER_DAY


def counted(count: int, word: str) -> str:
    """Return "1 row" or "1,204 rows"."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def human_bytes(count: float) -> str:
    """Return a size for people: 1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
