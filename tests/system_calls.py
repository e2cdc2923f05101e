"""System calls of a forked command line: traced, made to fail or to kill by strace, or failing on a small disk."""

import contextlib
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from import_forks import Forks


def kind(line: str) -> str:
    """Return what a call is about, numbers left out: ".reel", "rejects.csv", "" for folders."""
    path = (re.findall(r'"([^"]*)"', line) if "openat" in line else re.findall(r'[<"]([^>"]*)[>"]', line))[0]
    name = re.sub(r"[0-9-]+", "", path.rpartition("/")[2])
    return name if "." in name else ""


def traced(
    forks: Forks, command: list[str], log: Path, calls: str, inject: str = "", *, about: str = ""
) -> int:
    """Run a command line under strace; return its exit code. Skips the test where strace cannot be used.

    about  a path: only calls about it are traced, counted, and made to fail
    """
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: no system call can be made to fail or to kill")
    pid = forks.start(command, gate=True)
    words = [strace, "-f", "-p", str(pid), "-o", str(log), "-y", "-e", f"trace={calls}", "-e", "signal=none"]
    words += (["-e", f"inject={inject}"] if inject else []) + (["-P", about] if about else [])
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    status = Path(f"/proc/{pid}/status")
    wait_until(lambda: "TracerPid:\t0\n" not in status.read_text() or tracer.poll() is not None)
    refused = tracer.poll() is not None
    forks.open_gate()
    code = forks.wait(pid)
    _, said = tracer.communicate(timeout=60)
    if refused:
        pytest.skip(f"strace may not trace here: {said.strip()}")
    return code


def some(kinds: list[str], share: int, chance: random.Random) -> list[int]:
    """Return one in `share` of the numbers of calls, others from run to run, and one of every kind."""
    numbers = range(1, len(kinds) + 1)
    chosen = set(chance.sample(numbers, -(-len(kinds) // share)))
    chosen |= {chance.choice([n for n in numbers if kinds[n - 1] == kind]) for kind in sorted(set(kinds))}
    return sorted(chosen)


def check_disk_error(code: int, said: str, failure: str, where: str) -> None:
    assert code == 5, f"{where}: {said}"
    assert "Traceback" not in said, where
    assert said.count("error: ") == 1, said
    assert str(os.sep) in said, f"{where}: names no file: {said}"
    step = {
        "error=EIO": "the disk failed: check it before you write to it again",
        "error=ENOSPC": "make room and run the same command again",
        "error=EMFILE": "raise the limit of open files",
        "retval=0": "make room",
    }[failure]
    assert step in said, f"{where}: {said}"


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.002)


@contextlib.contextmanager
def mounted(disk: Path) -> Iterator[None]:
    """Mount a disk of one megabyte; skip where that is not permitted."""
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(disk)], check=True)
