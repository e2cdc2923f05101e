"""Tardis' HTTP API: addresses, and what its answers say of days; pure.

Sources: https://docs.tardis.dev/api/http-api-reference and /downloadable-csv-files; the official clients' code for
what those do not say (names of files and of their cache, order of filters).
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tickreel.errors import UsageError
from tickreel.instruments import dataset_symbol
from tickreel.units import NS_PER_S, day_of, format_time, parse_time

_UNSAFE = re.compile(r'[:\\/?*<>|"]')
_MINUTE_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True, order=True)
class DayFile:
    """One day of one symbol, or group of symbols: what a CSV file of Tardis holds."""

    exchange: str
    type: str
    symbol: str
    day: str

    @property
    def path(self) -> str:
        """EXCHANGE/TYPE/YYYY/MM/DD/SYMBOL.csv.gz, as the datasets are laid out."""
        return f"{self.exchange}/{self.type}/{self.day.replace('-', '/')}/{_safe(dataset_symbol(self.symbol))}.csv.gz"

    @property
    def name(self) -> str:
        """The file name that Tardis' own client gives."""
        return _safe(f"{self.exchange}_{self.type}_{self.day}_{dataset_symbol(self.symbol)}.csv.gz")

    def source(self, provider: str) -> str:
        """The lasting name of the file in a store: the same whatever host it came from."""
        return f"{provider}://{self.path}"

    def __str__(self) -> str:
        return f"{self.exchange} {self.type} {self.symbol} {self.day}"


def file_url(base: str, file: DayFile) -> str:
    """Return where a day's file is downloaded."""
    symbol = quote(dataset_symbol(file.symbol), safe="")
    parts = (quote(file.exchange, safe=""), file.type, *file.day.split("-"), f"{symbol}.csv.gz")
    return "/".join((base.rstrip("/"), *parts))


def api_url(base: str, *parts: str, **query: str) -> str:
    """Return an address of the API: "exchanges", "api-key-info" ..."""
    path = "/".join((base.rstrip("/"), *(quote(part, safe="") for part in parts)))
    return f"{path}?{urlencode(query)}" if query else path


@dataclass(frozen=True, slots=True)
class Availability:
    """What /exchanges/{exchange} says of the days that there are; times are ns UTC, None: not said.

    until_ns   the first time that is not exported yet
    symbols    (dataset symbol, type) -> (since, to)
    """

    since_ns: int | None
    until_ns: int | None
    symbols: dict[tuple[str, str], tuple[int | None, int | None]]

    def refuses(self, file: DayFile) -> str:
        """Return why a day is not there, "" if it may be."""
        day_ns = parse_time(file.day)
        if self.until_ns is not None and day_ns >= self.until_ns:
            return f"not yet exported: {file.exchange} is, up to {format_time(self.until_ns)}"
        since, to = self.symbols.get((dataset_symbol(file.symbol), file.type), (None, None))
        since = self.since_ns if since is None else since
        if since is not None and day_of(day_ns) < day_of(since):
            return f"before its first day, {day_of(since)}"
        if to is not None and day_ns > to:
            return f"after its last day, {day_of(to)}"
        return ""


def read_availability(details: Any) -> Availability:
    """Return what an answer of /exchanges/{exchange} says; what it does not say, or not as it should, is not known."""
    sets = _mapping(_mapping(details).get("datasets"))
    symbols = {}
    for entry in _list(sets.get("symbols")):
        one = _mapping(entry)
        for type in _list(one.get("dataTypes")):
            key = (dataset_symbol(str(one.get("id", ""))), str(type))
            symbols[key] = (_time(one.get("availableSince")), _time(one.get("availableTo")))
    return Availability(_time(sets.get("exportedFrom")), _time(sets.get("exportedUntil")), symbols)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _time(value: Any) -> int | None:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except UsageError:
        return None


def _safe(name: str) -> str:
    return _UNSAFE.sub("-", name)
