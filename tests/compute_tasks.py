"""What the tests of compute let workers do."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from tickreel.errors import InputError


class OwnError(InputError):
    """A class that tickreel.errors does not know, under one that it does."""


class UsageError(Exception):
    """Has the name of one of tickreel's errors and is none."""


def echo(arguments, progress):
    return arguments


def square(arguments, progress):
    return arguments["n"] ** 2


def digest(arguments, progress):
    """A value that depends on every argument, after a time that depends on them too."""
    time.sleep((arguments["n"] * 7 % 5) / 2_000)
    total = 0.0
    for k in range(200):
        total += (arguments["n"] + 0.1) ** 0.5 / (k + 1)
    return {"sum": total, "parts": [total / 3, str(total), (1, 2)]}


def loaded(arguments, progress):
    return {"pid": os.getpid(), "there": arguments["name"] in sys.modules}


def fail(arguments, progress):
    return 1 / arguments["zero"]


def fail_input(arguments, progress):
    raise InputError("rows.csv, line 3:\n  price is 'x'\n         ^")


def fail_own(arguments, progress):
    raise OwnError("mine")


def fail_namesake(arguments, progress):
    raise UsageError("not tickreel's")


def fail_surrogate(arguments, progress):
    raise ValueError("file \udc80" + "é" * 300_000)


def leave(arguments, progress):
    sys.exit("enough")


def large(arguments, progress):
    return "x" * arguments["count"]


def not_plain(arguments, progress):
    return {"rows": [1, {2, 3}]}


def speak(arguments, progress):
    print("printed by a task")
    os.write(1, b"written by a task\n")


def about(arguments, progress):
    return {
        "pid": os.getpid(),
        "numba_threads": os.environ.get("NUMBA_NUM_THREADS"),
        "numba": "numba" in sys.modules,
        "cwd": os.getcwd(),
        "sigint": [
            signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
            list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        ],
    }


def note(arguments, progress):
    """Append a line to a file, then sleep."""
    with open(arguments["file"], "a") as file:
        file.write(f"{arguments.get('line', os.getpid())}\n")
    time.sleep(arguments.get("seconds", 0))


def report(arguments, progress):
    progress(pid=os.getpid(), done=0.5)
    time.sleep(arguments.get("seconds", 0))
    return "done"


def report_often(arguments, progress):
    end = time.monotonic() + arguments["seconds"]
    while time.monotonic() < end:
        progress(left=end - time.monotonic())


def die(arguments, progress):
    print("last words")
    os.kill(os.getpid(), arguments["signal"])


def die_once(arguments, progress):
    mark = Path(arguments["file"])
    if not mark.exists():
        mark.write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return "second time"


def segfault(arguments, progress):
    ctypes.string_at(0)


def exit_at_once(arguments, progress):
    os._exit(3)


def die_with_heir(arguments, progress):
    """Die while a child still holds the pipes, so that their end is not seen."""
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
    os._exit(5)


def close_pipes(arguments, progress):
    os.closerange(3, 256)
    time.sleep(60)


def write_anywhere(arguments, progress):
    """Write to every open descriptor, as a broken library might."""
    for fd in range(3, 32):
        with suppress(OSError):
            os.write(fd, b"\xff" * 64)
    time.sleep(60)


def stop(arguments, progress):
    os.kill(os.getpid(), signal.SIGSTOP)


def spin(arguments, progress):
    _tell_pid(arguments)
    while True:
        pass


def hold_lock(arguments, progress):
    """Sit in a foreign call that keeps the interpreter's lock: no thread of this process gets a turn."""
    _tell_pid(arguments)
    ctypes.PyDLL(None).sleep(60)


def sleep_foreign(arguments, progress):
    """Sit in a foreign call that lets go of the interpreter's lock, as machine code does."""
    _tell_pid(arguments)
    ctypes.CDLL(None).sleep(60)


def spin_deaf(arguments, progress):
    """Spin without the signal by which the kernel tells that the parent is gone."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    spin(arguments, progress)


def chatter_on(arguments, progress):
    """Leave a thread behind that goes on reporting."""

    def chatter():
        while True:
            progress(stray=1)
            time.sleep(0.01)

    threading.Thread(target=chatter, daemon=True).start()
    return "left"


def run_child(arguments, progress):
    return subprocess.check_output([sys.executable, "-c", "print(6 * 7)"], text=True)


def _tell_pid(arguments):
    with open(arguments["file"], "a") as file:
        file.write(f"{os.getpid()}\n")
