"""Files of instruments into the store: every fact checked first, then each exchange's file replaced as a whole."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tickreel.errors import InputError, UsageError, disk_error
from tickreel.instruments.user_toml import parse_toml
from tickreel.sources.tardis_instruments import read_item, split_items
from tickreel.store.catalog import Store
from tickreel.store.instruments import (
    USER_FILE,
    exchange_file,
    item_line,
    read_file,
    split_lines,
    write_file,
)

_SUFFIXES = (".json", ".toml")


class InstrumentFile(msgspec.Struct):
    """What became of one file. refused: an error for each instrument that was left out."""

    path: str
    exchanges: list[str]
    instruments: int
    refused: list[str] = []


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
            reports.append(InstrumentFile(str(path), sorted({exchange for exchange, _ in facts}), len(facts)))
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
