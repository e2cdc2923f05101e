"""Every type of every venue: imported, scanned, shown, exported, checked, merged, removed."""

import csv
import gzip
import io
import itertools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import venue_files
from import_sample import contents, fast_folder, put, states, take
from tickreel.cli import output
from tickreel.cli.app import run
from tickreel.schema import GROUPS, NULL_TIME, RECORD_TYPES, Column, Kind, RecordType
from tickreel.store.catalog import SegmentKey, Store
from tickreel.tape import open_store
from tickreel.units import format_time
from twin_csv import bits
from venue_files import DAY, ROWS, VENUES

FILES = list(venue_files.files())
TYPES = sorted({file[1] for file in FILES})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with fast_folder() as found:
        yield found


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    """Every file of every venue: symbols and groups as two feeds, since some rows are in both."""
    place = Store(folder / "tape")
    for feed, grouped in (("tardis", False), ("groups", True)):
        paths = [venue_files.write(folder / feed, *file) for file in FILES if (file[2] in GROUPS) == grouped]
        summary = take(place, *paths, feed=feed)
        assert states(summary) == ["imported"] * len(paths)
        for report in summary.files:
            assert report.result is not None
            assert (report.result.lines, report.result.rows) == (ROWS, ROWS), report.path
    return place


def feed_of(symbol: str) -> str:
    return "groups" if symbol in GROUPS else "tardis"


def rows_of(venue: str, type: str, symbol: str) -> list[dict[str, str]]:
    """Return a file's rows as texts, in the order of a segment: by symbol, else as they come."""
    rows = list(csv.DictReader(io.StringIO(venue_files.text(venue, type, symbol).decode())))
    return sorted(rows, key=lambda row: row["symbol"])


def value(column: Column, cell: str) -> object:
    """Return what a scan must yield for a cell, floats as their bits."""
    if column.kind is Kind.TIME:
        return int(cell) * 1_000 if cell else NULL_TIME
    if column.kind is Kind.DECIMAL:
        return bits(float(cell) if cell else None)
    return column.choices.index(cell) if column.kind is Kind.ENUM else cell.encode()


@pytest.mark.parametrize(("venue", "type", "symbol"), FILES)
def test_a_scan_yields_what_the_file_says_bit_for_bit(
    store: Store, venue: str, type: str, symbol: str
) -> None:
    record, rows = RECORD_TYPES[type], rows_of(venue, type, symbol)
    tape = open_store(store.root, feed=feed_of(symbol))
    names = sorted({row["symbol"] for row in rows})
    blocks = list(tape.scan([f"{venue}:{name}" for name in names], type=type))
    assert [block.symbol for block in blocks] == names
    for column in record.columns:
        found = [v for block in blocks for v in _plain(block[column.name])]
        assert found == [value(column, row[column.csv or ""]) for row in rows], column.name


def _plain(values: np.ndarray) -> list[object]:
    return (values.view("<i8") if values.dtype.kind == "f" else values).tolist()


@pytest.mark.parametrize("type", TYPES)
def test_show_prints_the_file_again(
    store: Store, type: str, folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """To the letter, but for two numbers whose text is not the one that JavaScript would print."""
    for venue, symbol in {venue: symbol for venue, of_type, symbol in FILES if of_type == type}.items():
        rows = rows_of(venue, type, symbol)
        names = ",".join(f"{venue}:{name}" for name in sorted({row["symbol"] for row in rows}))
        words = [
            "show",
            "--store",
            str(store.root),
            "--feed",
            feed_of(symbol),
            "--type",
            type,
            "--symbol",
            names,
        ]
        assert run([*words, "--format", "csv", "--limit", "0"]) == 0
        shown = list(csv.DictReader(io.StringIO(capsysbinary.readouterr().out.decode())))
        assert shown == [{name: _shortest(cell) for name, cell in row.items()} for row in rows]
        assert run([*words, "--format", "jsonl", "--limit", "7"]) == 0
        lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
        assert lines == [_document(RECORD_TYPES[type], row) for row in rows[:7]]
    assert run([*words, "--limit", "3"]) == 0
    assert len(capsysbinary.readouterr().out.splitlines()) == 4


WIDE = {
    "trades": ["symbol", "local_ns", "price"],
    "trades,book_snapshot_25": ["type", "symbol", "local_ns", "price", "asks_0_price"],
    "trades,derivative_ticker": ["type", "symbol", "local_ns", "price"],
    "options_chain": ["symbol", "local_ns", "strike_price"],
}


@pytest.mark.parametrize("width", [40, 80, 100, 200, 5_000])
@pytest.mark.parametrize("types", WIDE)
def test_a_table_has_the_columns_that_fit_whole_and_counts_the_others(
    store: Store, types: str, width: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console = lambda **_: Console(file=sys.stdout, width=width)  # noqa: E731
    monkeypatch.setattr(output, "_console", console)
    feed = "groups" if types == "options_chain" else "tardis"
    words = ["show", "--store", str(store.root), "--exchange", "deribit", "--feed", feed, "--type", types]
    assert run([*words, "--limit", "9"]) == 0
    out, note = capfd.readouterr()
    head, *lines = out.splitlines()
    shown = head.split()
    assert all(len(line) <= width for line in (head, *lines))
    assert "…" not in out
    assert run([*words, "--limit", "9", "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    place = head.index("local_ns")
    assert [line[place:].split()[0] for line in lines] == [format_time(row["local_ns"]) for row in rows]
    if width >= 100:
        assert set(WIDE[types]) <= set(shown)
    every = {name: None for row in rows for name in row}
    left_out = [name for name in every if name not in shown]
    assert (f"{len(left_out):,} column" in note) == bool(left_out)
    assert ("--format jsonl or --json has all" in note) == bool(left_out)
    if width == 5_000:
        assert not left_out


def _shortest(cell: str) -> str:
    """Return a cell as JavaScript, and so Tardis, writes the number."""
    return {"-4.2E-8": "-4.2e-8", "-1e-05": "-0.00001"}.get(cell, cell)


def _document(record: RecordType, row: dict[str, str]) -> dict[str, object]:
    document: dict[str, object] = {"exchange": row["exchange"], "symbol": row["symbol"]}
    for column in record.columns:
        cell = row[column.csv or ""]
        plain = {Kind.TIME: lambda c: int(c) * 1_000, Kind.DECIMAL: float}.get(column.kind, str)
        document[column.name] = plain(cell) if cell else None
    return document


@pytest.mark.parametrize("type", TYPES)
def test_frames_have_nulls_where_cells_are_empty(store: Store, type: str, folder: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    polars = pytest.importorskip("polars")
    venue, _, symbol = next(file for file in FILES if file[1] == type and file[2] not in GROUPS)
    rows, record = rows_of(venue, type, symbol), RECORD_TYPES[type]
    tape = open_store(store.root)
    arrow = list(tape.to_arrow(f"{venue}:{symbol}", type=type))
    frame = polars.concat(tape.to_polars(f"{venue}:{symbol}", type=type))
    (pandas,) = tape.to_pandas(f"{venue}:{symbol}", type=type)
    out = folder / "rows.parquet"
    words = [
        "show",
        "--store",
        str(store.root),
        "--type",
        type,
        "--symbol",
        f"{venue}:{symbol}",
        "--limit",
        "0",
    ]
    assert run([*words, "--format", "parquet", "--out", str(out)]) == 0
    parquet = pq.read_table(out)
    for column in record.columns:
        empty = [not row[column.csv or ""] for row in rows]
        found = [v is None for batch in arrow for v in batch.column(column.name).to_pylist()]
        assert found == frame[column.name].is_null().to_list() == empty, column.name
        assert pandas[column.name].isna().tolist() == empty, column.name
        assert [v is None for v in parquet.column(column.name).to_pylist()] == empty, column.name
        if column.kind is Kind.DECIMAL:
            wanted = [float(row[column.csv or ""] or "nan") for row in rows]
            assert all(
                a == b or (math.isnan(a) and math.isnan(b))
                for a, b in zip(pandas[column.name].tolist(), wanted, strict=True)
            )


def test_check_and_stats_and_ls(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--store", str(store.root), "--workers", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["problems"], report["rows"]) == ([], ROWS * len(FILES))
    assert run(["stats", "--store", str(store.root), "--json"]) == 0
    types = {entry["type"]: entry for entry in json.loads(capsys.readouterr().out)["types"]}
    assert set(types) == set(TYPES)
    for name, entry in types.items():
        assert [column["column"] for column in entry["columns"]] == list(RECORD_TYPES[name].names)
    assert run(["ls", "--store", str(store.root), "--feed", "groups", "--json"]) == 0
    listed = {
        (entry["exchange"], entry["type"], entry["symbol"], entry["group"])
        for entry in json.loads(capsys.readouterr().out)["entries"]
    }
    symbols = {
        (venue, type, row["symbol"], group)
        for venue, type, group in FILES if group in GROUPS for row in rows_of(venue, type, group)
    }  # fmt: skip
    assert listed == symbols


def test_bars_of_the_trades_of_a_group(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in rows_of("deribit", "trades", "PERPETUALS") if row["symbol"] == "BTC-PERPETUAL"]
    words = ["bars", "--store", str(store.root), "--feed", "groups", "--symbol", "deribit:BTC-PERPETUAL"]
    assert run([*words, "--every", "1d", "--json"]) == 0
    (bar,) = json.loads(capsys.readouterr().out)["bars"]
    prices, amounts = ([float(row[name]) for row in rows] for name in ("price", "amount"))
    assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (
        prices[0], max(prices), min(prices), prices[-1],
    )  # fmt: skip
    assert (bar["trades"], bar["volume"]) == (len(rows), sum(amounts))


# A second file of a group's day (D3)


@pytest.mark.parametrize(
    ("venue", "type"), [("deribit", "options_chain"), ("bybit", "trades"), ("okex-swap", "book_snapshot_25")]
)
def test_a_second_file_of_a_group_merges_is_refused_or_replaces(venue: str, type: str) -> None:
    (group, *_) = VENUES[venue].groups
    with fast_folder() as folder:
        store = Store(folder / "tape")
        early = venue_files.write(folder / "early", venue, type, group, 1)
        late = venue_files.write(folder / "late", venue, type, group, 2, start_us=12 * 3_600_000_000)
        clash = venue_files.write(folder / "clash", venue, type, group, 3)
        assert states(take(store, early, late)) == ["imported", "merged"]
        both = contents(store.root, "*.reel")
        other = Store(folder / "other")
        assert states(take(other, late, early)) == ["imported", "merged"]
        assert contents(other.root, "*.reel") == both
        (refused,) = take(store, clash).files
        assert (refused.state, "--replace" in refused.error) == ("failed", True)
        assert contents(store.root, "*.reel") == both
        assert states(take(store, clash, replace=True)) == ["replaced"]
        segment_key = SegmentKey("tardis", type, venue, group, DAY, True)
        segment = store.open(segment_key)
        assert {part.source for part in segment.meta.parts} == {str(clash), str(late)}
        assert segment.rows == 2 * ROWS
        assert run(["check", "--store", str(store.root), "--workers", "1", "--quiet"]) == 0
        put(clash, gzip.decompress(early.read_bytes()))
        assert states(take(store, clash)) == ["replaced"]
        again = store.open(segment_key)
        assert {part.source for part in again.meta.parts} == {str(clash), str(late)}
        assert [block["local_ns"].tolist() for block in open_store(store.root).scan(type=type)] == [
            block["local_ns"].tolist() for block in open_store(other.root).scan(type=type)
        ]


def test_rm_of_one_symbol_of_a_group_says_that_it_goes_with_its_group(store: Store, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    name = "BTC-29MAR24-60000-P"
    before = contents(store.root)
    words = ["rm", "--store", str(store.root), "--feed", "groups", "--type", "options_chain"]
    assert run([*words, "--symbols", name]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert "OPTIONS" in said
    assert contents(store.root) == before
    assert run([*words, "--symbols", "deribit:OPTIONS", "--dry-run"]) == 0
    assert capsys.readouterr().out.split() == [f"groups/options_chain/deribit/OPTIONS/{DAY}"]


def test_the_fixtures_have_what_venues_are_known_for() -> None:
    """Else the tests above would pass for want of it."""
    cells = {file: rows_of(*file) for file in FILES}
    every = list(itertools.chain.from_iterable(cells.values()))
    assert any(int(row["timestamp"]) < venue_files.DAY_US <= int(row["local_timestamp"]) for row in every)
    quotes = cells["binance", "book_ticker", "BTCUSDT"]
    assert all(row["timestamp"] == row["local_timestamp"] for row in quotes)
    for (venue, type, _), rows in cells.items():
        if type == "derivative_ticker":
            assert venue != "deribit" or not any(row["funding_timestamp"] for row in rows)
            assert not venue.startswith("binance") or not any(row["predicted_funding_rate"] for row in rows)
            assert any("e-" in row["funding_rate"].lower() for row in rows)
        if type == "incremental_book_L2":
            assert {"0"} < {row["amount"] for row in rows}
        if type == "book_snapshot_5":
            assert any(not row["asks[4].price"] for row in rows)
        if type == "quotes":
            assert any(not row["bid_price"] and row["ask_price"] for row in rows)
    assert {len(row["id"]) for row in cells["bybit", "trades", "BTCUSDT"]} == {36}
