"""What is known to be missing of a file of a day, in a file beside it: a csv cannot tell it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tickreel.errors import InputError, disk_error, read_error
from tickreel.store import disk
from tickreel.store.format import Gap

GAPS = ".gaps"
"""Added to the name of a day's file."""


def gaps_file(path: Path) -> Path:
    """Return where the gaps of a day lie, by the path of its file."""
    return path.with_name(path.name + GAPS)


def keep_gaps(path: Path, gaps: Sequence[Gap]) -> None:
    """Write durably what is missing of a day, before its file has its name; nothing lies there if nothing is."""
    target = gaps_file(path)
    if gaps:
        disk.write_file(target, msgspec.json.encode(gaps), target.parent)
        return
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, f"removing {target}") from error


def read_gaps(path: Path) -> list[Gap]:
    """Return what is missing of a day. Raises InputError where the file beside it is damaged, ReadError."""
    beside = gaps_file(path)
    try:
        return msgspec.json.decode(beside.read_bytes(), type=list[Gap])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise read_error(error, beside) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{beside}: damaged ({error}); remove it, with {path.name} where that can be downloaded again"
        ) from None
