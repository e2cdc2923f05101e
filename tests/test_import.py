"""The import of one file: every row accounted for, in its order, in its segment, with its provenance."""

import csv
import os
import random
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counts import SOAK
from import_sample import (
    DAY,
    DAY_US,
    KEY,
    START_US,
    TRADES,
    contents,
    dataset,
    fast_folder,
    ids,
    parts,
    plain,
    put,
    segment_rows,
    states,
    stored,
    take,
    trade,
    trades,
)
from tickreel.errors import InputError
from tickreel.ingest.files import run, spill, stage
from tickreel.ingest.files import text_file as files
from tickreel.schema import RecordType
from tickreel.sources import csv_batch
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Finding
from tickreel.store.maintain import verify
from tickreel.units import NS_PER_US
from twin_csv import Reading, oddities, out_of_order, read_csv, segments


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


@pytest.mark.parametrize("rows", [1, 4, 1 << 16])
def test_rows_of_other_symbols_are_told_in_order_of_the_file(store: Store, tmp_path: Path, rows: int) -> None:
    """Whatever the batches in which they come."""
    symbols = ["BTCUSDT", "ETHUSDT", "ETHUSDT", "BTCUSDT", "XRPUSDT", "ETHUSDT", "BTCUSDT"]
    lines = [trade(place, symbol=symbol) for place, symbol in enumerate(symbols)]
    with patch.object(csv_batch, "MAX_BATCH_ROWS", rows):
        (report,) = take(store, put(dataset(tmp_path), trades(*lines))).files
    assert report.result is not None
    assert report.result.odd["other_symbol"] == Finding(
        4, [(3, "binance,ETHUSDT"), (4, "binance,ETHUSDT"), (6, "binance,XRPUSDT")]
    )


def stage_kinds() -> list[str]:
    from tickreel.ingest.files.inspect import ODD_KINDS

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
def sources(draw: st.DrawFn) -> tuple[RecordType, bytes, str, dict[str, int]]:
    """Columns, the text of a file of some symbols, a group's name or none, and sizes that make all things happen early."""
    shape = draw(st.sampled_from(TRADES.shapes))
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
            **({} if shape.has_local else {"local_timestamp": None}),
            **{name: chance.choice(["", "-0.5", "0.125", "x"]) for name in shape.extras},
        ))  # fmt: skip
    sizes = {"batch": draw(st.integers(1, 20)), "run": draw(st.integers(1, 2_000)), "chunk": draw(st.integers(1, 1_000)),
             "fan": draw(st.integers(2, 5)), "step": draw(st.integers(1, 5)),
             "text": draw(st.sampled_from([37, 500, 1 << 22])), "open": draw(st.sampled_from([1, 2, 100]))}  # fmt: skip
    return shape, trades(*lines, shape=shape), draw(st.sampled_from(["", "OPTIONS", "SPOT"])), sizes


@settings(max_examples=3_000 if SOAK else 80, deadline=None)
@given(sources())
def test_any_order_of_rows_is_stored_as_the_twin_orders_it(
    source: tuple[RecordType, bytes, str, dict[str, int]],
) -> None:
    shape, data, group, sizes = source
    twin = read_csv(shape, data)
    with (
        fast_folder() as folder,
        patch.object(csv_batch, "MAX_BATCH_ROWS", sizes["batch"]),
        patch.object(spill, "RUN_BYTES", sizes["run"]),
        patch.object(run, "CHUNK_BYTES", sizes["chunk"]),
        patch.object(spill, "FAN", sizes["fan"]),
        patch.object(spill, "STEP_CHUNKS", sizes["step"]),
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
        assert set(segment.record.names) == set(rows[0].values)
        (part,) = segment.meta.parts
        times = [row.time for row in rows]
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


def test_an_error_in_a_name_says_which(store: Store, tmp_path: Path) -> None:
    path = put(dataset(tmp_path), trades(trade(1, exchange="a" * 300), trade(2)))
    (report,) = take(store, path).files
    assert report.result is not None
    ((line, text),) = report.result.set_aside["exchange or symbol cannot be used"].examples
    assert (line, len(text)) == (2, 200)
    with pytest.raises(InputError):
        stage._usable_names("", "x")
