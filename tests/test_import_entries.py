"""What else lies in a folder of data: one bad entry is that entry's failure, and the others are imported."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from import_sample import DAY, KEY, dataset, fast_folder, ids, parts, put, states, take, trade, trades
from tickreel.cli.app import run
from tickreel.errors import UsageError
from tickreel.ingest.files.importer import FileReport
from tickreel.store.catalog import Store


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "tape")


def name_of(folder: Path, symbol: str) -> Path:
    return folder / f"binance_trades_{DAY}_{symbol}.csv"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def not_utf8(path: Path) -> None:
    Path(os.fsdecode(os.fsencode(path)[:-4] + b"\xff.csv")).write_bytes(trades(trade(1)))


BAD = {
    pipe: ("InputError", 3, "pipe"),
    link_to_nothing: ("ReadError", 5, "link to nothing"),
    link_to_itself: ("ReadError", 5, "link"),
    a_socket: ("ReadError", 5, "socket"),
    not_utf8: ("InputError", 3, "not UTF-8; rename it"),
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_entry_fails_and_the_others_are_imported(
    store: Store, tmp_path: Path, make, workers: int
) -> None:
    data = tmp_path / "data"
    for symbol in ("A", "Z"):
        put(name_of(data, symbol), trades(trade(1, symbol=symbol)))
    make(name_of(data, "M"))
    summary = take(store, data, workers=workers)
    assert (states(summary), summary.exit_code) == (["imported", "failed", "imported"], 1)
    kind, code, text = BAD[make]
    bad = summary.files[1]
    assert (bad.error_type, bad.exit_code) == (kind, code)
    assert f"binance_trades_{DAY}_M" in bad.error
    assert text in bad.error
    (only,) = (path for path in data.iterdir() if "_M" in path.name)
    assert take(Store(tmp_path / "other"), only).exit_code == code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_fails_alone(store: Store, tmp_path: Path) -> None:
    for symbol in ("A", "M"):
        put(name_of(tmp_path / "data", symbol), trades(trade(1, symbol=symbol)))
    name_of(tmp_path / "data", "M").chmod(0)
    (tmp_path / "data" / "closed").mkdir(mode=0)
    summary = take(store, tmp_path / "data")
    assert states(summary) == ["imported", "failed", "failed"]
    for report in summary.failed:
        assert "the right to read it" in report.error


def test_the_screen_names_each_failure(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    put(dataset(tmp_path / "data"), trades(trade(1)))
    not_utf8(name_of(tmp_path / "data", "M"))
    link_to_nothing(name_of(tmp_path / "data", "N"))
    words = ["import", str(tmp_path / "data"), "--store", str(tmp_path / "tape"), "--workers", "1"]
    assert run(words) == 1
    out, err = capfd.readouterr()
    assert err.count("failed: ") == 2
    assert r"\xff.csv" in err
    assert run([*words, "--json"]) == 1


def test_folders_behind_links_are_counted_and_can_be_named(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    path = put(dataset(tmp_path / "far"), trades(trade(1)))
    put(name_of(tmp_path / "data", "A"), trades(trade(1, symbol="A")))
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "far")
    assert run(["import", str(tmp_path / "data"), "--store", str(store.root), "--workers", "1"]) == 0
    assert "passed over: 1 folders behind symbolic links" in capfd.readouterr().err
    assert states(take(store, tmp_path / "data" / "linked")) == ["imported"]
    assert [part.source for part in parts(store)] == [os.path.realpath(path)]


def test_a_file_has_one_path_whatever_links_lead_to_its_folder(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path / "far"), trades(trade(1)))
    (tmp_path / "near").symlink_to(tmp_path / "far")
    assert states(take(store, tmp_path / "near", tmp_path / "far")) == ["imported"]
    put(path, trades(trade(2)))
    assert states(take(store, tmp_path / "near")) == ["replaced"]
    assert ids(store) == [2]


def test_a_name_may_be_that_of_a_link(store: Store, tmp_path: Path) -> None:
    """Of a folder as of a file: its target may be named by its bytes."""
    blob = put(tmp_path / "blobs" / "9f3a", trades(trade(1)))
    name_of(tmp_path, "BTCUSDT").symlink_to(blob)
    day = put(tmp_path / "store-of-days" / "ETHUSDT.csv", trades(trade(1, symbol="ETHUSDT")))
    dataset(tmp_path / "in").parent.parent.mkdir(parents=True)
    dataset(tmp_path / "in").parent.symlink_to(day.parent)
    summary = take(store, name_of(tmp_path, "BTCUSDT"), dataset(tmp_path / "in").parent)
    assert states(summary) == ["imported", "imported"]
    assert [key.symbol for key in store.find()] == ["BTCUSDT", "ETHUSDT"]
    assert (
        states(take(store, name_of(tmp_path, "BTCUSDT"), dataset(tmp_path / "in").parent)) == ["skipped"] * 2
    )


def test_an_empty_path_is_no_path(store: Store) -> None:
    with pytest.raises(UsageError, match="empty path"):
        take(store, "")


def test_another_store_s_rejects_are_no_data(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path / "data"), trades(trade(1), trade(2, price=0)))
    take(Store(tmp_path / "data" / "tape"), path)
    mine = put(tmp_path / "data" / "rejects" / f"binance_trades_{DAY}_A.csv", trades(trade(1, symbol="A")))
    reports: list[FileReport] = take(store, tmp_path / "data").files
    assert sorted(report.path for report in reports) == sorted([str(path), str(mine)])
    assert ids(store, KEY) == [1]


def test_files_without_rows_are_said(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = dataset(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert run(["import", str(path), "--store", str(tmp_path / "tape"), "--workers", "1"]) == 0
    assert f"files without rows: 1, e.g. {path}" in capfd.readouterr().err
