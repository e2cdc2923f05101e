"""Files of instruments into the store: every fact checked first, then each exchange's file replaced as a whole."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec

from tickreel.errors import InputError, TickreelError, UsageError, disk_error
from tickreel.instruments import dataset_symbol
from tickreel.instruments.user_toml import UserFacts, parse_toml
from tickreel.sources.tardis_instruments import read_item, split_items
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.instruments import (
    USER_FILE,
    exchange_file,
    item_line,
    read_file,
    split_lines,
    write_file,
)

_SUFFIXES = (".json", ".toml")
_MOST_HINTS = 20
"""Names for which a near one is looked for: among thousands that takes a while."""


class InstrumentFile(msgspec.Struct):
    """What became of one file.

    refused  an error for each instrument that was left out
    absent   of a .toml: EXCHANGE:SYMBOL of which the store has no data -> the name nearest to it that it has
    """

    path: str
    exchanges: list[str]
    instruments: int
    refused: list[str] = []
    absent: dict[str, str | None] = {}


def import_instruments(store: Store, paths: Sequence[str]) -> list[InstrumentFile]:
    """Put Tardis' instruments (.json) and the user's own (.toml) into the store; return a report of each file.

    An instrument of a .json takes the place of the one of the same exchange and symbol, others stay;
    a .toml takes the place of the one before it. Nothing is written if a file cannot be read.
    Raises UsageError, InputError, LockedError, DiskError.
    """
    reports: list[InstrumentFile] = []
    lines: dict[str, dict[str, bytes]] = {}
    user: bytes | None = None
    for path in map(Path, paths):
        if path.suffix not in _SUFFIXES:
            raise UsageError(f"{path}: instruments come as {' (Tardis) or '.join(_SUFFIXES)} (your own)")
        data = read_path(path)
        if path.suffix == ".toml":
            if user is not None:
                raise UsageError(f"{path}: a store keeps one .toml; put both into one file")
            facts = parse_toml(data, str(path))
            user = data
            exchanges = sorted({exchange for exchange, _ in facts})
            reports.append(InstrumentFile(str(path), exchanges, len(facts), absent=_absent(store, facts)))
        else:
            found, refused = _read_tardis(data, path)
            for exchange, symbols in found.items():
                lines.setdefault(exchange, {}).update(symbols)
            count = sum(map(len, found.values()))
            reports.append(InstrumentFile(str(path), sorted(found), count, refused))
    with store.writing() as place:
        for exchange, symbols in sorted(lines.items()):
            name = exchange_file(exchange)
            merged = split_lines(read_file(place, name) or b"") | symbols
            write_file(place, name, b"".join(merged[symbol] for symbol in sorted(merged)))
        if user is not None:
            write_file(place, USER_FILE, user)
    return reports


def read_path(path: Path) -> bytes:
    """Return the bytes of a user's file; UsageError if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error


def _absent(store: Store, facts: UserFacts) -> dict[str, str | None]:
    """Return the names of which the store has no data, whatever their case, each with the nearest that it has."""
    have, groups = set(), []
    for key in store.find():
        if key.grouped:
            groups.append(key)
        else:
            have.add((key.exchange, dataset_symbol(key.symbol)))
    missing = facts.keys() - have
    for key in sorted(groups, key=lambda key: key.day, reverse=True):
        # Only what is left is looked for in groups: they have to be opened.
        if any(exchange == key.exchange for exchange, _ in missing):
            have |= _grouped_names(store, key)
            missing -= have
    names = [f"{exchange}:{symbol}" for exchange, symbol in sorted(have)]
    absent: dict[str, str | None] = {}
    for name in (f"{exchange}:{symbol}" for exchange, symbol in facts if (exchange, symbol) in missing):
        near = get_close_matches(name, names, 1) if len(absent) < _MOST_HINTS else []
        absent[name] = near[0] if near else None
    return absent


def _grouped_names(store: Store, key: SegmentKey) -> set[tuple[str, str]]:
    """Return the symbols of a group, none if it is damaged: `check` tells of that."""
    try:
        return {(key.exchange, dataset_symbol(name)) for name in store.open(key).footer.names}
    except TickreelError:
        return set()


def _read_tardis(data: bytes, path: Path) -> tuple[dict[str, dict[str, bytes]], list[str]]:
    """Return exchange -> symbol -> line, and the errors of what was refused; InputError if all was."""
    found: dict[str, dict[str, bytes]] = {}
    refused = []
    for index, raw in enumerate(split_items(data, str(path))):
        try:
            instrument = read_item(raw, str(path), index=index)
            symbols = found.setdefault(instrument.exchange, {})
            if instrument.symbol in symbols:
                raise InputError(f"{path}[{index}].id: {instrument.symbol} is here twice; leave one out")
            symbols[instrument.symbol] = item_line(instrument.symbol, path.name, raw)
        except InputError as error:
            refused.append(str(error))
    if refused and not any(found.values()):
        raise InputError(refused[0] + (f"; and {len(refused) - 1:,} more" if len(refused) > 1 else ""))
    return found, refused
