"""What history gave for gaps, as it is read from its file: messages of a machine, or rows of a relay as lines of CSV."""

from collections.abc import Collection, Iterator
from pathlib import Path

from tickreel.ingest.record.journal import Begin, GapNote, read_records
from tickreel.ingest.record.journal_format import Kind, Record, Scan
from tickreel.ingest.record.overlap import Spans
from tickreel.schema import RECORD_TYPES
from tickreel.sources.machine import Read, Rows, Unreadable, read_message
from tickreel.units import NS_PER_S, NS_PER_US

SLACK_NS = 5 * NS_PER_S
"""How far beyond a gap history's events are looked at: its clock, the recorder's and the way differ by less."""
EVENTS = ("trades", "liquidations")
"""Types of which every row is an event. Rows of the others that history has are states: outside a gap they add nothing."""
_LOCAL = 3
"""The place of the local time in a line."""
OTHER_SYMBOL = "of another symbol than was asked for"
NOT_ASKED, ASKED = 0, 1
"""Numbers of rows: of such as came to a request for another symbol, and of all others."""


class Fill:
    """What history gave for some gaps of a stream.

    source   stands for it among the connections
    given    type -> declared delay of its rows, None where they have local times; of all that was asked for
    """

    def __init__(self, path: Path, head: Begin, gaps: dict[int, GapNote]) -> None:
        self.path, self.gaps = path, gaps
        self.given = {type: head.lags_ns.get(type) for asked in head.streams for type in asked.types}
        self.source = -min(gaps, default=0)
        self.end_ns = max((note.to_ns for note in gaps.values()), default=0)
        self._symbols = frozenset(name.upper() for asked in head.streams for name in asked.symbols)
        self._spans = Spans((note.from_ns, note.to_ns) for note in gaps.values())
        self._around = Spans((note.from_ns - SLACK_NS, note.to_ns + SLACK_NS) for note in gaps.values())

    def read(self, scan: Scan) -> Iterator[tuple[Read, bytes]]:
        """Yield what each record says, with its text. scan: knows at the end what was damaged."""
        for begin, record in read_records(self.path, scan):
            if record.kind == Kind.MESSAGE:
                yield read_message(record.payload), record.payload
            elif record.kind == Kind.ROW:
                yield self._row(begin, record), record.payload

    def lines(self) -> Iterator[Rows]:
        """Yield the rows of a relay that have no id; none of a machine."""
        for begin, record in read_records(self.path):
            if record.kind != Kind.ROW:
                return
            read = self._row(begin, record)
            if isinstance(read, Rows) and not read.identity:
                yield read

    def adds(self, rows: Rows) -> bool:
        """Return whether a row may be one that a gap lacks."""
        spans = self._around if rows.type in EVENTS else self._spans
        return spans.place(rows.local_us * 1_000) >= 0

    def before(self, rows: Rows, end_us: int) -> Rows:
        """Return a row of before a gap's end that its declared delay alone puts behind the end of a day: as the day's last."""
        ended_ns = max((note.to_ns for note in self.gaps.values()), default=0)
        happened = rows.exchange_us * 1_000 < ended_ns < end_us * 1_000
        if rows.local_us < end_us or not happened or self.given.get(rows.type) is None:
            return rows
        cells = rows.text.split(",")
        cells[_LOCAL] = str(end_us - 1)
        return rows._replace(local_us=end_us - 1, text=",".join(cells))

    def gaps_at(self, at_ns: int) -> set[int]:
        return {number for number, note in self.gaps.items() if note.from_ns <= at_ns < note.to_ns}

    def _row(self, begin: Begin, record: Record) -> Rows | Unreadable:
        (type,) = begin.streams[record.stream].types
        if record.number == NOT_ASKED:
            return Unreadable(type, OTHER_SYMBOL)
        return read_line(type, self._symbols, record.payload, begin.lags_ns.get(type))


def read_line(type: str, symbols: Collection[str], line: bytes, lag_ns: int | None) -> Rows | Unreadable:
    """Return what a line of a relay says; a cell that is no time makes it unreadable, others are the parser's.

    symbols  that were asked for, in upper case
    lag_ns   added to its exchange time; None: it has a local time
    Its identity is "" if it has no id: then it is compared by `alike.Likeness`.
    """
    header, cells = RECORD_TYPES[type].csv_header, line.decode("utf-8", "replace").split(",")
    if len(cells) != len(header):
        return Unreadable(type, f"{len(cells)} cells and not {len(header)}")
    exchange, symbol, time, local = cells[:4]
    if lag_ns is not None and _is_time(time):
        local = cells[_LOCAL] = str(int(time) + lag_ns // NS_PER_US)
    for name, cell in ("timestamp", time), ("local_timestamp", local):
        if not _is_time(cell):
            return Unreadable(type, f"{name} {cell!r} is no time")
    if symbol.upper() not in symbols:
        return Unreadable(type, OTHER_SYMBOL)
    id = cells[header.index("id")] if "id" in header else ""
    identity = f"{type},{symbol.upper()},{id}" if id else ""
    return Rows(type, exchange, symbol, int(time), int(local), ",".join(cells) + "\n", identity)


def _is_time(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()
