"""What recorders know to have missed of some segments, and no history has filled."""

from collections.abc import Iterable

from tickreel.store.format import Part


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
