"""Keys of providers: a type that does not print, and the places where a key is looked for."""

import os
from collections.abc import Callable, Mapping
from typing import NoReturn

from tickreel.config.profile import Profile
from tickreel.errors import NetworkError

KEYRING_SERVICE = "tickreel"


class Key:
    """A secret with the place where it was found; whatever prints it prints the place."""

    __slots__ = ("_secret", "place")

    def __init__(self, secret: str, place: str) -> None:
        self._secret = secret
        self.place = place

    def reveal(self) -> str:
        """Return the secret: for the header of a request, and for taking it out of a text."""
        return self._secret

    def hide_in(self, text: str) -> str:
        """Return a text without the secret: what a server answers may repeat it."""
        return text.replace(self._secret, "[key]")

    def __repr__(self) -> str:
        return f"Key({self.place})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not stored or sent to other processes")


def find_key(
    profile: Profile,
    argument: str | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    ask_keyring: "Callable[[str], str | None] | None" = None,
) -> Key | None:
    """Return the key of a provider: the argument, else NAME_API_KEY, else the keyring's; None if it needs none.

    Raises NetworkError, before anything is asked, for an example's text in the place of a key, and where the
    provider answers nobody without one.
    """
    if profile.key.use == "never":
        return None
    for place, secret in _places(profile, argument, environment, ask_keyring or _from_keyring):
        if secret := (secret or "").strip():
            _refuse_what_is_no_key(profile, place, secret)
            return Key(secret, place)
    if profile.key.use == "always":
        raise NetworkError(
            f"{profile.name} answers nobody without a key, and {looked_for(profile)}; {_get_one(profile)}"
        )
    return None


def looked_for(profile: Profile) -> str:
    """Say where a key was looked for, when there is none."""
    keyring = f"the keyring (service {KEYRING_SERVICE}, user {profile.name})"
    try:
        _from_keyring(profile.name)
    except _NoKeyring as error:
        return f"there is none in the environment ({profile.variable}_API_KEY), and {keyring} {error}"
    return f"there is none in the environment ({profile.variable}_API_KEY) or {keyring}"


def renewal(profile: Profile) -> str:
    """Say where keys are made, "" if that is not known."""
    return f"keys are made and renewed at {profile.key.page}" if profile.key.page else ""


def _places(
    profile: Profile, argument: str | None, environment: Mapping[str, str], ask: Callable[[str], str | None]
) -> "list[tuple[str, str | None]]":
    variable = f"{profile.variable}_API_KEY"
    found = [("argument api_key", argument), (f"environment {variable}", environment.get(variable))]
    if any((secret or "").strip() for _, secret in found):
        return found
    try:
        secret = ask(profile.name)
    except _NoKeyring:
        # As good as none; `looked_for` says it where a key is needed.
        secret = None
    return [*found, (f"keyring, service {KEYRING_SERVICE}, user {profile.name}", secret)]


class _NoKeyring(Exception):
    """Why the keyring cannot be asked, as the end of a sentence."""


def _from_keyring(user: str) -> str | None:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise _NoKeyring("cannot be asked: install tickreel's extra keys for it") from None
    try:
        return keyring.get_password(KEYRING_SERVICE, user)
    except keyring.errors.KeyringLocked:
        raise _NoKeyring("is locked") from None
    except keyring.errors.NoKeyringError:
        raise _NoKeyring("is none that this machine has") from None
    except Exception as error:  # noqa: BLE001 - a backend is others' code, found by its name
        raise _NoKeyring(f"failed: {type(error).__name__}: {' '.join(str(error).split())}") from None


def _refuse_what_is_no_key(profile: Profile, place: str, secret: str) -> None:
    if secret in profile.key.placeholders:
        raise NetworkError(
            f"{place}: that is the placeholder of an example, no key of {profile.name}; {_get_one(profile)}"
        )
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise NetworkError(
            f"{place}: that is no key of {profile.name}: it has blanks, control or other than plain characters;"
            f" {_get_one(profile)}"
        )


def _get_one(profile: Profile) -> str:
    made = f"; {renewal(profile)}" if profile.key.page else ""
    return f"set {profile.variable}_API_KEY{made}"
