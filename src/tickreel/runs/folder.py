"""The folder of a run: written under a hidden name beside its own, and renamed when it is complete."""

import os
import re
import shutil
import tempfile
import weakref
from datetime import UTC, datetime
from pathlib import Path

from tickreel.errors import UsageError, disk_error
from tickreel.store.disk import sync_folder

RUN_FILE, METRICS_FILE, REPORT_FILE = "run.json", "metrics.json", "report.html"
_PARTIAL = re.compile(r"\.(.+)\.partial-(\d+)")


class RunFolder:
    """A run folder being written; leaving the `with` without `publish` removes it."""

    def __init__(self, target: Path | None, path: Path) -> None:
        self.target = target
        self.path = path
        self._published = False

    @classmethod
    def create(cls, out: Path | None) -> "RunFolder":
        """Begin a folder at `out`, or a temporary one. UsageError if `out` is there and not empty."""
        if out is None:
            folder = cls(None, Path(tempfile.mkdtemp(prefix="tickreel-run-")))
            # Lives as long as the result that reads from it, and not past the end of the process.
            weakref.finalize(folder, shutil.rmtree, folder.path, ignore_errors=True)
            return folder
        check_out(out)
        target = out.absolute()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(target.parent)
            path = target.parent / f".{target.name}.partial-{os.getpid()}"
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        except OSError as error:
            raise disk_error(error, f"creating the run folder {target}") from error
        return cls(target, path)

    def write(self, name: str, text: str) -> None:
        try:
            (self.path / name).write_text(text, "utf-8")
        except OSError as error:
            raise disk_error(error, f"writing {self.path / name}") from error

    def publish(self) -> None:
        """Give the folder its name."""
        if self.target is not None:
            try:
                if self.target.exists():
                    self.target.rmdir()
                os.rename(self.path, self.target)
            except OSError as error:
                raise disk_error(error, f"publishing the run folder {self.target}") from error
            sync_folder(self.target.parent)
            self.path = self.target
        self._published = True

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._published:
            shutil.rmtree(self.path, ignore_errors=True)


def check_out(out: Path | None) -> None:
    """Raise UsageError if a run cannot be put there; asked before the work, since it is long."""
    if out is None:
        return
    target = out.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"out {target} is already there; name a new folder, or remove it")
    place = next(folder for folder in target.parents if folder.exists())
    if not place.is_dir():
        raise UsageError(f"out {target}: {place} is a file; name a folder elsewhere")


def default_out(strategy: str, code: str) -> Path:
    """Return ./runs/<time>-<strategy>-<hash of its code>."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    base = Path("runs") / f"{now}-{strategy.lower()}-{code[:8]}"
    path, number = base, 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed runs left: partial folders whose process is gone."""
    for path in parent.iterdir():
        match = _PARTIAL.fullmatch(path.name)
        if match and not path.is_symlink() and not _alive(int(match[2])):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
