"""What is known to be missing of some segments, and no history has filled."""

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from tickreel.store.format import Gap, Part

MOST_GAPS = 4_000


class Missed(msgspec.Struct, frozen=True):
    """What a source lacks of some symbols; symbols: none stands for all that are not named elsewhere."""

    symbols: list[str]
    gaps: list[Gap]


def missed(parts: Iterable[Part]) -> list[tuple[int, int]]:
    """Return the unfilled gaps of some parts as [from, to) in ns, ascending, joined where they touch."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(
        (gap.from_ns, gap.to_ns) for part in parts for gap in part.gaps if not gap.filled
    ):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def few(gaps: list[Gap]) -> list[Gap]:
    """Join neighbours, the nearest first, until a segment's description has room for them."""
    if len(gaps) <= MOST_GAPS:
        return gaps
    between = sorted(after.from_ns - before.to_ns for before, after in pairwise(gaps))
    limit_ns = between[len(gaps) - MOST_GAPS - 1]
    joined = gaps[:1]
    for gap in gaps[1:]:
        if gap.from_ns - joined[-1].to_ns <= limit_ns:
            end_ns = max(gap.to_ns, joined[-1].to_ns)
            joined[-1] = Gap(joined[-1].from_ns, end_ns, "many gaps", joined[-1].filled and gap.filled)
        else:
            joined.append(gap)
    return joined
