"""What a sweep takes: memory, files, descriptors and machine code, within bounds whatever is asked."""

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import tickreel
from engine_runs import to_rows
from tickreel.errors import DiskError
from tickreel.runs import sweep_parts, sweep_task
from tickreel.runs.axes import axes_of
from tickreel.runs.backtest import run_tasks
from tickreel.runs.plan import plan_run
from tickreel.runs.settings import RunSettings
from tickreel.runs.sweep import run_sweep
from tickreel.runs.sweep_parts import cuts_of
from tickreel.simulate.sets import bytes_of_set
from tickreel.simulate.strategy import Param, StateArray, Strategy, parameters_of
from tickreel.store.catalog import Store
from tickreel.strategies.load import find
from tickreel.strategies.momentum import Momentum
from twin_engine import TwinTrade

MOMENTUM = find("momentum")


def tight(monkeypatch: pytest.MonkeyPatch, sets: int) -> None:
    """Have tasks of so many sets."""
    monkeypatch.setattr(sweep_parts, "_SETS_OF_A_TASK", sets)
    monkeypatch.setattr(sweep_parts, "_LEAST_SETS", 1)


@pytest.mark.parametrize("much", [0, 1 << 40])
def test_files_are_open_and_kept_only_while_they_are_needed(
    market_store, tmp_path, monkeypatch, much
) -> None:
    tight(monkeypatch, 1)
    monkeypatch.setattr(sweep_parts, "_MUCH_SCRATCH_BYTES", much)
    seen: list[tuple[int, int, int]] = []

    def look(measured: int) -> None:
        (scratch,) = tmp_path.glob(".out.partial-*/parts")
        seen.append((measured, len(os.listdir("/dev/fd")), len(list(scratch.iterdir()))))

    asked = RunSettings(parameters={"threshold": "0.0001:0.01:40"}, workers=1)
    result = run_sweep(market_store, MOMENTUM, asked, out=tmp_path / "out", on_measured=look)
    measured, descriptors, files = zip(*seen, strict=True)
    assert measured == tuple(range(1, 41))  # as their tasks end, not at the end of all
    assert max(descriptors) <= descriptors[0]
    assert max(files) == 0
    assert [one.parameters["threshold"] for one in result.sets] == result.axes["threshold"]


def test_outcomes_in_any_order_give_the_same(market_store: Store, monkeypatch) -> None:
    def reversed_tasks(executor, tasks, on_progress, *, in_order):
        yield from reversed(list(run_tasks(executor, tasks, on_progress)))

    asked = RunSettings(parameters={"threshold": "0.0001:0.01:8"}, workers=1)
    wanted = run_sweep(market_store, MOMENTUM, asked)
    tight(monkeypatch, 3)
    monkeypatch.setattr(sys.modules[run_sweep.__module__], "run_tasks", reversed_tasks)
    assert run_sweep(market_store, MOMENTUM, asked).sets == wanted.sets


class Wide(Strategy):
    size = Param(1)
    window = StateArray(100_000)

    def on_trade(self, trade, ctx):
        self.window[0] = trade.price


@pytest.mark.parametrize(("strategy", "most"), [(Wide, 200), (Momentum, 1000)])
def test_a_task_has_as_many_sets_as_fit_into_its_memory(market_store: Store, strategy, most: int) -> None:
    settings = RunSettings(jit=False)
    plan = plan_run(market_store, strategy, settings)
    name = next(iter(parameters_of(strategy)))
    cuts = cuts_of(strategy, plan, axes_of(strategy, {name: "1:4000:4000"}), 1)
    largest = max(stop - first for first, stop in cuts)
    assert most / 2 <= largest <= most
    assert largest * bytes_of_set(strategy, 4) < 200e6


@pytest.mark.parametrize("full", ["write_bytes", "unlink"])
def test_a_disk_that_fails_is_told_and_nothing_is_left(market_store, tmp_path, monkeypatch, full) -> None:
    def fail(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, full, fail)
    with pytest.raises(DiskError, match="No space left on device; make room"):
        tickreel.sweep("momentum", {}, store=market_store.root, workers=1, out=tmp_path / "out")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_pieces_are_smaller_where_they_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(sweep_task.time, "monotonic", lambda: next(clock))
    rows = to_rows([TwinTrade(100.0, 1.0, 1, now, now) for now in range(1, 5)])
    rows = type(rows)(*(np.resize(column, 40_000) for column in rows))
    pieces = [len(piece.price) for piece in sweep_task._Pieces().of(rows)]
    assert pieces[:3] == [16_384, 8_192, 4_096]
    assert sum(pieces) == 40_000
    assert pieces[-2] == 64
