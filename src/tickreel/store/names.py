"""Names of feeds, exchanges and symbols as names of files: one to one, safe on every disk.

Letters of the usual case, digits and - _ . stand for themselves; every other byte of the UTF-8
text is %XX. So nothing climbs out of the store, and two names that differ in case alone never
meet on a case-blind disk. `readings` says what people mean who write a name.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePath

from tickreel.errors import InputError, UsageError
from tickreel.schema import GROUPS

MAX_NAME_BYTES = 200
_UPPER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LOWER = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}
_FEED = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_KEPT_NAMES = 4_096
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")


@lru_cache(_KEPT_NAMES)
def encode_symbol(symbol: str) -> str:
    """Return the folder name of a symbol; InputError if it is empty, too long or has control characters."""
    name = _encode(symbol, _UPPER, "symbol")
    return _escape_first(name) if symbol in GROUPS else name


@lru_cache(_KEPT_NAMES)
def encode_exchange(exchange: str) -> str:
    """Return the folder name of an exchange, as `encode_symbol` with the usual case lower."""
    return _encode(exchange, _LOWER, "exchange")


def decode_symbol(name: str) -> str:
    """Return the symbol whose folder name this is; ValueError if no symbol has it."""
    return _decode(name, encode_symbol)


def decode_exchange(name: str) -> str:
    """Return the exchange whose folder name this is; ValueError if no exchange has it."""
    return _decode(name, encode_exchange)


def readings(text: str, exchange: str | None = None) -> list[tuple[str | None, str]]:
    """Return what "SYMBOL" or "EXCHANGE:SYMBOL" may mean, as (exchange or None for any, symbol).

    exchange  that of the question; None: any
    Symbols have colons too: the first reading of which there is something counts, else the last, the usual one.
    """
    name, colon, symbol = text.partition(":")
    qualified = [(name, symbol)] if colon and exchange in (None, name) else []
    return [(exchange, text), *qualified]


def is_feed(name: str) -> bool:
    """Return whether a feed may have that name: lower-case letters, digits, - and _."""
    reserved = name.upper() in _DEVICES or name in ("primary", "rejects", "instruments")
    return bool(_FEED.fullmatch(name)) and not reserved


def check_feed(feed: str) -> str:
    """Return `feed` if it may name a folder, else UsageError."""
    if not is_feed(feed):
        raise UsageError(
            f"feed {feed!r} cannot name a folder; use up to 64 of a-z 0-9 - _, the first a letter or digit"
        )
    return feed


def safe_path(parts: list[str]) -> PurePath:
    """Join names that were encoded here."""
    return PurePath(*safe_parts(parts))


def safe_parts(parts: list[str]) -> list[str]:
    """Return names that were encoded here; the last guard against one that was not."""
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\0" in part or "\\" in part:
            raise UsageError(f"{part!r} cannot be part of a path inside the store")
    return parts


def _encode(text: str, literal: frozenset[int], what: str) -> str:
    if not text:
        raise InputError(f"{what} is empty; every row names one")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise InputError(f"{what} {text!r} has a control character")
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{what} {text!r} is not valid Unicode") from None
    name = "".join(chr(byte) if byte in literal else f"%{byte:02X}" for byte in raw)
    if name.split(".")[0].upper() in _DEVICES or name.startswith((".", "-")):
        name = _escape_first(name)
    if name.endswith("."):
        name = name[:-1] + "%2E"
    if len(name) > MAX_NAME_BYTES:
        raise InputError(
            f"{what} {text[:40]!r}... needs {len(name)} bytes as a file name; {MAX_NAME_BYTES} fit"
        )
    return name


def _decode(name: str, encode: Callable[[str], str]) -> str:
    raw = _ESCAPE.sub(lambda match: bytes.fromhex(match.group(1).decode()), name.encode("ascii"))
    text = raw.decode("utf-8")
    try:
        if encode(text) == name:
            return text
    except InputError:
        pass
    raise ValueError(f"{name!r} is not the folder name of anything")


def _escape_first(name: str) -> str:
    return f"%{ord(name[0]):02X}{name[1:]}"
