"""The slow twin of the books room: dictionaries, one row after the other, by the rules of docs/BOOKS.md."""

from collections.abc import Iterable
from typing import NamedTuple


class L2(NamedTuple):
    """A row: price None or amount None where the cell is empty; prices are decimal text or numbers alike."""

    local_ns: int
    is_snapshot: bool
    side: str
    price: float | None
    amount: float | None


class TwinBook:
    """Both sides as {price: amount}; None for both before the first snapshot."""

    def __init__(self, *, uncross: bool = False) -> None:
        self.uncross = uncross
        self.sides: dict[str, dict[float, float]] | None = None
        self.last_ns = self.snapshot_ns = 0

    def play(self, rows: Iterable[L2], until_ns: int | None = None) -> "TwinBook":
        """Apply all messages of local time `until_ns` or before."""
        taken = [row for row in rows if until_ns is None or row.local_ns <= until_ns]
        for number, row in enumerate(taken):
            before = taken[number - 1] if number else None
            if row.is_snapshot and not (before and before.is_snapshot and before.local_ns == row.local_ns):
                self.sides = {"bid": {}, "ask": {}}
                self.snapshot_ns = row.local_ns
                self.message_asks: set[float] = set()
            if before is None or before.local_ns != row.local_ns:
                self.message_asks = set()
            self.last_ns = row.local_ns
            if self.sides is not None and row.price is not None and row.amount is not None:
                if row.amount == 0:
                    self.sides[row.side].pop(row.price, None)
                else:
                    self.sides[row.side][row.price] = row.amount
                if row.side == "ask":
                    self.message_asks.add(row.price)
            last = number + 1 == len(taken) or taken[number + 1].local_ns != row.local_ns
            if last and self.uncross and self.sides is not None:
                self._drop_crossed(self.sides["bid"], self.sides["ask"])
        return self

    def _drop_crossed(self, bids: dict[float, float], asks: dict[float, float]) -> None:
        newer = bool(asks) and min(asks) in self.message_asks
        while bids and asks and max(bids) >= min(asks):
            if newer:
                del bids[max(bids)]
            else:
                del asks[min(asks)]

    def bids(self) -> list[tuple[float, float]]:
        assert self.sides is not None
        return sorted(self.sides["bid"].items(), reverse=True)

    def asks(self) -> list[tuple[float, float]]:
        assert self.sides is not None
        return sorted(self.sides["ask"].items())
