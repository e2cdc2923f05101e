"""One writer at a time, who may die at any moment; any number of readers beside it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import store_processes as processes
import store_sample as sample
from counts import SOAK
from tickreel.errors import DiskError, LockedError, UsageError
from tickreel.store.catalog import LOCK, Store
from tickreel.store.maintain import verify

SOAK_SECONDS = 60 if SOAK else 2
READERS = 2


@contextlib.contextmanager
def process(command: str, root: Path, seconds: float = 0) -> Iterator[subprocess.Popen]:
    """Run a process of store_processes; it is dead when the block is left."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = [sys.executable, processes.__file__, command, str(root), str(seconds)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def ended(running: subprocess.Popen) -> str:
    """Close a process's input and return what it printed last; it must have ended well."""
    out, errors = running.communicate(timeout=SOAK_SECONDS + 60)
    assert running.returncode == 0, errors
    return out.splitlines()[-1]


def test_a_second_writer_is_refused_and_takes_over_after_a_kill(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    with store.writing() as writing:
        processes.replace_part(writing, "b", 7)
    before = store.path(processes.KEY).read_bytes()
    with process("hold", store.root) as holder:
        pid, child = json.loads(holder.stdout.readline())
        assert pid == holder.pid
        for _ in range(3):
            with pytest.raises(LockedError, match=rf"{re.escape(str(store.root))} .* process {pid};"):
                with store.writing():
                    pass
        assert (store.root / ".staging" / "unfinished").exists(), (
            "the refused writer touched the holder's files"
        )
        assert store.open(processes.KEY).rows == 107, "readers need no lock"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        try:
            with store.writing() as writing:
                assert list(writing.staging.iterdir()) == []
                assert (store.root / LOCK).read_text() == f"{os.getpid()}\n"
                processes.replace_part(writing, "a", 8)
        finally:
            os.kill(child, signal.SIGKILL)
    after = store.open(processes.KEY)
    assert [part.source for part in after.meta.parts] == ["a", "b"]
    assert after.rows == 108 + 107
    assert list(verify(after)) == []
    assert before != store.path(processes.KEY).read_bytes()


def test_a_writer_that_ends_or_fails_frees_the_lock(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    with pytest.raises(ZeroDivisionError), store.writing() as writing:
        (writing.staging / "left").write_text("over")
        raise ZeroDivisionError
    with store.writing() as writing:
        assert list(writing.staging.iterdir()) == []
        with pytest.raises(LockedError, match=f"process {os.getpid()};"), Store(store.root).writing():
            pass
    assert not (store.root / ".staging").exists()


def test_a_shorter_process_id_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    store.root.mkdir()
    (store.root / LOCK).write_text("123456789012\n")
    with store.writing(), pytest.raises(LockedError, match=f"process {os.getpid()};"), store.writing():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DiskError, match="right to write"), Store(tmp_path / "tape").writing():
            pass
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "tape").write_text("no folder")
    with pytest.raises(DiskError, match="tape"), Store(tmp_path / "tape").writing():
        pass
    with pytest.raises(UsageError, match="tape is a file"):
        Store.existing(tmp_path / "tape")


def test_readers_beside_a_writer_each_see_one_state(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(process("write", root))
        assert writer.stdout.readline() == "ready\n", writer.stderr.read()
        readers = [stack.enter_context(process("read", root, SOAK_SECONDS)) for _ in range(READERS)]
        seen = [json.loads(ended(reader)) for reader in readers]
        versions = int(ended(writer))
    assert all(reader["scans"] >= 20 and 4 <= reader["states"] <= versions for reader in seen)
    last = Store(root).open(processes.KEY)
    assert {int(part.sha256, 16) for part in last.meta.parts} == {versions, versions - 1}
    assert list(verify(last)) == []
    assert sample.read(last)["price"]
