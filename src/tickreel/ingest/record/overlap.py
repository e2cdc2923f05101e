"""Drops rows that came twice because two connections, or a connection and history, cover one time.

Rows are the same event if their identity is: the venue's id, or all cells but the local time. Of an
event that one connection brought m times and another n times, max(m, n) rows stay: equal rows within
a connection are distinct, as the venue sent them.

A history may say less than a stream: no ids, coarser times. A row of it is the same event as one that is
alike (`alike.py`): of m distinct live rows and n of history that are alike, max(m, n) stay, the live ones as they are.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable

import xxhash

from tickreel.store.gaps import joined
from tickreel.units import NS_PER_S

REACH_NS = 60 * NS_PER_S
"""How long before and after a connection ends, or a gap, an event may come again."""
MOST_ROWS = 1 << 20
"""How many rows are remembered at most; what is beyond shows as an id that came twice."""


class Overlaps:
    """Remembers the rows of one stream around the moments at which its connections change.

    moments_ns  (from, to) of each, in time of arrival: a new connection, a gap
    """

    def __init__(self, moments_ns: Iterable[tuple[int, int]]) -> None:
        self._zones = Spans((start - REACH_NS, end + REACH_NS) for start, end in moments_ns)
        self._kept: dict[bytes, int] = {}
        self._counts: dict[int, dict[bytes, int]] = {}
        self._unmatched: dict[bytes, int] = {}
        """Rows that only history brought, by what they are like: the next live ones that are alike are these."""
        self._order: deque[tuple[bytes, int]] = deque()
        self._zone = -1
        self.dropped = 0

    def compares(self, at_ns: int) -> bool:
        """Return whether rows of a time may come again."""
        return self._zones.place(at_ns) >= 0

    def is_new(self, source: int, identity: str, at_ns: int, alike: str = "") -> bool:
        """Return whether a row is to be kept; rows come in order of arrival, history's where its gap was.

        source    what brought it: the number of a connection; of an answer of history a negative one
        identity  "" of a row that history has without an id: then it is compared by `alike` alone
        at_ns     when it arrived; of history, a time within its gap
        alike     what the row is like, where history has rows without ids; "" elsewhere
        """
        zone = self._zones.place(at_ns)
        if zone < 0:
            return True
        if zone != self._zone:
            self._forget(zone)
        like = digest(f"alike,{alike}") if alike else b""
        if not identity:
            if is_new := self._is_more(source, like):
                self._unmatched[like] = self._unmatched.get(like, 0) + 1
        elif is_new := self._is_more(source, digest(identity)):
            is_new = not self._matches(like)
            if like and is_new:
                self._keep(like, self._kept.get(like, 0) + 1, source)
        self.dropped += not is_new
        return is_new

    def _is_more(self, source: int, key: bytes) -> bool:
        """Count a row of a source; return whether none had so many of its like before, and keep it then."""
        counts = self._counts.get(source)
        if counts is None:
            counts = self._begin(source)
        counts[key] = count = counts.get(key, 0) + 1
        if count <= self._kept.get(key, 0):
            return False
        self._keep(key, count, source)
        return True

    def _matches(self, like: bytes) -> bool:
        """Return whether a row is one that only history brought before, and take that for matched."""
        unmatched = self._unmatched.get(like, 0)
        if unmatched:
            self._unmatched[like] = unmatched - 1
        return unmatched > 0

    def _keep(self, key: bytes, count: int, source: int) -> None:
        self._kept[key] = count
        self._order.append((key, source))
        if len(self._order) > MOST_ROWS:
            old, brought_by = self._order.popleft()
            self._kept.pop(old, None)
            self._unmatched.pop(old, None)
            self._counts.get(brought_by, {}).pop(old, None)

    def _begin(self, source: int) -> dict[bytes, int]:
        """Count anew; of connections, as of answers, one follows the other, and `kept` knows the most of all before."""
        self._counts = {
            other: counts for other, counts in self._counts.items() if (other < 0) != (source < 0)
        }
        return self._counts.setdefault(source, {})

    def _forget(self, zone: int) -> None:
        self._zone = zone
        self._kept, self._counts, self._unmatched = {}, {}, {}
        self._order.clear()


def digest(identity: str) -> bytes:
    """Return what stands for an identity, 16 bytes."""
    return xxhash.xxh3_128_digest(identity.encode("utf-8", "surrogatepass"))


class Spans:
    """Spans [from, to) of time, joined where they touch."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._joined = joined(spans)
        self._starts = [start for start, _ in self._joined]

    def place(self, at_ns: int) -> int:
        """Return the number of the span that a time lies in, -1 for none."""
        place = bisect_right(self._starts, at_ns) - 1
        return place if place >= 0 and at_ns < self._joined[place][1] else -1
