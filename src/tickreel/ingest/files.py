"""Opens a data file as a stream of text bytes, hashed and checked to its end."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tickreel.errors import InputError, disk_error

_TEXT_BYTES = 1 << 22


class _HashedFile(io.RawIOBase):
    """A file that hashes what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.hash.update(memoryview(buffer)[:count])
        self.bytes += count
        return count


class TextFile:
    """The decompressed bytes of a .csv, .csv.gz or .csv.zst file, read once in pieces of some MiB.

    sha256, file_bytes  of the file itself, complete once `pieces` has ended
    proven_whole        whether the container shows that nothing was cut off (gzip, zstd)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sha256 = ""
        self.file_bytes = 0
        self._hashed: _HashedFile | None = None
        self.proven_whole = path.suffix in (".gz", ".zst")

    @property
    def bytes_read(self) -> int:
        """Return how far into the file the reading is."""
        return self._hashed.bytes if self._hashed else 0

    def pieces(self) -> Iterator[bytes]:
        """Yield the text. Raises InputError where the compressed data is cut or damaged."""
        try:
            with open(self.path, "rb", buffering=0) as file:
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
            raise disk_error(error, f"reading {self.path}") from error

    def _gunzip(self, file: _HashedFile) -> Iterator[bytes]:
        from isal import igzip, isal_zlib

        try:
            reader = igzip.IGzipFile(fileobj=file, mode="rb")
            while text := reader.read(_TEXT_BYTES):
                yield text
        except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]
            raise self._damaged("gzip", file, error) from None

    def _unzstd(self, file: _HashedFile) -> Iterator[bytes]:
        import zstandard

        try:
            unpack = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            while raw := file.read(1 << 18):
                frame = unpack.decompressobj()
                while raw:
                    if text := frame.decompress(raw):
                        yield text
                    if frame.eof:
                        raw = frame.unused_data
                        frame = unpack.decompressobj()
                        whole = not raw
                    else:
                        raw, whole = file.read(1 << 18), False
                if not whole:
                    raise self._damaged("zstd", file, EOFError("it ends in its middle"))
        except zstandard.ZstdError as error:
            raise self._damaged("zstd", file, error) from None

    def _damaged(self, kind: str, file: _HashedFile, error: Exception) -> InputError:
        what = "cut" if isinstance(error, EOFError) else "damaged"
        return InputError(
            f"{self.path}: {what} {kind} within its first {file.bytes} bytes ({error}); fetch it again"
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, streamed."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
