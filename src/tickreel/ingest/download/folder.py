"""Where fetched files lie until they are imported, and the lock of who fetches them."""

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from tickreel.errors import InputError, LockedError, ReadError, disk_error
from tickreel.ingest.download.fetch import PART, Arrived
from tickreel.ingest.download.plan import is_covered
from tickreel.ingest.files.gaps_beside import GAPS, gaps_file, read_gaps
from tickreel.ingest.files.text_file import TextFile
from tickreel.sources.tardis_http import DayFile
from tickreel.sources.tardis_names import read_name
from tickreel.store import disk
from tickreel.store.catalog import Store

FOLDER = ".downloads"
_FLAT = "tardis"
_LOCK = ".lock"
_LEFT = (PART, GAPS, f"{GAPS}.new")


class Folder:
    """The folder of one provider's downloads in a store, used as `with`: one download at a time has it.

    A file has its name here once it is whole, so what a killed download leaves is imported by the next. After a
    power cut it may be empty or torn all the same, so it is looked at again.
    keep  the user's folder in which files lie and stay instead: those of tardis as Tardis' own client lays them out,
          those of others in a folder of the provider's name, for names of files do not tell who made them
    """

    def __init__(self, store: Store, provider: str, keep: Path | None) -> None:
        self._store = store
        self._provider = provider
        self._own = store.root / FOLDER / provider
        self._keep = (keep if provider == _FLAT else keep / provider).absolute() if keep else None
        self._lock = -1

    def __enter__(self) -> "Folder":
        disk.make_root(self._store.root)
        disk.make_folder(self._own, self._store.root)
        path = self._own / _LOCK
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            if self._keep:
                self._keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, f"opening {error.filename or path}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise LockedError(
                f"{self._own}: another download from {self._provider} into this store runs; wait for it to end"
            ) from None
        self._tidy()
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._lock)

    def path(self, file: DayFile) -> Path:
        """Return where a day's file lies."""
        return (self._keep or self._own) / file.name

    def waiting(self, files: Sequence[DayFile]) -> list[Arrived]:
        """Return those of some days whose files are there."""
        found = (_whole(file, self.path(file)) for file in files)
        return [arrived for arrived in found if arrived]

    def done_with(self, file: DayFile) -> None:
        """Remove a day's file, unless the user keeps it."""
        if not self._keep:
            self.drop(file)

    def drop(self, file: DayFile) -> None:
        """Remove a day's file, so that it is fetched anew."""
        _remove(self.path(file), gaps_file(self.path(file)))

    def _tidy(self) -> None:
        """Remove what was not fetched whole, and what had been imported when its download was killed."""
        for path in self._own.iterdir():
            is_ours = path.name.endswith(_LEFT) or read_name(path.name) is not None
            if is_ours and not self._waits(path.with_name(path.name.removesuffix(GAPS))):
                _remove(path)

    def _waits(self, path: Path) -> bool:
        """Return whether a path is that of a day's file that is there and not yet imported."""
        name = read_name(path.name)
        if name is None or not os.path.lexists(path):
            return False
        day = DayFile(name.exchange, name.type, name.symbol, name.day)
        return not is_covered(self._store, self._provider, day)


def tidy(store: Store, provider: str) -> None:
    """Remove what a download left that was killed after its last import, unless another one runs."""
    folder = store.root / FOLDER / provider
    if folder.is_dir() and any(path.name != _LOCK for path in folder.iterdir()):
        with contextlib.suppress(LockedError), Folder(store, provider, None):
            pass


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, f"removing {path}") from error


def _whole(file: DayFile, path: Path) -> Arrived | None:
    """Return a day whose file is there whole, with what lies beside it, else None: then it is fetched anew."""
    if path.is_symlink():
        return None
    text, lines = TextFile(path), 0
    try:
        read_gaps(path)
        for piece in text.pieces():
            lines += piece.count(b"\n")
    except (InputError, ReadError):
        return None
    return Arrived(file, path, text.file_bytes, lines <= 1) if text.file_bytes else None
