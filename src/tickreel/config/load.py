"""Built-in profiles, the user's file and the environment to one Profile, with the origin of each value."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tickreel.config import tables
from tickreel.config.profile import Profile, check, check_names, variable_of
from tickreel.errors import InputError, UsageError, disk_error

BUILT_IN = "built in"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ON, _OFF = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile, and by dotted path where each of its values was written."""

    profile: Profile
    origins: Mapping[tables.Path, str]


def provider_names(*, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of all providers: the built-in ones, then those of the user's file."""
    return list(_Layers(environment).names())


def load_profile(name: str, *, environment: Mapping[str, str] = os.environ, use: bool = True) -> Loaded:
    """Return a provider's profile. UsageError for a name that is none, InputError for a value that cannot be.

    use  the provider is to be used: UsageError where the environment says that it must not be
    """
    layers = _Layers(environment)
    loaded = layers.load(name)
    if use and not loaded.profile.enabled:
        said = loaded.origins[name, "enabled"]
        raise UsageError(f"{name} is switched off by {said}; unset it, or name another --provider")
    return loaded


def user_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the user's profiles are: TICKREEL_CONFIG, else tickreel/providers.toml in XDG_CONFIG_HOME."""
    if path := environment.get("TICKREEL_CONFIG"):
        return Path(path).expanduser()
    home = environment.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(home) / "tickreel" / "providers.toml"


class _Layers:
    """The documents that profiles are put together from."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._built_in = tomllib.loads(
            resources.files(__package__).joinpath("providers.toml").read_text("utf-8")
        )
        self._file = user_file(environment)
        self._user = self._read_user()
        for name, table in self._user.items():
            self._check_entry(name, table)

    def names(self) -> dict[str, None]:
        return dict.fromkeys([*self._built_in, *self._user])

    def load(self, name: str) -> Loaded:
        if name not in self.names():
            raise UsageError(
                f"--provider {name}: known are {', '.join(self.names())}; others are tables of {self._file}"
            )
        origins: dict[tables.Path, str] = {}
        document: dict[str, Any] = {}
        for table, origin, owner in self._tables(name, ()):
            if _is_elsewhere(document, table):
                _leave_out(document, origins, (name, "stream", "url"))
                if owner == name not in self._built_in:
                    _leave_out(document, origins, (name, "key", "page"))
            _lay(document, table, (name,), origin, origins)
        said = self._from_environment(name, document)
        if "base_url" in said and _is_elsewhere(document, {"base_url": said["base_url"][0]}):
            _leave_out(document, origins, (name, "stream", "url"), written=BUILT_IN)
        for field, (value, origin) in said.items():
            document[field], origins[name, field] = value, origin

        def origin_of(path: tables.Path) -> str:
            below = (said for place, said in origins.items() if place[: len(path)] == path)
            return origins.get(path) or next(below, str(self._file))

        check_names(document, name, origin_of)
        profile = tables.build(Profile, document, (name,), origin_of, name=name)
        check(profile, origin_of)
        return Loaded(profile, origins)

    def _read_user(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._file.read_bytes().decode())
        except UnicodeDecodeError as error:
            line = self._file.read_bytes()[: error.start].count(b"\n") + 1
            raise InputError(f"{self._file}: line {line} is not UTF-8; save the file as UTF-8") from None
        except IsADirectoryError:
            raise UsageError(f"{self._file} is a folder; TICKREEL_CONFIG names a TOML file") from None
        except FileNotFoundError:
            if self._environment.get("TICKREEL_CONFIG"):
                raise UsageError(f"TICKREEL_CONFIG={self._file}: there is no such file") from None
            return {}
        except (ValueError, RecursionError) as error:  # not TOML, too deep
            raise InputError(f"{self._file}: {error}") from None
        except OSError as error:
            raise disk_error(error, f"reading {self._file}") from error

    def _check_entry(self, name: str, table: Any) -> None:
        if not _NAME.fullmatch(name):
            raise InputError(f"{self._file}: [{name}]: a provider's name has up to 64 of a-z 0-9 -")
        if not isinstance(table, dict):
            raise InputError(f"{self._file}: {name} = {table!r}: a table [{name}] belongs there")
        like = table.get("like")
        if name in self._built_in:
            if like is not None:
                raise InputError(f"{self._file}: [{name}] like = {like!r}: {name} is built in; leave it out")
        elif like is not None and (like not in self.names() or like == name):
            others = ", ".join(other for other in self.names() if other != name)
            raise InputError(f"{self._file}: [{name}] like = {like!r}: one of {others} belongs there")

    def _tables(self, name: str, asked: tuple[str, ...]) -> list[tuple[dict[str, Any], str, str]]:
        """Return the tables that make a provider, the first the lowest, each with its origin and whose it is."""
        if name in asked:
            raise InputError(
                f"{self._file}: [{name}] like leads back to itself: {' -> '.join((*asked, name))}"
            )
        user = self._user.get(name, {})
        mine = [({key: value for key, value in user.items() if key != "like"}, str(self._file), name)]
        if name in self._built_in:
            return [(self._built_in[name], BUILT_IN, name), *mine]
        return [*(self._tables(user["like"], (*asked, name)) if "like" in user else []), *mine]

    def _from_environment(self, name: str, document: dict[str, Any]) -> dict[str, tuple[Any, str]]:
        """Return what the environment says of a provider: field -> value and origin."""
        variable = variable_of(name)
        found: dict[str, tuple[Any, str]] = {}
        for field, word in (("base_url", "BASE_URL"), ("datasets_url", "DATASETS_URL")):
            if text := self._environment.get(f"{variable}_{word}", "").strip():
                found[field] = text, f"environment {variable}_{word}"
        if "base_url" in found and "datasets_url" in document:
            # Whoever stands in for the provider is asked for its files too: the paths do not collide.
            found.setdefault("datasets_url", found["base_url"])
        if text := self._environment.get(f"{variable}_ENABLED", "").strip():
            if text.lower() not in (*_ON, *_OFF):
                raise UsageError(
                    f"environment {variable}_ENABLED={text!r}: one of {', '.join((*_ON, *_OFF))}"
                )
            found["enabled"] = text.lower() in _ON, f"environment {variable}_ENABLED={text}"
        return found


def _is_elsewhere(below: dict[str, Any], table: dict[str, Any]) -> bool:
    """Return whether a table names another host than those below it."""
    before, now = below.get("base_url"), table.get("base_url")
    if not isinstance(before, str) or not isinstance(now, str):
        return False
    return urlsplit(before).hostname != urlsplit(now).hostname


def _leave_out(
    document: dict[str, Any],
    origins: dict[tables.Path, str],
    place: tables.Path,
    *,
    written: str | None = None,
) -> None:
    """Take out an address of a host that is not asked any more: it must not get another's key. written: only there."""
    _, table, key = place
    if written in (None, origins.get(place)) and key in document.get(table, {}):
        document[table] = {field: value for field, value in document[table].items() if field != key}
        origins.pop(place, None)


def _lay(
    below: dict[str, Any],
    table: dict[str, Any],
    path: tables.Path,
    origin: str,
    origins: dict[tables.Path, str],
) -> None:
    """Lay a table over another, key by key, and note where each value came from."""
    for key, value in table.items():
        place = (*path, key)
        if isinstance(value, dict) and isinstance(below.get(key, {}), dict):
            origins.setdefault(place, origin)
            below[key] = dict(below.get(key, {}))
            _lay(below[key], value, place, origin, origins)
        else:
            origins[place] = origin
            below[key] = value
