"""One symbol's trades and changes of its order book in one order, for strategies that watch the book."""

from collections.abc import Iterator

import numpy as np

from tickreel.books.book_kernel import NULL, BookRows
from tickreel.codecs.decimals import FLOAT_BITS, POWERS
from tickreel.errors import InputError
from tickreel.scan.merge import Batch, Columns, merge
from tickreel.scan.plan import Stream
from tickreel.scan.read import open_slice
from tickreel.simulate.records import Rows
from tickreel.store.catalog import Store

CHANGES = "incremental_book_L2"
_COLUMNS = ("local_ns", "is_snapshot", "side", "price", "amount")
_NOTHING = np.empty(0)


def price_scale(store: Store, changes: Stream) -> int:
    """Return k: all prices of a stream of changes are integers x 10^-k. Raises InputError if there is no such k."""
    scale = 0
    for part in changes.slices:
        segment = open_slice(store, part)
        found = segment.footer.chunks["scale"][:, segment.record.names.index("price")]
        scale = max(scale, int(found.max(initial=0)))
        if scale == FLOAT_BITS:
            raise InputError(
                f"{segment.path}: its prices have too many digits for an order book; look at them with tickreel show"
            )
    return scale


def events(
    store: Store,
    trades: Stream,
    changes: Stream,
    fields: frozenset[str],
    scale: int,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> Iterator[tuple[Rows, BookRows]]:
    """Yield trades and changes, batch by batch; no batch has rows of an earlier time than the one before.

    fields  of a trade that are read beside time and price; the others are zeros
    """
    names = ("local_ns", "price", *(name for name in ("amount", "side", "exchange_ns") if name in fields))
    columns = {"trades": names, CHANGES: _COLUMNS}
    for batch in merge(store, [trades, changes], columns, from_ns=from_ns, to_ns=to_ns):
        yield trade_rows(_of(batch, "trades")), _book_rows(_of(batch, CHANGES), scale, changes.name)


def trade_rows(columns: Columns) -> Rows:
    """Return some trades as the engine wants them, with zeros for columns that were not read."""
    count = len(columns.get("local_ns", _NOTHING))
    return Rows(
        columns.get("price", np.zeros(count)),
        columns.get("amount", np.zeros(count)),
        columns.get("side", np.zeros(count, np.uint8)),
        columns.get("exchange_ns", np.zeros(count, np.int64)),
        columns.get("local_ns", np.zeros(count, np.int64)),
    )


def _of(batch: Batch, type: str) -> Columns:
    (place,) = [k for k, stream in enumerate(batch.streams) if stream.type == type]
    return batch.columns[place]


def _book_rows(columns: Columns, scale: int, name: str) -> BookRows:
    price = columns["price"]
    empty = np.isnan(price)
    ticks = np.rint(np.where(empty, 0.0, price) * POWERS[scale]).astype(np.int64)
    if not (empty | (ticks / POWERS[scale] == price)).all():
        raise InputError(f"{name}: prices of its order book have more digits than a float64 holds")
    local_ns, snapshot, side, amount = (columns[n] for n in _COLUMNS if n != "price")
    return BookRows(local_ns, snapshot, side, np.where(empty, NULL, ticks), amount)
