"""What crosses between the process that imports and a worker that stages a file."""

from pathlib import Path
from typing import Any

import msgspec

from tickreel.codecs.choice import Purpose
from tickreel.ingest.files.open_segment import Staged
from tickreel.store.format import BLOCK_ROWS, Finding
from tickreel.store.gaps import Missed


class FileTask(msgspec.Struct, frozen=True):
    """What a worker needs to know to stage one file.

    group       the group's name if all symbols go into one segment a day, else ""
    expected    [exchange, symbol as in file names, day] that the path says, or None
    known       sha256 of the parts that the target segment has already
    staging     folder of this task, not yet there
    source      lasting name of what the file holds, if its path does not last
    odd, gaps   what is known of the source besides
    looked_at   (exchange, symbol, day) of segments that it makes even without a row
    """

    path: str
    feed: str
    type: str
    group: str
    expected: tuple[str, str, str] | None
    known: list[str]
    strict: bool
    staging: str
    block_rows: int = BLOCK_ROWS
    optimise: Purpose = "balanced"
    source: str = ""
    odd: dict[str, Finding] = {}
    gaps: list[Missed] = []
    looked_at: list[tuple[str, str, str]] = []


class FileResult(msgspec.Struct):
    """What became of a file: lines = rows + set_aside's counts, always.

    path      the file's, or its lasting name
    local     whether the rows carry local times; without, days and order are those of exchange time
    segments  the one that the file's name says, if any, is the last
    """

    path: str
    sha256: str
    bytes: int
    skipped: bool = False
    lines: int = 0
    rows: int = 0
    local: bool = True
    segments: list[Staged] = []
    set_aside: dict[str, Finding] = {}
    odd: dict[str, Finding] = {}
    rejects_file: str = ""


def staged_result(answer: dict[str, Any]) -> FileResult:
    """Return what a worker's answer tells of a file."""
    packed = answer["result"] if "result" in answer else Path(answer["file"]).read_bytes()
    return msgspec.msgpack.decode(packed, type=FileResult)
