"""Recording a relay of the test server: gaps from its history, which has no ids, milliseconds, and mostly no local times."""

import json
import os
import random
import signal
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from counts import SOAK
from import_forks import Forks
from import_sample import fast_folder, segment_rows
from journal_sample import DAY, START, at
from provider_server import KEY, ProviderServer, faults
from provider_server.machine import HISTORY_LATER_NS, TRADE_BEFORE_NS, Plan
from record_sample import Recording, heard, hurry, provide, recording
from tickreel.cli.app import run
from tickreel.config import Key, Profile, load_profile
from tickreel.errors import MissingError, UsageError
from tickreel.ingest.record import feed, history_relay
from tickreel.ingest.record.clock import Clock
from tickreel.ingest.record.day_state import read_state
from tickreel.ingest.record.fill_rows import OTHER_SYMBOL, Fill
from tickreel.ingest.record.history import check_lag, history_of
from tickreel.ingest.record.history_machine import NO_BOOKS
from tickreel.ingest.record.history_relay import NO_HISTORY, NO_LOCAL, NO_NAMES
from tickreel.ingest.record.journal import Begin, GapNote, StreamInfo, journal_days, read_fills
from tickreel.ingest.record.journal_format import VERSION, Kind, Scan, pack
from tickreel.ingest.record.record_file import RecordFile
from tickreel.ingest.record.stream import BEGAN
from tickreel.ingest.transport import Background, open_client
from tickreel.sources.machine import Read, Rows, Unreadable
from tickreel.sources.relay import Relay, Row
from tickreel.store.catalog import Store
from tickreel.store.format import Gap, Part
from tickreel.units import NS_PER_DAY, NS_PER_MS, NS_PER_S

RELAY = "holysheep"
SEED = int(os.environ.get("TICKREEL_SEED", "1"))
DROPS = 1_000 if SOAK else 60
KILLS = 100 if SOAK else 10
LAG_NS = 50 * NS_PER_MS
WITH_LOCAL = (
    "[holysheep.types.trades]\ncolumns = { timestamp = 'timestamp', local_timestamp = 'got', side = 'side',"
    " price = 'price', amount = 'volume' }"
)
MIXED = (
    f"{WITH_LOCAL}\n[holysheep.types.liquidations]\nmethod = 'POST'\npath = '/tardis/trades'\nwrapper = 'query'\n"
    "request = { symbol = 'symbol', exchange = 'exchange', start = 'start_ms', end = 'end_ms' }\nrequest_time = 'ms'\n"
    "end_is_inclusive = true\npaging = 'advance'\nspan = '1h'\nrows = 'trades'\nrow_time = 'ms'\n"
    "columns = { timestamp = 'timestamp', side = 'side', price = 'price', amount = 'volume' }"
)
"""Trades have local times, and liquidations (the server's are its trades) none."""
HARMS = ("abort", "close", "half", "noise", "full")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        provide(tmp_path, running, monkeypatch)
        monkeypatch.setenv("HOLYSHEEP_API_KEY", KEY)
        hurry(monkeypatch)
        yield running


def relayed(place: Path, **settings: Any) -> Any:
    return recording(place, providers=(RELAY,), exchange="okex", **settings)


def end_whole(running: Recording, server: ProviderServer, *, waits: bool = True) -> None:
    """End a recording that has heard the last of what happened, and whose gaps are filled."""
    server.machine.run(0)
    time.sleep(0.1)
    last, seen = 0, -1
    while seen != last:
        seen, last = last, heard(running)
        time.sleep(0.2)
    running.wait(lambda: not waits or running.numbers[0].gaps_waiting == 0, seconds=600)
    running.end()


def check(place: Path, server: ProviderServer, lag_ns: int | None) -> list[Gap]:
    """Compare what was recorded with what happened, each event once; return the gaps.

    Live rows have their ids, the time of the exchange and one of arrival; those of history milliseconds, and a local
    time that is so much later, or what history says.
    """
    store = Store(place)
    keys = list(store.find(feed=RELAY, type="trades"))
    rows = [row for key in keys for row in segment_rows(store, key)]
    happened = {one.number: one.at_ns - TRADE_BEFORE_NS for one in server.machine.happened}
    live = [row for row in rows if row[3]]
    assert [row for row in live if row[2] != happened[int(row[3])] // 1_000 * 1_000] == []
    assert all(0 < row[1] - row[2] < 5 * NS_PER_S for row in live)
    assert max(Counter(row[3] for row in live).values()) == 1
    filled = [row for row in rows if not row[3]]
    assert [row for row in filled if row[2] % NS_PER_MS] == []
    if lag_ns is not None:
        assert {row[1] - row[2] for row in filled} <= {lag_ns}
    else:
        later_ns = HISTORY_LATER_NS + TRADE_BEFORE_NS
        assert {row[1] - row[2] for row in filled} <= {later_ns, later_ns - NS_PER_MS, later_ns + NS_PER_MS}
    found = Counter((row[2] // NS_PER_MS, price(row[5])) for row in rows)
    # Of the first millisecond history has all, what came live begins within it.
    first_ns = min(row[2] for row in rows)
    wanted = Counter(
        (ns // NS_PER_MS, 100 + number % 7)
        for number, ns in happened.items()
        if ns // 1_000 * 1_000 >= first_ns
    )
    assert found == wanted
    noted = [gap for key in keys for part in store.open(key).meta.parts for gap in part.gaps]
    assert [(gap.filled, gap.lag_ns) for gap in noted if gap.reason != BEGAN] == [(True, lag_ns)] * (
        len(noted) - 1
    )
    return noted


def price(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<q", bits))[0]


@pytest.mark.parametrize("more", ["", WITH_LOCAL])
def test_gaps_of_a_relay_are_filled(
    server: ProviderServer, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    """With a declared delay, or with the local times that history has: nothing is lost, and nothing there twice."""
    provide(tmp_path, server, monkeypatch, more=more)
    server.machine.plan = lambda number: (
        Plan(30, HARMS[number], (0, 18)[number % 2]) if number < 4 else Plan()
    )
    server.machine.run(200)
    lag_ns = None if more else LAG_NS
    with relayed(place, fill_lag_ns=lag_ns) as running:
        running.wait(lambda: server.machine.connections == 5 and heard(running) > 150)
        end_whole(running, server)
    gaps = check(place, server, lag_ns)
    assert [gap.reason for gap in gaps].count(BEGAN) == 1
    # A connection that broke before its first message made no gap of its own.
    assert 2 <= len(gaps) <= 5
    assert running.summary is not None
    (sealed,) = running.summary.sealed
    assert (sealed.filled, sealed.lag_ns, sealed.set_aside) == (len(gaps) - 1, lag_ns, 0)
    assert running.told == []


@pytest.mark.long
def test_forced_drops_of_a_relay_lose_nothing_across_midnight(
    server: ProviderServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent again: what a relay repeats after midnight has no time but its arrival's."""
    chance = random.Random(SEED)
    plans = [Plan(chance.randint(0, 60), chance.choice(HARMS)) for _ in range(DROPS)]
    server.machine.plan = lambda number: plans[number] if number < DROPS else Plan()
    server.machine.ahead_ns = ahead_ns = -(time.time_ns() + int(0.1 * DROPS * NS_PER_S)) % NS_PER_DAY
    monkeypatch.setattr(feed, "Clock", partial(Clock, lambda: time.time_ns() + ahead_ns))
    server.machine.run(200)
    settings = {"fill_lag_ns": LAG_NS, "fill_after_ns": 2 * NS_PER_S, "grace_ns": 4 * NS_PER_S}
    with relayed(place, **settings) as running:
        running.wait(lambda: server.machine.connections == DROPS + 1, seconds=600)
        seen = heard(running)
        running.wait(lambda: heard(running) > seen + 100)
        running.wait(
            lambda: len(running.numbers[0].days) == 1 and not running.numbers[0].sealing, seconds=120
        )
        end_whole(running, server)
    gaps = check(place, server, LAG_NS)
    assert len(gaps) > DROPS / 3
    assert running.summary is not None
    assert [sealed.final for sealed in running.summary.sealed] == [True, False]


def test_without_a_declared_delay_gaps_stay_open_until_one_is(
    server: ProviderServer, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is told, once, with the option; a recording that has it fills what was left."""
    server.machine.run(300)
    for _ in range(2):
        began_ns = time.time_ns()
        with relayed(place) as running:
            running.wait(lambda: heard(running) > 20)
            running.end()
        (told,) = running.told
        assert told.startswith("holysheep: gaps of trades stay open") and "--fill-lag 50ms" in told
    assert server.machine.asked[0] == {
        "action": "subscribe", "exchange": "okx", "symbols": ["BTCUSDT"], "types": ["trade"],
    }  # fmt: skip
    assert [one.headers["Authorization"] for one in server.asked("market")] == [f"Bearer {KEY}"] * 2
    store = Store(place)
    (key,) = store.find(feed=RELAY)
    assert (key.exchange, key.symbol) == ("okex", "BTCUSDT")
    assert began_ns < int(store.open(key).read("local_ns", 0)[-1]) < time.time_ns()
    (part,) = store.open(key).meta.parts
    absent = "the recorder was not running"
    assert [(gap.reason, gap.filled) for gap in part.gaps] == [(BEGAN, False), (absent, False)]
    journal = place / ".journal" / RELAY
    (state,) = (read_state(journal / day) for day in journal_days(journal))
    assert state.settled[2] == NO_LOCAL.format(RELAY) and "--fill-lag" in state.settled[2]
    assert server.asked("tardis/trades") == []
    with relayed(place, fill_lag_ns=LAG_NS) as running:
        running.wait(lambda: heard(running) > 20)
        end_whole(running, server)
    assert len(check(place, server, LAG_NS)) == 3
    # The key is nowhere in what was written.
    assert not [path for path in place.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    shown(place, capfd)


def test_gaps_filled_of_some_types_are_filled_of_all_once_a_delay_is_declared(
    server: ProviderServer, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were there stay as they were, each once; what was filled of all is not asked for again."""
    provide(tmp_path, server, monkeypatch, more=MIXED)
    server.machine.plan = lambda number: Plan(20, "abort") if number < 3 else Plan()
    types = ("trades", "liquidations")

    def record(lag_ns: int | None) -> dict[Path, tuple[int, list[str]]]:
        server.machine.run(200)
        with relayed(place, types=types, fill_lag_ns=lag_ns) as running:
            running.wait(lambda: heard(running) > 70)
            end_whole(running, server)
        check(place, server, None)
        (gaps,) = (part.gaps for part in parts_of(place, "liquidations"))
        assert {(gap.filled, gap.lag_ns) for gap in gaps if gap.reason != BEGAN} == {
            (lag_ns is not None, lag_ns)
        }
        journal = place / ".journal" / RELAY
        (fills,) = (read_fills(journal / day) for day in journal_days(journal))
        numbers = [number for head in fills.values() for number in head.gaps]
        assert len(numbers) == len(set(numbers))
        return {
            path: (path.stat().st_ino, [type for asked in head.streams for type in asked.types])
            for path, head in fills.items()
        }

    some, all, more = record(None), record(LAG_NS), record(LAG_NS)
    assert [asked for _, asked in some.values()] == [["trades"]] * len(some)
    assert [sorted(asked) for _, asked in all.values()] == [sorted(types)] * len(all)
    assert len(some) > 0 and some.keys() < all.keys() < more.keys()
    assert {path: more[path] for path in all} == all


def parts_of(place: Path, type: str) -> list[Part]:
    store = Store(place)
    return [part for key in store.find(feed=RELAY, type=type) for part in store.open(key).meta.parts]


def shown(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Hold what commands say of the gaps that were filled."""

    def told(*words: str) -> Any:
        assert run([*words, "--store", str(place), "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    (entry,) = told("ls")["entries"]
    (late,) = entry["lagged"]
    assert late["lag_ns"] == LAG_NS and late["gaps"] in (1, 2)
    assert told("stats")["types"][0]["lagged"] == [late]
    spans = told("manifest")["holdings"][0]["lagged"]
    assert sum(span["to_ns"] - span["from_ns"] for span in spans) == late["gaps_ns"]
    assert {span["lag_ns"] for span in spans} == {LAG_NS}
    (day,) = told("quality")["days"]
    figures = [day["figures"][name] for name in ("lagged", "lagged_ns", "lag_declared_ns")]
    assert figures == [late["gaps"], late["gaps_ns"], LAG_NS]
    (verdict,) = [verdict for verdict in day["verdicts"] if verdict["rule"] == "lagged"]
    assert verdict["severity"] == 1 and "local times there are exchange time + 50 ms" in verdict["text"]
    assert told("check")["problems"] == []
    assert run(["ls", "--store", str(place)]) == 0
    assert "filled, local times are exchange time + 50 ms" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (faults.status(500, '{"error":"down"}'), "it is asked for again: "),
        (faults.body(b'{"rows": []}'), "it is asked for again: "),
        (faults.status(401, '{"error":"Unauthorized"}'), "when the recording is started anew: "),
    ],
)
def test_a_history_that_fails_fills_nothing_and_is_told(
    server: ProviderServer, place: Path, tmp_path: Path, monkeypatch, fault: Any, again: str
) -> None:
    more = "[holysheep.limits]\ntries = 2\nbackoff_first_s = 0.01\ncalls_per_minute = 0"
    provide(tmp_path, server, monkeypatch)
    config = Path(os.environ["TICKREEL_CONFIG"])
    config.write_text(config.read_text().replace("[holysheep.limits]\ncalls_per_minute = 0", more))
    server.fail("tardis/trades", fault, times=1_000)
    server.machine.plan = lambda number: Plan(5, "abort") if number == 0 else Plan()
    server.machine.run(300)
    with relayed(place, fill_lag_ns=LAG_NS) as running:
        running.wait(lambda: heard(running) > 20 and bool(running.told))
        summary = running.end()
    assert (summary.sealed[0].gaps, summary.sealed[0].filled) == (2, 0)
    (told,) = running.told
    assert "history that gaps were to be filled from did not come" in told and again in told
    assert summary.sealed[0].rows == summary.feeds[0].streams[0].messages


def test_a_history_without_rows_has_filled_the_gap(
    server: ProviderServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it answers besides, of other times, is left out."""
    far = {"timestamp": 1_600_000_000_000, "price": 1, "volume": 1, "side": "buy"}
    monkeypatch.setattr(server.machine, "relayed", lambda *words: [far])
    server.machine.plan = lambda number: Plan(5, "abort") if number == 0 else Plan()
    server.machine.run(300)
    with relayed(place, fill_lag_ns=LAG_NS) as running:
        running.wait(lambda: heard(running) > 20 and running.numbers[0].gaps_filled == 1)
        summary = running.end()
    assert (summary.sealed[0].filled, summary.sealed[0].rows) == (1, summary.feeds[0].streams[0].messages)


def words(place: Path, *more: str) -> list[str]:
    return [
        "record", "--provider", RELAY, "--symbols", "okex:BTCUSDT", "--store", str(place), "--fsync-interval", "50ms",
        "--fill-after", "0", "--workers", "1", "--quiet", *more,
    ]  # fmt: skip


@pytest.mark.long
def test_a_recorder_of_a_relay_that_is_killed_as_it_fills_fills_again(server: ProviderServer) -> None:
    """Each page takes a while: most kills are in the middle of an answer."""
    chance = random.Random(SEED)
    with fast_folder() as folder:
        place, forks = folder / "tape", Forks(folder)
        forks.warm(
            words(folder / "warm", "--for", "1s", "--fill-lag", "50ms"),
            TICKREEL_CONFIG=os.environ["TICKREEL_CONFIG"],
            HOLYSHEEP_API_KEY=KEY,
        )
        server.relay_page_rows = 40
        server.latency_s = 0.03
        server.machine.run(100)
        unfinished = 0
        for _ in range(KILLS):
            pid = forks.start(words(place, "--fill-lag", "50ms"))
            time.sleep(chance.uniform(0.1, 0.8))
            os.kill(pid, signal.SIGKILL)
            assert forks.wait(pid) == -signal.SIGKILL, forks.said()
            unfinished += len(list(place.rglob("*.coming")))
        forks.close()
        assert unfinished > 0
        server.relay_page_rows, server.latency_s = 1_000_000, 0
        with relayed(place, fill_lag_ns=LAG_NS) as running:
            running.wait(lambda: heard(running) > 50)
            end_whole(running, server)
        gaps = check(place, server, LAG_NS)
        assert len(gaps) > KILLS / 2
        assert list(place.rglob("*.coming")) == []


# What is asked


def profile() -> Profile:
    return load_profile(RELAY).profile


def note(*types: str, symbols: tuple[str, ...] = ("BTCUSDT",)) -> GapNote:
    return GapNote("okex", at(100), at(200), "lost", [*symbols], [*types])


def test_what_no_history_of_a_relay_fills_is_said(server: ProviderServer) -> None:
    relay = history_of(profile(), LAG_NS)
    assert relay.why_not(note("trades", "incremental_book_L2")) == ""
    assert relay.asked(note("trades", "liquidations")) == [StreamInfo("okex", ["BTCUSDT"], ["trades"])]
    assert relay.why_not(note("incremental_book_L2", "quotes")) == NO_BOOKS
    assert relay.why_not(note("liquidations", "quotes")) == NO_HISTORY.format(RELAY, "liquidations")
    assert relay.why_not(note("trades", symbols=())) == NO_NAMES.format(RELAY)
    assert history_of(profile(), None).why_not(note("trades")) == NO_LOCAL.format(RELAY)


def fetch(asked: GapNote, path: Path) -> list[Read]:
    """Return what history gives of a gap, as it is read from its file."""
    relay = history_of(profile(), LAG_NS)
    begin = Begin(VERSION, RELAY, DAY, relay.asked(asked), gaps=[1], lags_ns=relay.lags_ns(asked))
    head = pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))

    async def write() -> None:
        async with open_client(profile(), Key(KEY, "x")) as client:
            await relay.fetch(client, asked, lambda: RecordFile(path, head))

    with Background() as background:
        background.run(write())
    return [read for read, _ in Fill(path, begin, {1: asked}).read(Scan())]


def happen(server: ProviderServer, monkeypatch: pytest.MonkeyPatch, **cells: Any) -> None:
    """Let the relay's history have one row within `note`."""
    row = {"timestamp": at(150) // NS_PER_MS, "price": 1, "volume": 1, "side": "buy", **cells}
    monkeypatch.setattr(server.machine, "relayed", lambda *words: [row])


def test_a_symbol_that_history_does_not_know_leaves_the_others(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(server, monkeypatch)
    both = note("trades", symbols=("NEWUSDT", "BTCUSDT"))
    server.fail("tardis/trades", faults.status(404, '{"error":"unknown symbol"}'))
    (read,) = fetch(both, tmp_path / "answer")
    assert isinstance(read, Rows) and read.symbol == "BTCUSDT"
    server.fail("tardis/trades", faults.status(404, '{"error":"unknown symbol"}'), times=2)
    with pytest.raises(MissingError, match="unknown symbol"):
        fetch(both, tmp_path / "answer")


def test_a_page_that_is_not_there_behind_others_is_an_error(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def some(*words: object) -> AsyncIterator[list[Row]]:
        yield []
        raise MissingError("no second page")

    monkeypatch.setattr(history_relay, "pages", some)
    with pytest.raises(MissingError, match="no second page"):
        fetch(note("trades", symbols=("BTCUSDT", "ETHUSDT")), tmp_path / "answer")


def test_rows_of_a_relay_that_heeds_no_symbol_count_once(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request brings the rows of all: those of others than it asked for are set aside."""
    provide(
        tmp_path,
        server,
        monkeypatch,
        more="[holysheep.types.trades]\ncolumns = { symbol = 'of', timestamp = 'timestamp' }",
    )
    rows = [{"timestamp": at(150) // NS_PER_MS, "of": name} for name in ("btcusdt", "ETHUSDT", "XRPUSDT")]

    async def all_rows(client: object, relay: Relay, from_ns: int, to_ns: int) -> AsyncIterator[list[Row]]:
        yield relay.page({"trades": rows}).rows

    monkeypatch.setattr(history_relay, "pages", all_rows)
    found = fetch(note("trades", symbols=("BTCUSDT", "ETHUSDT")), tmp_path / "answer")
    assert [read.symbol for read in found if isinstance(read, Rows)] == ["btcusdt", "ETHUSDT"]
    aside = [read for read in found if not isinstance(read, Rows)]
    assert aside == [Unreadable("trades", OTHER_SYMBOL)] * 4


def test_a_relay_is_asked_for_each_symbol_as_much_earlier_as_its_rows_are_late(
    server: ProviderServer, tmp_path: Path
) -> None:
    fetch(note("trades", symbols=("BTCUSDT", "ETHUSDT")), tmp_path / "answer")
    queries = [json.loads(one.body)["query"] for one in server.asked("tardis/trades")]
    start_ms = (START + 95 * NS_PER_S - LAG_NS) // NS_PER_MS
    assert [(query["symbol"], query["exchange"]) for query in queries] == [
        ("BTCUSDT", "okx"),
        ("ETHUSDT", "okx"),
    ]
    # The end counts at this relay, and is rounded up; rows behind the range are left out.
    assert {(query["start_ms"], query["end_ms"]) for query in queries} == {(start_ms, start_ms + 110_000)}


@pytest.mark.parametrize(
    ("lag_ns", "types", "provider", "said"),
    [
        (-1, "trades", RELAY, "from 0 to 5s"), (5 * NS_PER_S + 1_000, "trades", RELAY, "from 0 to 5s"),
        (1_500, "trades", RELAY, "whole microseconds"),
        (LAG_NS, "trades", "tardis-machine", "--fill-lag 50ms: it is for a history without local times"),
        (LAG_NS, "quotes", RELAY, "none of what is recorded from holysheep"),
    ],
)  # fmt: skip
def test_a_delay_that_nothing_needs_or_that_cannot_be_is_refused(
    server: ProviderServer, lag_ns: int, types: str, provider: str, said: str
) -> None:
    streams = [StreamInfo("okex", ["BTCUSDT"], [types])]
    with pytest.raises(UsageError, match=said):
        check_lag(lag_ns, [(load_profile(provider).profile, streams)])


def test_a_delay_beside_one_provider_that_needs_it_is_taken(server: ProviderServer) -> None:
    streams = [StreamInfo("okex", ["BTCUSDT"], ["trades"])]
    check_lag(LAG_NS, [(load_profile(name).profile, streams) for name in ("tardis-machine", RELAY)])
    check_lag(None, [])


def test_the_command_refuses_a_delay_of_a_machine(server: ProviderServer, place: Path, capfd) -> None:
    given = ["--provider", "tardis-machine", "--exchange", "okex", "--symbols", "BTCUSDT", "--for", "1s"]
    assert run(["record", *given, "--store", str(place), "--fill-lag", "50ms", "--quiet"]) == 2
    assert "leave it out" in capfd.readouterr().err
    assert not place.exists() or not list(place.rglob("*.journal"))
