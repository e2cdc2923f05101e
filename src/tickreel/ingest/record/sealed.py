"""What stays of days that are sealed for good: which they are, and until when each part of a feed is known by them.

An exchange of which nothing has come since midnight is known by the day before alone, whose journal is gone.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tickreel.errors import disk_error
from tickreel.ingest.record.day_state import DayState
from tickreel.ingest.record.journal import Part
from tickreel.store import disk
from tickreel.units import NS_PER_DAY, day_start

SEALED = "sealed"
KNOWN = "known"


def sealed_days(folder: Path) -> set[str]:
    """Return the days of a feed that were sealed for good."""
    return set(_read(folder / SEALED).decode("ascii").split())


def read_known(folder: Path) -> dict[Part, int] | None:
    """Return until when it is known of each part what came and what is missing, by the days that are sealed, ns.

    None if the file is damaged, or days are sealed and it is not there.
    """
    data = _read(folder / KNOWN)
    if not data and not sealed_days(folder):
        return {}
    try:
        return dict(msgspec.json.decode(data, type=list[tuple[Part, int]]))
    except msgspec.DecodeError:
        return None


def known_by(state: DayState) -> list[tuple[Part, int | None]]:
    """Return until when parts are known by a day, and not beyond its end: there is the next day's journal.

    None for a part that was dropped: taken up again, it is new.
    """
    known: dict[Part, int] = {}
    for part, until_ns in state.known_until():
        known[part] = max(known.get(part, 0), min(until_ns, state.end_ns))
    gone = state.gone()
    return [(part, None if part in gone else until_ns) for part, until_ns in sorted(known.items())]


def note_sealed(folder: Path, day: str, known_by_it: Iterable[tuple[Part, int | None]]) -> None:
    """Write down, durably, that a day is sealed for good, and before that what is known by it.

    Nothing of the day is journalled any more.
    """
    known = read_known(folder) or {}
    for part, until_ns in known_by_it:
        if until_ns is not None:
            known[part] = max(known.get(part, 0), until_ns)
        elif known.get(part, 0) <= day_start(day) + NS_PER_DAY:
            known.pop(part, None)
    disk.write_file(folder / KNOWN, msgspec.json.encode(sorted(known.items())), folder)
    days = sorted(sealed_days(folder) | {day})
    disk.write_file(folder / SEALED, "".join(f"{day}\n" for day in days).encode(), folder)


def _read(path: Path) -> bytes:
    """Return the bytes of a file; none if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise disk_error(error, f"reading {path}") from error
