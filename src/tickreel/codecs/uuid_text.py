"""Text that is a lower-case UUID (Bybit's trade ids) kept as its 16 bytes."""

import numpy as np

from tickreel.errors import CorruptionError

NAME, ID = "uuid_text", 5
_DASHES = [8, 13, 18, 23]
_HEX = np.array([i for i in range(36) if i not in _DASHES])
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_VALUE = np.full(256, 255, np.uint8)
_VALUE[_DIGITS] = np.arange(16)


def encode(values: np.ndarray) -> bytes | None:
    if values.dtype.itemsize != 36 or not len(values):
        return None
    letters = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), 36)
    nibbles = _VALUE[letters[:, _HEX]]
    if (nibbles == 255).any() or (letters[:, _DASHES] != ord("-")).any():
        return None
    return ((nibbles[:, 0::2] << 4) | nibbles[:, 1::2]).astype(np.uint8).tobytes()


def decode(data: memoryview, out: np.ndarray) -> None:
    if out.dtype.itemsize != 36 or len(data) != 16 * len(out):
        raise CorruptionError(f"uuid_text: {len(data)} bytes for {len(out)} ids of {out.dtype.itemsize}")
    packed = np.frombuffer(data, np.uint8).reshape(len(out), 16)
    letters = np.full((len(out), 36), ord("-"), np.uint8)
    letters[:, _HEX[0::2]] = _DIGITS[packed >> 4]
    letters[:, _HEX[1::2]] = _DIGITS[packed & 15]
    out[:] = letters.reshape(-1).view("S36")
