"""The primary feed and its history: one small file, replaced as a whole, beside whoever writes to the store.

    <store>/primary     the feed; then a line for each switch: ns UTC, from, to, and "rollback" for one that went back
    <store>/.primary/   the lock of those who switch, and what is not yet in place

A rollback undoes the last switch that is not undone; the next one undoes the switch before that.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tickreel.errors import CorruptionError, LockedError, UsageError, disk_error
from tickreel.store import disk, names
from tickreel.store.catalog import PRIMARY, Store

FOLDER = ".primary"
KEPT = 1_000
"""Switches that are remembered, the last ones."""
WAIT_S = 5.0
"""How long a switch waits for another one, which takes some milliseconds."""
_BACK = "rollback"


@dataclass(frozen=True, slots=True)
class Switch:
    """One line of the history; times are those of the machine's clock, the order is that of the lines."""

    time_ns: int
    before: str
    after: str
    is_rollback: bool = False

    def line(self) -> str:
        words = [str(self.time_ns), self.before, self.after, *([_BACK] if self.is_rollback else [])]
        return " ".join(words) + "\n"


def history(store: Store) -> list[Switch]:
    """Return all switches, oldest first. Raises CorruptionError naming a line that is none."""
    return _read(store)[1]


def switch(store: Store, feed: str) -> Switch | None:
    """Make a feed primary, durable on return; None if it is already.

    Readers that run keep the feed they began with. Raises UsageError for a feed without segments,
    LockedError if another process switches for longer than WAIT_S.
    """
    with _locked(store):
        now, found = _read(store)
        _refuse_empty(store, feed)
        return _put(store, found, Switch(time.time_ns(), now, feed)) if feed != now else None


def rollback(store: Store) -> Switch:
    """Make the feed primary that was so before the last switch that is not undone; as `switch`."""
    with _locked(store):
        now, found = _read(store)
        former = _former(now, found)
        if not former:
            raise UsageError(
                f"{store.root}: no switch is left to roll back, {now} stays primary; choose a feed"
                " with tickreel switch NAME"
            )
        _refuse_empty(store, former[-1])
        return _put(store, found, Switch(time.time_ns(), now, former[-1], is_rollback=True))


def _put(store: Store, found: list[Switch], new: Switch) -> Switch:
    lines = [change.line() for change in [*found, new][-KEPT:]]
    disk.write_file(store.root / PRIMARY, f"{new.after}\n{''.join(lines)}".encode(), store.root / FOLDER)
    return new


def _former(now: str, found: list[Switch]) -> list[str]:
    """Return the feeds that rollbacks would go back to, the next one last.

    A first line that was written by hand counts as a switch, too.
    """
    at, former = found[0].before if found else now, list[str]()
    for change in [*found, Switch(0, now, now)]:
        if change.before != at:
            former.append(at)
        if change.is_rollback:
            while former and former.pop() != change.after:
                pass
        elif change.before != change.after:
            former.append(change.before)
        at = change.after
    while former and former[-1] == now:
        former.pop()
    return former


def _refuse_empty(store: Store, feed: str) -> None:
    if not names.is_feed(feed) or next(store.find(feed=feed), None) is None:
        have = [name for name in store.feeds() if next(store.find(feed=name), None)]
        raise UsageError(
            f"feed {feed!r} has no segments in {store.root}; those that have: {', '.join(have) or 'none'}"
        )


def _read(store: Store) -> tuple[str, list[Switch]]:
    """Return the primary feed and its history."""
    now = store.primary()
    if now is None:
        raise UsageError(f"{store.root} holds no store; import files into it first (tickreel import PATH)")
    try:
        with open(disk.open_beneath(store.root, [PRIMARY]), "rb") as file:
            first, *lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise disk_error(error, f"reading {store.root / PRIMARY}") from error
    return first.strip(), [_parsed(store, number, line) for number, line in enumerate(lines, 2) if line]


def _parsed(store: Store, number: int, line: str) -> Switch:
    words = line.split(" ")
    time_ns, before, after = [*words, "", "", ""][:3]
    back = words[3:]
    if not (time_ns.isdecimal() and names.is_feed(before) and names.is_feed(after) and back in ([], [_BACK])):
        raise CorruptionError(
            f"{store.root / PRIMARY}: line {number} is {line[:80]!r}, and no switch (ns UTC, from, to);"
            " remove that line"
        )
    return Switch(int(time_ns), before, after, bool(back))


@contextlib.contextmanager
def _locked(store: Store) -> Iterator[None]:
    """Hold the lock of those who switch: not the writer's, so that an import of an hour is not waited for."""
    folder = store.root / FOLDER
    disk.make_folder(folder, store.root)
    path = folder / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        disk.refuse_link(path)
        raise disk_error(error, f"opening {path}") from error
    try:
        _take(lock, store)
        yield
    finally:
        os.close(lock)


def _take(lock: int, store: Store) -> None:
    end = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise LockedError(
                    f"{store.root}: another process has been switching the primary feed for"
                    f" {WAIT_S:.0f} s; end it and run again"
                ) from None
            time.sleep(0.01)
        except OSError as error:
            raise disk_error(error, f"locking {store.root / FOLDER}") from error
        else:
            return
