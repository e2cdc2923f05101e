"""The primary feed: switched, rolled back and remembered, whoever writes, switches or is killed meanwhile."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from import_forks import ENVIRONMENT, Forks
from import_sample import dataset, fast_folder, put, take, trade, trades
from test_cli import call, document
from test_import_kill import traced
from tickreel.errors import CorruptionError, LockedError, UsageError
from tickreel.store import primary
from tickreel.store.catalog import PRIMARY, Store

FEEDS = ("tardis", "holysheep", "third")


@pytest.fixture
def store(place: Path) -> Store:
    """A store of three feeds; the first is primary."""
    return made(place)


def made(folder: Path) -> Store:
    put(dataset(folder / "data"), trades(trade(1), trade(2)))
    for feed in FEEDS:
        take(folder / "tape", folder / "data", feed=feed)
    return Store(folder / "tape")


def line(store: Store) -> str:
    return (store.root / PRIMARY).read_text()


def test_a_switch_is_remembered_and_rolled_back(store: Store) -> None:
    before = time.time_ns()
    done = primary.switch(store, "holysheep")
    assert (done.before, done.after, done.is_rollback) == ("tardis", "holysheep", False)
    assert before <= done.time_ns <= time.time_ns()
    assert line(store) == f"holysheep\n{done.time_ns} tardis holysheep\n"
    assert Store.existing(store.root).primary() == "holysheep"
    back = primary.rollback(store)
    assert (back.before, back.after, store.primary()) == ("holysheep", "tardis", "tardis")
    assert primary.history(store) == [done, back]


def test_rollbacks_go_back_step_by_step_and_never_forward(store: Store) -> None:
    primary.switch(store, "holysheep")
    primary.switch(store, "third")
    assert primary.rollback(store).after == "holysheep"
    primary.switch(store, "third")
    assert [primary.rollback(store).after for _ in range(2)] == ["holysheep", "tardis"]
    for _ in range(2):
        with pytest.raises(UsageError, match="no switch is left to roll back, tardis stays primary"):
            primary.rollback(store)
    assert store.primary() == "tardis"
    assert [change.is_rollback for change in primary.history(store)] == [
        False,
        False,
        True,
        False,
        True,
        True,
    ]


def test_a_first_line_written_by_hand_counts_as_a_switch(store: Store) -> None:
    primary.switch(store, "holysheep")
    (store.root / PRIMARY).write_text(line(store).replace("holysheep\n", "third\n", 1))
    assert primary.rollback(store).after == "holysheep"
    assert primary.rollback(store).after == "tardis"
    (store.root / PRIMARY).write_text("third\n")
    with pytest.raises(UsageError, match="no switch is left"):
        primary.rollback(store)


def test_switching_to_the_primary_feed_changes_nothing(store: Store) -> None:
    before = line(store)
    assert primary.switch(store, "tardis") is None
    assert line(store) == before


@pytest.mark.parametrize("name", ["nowhere", "", "../x", "TARDIS", "primary"])
def test_a_feed_without_segments_is_refused(store: Store, name: str) -> None:
    (store.root / "nowhere").mkdir()
    with pytest.raises(UsageError, match=r"has no segments in .*; those that have: holysheep, tardis, third"):
        primary.switch(store, name)
    assert store.primary() == "tardis"


def test_a_feed_that_was_removed_is_not_rolled_back_to(store: Store) -> None:
    primary.switch(store, "holysheep")
    shutil.rmtree(store.root / "tardis")
    with pytest.raises(UsageError, match="'tardis' has no segments"):
        primary.rollback(store)
    assert store.primary() == "holysheep"


@pytest.mark.parametrize("junk", ["x", "1 a", "1 a B", "-1 a b", "1 a b c", "1  a b"])
def test_a_line_that_is_no_switch_is_named_and_does_not_stop_readers(store: Store, junk: str) -> None:
    (store.root / PRIMARY).write_text(f"tardis\n1 third tardis\n{junk}\n")
    assert Store.existing(store.root).primary() == "tardis"
    with pytest.raises(CorruptionError, match=r"primary: line 3 is .*remove that line"):
        primary.switch(store, "third")


def test_only_the_last_switches_are_kept(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(primary, "KEPT", 3)
    for feed in ("holysheep", "third", "tardis", "third"):
        primary.switch(store, feed)
    assert [change.after for change in primary.history(store)] == ["third", "tardis", "third"]


def test_an_import_is_not_waited_for(store: Store) -> None:
    with store.writing():
        primary.switch(store, "third")
        assert primary.rollback(store).after == "tardis"


def test_a_lock_that_is_held_for_long_is_named(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(primary, "WAIT_S", 0.05)
    with primary._locked(store), pytest.raises(LockedError, match="another process has been switching"):
        primary.switch(store, "third")


def test_no_switch_of_many_at_a_time_is_lost(store: Store) -> None:
    def work(names: list[str]) -> None:
        for name in names * 10:
            primary.switch(Store(store.root), name)

    threads = [threading.Thread(target=work, args=([*FEEDS[n:], *FEEDS[:n]],)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = primary.history(store)
    assert len(found) > 10
    assert [change.before for change in found] == ["tardis", *(change.after for change in found[:-1])]
    assert store.primary() == found[-1].after


def test_a_link_in_its_place_is_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (store.root / ".primary").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match=r"\.primary is a symbolic link"):
        primary.switch(store, "third")
    assert list((tmp_path / "outside").iterdir()) == []


# The commands


def test_the_commands(store: Store, capfd) -> None:
    here = ("--store", store.root)
    assert call(capfd, "switch", "third", *here) == (0, "", "third is primary, it was tardis\n")
    assert call(capfd, "switch", "third", *here) == (0, "", "third is primary already\n")
    code, found = document(capfd, "rollback", *here)
    (change,) = found["switches"]
    assert (code, found["primary"], change["from"], change["to"], change["rollback"]) == (0, "tardis", "third", "tardis", True)  # fmt: skip
    code, found = document(capfd, "switch", "--history", *here)
    assert [change["rollback"] for change in found["switches"]] == [False, True]
    code, out, _ = call(capfd, "switch", "--history", *here)
    assert "rolled back" in out
    assert "tardis is primary" in out
    assert call(capfd, "rollback", *here)[0] == 2
    for words in (("switch",), ("switch", "third", "--history")):
        code, _, said = call(capfd, *words, *here)
        assert (code, "name the feed to read, or --history; tardis is primary" in said) == (2, True)


def test_a_command_that_reads_keeps_the_feed_it_began_with(store: Store, monkeypatch, capfd) -> None:
    from tickreel.cli import rows

    plan_each = rows.plan_each

    def switched_meanwhile(place: Store, questions, **options):
        primary.switch(Store(store.root), "third")
        return plan_each(place, questions, **options)

    monkeypatch.setattr(rows, "plan_each", switched_meanwhile)
    shutil.rmtree(store.root / "third" / "trades" / "binance" / "BTCUSDT")
    put(dataset(store.root.parent / "more", symbol="ETHUSDT"), trades(trade(1, symbol="ETHUSDT")))
    take(store, store.root.parent / "more", feed="third")
    code, found = document(capfd, "show", "--store", store.root)
    assert (code, [row["symbol"] for row in found["rows"]]) == (0, ["BTCUSDT", "BTCUSDT"])
    assert store.primary() == "third"


def test_a_whole_command_takes_less_than_a_second(store: Store) -> None:
    took: dict[str, list[float]] = {"switch": [], "rollback": []}
    for words in (["switch", "third"], ["rollback"]) * 3:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "tickreel", *words, "--store", str(store.root), "--json"],
            env=ENVIRONMENT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Of the processor: what else the machine does is not counted.
        took[words[0]].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert json.loads(done.stdout)["switches"]
    assert max(map(min, took.values())) < 1


# Killed at a system call

CALLS = ("write", "fsync", "rename", "openat", "mkdir", "flock", "close")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with fast_folder() as folder:
        forks = Forks(folder)
        yield forks
        forks.close()


@pytest.mark.long
@pytest.mark.parametrize("call_name", CALLS)
def test_killed_anywhere_it_leaves_the_old_or_the_new(forks: Forks, store: Store, call_name: str) -> None:
    """Never neither; what was renamed is whole, and the next switch works as if nothing had been."""
    words = ["switch", "third", "--store", str(store.root)]
    old, kills = line(store), 0
    log = store.root.parent / "trace"
    for number in range(1, 200):
        (store.root / PRIMARY).write_text(old)
        shutil.rmtree(store.root / ".primary", ignore_errors=True)
        code = traced(forks, words, log, call_name, f"{call_name}:signal=KILL:when={number}")
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        now = line(store)
        assert now == old or (now.startswith("third\n") and now.count("\n") == 2), (call_name, number)
        assert Store.existing(store.root).primary() in ("tardis", "third")
        primary.switch(store, "holysheep")
        assert store.primary() == "holysheep"
    assert code == 0
    assert kills, f"a switch no longer calls {call_name}; take it out of CALLS"


@pytest.mark.long
def test_what_is_reported_done_is_durable(forks: Forks, store: Store) -> None:
    """Bytes before their name, the name before the report."""
    log = store.root.parent / "trace"
    assert traced(forks, ["switch", "third", "--store", str(store.root)], log, "write,fsync,rename") == 0
    done = [row.split(maxsplit=1)[1] for row in log.read_text().splitlines()]
    new, root = f"{store.root}/.primary/primary.new", str(store.root)
    kinds = []
    for row in done:
        name = row.partition("(")[0]
        if new in row or (name == "fsync" and f"<{root}>" in row):
            kinds.append(name)
        elif "third is primary" in row:
            kinds.append("report")
    assert kinds[-5:] == ["write", "fsync", "rename", "fsync", "report"], done


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_says_so(store: Store, capfd) -> None:
    store.root.chmod(0o500)
    try:
        code, _, said = call(capfd, "switch", "third", "--store", store.root)
    finally:
        store.root.chmod(0o700)
    assert (code, "give this user the right" in said) == (5, True)
