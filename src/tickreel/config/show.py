"""A profile as TOML, each line with the origin of its value."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tickreel.config.load import Loaded
from tickreel.config.tables import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(loaded: Loaded) -> str:
    """Return the effective profile: what a user's providers.toml would have to say for the same.

    A comment names where a value was written; a line without one is the default of all providers.
    """
    profile = loaded.profile
    document = {key: value for key, value in msgspec.to_builtins(profile).items() if key != "name"}
    return "\n".join(_lines(document, (profile.name,), loaded)).strip() + "\n"


def values(loaded: Loaded) -> dict[str, Any]:
    """Return the effective profile as plain data: {"value", "origin"} by dotted key."""
    found: dict[str, Any] = {}
    profile = loaded.profile
    for path, value in _leaves(msgspec.to_builtins(profile), (profile.name,)):
        if path[1:] != ("name",):
            found[".".join(path[1:])] = {"value": value, "origin": loaded.origins.get(path, "default")}
    return found


def _leaves(table: dict[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _lines(table: dict[str, Any], path: Path, loaded: Loaded) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    plain = {key: value for key, value in table.items() if key not in inner}
    if plain:
        yield f"\n[{'.'.join(map(_key, path))}]"
    for key, value in plain.items():
        origin = loaded.origins.get((*path, key))
        yield f"{_key(key)} = {_text(value)}" + (f"  # {origin}" if origin else "")
    for key, value in inner.items():
        yield from _lines(value, (*path, key), loaded)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    # JSON's texts are TOML's basic strings, save that TOML wants DEL escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
