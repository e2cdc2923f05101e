"""What the path of a file tells about it: Tardis' dataset layout or the names that tardis-dev gives.

Layout   .../{exchange}/{type}/{YYYY}/{MM}/{DD}/{SYMBOL}.csv.gz
tardis-dev   {exchange}_{type}_{YYYY-MM-DD}_{SYMBOL}.csv.gz
Source: https://docs.tardis.dev/downloadable-csv-files (URL scheme; file names of the client).
"""

import re
from dataclasses import dataclass
from pathlib import PurePath

from tickreel.schema import GROUPS, MARKET_TYPES
from tickreel.units import day_start

SUFFIXES = (".csv.gz", ".csv.zst", ".csv")
_TYPES = "|".join(sorted(MARKET_TYPES, key=len, reverse=True))
_FLAT = re.compile(rf"(?P<exchange>[a-z0-9-]+)_(?P<type>{_TYPES})_(?P<day>\d{{4}}-\d\d-\d\d)_(?P<symbol>.+)")
_DEEP = re.compile(
    rf"(?:^|/)(?P<exchange>[^/]+)/(?P<type>{_TYPES})/(?P<y>\d{{4}})/(?P<m>\d\d)/(?P<d>\d\d)/(?P<symbol>[^/]+)$"
)


@dataclass(frozen=True, slots=True)
class FileName:
    """What a path says; `symbol` is as in the file name: upper case, / and : written as -."""

    type: str
    exchange: str
    symbol: str
    day: str

    @property
    def grouped(self) -> bool:
        return self.symbol in GROUPS


def is_data_file(name: str) -> bool:
    """Return whether a file name ends as Tardis' CSV files do."""
    return name.endswith(SUFFIXES)


def read_name(path: str) -> FileName | None:
    """Return what the path says, or None if it follows neither convention."""
    base = PurePath(path).as_posix()
    for suffix in SUFFIXES:
        if base.endswith(suffix):
            base = base.removesuffix(suffix)
            break
    else:
        return None
    match = _DEEP.search(base)
    day = "{y}-{m}-{d}".format(**match.groupdict()) if match else ""
    if not match:
        match = _FLAT.fullmatch(base.rsplit("/", 1)[-1])
        if not match:
            return None
        day = match["day"]
    try:
        day_start(day)
    except ValueError:
        return None
    return FileName(match["type"], match["exchange"], match["symbol"], day)
