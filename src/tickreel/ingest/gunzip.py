"""Unpacks gzip as its bytes come, in pieces of bounded size, and knows whether it came to its end."""

from collections.abc import Iterator
from typing import Any

_TEXT_BYTES = 1 << 18
_MAGIC = b"\x1f\x8b"


class Damaged(ValueError):
    """What was fed is no gzip, is damaged, or ends in its middle; its text says which."""


class Gunzip:
    """One gzip file of any number of members, with zeros between and after them as padding."""

    def __init__(self) -> None:
        self._member: Any = None
        self._begun = False

    def feed(self, raw: bytes) -> Iterator[bytes]:
        """Yield what some bytes unpack to, in pieces of at most 256 KiB. Raises Damaged."""
        from isal import igzip_lib

        try:
            while raw:
                if self._member is None and not (raw := self._begin(raw)):
                    return
                while not self._member.eof and (raw or not self._member.needs_input):
                    text = self._member.decompress(raw, _TEXT_BYTES)
                    raw = b""
                    if text:
                        yield text
                if self._member.eof:
                    raw, self._member = self._member.unused_data, None
        except igzip_lib.error as error:  # type: ignore[misc]
            raise Damaged(f"damaged gzip ({error})") from None

    def end(self) -> Iterator[bytes]:
        """Yield what is left when all is fed. Raises Damaged if the last member has not come to its end."""
        while self._member and (text := self._member.decompress(b"", _TEXT_BYTES)):
            yield text
        if self._member and not self._member.eof:
            raise Damaged("cut gzip (it ends in its middle)")

    def _begin(self, raw: bytes) -> bytes:
        """Begin the member that some bytes begin with, and return them without the padding before it."""
        from isal import igzip_lib

        raw = raw.lstrip(b"\0") if self._begun else raw
        if raw and raw[:2] != _MAGIC[: len(raw)]:
            raise Damaged("other bytes follow the end of its gzip" if self._begun else "is no gzip")
        if raw:
            self._member, self._begun = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), True
        return raw
