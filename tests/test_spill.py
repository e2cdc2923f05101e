"""Spilled files: the same bytes whatever the sizes of runs, chunks and merges; nothing left, memory bounded."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import venue_files
from counts import SOAK
from import_sample import contents, fast_folder, put, take, trade, trades
from tickreel.errors import DiskError
from tickreel.ingest.files import run, spill, stage
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.ingest.files.run import Run
from tickreel.store.catalog import Store

LINUX = sys.platform == "linux"
BOUND_MIB = 500


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


def sized(*, run_bytes: int, chunk_bytes: int, fan: int, step: int) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(patch.object(spill, "RUN_BYTES", run_bytes))
    stack.enter_context(patch.object(run, "CHUNK_BYTES", chunk_bytes))
    stack.enter_context(patch.object(spill, "FAN", fan))
    stack.enter_context(patch.object(spill, "STEP_CHUNKS", step))
    return stack


@pytest.mark.parametrize(
    ("venue", "type", "group"),
    [
        ("deribit", "options_chain", "OPTIONS"), ("bybit", "trades", "PERPETUALS"),
        ("binance-futures", "book_snapshot_25", "PERPETUALS"), ("okex-swap", "derivative_ticker", "PERPETUALS"),
    ],
)  # fmt: skip
def test_sizes_change_no_byte(tmp_path: Path, venue: str, type: str, group: str) -> None:
    path = venue_files.write(tmp_path, venue, type, group, rows=300)
    take(tmp_path / "whole", path)
    with sized(run_bytes=20_000, chunk_bytes=2_000, fan=2, step=1):
        take(tmp_path / "small", path)
    assert contents(tmp_path / "small") == contents(tmp_path / "whole")


def many_names(folder: Path, rows: int) -> Path:
    lines = [trade(n, symbol=f"S{n * 7919 % 5_003:05d}", exchange="deribit") for n in range(rows)]
    return put(folder / str(rows) / "deribit_trades_2024-01-01_OPTIONS.csv.gz", trades(*lines))


def test_the_work_grows_with_the_rows_alone(tmp_path: Path) -> None:
    """Many runs of many names: each chunk is read once per level, and few files are open at a time."""
    work: dict[int, int] = {}
    for rows in (10_000, 20_000):
        path = many_names(tmp_path, rows)
        with sized(run_bytes=50_000, chunk_bytes=8_000, fan=64, step=16):
            work[rows] = calls(lambda path=path, rows=rows: take(tmp_path / f"tape{rows}", path))
    assert work[20_000] < 2.2 * work[10_000]


def calls(function: Callable[[], Any]) -> int:
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_runs_have_no_names_and_are_closed_however_it_ends(tmp_path: Path) -> None:
    path, store = many_names(tmp_path, 3_000), Store(tmp_path / "tape")
    most, reads = 0, []
    read = Run.read

    def spy(self: Run, chunk: Any) -> Any:
        nonlocal most
        assert not list(store.root.rglob("*.run"))
        most = max(most, len(_descriptors()))
        reads.append(chunk)
        if len(reads) > 40 and fails:
            raise DiskError("failed")
        return read(self, chunk)

    before = _descriptors()
    for fails in (True, False):
        with sized(run_bytes=10_000, chunk_bytes=2_000, fan=3, step=2), patch.object(Run, "read", spy):
            if fails:
                with pytest.raises(DiskError):
                    import_files(store, [str(path)], ImportSettings(workers=1))
            else:
                assert take(store, path).exit_code == 0
        assert _descriptors() == before
        assert not list(store.root.glob(".staging/*"))
    assert most - len(before) < 30


def _descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd" if LINUX else "/dev/fd"))


def test_progress_goes_on_while_the_sorted_rows_are_written(tmp_path: Path) -> None:
    path = many_names(tmp_path, 5_000)
    size, seen = path.stat().st_size, []
    task = stage.FileTask(
        str(path), "tardis", "trades", "OPTIONS", None, [], strict=False, staging=str(tmp_path / "staging")
    )
    with patch.object(stage, "_TELL_ROWS", 500):
        stage.FileStage(task, lambda **numbers: seen.append(numbers["bytes"] / size)).run()
    assert seen == sorted(seen)
    assert sum(share > 0.5 for share in seen) == 10
    assert seen[-1] == 1


@pytest.mark.long
@pytest.mark.skipif(not SOAK or not LINUX, reason="a file of 200 MB: make soak, on Linux")
def test_memory_stays_where_it_is_on_a_large_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    from bench import grouped

    folder = tmp_path_factory.mktemp("grouped")
    small, large = (
        grouped.measure(grouped.file_of(folder, rows, 5_000), rows) for rows in (1_000_000, 3_000_000)
    )
    assert large.gzip_mib > 180
    assert large.own_mib < BOUND_MIB
    assert large.own_mib < 1.25 * small.own_mib
    assert large.spill_mib < 2 * large.gzip_mib
    assert large.cpu_seconds / large.rows < 1.3 * small.cpu_seconds / small.rows
