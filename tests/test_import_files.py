"""Which files are taken, what becomes of those that are not whole, and what the command says of it."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from counts import SOAK
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
from tickreel.cli.app import run
from tickreel.errors import UsageError
from tickreel.sources.tardis_names import read_name
from tickreel.store.catalog import Store
from tickreel.store.maintain import verify


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "tape")


# Which files, of which type


def test_folders_files_and_globs_are_the_same(tmp_path: Path) -> None:
    paths = [
        put(dataset(tmp_path / "data", day, symbol, exchange), trades(trade((int(day[-2:]) - 1) * DAY_US, symbol=symbol, exchange=exchange)))
        for day in (DAY, "2024-01-02") for symbol in ("BTCUSDT", "ETHUSDT") for exchange in ("binance", "okx")
    ]  # fmt: skip
    put(tmp_path / "data" / "notes.txt", b"not ours")
    put(tmp_path / "data" / ".hidden.csv.gz", b"not ours")
    put(dataset(tmp_path / "data", exchange="okx").with_name(".BTCUSDT.csv.gz.12.part"), b"not ours")
    found = []
    for number, words in enumerate((
        [tmp_path / "data"], paths, [tmp_path / "data" / "**" / "*.csv.gz"], [tmp_path / "data" / "binance", tmp_path / "data" / "okx"],
        [*paths, tmp_path / "data"],
    )):  # fmt: skip
        store = Store(tmp_path / f"tape{number}")
        assert states(take(store, *words)) == ["imported"] * 8
        found.append(contents(store.root))
    assert found == [found[0]] * 5


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("binance/trades/2024/01/01/BTCUSDT.csv.gz", ("trades", "binance", "BTCUSDT", DAY, False)),
        (
            "binance-futures_trades_2024-01-01_BTCUSDT.csv.gz",
            ("trades", "binance-futures", "BTCUSDT", DAY, False),
        ),
        ("deribit_options_chain_2024-01-01_OPTIONS.csv", ("options_chain", "deribit", "OPTIONS", DAY, True)),
        (
            "x/okex-swap/incremental_book_L2/2024/01/01/A_B-C.csv.zst",
            ("incremental_book_L2", "okex-swap", "A_B-C", DAY, False),
        ),
        ("binance_trades_2024-13-01_BTCUSDT.csv.gz", None),
        ("binance/trades/2024/02/30/BTCUSDT.csv.gz", None),
        ("binance/prices/2024/01/01/BTCUSDT.csv.gz", None),
        ("trades.csv", None),
        ("binance/trades/2024/01/01/BTCUSDT.parquet", None),
    ],
)
def test_names(name: str, wanted: tuple | None) -> None:
    found = read_name(name)
    assert (found and (found.type, found.exchange, found.symbol, found.day, found.grouped)) == wanted


def test_a_type_that_no_path_tells_must_be_given(store: Store, tmp_path: Path) -> None:
    path = put(tmp_path / "mine.csv", trades(trade(1)))
    with pytest.raises(UsageError, match=r"mine\.csv.*--types"):
        take(store, path)
    with pytest.raises(UsageError, match="'prices' is not a record type; known are trades, "):
        take(store, path, types=("prices",))
    assert not store.root.exists()
    assert states(take(store, path, types=("trades",))) == ["imported"]


def test_files_of_types_that_are_not_wanted_are_passed_over_and_counted(store: Store, tmp_path: Path) -> None:
    put(dataset(tmp_path), trades(trade(1)))
    for type in ("quotes", "liquidations"):
        put(tmp_path / f"binance_{type}_{DAY}_BTCUSDT.csv.gz", trades(trade(1)))
    summary = take(store, tmp_path, types=("trades",))
    assert states(summary) == ["imported"]
    assert {
        reason.removeprefix("files of ").split(":")[0]: count for reason, count in summary.passed_over.items()
    } == {
        "quotes": 1,
        "liquidations": 1,
    }
    assert [key.type for key in store.find()] == ["trades"]


@pytest.mark.parametrize("word", ["nothing", "*.csv", "folder", "notes.txt"])
def test_nothing_to_import_is_wrong_usage(store: Store, tmp_path: Path, word: str) -> None:
    (tmp_path / "folder").mkdir()
    put(tmp_path / "notes.txt", b"")
    with pytest.raises(UsageError) as error:
        take(store, tmp_path / word)
    assert word in str(error.value)
    assert not store.root.exists()


def test_a_name_with_glob_letters_that_exists_is_that_file(store: Store, tmp_path: Path) -> None:
    path = put(tmp_path / f"binance_trades_{DAY}_[X]*.csv", trades(trade(1, symbol="[X]*")))
    assert states(take(store, path)) == ["imported"]
    assert [key.symbol for key in store.find()] == ["[X]*"]


def test_a_folder_that_holds_the_store_can_be_imported_again_and_again(tmp_path: Path) -> None:
    """The store's own rejects files are no data."""
    put(dataset(tmp_path), trades(trade(1), trade(2, price=0)))
    store = Store(tmp_path / "tape")
    assert states(take(store, tmp_path)) == ["imported"]
    assert list((store.root / "tardis" / "rejects").iterdir())
    assert states(take(store, tmp_path)) == ["skipped"]
    assert states(take(store, tmp_path / "**" / "*.csv*")) == ["skipped"]
    with pytest.raises(UsageError, match="nothing to import"):
        take(store, store.root)
    put(dataset(store.root, symbol="ETHUSDT"), trades(trade(1, symbol="ETHUSDT")))
    assert states(take(store, store.root)) == ["imported"]


# Files that are empty, cut, damaged, packed in different ways


@pytest.mark.parametrize("end", [".csv", ".csv.gz", ".csv.zst"])
@pytest.mark.parametrize("data", [b"", HEADER, HEADER[:-1], HEADER[:-1] + b"\r\n"])
def test_a_day_without_rows_is_an_empty_segment(store: Store, tmp_path: Path, end: str, data: bytes) -> None:
    path = put(dataset(tmp_path, end=end), data)
    assert states(take(store, path)) == ["imported"]
    (part,) = parts(store)
    assert (part.rows, part.lines, part.interval, part.set_aside, part.odd) == (0, 0, None, {}, {})
    assert (list(verify(store.open(KEY))), ids(store)) == ([], [])
    assert states(take(store, path)) == ["skipped"]
    rows = put(tmp_path / "rows.csv", trades(trade(1)))
    assert states(take(store, rows, types=("trades",))) == ["merged"]
    assert ids(store) == [1]


@pytest.mark.parametrize("end", [".csv.gz", ".csv.zst"])
def test_a_packed_file_of_0_bytes_is_an_empty_day(store: Store, tmp_path: Path, end: str) -> None:
    path = dataset(tmp_path, end=end)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert states(take(store, path)) == ["imported"]
    assert ids(store) == []


def test_a_day_whose_every_row_is_set_aside_is_known_as_such(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1, price=0), trade(2, price=0)))
    summary = take(store, path)
    assert (states(summary), summary.exit_code) == (["imported"], 0)
    (part,) = parts(store)
    assert (part.rows, part.lines, part.set_aside["price: 0 where the type forbids it"].count) == (0, 2, 2)
    assert states(take(store, path)) == ["skipped"]


def test_the_packing_changes_no_row(tmp_path: Path) -> None:
    data = trades(*[trade(n) for n in range(200)])
    found = []
    for end in (".csv", ".csv.gz", ".csv.zst"):
        store = Store(tmp_path / end[1:])
        take(store, put(dataset(tmp_path / end[1:], end=end), data))
        found.append(stored(store))
    assert found[0] == found[1] == found[2]


def test_packed_files_of_several_members(store: Store, tmp_path: Path) -> None:
    lines = [trade(n) for n in range(300)]
    half = len(trades(*lines)) // 2
    text = trades(*lines)
    gz, zst = dataset(tmp_path), dataset(tmp_path, symbol="ETHUSDT", end=".csv.zst")
    gz.parent.mkdir(parents=True)
    gz.write_bytes(gzip.compress(text[:half]) + gzip.compress(b"") + gzip.compress(text[half:]) + b"\0" * 512)
    pack = zstandard.ZstdCompressor().compress
    other = text.replace(b"BTC", b"ETH")
    zst.write_bytes(pack(other[:half]) + pack(b"") + pack(other[half:]))
    assert states(take(store, gz, zst)) == ["imported", "imported"]
    assert {len(rows) for rows in stored(store).values()} == {300}


@pytest.mark.parametrize("end", [".csv.gz", ".csv.zst"])
def test_a_file_cut_anywhere_never_becomes_a_segment(store: Store, tmp_path: Path, end: str) -> None:
    path = put(dataset(tmp_path, end=end), trades(*[trade(n, price=f"{n * n}.5") for n in range(40)]))
    whole = path.read_bytes()
    for length in range(1, len(whole), 1 if SOAK else 7):
        path.write_bytes(whole[:length])
        (report,) = take(store, path).files
        assert (report.state, report.exit_code) == ("failed", 3), length
        assert str(path) in report.error
        assert "cut" in report.error or "damaged" in report.error
        assert "fetch it again" in report.error
        assert not (store.root / "tardis").exists()
    path.write_bytes(whole)
    assert states(take(store, path)) == ["imported"]


@pytest.mark.parametrize("end", [".csv.gz", ".csv.zst"])
def test_flipped_bits_of_a_packed_file_never_pass(store: Store, tmp_path: Path, end: str) -> None:
    """gzip has a CRC; a zstd frame is given one here, as the zstd tool does."""
    data = trades(*[trade(n, price=f"{n * n}.5") for n in range(40)])
    path = put(dataset(tmp_path, end=end), data)
    if end == ".csv.zst":
        path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(data))
    whole = path.read_bytes()
    take(Store(tmp_path / "sound"), path)
    sound = stored(Store(tmp_path / "sound"))
    for bit in range(3, 8 * len(whole), 1 if SOAK else 29):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        (report,) = take(store, path).files
        if report.state == "failed":
            assert "fetch it again" in report.error
            continue
        # Some bits of a gzip header (its time, its system) mean nothing to the text.
        assert stored(store) == sound
        shutil.rmtree(store.root)


@pytest.mark.parametrize(
    "tail", [b"garbage", b"\x1f\x8b", gzip.compress(trade(5))[:-1]], ids=["text", "two bytes", "cut"]
)
def test_what_follows_a_gzip_must_be_one(store: Store, tmp_path: Path, tail: bytes) -> None:
    path = put(dataset(tmp_path), trades(trade(1)))
    path.write_bytes(path.read_bytes() + tail)
    (report,) = take(store, path).files
    assert (report.state, report.exit_code) == ("failed", 3)
    assert ("other bytes follow the end" in report.error) == (tail == b"garbage")
    assert not (store.root / "tardis").exists()


@pytest.mark.parametrize("end", [".csv", ".csv.gz", ".csv.zst"])
def test_a_last_line_without_its_line_end_is_set_aside(store: Store, tmp_path: Path, end: str) -> None:
    """A file of several members may be cut between two of them, whatever packed it."""
    path = put(dataset(tmp_path, end=end), trades(trade(1), trade(2))[:-2])
    (report,) = take(store, path).files
    assert report.result is not None
    (reason,) = report.result.set_aside
    assert (ids(store), reason.split(":")[0]) == ([1], "last line without a line end")


def test_a_gzip_cut_between_two_members_gives_no_cut_number(store: Store, tmp_path: Path) -> None:
    text = trades(trade(1), trade(2, amount="17.25"))
    path = put(dataset(tmp_path), b"")
    path.write_bytes(gzip.compress(text[:-3]))
    (report,) = take(store, path).files
    assert report.result is not None
    assert (ids(store), sum(found.count for found in report.result.set_aside.values())) == ([1], 1)
    path.write_bytes(gzip.compress(text[:-3]) + gzip.compress(text[-3:]))
    assert states(take(store, path)) == ["replaced"]
    assert ids(store) == [1, 2]


@pytest.mark.parametrize(
    "first", [b"timestamp,price\n", trade(1), HEADER.replace(b"amount", b"size"), b"\x00" * 100_000, b"\n"]
)
def test_a_header_of_another_type_never_becomes_a_segment(store: Store, tmp_path: Path, first: bytes) -> None:
    path = put(dataset(tmp_path), first + trade(1))
    summary = take(store, path)
    assert (states(summary), summary.exit_code) == (["failed"], 3)
    assert str(path) in summary.files[0].error
    assert "exchange,symbol,timestamp" in summary.files[0].error
    assert not (store.root / "tardis").exists()


def test_one_bad_file_leaves_the_others(store: Store, tmp_path: Path) -> None:
    good, bad = put(dataset(tmp_path), trades(trade(1))), put(dataset(tmp_path, symbol="X"), b"no header\n")
    summary = take(store, tmp_path)
    assert [(report.path, report.state) for report in summary.files] == [
        (str(good), "imported"),
        (str(bad), "failed"),
    ]
    assert (summary.exit_code, len(summary.failed)) == (1, 1)
    assert ids(store) == [1]


# Many symbols, long cells


def test_a_file_of_more_symbols_than_a_worker_may_tell_of(store: Store, tmp_path: Path) -> None:
    lines = [trade(n, symbol=f"S{n}", side="?" * 20_000 if n < 3 else "buy") for n in range(700)]
    path = put(tmp_path / "many.csv.gz", trades(*lines))
    (report,) = take(store, path, types=("trades",)).files
    assert (report.state, len(report.segments)) == ("imported", 700), report.error
    assert report.result is not None
    shown = report.result.odd["side_unrecognised"].examples
    assert [(line, len(text)) for line, text in shown] == [(2, 200), (3, 200), (4, 200)]
    assert states(take(store, path, types=("trades",))) == ["skipped"]


# --strict


def test_strict_refuses_a_file_with_a_wrong_row_and_keeps_odd_ones(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1), trade(2, price=0), trade(3)))
    odd = put(dataset(tmp_path, symbol="ETHUSDT"), trades(trade(2), trade(1)).replace(b"BTC", b"ETH"))
    summary = take(store, path, odd, strict=True)
    assert (states(summary), summary.exit_code) == (["failed", "imported"], 1)
    for part in (str(path), "line 3", "price: 0 where the type forbids it", "--strict"):
        assert part in summary.files[0].error
    assert [name[1] for name in stored(store)] == ["ETHUSDT"]
    assert not (store.root / "tardis" / "rejects").exists()
    assert take(store, path, strict=True).exit_code == 3
    assert states(take(store, path)) == ["imported"]


# The command


def call(capfd: pytest.CaptureFixture, *words: object) -> tuple[int, str, str]:
    code = run([str(word) for word in words])
    return code, *capfd.readouterr()


def test_the_screen_tells_what_was_set_aside_and_what_is_odd(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    put(
        dataset(tmp_path),
        trades(trade(1), trade(3), trade(2, price="x"), trade(2), trade(4, price="y", side="?")),
    )
    put(
        dataset(tmp_path, symbol="ETHUSDT"),
        trades(trade(5, symbol="ETHUSDT", side="unknown"), trade(1, price="z")),
    )
    put(tmp_path / f"binance_quotes_{DAY}_BTCUSDT.csv", b"")
    words = ["import", tmp_path, "--store", tmp_path / "tape", "--workers", 1, "--types", "trades"]
    code, out, err = call(capfd, *words)
    assert code == 0
    (aside,) = (line for line in out.splitlines() if line.startswith("set aside"))
    assert aside.split("price: not a finite number")[1].split()[:5] == [
        "3",
        "2",
        "binance/trades/2024/01/01/BTCUSDT.csv.gz:",
        "line",
        "4",
    ]
    (late,) = (line for line in out.splitlines() if "out of order" in line)
    assert late.split("out of order")[1].split() == [
        "1", "1", "binance/trades/2024/01/01/BTCUSDT.csv.gz:", "line", "5",
    ]  # fmt: skip
    assert "2 imported; 4 rows" in err
    assert "passed over: 1 files of quotes: not among --types" in err
    assert err.count("rows set aside are in ") == 2
    code, out, err = call(capfd, *words, "--quiet")
    assert (code, out, err) == (0, "", "")


def test_the_document_tells_every_file(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    bad = put(dataset(tmp_path, symbol="BAD"), b"no header")
    good = put(dataset(tmp_path), trades(trade(2), trade(1), trade(3, price="x")))
    code, out, _ = call(
        capfd, "import", tmp_path, "--store", tmp_path / "tape", "--workers", 1, "--json", "--feed", "mine"
    )
    document = json.loads(out)
    assert (code, document["exit_code"], document["feed"]) == (1, 1, "mine")
    assert document["totals"] == {
        "imported": 1, "merged": 0, "replaced": 0, "skipped": 0, "failed": 1, "lines": 3, "rows": 2, "set_aside": 1,
    }  # fmt: skip
    failed, done = document["files"]
    assert (failed["path"], failed["state"], failed["error_type"]) == (str(bad), "failed", "InputError")
    assert done == {
        "path": str(good), "state": "imported", "lines": 3, "rows": 2, "clock": "local", "odd": {"out_of_order": 1},
        "set_aside": {"price: not a finite number": 1}, "segments": [f"mine/trades/binance/BTCUSDT/{DAY}"],
        "examples": {"price: not a finite number": [[4, trade(3, price="x").decode().strip()]], "out_of_order": [[3, ""]]},
        "rejects": str(next((tmp_path / "tape/mine/rejects").iterdir())),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{folder}", "--types", "prices"], 2, "known are trades"),
        (["{folder}/mine.csv"], 2, "--types"),
        (["{folder}/gone"], 2, "gone"),
        (["{folder}/*.parquet"], 2, "no file matches"),
        (["{folder}/binance", "--feed", "No Feed"], 2, "No Feed"),
        (["{folder}/binance", "--workers", "0"], 2, "workers"),
        (["{folder}/binance", "--strict"], 3, "line 2: price: 0 where the type forbids it"),
        (["{folder}/mine.csv", "{folder}/binance", "--strict", "--types", "trades"], 1, "line 2"),
        (["{folder}/binance"], 0, ""),
    ],
)
def test_exit_codes(
    tmp_path: Path, capfd: pytest.CaptureFixture, words: list[str], code: int, message: str
) -> None:
    put(dataset(tmp_path), trades(trade(1, price=0), trade(2)))
    put(tmp_path / "mine.csv", trades(trade(1, symbol="X")))
    filled = [word.format(folder=tmp_path) for word in words]
    found, _, err = call(capfd, "import", "--workers", 1, *filled, "--store", tmp_path / "tape", "--quiet")
    assert found == code
    assert message in err
    assert (tmp_path / "tape").exists() == (code != 2)
