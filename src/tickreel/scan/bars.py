"""Trades to bars of equal time, streamed: memory does not grow with the trades."""

from collections.abc import Iterable, Iterator

import numpy as np

from tickreel.scan.read import Block
from tickreel.schema import SIDES

BAR = np.dtype(
    [
        ("start_ns", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
        ("buy_volume", "<f8"),
        ("notional", "<f8"),
        ("trades", "<i8"),
    ]
)
"""One bar: [start, start + every) of time, UTC. Volumes are sums of `amount`, in row order;
buy_volume counts trades whose buyer was the aggressor; notional is the sum of price x amount."""

COLUMNS = ("local_ns", "side", "price", "amount")
_BUY = SIDES.index("buy")


def bars(blocks: Iterable[Block], every_ns: int) -> Iterator[np.ndarray]:
    """Yield arrays of BAR for one symbol's trades in order of local time; times without trades have no bar.

    The sums are formed in row order, so that the size of the blocks does not change them.
    """
    from tickreel.scan.bars_kernel import add_trades

    open_bar = np.zeros(1, BAR)
    done = np.empty(0, BAR)
    for block in blocks:
        if len(done) < len(block) + 1:
            done = np.zeros(len(block) + 1, BAR)
        count = add_trades(
            block["local_ns"],
            block["price"],
            block["amount"],
            block["side"] == _BUY,
            every_ns,
            open_bar,
            done,
        )
        if count:
            yield done[:count].copy()
    if open_bar["trades"][0]:
        yield open_bar
