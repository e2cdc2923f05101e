"""A path that comes again: with other bytes, moved, twice, after its day was removed, killed in between."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from import_sample import (
    DAY_US,
    HEADER,
    KEY,
    START_US,
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
from tickreel.ingest.files.publish import Publisher
from tickreel.ingest.files.remove import remove
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.describe import select
from tickreel.store.maintain import verify

NEXT_DAY = "2024-01-02"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "tape")


def found(store: Store) -> dict[tuple[str, str], list[int]]:
    """Return the ids of every segment by (symbol, day)."""
    for key in store.find():
        assert list(verify(store.open(key))) == []
    return {(key.symbol, key.day): ids(store, key) for key in store.find()}


def remove_days(store: Store, **choice: object) -> list[str]:
    return remove(store, lambda: select(store, **choice), chosen=True, dry_run=False)["segments"]  # type: ignore[arg-type]


def test_new_bytes_take_the_old_ones_out_of_every_day(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1), trade(DAY_US + 1, id=2)))
    late = put(tmp_path / "late.csv", trades(trade(DAY_US + 5, id=50)))
    assert states(take(store, path, late, types=("trades",))) == ["imported", "merged"]
    put(path, trades(trade(1), trade(5, id=3)))
    assert states(take(store, path)) == ["replaced"]
    assert found(store) == {("BTCUSDT", KEY.day): [1, 3], ("BTCUSDT", NEXT_DAY): [50]}
    assert states(take(store, path, late, types=("trades",))) == ["skipped", "skipped"]


def test_new_bytes_of_a_file_without_a_name_take_the_old_ones_out_of_every_symbol(
    store: Store, tmp_path: Path
) -> None:
    path = put(tmp_path / "x.csv.gz", trades(trade(1, symbol="A"), trade(2, symbol="B")))
    take(store, path, types=("trades",))
    put(path, trades(trade(3, symbol="A")))
    assert states(take(store, path, types=("trades",))) == ["replaced"]
    assert found(store) == {("A", KEY.day): [3]}
    put(path, HEADER)
    assert states(take(store, path, types=("trades",))) == ["replaced"]
    assert found(store) == {}
    assert states(take(store, path, types=("trades",))) == ["skipped"]


def test_an_empty_day_does_not_outlive_the_rows_that_come_for_it(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path, symbol="BTC-USD"), HEADER)
    take(store, path)
    assert found(store) == {("BTC-USD", KEY.day): []}
    put(path, trades(trade(1, symbol="BTC/USD")))
    assert states(take(store, path)) == ["replaced"]
    assert found(store) == {("BTC/USD", KEY.day): [1]}


def test_a_day_that_was_removed_comes_back(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1), trade(DAY_US + 1, id=2), trade(3, price=0)))
    unnamed = put(tmp_path / "x.csv", trades(trade(7, symbol="A"), trade(DAY_US + 8, symbol="B", id=8)))
    take(store, path, unnamed, types=("trades",))
    whole = contents(store.root)
    remove_days(store, from_ns=(START_US + DAY_US) * 1_000)
    assert found(store) == {("A", KEY.day): [7], ("BTCUSDT", KEY.day): [1]}
    assert states(take(store, path, unnamed, types=("trades",))) == ["imported", "imported"]
    assert contents(store.root) == whole
    assert states(take(store, path, unnamed, types=("trades",))) == ["skipped", "skipped"]


@pytest.mark.parametrize("order", ["cur old", "old cur"])
def test_a_file_that_moved_keeps_its_rows_when_another_takes_its_path(
    store: Store, tmp_path: Path, order: str
) -> None:
    cur, old = dataset(tmp_path / "cur"), dataset(tmp_path / "old")
    take(store, put(cur, trades(trade(1), trade(2))))
    old.parent.mkdir(parents=True)
    shutil.move(cur, old)
    put(cur, trades(trade(7), trade(8)))
    take(store, *({"cur": cur, "old": old}[name] for name in order.split()))
    assert ids(store) == [1, 2, 7, 8]
    assert [part.source for part in parts(store)] == [str(old), str(cur)]
    assert states(take(store, cur, old)) == ["skipped", "skipped"]
    put(old, trades(trade(3)))
    take(store, old)
    assert ids(store) == [3, 7, 8]


def test_bytes_that_came_twice_stay_while_one_of_their_paths_has_them(store: Store, tmp_path: Path) -> None:
    one, two = dataset(tmp_path / "1"), tmp_path / "two.csv.gz"
    for path in (one, two):
        put(path, trades(trade(1), trade(5)))
    assert states(take(store, one, two, types=("trades",))) == ["imported", "skipped"]
    put(one, trades(trade(3)))
    (report,) = take(store, one).files
    assert (report.state, ids(store)) == ("failed", [1, 5])
    assert str(two) in report.error
    put(one, trades(trade(8)))
    assert states(take(store, one)) == ["replaced"]
    assert ids(store) == [1, 5, 8]
    put(two, trades(trade(9)))
    assert states(take(store, two, types=("trades",))) == ["replaced"]
    assert ids(store) == [8, 9]
    # Whoever has other bytes since has no say any more.
    put(two, trades(trade(8)))
    put(one, trades(trade(2)))
    take(store, one)
    assert ids(store) == [2, 9]


def test_replacing_each_other_ends_with_the_last_every_time(store: Store, tmp_path: Path) -> None:
    one = put(dataset(tmp_path / "1"), trades(trade(1), trade(5)))
    two = put(dataset(tmp_path / "2"), trades(trade(3), trade(9)))
    take(store, one, two, replace=True)
    wanted = contents(store.root)
    for files in ((one, two), (one,), (one, two)):
        take(store, *files, replace=True)
    assert (contents(store.root), ids(store)) == (wanted, [3, 9])


@pytest.mark.parametrize("end", [".csv.gz", ".csv"])
def test_records_that_were_removed_are_made_again(store: Store, tmp_path: Path, end: str) -> None:
    path = put(tmp_path / ("x" + end), trades(trade(1, symbol="A"), trade(2, symbol="B")))
    plain = put(dataset(tmp_path), trades(trade(1)))
    take(store, path, plain, types=("trades",))
    folder = store.root / "tardis" / "sources"
    before = contents(folder)
    assert len(before) == 1, "where the name tells all there is no record"
    shutil.rmtree(folder)
    assert states(take(store, path, plain, types=("trades",))) == ["skipped", "skipped"]
    assert contents(folder) == before
    shutil.rmtree(folder)
    put(path, trades(trade(3, symbol="A")))
    assert states(take(store, path, types=("trades",))) == ["replaced"]
    assert found(store) == {("A", KEY.day): [3], ("BTCUSDT", KEY.day): [1]}


def test_a_replacement_killed_anywhere_is_finished_by_the_next(store: Store, tmp_path: Path) -> None:
    first = trades(trade(1), trade(DAY_US + 1, id=2), trade(5, symbol="ETHUSDT"))
    second = trades(trade(1), trade(4, id=3), trade(6, symbol="LTCUSDT"))
    path = dataset(tmp_path)

    def imported(place: Store, kill_at: int) -> bool:
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1
            if calls == kill_at:
                raise KeyboardInterrupt

        def killed(name: str):
            whole = getattr(Publisher, name)
            return patch.object(
                Publisher, name, lambda *args, **more: (count(), whole(*args, **more), count())[1]
            )

        with patch("tickreel.store.disk.os.rename", lambda a, b: (count(), Path(a).replace(b))):
            with killed("_remove"), killed("_settle"), killed("_announce"):
                try:
                    take(place, path)
                except KeyboardInterrupt:
                    return False
        return True

    put(path, first)
    take(store, path)
    put(path, second)
    fresh = Store(tmp_path / "fresh")
    take(fresh, path)
    for kill_at in range(1, 40):
        place = Store(tmp_path / f"killed{kill_at}")
        shutil.copytree(store.root, place.root)
        done = imported(place, kill_at)
        take(place, path)
        assert contents(place.root) == contents(fresh.root), kill_at
        if done:
            return
    raise AssertionError("it never came to its end")


def test_a_damaged_record_fails_its_file_and_names_the_remedy(store: Store, tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", trades(trade(1, symbol="A"), trade(2, symbol="B")))
    plain = put(dataset(tmp_path), trades(trade(1)))
    take(store, path, plain, types=("trades",))
    (record,) = (store.root / "tardis" / "sources").iterdir()
    record.write_bytes(b"{")
    summary = take(store, path, plain, types=("trades",))
    assert states(summary) == ["failed", "skipped"]
    assert f"remove the folder {record.parent}" in summary.files[0].error
    shutil.rmtree(record.parent)
    assert states(take(store, path, plain, types=("trades",))) == ["skipped", "skipped"]


@pytest.mark.parametrize("symbol", ["X" * 230, "\N{SNOWMAN}" * 70])
def test_a_name_that_no_segment_can_have_is_no_hindrance(store: Store, tmp_path: Path, symbol: str) -> None:
    path = put(tmp_path / f"binance_trades_{KEY.day}_{symbol[:200]}.csv", trades(trade(1)))
    assert states(take(store, path)) == ["imported"]
    assert states(take(store, path)) == ["skipped"]


# rm


def test_rm_leaves_what_is_needed_and_takes_the_rest(store: Store, tmp_path: Path) -> None:
    bad = put(tmp_path / "none.csv", trades(trade(1, price=0)))
    path = put(tmp_path / "x.csv", trades(trade(1, symbol="A"), trade(2, symbol="B"), trade(3, price=0)))
    named = put(dataset(tmp_path), trades(trade(1), trade(2, price=0)))
    take(store, bad, path, named, types=("trades",))

    def kept() -> tuple[int, int]:
        feed = store.root / "tardis"
        return len(list(feed.glob("rejects/*"))), len(list(feed.glob("sources/*")))

    assert kept() == (3, 2)
    remove_days(store, symbols=("BTCUSDT",))
    assert kept() == (2, 2), "a file without a good row may be looked up too"
    remove_days(store, symbols=("A", "B"))
    assert not (store.root / "tardis").exists()


def test_rm_beside_a_damaged_segment_keeps_rejects_and_says_what_it_removed(
    store: Store, tmp_path: Path
) -> None:
    for symbol in ("A", "B", "C"):
        take(
            store,
            put(dataset(tmp_path, symbol=symbol), trades(trade(1, symbol=symbol), trade(2, symbol=symbol, price=0))),
        )  # fmt: skip
    key = SegmentKey("tardis", "trades", "binance", "B", KEY.day)
    store.path(key).write_bytes(b"damaged")
    assert remove_days(store, symbols=("A",)) == ["tardis/trades/binance/A/2024-01-01"]
    assert len(list((store.root / "tardis" / "rejects").iterdir())) == 3
    remove_days(store, symbols=("B",))
    assert list(stored(store)) == [("binance", "C", KEY.day)]
    assert len(list((store.root / "tardis" / "rejects").iterdir())) == 1
