"""Gaps are of the symbols and types that were asked for: others that are added, dropped and taken up again."""

import time
from pathlib import Path
from typing import Any

import pytest

from journal_sample import DAY, at, iso, message, trade
from provider_server import ProviderServer
from record_sample import provide
from recorder_sample import BEGAN, LATE, MIDNIGHT, Recorder, Told, gaps
from tickreel.errors import RefusedError
from tickreel.ingest.record.journal import StreamInfo, parts, together
from tickreel.ingest.transport import Background
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_S

BOTH = ("BTCUSDT", "ETHUSDT")
ABSENT, GONE = "the recorder was not running", "not recorded any more"


def hear(run: Recorder, *seconds: int) -> None:
    """Let a trade and a ticker come of all that is asked for."""
    for second in seconds:
        run.now_ns = at(second)
        for symbol in run.stream.asked.symbols:
            run.stream.message(trade(second, at(second), symbol=symbol))
            if "derivative_ticker" in run.stream.asked.types:
                run.stream.message(ticker(symbol, at(second)))
    run.feed.commit()


def ticker(symbol: str, local_ns: int) -> bytes:
    return message({
        "type": "derivative_ticker", "symbol": symbol, "exchange": "binance", "lastPrice": 1.5,
        "timestamp": iso(local_ns), "localTimestamp": iso(local_ns),
    })  # fmt: skip


def told(place: Path) -> dict[tuple[str, str], Told]:
    """Return the gaps of each type and symbol of DAY."""
    store = Store(place)
    return {(key.type, key.symbol): gaps(store, key) for key in store.find() if key.day == DAY}


def test_what_is_added_at_a_restart_has_a_gap_before(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    hear(run, 1, 40_000)
    run.end()
    run = recorder(at(40_002), symbols=BOTH, types=("trades", "derivative_ticker"))
    hear(run, 40_003)
    run.end()
    absent = (at(40_000), at(40_003), ABSENT, False)
    began = (BEGAN[0], at(40_003), *BEGAN[2:])
    assert told(place) == {
        ("trades", "BTCUSDT"): [BEGAN, absent], ("trades", "ETHUSDT"): [began],
        ("derivative_ticker", "BTCUSDT"): [began], ("derivative_ticker", "ETHUSDT"): [began],
    }  # fmt: skip


def test_what_is_dropped_and_taken_up_again_has_a_gap_between(recorder: Any, place: Path) -> None:
    run = recorder(at(0), symbols=BOTH)
    hear(run, 1)
    run.feed.journal.close()
    run = recorder(at(100))
    hear(run, 101)
    run.feed.journal.close()
    run = recorder(at(200), symbols=BOTH)
    hear(run, 201)
    run.end()
    assert told(place) == {
        ("trades", "BTCUSDT"): [BEGAN, (at(1), at(101), ABSENT, False), (at(101), at(201), ABSENT, False)],
        ("trades", "ETHUSDT"): [BEGAN, (at(1), at(100), GONE, False), (at(100), at(201), ABSENT, False)],
    }  # fmt: skip


def test_what_is_dropped_is_missing_to_the_end_of_its_day(recorder: Any, place: Path) -> None:
    run = recorder(at(0), symbols=BOTH)
    hear(run, 1)
    run.feed.journal.close()
    run = recorder(at(100))
    hear(run, 101)
    run.hear(MIDNIGHT + NS_PER_S)
    run.history.error = RefusedError("401")
    for seconds in range(4):
        run.look(LATE + seconds * NS_PER_S)
    run.end()
    assert told(place)["trades", "ETHUSDT"] == [
        BEGAN, (at(1), at(100), GONE, False), (at(100), MIDNIGHT, GONE, False),
    ]  # fmt: skip


def test_history_is_asked_for_what_the_gap_is_of(
    recorder: Any, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap of two symbols, which a recorder fills that is asked for one: no symbol counts as filled unasked."""
    with ProviderServer() as server, Background() as background:
        provide(tmp_path, server, monkeypatch)
        run = recorder(at(0), symbols=BOTH)
        hear(run, 1)
        run.stream.lost("cut")
        hear(run, 50)
        run.feed.journal.close()
        run = recorder(at(40_000))
        hear(run, 40_001)
        run.now_ns = at(43_000)
        end_s = time.monotonic() + 30
        while run.feed.fills.waiting and time.monotonic() < end_s:
            run.feed.commit()
            run.feed.look(background)
            time.sleep(0.01)
        run.end()
    assert [options["symbols"] for options in server.machine.asked] == [["BTCUSDT", "ETHUSDT"], ["BTCUSDT"]]
    assert told(place) == {
        ("trades", "BTCUSDT"): [BEGAN, (at(1), at(50), "cut", True), (at(50), at(40_001), ABSENT, True)],
        ("trades", "ETHUSDT"): [BEGAN, (at(1), at(50), "cut", True), (at(50), at(40_000), GONE, False)],
    }  # fmt: skip


def test_parts_are_what_can_be_asked_for_together() -> None:
    streams = [
        StreamInfo("binance", ["A", "B"], ["trades", "quotes"]), StreamInfo("binance", ["A"], ["liquidations"]),
        StreamInfo("deribit", [], ["trades"]),
    ]  # fmt: skip
    assert together(part for stream in streams for part in parts(stream)) == streams
    assert parts(streams[2]) == [("deribit", "trades", "")]
