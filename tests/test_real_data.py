"""Real files, where a folder of them is at hand: every row accounted for, every value as the text has it.

TICKREEL_REAL_DATA names the folder, laid out as a Tardis dataset mirror; without it ../shared/data/tardis beside the
checkout is taken. Where neither is there the tests are skipped: the project's own data cover the same rules.
"""

import csv
import gzip
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import tickreel
from import_sample import fast_folder
from tickreel.cli.app import run
from tickreel.ingest.files.importer import FileReport, ImportSettings, import_files
from tickreel.quality.survey import Asked, survey
from tickreel.quality.view import view
from tickreel.scan.increments import derived_facts
from tickreel.schema import RECORD_TYPES, Kind
from tickreel.sources.tardis_names import FileName, read_name
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.maintain import verify
from tickreel.units import day_of, day_start

REAL = Path(os.environ.get("TICKREEL_REAL_DATA") or Path(__file__).parents[2] / "shared" / "data" / "tardis")
FILES = sorted(REAL.glob("*/*/*/*/*/*.csv.gz"))
TRADES = [path for path in FILES if path.parts[-5] == "trades"]
ROWS = {
    "binance-futures trades BTCUSDT 2024-08-08": 21_313,
    "binance-futures trades ETHUSDT 2024-08-08": 14_076,
    "binance-futures trades BTCUSDT 2026-02-16": 11_947,
    "binance trades BTCUSDT 2026-02-16": 10_215,
    "binance trades LTCUSDT 2025-06-21": 53_325,
    "binance trades BTCUSDT 2022-01-15": 451_466,
    "binance-futures incremental_book_L2 BTCUSDT 2024-08-08": 445_521,
    "binance-futures incremental_book_L2 ETHUSDT 2024-08-08": 430_662,
    "binance-futures book_ticker BTCUSDT 2024-08-08": 66_089,
    "binance-futures book_ticker ETHUSDT 2024-08-08": 53_992,
}
"""What is known of some files from where they come from."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not FILES,
        reason=f"no real files in {REAL}; TICKREEL_REAL_DATA names a folder laid out as Tardis' datasets",
    ),
]


@pytest.mark.parametrize(
    ("exchange", "symbol", "day", "tick", "lot"),
    [
        ("binance-futures", "BTCUSDT", "2024-08-08", "0.1", "0.001"),
        ("binance", "BTCUSDT", "2024-08-08", "0.01", "0.00001"),
    ],
)
def test_tick_and_lot_of_a_day(
    exchange: str, symbol: str, day: str, tick: str, lot: str, tmp_path: Path
) -> None:
    path = REAL / exchange / "trades" / day.replace("-", "/") / f"{symbol}.csv.gz"
    store = Store(tmp_path / "tape")
    assert import_files(store, [str(path)], ImportSettings(workers=1)).exit_code == 0
    found = derived_facts(store, exchange, symbol, day=day)
    assert [(fact.name, fact.value) for fact in found] == [("tick", Decimal(tick)), ("lot", Decimal(lot))]


def name_of(path: Path) -> FileName:
    name = read_name(path.as_posix())
    assert name is not None
    return name


def key_of(path: Path) -> SegmentKey:
    name = name_of(path)
    return SegmentKey("tardis", name.type, name.exchange, name.symbol, name.day)


def label(path: Path) -> str:
    name = name_of(path)
    return f"{name.exchange} {name.type} {name.symbol} {name.day}"


@pytest.fixture(scope="module")
def imported() -> Iterator[tuple[Store, dict[Path, FileReport]]]:
    with fast_folder() as folder:
        store = Store(folder / "tape")
        summary = import_files(store, [str(path) for path in FILES], ImportSettings(workers=1))
        assert summary.exit_code == 0
        yield store, {Path(report.path): report for report in summary.files}


Columns = dict[str, np.ndarray]


def text_columns(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the cells as they stand in the file, by heading."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def stored_columns(store: Store, path: Path) -> Columns:
    segment = store.open(key_of(path))
    blocks = range(len(segment.blocks))
    return {
        column: np.concatenate([segment.read(column, block) for block in blocks])
        for column in segment.record.names
    }


@pytest.mark.parametrize("path", FILES, ids=label)
def test_every_value_is_that_of_the_text(imported: tuple[Store, dict[Path, FileReport]], path: Path) -> None:
    store, reports = imported
    name, text, found = name_of(path), text_columns(path), stored_columns(store, path)
    result = reports[path.absolute()].result
    assert result is not None
    assert result.lines == result.rows == len(text["symbol"])
    assert result.rows == ROWS.get(label(path), result.rows)
    assert (result.set_aside, reports[path.absolute()].rejects) == ({}, "")
    assert ({*text["exchange"]}, {*text["symbol"]}) == ({name.exchange}, {name.symbol})
    for column in RECORD_TYPES[name.type].columns:
        cells, values = text[column.csv or ""], found[column.name]
        if column.kind is Kind.DECIMAL:
            wanted = np.array([float(cell) for cell in cells])
            assert (values.view(np.int64) == wanted.view(np.int64)).all()
        elif column.kind is Kind.TIME:
            assert (values == np.array([int(cell) for cell in cells]) * 1_000).all()
        elif column.kind is Kind.TEXT:
            assert [value.decode() for value in values.tolist()] == list(cells)
        else:
            assert [column.choices[value] for value in values.tolist()] == list(cells)
    assert list(verify(store.open(key_of(path)))) == []


@pytest.mark.parametrize("path", FILES, ids=label)
def test_what_is_odd_is_what_is_known_of_the_recording(
    imported: tuple[Store, dict[Path, FileReport]], path: Path
) -> None:
    store, reports = imported
    result = reports[path.absolute()].result
    assert result is not None
    odd = {kind: finding.count for kind, finding in result.odd.items()}
    found, day = stored_columns(store, path), name_of(path).day
    lag_ns = found["local_ns"] - found["exchange_ns"]
    if day.startswith("2024-08") and name_of(path).exchange == "binance" and name_of(path).type != "trades":
        # Spot: book_ticker has no clock of the venue's, nor has the book's snapshot.
        backwards = odd.pop("exchange_time_backwards", 0)
        assert set(odd) <= {"local_before_exchange"}
        assert (lag_ns <= 0).all()
        assert backwards <= 1
    elif day.startswith("2024-08"):
        # The recorder's clock was off by some 1.27 s.
        assert odd.pop("exchange_time_backwards", 0) <= 2
        assert odd == {"local_before_exchange": result.rows}
        assert -1.4e9 < np.median(lag_ns) < -1.2e9
    elif day == "2022-01-15":
        assert odd == {"id_missing": result.rows, "side_unknown": result.rows}
        assert round(np.diff(found["local_ns"]).max() / 1e9, 1) == 314.7
    elif day == "2025-06-21":
        assert odd == {}
        assert not lag_ns.any()
        assert (np.diff(found["id"].astype(np.int64)) > 1).any()
    elif day == "2026-02-16":
        assert odd == {}
        assert lag_ns.min() >= 134e6
        assert lag_ns.max() <= 709e6


@pytest.fixture(scope="module")
def judged(imported: tuple[Store, dict[Path, FileReport]]) -> dict[str, dict[str, str]]:
    """Return "EXCHANGE TYPE SYMBOL DAY" -> rule -> what the quality report says."""
    feed, streams = survey(imported[0], Asked(), workers=1)
    return {
        f"{day['exchange']} {day['type']} {day['symbol']} {day['day']}": {
            verdict["rule"]: verdict["text"] for verdict in day["verdicts"]
        }
        for day in view("tape", feed, Asked(), streams)["days"]
    }


ODDITIES = {
    "binance-futures trades BTCUSDT 2024-08-08": {
        "clock": r"local time runs 1\.271 s .* before exchange time on every row",
        "bursts": r"75\.\d % the exchange time",
    },
    "binance-futures trades ETHUSDT 2024-08-08": {
        "clock": r"1\.271 s .* on every row",
        "bursts": r"75\.\d % the exchange time",
    },
    "binance-futures book_ticker BTCUSDT 2024-08-08": {"clock": r"1\.271 s .* on every row"},
    "binance-futures incremental_book_L2 BTCUSDT 2024-08-08": {
        "clock": r"1\.271 s .* on every row",
        "late_snapshot": r"after \d+ rows of changes",
        "backwards": "exchange time steps back once",
    },
    "binance-futures incremental_book_L2 ETHUSDT 2024-08-08": {
        "late_snapshot": r"after \d+ rows of changes",
        "backwards": "exchange time steps back once",
    },
    "binance trades BTCUSDT 2024-08-09": {"join": "joins the day before after .* ms, no id missing"},
    "binance trades ETHUSDT 2024-08-09": {"join": "joins the day before after .* ms, no id missing"},
    "binance trades LTCUSDT 2025-06-21": {
        "one_clock": "local time equals exchange time on every row",
        "id_holes": r"\d+ ids missing",
    },
    "binance trades BTCUSDT 2022-01-15": {
        "no_ids": "no row has an id",
        "sides": "unknown on every row",
        "gaps": r"a gap of 314\.7 s",
        "thinned": "about one row was kept per millisecond",
    },
    "binance-futures trades BTCUSDT 2026-02-16": {
        "lag": "134 ms to 425 ms",
        "id_holes": r"(\d+) ids missing .* in \1 holes, at most 1 in one",
    },
    "binance trades BTCUSDT 2026-02-16": {"lag": "154 ms to 709 ms"},
}
"""What the folder's own description tells of its files."""


@pytest.mark.parametrize("name", ODDITIES)
def test_the_quality_report_names_what_is_told_of_a_file(
    judged: dict[str, dict[str, str]], name: str
) -> None:
    if name not in judged:
        pytest.skip("that file is not there")
    for rule, text in ODDITIES[name].items():
        assert re.search(text, judged[name][rule])


def test_two_days_join_at_midnight(imported: tuple[Store, dict[Path, FileReport]]) -> None:
    store, _ = imported
    pairs = 0
    for path in FILES:
        name = name_of(path)
        next_day = REAL.joinpath(
            name.exchange, name.type, *day_of(day_start(name.day) + 86_400 * 10**9).split("-"), path.name
        )
        if next_day.exists():
            first, second = stored_columns(store, path), stored_columns(store, next_day)
            assert first["local_ns"][-1] < day_start(name_of(next_day).day) <= second["local_ns"][0]
            if "id" in first:
                assert int(second["id"][0]) == int(first["id"][-1]) + 1
            pairs += 1
    if not pairs:
        pytest.skip("no two files of days that follow each other")


@pytest.mark.parametrize("path", FILES, ids=label)
def test_csv_out_is_csv_in(
    imported: tuple[Store, dict[Path, FileReport]], path: Path, tmp_path: Path
) -> None:
    name, out = name_of(path), tmp_path / "out.csv"
    words = ["show", "--store", str(imported[0].root), "--exchange", name.exchange, "--symbol", name.symbol]
    words += ["--type", name.type]
    words += ["--from", name.day, "--to", day_of(day_start(name.day) + 86_400 * 10**9), "--limit", "0"]
    assert run([*words, "--format", "csv", "--out", str(out)]) == 0
    text = gzip.decompress(path.read_bytes()).decode().replace("\r\n", "\n")
    given, wanted = out.read_text().split("\n"), text.split("\n")
    if given == wanted:
        return
    assert len(given) == len(wanted)
    for one, other in zip(given, wanted, strict=True):
        assert one == other or numbers(one, name.type) == numbers(other, name.type)


def numbers(line: str, type: str) -> list:
    """Return the cells of a line, its decimals as numbers: 43100.0 and 43100 are the same."""
    decimals = {column.csv for column in RECORD_TYPES[type].columns if column.kind is Kind.DECIMAL}
    cells = zip(RECORD_TYPES[type].csv_header, line.split(","), strict=True)
    return [float(cell) if heading in decimals else cell for heading, cell in cells]


def test_a_second_import_skips_all(imported: tuple[Store, dict[Path, FileReport]]) -> None:
    store, _ = imported
    summary = import_files(store, [str(REAL)], ImportSettings(workers=1))
    assert {report.state for report in summary.files} == {"skipped"}
    assert len(summary.files) == len(FILES)


def test_a_backtest_runs_over_them(imported: tuple[Store, dict[Path, FileReport]], tmp_path: Path) -> None:
    store, reports = imported
    result = tickreel.backtest(
        "momentum", store=store.root, out=tmp_path / "run", workers=1, threshold=0.0005
    )
    assert not result.failed
    rows = sum(report.result.rows for path, report in reports.items() if report.result and path in TRADES)
    assert result.trades == rows
    assert result.report.stat().st_size > 10_000
    assert any(len(result.fills(f"{name.exchange}:{name.symbol}")["price"]) for name in map(name_of, TRADES))


def test_all_types_merged_give_each_stream_whole_and_in_order(imported) -> None:
    """Against NumPy: the streams one after the other, sorted by time alone, which is stable."""
    store, _ = imported
    tape = tickreel.open_store(store.root)
    types = tuple(dict.fromkeys(name_of(path).type for path in FILES))
    (first, *rest) = batches = list(
        tape.merge(types=types, columns=dict.fromkeys(types, ("local_ns", "exchange_ns")))
    )
    assert rest
    found = {name: np.concatenate([getattr(b, name) for b in batches]) for name in ("time_ns", "stream")}
    single = []
    for number, stream in enumerate(first.streams):
        blocks = list(tape.scan(stream.symbol, exchange=stream.exchange, type=stream.type))
        for name in ("local_ns", "exchange_ns"):
            own = np.concatenate([block[name] for block in blocks])
            assert np.array_equal(np.concatenate([b.columns[number][name] for b in batches]), own)
        single.append(np.concatenate([block["local_ns"] for block in blocks]))
    order = np.argsort(np.concatenate(single), kind="stable")
    assert np.array_equal(found["time_ns"], np.concatenate(single)[order])
    assert np.array_equal(found["stream"], np.repeat(np.arange(len(single)), list(map(len, single)))[order])
    for batch in batches:
        for number in range(len(batch.streams)):
            rows = batch.row[batch.stream == number]
            assert np.array_equal(rows, np.arange(len(rows)))
            assert np.array_equal(batch.columns[number]["local_ns"], batch.time_ns[batch.stream == number])
