"""The rows of one symbol, and a block of them as the book's kernel wants it: prices as integers of one scale."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tickreel.books.book_kernel import NULL, BookRows
from tickreel.codecs.decimals import FLOAT_BITS, from_floats
from tickreel.errors import InputError
from tickreel.store.reader import Segment


class Source(NamedTuple):
    """The rows [start, stop) of one symbol in an open segment."""

    segment: Segment
    symbol: str
    start: int
    stop: int

    def blocks(self, first: int = 0) -> Iterator[tuple[int, int, int]]:
        """Yield (block, start, stop): where rows of the symbol, from its row `first` on, lie in each block."""
        size = self.segment.footer.block_rows
        begin = self.start + first
        for block in range(begin // size, -(-self.stop // size)):
            yield block, max(begin - block * size, 0), min(self.stop - block * size, size)


class RowReader:
    """Reads blocks of one segment after the other; the arrays are overwritten by the next."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}

    def read(self, segment: Segment, block: int) -> tuple[BookRows, int]:
        """Return all rows of a block and the scale of their prices. Raises CorruptionError, InputError."""
        times, snapshot, side, amount = (
            segment.read(name, block, self._buffer(segment, name))
            for name in (segment.record.time, "is_snapshot", "side", "amount")
        )
        price, scale = segment.integers("price", block)
        if scale == FLOAT_BITS:
            price, scale = _on_one_scale(price.view(np.float64), f"{segment.path}: block {block}")
        return BookRows(times, snapshot, side, price, amount), scale

    def _buffer(self, segment: Segment, name: str) -> np.ndarray:
        rows = segment.footer.block_rows
        if len(self._buffers.get(name, ())) < rows:
            self._buffers[name] = np.empty(rows, segment.record.column(name).kind.dtype)
        return self._buffers[name]


def _on_one_scale(prices: np.ndarray, where: str) -> tuple[np.ndarray, int]:
    """Return (integers, k) of prices that a block keeps as floats, by the digits of their shortest texts."""
    # One price is in many rows; adding 0 makes 0 of -0, which is the same level.
    values, places = np.unique(prices + 0.0, return_inverse=True)
    found = from_floats(values)
    scale = int(found.scale.max(initial=0))
    integers = [
        mantissa if mantissa == NULL else mantissa * 10 ** (scale - digits)
        for mantissa, digits in zip(found.mantissa.tolist(), found.scale.tolist(), strict=True)
    ]
    if scale == FLOAT_BITS or any(abs(one) >= 2**62 for one in integers if one != NULL):
        raise InputError(
            f"{where}: its prices have too many digits for a book's ladder; look at them with tickreel show"
        )
    return np.array(integers, np.int64)[places], scale
