"""Opens a data file as a stream of text bytes, hashed and checked to its end."""

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tickreel.errors import InputError, read_error
from tickreel.ingest.files.zstd_frames import steps
from tickreel.ingest.gunzip import Damaged, Gunzip

_TEXT_BYTES = 1 << 20
_RAW_BYTES = 1 << 17
"""Smaller pieces are more calls a row, larger ones leave the cache between unpacking and parsing."""


class _HashedFile:
    """A file that hashes what is read from it."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.bytes = 0

    def read(self, count: int) -> bytes:
        data = self._file.read(count) or b""
        self.hash.update(data)
        self.bytes += len(data)
        return data


class TextFile:
    """The decompressed bytes of a .csv, .csv.gz or .csv.zst file, read once in pieces of some MiB.

    sha256, file_bytes  of the file itself, complete once `pieces` has ended
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sha256 = ""
        self.file_bytes = 0
        self._hashed: _HashedFile | None = None

    @property
    def bytes_read(self) -> int:
        """Return how far into the file the reading is."""
        return self._hashed.bytes if self._hashed else 0

    def pieces(self) -> Iterator[bytes]:
        """Yield the text. Raises InputError where the packed data is cut or damaged, ReadError if it cannot be read."""
        try:
            with open_source(self.path) as file:
                hashed = self._hashed = _HashedFile(file)
                if self.path.suffix == ".gz":
                    yield from self._gunzip(hashed)
                elif self.path.suffix == ".zst":
                    yield from self._unzstd(hashed)
                else:
                    while raw := hashed.read(_TEXT_BYTES):
                        yield raw
                while hashed.read(_TEXT_BYTES):
                    pass
                self.sha256, self.file_bytes = hashed.hash.hexdigest(), hashed.bytes
        except OSError as error:
            raise read_error(error, self.path) from error

    def _gunzip(self, file: _HashedFile) -> Iterator[bytes]:
        unpack = Gunzip()
        try:
            while raw := file.read(_RAW_BYTES):
                yield from unpack.feed(raw)
            yield from unpack.end()
        except Damaged as error:
            raise self._damaged(str(error), file) from None

    def _unzstd(self, file: _HashedFile) -> Iterator[bytes]:
        import zstandard

        unpack = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        frame, begun = unpack.decompressobj(), False
        try:
            for raw in steps(lambda: file.read(_RAW_BYTES)):
                while raw:
                    if text := frame.decompress(raw):
                        yield text
                    raw, begun = frame.unused_data if frame.eof else b"", not frame.eof
                    if frame.eof:
                        frame = unpack.decompressobj()
            if begun:
                raise self._damaged("cut zstd (it ends in its middle)", file)
        except zstandard.ZstdError as error:
            raise self._damaged(f"damaged zstd ({error})", file) from None

    def _damaged(self, what: str, file: _HashedFile) -> InputError:
        return InputError(f"{self.path}: {what}, within its first {file.bytes} bytes; fetch it again")


def open_source(path: Path) -> io.FileIO:
    """Open a file that was given; InputError if it is no file, at once where a pipe would wait."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError(f"{path}: is no file but a pipe or device; move it elsewhere")
    return io.FileIO(fd, "rb")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, streamed."""
    try:
        with open_source(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise read_error(error, path) from error
