"""Tables of a TOML file to frozen structs, every key and value checked, with its place in the error."""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from tickreel.errors import InputError

Path = tuple[str, ...]
"""Keys from the top of the document down to a value."""

Origin = Callable[[Path], str]
"""Says where a value was written: a file, a variable."""

S = TypeVar("S", bound=msgspec.Struct)


def build(kind: type[S], table: Any, path: Path, origin: Origin, **given: Any) -> S:
    """Return a table as a struct; InputError names file, table, key, the value found and what belongs there.

    given  fields that a table does not hold
    """
    hints = {
        name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name not in given
    }
    if not isinstance(table, dict):
        raise wrong(path, table, "a table", origin)
    for key in table:
        if key not in hints:
            raise InputError(
                f"{origin((*path, key))}: [{_dotted(path)}] {key!r} is no key; {_near(key, hints)}"
            )
    values = dict(given)
    for field in msgspec.structs.fields(kind):
        if field.name in table:
            values[field.name] = _value(hints[field.name], table[field.name], (*path, field.name), origin)
        elif field.required and field.name not in given:
            allowed = _allowed(hints[field.name])
            raise InputError(
                f"{origin(path)}: [{_dotted(path)}] {field.name} is missing; {allowed} belongs there"
            )
    return kind(**values)


def wrong(path: Path, value: Any, allowed: str, origin: Origin) -> InputError:
    """Return the error of a value that cannot be."""
    table, key = _dotted(path[:-1]), path[-1]
    return InputError(f"{origin(path)}: [{table}] {key} = {_shown(value)}: {allowed} belongs there")


def _value(hint: Any, value: Any, path: Path, origin: Origin) -> Any:
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return build(bare, value, path, origin)
    if get_origin(bare) is dict:
        if not isinstance(value, dict):
            raise wrong(path, value, "a table", origin)
        return {key: _value(get_args(bare)[1], item, (*path, key), origin) for key, item in value.items()}
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError:
        raise wrong(path, value, _allowed(hint), origin) from None


def _allowed(hint: Any) -> str:
    """Return what belongs in a field, in words."""
    if get_origin(hint) is Annotated:
        described = [meta.description for meta in hint.__metadata__ if getattr(meta, "description", None)]
        return described[0] if described else _allowed(get_args(hint)[0])
    if get_origin(hint) is Literal:
        *most, last = map(repr, get_args(hint))
        return f"{', '.join(most)} or {last}" if most else last
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "a table"
    return {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}.get(
        hint, "a list of texts"
    )


def _near(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else repr(value)


def _dotted(path: Path) -> str:
    return ".".join(path)
