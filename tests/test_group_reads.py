"""One symbol of a group of thousands is planned, scanned and shown without touching the others."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from import_sample import fast_folder, put, take, trade, trades
from tickreel.cli.app import run
from tickreel.scan.plan import Question, plan
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment
from tickreel.tape import open_store

SYMBOLS, ROWS_EACH, BLOCK_ROWS = 3_000, 4, 256
WANTED = 1_234
"""Its rows are 4,936 to 4,939: all in block 19."""
BLOCK = WANTED * ROWS_EACH // BLOCK_ROWS


def name(number: int) -> str:
    return f"AVAX_USDC-29MAY26-{number:05d}-P"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with fast_folder() as folder:
        yield import_group(folder, SYMBOLS)


def import_group(folder: Path, symbols: int) -> Store:
    lines = [
        trade(us * symbols + number, exchange="deribit", symbol=name(number))
        for us in range(ROWS_EACH)
        for number in range(symbols)
    ]
    path = put(folder / "deribit_trades_2024-01-01_OPTIONS.csv.gz", trades(*lines))
    store = Store(folder / "tape")
    assert take(store, path, block_rows=BLOCK_ROWS).files[0].state == "imported"
    return store


@pytest.fixture
def touched() -> Iterator[set[tuple[int, str]]]:
    """The (block, column) of every chunk that is read."""
    found: set[tuple[int, str]] = set()
    read = Segment._chunk

    def spy(self: Segment, place: int, block: int) -> memoryview:
        found.add((block, self.record.columns[place].name))
        return read(self, place, block)

    with patch.object(Segment, "_chunk", spy):
        yield found


def test_a_scan_reads_the_blocks_of_its_rows(store: Store, touched: set[tuple[int, str]]) -> None:
    tape = open_store(store.root)
    (block,) = tape.scan(f"deribit:{name(WANTED)}", columns=["price", "local_ns"])
    assert len(block) == ROWS_EACH
    assert touched == {(BLOCK, "price"), (BLOCK, "local_ns")}


def test_show_reads_the_blocks_of_its_rows(
    store: Store, touched: set[tuple[int, str]], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["show", "--store", str(store.root), "--symbol", name(WANTED), "--format", "csv"]) == 0
    assert len(capsysbinary.readouterr().out.splitlines()) == 1 + ROWS_EACH
    assert touched == {(BLOCK, column) for column in RECORD_TYPES["trades"].names}


def test_a_plan_reads_no_block_and_looks_its_symbol_up(store: Store, touched: set[tuple[int, str]]) -> None:
    question = Question(symbols=(name(WANTED),))
    (stream,) = plan(store, question)
    ((start, stop),) = [(part.contents.start, part.contents.stop) for part in stream.slices]
    assert (start, stop) == (WANTED * ROWS_EACH, (WANTED + 1) * ROWS_EACH)
    assert touched == set()
    with fast_folder() as folder:
        few = import_group(folder, 30)
        small = calls(lambda: plan(few, Question(symbols=(name(12),))))
    assert calls(lambda: plan(store, question)) < small + 20


def test_a_merge_decodes_each_block_once_however_many_symbols_lie_in_it() -> None:
    with fast_folder() as folder:
        store = import_group(folder, 300)
        lines = [trade(10_000 + n, exchange="deribit", symbol=name(n)) for n in range(300)]
        late = put(folder / "late" / "deribit_trades_2024-01-01_OPTIONS.csv.gz", trades(*lines))
        decode, decoded = Segment._decode, Counter[tuple[str, int, int]]()

        def spy(self: Segment, place: int, block: int, *rest: Any) -> None:
            decoded[self.path.name, place, block] += 1
            decode(self, place, block, *rest)

        with patch.object(Segment, "_decode", spy):
            assert take(store, late, block_rows=BLOCK_ROWS).files[0].state == "merged"
        assert set(decoded.values()) == {1}


def calls(function: Callable[[], Any]) -> int:
    """Return how many Python and C functions a call makes: a loop over the symbols would show."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    function()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("text", ["BTCF0:USTF0", "bitfinex-derivatives:BTCF0:USTF0"])
def test_a_symbol_with_colons_that_lies_in_a_group_is_told_from_one_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    line = trade(1, exchange="bitfinex-derivatives", symbol="BTCF0:USTF0")
    path = put(tmp_path / "bitfinex-derivatives_trades_2024-01-01_PERPETUALS.csv.gz", trades(line))
    take(Store(tmp_path / "tape"), path)
    assert run(["stats", "--symbols", text, "--store", str(tmp_path / "tape")]) == 2
    assert "name the group, bitfinex-derivatives:PERPETUALS" in capsys.readouterr().err
