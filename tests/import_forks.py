"""A process with everything loaded that forks command lines: a start costs milliseconds instead of a second.

    python import_forks.py      orders on stdin, answers on stdout, one JSON document a line

    {"words": [...], "output": path, "acks": path, "gate": fifo or null}  ->  {"pid": ...}
    {"wait": pid}                                                       ->  {"status": ...} (as os.waitpid gives it)

The child leads a group of its own, writes what it prints to `output`, and the path of every file that the import
reports done to `acks`, with a call that nothing else uses (writev). It waits at the gate before it begins.
"""

import json
import os
import signal
import sys
from typing import Any

CHILD_FAILED = 70


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
            warm(order["warm"])
            answer = {}
        else:
            pid = os.fork()
            if pid == 0:
                try:
                    child(order)
                finally:
                    os._exit(CHILD_FAILED)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
