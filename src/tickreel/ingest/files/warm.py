"""Compiles, or loads from the cache, all that an import needs, on a few made-up rows."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tickreel.ingest.files.stage import stage_file
from tickreel.ingest.files.stage_task import FileTask, staged_result
from tickreel.store.reader import Segment

_ROWS = """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
x,A,1704067200000000,1704067200000000,1,buy,1.5,1
x,B,1704067200000001,1704067200000001,2,sell,2.25,0.001
x,A,1704067200000000,1704067200000000,2,unknown,1.5,1
"""


def warm_up(arguments: dict[str, Any], progress: Callable[..., None]) -> None:
    """Stage a few rows, out of order and of two symbols, and read them; the task of one worker.

    It runs alone before the others start, so that no two compile the same thing at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        file.write_text(_ROWS)
        task = FileTask(
            path=str(file), feed="x", type="trades", group="", expected=None, known=[], strict=False,
            staging=f"{folder}/staging",
        )  # fmt: skip
        answer = stage_file(msgspec.to_builtins(task), lambda **numbers: None)
        for staged in staged_result(answer).segments:
            Segment.open(Path(staged.file)).read("id", 0)
