"""Plain data to msgpack bytes and back: the only form in which anything crosses to a worker."""

from typing import Any

import msgspec

from tickreel.errors import UsageError

LIMIT_BYTES = 1_000_000
"""Most that the arguments or the result of one task may take; more goes through a file."""

_SCALARS = frozenset((type(None), bool, int, float, str, bytes))


def encode(value: Any, name: str) -> bytes:
    """Return the msgpack bytes of None, bool, int, float, str, bytes, list, tuple or dict with str keys.

    name  what the value is, for the message
    A tuple comes back as a list. Raises UsageError that names the part at fault: another type, an
    integer beyond 64 bits, a text that is not Unicode, or more than LIMIT_BYTES.
    """
    _require_plain(value, name)
    try:
        packed = msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError) as error:
        raise UsageError(f"{name}: {error}; give it as text or bytes") from None
    if len(packed) > LIMIT_BYTES:
        raise UsageError(
            f"{name} takes {len(packed):,} bytes, {LIMIT_BYTES:,} are allowed; "
            "write it to a file and hand over the file's name"
        )
    return packed


def decode(packed: bytes) -> Any:
    """Return the value that `encode` was given."""
    return msgspec.msgpack.decode(packed)


def _require_plain(value: Any, name: str) -> None:
    kind = type(value)
    if kind in _SCALARS:
        return
    if kind is list or kind is tuple:
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:
                _require_plain(item, f"{name}[{index}]")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise UsageError(f"{name}: the key {key!r} is {_named(type(key))}; keys are str")
            if type(item) not in _SCALARS:
                _require_plain(item, f"{name}[{key!r}]")
    else:
        raise UsageError(
            f"{name} is {_named(kind)}; only None, bool, int, float, str, bytes, list and dict cross to a "
            "worker: convert it (float(x), array.tolist()) or write it to a file"
        )


def _named(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
