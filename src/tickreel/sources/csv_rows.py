"""Tardis' CSV files to columns: bytes in, RowBatch out, every data line accounted for.

Format: https://docs.tardis.dev/downloadable-csv-files (header, microseconds UTC, empty cell = no
value). A line that cannot be right is set aside with a reason; one that is only odd is kept.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tickreel.errors import InputError
from tickreel.schema import RecordType
from tickreel.sources import csv_kernel as k
from tickreel.sources.csv_batch import Collector, RowBatch
from tickreel.sources.csv_records import NameTable
from tickreel.sources.csv_words_kernel import REACH

MAX_NAMES = 1 << 16
_NAME_BYTES = MAX_NAMES * k.MAX_KEY
"""Room for every name: the memory is taken as it is filled."""
_SAMPLE = 200
_AFTER = bytes(REACH)
"""What follows a piece of text, so that its last cells are read as the others are."""
_MAX_LINE_BYTES = 1 << 26
"""What a packed file of next to nothing, or one that is no text, can make a reader keep."""


class CsvParser:
    """Parses one file of one record type, fed with its bytes in order.

    record      the type's own columns; once the header was read, those of the file
    check_name  is called with (exchange, symbol) of every new pair; an InputError from it sets
                the pair's rows aside
    """

    def __init__(
        self, record: RecordType, source: str, check_name: Callable[[str, str], None] | None = None
    ) -> None:
        self.source = source
        self.names: list[tuple[str, str]] = []
        self.lines = 0
        self.record = record
        self._check_name = check_name
        self._bad_names: dict[int, str] = {}
        self._rest = b""
        self._type = record
        self._collector: Collector | None = None
        self._table = NameTable(
            np.zeros(_NAME_BYTES, np.uint8),
            np.zeros(MAX_NAMES + 1, np.int64),
            np.full(4 * MAX_NAMES, -1, np.int32),
            np.zeros(1, np.int64),
        )

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[RowBatch]:
        """Yield rows of the whole lines so far, once they are many; a cut line waits for the next call.

        last  no more bytes follow: a last line without a line end may be cut, and is set aside
        Raises InputError if the first line is no header of the type.
        """
        data = b"".join((self._rest, data, _AFTER))
        cut = data.rfind(b"\n") + 1
        if cut:
            yield from self._take(data, 0, cut)
        self._rest = data[cut : -len(_AFTER)]
        if self._collector is None and len(self._rest) > 1 << 16:
            self._check_header(self._rest[:_SAMPLE])
        if len(self._rest) > _MAX_LINE_BYTES:
            raise InputError(
                f"{self.source}: line {self.lines + 2} is longer than {_MAX_LINE_BYTES} bytes: that is no row;"
                " fetch the file again"
            )
        if last:
            yield from self._end()

    def _take(self, data: bytes, start: int, stop: int) -> Iterator[RowBatch]:
        """Parse the whole lines data[start:stop]."""
        if self._collector is None:
            end = data.index(b"\n", start)
            self._collector = Collector(self._check_header(data[start:end]))
            start = end + 1
        letters, found = np.frombuffer(data, np.uint8), self._collector
        while start < stop:
            count, after, usual = k.parse(
                letters, start, stop, found.count, found.layout, found.rows, found.lines, self._table
            )
            if after == start:
                raise InputError(f"{self.source}: more than {MAX_NAMES} symbols in one file; split it")
            self.lines += count - found.count
            self._learn_names()
            found.take(data, count, self._bad_names, usual=usual)
            start = after
            if found.is_full:
                yield found.batch()

    def _end(self) -> Iterator[RowBatch]:
        rest, self._rest = self._rest, b""
        if rest and self._collector is None:
            yield from self._take(rest + b"\n" + _AFTER, 0, len(rest) + 1)
        elif rest and self._collector:
            self.lines += 1
            self._collector.cut_line(rest)
        if self._collector and not self._collector.is_empty:
            yield self._collector.batch()

    def _check_header(self, line: bytes) -> RecordType:
        """Return the shape of the type that a header is of."""
        found = line.removesuffix(b"\r")
        for shape in self._type.shapes:
            if found == ",".join(shape.csv_header).encode():
                self.record = shape
                return shape
        text = found[:_SAMPLE].decode("utf-8", "replace")
        raise InputError(
            f"{self.source}: line 1 is {text!r}, {self._type.name} files begin with {_allowed(self._type)};"
            " name the right record type with --types, or mend the file"
        )

    def _learn_names(self) -> None:
        for number in range(len(self.names), int(self._table.names[0])):
            raw = self._table.letters[self._table.start[number] : self._table.start[number + 1]].tobytes()
            exchange, _, symbol = raw.decode("utf-8", "surrogateescape").partition(",")
            self.names.append((exchange, symbol))
            try:
                if self._check_name:
                    self._check_name(exchange, symbol)
            except InputError as error:
                self._bad_names[number] = str(error)


def _allowed(record: RecordType) -> str:
    """Return what a file of a type begins with, for people."""
    extras = [column.csv or "" for column in record.optional]
    after = f", or with {' and '.join(extras)} after it" if extras else ""
    return f"{','.join(record.csv_header)!r}, or that without local_timestamp{after}"
