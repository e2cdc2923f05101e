"""A new file of records: durable once it is closed without an error."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tickreel.errors import disk_error
from tickreel.store import disk

Write = Callable[[bytes], None]
"""Takes a record's bytes."""
Opened = Callable[[], AbstractContextManager[Write]]
"""Begins a file anew."""
_WRITE_BYTES = 1 << 20


class RecordFile:
    """Used as `with RecordFile(path, head) as write`; what was there under that name is lost. Raises DiskError."""

    def __init__(self, path: Path, head: bytes) -> None:
        self._path, self._waiting, self._bytes = path, [head], len(head)

    def __enter__(self) -> Write:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise disk_error(error, f"creating {self._path}") from error
        return self._write

    def _write(self, record: bytes) -> None:
        self._waiting.append(record)
        self._bytes += len(record)
        if self._bytes >= _WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        disk.write_all(self._fd, b"".join(self._waiting), str(self._path))
        self._waiting, self._bytes = [], 0

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            if kind is None:
                self._flush()
                disk.sync_file(self._fd, str(self._path))
        finally:
            os.close(self._fd)
