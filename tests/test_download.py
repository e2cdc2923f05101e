"""Days from the test server into the store: in parallel, once each, whatever misbehaves or is killed."""

import asyncio
import gzip
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.processes import memory_mib, tree

import tickreel
from counts import SOAK
from import_forks import ENVIRONMENT, Forks
from import_sample import contents, dataset, put, stored, trade, trades
from provider_server import KEY, ProviderServer, faults
from tickreel.config import find_key, load_profile
from tickreel.errors import LockedError, NetworkError, TickreelError, UsageError
from tickreel.ingest.download.days import DownloadSummary, download
from tickreel.ingest.download.fetch import Fetching
from tickreel.ingest.download.folder import Folder
from tickreel.ingest.download.job import DownloadSettings
from tickreel.ingest.download.plan import Wanted, is_covered
from tickreel.ingest.download.show import Show
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.ingest.files.memory import workers_within
from tickreel.ingest.transport import Background, Wait
from tickreel.sources.tardis_http import DayFile, file_url, read_availability
from tickreel.store.catalog import Store
from tickreel.synth.files import write_day
from tickreel.synth.market import SyntheticMarket
from tickreel.units import day_of, parse_time

START_NS = parse_time("2024-01-01")
DAY_NS = 86_400 * 10**9
DAYS = [day_of(START_NS + n * DAY_NS) for n in range(12)]
CANARY = "canary-b81f"
REAL = Path(os.environ.get("TICKREEL_REAL_DATA") or Path(__file__).parents[2] / "shared" / "data" / "tardis")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of two symbols, some hundred trades each."""
    root = tmp_path_factory.mktemp("files")
    for number, day in enumerate(DAYS):
        for symbol in ("BTCUSDT", "ETHUSDT"):
            us = number * 86_400_000_000
            rows = [trade(us + 7_000 * n, symbol=symbol, price=100 + n % 7) for n in range(300)]
            put(dataset(root, day, symbol), trades(*rows))
    return root


@pytest.fixture(scope="module")
def running(files: Path) -> Iterator[ProviderServer]:
    with ProviderServer([files], symbols={"QUIET"}) as server:
        yield server


@pytest.fixture
def server(running: ProviderServer) -> ProviderServer:
    running.renew()
    running.latency_s, running.most_at_once = 0.0, 0
    return running


def wanted(days: int = 12, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), first: int = 0) -> Wanted:
    return Wanted(
        "binance", ("trades",), symbols, START_NS + first * DAY_NS, START_NS + (first + days) * DAY_NS
    )


def get(
    server: ProviderServer, store: Path, asked: Wanted, key: str = KEY, config: str = "", **settings: Any
) -> DownloadSummary:
    environment = {**server.hurried(store.parent, config), "TARDIS_API_KEY": key}
    settings = {"workers": 1, **settings}
    return download(Store(store), asked, DownloadSettings(**settings), environment=environment)


def counted(summary: DownloadSummary) -> dict[str, int]:
    return {state: count for state, count in summary.counts.items() if count}


def fetched(server: ProviderServer) -> Counter[str]:
    return Counter(one.path for one in server.asked(r"\.csv\.gz$"))


# What comes


def test_days_come_in_parallel_and_are_what_an_import_of_the_files_makes(
    server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    server.latency_s = 0.05
    summary = get(server, tmp_path / "a", wanted(), parallel=7)
    assert counted(summary) == {"imported": 24}
    assert (summary.exit_code, sum(day.rows for day in summary.days)) == (0, 24 * 300)
    assert 5 <= server.most_at_once <= 7
    assert set(fetched(server).values()) == {1}
    assert [day.file.day for day in summary.days[::2]] == DAYS
    import_files(Store(tmp_path / "b"), [str(files)], ImportSettings(workers=1))
    assert stored(Store(tmp_path / "a")) == stored(Store(tmp_path / "b"))
    part = next(Store(tmp_path / "a").find())
    assert (
        Store(tmp_path / "a").open(part).meta.parts[0].source
        == "tardis://binance/trades/2024/01/01/BTCUSDT.csv.gz"
    )
    assert not list((tmp_path / "a" / ".downloads" / "tardis").glob("*.gz*"))


def test_many_small_days_take_little_more_than_the_latency(
    server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    """The bench has the figure; this is the shape, with time for a busy machine: 20 at a time, none waits for another."""
    server.latency_s = 0.1
    profile = load_profile("tardis", environment=server.environment).profile
    days = [
        DayFile("binance", "trades", symbol, day)
        for _ in range(5) for symbol in ("BTCUSDT", "ETHUSDT") for day in DAYS
    ]  # fmt: skip
    named = {id(file): tmp_path / f"{number}.csv.gz" for number, file in enumerate(days)}
    fetching = Fetching(profile, find_key(profile, KEY), days, lambda file: named[id(file)], parallel=20)
    begun = time.monotonic()
    with Background() as network:
        network.run(fetching.run())
    took = time.monotonic() - begun
    assert len(list(tmp_path.glob("*.csv.gz"))) == len(days)
    assert server.most_at_once == 20
    assert took < 1.3 * server.latency_s * (1 + len(days) / 20) + 2


def test_tardis_own_client_gets_the_same_rows(server: ProviderServer, tmp_path: Path) -> None:
    tardis_dev = pytest.importorskip("tardis_dev")
    coming = tardis_dev.download_datasets_async(
        exchange="binance", data_types=["trades"], symbols=["BTCUSDT", "ethusdt"], from_date="2024-01-01",
        to_date="2024-01-04", api_key=KEY, download_dir=str(tmp_path / "official"), endpoint=server.url,
    )  # fmt: skip
    asyncio.run(coming)
    theirs = Store(tmp_path / "theirs")
    assert import_files(theirs, [str(tmp_path / "official")], ImportSettings(workers=1)).exit_code == 0
    summary = get(server, tmp_path / "ours", wanted(3, ("BTCUSDT", "ethusdt")), keep_files=tmp_path / "kept")
    assert counted(summary) == {"imported": 6}
    assert stored(theirs) == stored(Store(tmp_path / "ours"))
    assert contents(tmp_path / "kept") == contents(tmp_path / "official")


@pytest.mark.skipif(not REAL.is_dir(), reason="real files are not here")
def test_real_days_come_through(tmp_path: Path) -> None:
    start = parse_time("2024-08-08")
    asked = Wanted(
        "binance-futures", ("trades", "book_ticker"), ("BTCUSDT", "ETHUSDT"), start, start + DAY_NS
    )
    with ProviderServer([REAL]) as server:
        server.now = server.now.replace(year=2027)
        summary = get(server, tmp_path / "a", asked)
    assert counted(summary) == {"imported": 4}
    assert {(d.file.type, d.file.symbol): d.rows for d in summary.days} == {
        ("trades", "BTCUSDT"): 21_313, ("trades", "ETHUSDT"): 14_076,
        ("book_ticker", "BTCUSDT"): 66_089, ("book_ticker", "ETHUSDT"): 53_992,
    }  # fmt: skip


# What is not asked for again


def test_what_the_store_has_is_not_asked_for_with_or_without_a_network(
    server: ProviderServer, tmp_path: Path
) -> None:
    asked = wanted(3, ("BTCUSDT", "QUIET"))
    assert counted(get(server, tmp_path / "a", asked)) == {"imported": 3, "empty": 3}
    server.seen.clear()
    assert counted(get(server, tmp_path / "a", asked)) == {"there": 6}
    assert server.seen == []
    gone = {"TARDIS_BASE_URL": "http://127.0.0.1:9", "XDG_CONFIG_HOME": "/nowhere"}
    summary = download(Store(tmp_path / "a"), asked, DownloadSettings(workers=1), environment=gone)
    assert (counted(summary), summary.exit_code) == ({"there": 6}, 0)
    get(server, tmp_path / "a", wanted(4, ("BTCUSDT", "QUIET")))
    assert set(fetched(server)) == {
        f"/v1/binance/trades/2024/01/04/{name}.csv.gz" for name in ("BTCUSDT", "QUIET")
    }


def test_files_that_were_imported_before_are_days_that_are_there(
    server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    flat = put(tmp_path / "x" / f"binance_trades_{DAYS[1]}_BTCUSDT.csv.gz", b"")
    flat.write_bytes(dataset(files, DAYS[1]).read_bytes())
    store = Store(tmp_path / "a")
    import_files(store, [str(dataset(files)), str(flat)], ImportSettings(workers=1))
    assert counted(get(server, tmp_path / "a", wanted(3, ("BTCUSDT",)))) == {"there": 2, "imported": 1}
    # Rows of another source, a recorder's, are no day.
    part = put(tmp_path / "y" / "some.csv", trades(trade(3 * 86_400_000_000 + 50_000_000_000)))
    import_files(store, [str(part)], ImportSettings(workers=1, types=("trades",)))
    assert not is_covered(store, "tardis", DayFile("binance", "trades", "BTCUSDT", DAYS[3]))
    assert counted(get(server, tmp_path / "a", wanted(1, ("BTCUSDT",), first=3))) == {"imported": 1}


def test_a_symbol_that_is_written_otherwise_in_rows_than_in_names_is_covered(tmp_path: Path) -> None:
    put(dataset(tmp_path / "f", symbol="BTC-USD"), trades(trade(1, symbol="BTC/USD")))
    with ProviderServer([tmp_path / "f"]) as server:
        for state in ("imported", "there"):
            assert counted(get(server, tmp_path / "a", wanted(1, ("BTC/USD",)))) == {state: 1}
        assert set(fetched(server)) == {"/v1/binance/trades/2024/01/01/BTC-USD.csv.gz"}


def test_kept_files_are_not_fetched_again(server: ProviderServer, tmp_path: Path) -> None:
    get(server, tmp_path / "a", wanted(2), keep_files=tmp_path / "kept")
    server.seen.clear()
    summary = get(server, tmp_path / "b", wanted(2), keep_files=tmp_path / "kept")
    assert counted(summary) == {"imported": 4}
    assert not fetched(server)
    assert len(list((tmp_path / "kept").iterdir())) == 4


# What goes wrong with one day


def test_one_bad_day_never_stops_the_others(server: ProviderServer, tmp_path: Path) -> None:
    put(dataset(tmp_path / "bad", DAYS[5], "BTCUSDT"), b"not,a,header\n1,2,3\n")
    server.fail(r"2024/01/03/BTCUSDT", faults.status(403, '{"message": "no"}'))
    server.fail(r"2024/01/04/BTCUSDT", faults.status(400, '{"message": "invalid"}'))
    server.fail(r"2024/01/05/BTCUSDT", faults.status(404))
    server.fail(
        r"2024/01/07/BTCUSDT", faults.body(gzip.compress(b"not,a,header\n1,2,3\n"), Content_Type="x/gzip")
    )
    summary = get(server, tmp_path / "a", wanted(12, ("BTCUSDT", "NOPE")))
    states = {day.file.day: day.state for day in summary.days if day.file.symbol == "BTCUSDT"}
    assert states == dict.fromkeys(DAYS, "imported") | {
        DAYS[2]: "refused", DAYS[3]: "failed", DAYS[4]: "missing", DAYS[6]: "failed",
    }  # fmt: skip
    assert counted(summary) == {"imported": 8, "missing": 13, "refused": 1, "failed": 2}
    assert summary.exit_code == 1
    errors = {day.file.day: day.error for day in summary.days if day.file.symbol == "BTCUSDT"}
    assert "tardis answered 400 (invalid)" in errors[DAYS[3]]
    assert "header" in errors[DAYS[6]]
    # What failed is asked for again, what came is not.
    server.seen.clear()
    assert counted(get(server, tmp_path / "a", wanted(12, ("BTCUSDT",)))) == {"there": 8, "imported": 4}
    assert len(fetched(server)) == 4


BROKEN = [
    faults.status(500), faults.status(429, Retry_After="1"), faults.reset(), faults.cut(), faults.lie(9), faults.lie(-9),
    faults.shortened(), faults.flipped(), faults.html(), faults.unpacked(), faults.body(b""), faults.raw(b"\0" * 99),
]  # fmt: skip


def test_a_day_that_comes_broken_comes_whole_in_the_end(server: ProviderServer, tmp_path: Path) -> None:
    for day, fault in zip(DAYS, BROKEN, strict=True):
        server.fail(f"{day.replace('-', '/')}/BTCUSDT", fault)
    summary = get(server, tmp_path / "a", wanted(12, ("BTCUSDT",)))
    # An answer of no bytes whose length says so is a day without rows: so Tardis answers them.
    assert counted(summary) == {"imported": 11, "empty": 1}
    assert [day.state for day in summary.days].index("empty") == 10
    assert all(day.rows == 300 for day in summary.days if day.state == "imported")


def test_a_day_that_stays_broken_leaves_nothing(server: ProviderServer, tmp_path: Path) -> None:
    for day, fault in zip(DAYS, BROKEN, strict=True):
        if fault is not BROKEN[-2]:
            server.fail(f"{day.replace('-', '/')}/BTCUSDT", fault, times=9)
    config = "tries = 2\n"
    summary = get(server, tmp_path / "a", wanted(12, ("BTCUSDT",)), config=config)
    assert counted(summary) == {"imported": 1, "failed": 11}
    assert [key.day for key in Store(tmp_path / "a").find()] == [DAYS[10]]
    assert not list((tmp_path / "a" / ".downloads" / "tardis").glob("*.gz*"))
    assert all("at 2 tries" in day.error or "at every try" in day.error for day in summary.days if day.error)


def test_a_bomb_is_given_up_with_little_read(server: ProviderServer, tmp_path: Path) -> None:
    server.fail("2024/01/01/BTCUSDT", faults.bomb(300 << 20))
    (day,) = get(server, tmp_path / "a", wanted(1, ("BTCUSDT",))).days
    assert (day.state, day.bytes) == ("failed", 0)
    assert "no file of rows does" in day.error
    assert len(fetched(server)) == 1


@pytest.mark.parametrize(
    "data", [b"", gzip.compress(b""), gzip.compress(trades())], ids=["nothing", "an empty gzip", "a header"]
)
def test_every_form_of_a_day_without_rows(data: bytes, server: ProviderServer, tmp_path: Path) -> None:
    server.fail("2024/01/01/QUIET", faults.body(data, Content_Type="application/gzip"))
    assert counted(get(server, tmp_path / "a", wanted(1, ("QUIET",)))) == {"empty": 1}
    server.seen.clear()
    assert counted(get(server, tmp_path / "a", wanted(1, ("QUIET",)))) == {"there": 1}
    assert not server.seen


# Keys, quotas, what is ready


def test_the_first_of_a_month_needs_no_key_and_the_first_refusal_speaks_for_all(
    server: ProviderServer, tmp_path: Path
) -> None:
    summary = get(server, tmp_path / "a", wanted(), key="", parallel=1)
    assert counted(summary) == {"imported": 2, "refused": 22}
    assert len(fetched(server)) == 3
    assert not any("Authorization" in one.headers for one in server.seen)
    (said,) = {day.error for day in summary.days if day.state == "refused"}
    assert "no key was sent, for there is none in the environment (TARDIS_API_KEY)" in said
    assert "first day of every month is free" in said


def test_a_key_is_asked_about_each_day_and_never_told(server: ProviderServer, tmp_path: Path) -> None:
    server.keys[CANARY] = (DAYS[3], DAYS[6])
    try:
        summary = get(server, tmp_path / "a", wanted(12, ("BTCUSDT",)), key=CANARY)
    finally:
        del server.keys[CANARY]
    assert counted(summary) == {"imported": 4, "refused": 8}
    assert len(fetched(server)) == 12
    assert {one.headers["Authorization"] for one in server.asked("gz$")} == {f"Bearer {CANARY}"}
    summary = get(server, tmp_path / "b", wanted(2, ("BTCUSDT",)), key=CANARY)
    assert "Invalid API key: [key]" in summary.days[1].error
    for path in tmp_path.rglob("*"):
        assert CANARY not in path.name
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


def test_a_quota_that_is_used_up_ends_the_asking(server: ProviderServer, tmp_path: Path) -> None:
    server.fail("2024/01/03/BTCUSDT", faults.status(429, Retry_After="3600"))
    summary = get(server, tmp_path / "a", wanted(12, ("BTCUSDT",)), parallel=1)
    assert counted(summary) == {"imported": 2, "failed": 10}
    assert len(fetched(server)) == 3
    assert "the quota is used up; it says to wait 3,600 s" in summary.days[-1].error
    server.heal()
    assert counted(get(server, tmp_path / "a", wanted(12, ("BTCUSDT",)))) == {"there": 2, "imported": 10}


def test_a_provider_that_asks_for_time_gets_it_and_the_bar_says_so(
    server: ProviderServer, tmp_path: Path
) -> None:
    """Nobody asks meanwhile: the first of many workers that is told speaks for all."""
    told: list[Wait | None] = []

    class Told(Show):
        def progress(self, days: int, *, fetched_bytes: int, rows: int, waits: Wait | None) -> None:
            told.append(waits)

    server.fail("2024/01/03/BTCUSDT", faults.status(503, Retry_After="1"))
    environment = {**server.hurried(tmp_path), "TARDIS_API_KEY": KEY}
    settings = DownloadSettings(workers=1, parallel=1)
    summary = download(
        Store(tmp_path / "a"), wanted(4, ("BTCUSDT",)), settings, environment=environment, show=Told()
    )
    assert counted(summary) == {"imported": 4}
    times = [one.at for one in server.asked("gz$")]
    assert times[3] - times[2] >= 1
    assert {wait.why for wait in told if wait} == {"tardis asks to wait, answered 503"}
    assert 0.1 < max(wait.seconds for wait in told if wait) <= 2.1
    assert told[-1] is None


def test_days_that_are_not_ready_are_not_asked_for(server: ProviderServer, tmp_path: Path) -> None:
    server.now = server.now.replace(month=1, day=4, hour=5)  # the third is exported at six
    try:
        summary = get(server, tmp_path / "a", wanted(6, ("BTCUSDT",)))
    finally:
        server.now = server.now.replace(month=6)
    assert counted(summary) == {"imported": 2, "missing": 4}
    assert len(fetched(server)) == 2
    assert "not yet exported: binance is, up to 2024-01-03T00:00:00Z" in summary.days[2].error
    assert summary.exit_code == 0


STRANGE = (
    '{"symbols": [3]}',
    '{"symbols": 5}',
    '{"symbols": true}',
    '{"symbols": [{"id": "X", "dataTypes": 7}]}',
    "7",
)


def test_an_answer_about_exchanges_is_not_needed(server: ProviderServer, tmp_path: Path) -> None:
    for number, fault in enumerate(
        (
            faults.status(404),
            faults.body(b"[]"),
            *(faults.body(f'{{"datasets": {said}}}'.encode()) for said in STRANGE),
        )
    ):
        server.fail("/exchanges/", fault)
        assert counted(get(server, tmp_path / str(number), wanted(1, ("BTCUSDT",)))) == {"imported": 1}


def test_an_answer_about_exchanges_says_when_a_symbol_began_and_ended() -> None:
    symbol = {"id": "btcusdt", "dataTypes": ["trades"], "availableSince": "2024-01-02T05:00:00.000Z"}
    details = {
        "datasets": {
            "exportedUntil": "2024-02-01",
            "symbols": [symbol | {"availableTo": "2024-01-09T00:00:00Z"}],
        }
    }
    known = read_availability(details)
    answers = [
        known.refuses(DayFile("binance", "trades", "BTCUSDT", f"2024-01-{day:02}")) for day in (1, 2, 9, 10)
    ]
    assert answers == ["before its first day, 2024-01-02", "", "", "after its last day, 2024-01-09"]
    assert known.refuses(DayFile("binance", "quotes", "BTCUSDT", "2024-01-01")) == ""


# What is refused at once


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exchange": "Binance/../x"}, "an exchange's name has a-z 0-9 -"),
        ({"types": ("trade",)}, "--type trade: known are trades"),
        ({"types": ()}, "at least one --type"),
        ({"symbols": ("A\n",)}, "control character"),
        ({"from_ns": START_NS + 1}, "days are downloaded as a whole; give a midnight"),
        ({"to_ns": START_NS}, "later than --from"),
        ({"to_ns": START_NS + 10_000 * DAY_NS}, ""),
    ],
)
def test_what_cannot_be_asked_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    fields = {
        "exchange": "binance",
        "types": ("trades",),
        "symbols": ("A",),
        "from_ns": START_NS,
        "to_ns": START_NS + DAY_NS,
    }
    if message:
        with pytest.raises(UsageError, match=re.escape(message)):
            Wanted(**(fields | change)).files()
    else:
        assert len(Wanted(**(fields | change)).files()) == 10_000


def test_symbols_stay_within_their_folder(tmp_path: Path) -> None:
    for symbol in ("../../etc/passwd", "..", "a\\b", "CON", "x" * 300, "%2e%2e", "ＡＢ", "\u202e"):
        file = DayFile("binance", "trades", symbol, DAYS[0])
        assert "/" not in file.name
        assert file.path.count("/") == 5
        assert file_url("http://h/v1", file).count("/") == 9
    with pytest.raises(UsageError, match="needs 900 bytes"):
        Wanted("binance", ("trades",), ("x" * 300,), START_NS, START_NS + DAY_NS).files()


def test_a_provider_that_is_off_or_of_another_kind_is_refused(server: ProviderServer, tmp_path: Path) -> None:
    asked = wanted(1)
    for environment, message in (
        ({"TARDIS_ENABLED": "false"}, "switched off by environment TARDIS_ENABLED=false"),
        ({"TARDIS_API_KEY": "YOUR_API_KEY"}, "placeholder"),
    ):
        with pytest.raises(TickreelError, match=message):
            download(Store(tmp_path / "a"), asked, environment={**server.environment, **environment})
    assert not server.seen
    with pytest.raises(UsageError, match="one worker needs"):
        get(server, tmp_path / "a", asked, memory_bytes=1 << 20)


def test_a_limit_of_memory_takes_fewer_workers() -> None:
    sizes = (500 << 20, 1 << 30, 2 << 30, None)
    assert [workers_within(size, 4) for size in sizes] == [1, 2, 4, 4]
    assert workers_within(64 << 30, None) == workers_within(None, None)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="looks for memory in /proc")
@pytest.mark.parametrize("command", ["download", "import"])
def test_a_large_day_stays_within_the_limit_of_memory(tmp_path: Path, command: str) -> None:
    """What all processes together hold, looked at as it runs."""
    market = SyntheticMarket(seed=3, symbols=("BTCUSDT",), scale=200)
    packed = write_day(market, "BTCUSDT", DAYS[0], tmp_path / "f").stat().st_size
    asked = ["--exchange", "binance-futures", "--symbols", "BTCUSDT", "--from", DAYS[0], "--to", DAYS[1]]
    words = [
        command,
        *(asked if command == "download" else [str(tmp_path / "f")]),
        "--memory-limit",
        "480MiB",
    ]
    words += ["--store", str(tmp_path / "tape"), "--quiet"]
    most = 0.0
    with ProviderServer([tmp_path / "f"]) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "tickreel", *words], env=ENVIRONMENT | server.environment
        )
        while process.poll() is None:
            most = max(most, memory_mib(tree(process.pid))[0])
            time.sleep(0.02)
    assert process.returncode == 0
    assert packed > 30 << 20
    assert 50 < most < 480


def test_one_download_of_a_provider_at_a_time(server: ProviderServer, tmp_path: Path) -> None:
    store = Store(tmp_path / "a")
    with Folder(store, "tardis", None), pytest.raises(LockedError, match="another download from tardis"):
        get(server, store.root, wanted(1))
    assert counted(get(server, store.root, wanted(1))) == {"imported": 2}


def test_a_writer_that_has_the_lock_is_waited_for(server: ProviderServer, tmp_path: Path) -> None:
    store = Store(tmp_path / "a")
    with store.writing():
        found: list[DownloadSummary] = []
        thread = threading.Thread(target=lambda: found.append(get(server, store.root, wanted(2))))
        thread.start()
        time.sleep(0.5)
        assert not found
    thread.join(60)
    assert counted(found[0]) == {"imported": 4}


# A relay


def test_days_of_a_relay_lie_beside_those_of_tardis_and_are_asked_for_once(
    server: ProviderServer, tmp_path: Path
) -> None:
    """Its rows have no local time, and a fee."""
    environment = {**server.hurried(tmp_path), "HOLYSHEEP_API_KEY": KEY}
    path = Path(environment["TICKREEL_CONFIG"])
    path.write_text(
        path.read_text().replace("[holysheep.limits]\n", "[holysheep.limits]\ncalls_per_minute = 0\n")
    )
    store, asked = Store(tmp_path / "a"), wanted(2, ("BTCUSDT",))
    get(server, store.root, asked)
    summary = download(store, asked, DownloadSettings("holysheep", workers=1), environment=environment)
    # By the exchange's time, the only one there is, the first trade of each file belongs to the day before.
    assert [(day.state, day.rows) for day in summary.days] == [("imported", 300), ("imported", 300)]
    server.seen.clear()
    summary = download(store, asked, DownloadSettings("holysheep", workers=1), environment=environment)
    assert (counted(summary), server.seen) == ({"there": 2}, [])
    tape = tickreel.open_store(store.root, feed="holysheep")
    blocks = list(tape.scan("BTCUSDT", columns=["exchange_ns", "price", "fee"]))
    assert sum(len(block["price"]) for block in blocks) == 600
    assert (np.concatenate([block["fee"] for block in blocks]) > 0.039).all()


# Killed


def test_what_came_whole_is_imported_and_not_fetched_again(
    server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    waiting = tmp_path / "a" / ".downloads" / "tardis"
    waiting.mkdir(parents=True)
    for day in DAYS[:2]:
        data = dataset(files, day).read_bytes()
        (waiting / f"binance_trades_{day}_BTCUSDT.csv.gz").write_bytes(data)
    (waiting / f"binance_trades_{DAYS[2]}_BTCUSDT.csv.gz.part").write_bytes(b"half")
    assert counted(get(server, tmp_path / "a", wanted(3, ("BTCUSDT",)))) == {"imported": 3}
    assert set(fetched(server)) == {"/v1/binance/trades/2024/01/03/BTCUSDT.csv.gz"}
    assert not list(waiting.glob("*.gz*"))


def test_what_a_power_cut_tore_and_a_link_that_was_planted_are_fetched_anew(
    server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    waiting = tmp_path / "a" / ".downloads" / "tardis"
    waiting.mkdir(parents=True)
    names = [waiting / f"binance_trades_{day}_BTCUSDT.csv.gz" for day in DAYS[:3]]
    names[0].write_bytes(b"")
    names[1].write_bytes(dataset(files, DAYS[1]).read_bytes()[:-9])
    names[2].symlink_to(dataset(files, DAYS[2], "ETHUSDT"))
    summary = get(server, tmp_path / "a", wanted(3, ("BTCUSDT",)))
    assert [(day.state, day.rows) for day in summary.days] == [("imported", 300)] * 3
    assert len(fetched(server)) == 3
    assert dataset(files, DAYS[2], "ETHUSDT").stat().st_size > 100


def test_what_was_imported_when_its_download_was_killed_is_tidied_away(
    server: ProviderServer, files: Path, tmp_path: Path
) -> None:
    get(server, tmp_path / "a", wanted(1, ("BTCUSDT",)))
    left = tmp_path / "a" / ".downloads" / "tardis" / f"binance_trades_{DAYS[0]}_BTCUSDT.csv.gz"
    for symbol in ("ETHUSDT", "BTCUSDT"):
        left.write_bytes(dataset(files).read_bytes())
        get(server, tmp_path / "a", wanted(1, (symbol,)))
        assert not left.exists()


@pytest.mark.parametrize(
    "kills", [pytest.param(2, id="few"), pytest.param(500 if SOAK else 50, id="many", marks=pytest.mark.long)]
)
def test_killed_again_and_again_it_ends_with_the_bytes_of_a_quiet_download(
    kills: int, server: ProviderServer, place: Path
) -> None:
    chance = random.Random(int(os.environ.get("TICKREEL_SEED", "1")))
    forks = Forks(place, TARDIS_API_KEY=KEY, **server.environment)
    words = [
        "download",
        "--exchange",
        "binance",
        "--symbols",
        "BTCUSDT,ETHUSDT",
        "--from",
        DAYS[0],
        "--to",
        "2024-01-13",
    ]
    words += ["--workers", "1", "--parallel", "4", "--quiet", "--store"]
    try:
        begun = time.monotonic()
        assert forks.run([*words, str(place / "quiet")]) == 0, forks.said()
        seconds = time.monotonic() - begun
        quiet = contents(place / "quiet")
        server.latency_s = 0.01
        store, done, round = place / "tape0", 0, 0
        server.seen.clear()
        while done < kills:
            pid = forks.start([*words, str(store)])
            time.sleep(chance.random() * seconds * 1.2)
            before = whole_files(store)
            os.kill(pid, signal.SIGKILL)
            code = forks.wait(pid)
            done += code != 0
            assert code in (0, -signal.SIGKILL), forks.said()
            kept = whole_files(store)
            assert before <= kept | {key.day + key.symbol for key in Store(store).find()}
            if code == 0:
                assert contents(store) == quiet
                round += 1
                store = place / f"tape{round}"
        assert forks.run([*words, str(store)]) == 0, forks.said()
        assert contents(store) == quiet
    finally:
        forks.close()


def whole_files(store: Path) -> set[str]:
    """Return day and symbol of the files that have been fetched whole."""
    names = [path.name for path in (store / ".downloads" / "tardis").glob("*.csv.gz")]
    return {name.removeprefix("binance_trades_").removesuffix(".csv.gz").replace("_", "") for name in names}


def test_errors_of_a_network_are_network_errors() -> None:
    assert issubclass(NetworkError, TickreelError)
