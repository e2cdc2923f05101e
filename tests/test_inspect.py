"""What is odd among many rows, found run by run, against the twin that goes row by row."""

import random

import numpy as np
import pytest

from tickreel.ingest.files import inspect_kernel
from tickreel.ingest.files.inspect import Inspector, Tally
from tickreel.schema import RECORD_TYPES
from tickreel.sources.csv_batch import RowBatch
from twin_csv import Row, oddities, out_of_order

TRADES = RECORD_TYPES["trades"]
ROWS = 5_000


def rows_with(chance: random.Random, odd: int) -> dict[str, np.ndarray]:
    """Rows of which some, at most `odd` of them, are unlike the others, most often near the ends of runs."""
    steps = np.array([chance.randrange(3) for _ in range(ROWS)])
    local = np.cumsum(steps) + 10
    columns = {
        "local": local, "exchange": local - 5, "id": np.arange(ROWS) + 10_000, "side": np.ones(ROWS, np.uint8),
        "name": np.zeros(ROWS, np.int32),
    }  # fmt: skip
    for _ in range(odd):
        near = 1_024 * chance.randrange(5) + chance.randrange(-2, 3)
        row = min(max(near, 0), ROWS - 1) if chance.random() < 0.7 else chance.randrange(ROWS)
        column = chance.choice(list(columns))
        if column == "side":
            columns["side"][row] = 0
        elif column == "name":
            columns["name"][row:] = chance.randrange(3)
        else:
            columns[column][row] += chance.choice([-2_000, -30, -1, 1, 30, 9_000])
    return columns


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("odd", [0, 1, 3, 40])
@pytest.mark.parametrize("seed", range(8))
def test_oddities_are_those_of_the_twin(seed: int, odd: int, with_ids: bool) -> None:
    chance = random.Random(f"{seed} {odd} {with_ids}")
    columns = rows_with(chance, odd)
    twin = [
        Row(
            row + 2, "binance", "BTC",
            {"exchange_ns": int(columns["exchange"][row]), "local_ns": int(columns["local"][row]),
             "side": int(columns["side"][row]), "id": b"%d" % columns["id"][row] if with_ids else b""},
        )
        for row in range(ROWS)
    ]  # fmt: skip
    wanted = oddities(twin)
    if not with_ids:
        wanted.pop("id_missing")
    inspector, tally = Inspector(TRADES), Tally()
    inspector.next_symbol()
    for part in parts(chance):
        found = {"exchange_ns": columns["exchange"][part], "local_ns": columns["local"][part]}
        found |= {"side": columns["side"][part]} | ({"id": columns["id"][part]} if with_ids else {})
        line = np.arange(ROWS)[part] + 2
        inspector.look(RowBatch(line, np.zeros(len(line), np.int32), found, [], []), tally)
    told = tally.findings()
    assert {kind: finding.count for kind, finding in told.items()} == {k: len(v) for k, v in wanted.items()}
    assert {k: [line for line, _ in f.examples] for k, f in told.items()} == {
        k: v[:3] for k, v in wanted.items()
    }
    assert odd or not told


@pytest.mark.parametrize("odd", [0, 1, 3, 40])
@pytest.mark.parametrize("seed", range(8))
def test_late_rows_are_those_of_the_twin(seed: int, odd: int) -> None:
    chance = random.Random(f"late {seed} {odd}")
    columns = rows_with(chance, odd)
    twin = [
        Row(
            row,
            "binance",
            f"{columns['name'][row]}",
            {"exchange_ns": 0, "local_ns": int(columns["local"][row])},
        )
        for row in range(ROWS)
    ]
    latest, late = np.full(3, np.iinfo(np.int64).min), np.ones(ROWS, bool)
    count = 0
    for part in parts(chance):
        count += inspect_kernel.late_rows(columns["name"][part], columns["local"][part], latest, late[part])
    assert np.flatnonzero(late).tolist() == out_of_order(twin)
    assert count == late.sum()


def parts(chance: random.Random) -> list[slice]:
    cuts = sorted({0, ROWS, *(chance.randrange(ROWS) for _ in range(chance.randrange(6)))})
    return [slice(start, stop) for start, stop in zip(cuts[:-1], cuts[1:], strict=True)]
