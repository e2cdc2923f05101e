"""Recording a live stream of the test server: every loss of the connection, and what comes of it."""

import errno
import json
import os
import random
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from canary import files_with_key
from counts import SOAK
from import_sample import dataset, put, take, trade, trades
from provider_server import KEY, ProviderServer
from provider_server.machine import GARBAGE, Plan
from record_sample import (
    FEED,
    MANY,
    MANY_TYPES,
    check_many,
    heard,
    hurry,
    ids,
    many,
    parts,
    provide,
    recording,
)
from tickreel.cli.app import run
from tickreel.errors import DiskError, LockedError
from tickreel.ingest.record import feed
from tickreel.ingest.record.clock import Clock
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_S

SEED = int(os.environ.get("TICKREEL_SEED", "1"))
DROPS = 1_000 if SOAK else 100


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        provide(tmp_path, running, monkeypatch)
        hurry(monkeypatch)
        yield running


def test_a_stream_becomes_segments(server: ProviderServer, place: Path) -> None:
    server.machine.run(500)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 50)
        summary = running.end()
    found = ids(place)
    assert found == list(range(found[0], found[0] + len(found)))
    assert len(found) == summary.feeds[0].streams[0].messages == summary.sealed[0].rows
    assert Store(place).primary() == FEED
    assert server.machine.asked[0]["dataTypes"] == ["trade"]
    assert [gap.reason for part in parts(place) for gap in part.gaps] == ["recording began"]


HARMS = ("abort", "close", "half", "noise", "full")


@pytest.mark.long
def test_forced_drops_lose_nothing_and_bring_nothing_twice(
    server: ProviderServer, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two exchanges, three types, across midnight: the day before is sealed for good while connections are lost."""
    chance = random.Random(SEED)
    plans = [
        Plan(chance.randint(0, 60), chance.choice(HARMS), overlap=chance.choice((0, 0, 18)))
        for _ in range(DROPS)
    ]
    server.machine.plan = lambda number: plans[number] if number < DROPS else Plan()
    # A day is sealed in this process: no connection is to be taken for dead meanwhile.
    provide(tmp_path, server, monkeypatch, ping_s=5, pong_s=5, dead_after_s=10)
    ahead_ns = many(server, 0.02 * DROPS)
    monkeypatch.setattr(feed, "Clock", partial(Clock, lambda: time.time_ns() + ahead_ns))
    server.machine.run(200)
    settings = {"exchange": None, "symbols": MANY, "types": MANY_TYPES}
    with recording(place, **settings, fill_after_ns=2 * NS_PER_S, grace_ns=4 * NS_PER_S) as running:
        # Both exchanges have a connection that lasts.
        running.wait(lambda: server.machine.connections == DROPS + 2, seconds=600)
        seen = [stream.messages for stream in running.numbers[0].streams]
        running.wait(
            lambda: all(
                stream.messages > before + 100
                for stream, before in zip(running.numbers[0].streams, seen, strict=True)
            )
        )
        server.machine.run(20)
        running.wait(lambda: running.numbers[0].gaps_waiting == 0, seconds=600)
        running.wait(lambda: len(running.numbers[0].days) == 1 and not running.numbers[0].sealing, seconds=60)
        summary = running.end()
    gaps = check_many(place, server)
    streams = summary.feeds[0].streams
    # What was before the recording began is a gap, and nothing lost.
    assert [len(gaps[stream.exchange]) - 1 for stream in streams] == [stream.gaps for stream in streams]
    assert sum(sealed.gaps for sealed in summary.sealed) == sum(map(len, gaps.values()))
    assert [sealed.final for sealed in summary.sealed] == [True, False]
    assert sum(sealed.overlaps for sealed in summary.sealed) > 0
    assert [(sealed.late, sealed.unreadable, sealed.troubles) for sealed in summary.sealed] == [
        (0, 0, [])
    ] * 2
    # A connection that broke before its first message made no gap of its own.
    assert DROPS / 2 < sum(stream.gaps for stream in streams) <= DROPS + 4


@pytest.mark.parametrize("how", [*HARMS, "silence", "dead", "deaf", "huge", "bomb"])
def test_each_way_to_lose_a_connection_is_noticed_and_named(
    server: ProviderServer, place: Path, how: str
) -> None:
    server.machine.plan = lambda number: Plan(5, how) if number == 0 else Plan()
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: bool(running.numbers) and running.numbers[0].streams[0].reconnects > 0)
        running.wait(lambda: heard(running) > 20 and running.numbers[0].gaps_waiting == 0)
        running.end()
    found = ids(place)
    assert sorted(found) == list(range(min(found), max(found) + 1))
    (reason,) = {gap.reason for part in parts(place) for gap in part.gaps} - {"recording began"}
    wanted = {
        "abort": "lost without a word|broken|reset", "close": "closed by the provider: 1011 the exchange is gone",
        "half": "lost without a word|broken|reset", "noise": "broken: ", "full": "1008 Too much backpressure",
        "silence": "no message for 0.6 s", "dead": "no answer to a ping within 0.2 s",
        "deaf": "no answer to a ping within 0.2 s", "huge": "broken: .*exceeds",
        "bomb": "broken: .*exceeds",
    }  # fmt: skip
    assert re.search(wanted[how], reason), reason
    if how == "bomb":  # of a huge one the rest is on its way, and a closing that leaves it unread is a reset
        assert 1009 in server.machine.closed


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize("how", GARBAGE)
def test_a_message_that_is_none_is_set_aside_and_the_stream_goes_on(
    server: ProviderServer, place: Path, how: str, after: int
) -> None:
    server.machine.plan = lambda number: Plan(after, how)
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 20)
        summary = running.end()
    assert server.machine.connections == 1
    assert (summary.sealed[0].unreadable, summary.sealed[0].set_aside) == (1, 1)
    assert "garbage" in Path(summary.sealed[0].rejects[0]).read_text()


def test_what_the_machine_lost_itself_is_a_gap(server: ProviderServer, place: Path) -> None:
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 10)
        server.machine.say({"type": "error", "exchange": "binance", "details": "no route"})
        server.machine.say(
            {"type": "disconnect", "exchange": "binance", "localTimestamp": "2024-01-01T00:00:00Z"}
        )
        seen = heard(running)
        running.wait(lambda: heard(running) > seen + 10)
        summary = running.end()
    stream = summary.feeds[0].streams[0]
    assert (stream.errors, stream.last_error, stream.reconnects, server.machine.connections) == (
        1,
        "no route",
        1,
        1,
    )
    assert "the provider lost its own connection" in {
        gap.reason for part in parts(place) for gap in part.gaps
    }


def test_a_history_that_fails_midway_fills_nothing(server: ProviderServer, place: Path) -> None:
    server.machine.history_fails = 3
    server.machine.plan = lambda number: Plan(5, "abort") if number == 0 else Plan()
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 20 and len(server.machine.asked) > 3)
        summary = running.end()
    assert (summary.sealed[0].gaps, summary.sealed[0].filled) == (2, 0)
    found = ids(place)
    assert len(found) == summary.feeds[0].streams[0].messages


def test_a_provider_that_never_comes_is_given_up(
    server: ProviderServer, place: Path, tmp_path: Path, monkeypatch
) -> None:
    provide(tmp_path, server, monkeypatch, tries=5)
    server.machine.plan = lambda number: Plan(0, "abort")
    with recording(place) as running:
        summary = running.result()
    assert server.machine.connections == 5
    assert "5 times in a row" in summary.problems[0]


def test_a_second_recorder_of_a_feed_is_refused(server: ProviderServer, place: Path) -> None:
    server.machine.run(100)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 0)
        with (
            recording(place) as second,
            pytest.raises(LockedError, match=f"recorded by process {os.getpid()}"),
        ):
            second.result()


def test_metrics_are_served_on_loopback(server: ProviderServer, place: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server.machine.run(300)
    with recording(place, metrics=port) as running:
        running.wait(lambda: heard(running) > 20)
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        running.end()
    labels = f'{{feed="{FEED}",exchange="binance"}}'
    assert re.search(rf"^tickreel_record_messages_total{re.escape(labels)} \d+$", text, re.MULTILINE)
    assert f'tickreel_record_primary{{feed="{FEED}"}} 1' in text
    assert "tickreel_record_lag_seconds" in text


def test_a_restart_notes_the_gap_and_fills_it(server: ProviderServer, place: Path) -> None:
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 20)
        running.end()
    with recording(place) as running:
        running.wait(lambda: heard(running) > 20 and running.numbers[0].gaps_filled == 1)
        running.end()
    found = ids(place)
    assert sorted(found) == list(range(min(found), max(found) + 1))
    gaps = [gap for part in parts(place) for gap in part.gaps]
    assert [(gap.reason, gap.filled) for gap in gaps] == [
        ("recording began", False), ("the recorder was not running", True),
    ]  # fmt: skip


def test_a_switch_and_a_rollback_are_followed_within_a_second(
    server: ProviderServer, place: Path, tmp_path
) -> None:
    put(dataset(tmp_path), trades(trade(1)))
    assert take(Store(place), tmp_path).exit_code == 0
    server.machine.run(100)
    with recording(place, seal_every_ns=NS_PER_S // 5) as running:
        running.wait(lambda: bool(ids(place)) and not running.numbers[0].primary)
        for words, wanted in ((["switch", FEED], True), (["rollback"], False)):
            assert run([*words, "--store", str(place), "--quiet"]) == 0
            # The recorder looks once a second; half of one more is for a machine that does much else.
            running.wait(lambda wanted=wanted: running.numbers[0].primary is wanted, seconds=1.5)
        seen = heard(running)
        running.wait(lambda: heard(running) > seen)
        running.end()


def test_a_stop_closes_the_connection_within_a_second(server: ProviderServer, place: Path) -> None:
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 20)
        running.stop.set()
        began_s = time.monotonic()
        running.wait(lambda: server.machine.open == 0, seconds=20)
        assert time.monotonic() - began_s < 1
        running.result()


def test_a_stop_does_not_wait_for_a_peer_that_is_gone(server: ProviderServer, place: Path) -> None:
    server.machine.plan = lambda number: Plan(5, "dead")
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: server.machine.open == 1 and len(server.machine.happened) > 20)
        running.stop.set()
        running._thread.join(20)
        assert running.summary is not None


def test_a_slow_disk_holds_the_sender_up_and_drops_nothing(
    server: ProviderServer, place: Path, monkeypatch
) -> None:
    fsync = os.fsync

    def slow(fd: int) -> None:
        time.sleep(0.05)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", slow)
    server.machine.run(2_000)
    with recording(place, most_waiting_bytes=10_000) as running:
        running.wait(lambda: heard(running) > 500)
        monkeypatch.undo()
        summary = running.end()
    assert summary.feeds[0].streams[0].held > 0
    found = ids(place)
    assert found == list(range(found[0], found[0] + len(found)))
    assert server.machine.connections == 1


def test_a_full_disk_ends_it_and_what_is_journalled_stays(server: ProviderServer, place: Path) -> None:
    server.machine.run(500)
    write = os.write
    full = threading.Event()

    def filling(fd: int, data: bytes) -> int:
        if full.is_set() and len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", filling)
        with recording(place) as running:
            running.wait(lambda: heard(running) > 100)
            full.set()
            with pytest.raises(
                DiskError, match="No space left on device; make room and run the same command again"
            ):
                running.result()
    assert not list(Store(place).find())
    with recording(place) as running:
        running.wait(lambda: heard(running) > 20 and running.numbers[0].gaps_filled == 1)
        running.end()
    found = ids(place)
    assert sorted(found) == list(range(min(found), max(found) + 1))


def test_what_is_recorded_can_be_read_while_it_goes_on(server: ProviderServer, place: Path, capsys) -> None:
    server.machine.run(300)
    with recording(place, seal_every_ns=NS_PER_S // 5) as running:
        running.wait(lambda: heard(running) > 10)
        assert run(["ls", "--json", "--store", str(place)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["primary"], told["unsealed"][0]["feed"]) == (FEED, FEED)
        running.wait(lambda: len(ids(place)) > 0)
        seen = ids(place)
        running.wait(lambda: len(ids(place)) > len(seen))
        assert ids(place)[: len(seen)] == seen
        summary = running.end()
    assert summary.troubles == []
    found = ids(place)
    assert found == list(range(found[0], found[0] + len(found)))


def test_an_import_goes_on_beside_a_recording(server: ProviderServer, place: Path, tmp_path: Path) -> None:
    server.machine.run(300)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 10)
        put(dataset(tmp_path), trades(trade(1)))
        assert take(Store(place), tmp_path).exit_code == 0
        with Store(place).writing():
            seen = heard(running)
            running.wait(lambda: heard(running) > seen + 50)
            running.stop.set()
            # Sealing waits for the writer.
            time.sleep(0.3)
            assert running._thread.is_alive()
        running.result()
    assert Store(place).feeds() == ["tardis", FEED]


def test_a_day_that_cannot_be_sealed_is_told_while_it_runs_and_fails_it(
    server: ProviderServer, place: Path, tmp_path: Path, capsys
) -> None:
    server.machine.run(100)
    with recording(place, seal_every_ns=NS_PER_S // 5) as running:
        running.wait(lambda: bool(ids(place)))
        (key,) = Store(place).find(type="trades")
        running.end()
    Store(place).path(key).unlink()
    rows = Path(tmp_path, "f.csv")
    at_us = time.time_ns() // 1_000 + 1_000_000
    put(rows, trades(trade(1, timestamp=at_us, local_timestamp=at_us)))
    assert take(Store(place), rows, feed=FEED, types=("trades",)).exit_code == 0
    with recording(place, seal_every_ns=NS_PER_S // 5) as running:
        running.wait(lambda: bool(running.told))
        summary = running.end()
    assert summary.unsealed == [f"{FEED} {key.day}"]
    assert running.told == summary.troubles


def test_another_writer_is_waited_for_aloud(server: ProviderServer, place: Path) -> None:
    server.machine.run(100)
    with recording(place) as running:
        running.wait(lambda: heard(running) > 10)
        with Store(place).writing():
            running.stop.set()
            running.wait(lambda: bool(running.told))
        running.result()
    assert f"process {os.getpid()}" in running.told[0]


def test_a_relay_that_refuses_in_a_message_is_left_and_its_key_is_told_nowhere(
    server: ProviderServer, place: Path, monkeypatch
) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", KEY)
    config = Path(os.environ["TICKREEL_CONFIG"])
    text = config.read_text()
    config.write_text(
        text.replace(
            "[holysheep.stream]",
            "[holysheep.stream]\ntries = 5",
        )
    )
    for refusal in (
        '{"error": "Unauthorized", "message": "Invalid API key KEY or key has expired"}',
        '{"type":"error","exchange":"okx","details":"unauthorised: KEY"}',
        "KEY?",
    ):
        server.machine.refusal, server.machine.connections = refusal, 0
        with recording(place, providers=("holysheep",)) as running:
            summary = running.result()
        assert server.machine.connections == 5
        (problem,) = summary.problems
        assert "5 times in a row" in problem and "Bearer [key]" in problem
        told = summary.feeds[0].streams[0]
        assert told.gaps <= 1 and "[key]" in told.last_error
        assert KEY not in str(summary)
    assert files_with_key(place) == []


def test_a_recording_to_which_nothing_came_has_failed(place: Path, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "nobody.toml"
    path.write_text('[tardis-machine]\nbase_url = "http://127.0.0.1:9"\n')
    monkeypatch.setenv("TICKREEL_CONFIG", str(path))
    words = ["--provider", FEED, "--exchange", "binance", "--symbols", "BTCUSDT", "--for", "300ms"]
    assert run(["record", *words, "--store", str(place), "--quiet"]) == 4


def test_two_providers_are_recorded_side_by_side(server: ProviderServer, place: Path) -> None:
    server.machine.run(300)
    with recording(place, providers=(FEED, "second")) as running:
        running.wait(
            lambda: bool(running.numbers) and all(feed.streams[0].messages > 20 for feed in running.numbers)
        )
        running.end()
    assert Store(place).feeds() == ["second", FEED]
    both = set(ids(place)) & set(ids(place, "second"))
    assert len(both) > 10
