"""Which rows of two feeds are partners, slowly and obviously: the twin of quality/compare_kernel."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Row:
    """`number` in its feed, from 0; price and amount as exact decimals, None for an empty cell."""

    number: int
    order_ns: int
    own_ns: int
    exchange_ns: int
    price: Decimal | None
    amount: Decimal | None
    rest: int
    id: int | None = None

    def same(self) -> Any:
        """What rows that are the same have in common."""
        if self.id is not None:
            return self.id
        return (self.exchange_ns, self.price, self.amount, self.rest)


@dataclass(frozen=True)
class Terms:
    window_ns: int
    time_ns: int
    price: Decimal
    amount: Decimal
    late_ns: int
    from_ns: int
    to_ns: int
    has_lag: bool

    @property
    def near(self) -> bool:
        return bool(self.time_ns or self.price or self.amount)


@dataclass
class Found:
    counts: Counter[str] = field(default_factory=Counter)
    missing: list[int] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)


def like(one: Decimal | None, other: Decimal | None, tolerance: Decimal) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance


def differing(one: Row, other: Row, terms: Terms) -> list[str]:
    alike = {
        "time": abs(one.exchange_ns - other.exchange_ns) <= terms.time_ns,
        "price": like(one.price, other.price, terms.price),
        "amount": like(one.amount, other.amount, terms.amount),
        "side": one.rest % 256 == other.rest % 256,
        "fee": one.rest // 256 == other.rest // 256,
    }
    return [name for name, is_alike in alike.items() if not is_alike]


def pairs_of_the_same(a: list[Row], b: list[Row], window_ns: int) -> list[tuple[Row, Row]]:
    """First come, first served among rows that are the same; a row that is too old for the other waits no longer."""
    lists: dict[Any, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((a, b)):
        for row in rows:
            lists[row.same()][side].append(row)
    pairs = []
    for ours, theirs in lists.values():
        i = j = 0
        while i < len(ours) and j < len(theirs):
            apart = theirs[j].order_ns - ours[i].order_ns
            if abs(apart) <= window_ns:
                pairs.append((ours[i], theirs[j]))
            i += apart >= -window_ns
            j += apart <= window_ns
    return pairs


def pairs_of_the_near(a: list[Row], b: list[Row], terms: Terms) -> list[tuple[Row, Row]]:
    """Of rows without an id, in order of time, A's before B's: each with the first that is near enough."""
    left = {0: [row for row in a if row.id is None], 1: [row for row in b if row.id is None]}
    turns = sorted((row.order_ns, side, row.number) for side, rows in left.items() for row in rows)
    pairs: list[tuple[Row, Row]] = []
    for _, side, number in turns:
        row = next((row for row in left[side] if row.number == number), None)
        if row is None:
            continue
        for other in left[1 - side]:
            if abs(other.order_ns - row.order_ns) <= terms.window_ns and not differing(row, other, terms):
                pairs.append((row, other) if side == 0 else (other, row))
                left[side].remove(row)
                left[1 - side].remove(other)
                break
    return pairs


def without(rows: list[Row], pairs: list[tuple[Row, Row]], side: int) -> list[Row]:
    taken = {pair[side].number for pair in pairs}
    return [row for row in rows if row.number not in taken]


def compare(a: list[Row], b: list[Row], terms: Terms) -> Found:
    def counted(row: Row) -> bool:
        return terms.from_ns <= row.own_ns < terms.to_ns

    pairs = pairs_of_the_same(a, b, terms.window_ns)
    if terms.near:
        pairs += pairs_of_the_near(without(a, pairs, 0), without(b, pairs, 1), terms)
    found = Found()
    found.counts["rows_a"] = sum(map(counted, a))
    found.counts["rows_b"] = sum(map(counted, b))
    found.missing = [row.number for row in without(a, pairs, 0) if counted(row)]
    found.extra = [row.number for row in without(b, pairs, 1) if counted(row)]
    found.counts["missing"], found.counts["extra"] = len(found.missing), len(found.extra)
    for one, other in pairs:
        if not counted(one):
            continue
        fields = differing(one, other, terms)
        found.counts["different" if fields else "matched"] += 1
        found.counts.update(fields)
        if terms.has_lag:
            lag = other.own_ns - one.own_ns
            found.lags.append(lag)
            found.counts["late"] += lag > terms.late_ns
    return found
