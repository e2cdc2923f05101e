"""Takes times in turn, A B A B, so that what disturbs the machine disturbs all of them."""

import resource
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple


class Seconds(NamedTuple):
    """Medians over the rounds. cpu: of this process with its threads and ended children."""

    cpu: float
    wall: float


def alternate(rounds: int, calls: Mapping[str, Callable[[], object]]) -> dict[str, Seconds]:
    """Call each once untimed, then all in turn `rounds` times; return the medians by name."""
    for function in calls.values():
        function()
    taken: dict[str, list[Seconds]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, function in calls.items():
            cpu, wall = _cpu_seconds(), time.perf_counter()
            function()
            taken[name].append(Seconds(_cpu_seconds() - cpu, time.perf_counter() - wall))
    return {
        name: Seconds(median(one.cpu for one in found), median(one.wall for one in found))
        for name, found in taken.items()
    }


def _cpu_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime
