"""Tardis' raw feeds, minute by minute: addresses, the layout of the official clients' cache, checks of a slice; pure.

A slice is some minutes of exchange-native messages: lines of a 28-character local time, a blank, and JSON; an empty
line is a disconnect. Source: https://docs.tardis.dev/api/http-api-reference.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from tickreel.errors import UsageError
from tickreel.units import NS_PER_S, format_time, parse_time

MINUTE_NS = 60 * NS_PER_S
MOST_MINUTES = 10
_TIME_CHARACTERS = 28
_NAME = re.compile(r"(\d\d)(?:\.size-(\d{1,2}))?\.json\.(?:gz|zst)")


@dataclass(frozen=True, slots=True)
class Feed:
    """What is asked for: channels of an exchange, of some symbols or of all.

    symbols  as the exchange writes them on its own feed (btcusdt); none: all
    """

    exchange: str
    channels: tuple[str, ...]
    symbols: tuple[str, ...] = ()

    @property
    def filters(self) -> str:
        """The filters as every client writes them: channels and symbols sorted, each once, compact JSON."""
        symbols = sorted(set(self.symbols)) or None
        found = [{"channel": channel, "symbols": symbols} for channel in sorted(set(self.channels))]
        return msgspec.json.encode(found).decode()

    @property
    def folder(self) -> str:
        """Where the slices of these filters lie in a cache."""
        return f"feeds/{self.exchange}/{hashlib.sha256(self.filters.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, order=True)
class SliceOf:
    """Some minutes from one on."""

    from_ns: int
    minutes: int

    @property
    def hour(self) -> str:
        """YYYY/MM/DD/HH, the folder of its hour."""
        return format_time(self.from_ns)[:13].replace("-", "/").replace("T", "/")

    @property
    def path(self) -> str:
        """Its file below the folder of its filters."""
        size = "" if self.minutes == 1 else f".size-{self.minutes}"
        return f"{self.hour}/{format_time(self.from_ns)[14:16]}{size}.json.gz"


def slice_url(base: str, feed: Feed, begin_ns: int, part: SliceOf) -> str:
    """Return the address of a slice, told as minutes after the beginning of the whole range."""
    offset = (part.from_ns - begin_ns) // MINUTE_NS
    size = f"&sliceSize={part.minutes}" if part.minutes > 1 else ""
    begin = format_time(begin_ns).replace("Z", ".000Z")
    head = f"{base.rstrip('/')}/data-feeds/{quote(feed.exchange, safe='')}?from={begin}&offset={offset}{size}"
    return f"{head}&filters={quote(feed.filters, safe='')}" if feed.channels else head


def named_slice(hour_ns: int, name: str) -> SliceOf | None:
    """Return the slice that a file of a cache holds, None if its name is none."""
    match = _NAME.fullmatch(name)
    if not match or int(match[1]) > 59 or not 1 <= int(match[2] or 1) <= MOST_MINUTES:
        return None
    return SliceOf(hour_ns + int(match[1]) * MINUTE_NS, int(match[2] or 1))


def lacking(from_ns: int, to_ns: int, there: Iterable[SliceOf]) -> list[tuple[int, int]]:
    """Return the ranges of [from_ns, to_ns) that no slice covers."""
    found, at = [], from_ns
    for part in sorted(there):
        if at < part.from_ns < to_ns:
            found.append((at, part.from_ns))
        at = max(at, min(part.from_ns + part.minutes * MINUTE_NS, to_ns))
    return [*found, (at, to_ns)] if at < to_ns else found


def middle_slices(from_ns: int, to_ns: int, minutes: int) -> list[SliceOf]:
    """Return the slices between the first and the last minute of a range, as the official clients cut them."""
    last = to_ns - MINUTE_NS
    starts = range(from_ns + MINUTE_NS, last, minutes * MINUTE_NS)
    return [SliceOf(ns, min(minutes, (last - ns) // MINUTE_NS)) for ns in starts]


def check_range(from_ns: int, to_ns: int) -> None:
    """Raise UsageError unless a range is whole minutes."""
    for name, ns in (("--from", from_ns), ("--to", to_ns)):
        if ns % MINUTE_NS:
            raise UsageError(f"{name} {format_time(ns)}: raw feeds come by the minute; give a full one")
    if from_ns >= to_ns:
        raise UsageError(
            f"--from {format_time(from_ns)} --to {format_time(to_ns)}: --to is later than --from"
        )


def wrong_lines(lines: Sequence[bytes], part: SliceOf) -> str:
    """Return what is wrong with some lines of a slice, "" if nothing is: each begins with a time within it."""
    for line in lines:
        if not line:
            continue
        text = line[:_TIME_CHARACTERS].decode("ascii", "replace")
        try:
            at_ns = parse_time(text[:27].removesuffix("Z") + "Z") if line[28:29] == b" " else -1
        except UsageError:
            at_ns = -1
        if not part.from_ns <= at_ns < part.from_ns + part.minutes * MINUTE_NS:
            return f"a line begins with {text!r}, which is no time of {part.minutes} min from {format_time(part.from_ns)}"
    return ""
