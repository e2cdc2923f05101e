"""How times, durations and shares are worded, on every page and in every terminal."""

from tickreel.units import NS_PER_DAY, NS_PER_MS, NS_PER_S, format_time


def spoken_ns(ns: int | float) -> str:
    """Return a duration for people, to four digits: 314.7 s, 134 ms, 5.25 h."""
    size = abs(ns)
    for unit, below, scale in (
        ("us", NS_PER_MS, 1_000), ("ms", NS_PER_S, NS_PER_MS), ("s", 600 * NS_PER_S, NS_PER_S),
        ("min", 7_200 * NS_PER_S, 60 * NS_PER_S), ("h", 2 * NS_PER_DAY, 3_600 * NS_PER_S),
    ):  # fmt: skip
        if size < below:
            return f"{ns / scale:.4g} {unit}"
    return f"{ns / NS_PER_DAY:.4g} days"


def spoken_time(ns: int) -> str:
    """Return a time UTC for people: 2024-01-01, or with the time of day where it is not midnight."""
    return format_time(ns).removesuffix("T00:00:00Z").replace("T", " ").removesuffix("Z")


def percent(count: float, whole: float) -> str:
    """Return a share as text that says 100 % or 0 % only where it is exactly that."""
    share = 100 * count / whole
    if 99.95 <= share < 100:
        return "over 99.9 %"
    return "under 0.01 %" if 0 < share < 0.01 else f"{share:.3g} %"
