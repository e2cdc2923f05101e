"""The store as a tree of folders: finds, adds and locks segments; the tree itself is the truth."""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tickreel.errors import CorruptionError, InputError, LockedError, UsageError, disk_error
from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.store import disk, names
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_DAY, day_of, day_start

SUFFIX = ".reel"
PRIMARY = "primary"
LOCK = ".lock"
STAGING = ".staging"
_FEW_DAYS = 8


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
        parts = [self.feed, self.type, names.encode_exchange(self.exchange), symbol, self.day + SUFFIX]
        return names.safe_parts(parts)

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
        if store.root.exists() and not store.root.is_dir():
            raise UsageError(f"{store.root} is a file; a store is a folder")
        if store.primary() is None:
            raise UsageError(
                f"{store.root} holds no store; import files into it first (tickreel import PATH --store ...),"
                " or name another with --store or TICKREEL_STORE"
            )
        return store

    def primary(self) -> str | None:
        """Return the feed that is read unless another is asked for, or None in a new store."""
        try:
            fd = disk.open_beneath(self.root, [PRIMARY])
        except FileNotFoundError:
            return None
        try:
            feed = os.read(fd, 100).decode("ascii", "replace").partition("\n")[0].strip()
        except OSError as error:
            raise disk_error(error, f"reading {self.root / PRIMARY}") from error
        finally:
            os.close(fd)
        if not names.is_feed(feed):
            raise CorruptionError(
                f"{self.root / PRIMARY} says {feed!r}, which names no feed;"
                f" write one of {', '.join(self.feeds()) or 'the feeds'} into it"
            )
        return feed

    def feeds(self) -> list[str]:
        """Return the names of all feeds that have a folder, sorted."""
        return [name for name in _folders(self.root) if names.is_feed(name)]

    def path(self, key: SegmentKey) -> Path:
        return self.root.joinpath(*key.parts())

    def rejects_path(self, feed: str, sha256: str) -> Path:
        """Return where the rows set aside from a source with that content are kept."""
        return self.root / names.safe_path([feed, "rejects", f"{sha256[:32]}.csv"])

    def open(self, key: SegmentKey) -> Segment:
        """Open a segment without following links; FileNotFoundError if it is not there.

        Raises CorruptionError if what lies there is another segment: rows of one symbol must not
        pass for those of another because a file was moved.
        """
        parts = key.parts()
        segment = Segment(disk.open_beneath(self.root, parts), self.root.joinpath(*parts))
        meta = segment.meta
        found = SegmentKey(key.feed, meta.type, meta.exchange, meta.symbol, meta.day, meta.grouped)
        if found != key:
            raise CorruptionError(f"{segment.path} holds {found}; move it back to where that belongs")
        return segment

    def find(
        self,
        *,
        feed: str | None = None,
        type: str | None = None,
        exchange: str | None = None,
        symbol: str | Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> Iterator[SegmentKey]:
        """Yield the keys that match, sorted (types in schema order); what is left out matches all.

        symbol  ordinary symbols or groups' names, one or many: no other's folder is looked into;
                symbols inside groups are `scan`'s business
        Raises UsageError for a folder or file that the store cannot have made; links and names
        that begin with a dot are passed over.
        """
        wanted = {symbol} if isinstance(symbol, str) else symbol
        for feed_name in self.feeds() if feed is None else [names.check_feed(feed)]:
            for type_name in MARKET_TYPES if type is None else [type]:
                # Asked for by name: a listing takes longer, and so do paths that are more than text.
                base = f"{self.root}/{feed_name}"
                if not (_is_folder(base) and _is_folder(f"{base}/{type_name}")):
                    continue
                for exchange_name, exchange_path in _exchanges(f"{base}/{type_name}"):
                    if exchange in (None, exchange_name):
                        for name, grouped, path in _symbols(exchange_path, wanted):
                            for day in _days(path, from_ns, to_ns):
                                yield SegmentKey(feed_name, type_name, exchange_name, name, day, grouped)

    @contextlib.contextmanager
    def writing(self) -> Iterator["WritingStore"]:
        """Hold the store's only writer's lock; LockedError names the process that has it.

        What a killed writer left unfinished is removed; what it published stays.
        """
        path = self.root / LOCK
        try:
            disk.make_root(self.root)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            if path.is_symlink():
                disk.refuse_link(path)
            raise disk_error(error, f"opening the store {self.root}") from error
        try:
            _take(lock, self.root)
            staging = self.root / STAGING
            if staging.is_symlink():
                disk.refuse_link(staging)
            shutil.rmtree(staging, ignore_errors=True)
            disk.make_folder(staging, self.root)
            try:
                yield WritingStore(self.root)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        finally:
            os.close(lock)


class WritingStore(Store):
    """A store whose writer's lock is held."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        super().__init__(root)
        self._durable: set[Path] = set()

    @property
    def staging(self) -> Path:
        """A folder on the store's own disk for files that are not yet published."""
        return self.root / STAGING

    def publish(self, finished: list[tuple[Path, Path]]) -> None:
        """Give finished, durable files their final names, atomically each, durable on return."""
        for folder in {target.parent for _, target in finished} - self._durable:
            disk.make_folder(folder, self.root)
            self._durable.add(folder)
        disk.publish(finished)

    def set_primary(self, feed: str) -> None:
        disk.write_file(self.root / PRIMARY, f"{names.check_feed(feed)}\n".encode(), self.staging)

    def remove(self, paths: list[Path]) -> None:
        """Remove published files and the folders that they leave empty; what is gone already is gone."""
        for path in paths:
            try:
                disk.refuse_links(path, self.root)
                path.unlink(missing_ok=True)
            except OSError as error:
                raise disk_error(error, f"removing {path}") from error
            self.prune(path.parent)

    def prune(self, folder: Path) -> None:
        """Remove a folder if it is empty, and those above it that it leaves empty; durable on return."""
        self._durable.clear()
        try:
            for place in (folder, *folder.parents):
                if not place.exists():
                    continue
                if place == self.root or any(place.iterdir()):
                    disk.sync_folder(place)
                    break
                place.rmdir()
        except OSError as error:
            raise disk_error(error, f"removing {folder}") from error


def _take(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 100, 0).decode("ascii", "replace").partition("\n")[0]
        raise LockedError(
            f"{root} is being written by process {holder or 'unknown'};"
            " wait for it to end, or stop it, and run again"
        ) from None
    except OSError as error:
        raise disk_error(error, f"locking the store {root}") from error
    mine = f"{os.getpid()}\n".encode()
    try:
        # Not emptied first: whoever is refused meanwhile reads a whole number.
        os.pwrite(lock, mine, 0)
        os.ftruncate(lock, len(mine))
    except OSError as error:
        raise disk_error(error, f"locking the store {root}") from error


def _entries(path: str | Path) -> list[os.DirEntry[str]]:
    """Return what lies in `path`, sorted by name, without dot files; nothing if it was removed."""
    try:
        with os.scandir(path) as found:
            return sorted((e for e in found if not e.name.startswith(".")), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise disk_error(error, f"listing {path}") from error


def _folders(path: str | Path) -> list[str]:
    """Return the names of the real folders in `path`, sorted."""
    return [entry.name for entry in _entries(path) if entry.is_dir(follow_symlinks=False)]


def _exchanges(path: str) -> list[tuple[str, str]]:
    """Return (exchange, folder) of a record type's folder, sorted."""
    return sorted((_decoded(path, name, names.decode_exchange), f"{path}/{name}") for name in _folders(path))


def _symbols(path: str, wanted: Collection[str] | None) -> list[tuple[str, bool, str]]:
    """Return (symbol or group's name, is it a group, folder) of an exchange's folder, sorted.

    Those that are wanted are asked for by name, so that thousands of others cost nothing.
    """
    if wanted is not None:
        named = [(name, True, name) for name in wanted if name in GROUPS]
        named += [(name, False, folder) for name in wanted if (folder := _folder_of(name))]
        there = sorted(one for one in named if _is_folder(f"{path}/{one[2]}"))
        return [(name, grouped, f"{path}/{folder}") for name, grouped, folder in there]
    found = []
    for name in _folders(path):
        grouped = name in GROUPS
        symbol = name if grouped else _decoded(path, name, names.decode_symbol)
        found.append((symbol, grouped, f"{path}/{name}"))
    return sorted(found)


def _folder_of(symbol: str) -> str:
    """Return the folder name of an ordinary symbol; "" if no symbol can have that name."""
    try:
        return names.encode_symbol(symbol)
    except InputError:
        return ""


def _is_folder(path: str) -> bool:
    """Return whether a real folder lies there."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: str) -> int:
    """Return the mode of what lies there, not following a link; 0 if nothing does."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise disk_error(error, f"looking at {path}") from error


def _decoded(path: str, name: str, decode: Callable[[str], str]) -> str:
    try:
        return decode(name)
    except ValueError:
        raise UsageError(
            f"{path}/{name} is no folder of the store's: no name is encoded so; move it elsewhere"
        ) from None


def _days(path: str, from_ns: int | None, to_ns: int | None) -> Iterator[str]:
    """Yield the days of a symbol's folder that the range touches; a few are asked for by name."""
    if from_ns is not None and to_ns is not None and to_ns - from_ns < _FEW_DAYS * NS_PER_DAY:
        for ns in range(from_ns - from_ns % NS_PER_DAY, to_ns, NS_PER_DAY):
            if stat.S_ISREG(_mode(f"{path}/{day_of(ns)}{SUFFIX}")):
                yield day_of(ns)
        return
    for entry in _entries(path):
        if not entry.name.endswith(SUFFIX) or not entry.is_file(follow_symlinks=False):
            continue
        day = entry.name.removesuffix(SUFFIX)
        try:
            start = day_start(day)
        except ValueError:
            start = None
        if start is None or day_of(start) != day:
            raise UsageError(
                f"{path}/{entry.name} is not named after a day (YYYY-MM-DD{SUFFIX}); move it elsewhere"
            )
        if (to_ns is None or start < to_ns) and (from_ns is None or start + NS_PER_DAY > from_ns):
            yield day
