"""Cuts zstd data so that no piece unpacks to more than some MiB, however well it is packed."""

from collections.abc import Callable, Iterator

_BLOCKS = 32
"""So many blocks, of at most 128 KiB of text each, end in a piece."""
_MAGIC = 0xFD2FB528
_SKIPPED = 0x184D2A50
_MOST_HEADER = 18


def steps(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Yield what `read` gives, until it gives nothing, in pieces in which a few blocks end.

    Only lengths are looked at: whether the data are sound is for the unpacker to say, so what is no
    zstd passes as it is.
    """
    walk = _Walk()
    rest = b""
    while more := read():
        data, start = rest + more, 0
        while cut := walk.cut(data, start):
            yield data[start : start + cut]
            start += cut
        rest = data[start:]
    if rest:
        yield rest


class _Walk:
    """How far the next header is from the bytes that were passed on last."""

    def __init__(self) -> None:
        self._ahead = 0
        self._in_frame = False
        self._checksum = 0

    def cut(self, data: bytes, start: int) -> int:
        """Return how many bytes of data[start:] make a piece; 0: more have to be read."""
        at = start + self._ahead
        for _ in range(_BLOCKS):
            if at + _MOST_HEADER > len(data):
                break
            at += self._block(data, at) if self._in_frame else self._frame(data, at)
        # A header that is not whole waits; the body of a block is passed on as it comes.
        stop = min(at, len(data))
        self._ahead = at - stop
        return stop - start

    def _block(self, data: bytes, at: int) -> int:
        head = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = head & 1, head >> 1 & 3, head >> 3
        self._in_frame = not last
        return 3 + (1 if kind == 1 else size) + (self._checksum if last else 0)

    def _frame(self, data: bytes, at: int) -> int:
        magic = int.from_bytes(data[at : at + 4], "little")
        if magic & 0xFFFFFFF0 == _SKIPPED:
            return 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if magic != _MAGIC:
            return len(data) - at
        flags = data[at + 4]
        single = flags >> 5 & 1
        content = (single, 2, 4, 8)[flags >> 6]
        self._in_frame, self._checksum = True, 4 * (flags >> 2 & 1)
        return 5 + (not single) + (0, 1, 2, 4)[flags & 3] + content
