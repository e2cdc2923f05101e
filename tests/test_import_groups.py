"""A symbol that comes in a file of its own and in a group's file: its day lies in one of them only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from import_sample import (
    DAY,
    HEADER,
    contents,
    dataset,
    fast_folder,
    put,
    states,
    stored,
    take,
    trade,
    trades,
)
from tickreel.errors import UsageError
from tickreel.ingest.files.remove import remove
from tickreel.store.catalog import Store
from tickreel.store.describe import select
from tickreel.tape import open_store


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "tape")


def group_and_own(folder: Path) -> tuple[Path, Path]:
    lines = [trade(n, symbol="BTC-PERPETUAL") for n in (1, 5, 9)]
    group = put(
        dataset(folder, symbol="PERPETUALS"), trades(*lines, *(trade(n, symbol="ETH-PERPETUAL") for n in (2, 3)))
    )  # fmt: skip
    return group, put(dataset(folder, symbol="BTC-PERPETUAL"), trades(*lines))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("replace", [False, True])
def test_the_second_is_refused_and_a_scan_gives_each_row_once(
    store: Store, tmp_path: Path, first: int, replace: bool
) -> None:
    files = group_and_own(tmp_path)
    assert states(take(store, files[first])) == ["imported"]
    before = contents(store.root)
    summary = take(store, files[1 - first], replace=replace)
    assert (states(summary), summary.exit_code) == (["failed"], 1)
    for part in (str(files[1 - first]), "BTC-PERPETUAL", "tickreel rm", "--feed"):
        assert part in summary.files[0].error
    assert contents(store.root) == before
    blocks = list(open_store(store.root).scan("BTC-PERPETUAL"))
    assert [time for block in blocks for time in block["id"].tolist()] == [b"1", b"5", b"9"]


def test_what_the_message_says_helps(store: Store, tmp_path: Path) -> None:
    group, own = group_and_own(tmp_path)
    take(store, own)
    remove(store, lambda: select(store, symbols=("BTC-PERPETUAL",)), chosen=True, dry_run=False)
    assert states(take(store, group)) == ["imported"]
    assert list(stored(store)) == [("binance", "PERPETUALS", DAY)]


def test_days_and_symbols_without_a_row_are_in_nobody_s_way(store: Store, tmp_path: Path) -> None:
    group, own = group_and_own(tmp_path)
    put(own, HEADER)
    other = put(dataset(tmp_path, symbol="SOL-PERPETUAL"), trades(trade(1, symbol="SOL-PERPETUAL")))
    later = put(
        dataset(tmp_path, "2024-01-02", "BTC-PERPETUAL"),
        trades(trade(86_400_000_001, symbol="BTC-PERPETUAL")),
    )
    assert states(take(store, own, other, later, group)) == ["imported"] * 4


def test_a_group_that_gets_a_symbol_later_is_looked_at_again(store: Store, tmp_path: Path) -> None:
    group, own = group_and_own(tmp_path)
    put(group, trades(trade(1, symbol="ETH-PERPETUAL")))
    assert states(take(store, group, own)) == ["imported", "imported"]
    put(group, trades(trade(1, symbol="ETH-PERPETUAL"), trade(5, symbol="BTC-PERPETUAL")))
    assert states(take(store, group)) == ["failed"]


def test_a_symbol_with_a_colon_is_found_by_its_name(store: Store, tmp_path: Path) -> None:
    lines = [
        trade(1, exchange="bitfinex-derivatives", symbol="BTCF0:USTF0"),
        trade(2),
        trade(3, exchange="BTCF0", symbol="USTF0"),
    ]
    take(store, put(tmp_path / "x.csv", trades(*lines)), types=("trades",))
    tape = open_store(store.root)

    def names(text: str, exchange: str | None = None) -> list[str]:
        return [stream.name for stream in tape.streams(text, exchange=exchange)]

    full = "bitfinex-derivatives:BTCF0:USTF0"
    assert names("BTCF0:USTF0") == names(full) == names("BTCF0:USTF0", "bitfinex-derivatives") == [full]
    assert names("USTF0") == names("USTF0", "BTCF0") == ["BTCF0:USTF0"]
    assert names("binance:BTCUSDT") == names("BTCUSDT") == names("binance:BTCUSDT", "binance")
    with pytest.raises(UsageError, match="okx:BTCUSDT"):
        names("okx:BTCUSDT", "binance")
    with pytest.raises(UsageError, match="no rows of ETHUSDT"):
        names("binance:ETHUSDT")
