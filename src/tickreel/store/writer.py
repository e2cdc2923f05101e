"""Writes one segment file, block by block, in bounded memory."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tickreel.codecs import number_text
from tickreel.codecs.choice import Choice, Purpose
from tickreel.codecs.decimals import FLOAT_BITS, Decimals
from tickreel.errors import DiskError, InputError, UsageError, disk_error
from tickreel.schema import NULL_TIME, Column, Kind, RecordType
from tickreel.store import format as fmt
from tickreel.store.disk import sync_file, write_all

Batch = Mapping[str, "np.ndarray | Decimals"]
"""Rows by column name: Decimals for DECIMAL columns, arrays of the kind's dtype for the others."""

_ZEROS = bytes(fmt.ALIGN)


class SegmentWriter:
    """Collects rows into blocks of `block_rows` and writes each as soon as it is full.

    path        a new file, usually in the store's staging folder; it must not exist
    block_rows  rows of every block but the last; what is stored depends on nothing else,
                neither on the sizes of the batches given
    optimise    what the codecs are chosen for, see codecs.choice
    Raises InputError for a text of more than format.MAX_TEXT bytes, DiskError if the disk fails.
    """

    def __init__(
        self,
        path: Path,
        record: RecordType,
        *,
        block_rows: int = fmt.BLOCK_ROWS,
        optimise: Purpose = "balanced",
    ) -> None:
        if not 1 <= block_rows <= fmt.MAX_BLOCK_ROWS:
            raise UsageError(f"{path}: blocks of {block_rows} rows; 1 to {fmt.MAX_BLOCK_ROWS} are allowed")
        self.path = path
        self.record = record
        self._block_rows = block_rows
        self._choices = {
            column.name: Choice(column.kind, optimise, often=_is_read_often(column, record))
            for column in record.columns
        }
        self._pending: list[Batch] = []
        self._pending_rows = 0
        self._blocks: list[tuple] = []
        self._chunks: list[tuple] = []
        self._rows = 0
        self._end = 0
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise disk_error(error, f"creating {path}") from error
        try:
            self._write(fmt.pack_header())
        except DiskError:
            self.abandon()
            raise

    @property
    def rows(self) -> int:
        return self._rows + self._pending_rows

    def append(self, batch: Batch) -> None:
        """Add rows; the arrays are kept until their block is full and must not change."""
        rows = len(batch[self.record.time])
        start = 0
        while self._pending_rows + rows - start >= self._block_rows:
            take = self._block_rows - self._pending_rows
            self._keep(batch, start, start + take)
            start += take
            self._flush()
        if start < rows:
            self._keep(batch, start, rows)

    def finish(self, meta: fmt.Meta, symbols: Sequence[tuple[str, int]]) -> None:
        """Write the last block and the footer, and make the file durable. It is not yet published.

        symbols  (name, rows) in storage order
        """
        if self._pending_rows:
            self._flush()
        blocks = np.array(self._blocks, fmt.BLOCK)
        chunks = np.array(self._chunks, fmt.CHUNK)
        footer = fmt.pack_footer(self.record, self._block_rows, blocks, chunks, list(symbols), meta)
        self._write(footer + fmt.pack_trailer(self._end, footer))
        sync_file(self._fd, str(self.path))
        self._close()

    def abandon(self) -> None:
        """Close and remove an unfinished file; harmless after `finish`."""
        if self._fd >= 0:
            self._close()
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def _close(self) -> None:
        # The number is given up first: an interrupt that comes as the file is closed must not close it once more.
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _keep(self, batch: Batch, start: int, stop: int) -> None:
        self._pending.append({name: batch[name][start:stop] for name in self.record.names})
        self._pending_rows += stop - start

    def _flush(self) -> None:
        rows, columns = self._pending_rows, {}
        for column in self.record.columns:
            columns[column.name] = _joined([batch[column.name] for batch in self._pending])
        bounds = {c.name: self._write_chunk(c, columns[c.name]) for c in self.record.columns}
        self._blocks.append((self._rows, rows, b"", *bounds[self.record.time]))
        self._rows += rows
        self._pending, self._pending_rows = [], 0

    def _write_chunk(self, column: Column, values: "np.ndarray | Decimals") -> tuple[int, int]:
        """Write a chunk, and return the bounds of its values."""
        scale, nulls, bounds = 0, 0, None
        if isinstance(values, Decimals):
            values = values.canonical()
            found = values.to_integers()
            values, scale, bounds = found if found is not None else (values.to_floats(), FLOAT_BITS, None)
        if values.dtype.itemsize > fmt.MAX_TEXT:
            raise InputError(
                f"{self.path}: column {column.name}: a text of {values.dtype.itemsize} bytes in rows"
                f" {self._rows} and after; at most {fmt.MAX_TEXT} fit: shorten it"
            )
        low, high = bounds or ((0, 0) if column.kind is Kind.TEXT else fmt.bounds(values))
        codec, data = self._choices[column.name].encode(values, (low, high))
        if column.kind in (Kind.TIME, Kind.DECIMAL):
            # The least number of all is an empty one, of times and of mantissas.
            nulls = int(np.isnan(values).any() if scale == FLOAT_BITS else low == NULL_TIME)
        width = number_text.width(values) if column.kind is Kind.TEXT else values.dtype.itemsize
        self._chunks.append(
            (self._end, len(data), fmt.checksum(data), low, high, codec, scale, nulls, width, b"")
        )
        self._write(data + _ZEROS[: -len(data) % fmt.ALIGN])
        return low, high

    def _write(self, data: bytes) -> None:
        write_all(self._fd, data, str(self.path))
        self._end += len(data)


def _is_read_often(column: Column, record: RecordType) -> bool:
    return column.kind is Kind.DECIMAL or column.name == record.time


def _joined(parts: "list[np.ndarray | Decimals]") -> "np.ndarray | Decimals":
    if isinstance(parts[0], Decimals):
        return Decimals.concatenate(parts)  # type: ignore[arg-type]
    joined = number_text.joined(parts)  # type: ignore[arg-type]
    if joined.dtype.kind == "S":
        # The width is that of the block's longest text, whatever the batches' were.
        return joined.astype(f"S{number_text.width(joined)}", copy=False)
    return joined
