"""CSV text on its way to a csv.gz: the same texts give the same bytes, however they came."""

from typing import Any

from isal import isal_zlib

from tickreel.store.disk import write_all

_GZIP = 31  # wbits of a gzip container, whose header then holds no time and no name
_LEVEL = 1
_TEXT_BYTES = 1 << 20


class PackedText:
    """Packs into an open file.

    name  of the file, for errors
    bytes  written so far; all of them once `finish` has been called
    Raises DiskError.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.bytes = 0
        self._fd, self._name = fd, name
        self._pack: Any = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP)
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def write(self, text: bytes) -> None:
        """Add a text; where it is cut into pieces depends on the texts alone."""
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        if self._waiting_bytes >= _TEXT_BYTES:
            self._write(self._pack.compress(b"".join(self._waiting)))
            self._waiting, self._waiting_bytes = [], 0

    def finish(self) -> None:
        self._write(self._pack.compress(b"".join(self._waiting)) + self._pack.flush())

    def _write(self, packed: bytes) -> None:
        write_all(self._fd, packed, self._name)
        self.bytes += len(packed)
