"""What the second core is worth at this moment: a pure arithmetic loop alone, and two at once."""

import subprocess
import sys
import time
from statistics import median

from bench.child import ROOT

_STEPS = 3_000_000


def second_core(rounds: int) -> float:
    """Return the work done by two loops at once per time of one alone: 2 on two idle cores."""
    alone, both = [], []
    for _ in range(rounds):
        alone.append(max(_loops(1)))
        both.append(max(_loops(2)))
    return 2 * median(alone) / median(both)


def _loops(count: int) -> list[float]:
    """Run so many loops at the same time; return the seconds that each took."""
    words = [sys.executable, "-m", "bench.arithmetic"]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(words, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) for _ in range(count)]
    for process in started:
        assert process.stdout
        process.stdout.readline()  # ready
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in started]


def main() -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    value = 1
    for _ in range(_STEPS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
