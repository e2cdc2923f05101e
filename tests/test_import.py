"""The import: every row accounted for, files known by their bytes, nothing sealed that is not whole."""

import csv
import gzip
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from import_sample import (
    DAY,
    DAY_US,
    HEADER,
    SOAK,
    START_US,
    TRADES,
    contents,
    dataset,
    fast_folder,
    plain,
    put,
    segment_rows,
    states,
    stored,
    take,
    trade,
    trades,
)
from tickreel.cli.app import run
from tickreel.errors import InputError, UsageError
from tickreel.ingest import files, order, stage
from tickreel.ingest.importer import ImportSettings, import_files
from tickreel.sources import csv_rows
from tickreel.sources.tardis_names import read_name
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Finding, Part
from tickreel.store.maintain import verify
from tickreel.units import NS_PER_US
from twin_csv import Reading, oddities, out_of_order, read_csv, segments

KEY = SegmentKey("tardis", "trades", "binance", "BTCUSDT", DAY)


def parts(store: Store, key: SegmentKey = KEY) -> list[Part]:
    return store.open(key).meta.parts


def ids(store: Store, key: SegmentKey = KEY) -> list[int]:
    return [int(row[3]) for row in segment_rows(store, key)]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "tape")


# What is in a segment


def test_rows_and_provenance(store: Store, tmp_path: Path) -> None:
    lines = (trade(5), trade(7, id=""), trade(7, side="unknown"), trade(6, id=5, price="x"), trade(9, id=7))
    path = put(dataset(tmp_path), trades(*lines))
    summary = take(store, path)
    assert (states(summary), summary.exit_code, store.primary()) == (["imported"], 0, "tardis")
    twin = read_csv(TRADES, trades(*lines))
    assert stored(store) == {("binance", "BTCUSDT", DAY): plain(twin.rows)}
    (part,) = parts(store)
    assert (part.source, part.lines, part.rows, part.bytes) == (str(path), 5, 4, path.stat().st_size)
    assert part.interval == ((START_US + 5) * NS_PER_US, (START_US + 9) * NS_PER_US + 1)
    assert part.set_aside == {"price: not a finite number": Finding(1, [(5, lines[3].decode().strip())])}
    assert part.odd == {
        "id_missing": Finding(1, [(3, "")]), "id_twice": Finding(1, [(6, "id 7")]),
        "side_unknown": Finding(1, [(4, "")]),
    }  # fmt: skip
    (report,) = summary.files
    assert report.result is not None
    assert (report.result.set_aside, report.result.odd) == (part.set_aside, part.odd)
    assert report.segments == (str(KEY),)


def test_every_row_that_cannot_be_right_is_in_the_rejects_file(store: Store, tmp_path: Path) -> None:
    wrong = (
        trade(1, price="nan"), trade(2, price="inf"), trade(3, price=-1), trade(4, price="1e308"),
        trade(5, local_timestamp=0), trade(6, timestamp=START_US // 1_000), trade(7, amount=0), trade(8, price=0),
        trade(9, amount=""), trade(10, timestamp=START_US // 10**6), trade(11, local_timestamp=START_US * 1_000),
        b"binance,BTCUSDT,1\n", trade(12, symbol=""), trade(13, id="x" * 129), trade(14, id="a\x01"), b"\n",
        trade(15).replace(b"BTC", b"\xff"),
    )  # fmt: skip
    path = put(dataset(tmp_path), trades(trade(0), *wrong, trade(99)))
    (report,) = take(store, path).files
    assert report.state == "imported"
    assert ids(store) == [0, 99]
    with open(report.rejects, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["line", "reason", "row"]
    assert [(int(line), row) for line, _, row in rows] == [
        (number, text[:-1].decode("utf-8", "replace")) for number, text in enumerate(wrong, start=3)
    ]
    assert [reason for _, reason, _ in rows] == [
        "price: not a finite number", "price: not a finite number", "price: negative where the type forbids it",
        "price: 1e21 or more", "local_timestamp: time is not between the years 2000 and 2100",
        "timestamp: time is in milliseconds where microseconds belong", "amount: 0 where the type forbids it",
        "price: 0 where the type forbids it", "amount: empty where the type wants a value",
        "timestamp: time is in seconds where microseconds belong",
        "local_timestamp: time is in nanoseconds where microseconds belong", "wrong number of fields",
        "exchange or symbol cannot be used: symbol is empty; every row names one",
        "id: text longer than 128 bytes", "id: text with control characters", "empty line",
        "exchange or symbol cannot be used: symbol '\\udcffUSDT' is not valid Unicode",
    ]  # fmt: skip
    result = report.result
    assert result is not None
    assert result.lines == result.rows + sum(finding.count for finding in result.set_aside.values()) == 19


def test_odd_rows_are_kept_and_counted(store: Store, tmp_path: Path) -> None:
    lines = (
        trade(10, id=5), trade(20, id=5), trade(30, id=4), trade(40, timestamp=START_US + 5), trade(50, timestamp=START_US + 60),
        trade(45, id=100, timestamp=START_US + 6), trade(60, id="", side="BUY"), trade(DAY_US, id=101), trade(70, symbol="ETHUSDT"),
    )  # fmt: skip
    (report,) = take(store, put(dataset(tmp_path), trades(*lines))).files
    result = report.result
    assert result is not None
    assert (result.rows, result.set_aside, report.rejects) == (9, {}, "")
    assert {kind: finding.count for kind, finding in result.odd.items()} == {
        "id_twice": 1, "id_backwards": 2, "exchange_time_backwards": 1, "local_before_exchange": 1, "out_of_order": 1,
        "id_missing": 1, "side_unrecognised": 1, "side_unknown": 1, "other_day": 1, "other_symbol": 1,
    }  # fmt: skip
    assert result.odd["out_of_order"].examples == [(7, "")]
    assert result.odd["side_unrecognised"].examples == [(8, "BUY")]
    assert result.odd["other_day"].examples == [(9, "2024-01-02")]
    assert result.odd["other_symbol"].examples == [(10, "binance,ETHUSDT")]
    assert result.odd["local_before_exchange"].examples[0][0] == 6
    assert set(result.odd) <= set(stage_kinds())


def stage_kinds() -> list[str]:
    from tickreel.ingest.inspect import ODD_KINDS

    return list(ODD_KINDS)


def test_an_id_is_looked_for_among_the_last_65536_rows(store: Store, tmp_path: Path) -> None:
    """Exact while ids rise or repeat at once; else within a window."""
    count = 65_537
    shuffled = [n * 7_919 % 1_000_003 for n in range(1, count + 1)]
    lines = [
        trade(place, id=id) for place, id in enumerate([*shuffled, shuffled[0], shuffled[1], shuffled[-1]])
    ]
    (report,) = take(store, put(dataset(tmp_path), trades(*lines))).files
    assert report.result is not None
    assert report.result.odd["id_twice"].examples == [(count + 4, f"id {shuffled[-1]}")]
    rising = [trade(place, id=n) for place, n in enumerate([*range(70_000), 0, 69_999])]
    (report,) = take(
        store, put(dataset(tmp_path, symbol="ETHUSDT"), trades(*rising).replace(b"BTC", b"ETH"))
    ).files
    assert report.result is not None
    assert report.result.odd["id_twice"].examples == [(70_003, "id 69999")]


# Order, symbols, days: against the twin


@st.composite
def sources(draw: st.DrawFn) -> tuple[bytes, str, dict[str, int]]:
    """The text of a file of some symbols, a group's name or none, and sizes that make all things happen early."""
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    symbols = draw(
        st.lists(
            st.sampled_from(["BTCUSDT", "ETHUSDT", "a", "B", "Ü", "BTC-1", "CON"]), min_size=1, max_size=4
        )
    )
    spread = draw(st.sampled_from([5, 1_000, 2 * DAY_US]))
    disorder = draw(st.sampled_from([0, 2, 100, 10**12]))
    time, lines = 0, []
    for number in range(draw(st.integers(0, 60))):
        time += chance.randrange(spread // 5)
        us = max(0, time - chance.randrange(disorder + 1))
        lines.append(trade(
            us, symbol=chance.choice(symbols), exchange=chance.choice(["binance", "binance", "okx"]) if spread == 1_000 else "binance",
            id=chance.choice([number, number, chance.randrange(40), "", "x" * chance.randrange(1, 40)]),
            side=chance.choice(["buy", "sell", "unknown", "?"]), price=chance.choice([1.5, "1e-7", "x", 0.1, "12345.678901"]),
            timestamp=START_US + us - chance.randrange(-3, 9),
        ))  # fmt: skip
    sizes = {"batch": draw(st.integers(1, 20)), "run": draw(st.integers(1, 30)), "merge": draw(st.integers(1, 20)),
             "text": draw(st.sampled_from([37, 500, 1 << 22])), "open": draw(st.sampled_from([1, 2, 100]))}  # fmt: skip
    return trades(*lines), draw(st.sampled_from(["", "OPTIONS", "SPOT"])), sizes


@settings(max_examples=3_000 if SOAK else 80, deadline=None)
@given(sources())
def test_any_order_of_rows_is_stored_as_the_twin_orders_it(source: tuple[bytes, str, dict[str, int]]) -> None:
    data, group, sizes = source
    twin = read_csv(TRADES, data)
    with (
        fast_folder() as folder,
        patch.object(csv_rows, "MAX_BATCH_ROWS", sizes["batch"]),
        patch.object(order, "RUN_ROWS", sizes["run"]),
        patch.object(order, "MERGE_ROWS", sizes["merge"]),
        patch.object(files, "_TEXT_BYTES", sizes["text"]),
        patch.object(stage, "MAX_OPEN", sizes["open"]),
    ):
        path = put(dataset(folder, symbol=group) if group else folder / "any.csv", data)
        store = Store(folder / "tape")
        (report,) = take(store, path, types=("trades",)).files
        assert report.state == "imported", report.error
        check_against_twin(store, report.result, twin, group)
        assert not list((folder / "tape").rglob("runs"))


def check_against_twin(store: Store, result: stage.FileResult | None, twin: Reading, group: str) -> None:
    assert result is not None
    assert (result.lines, result.rows) == (twin.lines, len(twin.rows))
    wanted = segments(twin.rows, group)
    found = stored(store)
    if group and not wanted:
        assert found.pop(("binance", group, DAY)) == []
    assert found == {name: plain(rows) for name, rows in wanted.items()}
    late = out_of_order(twin.rows)
    assert result.odd.get("out_of_order", Finding(0, [])).count == len(late)
    assert [line for line, _ in result.odd.get("out_of_order", Finding(0, [])).examples] == late[:3]
    for (exchange, symbol, day), rows in wanted.items():
        key = SegmentKey("tardis", "trades", exchange, symbol, day, bool(group))
        segment = store.open(key)
        names = sorted({row.symbol for row in rows}, key=str.encode)
        assert list(segment.footer.names) == names
        (part,) = segment.meta.parts
        times = [row.values["local_ns"] for row in rows]
        assert (part.rows, part.lines, part.interval) == (len(rows), twin.lines, (min(times), max(times) + 1))
        odd = oddities(rows)
        counted = {kind: part.odd[kind] for kind in part.odd if kind in odd or kind in INSPECTED}
        assert {kind: finding.count for kind, finding in counted.items()} == {
            k: len(v) for k, v in odd.items()
        }
        assert {k: [line for line, _ in f.examples] for k, f in counted.items()} == {
            k: v[:3] for k, v in odd.items()
        }
        assert list(verify(segment)) == []


INSPECTED = (
    "exchange_time_backwards", "local_before_exchange", "id_twice", "id_backwards", "id_missing", "side_unknown",
)  # fmt: skip


def test_rows_out_of_order_are_put_in_order_stably(store: Store, tmp_path: Path) -> None:
    lines = [trade(us, id=number) for number, us in enumerate((3, 1, 2, 1, 3, 0, 1))]
    (report,) = take(store, put(dataset(tmp_path), trades(*lines))).files
    assert ids(store) == [5, 1, 3, 6, 2, 0, 4]
    assert report.result is not None
    assert report.result.odd["out_of_order"] == Finding(5, [(3, ""), (4, ""), (5, "")])


def test_a_group_is_one_segment_with_a_directory_sorted_bytewise(store: Store, tmp_path: Path) -> None:
    symbols = [f"BTC-{n}-C" for n in range(300)] + ["a", "B", "Ü", "BTC-1"]
    chance = random.Random(7)
    lines = [trade(us, symbol=chance.choice(symbols), exchange="deribit") for us in range(3_000)]
    path = dataset(tmp_path, symbol="OPTIONS", exchange="deribit")
    put(path, trades(*lines))
    (report,) = take(store, path).files
    key = SegmentKey("tardis", "trades", "deribit", "OPTIONS", DAY, grouped=True)
    assert report.segments == (str(key),)
    segment = store.open(key)
    assert list(segment.footer.names) == sorted(symbols, key=str.encode)
    twin = read_csv(TRADES, trades(*lines))
    assert list(segment_rows(store, key)) == plain(segments(twin.rows, "OPTIONS")["deribit", "OPTIONS", DAY])
    assert report.result is not None
    assert "other_symbol" not in report.result.odd


def test_a_symbol_named_as_a_group_is_not_the_group(store: Store, tmp_path: Path) -> None:
    take(store, put(tmp_path / "any.csv", trades(trade(1, symbol="OPTIONS"))), types=("trades",))
    take(store, put(dataset(tmp_path, symbol="OPTIONS"), trades(trade(2, symbol="X"))))
    assert [(key.symbol, key.grouped) for key in store.find()] == [("OPTIONS", False), ("OPTIONS", True)]


def test_a_plain_file_of_many_symbols_and_days_needs_few_open_files(store: Store, tmp_path: Path) -> None:
    import resource

    lines = [trade(n * DAY_US, id=n) for n in range(240)]
    lines += [trade(n, symbol=f"S{n}", id=n) for n in range(240)] + [trade(1, price="x")]
    path = put(tmp_path / "mixed.csv", trades(*lines))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 130, hard))
    try:
        (report,) = take(store, path, types=("trades",)).files
        (days,) = take(
            store, put(tmp_path / "days.csv", trades(*lines[:240])), types=("trades",), feed="days"
        ).files
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (report.state, len(report.segments)) == ("imported", 480)
    assert (days.state, len(days.segments)) == ("imported", 240)
    assert sum(map(len, stored(store).values())) == 480


def test_a_file_over_midnight_fills_both_days(store: Store, tmp_path: Path) -> None:
    lines = (
        trade(DAY_US - 2),
        trade(DAY_US - 1),
        trade(DAY_US, timestamp=START_US + DAY_US - 1_005),
        trade(DAY_US + 5),
    )
    (report,) = take(store, put(dataset(tmp_path), trades(*lines))).files
    assert [name[2] for name in stored(store)] == [DAY, "2024-01-02"]
    assert [len(rows) for rows in stored(store).values()] == [2, 2]
    assert report.result is not None
    assert report.result.odd == {"other_day": Finding(2, [(4, "2024-01-02"), (5, "2024-01-02")])}


def test_rows_of_a_day_that_another_file_has_begun_join_it(store: Store, tmp_path: Path) -> None:
    first = put(dataset(tmp_path), trades(trade(1), trade(DAY_US)))
    second = put(dataset(tmp_path, "2024-01-02"), trades(trade(DAY_US + 1), trade(DAY_US + 2)))
    assert states(take(store, first, second)) == ["imported", "merged"]
    assert ids(store, SegmentKey("tardis", "trades", "binance", "BTCUSDT", "2024-01-02")) == [
        DAY_US, DAY_US + 1, DAY_US + 2,
    ]  # fmt: skip


def test_block_rows_change_no_row(tmp_path: Path) -> None:
    lines = [
        trade(n, price=f"{n}.{n % 7}5", id=n if n % 50 else f"x{n}", side="sell" if n % 3 else "buy")
        for n in range(1_000)
    ]
    path = put(dataset(tmp_path), trades(*lines))
    found = []
    for block_rows in (1, 7, 999, 65_536):
        store = Store(tmp_path / str(block_rows))
        take(store, path, block_rows=block_rows)
        found.append(stored(store))
        assert len(store.open(KEY).blocks) == -(-1_000 // block_rows)
    assert found == [found[0]] * 4


# D3: files are known by their bytes, parts by their paths


def test_the_same_bytes_are_skipped_under_any_path(store: Store, tmp_path: Path) -> None:
    data = trades(trade(1, price="x"), trade(2), trade(3))
    path = put(dataset(tmp_path / "a"), data)
    take(store, path)
    before = contents(store.root)
    other = put(dataset(tmp_path / "b"), data)
    flat = put(tmp_path / f"binance_trades_{DAY}_BTCUSDT.csv.gz", data)
    unnamed = put(tmp_path / "x.csv.gz", data)
    summary = take(store, path, other, flat, unnamed, types=("trades",))
    assert (states(summary), summary.exit_code) == (["skipped"] * 4, 0)
    assert contents(store.root) == before
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
    assert renamed == ["2023-12-31.reel", "2024-01-02.reel", f"{DAY}.reel", f"{DAY}.reel", "primary"]
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
    assert not (store.root / "tardis").exists()


def test_a_plain_file_without_its_last_line_end_loses_that_line_only(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path, end=".csv"), trades(trade(1), trade(2))[:-2])
    (report,) = take(store, path).files
    assert report.result is not None
    (reason,) = report.result.set_aside
    assert (ids(store), reason.split(":")[0]) == ([1], "last line without a line end")
    packed = put(dataset(tmp_path, symbol="ETHUSDT"), trades(trade(1), trade(2))[:-1].replace(b"BTC", b"ETH"))
    assert states(take(store, packed)) == ["imported"]
    assert ids(store, SegmentKey("tardis", "trades", "binance", "ETHUSDT", DAY)) == [1, 2]


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
    summary = take(store, tmp_path)
    assert states(summary) == ["imported"]
    assert {reason.split(":")[0]: count for reason, count in summary.passed_over.items()} == {
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


# Workers


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(6):
        lines = [
            trade(n * 50 % 77, symbol=f"S{number}", id=n, price="x" if n == 3 else n + 1) for n in range(60)
        ]
        put(dataset(root, symbol=f"S{number}"), trades(*lines))
    put(dataset(root, symbol="OPTIONS"), trades(*[trade(n, symbol=f"O{n % 5}") for n in range(50)]))
    put(dataset(root, symbol="ZZZ"), b"no header")
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    summaries = [take(one, root, workers=1), take(two, root, workers=2)]
    assert contents(one.root) == contents(two.root)
    first, second = ([(r.path, r.state, r.segments, r.error) for r in s.files] for s in summaries)
    assert first == second


def test_a_second_attempt_of_a_task_starts_afresh(store: Store, tmp_path: Path) -> None:
    """A worker that was killed leaves half a staging folder; its task runs once more."""
    path = put(dataset(tmp_path), trades(trade(2), trade(1), trade(3, price=0)))
    task = stage.FileTask(
        str(path), "tardis", "trades", "", ("binance", "BTCUSDT", DAY), [], False, str(tmp_path / "staging")
    )
    folder = tmp_path / "staging"
    (folder / "runs").mkdir(parents=True)
    for name in ("0.reel", "rejects.csv", "runs/0.run"):
        (folder / name).write_bytes(b"half")
    result = stage.FileStage(task, lambda **numbers: None).run()
    assert (result.rows, len(result.segments)) == (2, 1)
    assert Path(result.rejects_file).read_text().count("\n") == 2


def test_an_unreadable_source_is_a_disk_error_that_names_it(store: Store, tmp_path: Path) -> None:
    from tickreel.errors import DiskError

    path = put(dataset(tmp_path), trades(trade(1)))
    missing = tmp_path / f"binance_trades_{DAY}_GONE.csv"
    missing.symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises((UsageError, DiskError), match="GONE"):
        take(store, path, missing)


def test_an_error_in_a_name_says_which(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1, exchange="a" * 300), trade(2)))
    (report,) = take(store, path).files
    assert report.result is not None
    ((line, text),) = report.result.set_aside["exchange or symbol cannot be used"].examples
    assert (line, len(text)) == (2, 200)
    with pytest.raises(InputError):
        stage._usable_names("", "x")


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
    code, out, err = call(capfd, "import", tmp_path, "--store", tmp_path / "tape", "--workers", 1)
    assert code == 0
    (aside,) = (line for line in out.splitlines() if line.startswith("set aside"))
    assert aside.split("price: not a finite number")[1].split()[:5] == [
        "3",
        "2",
        "BTCUSDT.csv.gz:",
        "line",
        "4",
    ]
    (late,) = (line for line in out.splitlines() if "out of order" in line)
    assert late.split("out of order")[1].split() == ["1", "1", "BTCUSDT.csv.gz:", "line", "5"]
    assert "2 imported; 4 rows" in err
    assert "passed over: 1 files of quotes" in err
    assert err.count("rows set aside are in ") == 2
    code, out, err = call(capfd, "import", tmp_path, "--store", tmp_path / "tape", "--workers", 1, "--quiet")
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
        "path": str(good), "state": "imported", "lines": 3, "rows": 2, "odd": {"out_of_order": 1},
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
