"""An import that is killed, interrupted or out of room at any moment: nothing lost, nothing half done, resumable.

Kills and errors at one system call are made by strace; where that is missing the tests are skipped and say so.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import store_sample as sample
from counts import SOAK
from import_forks import ENVIRONMENT, INTERRUPTED_OUTSIDE, Forks
from import_sample import DAY_US, contents, dataset, fast_folder, put, take, trade, trades
from system_calls import check_disk_error, kind, mounted, some, traced, wait_until
from tickreel.ingest.files.check import check_store
from tickreel.ingest.files.run import Run
from tickreel.schema import RECORD_TYPES
from tickreel.store import disk
from tickreel.store.catalog import Store

SEED = int(os.environ.get("TICKREEL_SEED", "1"))
KILLS = 200 if SOAK else 20
KILLS_OF_WORKERS = 20 if SOAK else 1
INTERRUPTS = 50 if SOAK else 3
ATTEMPTS = 5
"""How often an import is begun to interrupt it: a busy machine may have ended it before the signal comes."""
KILLED_SHARE, FAILED_SHARE = (1, 1) if SOAK else (10, 40)
"""One in how many system calls is killed, or made to fail."""

pytestmark = pytest.mark.long
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


@pytest.fixture(scope="module")
def forks(folder: Path) -> Iterator[Forks]:
    made = Forks(folder)
    yield made
    made.close()


@dataclass(frozen=True)
class Many:
    """A folder of small files with all that rows can be, and what a quiet import makes of it."""

    data: Path
    wanted: dict[str, str]
    seconds: float


@pytest.fixture(scope="module")
def many(folder: Path, forks: Forks) -> Many:
    chance, data = random.Random(5), folder / "many"
    for number in range(30):
        symbol, day = f"S{number % 10}", number // 10
        lines = [
            trade(day * DAY_US + us, symbol=symbol, id=chance.choice([us, "", 7]), price=chance.choice([1, 0.5, "x", "1e-9"]))
            for us in range(200)
        ]  # fmt: skip
        if number % 5 == 0:
            chance.shuffle(lines)
        put(dataset(data, f"2024-01-{day + 1:02}", symbol), trades(*lines))
    put(dataset(data, symbol="OPTIONS"), trades(*[trade(us, symbol=f"O{us % 9}") for us in range(300)]))
    began = time.monotonic()
    assert forks.run(import_words(data, folder / "quiet")) == 0
    seconds = time.monotonic() - began
    wanted = contents(folder / "quiet")
    assert len([name for name in wanted if name.endswith(".reel")]) == 31
    return Many(data, wanted, seconds)


def import_words(data: Path, store: Path, workers: int = 1) -> list[str]:
    return ["import", str(data), "--store", str(store), "--workers", str(workers), "--quiet"]


def problems(root: Path) -> list[str]:
    """Return what `check` finds; a store that has no segment yet is in order."""
    store = Store(root)
    return check_store(store, list(store.find()), workers=1)["problems"]


def check_partly_done(root: Path, wanted: dict[str, str], acks: list[str]) -> None:
    """Whatever is there is whole and final, and what was reported done is there."""
    found = contents(root)
    assert found.items() <= wanted.items()
    assert problems(root) == []
    if acks:
        assert Store.existing(root).primary() == "tardis"
    for path in acks:
        exchange, type, year, month, day, file = Path(path).parts[-6:]
        assert f"tardis/{type}/{exchange}/{file.removesuffix('.csv.gz')}/{year}-{month}-{day}.reel" in found


# kill -9 at random moments


def test_killed_again_and_again_it_ends_with_the_bytes_of_a_quiet_import(
    folder: Path, forks: Forks, many: Many
) -> None:
    print(f"TICKREEL_SEED={SEED}")
    chance = random.Random(SEED)
    kills = rounds = 0
    while kills < KILLS or rounds == 0:
        root = folder / f"killed{rounds}"
        code = None
        acks: list[str] = []
        while code != 0:
            pid = forks.start(import_words(many.data, root))
            if kills < KILLS:
                time.sleep(chance.uniform(0, many.seconds / 2))
                os.kill(pid, signal.SIGKILL)
            code = forks.wait(pid)
            acks += forks.acks()
            assert code in (0, -signal.SIGKILL), forks.said()
            kills += code != 0
            check_partly_done(root, many.wanted, acks)
        assert contents(root) == many.wanted
        shutil.rmtree(root)
        rounds += 1


@needs_proc
def test_killed_with_its_workers_at_work_it_leaves_no_process_and_resumes(
    folder: Path, forks: Forks, many: Many
) -> None:
    print(f"TICKREEL_SEED={SEED}")
    chance = random.Random(SEED)

    def kill(leader: int) -> None:
        time.sleep(chance.uniform(0, 0.1))
        os.kill(leader, signal.SIGKILL)

    for number in range(KILLS_OF_WORKERS):
        root = folder / f"workers{number}"
        code, said = disturbed(forks, many, root, kill)
        assert code in (0, -signal.SIGKILL), said
        check_partly_done(root, many.wanted, forks.acks())
        assert forks.run(import_words(many.data, root)) == 0
        assert contents(root) == many.wanted


@needs_proc
def test_a_worker_that_is_killed_costs_no_row(folder: Path, forks: Forks, many: Many) -> None:
    """Its file is staged once more, over what the first attempt left."""

    def kill_a_worker(leader: int) -> None:
        for worker in sorted(set(group(leader)) - {leader})[:1]:
            os.kill(worker, signal.SIGKILL)

    root = folder / "one-worker-less"
    assert disturbed(forks, many, root, kill_a_worker) == (0, "")
    assert contents(root) == many.wanted


def disturbed(forks: Forks, many: Many, root: Path, disturb: Callable[[int], None]) -> tuple[int, str]:
    """Do something to an import with two workers that has begun to publish; return its exit code and what it said."""
    leader = forks.start(import_words(many.data, root, workers=2))
    wait_until(lambda: any(root.rglob("*.reel")) or leader not in group(leader))
    disturb(leader)
    code = forks.wait(leader)
    wait_until(lambda: not group(leader), seconds=5)
    left = group(leader)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
    return code, forks.said()


# Ctrl-C


@needs_proc
def test_ctrl_c_ends_all_processes_with_130_and_the_rerun_completes(
    folder: Path, forks: Forks, many: Many
) -> None:
    def interrupt(leader: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # the import may be over before the signal comes
            os.killpg(leader, signal.SIGINT)

    root = folder / "interrupted"
    for _ in range(ATTEMPTS):
        shutil.rmtree(root, ignore_errors=True)
        code, said = disturbed(forks, many, root, interrupt)
        if code not in (0, INTERRUPTED_OUTSIDE):
            break
    assert code == 130, said
    assert "run the same command again" in said
    assert "Traceback" not in said
    check_partly_done(root, many.wanted, forks.acks())
    assert forks.run(import_words(many.data, root)) == 0
    assert contents(root) == many.wanted


def test_the_command_itself_interrupted(folder: Path, forks: Forks, many: Many) -> None:
    """As from a shell: a new Python, and the signal goes to the whole group."""
    root = folder / "interrupted-command"
    for _ in range(ATTEMPTS):
        shutil.rmtree(root, ignore_errors=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "tickreel", *import_words(many.data, root)],
            env=ENVIRONMENT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_until(lambda: any(root.rglob("*.reel")) or process.poll() is not None)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert process.returncode == 130, said
    assert "Traceback" not in said
    check_partly_done(root, many.wanted, [])
    assert forks.run(import_words(many.data, root)) == 0
    assert contents(root) == many.wanted


def written_segment(place: Path) -> None:
    record = RECORD_TYPES["trades"]
    sample.write(place / "x.reel", record, sample.random_cells(record, 5, 1))


def spilled_run(place: Path) -> None:
    with contextlib.closing(Run(place / "x.run")) as run:
        run.close()


def opened_beneath(place: Path) -> None:
    (place / "a").mkdir()
    (place / "a" / "b").write_bytes(b"")
    disk.open_beneath(place, ["a", "b"])


@pytest.mark.parametrize("step", [written_segment, spilled_run, opened_beneath])
def test_an_interrupt_as_a_file_is_closed_closes_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: Callable[[Path], None]
) -> None:
    """By then the number may be that of a file that another thread has opened."""
    place, close, closed = folder / step.__name__, os.close, list[int]()
    place.mkdir()

    def interrupted(fd: int) -> None:
        closed.append(fd)
        close(fd)
        if len(closed) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step(place)
    assert closed.count(closed[0]) == 1


def test_ctrl_c_at_any_moment(folder: Path, forks: Forks, many: Many) -> None:
    print(f"TICKREEL_SEED={SEED}")
    chance = random.Random(SEED)
    for number in range(INTERRUPTS):
        root = folder / f"interrupted{number}"
        pid = forks.start(import_words(many.data, root), gate=True)
        forks.open_gate()
        time.sleep(chance.uniform(0, many.seconds))
        os.kill(pid, signal.SIGINT)
        code = forks.wait(pid)
        assert code in (0, 130, INTERRUPTED_OUTSIDE), forks.said()
        assert "Traceback" not in forks.said()
        check_partly_done(root, many.wanted, forks.acks())
        assert forks.run(import_words(many.data, root)) == 0
        assert contents(root) == many.wanted


def group(leader: int) -> list[int]:
    """Return the living processes of a group, zombies left out."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                state, _, pgrp = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[:3]
                if int(pgrp) == leader and state != "Z":
                    found.append(int(entry))
    return found


# One system call at a time


CALLS = (
    "write",
    "fsync",
    "rename",
    "unlink",
    "openat",
    "mkdir",
    "unlinkat",
    "rmdir",
    "pwrite64",
    "ftruncate",
)


@dataclass
class Session:
    """A store with a past, files to import into it, and its contents after each of them.

    calls  what each call of a quiet import was about: calls["fsync"][2] is the third fsync's kind of file
    log    the trace of that import
    """

    template: Path
    data: Path
    store: Path
    history: list[dict[str, str]]
    files: list[str]
    calls: dict[str, list[str]]
    log: list[str]

    @property
    def words(self) -> list[str]:
        return import_words(self.data, self.store)

    def reset(self) -> None:
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(self.template, self.store)

    def check(self, acks: list[str]) -> None:
        """Files reported done are there whole; of the next one any segment may be, of others none."""
        assert acks == self.files[: len(acks)]
        before, after = self.history[len(acks)], self.history[min(len(acks) + 1, len(self.files))]
        found = contents(self.store)
        for name in before.keys() | after.keys() | found.keys():
            assert found.get(name) in (before.get(name), after.get(name)), name
        assert problems(self.store) == []

    def check_resumes(self, forks: Forks) -> None:
        assert forks.run(self.words) == 0, forks.said()
        assert contents(self.store) == self.history[-1]


@pytest.fixture(scope="module")
def session(folder: Path, forks: Forks) -> Session:
    """The files replace, merge, reject, spill, cross midnight, form a group, and are skipped, each in its turn."""
    data, root = folder / "session", folder / "session-store"
    template = Store(folder / "template")
    replaced = dataset(data / "1-replaced")
    known = dataset(data / "6-known", symbol="LTCUSDT")
    put(replaced, trades(trade(1), trade(2)))
    put(known, trades(trade(5, symbol="LTCUSDT"), trade(6, symbol="LTCUSDT", price="")))
    take(template, data)
    # Not imported anew: replaced where it is.
    put(replaced, trades(trade(1), trade(3), trade(4, price="?")))
    put(dataset(data / "2-merged"), trades(trade(50), trade(60)))
    put(dataset(data / "3-rejects", symbol="ETHUSDT"), trades(trade(1, price=0), trade(2, symbol="ETHUSDT")))
    spilled = [
        trade(DAY_US - 20 + us, symbol=symbol) for us in range(40, 0, -1) for symbol in ("SOLUSDT", "XRPUSDT")
    ]
    put(dataset(data / "4-spilled", symbol="SOLUSDT"), trades(*spilled))
    put(
        dataset(data / "5-group", symbol="OPTIONS"),
        trades(*[trade(us, symbol=f"O{us % 3}") for us in range(9)]),
    )
    files = [str(path) for path in sorted(data.rglob("*.csv.gz"))]
    made = Session(template.root, data, root, [], files, {}, [])
    made.reset()
    made.history.append(contents(root))
    for path in files:
        take(root, path)
        made.history.append(contents(root))
    trace_quietly(forks, made)
    return made


def trace_quietly(forks: Forks, session: Session) -> None:
    """Fill in the trace of a quiet import; skip where strace cannot be used."""
    log = session.store.with_name("quiet.log")
    session.reset()
    status = traced(forks, session.words, log, ",".join((*CALLS, "writev")))
    assert status == 0, forks.said()
    assert contents(session.store) == session.history[-1]
    session.log = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()]
    for name in CALLS:
        session.calls[name] = [kind(line) for line in session.log if line.startswith(f"{name}(")]


def test_what_is_reported_done_is_durable(session: Session) -> None:
    """Bytes before their name, names before the report; a new folder counts as a name."""
    synced: set[str] = set()
    unsynced: set[str] = set()
    renamed = reported = 0
    for line in session.log:
        call, paths = line.partition("(")[0], re.findall(r'[<"]([^>"]*)[>"]', line)
        if call == "write":
            synced.discard(paths[0])
        elif call == "fsync":
            synced.add(paths[0])
            unsynced.discard(paths[0])
        elif call == "rename":
            assert paths[0] in synced, f"{paths[0]} is renamed before its bytes are durable"
            unsynced.add(os.path.dirname(paths[1]))
            renamed += 1
        elif call == "mkdir" and line.endswith("= 0") and ".staging" not in paths[0]:
            unsynced.add(os.path.dirname(paths[0]))
        elif call == "writev":
            assert not unsynced, f"reported done before {unsynced} is durable"
            reported += 1
    assert (renamed, reported) == (len(session.calls["rename"]), len(session.files))
    assert renamed >= 10


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_a_system_call(forks: Forks, session: Session, call: str) -> None:
    print(f"TICKREEL_SEED={SEED}")
    log = session.store.with_name("kill.log")
    assert session.calls[call], f"the import no longer calls {call}; take it out of CALLS"
    share = 3 * KILLED_SHARE if call == "openat" and not SOAK else KILLED_SHARE
    for number in some(session.calls[call], share, random.Random(f"{SEED} {call}")):
        session.reset()
        code = traced(forks, session.words, log, call, f"{call}:signal=KILL:when={number}")
        assert code == -signal.SIGKILL, f"{call} {number}: {forks.said()}"
        lines = log.read_text().splitlines()
        assert (len(lines), lines[-1][-3:]) == (number, "= ?"), f"not killed in {call} {number}: {lines[-1]}"
        session.check(forks.acks())
        session.check_resumes(forks)


FAILURES = [
    (call, error) for call in ("write", "fsync", "rename") for error in ("error=EIO", "error=ENOSPC")
] + [("write", "retval=0"), ("mkdir", "error=ENOSPC"), ("pwrite64", "error=EIO"), ("openat", "error=EMFILE")]


@pytest.mark.parametrize(("call", "failure"), FAILURES)
def test_a_system_call_that_fails(forks: Forks, session: Session, call: str, failure: str) -> None:
    """A clear error, exit code 5, nothing more reported done, the store readable, and it can go on."""
    print(f"TICKREEL_SEED={SEED}")
    log = session.store.with_name("fail.log")
    for number in some(session.calls[call], FAILED_SHARE, random.Random(f"{SEED} {call} {failure}")):
        session.reset()
        code = traced(forks, session.words, log, call, f"{call}:{failure}:when={number}")
        text = log.read_text()
        assert "(INJECTED)" in text, f"{call} {number} was not reached"
        if code == 0:
            # Python tries a write of 0 bytes again; some opens are but a look, or clear what the next run clears.
            (line,) = (line for line in text.splitlines() if "(INJECTED)" in line)
            assert call == "openat" or (failure == "retval=0" and "/rejects.csv>" in line), line
            assert contents(session.store) == session.history[-1]
            continue
        check_disk_error(code, forks.said(), failure, f"{call} {number}")
        session.check(forks.acks())
        session.check_resumes(forks)


def test_a_disk_of_a_megabyte(folder: Path, forks: Forks) -> None:
    """No room: exit code 5, what was reported done stays and reads; with room the same command goes on."""
    data, disk = folder / "large", folder / "disk"
    chance = random.Random(3)
    for number in range(6):
        lines = [
            trade(us, symbol=f"S{number}", id=chance.randrange(10**15), price=chance.randrange(1, 10**12))
            for us in range(24_000)
        ]  # fmt: skip
        put(dataset(data, symbol=f"S{number}"), trades(*(reversed(lines) if number == 5 else lines)))
    assert forks.run(import_words(data, folder / "roomy")) == 0
    wanted = contents(folder / "roomy")
    disk.mkdir()
    with mounted(disk):
        words = import_words(data, disk / "tape")
        code = forks.run(words)
        check_disk_error(code, forks.said(), "error=ENOSPC", "a full disk")
        assert str(disk) in forks.said()
        acks = forks.acks()
        assert 0 < len(acks) < 6
        check_partly_done(disk / "tape", wanted, acks)
        assert forks.run(words) == 5
        check_partly_done(disk / "tape", wanted, [*acks, *forks.acks()])
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert forks.run(words) == 0
        assert contents(disk / "tape") == wanted


def test_a_spilled_file_without_room_says_so(folder: Path, forks: Forks) -> None:
    """Sorted runs are written, not mapped: a full disk is an error message and no SIGBUS."""
    data, disk = folder / "unsorted", folder / "disk2"
    chance = random.Random(4)
    lines = [
        trade(us, id=chance.getrandbits(60), price=chance.getrandbits(50)) for us in range(60_000, 0, -1)
    ]
    put(dataset(data), trades(*lines, trade(1, symbol="ETHUSDT")))
    disk.mkdir()
    with mounted(disk):
        code = forks.run(import_words(data, disk / "tape"))
        check_disk_error(code, forks.said(), "error=ENOSPC", "a full disk")
        assert "/.staging/0/runs/0.run" in forks.said()
        assert re.search(r"needs about [\d.]+ .iB in \S+/\.staging", forks.said())
        assert contents(disk / "tape") == {}
