"""Integers in few bits each, side by side, with what does not fit put in later: fast to decode.

A value, or its distance from the one before, is cut into up to three layers: its lowest bits; where
there are more, the next ones; and the rest. Each layer is packed with one width for the block, and a
bit a value says whether it goes on in the next. So widths follow what is usual, and jumps cost their own
bits alone: patched frame of reference (Zukowski et al., Super-Scalar RAM-CPU Cache Compression, ICDE 2006)
with bitmaps in place of lists. Any 4,096 values can be decoded on their own. FORMAT.md draws the layout.
"""

import numpy as np

from tickreel.codecs.steps import common_steps
from tickreel.errors import CorruptionError

NAME, ID = "patched", 7
ROWS_ALONE = 4_096
"""Rows that are decoded by themselves."""


def encode(values: np.ndarray, bounds: tuple[int, int] | None = None) -> bytes | None:
    """None for floats, for no values and for values 2^62 or more apart."""
    from tickreel.codecs import patched_kernel as k

    found = common_steps(values, bounds)
    if found is None:
        return None
    head, steps = np.zeros(k.HEAD, np.int64), found[2]
    head[[k.BASE, k.STEP]] = found[:2]
    packed = _packed(steps, head)
    firsts = steps[:: k.PIECE] if head[k.MODE] != k.VALUE else steps[:0]
    tables = _layers(packed, head)
    return head.tobytes() + b"".join(_padded(table.tobytes()) for table in (firsts, *tables))


def decode(data: memoryview, out: np.ndarray) -> None:
    decode_rows(data, len(out), 0, out)


def landmarks(data: memoryview, rows: int) -> np.ndarray:
    """Return the values of the rows ROWS_ALONE, 2 x ROWS_ALONE ..., int64, which need no decoding."""
    from tickreel.codecs import patched_kernel as k

    count = -(-rows // ROWS_ALONE)
    longs = np.frombuffer(data, np.int64) if not len(data) % 8 else np.empty(0, np.int64)
    if len(longs) < k.HEAD + count:
        raise CorruptionError(f"patched: {len(data)} bytes are no block of {rows} values")
    if longs[k.MODE] == k.VALUE:
        values = np.empty(count, np.int64)
        for place in range(1, count):
            decode_rows(data, rows, place * ROWS_ALONE, values[place : place + 1])
        return values[1:]
    return longs[k.BASE] + longs[k.STEP] * longs[k.HEAD + 1 : k.HEAD + count]


def decode_rows(data: memoryview, rows: int, start: int, out: np.ndarray) -> None:
    """Write the values [start, start + len(out)) of the `rows` that were encoded."""
    from tickreel.codecs import patched_kernel as k

    if rows and not len(data) % 8 and out.dtype == np.int64:
        longs = np.frombuffer(data, np.uint64)
        if k.decode_rows(longs, rows, start, out):
            return
    raise CorruptionError(f"patched: {len(data)} bytes are no block of {rows} values")


def decode_floats(
    data: memoryview, rows: int, start: int, power: float, inverse: float, out: np.ndarray
) -> None:
    """Write the same values as `decode_rows`, divided by a power of ten: float64[n]."""
    from tickreel.codecs import patched_kernel as k

    if rows and not len(data) % 8 and out.dtype == np.float64:
        longs = np.frombuffer(data, np.uint64)
        if k.decode_floats(longs, rows, start, power, inverse, out):
            return
    raise CorruptionError(f"patched: {len(data)} bytes are no block of {rows} values")


def _packed(steps: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Return what the mode packs that needs the fewest bits; mode, layers and widths go to the head."""
    from tickreel.codecs import patched_encode_kernel as e
    from tickreel.codecs import patched_kernel as k

    leasts = {k.DELTA: e.least_delta(steps), k.ZIGZAG: 0, k.VALUE: 0}
    mode = _mode(steps, leasts)
    packed = np.empty(len(steps), np.uint64)
    e.residuals(steps, mode, leasts[mode], packed)
    counts, widths = np.zeros((4, 65), np.int64), np.zeros(3, np.int64)
    e.count_lengths(packed, counts)
    layers, _ = e.best_widths(counts.sum(axis=0), widths)
    head[[k.MODE, k.LAYERS, k.LEAST]] = mode, layers, leasts[mode]
    head[k.WIDTH : k.WIDTH + 3] = widths
    return packed


def _mode(steps: np.ndarray, leasts: dict[int, int]) -> int:
    """Return the mode that needs the fewest bits, as far as a sample tells."""
    from tickreel.codecs import patched_encode_kernel as e

    bits, widths = {}, np.zeros(3, np.int64)
    for mode, least in leasts.items():
        counts = np.zeros(65, np.int64)
        e.sample_lengths(steps, mode, least, counts)
        _, bits[mode] = e.best_widths(counts, widths)
    return min(bits, key=bits.__getitem__)


def _layers(packed: np.ndarray, head: np.ndarray) -> list[np.ndarray]:
    """Return where pieces begin in the upper layers, the words of all layers, their bits; counts go to the head."""
    from tickreel.codecs import patched_encode_kernel as e
    from tickreel.codecs import patched_kernel as k

    places = np.arange(0, len(packed), k.PIECE, dtype=np.uint32)
    starts, words, bits = [], [], []
    for layer in range(head[k.LAYERS]):
        width = head[k.WIDTH + layer]
        head[k.COUNT + layer] = len(packed)
        low, high = np.empty(len(packed), np.uint32), np.empty(len(packed), np.uint64)
        flags = np.zeros(-(-len(packed) // 64), np.uint64)
        count = e.split(packed, width, low, flags, high)
        words.append(np.zeros(k.word_count(len(packed), width), np.uint32))
        e.pack(low, width, words[-1])
        if layer + 1 < head[k.LAYERS]:
            begin = np.empty(len(places), np.uint32)
            e.ranks(flags, places, begin)
            starts.append(begin)
            bits.append(flags)
            places, packed = begin, high[:count]
    return [*starts, *words, *bits]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)
