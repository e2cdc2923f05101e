"""The few ways in which the store touches the disk: whole writes, durable renames, no links followed."""

import os
from collections.abc import Iterable
from pathlib import Path

from tickreel.errors import DiskError, UsageError, disk_error


def write_all(fd: int, data: bytes | memoryview, path: str) -> None:
    """Write every byte or raise DiskError; a short write is continued, one of 0 bytes is an error."""
    rest = memoryview(data).cast("B")
    while rest:
        try:
            done = os.write(fd, rest)
        except OSError as error:
            raise disk_error(error, f"writing {path}") from error
        if done == 0:
            raise DiskError(f"writing {path}: the disk took 0 bytes; make room and run again")
        rest = rest[done:]


def sync_file(fd: int, path: str) -> None:
    """Make a file durable. A failed fsync is never tried again: the pages are lost."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise disk_error(error, f"making {path} durable") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise disk_error(error, f"making the folder {folder} durable") from error


def make_folder(folder: Path, root: Path) -> None:
    """Create `folder` below `root`, parents first, all durable on return; a link on the way is refused.

    A folder that is there is made durable too: who created it may have been killed before that.
    """
    if folder == root:
        return
    make_folder(folder.parent, root)
    try:
        os.mkdir(folder)
    except FileExistsError:
        refuse_link(folder)
    except OSError as error:
        raise disk_error(error, f"creating the folder {folder}") from error
    sync_folder(folder.parent)


def make_root(root: Path) -> None:
    """Create the store's own folder and what is missing above it, durably."""
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise disk_error(error, f"creating the folder {folder}") from error
        sync_folder(folder.parent)


def refuse_link(path: Path) -> None:
    """Raise UsageError if `path` is a symbolic link: the store never follows one."""
    if path.is_symlink():
        raise UsageError(
            f"{path} is a symbolic link; the store follows none: remove it or put the data there"
        )


def refuse_links(path: Path, root: Path) -> None:
    """Raise UsageError if a folder between `root` and `path` is a symbolic link."""
    for folder in path.parents:
        if folder == root:
            return
        refuse_link(folder)


def publish(moves: Iterable[tuple[Path, Path]]) -> None:
    """Rename finished files to their final names, then make the folders durable."""
    folders: dict[Path, None] = {}
    for source, target in moves:
        try:
            os.rename(source, target)
        except OSError as error:
            raise disk_error(error, f"publishing {target}") from error
        folders[target.parent] = None
    for folder in folders:
        sync_folder(folder)


def write_file(path: Path, data: bytes, staging: Path) -> None:
    """Replace a small file atomically and durably."""
    temporary = staging / f"{path.name}.new"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(temporary, flags, 0o644)
    except OSError as error:
        raise disk_error(error, f"creating {temporary}") from error
    try:
        write_all(fd, data, str(temporary))
        sync_file(fd, str(temporary))
    finally:
        os.close(fd)
    publish([(temporary, path)])


def remove_file(path: Path) -> None:
    """Remove a file durably."""
    try:
        path.unlink()
    except OSError as error:
        raise disk_error(error, f"removing {path}") from error
    sync_folder(path.parent)


def open_beneath(root: Path, parts: Iterable[str]) -> int:
    """Open root/parts... for reading without following a symbolic link below `root`.

    Returns a file descriptor; raises FileNotFoundError, or UsageError for a link.
    """
    *folders, name = parts
    passed: list[str] = []
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise disk_error(error, f"opening {root}") from error
    try:
        for part in folders:
            passed.append(part)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            folder, above = below, folder
            os.close(above)
        passed.append(name)
        # Not blocking: a pipe in the place of a file must not hold the reader.
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        where = root.joinpath(*passed)
        if where.is_symlink():
            refuse_link(where)
        raise disk_error(error, f"opening {where}") from error
    finally:
        os.close(folder)
