"""Ctrl-C ends a command within a second while it waits for a name, a connection, an answer, or as it was asked to."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from import_forks import ENVIRONMENT

WITHIN_S = 1.0
DAY = ("--from", "2024-01-01", "--to", "2024-01-02")
TRADES = ("--exchange", "binance", "--symbols", "BTCUSDT")
COMMANDS = {
    "download": ("download", *TRADES, *DAY, "--workers", "1"),
    "download of a machine": ("download", "--provider", "tardis-machine", *TRADES, *DAY, "--workers", "1"),
    "download of a relay": ("download", "--provider", "holysheep", *TRADES, *DAY, "--workers", "1"),
    "raw": (
        "raw", "--exchange", "binance", "--channels", "trade", "--cache", "cache", "--from", "2024-01-01",
        "--to", "2024-01-01T00:09",
    ),
    "provider test": ("provider", "test", "tardis"),
    "record": ("record", "--provider", "tardis-machine", *TRADES),
}  # fmt: skip
HANGS = ("name", "connection", "beginning", "middle", "pause")
ANSWERS = {
    "middle": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n[1,",
    "pause": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 250\r\nContent-Length: 0\r\n\r\n",
}
IN_CHECK = {("download", "beginning"), ("raw", "pause"), ("record", "name")}
MATRIX = [
    pytest.param(command, hang, id=f"{command}, {hang}", marks=() if (command, hang) in IN_CHECK else pytest.mark.long)
    for command in COMMANDS
    for hang in HANGS
]  # fmt: skip

STARTS = """
import socket, sys, time
from tickreel.cli import main

def hang(*name, **kind):
    print("hangs", flush=True)
    time.sleep(60)

if sys.argv.pop(1) == "name":
    socket.getaddrinfo = hang
main()
"""
IDLE = """
import sys, time
try:
    print("hangs", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


class Hanging:
    """A server that stops at a moment. hung: set once it has."""

    def __init__(self, hang: str) -> None:
        self.hung = threading.Event()
        self._hang, self._closed = hang, False
        self._held: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0 if hang == "connection" else 50)
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(
            target=self._fill if hang == "connection" else self._serve, daemon=True
        )
        self._thread.start()

    def _fill(self) -> None:
        """Take all room for connections: who asks for another one is not answered."""
        for _ in range(4):
            one = socket.socket()
            self._held.append(one)
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(self._listening.getsockname())
        ours = {one.getsockname()[1] for one in self._held}
        while not self._closed and self._asking() <= ours:
            time.sleep(0.01)
        self.hung.set()

    def _asking(self) -> set[int]:
        """Return the ports from which a connection to the server is asked for, and not answered."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        asking = [line for line in lines if line[2].endswith(f":{self.port:04X}") and line[3] == "02"]
        return {int(line[1].partition(":")[2], 16) for line in asking}

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listening.accept()
                self._held.append(one)
                one.recv(1 << 16)
                one.sendall(ANSWERS.get(self._hang, b""))
                self.hung.set()

    def close(self) -> None:
        self._closed = True
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for one in (self._listening, *self._held):
            one.close()


@contextlib.contextmanager
def started(*words: str, folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", *words], env=ENVIRONMENT | environment, cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def hung_in_time(server: Hanging) -> None:
    assert server.hung.wait(30)


def says_hangs(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"


def interrupted_s(process: subprocess.Popen[str]) -> float:
    """Send Ctrl-C; return how long it took to end."""
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    process.wait(30)
    return time.monotonic() - begun


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks for connections in /proc")
@pytest.mark.parametrize(("command", "hang"), MATRIX)
def test_ctrl_c_ends_a_command_whose_network_hangs(command: str, hang: str, tmp_path: Path) -> None:
    with contextlib.closing(Hanging(hang)) as server:
        interrupt(server, command, hang, tmp_path)


def interrupt(server: Hanging, command: str, hang: str, tmp_path: Path) -> None:
    url = f"http://{'localhost' if hang == 'name' else '127.0.0.1'}:{server.port}/v1"
    environment = {f"{name}_BASE_URL": url for name in ("TARDIS", "TARDIS_MACHINE", "HOLYSHEEP")}
    environment |= {"TICKREEL_CONFIG": str(profiles(tmp_path, server.port, hang)), "HOLYSHEEP_API_KEY": "x"}
    hung: Callable[[subprocess.Popen[str]], object] = (
        says_hangs if hang == "name" else lambda process: hung_in_time(server)
    )
    with started(STARTS, hang, *COMMANDS[command], folder=tmp_path, **environment) as process:
        hung(process)
        time.sleep(0.1)
        # What this machine is busy with delays a Python that does nothing, too.
        with started(IDLE, folder=tmp_path) as idle:
            says_hangs(idle)
            time.sleep(0.1)  # not amid its printing
            allowed_s = WITHIN_S + 4 * interrupted_s(idle)
        assert interrupted_s(process) < allowed_s
        said = process.communicate()[1]
    # A recording ends as it is asked to; it has failed where an error was all that came.
    assert process.returncode in ((0, 4) if command == "record" else (130,)), said
    assert "Traceback" not in said


def profiles(folder: Path, port: int, hang: str) -> Path:
    """Write profiles whose streams are at the server, too."""
    host = "localhost" if hang == "name" else "127.0.0.1"
    path = folder / "providers.toml"
    path.write_text(f'[tardis-machine.stream]\nurl = "ws://{host}:{port}/v1"\n')
    return path
