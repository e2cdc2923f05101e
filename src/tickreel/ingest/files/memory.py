"""How many workers an amount of memory is enough for, whatever the size of the files."""

from tickreel.compute import usable_cores
from tickreel.errors import UsageError
from tickreel.units import human_bytes

BASE_BYTES = 128 << 20
WORKER_BYTES = 320 << 20
"""What an import takes: this process, and each worker at most (a day of options of 10 GB)."""


def workers_within(memory_bytes: int | None, workers: int | None) -> int:
    """Return how many processes work: those that are asked for, None for one a core, as far as the memory is enough.

    Raises UsageError if it is for none.
    """
    wanted = usable_cores() if workers is None else workers
    if memory_bytes is None:
        return wanted
    fitting = (memory_bytes - BASE_BYTES) // WORKER_BYTES
    if fitting < 1:
        raise UsageError(
            f"--memory-limit {human_bytes(memory_bytes)}: one worker needs {human_bytes(BASE_BYTES + WORKER_BYTES)}"
        )
    return min(wanted, fitting)
