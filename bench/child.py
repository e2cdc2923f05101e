"""Runs one function in a process of its own, on one core if wanted, so that sections do not disturb each other.

python -m bench.child MODULE:FUNCTION PINNED     arguments on stdin, result on stdout, both JSON
"""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.model import BenchError

ROOT = Path(__file__).resolve().parent.parent
_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_TAIL = 12


def call(target: str, arguments: dict[str, Any], *, pinned: bool = False) -> Any:
    """Return what the function `target` ("bench.x:f") returns for `arguments`; plain data both ways.

    pinned  on one core, with libraries told to use one thread
    Raises BenchError with the end of what the child printed if it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.child", target, "pinned" if pinned else "free"],
        input=json.dumps(arguments), text=True, capture_output=True, cwd=ROOT, check=False,
        env={**os.environ, **dict.fromkeys(_THREADS if pinned else (), "1")},
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"{target}: " + "\n".join(done.stderr.splitlines()[-_TAIL:]))
    return json.loads(done.stdout)


def command(words: list[str]) -> str:
    """Run a command line of this Python to its end; return its output. Raises BenchError if it fails."""
    done = subprocess.run([sys.executable, *words], text=True, capture_output=True, cwd=ROOT, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(words)[:200]}: " + "\n".join(done.stderr.splitlines()[-_TAIL:]))
    return done.stdout


def main() -> None:
    target, how = sys.argv[1:3]
    if how == "pinned" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # Whatever prints goes to stderr: the answer is the only thing on stdout.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, name = target.partition(":")
    with answer:
        json.dump(getattr(import_module(module), name)(json.load(sys.stdin)), answer)


if __name__ == "__main__":
    main()
