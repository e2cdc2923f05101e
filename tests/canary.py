"""The key of the tests is a canary: nothing that tickreel prints, logs, writes or starts may hold it.

It lies in the environment of every test, as a user's key does, and `watch` looks on from the first test to the last.
The keys of single tests bear the same mark.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from provider_server import KEY

MARK = "canary-"
ENVIRONMENT = {"TARDIS_API_KEY": KEY, "HOLYSHEEP_API_KEY": KEY}

assert MARK in KEY


def hold(where: str, *told: object) -> None:
    """Fail if the mark is in what was told, text or bytes."""
    for one in told:
        text = one.decode(errors="replace") if isinstance(one, bytes) else str(one)
        if MARK in text:
            raise AssertionError(f"a key is in {where}: {text.replace(MARK, '[here]')[:2_000]}")


def files_with_key(root: Path) -> list[str]:
    """Return the files and folders under `root` that have the mark in their name or bytes."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [os.path.join(folder, name) for name in folders + files if MARK in name]
        for name in files:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                found += [str(path)] if _has_mark(path) else []
    return found


def _has_mark(path: Path) -> bool:
    """Look at what a file holds, piece by piece; holes, of which some tests make many GB, are left out."""
    with open(path, "rb", buffering=0) as file:
        at, before = 0, b""
        while True:
            try:
                found = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # there is none from here on
                return False
            before = before if found == at else b""
            piece = file.read(1 << 22)
            if MARK.encode() in before + piece:
                return True
            at, before = found + len(piece), piece[-len(MARK) :]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Fail a test if what it printed or logged, and nobody took, holds the mark."""
    report = yield
    for name, text in report.sections:
        if report.passed and MARK in text:
            report.outcome, report.longrepr = (
                "failed",
                f"a key is in {name}: {text.replace(MARK, '[here]')[:2_000]}",
            )
    return report


@contextmanager
def watch() -> Iterator[None]:
    """Hold every output that a test takes for itself, and every command line, from now on."""
    outputs, answers = pytest.CaptureFixture.readouterr, subprocess.Popen.communicate
    watching = True

    def readouterr(fixture: pytest.CaptureFixture) -> Any:
        taken = outputs(fixture)
        hold("an output", *taken)
        return taken

    def communicate(process: subprocess.Popen, *words: Any, **named: Any) -> Any:
        taken = answers(process, *words, **named)
        hold("the output of a process", *taken)
        return taken

    def audit(event: str, about: tuple) -> None:
        if watching and event == "subprocess.Popen":
            hold("a command line", *about[1])

    sys.addaudithook(audit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
        patch.setattr(subprocess.Popen, "communicate", communicate)
        for name, key in ENVIRONMENT.items():
            patch.setenv(name, key)
        yield
    watching = False
