"""Files whose rows have no local times, or an optional column: what is stored, and how all commands read it."""

import json
from pathlib import Path

import numpy as np
import pytest

import tickreel
from import_sample import (
    DAY,
    DAY_US,
    KEY,
    START_US,
    TRADES,
    contents,
    dataset,
    parts,
    put,
    states,
    take,
    trade,
    trades,
)
from test_cli import call
from tickreel.errors import UsageError
from tickreel.scan.read import check_columns
from tickreel.schema import NULL_TIME, RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.maintain import verify
from tickreel.units import NS_PER_US

RELAY = TRADES.shape(["fee"], local=False)
FEED = {"feed": "relay"}


def relayed(us: int, fee: object = "", **cells: object) -> bytes:
    """Return a line of a relay; `us` is exchange time after the beginning of DAY."""
    return trade(us, timestamp=START_US + us, local_timestamp=None, fee=fee, **cells)


def relay_file(folder: Path, *lines: bytes, day: str = DAY, symbol: str = "BTCUSDT") -> Path:
    return put(dataset(folder, day, symbol, end=".csv"), trades(*lines, shape=RELAY))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """BTCUSDT without local times over two days with fees on the first, ETHUSDT with local times and no fees."""
    store = Store(tmp_path / "tape")
    first = relay_file(
        tmp_path / "files", relayed(5, "0.25", price=1.5), relayed(9, price=2.5), relayed(9, -1, price=3)
    )
    second = put(
        dataset(tmp_path / "files", "2024-01-02", end=".csv"),
        trades(
            trade(0, timestamp=START_US + DAY_US + 7, local_timestamp=None, price=4),
            shape=TRADES.shape(local=False),
        ),
    )
    third = put(dataset(tmp_path / "files", symbol="ETHUSDT"), trades(trade(6, symbol="ETHUSDT", price=7)))
    assert take(store, first, second, third, **FEED).exit_code == 0
    return store


def times(*us: int) -> list[int]:
    return [(START_US + one) * NS_PER_US for one in us]


# What is stored


def test_days_and_order_are_those_of_exchange_time(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    path = relay_file(tmp_path, relayed(9, 1), relayed(3, 2), relayed(DAY_US, 3))
    (report,) = take(store, path, **FEED).files
    assert report.result.local is False
    found = {kind: finding.count for kind, finding in report.result.odd.items()}
    assert found == {"out_of_order": 1, "other_day": 1}
    keys = list(store.find())
    assert [key.day for key in keys] == [DAY, "2024-01-02"]
    segment = store.open(keys[0])
    assert segment.record is RELAY
    assert segment.read("exchange_ns", 0).tolist() == times(3, 9)
    assert segment.read("fee", 0).tolist() == [2, 1]
    (part,) = segment.meta.parts
    assert (part.interval, part.optional) == ((times(3)[0], times(9)[0] + 1), ["fee"])
    assert not [problem for key in keys for problem in verify(store.open(key))]


def test_what_no_part_has_is_not_stored(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    path = put(dataset(tmp_path), trades(trade(1), trade(5)))
    other = put(tmp_path / "other.csv", trades(trade(20, fee=1), shape=TRADES.widest))
    take(store, path)
    alone = contents(store.root, "*.reel")
    assert store.open(KEY).record is TRADES
    assert states(take(store, other, types=("trades",))) == ["merged"]
    segment = store.open(KEY)
    assert segment.record.extras == ("fee",)
    assert np.isnan(segment.read("fee", 0)).tolist() == [True, True, False]
    put(other, trades(shape=TRADES.widest))
    assert states(take(store, other, types=("trades",))) == ["replaced"]
    assert contents(store.root, "*.reel") == alone


def test_rows_with_local_times_and_rows_without_are_not_mixed(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    first = put(dataset(tmp_path), trades(trade(1), trade(5)))
    second = put(tmp_path / "relay.csv", trades(relayed(DAY_US - 1), shape=RELAY))
    for one, other in ((first, second), (second, first)):
        place = Store(tmp_path / f"from {one.name}")
        assert states(take(place, one, types=("trades",))) == ["imported"]
        before = contents(place.root, "*.reel")
        (report,) = take(place, other, types=("trades",), replace=True).files
        assert (report.state, report.exit_code) == ("failed", 1)
        assert report.error == (
            f"{other}: rows of {first} have local times, those of {second} have none, and {KEY} is on one clock:"
            " import this file under another --feed"
        )
        assert contents(place.root, "*.reel") == before
        assert states(take(place, other, types=("trades",), feed="relay")) == ["imported"]
    # What it replaces as a whole is no neighbour, and a file without rows is none either.
    put(first, trades(relayed(2), shape=RELAY))
    assert states(take(store, put(tmp_path / "none.csv", b""), first, types=("trades",))) == ["imported"] * 2
    put(first, trades(trade(2)))
    assert states(take(store, first)) == ["replaced"]
    assert store.open(KEY).record is TRADES


@pytest.mark.parametrize("data", [b"", trades(shape=RELAY), trades(relayed(1, price="x"), shape=RELAY)])
def test_an_empty_segment_has_the_types_own_columns(tmp_path: Path, data: bytes) -> None:
    store = Store(tmp_path / "tape")
    path = put(dataset(tmp_path), data)
    (report,) = take(store, path).files
    assert report.result.local
    assert store.open(KEY).record is TRADES
    assert parts(store)[0].optional == []


def test_the_import_says_what_is_left_out(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = relay_file(tmp_path, relayed(1))
    words = ("import", path, "--store", tmp_path / "tape", "--workers", 1)
    code, out, _ = call(capfd, *words, "--json")
    assert (code, json.loads(out)["files"][0]["clock"]) == (0, "exchange")
    put(path, trades(relayed(2), shape=RELAY))
    code, _, err = call(capfd, *words)
    assert f"files without local times: 1, e.g. {path}" in err
    assert "--feed-latency" in err


# How it reads


def test_columns_that_are_not_stored_are_empty(store: Store) -> None:
    tape = tickreel.open_store(store.root)
    first, second, third = tape.scan()
    assert list(first.columns) == list(TRADES.names)
    assert first["exchange_ns"].tolist() == times(5, 9, 9)
    assert first["local_ns"].tolist() == [NULL_TIME] * 3
    assert third["local_ns"].tolist() == times(6)
    for reuse in (False, True):
        fees = [str(block["fee"].tolist()) for block in tape.scan(columns=["fee", "local_ns"], reuse=reuse)]
        assert fees == ["[0.25, nan, -1.0]", "[nan]", "[nan]"]
    with pytest.raises(UsageError, match=r"trades has no column 'rebate'; it has .* amount, fee"):
        list(tape.scan(columns=["rebate"]))
    with pytest.raises(UsageError, match="quotes has no column 'fee'"):
        check_columns(RECORD_TYPES["quotes"], ["fee"])


def test_ranges_follow_the_clock_of_the_rows(store: Store) -> None:
    tape = tickreel.open_store(store.root)
    one, two = times(6, 9)
    found = [block["price"].tolist() for block in tape.scan("BTCUSDT", start=one, end=two + 1)]
    assert found == [[2.5, 3.0]]
    assert [stream.first_ns for stream in tape.streams("BTCUSDT")] == times(5)


def test_streams_merge_by_the_clock_of_each(store: Store) -> None:
    tape = tickreel.open_store(store.root)
    columns = {"trades": ["price", "fee", "local_ns"]}
    rows = []
    for batch in tape.merge(columns=columns):
        for ns, number, row in zip(
            batch.time_ns.tolist(), batch.stream.tolist(), batch.row.tolist(), strict=True
        ):
            cells = batch.columns[number]
            rows.append((ns, batch.streams[number].symbol, cells["price"][row], int(cells["local_ns"][row])))
    late = times(5, 6, 9, 9, DAY_US + 7)
    assert rows == [
        (late[0], "BTCUSDT", 1.5, NULL_TIME), (late[1], "ETHUSDT", 7.0, late[1]), (late[2], "BTCUSDT", 2.5, NULL_TIME),
        (late[3], "BTCUSDT", 3.0, NULL_TIME), (late[4], "BTCUSDT", 4.0, NULL_TIME),
    ]  # fmt: skip


def test_frames_have_nulls(store: Store) -> None:
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    tape = tickreel.open_store(store.root)
    frame = polars.concat(tape.to_polars())
    assert frame.columns == ["exchange", "symbol", *TRADES.names]
    assert frame["local_ns"].null_count() == 4
    frame = polars.concat(tape.to_polars(columns=["price", "fee"]))
    assert frame["fee"].to_list() == [0.25, None, -1.0, None, None]
    frame = pandas.concat(tape.to_pandas("BTCUSDT", columns=["local_ns"]))
    assert frame["local_ns"].isna().all()


def test_show_prints_what_there_is(store: Store, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    here = ("--store", store.root)
    _, out, _ = call(capfd, "show", *here, "--json")
    rows = json.loads(out)["rows"]
    assert [row["local_ns"] for row in rows] == [None] * 4 + times(6)
    assert [row.get("fee", "none") for row in rows] == [0.25, "none", -1.0, "none", "none"]
    _, out, _ = call(capfd, "show", *here, "--symbol", "BTCUSDT", "--limit", 3)
    assert "local_ns" in out
    assert out.splitlines()[0].split()[-1] == "fee"
    _, out, _ = call(capfd, "show", *here, "--symbol", "ETHUSDT")
    assert "fee" not in out
    _, out, _ = call(capfd, "show", *here, "--type", "trades,trades", "--json")
    assert len(json.loads(out)["rows"]) == 5
    _, out, _ = call(capfd, "show", *here, "--symbol", "BTCUSDT", "--to", "2024-01-02", "--format", "csv")
    assert out.encode() == trades(
        *(relayed(us, fee, price=price) for us, fee, price in ((5, "0.25", 1.5), (9, "", 2.5), (9, -1, 3))),
        shape=RELAY,
    )
    _, out, _ = call(capfd, "show", *here, "--symbol", "BTCUSDT", "--format", "csv")
    assert out.splitlines()[0] == ",".join(RELAY.csv_header)
    assert out.splitlines()[-1].endswith(",4,2,")
    code, _, err = call(capfd, "show", *here, "--format", "csv")
    assert code == 2
    assert (
        "has local times and relay/trades/binance/BTCUSDT/2024-01-02 has none, and a file has one header"
        in err
    )
    call(capfd, "show", *here, "--out", tmp_path / "all.parquet")
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(tmp_path / "all.parquet").columns == [
        "exchange",
        "symbol",
        *TRADES.widest.names,
    ]


def test_several_types_in_one_order(store: Store, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    record = RECORD_TYPES["liquidations"].shape(local=False)
    path = tmp_path / f"binance_liquidations_{DAY}_BTCUSDT.csv"
    put(path, trades(trade(1, timestamp=START_US + 6, local_timestamp=None, price=9), shape=record))
    take(store, path, **FEED)
    _, out, _ = call(
        capfd, "show", "--store", store.root, "--type", "trades,liquidations", "--symbol", "BTCUSDT", "--json"
    )
    rows = json.loads(out)["rows"]
    assert [(row["type"], row["price"], row.get("fee")) for row in rows] == [
        ("trades", 1.5, 0.25), ("liquidations", 9, None), ("trades", 2.5, None), ("trades", 3, -1), ("trades", 4, None),
    ]  # fmt: skip


def test_other_commands(store: Store, capfd: pytest.CaptureFixture) -> None:
    here = ("--store", store.root)
    _, out, _ = call(capfd, "ls", *here, "--json")
    assert [entry["days_without_local"] for entry in json.loads(out)["entries"]] == [2, 0]
    _, out, _ = call(capfd, "ls", *here)
    assert [line.endswith("no local times") for line in out.splitlines()[1:]] == [True, False]
    _, out, _ = call(capfd, "stats", *here, "--json")
    (type,) = json.loads(out)["types"]
    columns = {row["column"]: row for row in type["columns"]}
    assert list(columns) == list(TRADES.widest.names)
    assert columns["local_ns"]["codecs"] == {"constant": 0.2}
    assert sum(columns["price"]["codecs"].values()) == 1
    _, out, _ = call(capfd, "bars", *here, "--every", "1h", "--json")
    assert [(bar["symbol"], bar["start_ns"], bar["trades"]) for bar in json.loads(out)["bars"]] == [
        ("BTCUSDT", times(0)[0], 3), ("BTCUSDT", times(DAY_US)[0], 1), ("ETHUSDT", times(0)[0], 1),
    ]  # fmt: skip
    code, out, _ = call(capfd, "check", *here, "--json")
    assert (code, json.loads(out)["problems"]) == (0, [])


def test_a_day_of_a_group(tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    lines = [relayed(us, us, symbol=symbol) for us in (7, 3, 5) for symbol in ("B", "A")]
    path = put(dataset(tmp_path, symbol="OPTIONS"), trades(*lines, shape=RELAY))
    assert take(store, path, block_rows=2).exit_code == 0
    key = SegmentKey("tardis", "trades", "binance", "OPTIONS", DAY, grouped=True)
    segment = store.open(key)
    assert (segment.record, segment.footer.names) == (RELAY, ("A", "B"))
    (stream,) = tickreel.open_store(store.root).streams("B")
    found = tickreel.open_store(store.root).scan("B", columns=["fee"])
    assert (stream.rows, [fee for block in found for fee in block["fee"].tolist()]) == (3, [3, 5, 7])
    assert list(verify(segment)) == []
