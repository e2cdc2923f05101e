"""The store as a tree of folders: finds, adds and locks segments; the tree itself is the truth."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tickreel.errors import LockedError, UsageError, disk_error
from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.store import disk, names
from tickreel.store.reader import Segment
from tickreel.units import day_start

SUFFIX = ".reel"
PRIMARY = "primary"
LOCK = ".lock"
STAGING = ".staging"


@dataclass(frozen=True, slots=True, order=True)
class SegmentKey:
    """What one segment is about; ordered as listings are. `symbol` is the group's name if grouped."""

    feed: str
    type: str
    exchange: str
    symbol: str
    day: str
    grouped: bool = False

    def parts(self) -> list[str]:
        """Return the names of the path below the store's root."""
        symbol = self.symbol if self.grouped else names.encode_symbol(self.symbol)
        return [self.feed, self.type, names.encode_exchange(self.exchange), symbol, self.day + SUFFIX]

    def __str__(self) -> str:
        return f"{self.feed}/{self.type}/{self.exchange}/{self.symbol}/{self.day}"


class Store:
    """A folder of segments. Reading needs nothing but this; writing needs `writing()`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.realpath(root))

    @classmethod
    def existing(cls, root: str | os.PathLike[str]) -> "Store":
        """Return the store at `root`; UsageError if there is none."""
        store = cls(root)
        if not (store.root / PRIMARY).is_file():
            raise UsageError(
                f"{store.root} holds no store; import files into it first (tickreel import PATH --store ...),"
                " or name another with --store or TICKREEL_STORE"
            )
        return store

    def primary(self) -> str | None:
        """Return the feed that is read unless another is asked for, or None in a new store."""
        try:
            text = (self.root / PRIMARY).read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        return names.check_feed(text)

    def feeds(self) -> list[str]:
        """Return the names of all feeds that have a folder, sorted."""
        return [name for name in _folders(self.root) if name != "rejects"]

    def path(self, key: SegmentKey) -> Path:
        return self.root / names.safe_path(key.parts())

    def rejects_path(self, feed: str, sha256: str) -> Path:
        """Return where the rows set aside from a source with that content are kept."""
        return self.root / names.safe_path([feed, "rejects", f"{sha256[:32]}.csv"])

    def open(self, key: SegmentKey) -> Segment:
        """Open a segment without following links; FileNotFoundError if it is not there."""
        return Segment(disk.open_beneath(self.root, key.parts()), self.path(key))

    def find(
        self,
        *,
        feed: str | None = None,
        type: str | None = None,
        exchange: str | None = None,
        symbol: str | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> Iterator[SegmentKey]:
        """Yield the keys that match, sorted; every argument left out matches all.

        symbol  an ordinary symbol or a group's name; symbols inside groups are `scan`'s business
        """
        for feed_name in [feed] if feed else self.feeds():
            for type_name in [type] if type else MARKET_TYPES:
                base = self.root / feed_name / type_name
                for exchange_dir in _folders(base):
                    exchange_name = names.decode_name(exchange_dir)
                    if exchange in (None, exchange_name):
                        for symbol_dir in _folders(base / exchange_dir):
                            grouped = symbol_dir in GROUPS
                            name = names.decode_name(symbol_dir)
                            if symbol in (None, name):
                                for day in _days(base / exchange_dir / symbol_dir, from_ns, to_ns):
                                    yield SegmentKey(feed_name, type_name, exchange_name, name, day, grouped)

    @contextlib.contextmanager
    def writing(self) -> Iterator["WritingStore"]:
        """Hold the store's only writer's lock; LockedError names the process that has it.

        What a killed writer left unfinished is removed; what it published stays.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise disk_error(error, f"opening the store {self.root}") from error
        try:
            _take(lock, self.root)
            staging = self.root / STAGING
            if staging.is_symlink():
                disk.refuse_link(staging)
            shutil.rmtree(staging, ignore_errors=True)
            disk.make_folder(staging, self.root)
            yield WritingStore(self.root)
            shutil.rmtree(staging, ignore_errors=True)
        finally:
            os.close(lock)


class WritingStore(Store):
    """A store whose writer's lock is held."""

    @property
    def staging(self) -> Path:
        """A folder on the store's own disk for files that are not yet published."""
        return self.root / STAGING

    def publish(self, finished: list[tuple[Path, Path]]) -> None:
        """Give finished, durable files their final names, atomically each, durable on return."""
        for _, target in finished:
            disk.make_folder(target.parent, self.root)
        disk.publish(finished)

    def set_primary(self, feed: str) -> None:
        disk.write_file(self.root / PRIMARY, f"{names.check_feed(feed)}\n".encode(), self.staging)

    def remove(self, paths: list[Path]) -> None:
        """Remove published files and the folders that they leave empty."""
        for path in paths:
            try:
                path.unlink(missing_ok=True)
                for folder in path.parents:
                    if folder == self.root or any(folder.iterdir()):
                        disk.sync_folder(folder)
                        break
                    folder.rmdir()
            except OSError as error:
                raise disk_error(error, f"removing {path}") from error


def _take(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 100, 0).decode("ascii", "replace").strip() or "unknown"
        raise LockedError(
            f"{root} is being written by process {holder}; wait for it to end, or stop it, and run again"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _folders(path: Path) -> list[str]:
    """Return the names of the real folders in `path`, sorted; links and dot files are passed over."""
    try:
        with os.scandir(path) as found:
            return sorted(
                entry.name
                for entry in found
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise disk_error(error, f"listing {path}") from error


def _days(path: Path, from_ns: int | None, to_ns: int | None) -> Iterator[str]:
    with os.scandir(path) as found:
        files = sorted(
            entry.name
            for entry in found
            if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False)
        )
    for name in files:
        day = name.removesuffix(SUFFIX)
        try:
            start = day_start(day)
        except ValueError:
            raise UsageError(
                f"{path / name} is not named after a day (YYYY-MM-DD{SUFFIX}); remove it"
            ) from None
        if (to_ns is None or start < to_ns) and (from_ns is None or start + 86_400_000_000_000 > from_ns):
            yield day
