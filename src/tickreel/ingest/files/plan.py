"""Paths, folders and globs to a list of files, each with its record type and target."""

import errno
import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tickreel.errors import InputError, ReadError, UsageError, disk_error
from tickreel.ingest.files.gaps_beside import read_gaps
from tickreel.schema import MARKET_TYPES
from tickreel.sources.tardis_names import FileName, is_data_file, read_name
from tickreel.store.catalog import PRIMARY
from tickreel.store.format import Gap


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file to import; `name` is what its path says, if it follows a convention.

    path     absolute, links among its folders followed: the same file has one path
    lasting  name of what the file holds, if its path does not last
    problem  why it cannot be imported, if that is known; the path is then only for people
    gaps     what is known to be missing of it
    """

    path: Path
    type: str
    name: FileName | None
    problem: InputError | ReadError | None = None
    lasting: str = ""
    gaps: tuple[Gap, ...] = ()

    @property
    def source(self) -> str:
        """What the store calls it."""
        return self.lasting or str(self.path)


@dataclass(slots=True)
class Plan:
    """Files in the order of their paths, and what was passed over, by reason."""

    files: list[PlannedFile] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)

    def pass_over(self, reason: str) -> None:
        self.passed_over[reason] = self.passed_over.get(reason, 0) + 1


def plan_files(
    paths: Sequence[str], types: Iterable[str] = (), leave_out: Callable[[Path], bool] = lambda path: False
) -> Plan:
    """Return what to import. UsageError where nothing fits, or a file's type is not known.

    types  with one, it is the type of files whose path tells none, and only files of it are
           taken; with several, only files of these; with none, all
    leave_out  says of an absolute path whether it is never meant
    """
    wanted = tuple(types)
    for word in wanted:
        if word not in MARKET_TYPES:
            raise UsageError(f"--types {word!r} is not a record type; known are {', '.join(MARKET_TYPES)}")
    plan = Plan()
    for path, asked in _expand(paths, plan).items():
        if leave_out(path) or _is_reject(path):
            continue
        if problem := _problem(path):
            plan.files.append(PlannedFile(Path(_shown(path)), "", None, problem))
            continue
        name = read_name(asked.as_posix()) or read_name(path.as_posix())
        record = name.type if name else (wanted[0] if len(wanted) == 1 else None)
        if record is None:
            raise UsageError(
                f"{path}: neither its folder nor its name tells the record type (a header does not: trades and"
                " liquidations share one); give it with --types trades, or name the file"
                " EXCHANGE_TYPE_YYYY-MM-DD_SYMBOL.csv.gz"
            )
        if wanted and record not in wanted:
            plan.pass_over(f"files of {record}: not among --types")
        else:
            plan.files.append(_planned(path, record, name))
    if not plan.files:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in plan.passed_over.items())
        raise UsageError(
            f"nothing to import in {', '.join(paths)}"
            + (f" ({reasons})" if reasons else ": no .csv, .csv.gz or .csv.zst file there")
        )
    return plan


def _planned(path: Path, type: str, name: FileName | None) -> PlannedFile:
    """Return a file with what is known to be missing of it; what says so may be damaged."""
    try:
        return PlannedFile(path, type, name, gaps=tuple(read_gaps(path)))
    except (InputError, ReadError) as error:
        return PlannedFile(path, type, name, error)


def _expand(paths: Sequence[str], plan: Plan) -> dict[Path, Path]:
    """Return the files, each under its one path, with a path by which it was asked for."""
    found: dict[Path, Path] = {}
    for text in paths:
        if not text:
            raise UsageError("an empty path was given; name a file, a folder (. for this one) or a glob")
        matches = (
            sorted(glob.glob(text, recursive=True))
            if glob.has_magic(text) and not os.path.lexists(text)
            else [text]
        )
        if not matches:
            raise UsageError(f"{text}: no file matches")
        for match in matches:
            for path in _files_in(Path(match), plan, asked=text):
                asked = Path(os.path.abspath(path))
                found.setdefault(Path(os.path.realpath(asked.parent)) / asked.name, asked)
    return found


def _files_in(path: Path, plan: Plan, asked: str) -> list[Path]:
    if path.is_dir():
        return sorted(_walk(path, plan))
    if not os.path.lexists(path):
        raise UsageError(f"{path}: no such file or folder")
    if not is_data_file(path.name):
        if glob.has_magic(asked):
            return []
        raise UsageError(f"{path}: its name must end in .csv, .csv.gz or .csv.zst")
    return [path]


def _walk(top: Path, plan: Plan) -> Iterator[Path]:
    """Yield the data files below a folder, and the folders that may not be read."""
    closed: list[Path] = []

    def note(error: OSError) -> None:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise disk_error(error, f"listing {error.filename}") from error
        closed.append(Path(error.filename))

    for folder, folders, names in os.walk(top, onerror=note):
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                plan.pass_over("folders behind symbolic links: name them to import what they hold")
        yield from (Path(folder) / name for name in names if is_data_file(name) and not name.startswith("."))
    yield from closed


def _problem(path: Path) -> InputError | ReadError | None:
    """Return why something cannot be imported whatever it holds, None if nothing is known against it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return InputError(f"{_shown(path)}: its name is not UTF-8; rename it")
    if path.is_dir():
        return ReadError(f"{path}: the folder cannot be read; give this user the right to read it")
    return None


def _shown(path: Path) -> str:
    """Return a path as text, bytes that are not UTF-8 as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_reject(path: Path) -> bool:
    """Return whether a store keeps that file as rows that it set aside: those are no data."""
    return path.parent.name == "rejects" and (path.parent.parent.parent / PRIMARY).is_file()
