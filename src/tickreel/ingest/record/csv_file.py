"""CSV text on its way to a packed file; the same text gives the same bytes."""

from pathlib import Path

from tickreel.errors import disk_error

_TEXT_BYTES = 1 << 20


class CsvFile:
    """Used as `with CsvFile(path) as file`; it must not be there yet. Raises DiskError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []
        self._waiting_letters = 0

    def __enter__(self) -> "CsvFile":
        import zstandard

        try:
            self._file = open(self.path, "xb")
        except OSError as error:
            raise disk_error(error, f"creating {self.path}") from error
        self._pack = zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
        return self

    def write(self, text: str) -> None:
        self._waiting.append(text)
        self._waiting_letters += len(text)
        if self._waiting_letters >= _TEXT_BYTES:
            self._flush()

    def _flush(self, *, last: bool = False) -> None:
        text = "".join(self._waiting).encode("utf-8", "surrogatepass")
        self._waiting, self._waiting_letters = [], 0
        try:
            self._file.write(self._pack.compress(text) + (self._pack.flush() if last else b""))
        except OSError as error:
            raise disk_error(error, f"writing {self.path}") from error

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            if kind is None:
                self._flush(last=True)
        finally:
            self._file.close()
