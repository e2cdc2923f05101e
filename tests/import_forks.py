"""A process with everything loaded that forks command lines: a start costs milliseconds instead of a second.

    python import_forks.py      orders on stdin, answers on stdout, one JSON document a line

    {"words": [...], "output": path, "acks": path, "gate": fifo or null}  ->  {"pid": ...}
    {"wait": pid}                                                       ->  {"status": ...} (as os.waitpid gives it)
    {"warm": [...], "environment": {...}}   runs a command line here and keeps the variables  ->  {}

With AHEAD_NS in its environment the clock of a recorder is so much ahead. The child leads a group of its own, writes what it prints to `output`, and the path of every file that the import
reports done to `acks`, with a call that nothing else uses (writev). It waits at the gate before it begins.
"""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import tickreel
from import_sample import dataset, put, trade, trades

CHILD_FAILED, INTERRUPTED_OUTSIDE = 70, 71
SOURCE = str(Path(tickreel.__file__).parents[1])
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")])}


def child(order: dict[str, Any]) -> None:
    from tickreel.cli import importing
    from tickreel.cli.app import run

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    acks = os.open(order["acks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    told = importing.ImportProgress.progress

    def progress(self: importing.ImportProgress, path: str, numbers: dict[str, float]) -> None:
        told(self, path, numbers)
        if "done" in numbers:
            os.writev(acks, [path.encode() + b"\n"])

    importing.ImportProgress.progress = progress  # type: ignore[method-assign]
    if ahead_ns := int(os.environ.get("AHEAD_NS", "0")):
        from tickreel.ingest.record import feed

        clock = partial(feed.Clock, lambda: time.time_ns() + ahead_ns)
        feed.Clock = clock  # type: ignore[assignment,misc]
    if order["gate"]:
        os.read(os.open(order["gate"], os.O_RDWR), 1)
    code = run(order["words"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def warm(words: list[str]) -> None:
    """Run a command line here, so that children find its modules and kernels loaded."""
    from tickreel.cli.app import run

    assert run(words) == 0


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = {"status": os.waitpid(order["wait"], 0)[1]}
        elif "warm" in order:
            os.environ.update(order["environment"])
            warm(order["warm"])
            answer = {}
        else:
            pid = os.fork()
            if pid == 0:
                try:
                    child(order)
                except KeyboardInterrupt:
                    # The command takes those that come while it runs.
                    os._exit(INTERRUPTED_OUTSIDE)
                finally:
                    os._exit(CHILD_FAILED)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


class Forks:
    """That process as a test sees it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT | environment,
        )  # fmt: skip
        os.mkfifo(folder / "gate")
        self._gate = os.open(folder / "gate", os.O_RDWR)
        data = folder / "warm"
        put(dataset(data), trades(*[trade(9 - n, symbol=f"S{n % 2}") for n in range(9)], trade(1, price=0)))
        put(dataset(data, symbol="S0"), trades(trade(50, symbol="S0", price="1e-22")))
        self.warm(["import", str(data), "--store", str(folder / "warmed"), "--workers", "1", "--quiet"])

    def warm(self, words: list[str], **environment: str) -> None:
        """Run a command line there, so that later ones find its modules loaded, and these variables set."""
        self._ask(warm=words, environment=environment)

    def _ask(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, words: list[str], *, gate: bool = False) -> int:
        """Start a command line in a group of its own; return its process id."""
        self.output = self._folder / "output"
        self.acks_file = self._folder / "acks"
        self.acks_file.unlink(missing_ok=True)
        place = str(self._folder / "gate") if gate else None
        return self._ask(words=words, output=str(self.output), acks=str(self.acks_file), gate=place)["pid"]

    def open_gate(self) -> None:
        os.write(self._gate, b"x")

    def wait(self, pid: int) -> int:
        """Return the exit code, negative for a signal. Until this is called the process id stays taken."""
        return os.waitstatus_to_exitcode(self._ask(wait=pid)["status"])

    def run(self, words: list[str]) -> int:
        return self.wait(self.start(words))

    def acks(self) -> list[str]:
        """Return the files that were reported done, in that order."""
        return self.acks_file.read_text().splitlines() if self.acks_file.exists() else []

    def said(self) -> str:
        return self.output.read_text()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        os.close(self._gate)


if __name__ == "__main__":
    main()
