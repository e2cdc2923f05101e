"""Which columns of a table a width has room for."""

from collections.abc import Sequence
from typing import Any

GAP = 2
"""Blanks between two columns."""


def fitting(widths: Sequence[int], ranks: Sequence[Any], room: int) -> list[int]:
    """Return the places of the columns that fit, in their order.

    ranks  of each column: the lowest is there at any width, then those that still fit, in the order of ranks
    """
    chosen: list[int] = []
    for place in sorted(range(len(widths)), key=ranks.__getitem__):
        needed = widths[place] + (GAP if chosen else 0)
        if not chosen or needed <= room:
            chosen.append(place)
            room -= needed
    return sorted(chosen)
