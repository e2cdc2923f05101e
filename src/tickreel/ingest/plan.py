"""Paths, folders and globs to a list of files, each with its record type and target."""

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tickreel.errors import UsageError, disk_error
from tickreel.schema import MARKET_TYPES
from tickreel.sources.tardis_names import FileName, is_data_file, read_name


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file to import; `name` is what its path says, if it follows a convention."""

    path: Path
    type: str
    name: FileName | None


@dataclass(slots=True)
class Plan:
    """Files in the order of their paths, and what was passed over, by reason."""

    files: list[PlannedFile] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)


def plan_files(
    paths: Sequence[str], types: Iterable[str] = (), leave_out: Callable[[Path], bool] = lambda path: False
) -> Plan:
    """Return what to import. UsageError where nothing fits, or a file's type is not known.

    types  with one, it is the type of files whose path tells none, and only files of it are
           taken; with several, only files of these; with none, all
    leave_out  says of an absolute path whether it is never meant
    """
    wanted = tuple(types)
    for asked in wanted:
        if asked not in MARKET_TYPES:
            raise UsageError(f"--types {asked!r} is not a record type; known are {', '.join(MARKET_TYPES)}")
    plan = Plan()
    for path in _expand(paths):
        if leave_out(path):
            continue
        name = read_name(path.as_posix())
        record = name.type if name else (wanted[0] if len(wanted) == 1 else None)
        if record is None:
            raise UsageError(
                f"{path}: neither its folder nor its name tells the record type (a header does not: trades and"
                " liquidations share one); give it with --types trades, or name the file"
                " EXCHANGE_TYPE_YYYY-MM-DD_SYMBOL.csv.gz"
            )
        if wanted and record not in wanted:
            reason = f"{record}: not among --types"
            plan.passed_over[reason] = plan.passed_over.get(reason, 0) + 1
        else:
            plan.files.append(PlannedFile(path, record, name))
    if not plan.files:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in plan.passed_over.items())
        raise UsageError(
            f"nothing to import in {', '.join(paths)}"
            + (f" ({reasons})" if reasons else ": no .csv, .csv.gz or .csv.zst file there")
        )
    return plan


def _expand(paths: Sequence[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for text in paths:
        matches = (
            sorted(glob.glob(text, recursive=True))
            if glob.has_magic(text) and not os.path.exists(text)
            else [text]
        )
        if not matches:
            raise UsageError(f"{text}: no file matches")
        for match in matches:
            for path in _files_in(Path(match), asked=text):
                found[Path(os.path.abspath(path))] = None
    return list(found)


def _files_in(path: Path, asked: str) -> list[Path]:
    if path.is_dir():
        return sorted(
            Path(folder) / name
            for folder, _, names in os.walk(path, onerror=_refuse_to_pass_over)
            for name in names
            if is_data_file(name) and not name.startswith(".")
        )
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if not is_data_file(path.name):
        if glob.has_magic(asked):
            return []
        raise UsageError(f"{path}: its name must end in .csv, .csv.gz or .csv.zst")
    return [path]


def _refuse_to_pass_over(error: OSError) -> None:
    raise disk_error(error, f"listing {error.filename}") from error
