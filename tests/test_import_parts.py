"""What is in a store already: files are known by their bytes, parts of a segment by their paths, feeds apart."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from import_sample import (
    DAY,
    DAY_US,
    HEADER,
    KEY,
    contents,
    dataset,
    fast_folder,
    ids,
    parts,
    put,
    states,
    stored,
    take,
    trade,
    trades,
)
from tickreel.errors import UsageError
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.store.catalog import Store


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "tape")


def test_the_same_bytes_are_skipped_under_any_path(store: Store, tmp_path: Path) -> None:
    data = trades(trade(1, price="x"), trade(2), trade(3))
    path = put(dataset(tmp_path / "a"), data)
    take(store, path)
    before = contents(store.root, "*.reel")
    other = put(dataset(tmp_path / "b"), data)
    flat = put(tmp_path / f"binance_trades_{DAY}_BTCUSDT.csv.gz", data)
    unnamed = put(tmp_path / "x.csv.gz", data)
    summary = take(store, path, other, flat, unnamed, types=("trades",))
    assert (states(summary), summary.exit_code) == (["skipped"] * 4, 0)
    assert contents(store.root, "*.reel") == before
    assert states(take(Store(tmp_path / "new"), path, other)) == ["imported", "skipped"]


def test_new_bytes_of_a_path_replace_its_part_and_no_other(store: Store, tmp_path: Path) -> None:
    late = put(tmp_path / "late.csv", trades(trade(50), trade(60)))
    path = put(dataset(tmp_path), trades(trade(1), trade(2)))
    assert states(take(store, late, path, types=("trades",))) == ["imported", "merged"]
    put(path, trades(trade(1), trade(3), trade(4)))
    assert states(take(store, path)) == ["replaced"]
    assert ids(store) == [1, 3, 4, 50, 60]
    assert [part.source for part in parts(store)] == [str(path), str(late)]
    put(path, HEADER)
    assert states(take(store, path)) == ["replaced"]
    assert ids(store) == [50, 60]
    put(path, trades(trade(70)))
    assert states(take(store, path)) == ["replaced"]
    assert ids(store) == [50, 60, 70]


def test_a_reader_goes_on_with_the_segment_that_was_replaced(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1), trade(2)))
    take(store, path)
    segment = store.open(KEY)
    put(path, trades(*[trade(n) for n in range(500)]))
    take(store, path)
    assert segment.read("id", 0).tolist() == [b"1", b"2"]
    assert store.open(KEY).rows == 500


@pytest.mark.parametrize("swap", [False, True])
def test_files_that_are_disjoint_in_time_merge_in_any_order(store: Store, tmp_path: Path, swap: bool) -> None:
    early = put(tmp_path / "early.csv", trades(trade(1), trade(2)))
    late = put(tmp_path / "late.csv", trades(trade(3), trade(9)))
    first, second = (late, early) if swap else (early, late)
    assert states(take(store, first, types=("trades",))) == ["imported"]
    assert states(take(store, second, types=("trades",))) == ["merged"]
    assert ids(store) == [1, 2, 3, 9]
    assert [Path(part.source).name for part in parts(store)] == ["early.csv", "late.csv"]
    assert states(take(store, first, second, types=("trades",))) == ["skipped", "skipped"]


@pytest.mark.parametrize(("first", "last"), [(2, 2), (0, 1), (3, 9), (0, 9)])
def test_overlapping_files_are_refused_without_replace(
    store: Store, tmp_path: Path, first: int, last: int
) -> None:
    one = put(tmp_path / "one.csv", trades(trade(1), trade(3)))
    two = put(tmp_path / "two.csv", trades(trade(first), trade(last, id=77)))
    take(store, one, types=("trades",))
    before = contents(store.root)
    summary = take(store, two, types=("trades",))
    assert (states(summary), summary.exit_code) == (["failed"], 1)
    for part in (str(two), str(one), "tardis/trades/binance/BTCUSDT/2024-01-01", "--replace", "--feed"):
        assert part in summary.files[0].error
    assert contents(store.root) == before
    assert states(take(store, two, types=("trades",), replace=True)) == ["replaced"]
    assert [part.source for part in parts(store)] == [str(two)]
    assert states(take(store, one, types=("trades",), replace=True)) == ["replaced"]
    assert ids(store) == [1, 3]


def test_replace_leaves_parts_of_other_times(store: Store, tmp_path: Path) -> None:
    for name, times in (("a", (1, 2)), ("b", (3, 4)), ("c", (5, 6))):
        take(store, put(tmp_path / f"{name}.csv", trades(*map(trade, times))), types=("trades",))
    two = put(tmp_path / "two.csv", trades(trade(4, id=77)))
    assert states(take(store, two, types=("trades",), replace=True)) == ["replaced"]
    assert ids(store) == [1, 2, 77, 5, 6]


def test_a_file_with_one_refused_segment_publishes_none(store: Store, tmp_path: Path) -> None:
    take(store, put(tmp_path / "one.csv", trades(trade(1, symbol="B"))), types=("trades",))
    before = contents(store.root)
    two = put(
        tmp_path / "two.csv", trades(trade(1, symbol="A"), trade(1, symbol="B", id=5), trade(2, price="x"))
    )
    assert states(take(store, two, types=("trades",))) == ["failed"]
    assert contents(store.root) == before


def test_the_segment_that_a_file_is_known_by_is_published_last(store: Store, tmp_path: Path) -> None:
    """A kill between two renames must not leave a file that is skipped and has a segment missing."""
    lines = (trade(-1), trade(1), trade(DAY_US), trade(2, symbol="ETHUSDT"))
    path = put(dataset(tmp_path), trades(*lines))
    renamed: list[str] = []

    def rename(source: Path, target: Path) -> None:
        renamed.append(Path(target).name)
        os.replace(source, target)

    with patch("tickreel.store.disk.os.rename", rename):
        take(store, path)
    assert renamed[0].endswith(".json"), "what the segments are about to say is written down before"
    assert renamed[1:] == ["2023-12-31.reel", "2024-01-02.reel", f"{DAY}.reel", f"{DAY}.reel", "primary"]
    (report,) = take(Store(tmp_path / "other"), path).files
    assert report.segments[-1] == str(KEY)


def test_a_new_store_can_be_opened_before_its_first_file_is_reported(tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1)))
    seen = []

    def look(path: str, numbers: dict[str, float]) -> None:
        if "done" in numbers:
            seen.append(Store.existing(tmp_path / "tape").primary())

    import_files(Store(tmp_path / "tape"), [str(path)], ImportSettings(workers=1), on_progress=look)
    assert seen == ["tardis"]


# Feeds


def test_feeds_lie_side_by_side_and_the_first_stays_primary(store: Store, tmp_path: Path) -> None:
    one, two = (
        put(dataset(tmp_path / "1"), trades(trade(1))),
        put(dataset(tmp_path / "2"), trades(trade(1, id=9), trade(2, price=0))),
    )
    take(store, one, feed="holysheep")
    assert states(take(store, two, feed="tardis")) == ["imported"]
    assert (store.feeds(), store.primary()) == (["holysheep", "tardis"], "holysheep")
    assert [row[3] for row in stored(store, "holysheep")["binance", "BTCUSDT", DAY]] == [b"1"]
    assert [row[3] for row in stored(store, "tardis")["binance", "BTCUSDT", DAY]] == [b"9"]
    assert not (store.root / "holysheep" / "rejects").exists()
    for feed in ("", "Tardis", "a/b", "..", "rejects"):
        with pytest.raises(UsageError, match="feed"):
            take(store, one, feed=feed)
