"""What is known to have been missed of some segments: what no history has filled, and what one filled without local times."""

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
    return joined((gap.from_ns, gap.to_ns) for part in parts for gap in part.gaps if not gap.filled)


def lagged(parts: Iterable[Part]) -> dict[int, list[tuple[int, int]]]:
    """Return the gaps of which history gave rows whose local times are exchange time + a declared delay.

    Delay in ns -> [from, to) in ns, ascending, joined where they touch; the least delay first.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    for gap in (gap for part in parts for gap in part.gaps):
        if gap.lag_ns is not None:
            found.setdefault(gap.lag_ns, []).append((gap.from_ns, gap.to_ns))
    return {lag_ns: joined(found[lag_ns]) for lag_ns in sorted(found)}


class LaggedSum:
    """Counts such gaps over segments."""

    def __init__(self) -> None:
        self._sums: dict[int, tuple[int, int]] = {}

    def add(self, parts: Iterable[Part]) -> None:
        for lag_ns, spans in lagged(parts).items():
            gaps, gaps_ns = self._sums.get(lag_ns, (0, 0))
            lasted_ns = sum(end - start for start, end in spans)
            self._sums[lag_ns] = gaps + len(spans), gaps_ns + lasted_ns

    def documents(self) -> list[dict[str, int]]:
        """Return the sums by declared delay, the least first."""
        return [
            {"lag_ns": lag_ns, "gaps": gaps, "gaps_ns": gaps_ns}
            for lag_ns, (gaps, gaps_ns) in sorted(self._sums.items())
        ]


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans [from, to) ascending, those that touch or overlap as one."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if apart and start <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(apart[-1][1], end)
        else:
            apart.append((start, end))
    return apart


def few(gaps: list[Gap]) -> list[Gap]:
    """Join neighbours, the nearest first, until a segment's description has room for them.

    Of what is joined the greatest declared delay is told, also of what is not all filled.
    """
    if len(gaps) <= MOST_GAPS:
        return gaps
    between = sorted(after.from_ns - before.to_ns for before, after in pairwise(gaps))
    limit_ns = between[len(gaps) - MOST_GAPS - 1]
    joined = gaps[:1]
    for gap in gaps[1:]:
        if gap.from_ns - joined[-1].to_ns <= limit_ns:
            before = joined[-1]
            lags_ns = [one.lag_ns for one in (before, gap) if one.lag_ns is not None]
            end_ns, is_filled = max(gap.to_ns, before.to_ns), before.filled and gap.filled
            joined[-1] = Gap(before.from_ns, end_ns, "many gaps", is_filled, max(lags_ns, default=None))
        else:
            joined.append(gap)
    return joined
