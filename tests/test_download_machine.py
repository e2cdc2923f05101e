"""Days of a tardis-machine's history: the rows of the CSV files of the same days, checked to their end, with their gaps."""

import asyncio
import gzip
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import web

import venue_files
from import_sample import contents, put
from journal_sample import DAY, START, at, iso, message, new_journal, trade
from provider_server import ProviderServer, faults
from provider_server.replay import replayed
from tickreel.cli.app import run
from tickreel.errors import UsageError
from tickreel.ingest.download.days import DownloadSummary, download
from tickreel.ingest.download.job import DownloadSettings
from tickreel.ingest.download.packed_text import PackedText
from tickreel.ingest.download.plan import Wanted
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.ingest.record.journal import Begin, StreamInfo, fill_file
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.ingest.record.seal import seal_day
from tickreel.sources.machine import PROVIDER_LOST
from tickreel.sources.machine_routes import REPLAYED, replay_options
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Gap, Part
from tickreel.units import NS_PER_DAY

FEED = "tardis-machine"
FILES = [
    ("deribit", "trades", "BTC-PERPETUAL"), ("deribit", "liquidations", "BTC-PERPETUAL"),
    ("deribit", "derivative_ticker", "BTC-PERPETUAL"), ("deribit", "options_chain", "AVAX_USDC-29MAY26-8D6-P"),
    ("binance-futures", "book_ticker", "BTCUSDT"), ("bybit", "trades", "BTCUSDT"),
]  # fmt: skip
KEY = SegmentKey(FEED, "trades", "bybit", "BTCUSDT", DAY)
TRADES = FILES[-1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("files")
    for file in FILES:
        venue_files.write(root, *file)
    return root


@pytest.fixture(scope="module")
def running(files: Path) -> Iterator[ProviderServer]:
    with ProviderServer([files]) as server:
        yield server


@pytest.fixture
def server(running: ProviderServer) -> ProviderServer:
    running.renew()
    running.machine.history_fails = None
    running.machine.inserted = {}
    running.latency_s, running.most_at_once = 0.0, 0
    return running


def get(
    server: ProviderServer, store: Path, file: tuple[str, str, str] = TRADES, days: int = 1, **settings: Any
) -> DownloadSummary:
    exchange, type, symbol = file
    asked = Wanted(exchange, (type,), (symbol,), START, START + days * NS_PER_DAY)
    return download(
        Store(store), asked, DownloadSettings(FEED, workers=1, **settings), environment=server.hurried(store.parent)
    )  # fmt: skip


def counted(summary: DownloadSummary) -> dict[str, int]:
    return {state: count for state, count in summary.counts.items() if count}


def rows(store: Path, key: SegmentKey) -> dict[str, list[Any]]:
    """Return the columns of a segment, floats as their bits."""
    segment, found = Store(store).open(key), {}
    for column in segment.record.columns:
        values = np.concatenate([segment.read(column.name, block) for block in range(len(segment.blocks))])
        found[column.name] = (values.view("<i8") if values.dtype.kind == "f" else values).tolist()
    return found


def part(store: Path, key: SegmentKey = KEY) -> Part:
    (found,) = Store(store).open(key).meta.parts
    return found


def lines(files: Path, file: tuple[str, str, str] = TRADES) -> list[bytes]:
    exchange, type, symbol = file
    return list(replayed([files], replay_options(exchange, [symbol], [type], START, START + NS_PER_DAY)))


# What comes


@pytest.mark.parametrize("file", FILES, ids=[" ".join(file[:2]) for file in FILES])
def test_a_day_has_the_rows_of_its_csv_file_and_of_a_gap_that_was_filled(
    file: tuple[str, str, str], server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    exchange, type, symbol = file
    summary = get(server, tmp_path / "a", file)
    assert (counted(summary), summary.days[0].rows) == ({"imported": 1}, venue_files.ROWS)
    key = SegmentKey(FEED, type, exchange, symbol, DAY)
    got = rows(tmp_path / "a", key)
    assert len(got["local_ns"]) == venue_files.ROWS
    path = files.joinpath(exchange, type, *DAY.split("-"), f"{symbol}.csv.gz")
    import_files(Store(tmp_path / "b"), [str(path)], ImportSettings(FEED, workers=1))
    assert got == rows(tmp_path / "b", key)
    record_with_a_gap(tmp_path / "c", StreamInfo(exchange, [symbol], [type]), lines(files, file))
    assert got == rows(tmp_path / "c", SegmentKey("feed", type, exchange, symbol, DAY))
    assert part(tmp_path / "a", key).source == f"{FEED}://{exchange}/{type}/2024/03/01/{symbol}.csv.gz"


def record_with_a_gap(place: Path, stream: StreamInfo, messages: list[bytes]) -> None:
    """Make the segments of a recording that missed the whole day, and has it from history."""
    journal = new_journal(place, (stream,))
    journal.open_day(DAY)
    journal.gap(stream, START, START + NS_PER_DAY, "lost", at_ns=START)
    journal.close()
    folder = place / ".journal" / "feed" / DAY
    begin = Begin(VERSION, "feed", DAY, [stream], gaps=[1])
    data = [pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))]
    data += [pack(Kind.MESSAGE, 0, 1, at(0), one) for one in messages]
    fill_file(folder, 1).write_bytes(b"".join(data))
    assert seal_day(Store(place), "feed", folder, final=True, isolate=False, workers=1).filled == 1


def test_a_day_is_asked_for_once_whatever_the_case_of_its_symbol(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.latency_s = 0.05
    lower = ("bybit", "trades", "btcusdt")
    summary = get(server, tmp_path / "a", lower, days=6)
    assert counted(summary) == {"imported": 1, "empty": 5}
    assert server.most_at_once == 2  # a machine has one core
    options = json.loads(server.seen[0].query["options"])
    assert options["symbols"] == ["btcusdt"]
    assert {one.query["options"].count("withDisconnectMessages") for one in server.seen} == {1}
    server.seen.clear()
    assert counted(get(server, tmp_path / "a", days=6)) == {"there": 6}
    for name, value in server.hurried(tmp_path).items():
        monkeypatch.setenv(name, value)
    words = [
        "run",
        "momentum",
        "--store",
        str(tmp_path / "a"),
        "--no-jit",
        "--workers",
        "1",
        "--fetch",
        "--quiet",
    ]
    words += ["--exchange", "bybit", "--symbols", "BTCUSDT", "--from", DAY, "--to", "2024-03-02"]
    assert run([*words, "--out", str(tmp_path / "run")]) == 0
    assert server.seen == []


def test_a_day_that_is_not_over_is_missing(server: ProviderServer, tmp_path: Path) -> None:
    today = time.time_ns() // NS_PER_DAY * NS_PER_DAY
    asked = Wanted("bybit", ("trades",), ("BTCUSDT",), today, today + NS_PER_DAY)
    environment = server.hurried(tmp_path)
    summary = download(
        Store(tmp_path / "a"), asked, DownloadSettings(FEED, workers=1), environment=environment
    )
    assert (counted(summary), server.seen) == ({"missing": 1}, [])
    assert f"{FEED} does not have it: its day is not over" in summary.days[0].error


@pytest.mark.parametrize("type", ["incremental_book_L2", "quotes", "book_snapshot_5"])
def test_a_type_of_which_no_day_is_replayed_is_refused(
    type: str, server: ProviderServer, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"--type {type}: of a tardis-machine.* {', '.join(REPLAYED)} are"):
        get(server, tmp_path / "a", ("bybit", type, "BTCUSDT"))
    with pytest.raises(UsageError, match="--symbols options: a tardis-machine has no such group"):
        get(server, tmp_path / "a", ("deribit", "options_chain", "options"))
    assert server.seen == []


# What goes wrong


BROKEN = [
    faults.status(500, '{"message":"boo"}'), faults.reset(), faults.cut(), faults.shortened(), faults.html(),
    faults.status(503, "", Retry_After="1"),
]  # fmt: skip


def test_a_replay_that_breaks_is_asked_for_again(server: ProviderServer, tmp_path: Path) -> None:
    server.fail("replay-normalized", *BROKEN)
    assert counted(get(server, tmp_path / "a")) == {"imported": 1}
    assert part(tmp_path / "a").lines == venue_files.ROWS
    assert len(server.seen) == len(BROKEN) + 1


def test_an_exchange_that_a_machine_does_not_know_is_asked_for_once(
    server: ProviderServer, tmp_path: Path
) -> None:
    said = '{"message": "Invalid \'exchange\' argument: nope. Please provide one of the following exchanges: bybit."}'
    server.fail("replay-normalized", faults.status(500, said), times=9)
    (day,) = get(server, tmp_path / "a", ("nope", "trades", "BTCUSDT")).days
    assert (day.state, len(server.seen)) == ("failed", 1)
    assert "Invalid 'exchange' argument: nope." in day.error
    assert day.error.endswith("the request cannot be right; check exchange, type and symbols")


def test_a_replay_that_ends_with_an_error_leaves_nothing(server: ProviderServer, tmp_path: Path) -> None:
    server.machine.history_fails = 40
    (day,) = get(server, tmp_path / "a").days
    assert day.state == "failed"
    assert "the replay failed midway: the slice is not there at 8 tries" in day.error
    assert not list((tmp_path / "a" / ".downloads" / FEED).glob("*.gz*"))
    server.machine.history_fails = None
    assert counted(get(server, tmp_path / "a")) == {"imported": 1}


def test_what_was_not_asked_for_is_set_aside_with_its_text(server: ProviderServer, tmp_path: Path) -> None:
    server.machine.inserted = {
        2: b'{"type":"trade_bar","x":1}', 5: b'{"type":"trade",', 9: b'{"type":"trade","symbol":"B"}',
        20: trade(1, START + NS_PER_DAY), 30: message({"type": "error", "exchange": "bybit", "details": "boo"}),
    }  # fmt: skip
    summary = get(server, tmp_path / "a")
    assert counted(summary) == {"imported": 1}
    found = part(tmp_path / "a")
    assert (found.lines, found.rows) == (venue_files.ROWS + 5, venue_files.ROWS)
    assert sum(finding.count for finding in found.set_aside.values()) == 5
    (rejects,) = (tmp_path / "a" / FEED / "rejects").iterdir()
    text = rejects.read_text()
    assert "nothing of this type was asked for: {" in text
    assert "neither this type nor this day was asked for: {" in text
    assert "truncated" in text


# Gaps


def lost(seconds: float) -> bytes:
    return message({"type": "disconnect", "exchange": "bybit", "localTimestamp": iso(at(seconds))})


def test_a_disconnect_is_a_gap_that_all_see(
    server: ProviderServer, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [local_ns(line) for line in lines(files)]
    place = next(number for number in range(40, len(times)) if times[number - 1] < times[number])
    before = message({"type": "disconnect", "exchange": "bybit", "localTimestamp": iso(times[place - 1])})
    server.machine.inserted = {
        0: lost(-5), place: before + b"\n" + before, venue_files.ROWS: lost(86_399),
    }  # fmt: skip
    expected = [
        Gap(START, max(times[0], START + 1_000), PROVIDER_LOST),
        Gap(times[place - 1], times[place], PROVIDER_LOST),
        Gap(at(86_399), START + NS_PER_DAY, PROVIDER_LOST),
    ]
    assert counted(get(server, tmp_path / "a", keep_files=tmp_path / "kept")) == {"imported": 1}
    assert part(tmp_path / "a").gaps == expected
    assert rows(tmp_path / "a", KEY)["local_ns"] == sorted(times)
    # What was kept brings its gaps along, asked for or not.
    server.seen.clear()
    assert counted(get(server, tmp_path / "b", keep_files=tmp_path / "kept")) == {"imported": 1}
    assert (server.seen, part(tmp_path / "b").gaps) == ([], expected)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    path = tmp_path / "kept" / FEED / f"bybit_trades_{DAY}_BTCUSDT.csv.gz"
    import_files(Store(tmp_path / "c"), [str(path)], ImportSettings(FEED, workers=1))
    assert part(tmp_path / "c").gaps == expected
    path.with_name(f"{path.name}.gaps").write_bytes(b"[{")
    (report,) = import_files(Store(tmp_path / "d"), [str(path.parent)], ImportSettings(FEED, workers=1)).files
    assert (report.state, report.exit_code, f"{path.name}.gaps: damaged" in report.error) == (
        "failed",
        3,
        True,
    )
    capsys.readouterr()
    assert run(["ls", "--store", str(tmp_path / "a"), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["gaps"] == 3


def local_ns(line: bytes) -> int:
    from tickreel.units import parse_time

    return parse_time(json.loads(line)["localTimestamp"])


def test_a_file_whose_gaps_are_damaged_is_fetched_anew_and_what_is_left_is_tidied_away(
    server: ProviderServer, tmp_path: Path
) -> None:
    server.machine.inserted = {40: lost(1)}
    get(server, tmp_path / "a", keep_files=tmp_path / "kept")
    name = f"bybit_trades_{DAY}_BTCUSDT.csv.gz"
    waiting = tmp_path / "b" / ".downloads" / FEED
    waiting.mkdir(parents=True)
    for end, data in (
        (".gaps", b"[{"),
        ("", (tmp_path / "kept" / FEED / name).read_bytes()),
        (".gaps.new", b"["),
    ):
        (waiting / f"{name}{end}").write_bytes(data)
    (waiting / f"{name.replace('BTC', 'ETH')}.gaps").write_bytes(b"[]")
    server.seen.clear()
    assert counted(get(server, tmp_path / "b")) == {"imported": 1}
    assert len(server.seen) == 1
    assert [path.name for path in waiting.iterdir()] == [".lock"]
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


# The same bytes


def test_the_pieces_in_which_a_replay_comes_change_no_byte(server: ProviderServer, tmp_path: Path) -> None:
    get(server, tmp_path / "a", keep_files=tmp_path / "whole")

    async def torn(request: web.Request, handler: faults.Handler) -> web.StreamResponse:
        data, headers = await faults.good(request, handler)
        answer = web.StreamResponse(headers={"Content-Type": headers["Content-Type"]})
        await answer.prepare(request)
        for place in range(0, len(data), 997):
            await answer.write(data[place : place + 997])
            await asyncio.sleep(0)
        return answer

    server.fail("replay-normalized", torn)
    get(server, tmp_path / "b", keep_files=tmp_path / "torn")
    assert contents(tmp_path / "whole") == contents(tmp_path / "torn")


def test_packed_text_is_written_as_it_comes(tmp_path: Path) -> None:
    texts = [random.Random(number).randbytes(400) for number in range(9_000)]
    sizes = []
    with open(put(tmp_path / "a", b""), "wb", buffering=0) as file:
        packed = PackedText(file.fileno(), "a")
        for text in texts:
            packed.write(text)
            sizes.append(packed.bytes)
        packed.finish()
    assert len(set(sizes)) > 3
    assert (tmp_path / "a").stat().st_size == packed.bytes
    assert gzip.decompress((tmp_path / "a").read_bytes()) == b"".join(texts)
