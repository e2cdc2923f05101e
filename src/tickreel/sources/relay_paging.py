"""From one range of time to the requests that cover it, and from their answers to rows, each once and in order; pure."""

from collections import Counter
from itertools import pairwise

from tickreel.errors import NetworkError
from tickreel.sources.relay import Ask, Page, Relay, Row
from tickreel.units import NS_PER_US, format_time


class Paging:
    """Asks for [from_ns, to_ns) of a relay, one request after the other.

    `ask` is the next request, None at the end; `take` gets its answer, and returns the rows that are new, ascending.
    Rows of other times than those asked for are left out: they belong to another range, whose request brings them.
    Raises NetworkError where rows would be lost, with what to change in the profile.
    """

    def __init__(self, relay: Relay, from_ns: int, to_ns: int) -> None:
        self._relay = relay
        self._history = relay.history
        self._to_ns = to_ns
        self._before: Counter[bytes] = Counter()
        """Rows of the last answer that the next may have again: those of its last time, and without a time."""
        self._cursors: set[str] = set()
        self._most = 0
        """Rows of the largest answer so far."""
        self._probing = False
        """Whether `ask` only asks for what comes after a time whose rows may have been cut off."""
        self.ask: Ask | None = None
        self._go_on(from_ns)

    def take(self, page: Page) -> list[Row]:
        """Return what the answer to `ask` brings, and set the next `ask`."""
        asked = self.ask
        assert asked is not None
        rows = self._new(asked, page.rows)
        full = bool(self._history.page_rows) and len(page.rows) >= self._history.page_rows
        if self._history.paging == "cursor":
            self._follow(asked, page.next)
            return sorted(rows, key=_order)
        if self._history.paging == "none":
            if full:
                raise self._loses(
                    asked, "an answer is full and there is no paging: set paging, or a shorter span"
                )
            self._go_on(asked.to_ns)
            return sorted(rows, key=_order)
        self._advance(asked, page.rows, rows, full=full)
        return rows

    def _new(self, asked: Ask, rows: list[Row]) -> list[Row]:
        """Return the rows of the range that was asked for, without those of the answer before."""
        first_us, end_us = -(-asked.from_ns // NS_PER_US), -(-asked.to_ns // NS_PER_US)
        again = self._before.copy()
        new = []
        for row in rows:
            if row.time_us is not None and not first_us <= row.time_us < end_us:
                continue
            if again[row.line]:
                again[row.line] -= 1
            else:
                new.append(row)
        return new

    def _advance(self, asked: Ask, rows: list[Row], new: list[Row], *, full: bool) -> None:
        """Go on from the time of the last row, which may have been cut off from others of its time."""
        times = [row.time_us for row in rows if row.time_us is not None]
        if any(later < earlier for earlier, later in pairwise(times)):
            raise self._loses(
                asked, "rows do not come oldest first, and paging = 'advance' goes on from the last"
            )
        self._most = max(self._most, len(rows))
        self._before = Counter(row.line for row in rows if row.time_us is None)
        reaches_past = bool(times) and times[-1] * NS_PER_US >= asked.to_ns
        complete = reaches_past or not times or (self._history.page_rows and not full)
        came = any(row.time_us is not None for row in new)
        probed, self._probing = self._probing, False
        if (probed and came) or (full and not came and not complete):
            raise self._loses(asked, "more rows have one time than an answer holds: set a larger page_rows")
        if complete or probed:
            self._go_on(asked.to_ns)
        elif came:
            self._before.update(row.line for row in rows if row.time_us == times[-1])
            self._go_on(times[-1] * NS_PER_US)
        else:
            self._probe(asked, len(rows), times[-1] * NS_PER_US)

    def _probe(self, asked: Ask, rows: int, last_ns: int) -> None:
        """After the rows of one time alone, ask behind it: if there is more, their answer was a cut one."""
        after_ns = self._relay.next_request_time(last_ns)
        self._probing = rows >= self._most and after_ns < asked.to_ns
        if self._probing:
            self.ask = Ask(after_ns, asked.to_ns)
        else:
            self._go_on(asked.to_ns)

    def _follow(self, asked: Ask, cursor: str) -> None:
        if not cursor:
            self._cursors.clear()
            self._go_on(asked.to_ns)
            return
        if cursor in self._cursors:
            raise self._loses(asked, f"the cursor {cursor[:40]!r} leads back to itself")
        self._cursors.add(cursor)
        self.ask = Ask(asked.from_ns, asked.to_ns, cursor)

    def _go_on(self, from_ns: int) -> None:
        end_ns = min(from_ns + self._history.span_ns, self._to_ns)
        self.ask = Ask(from_ns, end_ns) if from_ns < self._to_ns else None

    def _loses(self, asked: Ask, why: str) -> NetworkError:
        return NetworkError(
            f"{self._relay.name}: rows from {format_time(asked.from_ns)} to {format_time(asked.to_ns)} may be lost: {why}"
            f" in the profile of {self._relay.name} (docs/PROVIDERS.md)"
        )


def _order(row: Row) -> tuple[bool, int]:
    return row.time_us is None, row.time_us or 0
