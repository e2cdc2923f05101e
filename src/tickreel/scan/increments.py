"""Tick and lot as the trades of a day show them: the greatest common divisor of all prices, of all amounts.

What is found is the increment or a whole multiple of it: every price of a quiet day may lie on a
coarser grid. It is for people to see; nothing that changes money rests on it.
"""

from decimal import Decimal
from math import gcd

import numpy as np

from tickreel.codecs.decimals import FLOAT_BITS
from tickreel.instruments import Fact
from tickreel.scan.plan import Question, Stream, plan
from tickreel.scan.read import StreamReader
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, day_start

_COLUMNS = {"tick": "price", "lot": "amount"}


def derived_facts(
    store: Store, exchange: str, symbol: str, *, day: str, feed: str | None = None
) -> list[Fact]:
    """Return the facts "tick" and "lot" from the stored trades of a UTC day, block after block.

    They hold for that day. One is left out if there are no trades, or if a number is no decimal of
    up to 15 digits. Raises UsageError if the store has no such symbol on that day.
    """
    start = day_start(day)
    question = Question("trades", feed, exchange, (symbol,), start, start + NS_PER_DAY)
    (stream,) = plan(store, question)
    facts = []
    for name, column in _COLUMNS.items():
        step, rows = increment(store, stream, column, start)
        if step is not None:
            source = f"derived from {rows:,} trades of {day}: this or a whole fraction of it"
            facts.append(Fact(name, step, source, start, start + NS_PER_DAY))
    return facts


def increment(store: Store, stream: Stream, column: str, start: int) -> tuple[Decimal | None, int]:
    """Return (greatest common divisor of a column over the day from `start`, rows); None if there is none."""
    step, scale, rows = 0, 0, 0
    for piece in StreamReader(store, stream, from_ns=start, to_ns=start + NS_PER_DAY).pieces():
        integers, digits = piece.segment.integers(column, piece.block)
        if digits == FLOAT_BITS:
            return None, rows
        values = integers[piece.rows]
        rows += len(values)
        if digits == scale and step and not (values % step).any():
            continue  # the usual case: nothing finer in this block
        finest = max(scale, digits)
        block = int(np.gcd.reduce(values)) * 10 ** (finest - digits)
        step, scale = gcd(step * 10 ** (finest - scale), block), finest
    return (Decimal(f"{step}e-{scale}") if step else None), rows
