"""Commands that use the network, against the test server: what they print, their exit codes, and that no key is told."""

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provider_server import KEY, ProviderServer, faults
from tickreel.cli.app import run
from tickreel.errors import UsageError
from tickreel.units import parse_bytes, parse_time

CANARY = "TD.canary-e4b7d2c1"
DAY = ("--from", "2024-01-01", "--to", "2024-01-02")
TWO = ("--from", "2024-01-01", "--to", "2024-01-03")


@pytest.fixture(scope="module")
def running(market_files: Path) -> Iterator[ProviderServer]:
    with ProviderServer([market_files]) as server:
        yield server


@pytest.fixture
def server(running: ProviderServer, tmp_path: Path, monkeypatch) -> ProviderServer:
    running.renew()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if re.fullmatch(r"(TARDIS|HOLYSHEEP).*", name)]:
        monkeypatch.delenv(name)
    for name, value in running.hurried(tmp_path, "tries = 2\n").items():
        monkeypatch.setenv(name, value)
    return running


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys) -> Call:
    """Return a function that runs a command line and gives exit code, standard output and error."""

    def function(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([*map(str, words)])
        found = capsys.readouterr()
        return code, found.out, found.err

    return function


def document(call: Call, *words: object) -> tuple[int, Any]:
    code, out, _ = call(*words, "--json")
    return code, json.loads(out)


# Providers


def test_providers_are_listed_with_the_places_of_their_keys(
    server: ProviderServer, call: Call, monkeypatch
) -> None:
    monkeypatch.setenv("TARDIS_API_KEY", KEY)
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "YOUR_HOLYSHEEP_API_KEY")
    monkeypatch.setenv("HOLYSHEEP_ENABLED", "false")
    code, found = document(call, "provider", "list")
    rows = {row["provider"]: row for row in found["providers"]}
    assert (code, rows["tardis"]["key"], rows["tardis"]["enabled"]) == (0, "environment TARDIS_API_KEY", True)
    assert (rows["holysheep"]["key"], rows["holysheep"]["enabled"]) == (None, False)
    assert "placeholder" in rows["holysheep"]["key_problem"]
    _, out, err = call("provider", "list")
    assert [line.split()[0] for line in out.splitlines()] == [
        "provider",
        "tardis",
        "tardis-machine",
        "holysheep",
    ]
    assert "providers.toml" in err
    assert server.seen == []


def test_a_profile_is_shown_with_the_origin_of_each_value(
    server: ProviderServer, call: Call, tmp_path: Path
) -> None:
    code, out, err = call("provider", "show", "tardis")
    assert code == 0
    assert f'base_url = "{server.url}"  # environment TARDIS_BASE_URL' in out
    assert f"backoff_first_s = 0.02  # {tmp_path / 'providers.toml'}" in out
    assert 'kind = "tardis"  # built in' in out
    assert err == "key: none\n"
    assert call("provider", "show", "nobody")[0] == 2


def test_a_provider_is_tried_with_and_without_a_key(server: ProviderServer, call: Call, monkeypatch) -> None:
    code, out, _ = call("provider", "test", "tardis")
    assert (code, "with no key" in out, server.asked()[0].path) == (0, True, "/v1/exchanges")
    monkeypatch.setenv("TARDIS_API_KEY", KEY)
    code, found = document(call, "provider", "test", "tardis")
    assert (code, found["key"], found["access"][0]["plan"]) == (0, "environment TARDIS_API_KEY", "pro")
    assert 0 < found["round_trip_ms"]["p50"] <= found["round_trip_ms"]["p99"]
    assert len(server.asked("api-key-info")) == 21
    server.fail("api-key-info", faults.status(503, Retry_After="0.1"))
    assert "s: tardis asks to wait, answered 503" in call("provider", "test", "tardis")[2]
    monkeypatch.setenv("TARDIS_API_KEY", "wrong")
    code, out, err = call("provider", "test", "tardis")
    assert (code, out) == (4, "")
    assert "the key of environment TARDIS_API_KEY is not valid" in err


def test_a_relay_is_tried_by_a_second_of_trades(server: ProviderServer, call: Call, monkeypatch) -> None:
    code, _, err = call("provider", "test", "holysheep")
    assert (code, server.seen) == (4, [])
    assert "https://www.holysheep.ai/register" in err
    monkeypatch.setenv("HOLYSHEEP_API_KEY", KEY)
    code, found = document(call, "provider", "test", "holysheep")
    assert (code, found["access"]) == (0, None)
    query = json.loads(server.asked("tardis/trades")[0].body)["query"]
    assert (query["symbol"], query["exchange"], query["end_ms"] - query["start_ms"]) == (
        "BTCUSDT",
        "binance",
        1_000,
    )
    monkeypatch.setenv("HOLYSHEEP_ENABLED", "0")
    code, _, err = call("provider", "test", "holysheep")
    assert (code, "HOLYSHEEP_ENABLED=0" in err) == (2, True)


def test_a_provider_that_is_not_there_is_said_at_once(call: Call, monkeypatch) -> None:
    monkeypatch.setenv("TARDIS_MACHINE_BASE_URL", "http://127.0.0.1:9")
    code, _, err = call("provider", "test", "tardis-machine")
    assert (code, "tardis-machine: http://127.0.0.1:9/health-check: " in err) == (4, True)


def test_an_address_where_nothing_is_is_named_by_where_it_was_written(
    server: ProviderServer, call: Call, monkeypatch
) -> None:
    monkeypatch.setenv("TARDIS_BASE_URL", f"{server.url}/nowhere")
    code, out, err = call("provider", "test", "tardis")
    assert (code, out) == (4, "")
    assert "answered 404, so that is not its address; check base_url of [tardis] in" in err
    assert "or TARDIS_BASE_URL" in err


# Downloads


WORDS = (
    "download",
    "--exchange",
    "binance-futures",
    "--symbols",
    "BTCUSDT,NOPE",
    "--workers",
    1,
    "--store",
    "tape",
)


def test_a_download_tells_what_became_of_the_days(server: ProviderServer, call: Call) -> None:
    code, out, err = call(*WORDS, *TWO)
    assert (code, out) == (1, "")
    assert re.search(r"days: 1 imported, 1 missing, 2 refused; \d,\d{3} rows, .* KiB in", err)
    assert "missing: trades NOPE, 2024-01-01: tardis answered 404" in err
    assert err.count("refused: ") == 1
    assert "refused: trades BTCUSDT, trades NOPE, 2024-01-02: tardis answered 401" in err
    code, found = document(call, *WORDS, *TWO)
    assert [day["state"] for day in found["days"]] == ["there", "missing", "refused", "refused"]
    assert (code, found["exit_code"], found["totals"]["rows"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--symbols", "BTCUSDT", *DAY), 0, "1 imported"),
        (("--symbols", "NOPE", *DAY), 4, "1 missing"),
        (("--symbols", "BTCUSDT", "--from", "2024-01-02", "--to", "2024-01-03"), 4, "no key was sent"),
        (("--symbols", "BTCUSDT", "--type", "trade", *DAY), 2, "known are trades"),
        (("--symbols", "BTCUSDT", "--from", "2024-01-01T03", "--to", "2024-01-02"), 2, "--from"),
        (("--symbols", "BTCUSDT", *DAY, "--memory-limit", "lots"), 2, "'lots' is not a size; write 512MB"),
        (("--symbols", "BTCUSDT", *DAY, "--memory-limit", "10MB"), 2, "one worker needs"),
        (("--symbols", "BTCUSDT", *DAY, "--provider", "tardis-machine", "--type", "quotes"), 2, "days of trades,"),
        (("--symbols", "BTCUSDT", *DAY, "--provider", "x"), 2, "known are tardis, tardis-machine, holysheep"),
        (("--symbols", "BTCUSDT", *DAY, "--keep-files", "providers.toml"), 2, "that is a file"),
        (("--symbols", "BTCUSDT", *DAY, "--memory-limit", "2GiB", "--keep-files", "kept"), 0, "1 imported"),
    ],
)  # fmt: skip
def test_exit_codes_of_a_download(
    words: tuple[str, ...], code: int, said: str, server: ProviderServer, call: Call
) -> None:
    found, _, err = call(
        "download", "--exchange", "binance-futures", *words, "--workers", 1, "--store", "tape"
    )
    assert (found, said in err) == (code, True), err
    assert found == 0 or not (Path("tape") / "tardis").exists()


def test_sizes() -> None:
    sizes = ["1", "512MB", "1.5 GiB", "2kib", "0.5GB"]
    assert [parse_bytes(size) for size in sizes] == [1, 512 * 10**6, 3 << 29, 2_048, 5 * 10**8]


def test_a_run_fetches_what_it_lacks(server: ProviderServer, call: Call, monkeypatch) -> None:
    words = ("run", "momentum", "--store", "tape", "--no-jit", "--workers", 1, "--fetch", "--quiet", "--out")
    code, _, err = call(*words, "a", "--symbols", "binance-futures:BTCUSDT", *DAY)
    assert (code, err) == (0, "")
    assert len(server.asked("gz$")) == 1
    code, _, err = call(*words, "b", "--exchange", "binance-futures", "--symbols", "BTCUSDT", *TWO)
    assert code == 4
    assert "1 day of 2 could not be downloaded, so the run does not begin" in err
    for missing, said in (
        (("--symbols", "BTCUSDT", *DAY), "of which exchange is BTCUSDT?"),
        (("--exchange", "binance-futures", *DAY), "name what to download with --symbols"),
        (("--exchange", "binance-futures", "--symbols", "BTCUSDT"), "name the days"),
    ):
        code, _, err = call(*words, "c", *missing)
        assert (code, said in err) == (2, True), err
    monkeypatch.setenv("TARDIS_API_KEY", KEY)
    code, found = document(call, *words, "d", "--exchange", "binance-futures", "--symbols", "BTCUSDT", *TWO)
    assert (code, found["symbols"][0]["symbol"]) == (0, "BTCUSDT")
    assert len(server.asked("2024/01/01/BTCUSDT")) == 1


def test_a_run_until_tomorrow_goes_without_the_days_that_are_not_over(
    server: ProviderServer, call: Call, monkeypatch
) -> None:
    monkeypatch.setenv("TARDIS_API_KEY", KEY)
    monkeypatch.setattr("tickreel.ingest.download.plan.time.time_ns", lambda: parse_time("2024-01-02T12:00"))
    server.fail("/exchanges/", faults.status(404), times=9)
    words = ("run", "momentum", "--store", "tape", "--no-jit", "--workers", 1, "--fetch", "--out")
    code, _, err = call(*words, "a", "--exchange", "binance-futures", "--symbols", "BTCUSDT", *TWO)
    assert (code, [one.path for one in server.asked("gz$")]) == (
        0, ["/v1/binance-futures/trades/2024/01/01/BTCUSDT.csv.gz"],
    )  # fmt: skip
    assert "missing: trades BTCUSDT, 2024-01-02: tardis does not have it: its day is not over" in err


def test_a_run_says_what_it_goes_without_and_fails_at_once_where_it_cannot_go(
    server: ProviderServer, call: Call, monkeypatch
) -> None:
    monkeypatch.setenv("TARDIS_API_KEY", KEY)
    words = ("run", "momentum", "--store", "tape", "--no-jit", "--workers", 1, "--fetch", "--out")
    server.fail("2024/01/02/BTCUSDT", faults.status(404))
    code, _, err = call(*words, "a", "--exchange", "binance-futures", "--symbols", "BTCUSDT", *TWO)
    assert code == 0
    assert "the run goes without what tardis does not have: trades BTCUSDT, 2024-01-02\n" in err
    code, out, err = call(*words, "b", "--exchange", "binance-futures", "--symbols", "BTCUSDT,NOPE", *TWO)
    assert (code, out, err.count("goes without")) == (4, "", 0)
    assert (
        "error: there are no trades of binance-futures NOPE in that time, so the run does not begin: " in err
    )
    assert "leave NOPE out of --symbols" in err
    code, found = document(call, *words, "c", "--symbols", "binance-futures:NOPE", *TWO)
    assert (code, found["error"]["type"]) == (4, "MissingError")


def test_the_demo_goes_with_the_symbols_that_are_there(
    server: ProviderServer, call: Call, monkeypatch
) -> None:
    runs: list[tuple[str, ...]] = []

    def run_strategy(strategy: str, store: str, settings: Any, **more: Any) -> Any:
        runs.append(settings.symbols)
        raise UsageError("far enough")

    monkeypatch.setattr("tickreel.cli.running.run_strategy", run_strategy)
    server.fail("LINKUSDT", faults.status(404))
    code, _, err = call("demo", "--real", "--workers", 1)
    assert (code, runs) == (2, [("BTCUSDT", "ETHUSDT")])
    assert "the demo goes without LINKUSDT: tardis does not have it" in err
    server.fail("csv.gz", faults.status(404), times=9)
    code, _, err = call("demo", "--real", "--workers", 1, "--store", "other")
    assert (code, len(runs), "there is nothing to run the demo over: tardis answered 404" in err) == (
        4,
        1,
        True,
    )


@pytest.mark.long
def test_the_demo_over_a_free_day(server: ProviderServer, call: Call) -> None:
    code, found = document(call, "demo", "--real", "--workers", 1, "--out", "a")
    assert (code, found["failed"], len(found["symbols"])) == (0, 0, 3)
    assert Path("tape/tardis/trades/binance-futures/LINKUSDT/2024-01-01.reel").exists()
    server.seen.clear()
    assert call("demo", "--real", "--workers", 1, "--out", "b", "--quiet")[0] == 0
    assert server.seen == []
    assert call("demo", "--real", "--files", ".")[0] == 2
    assert call("demo", "--real", "--seed", 3)[0] == 2


def test_what_is_waited_for_is_told_once_where_no_terminal_is(server: ProviderServer, call: Call) -> None:
    wait = faults.status(429, Retry_After="2")
    for words in ((*WORDS, *DAY), (*RAW, "--from", "2024-01-01", "--to", "2024-01-01T00:03")):
        server.fail("BTCUSDT.csv.gz|data-feeds", wait)
        _, _, err = call(*words)
        found = re.findall(r"waits [23] s, until \d\d:\d\d:\d\d UTC: (.*)", err)
        assert found == ["tardis asks to wait, answered 429"]
    server.fail("data-feeds", wait)
    assert "waits" not in call(*RAW, "--from", "2024-01-01", "--to", "2024-01-01T00:05", "--quiet")[2]


def test_where_nothing_answers_all_give_up_alike(call: Call, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TARDIS_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    for words in ((*WORDS, *DAY), (*RAW, "--from", "2024-01-01", "--to", "2024-01-01T00:03")):
        begun = time.monotonic()
        code, _, err = call(*words)
        assert (code, "at 2 tries" in err) == (4, True), err
        assert time.monotonic() - begun < 8


def test_raw_tells_what_failed_in_order_and_a_line_for_each_reason(
    server: ProviderServer, call: Call
) -> None:
    server.fail("data-feeds", refusing({1: "early", 3: "late", 4: "late"}), times=99)
    code, _, err = call(*RAW, "--from", "2024-01-01", "--to", "2024-01-01T00:06", "--parallel", 9)
    lines = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert code == 4
    assert [line.partition(": tardis")[0] for line in lines] == [
        "failed: 1 minute from 2024-01-01T00:01:00Z", "failed: 2 minutes from 2024-01-01T00:03:00Z to 2024-01-01T00:04:00Z",
    ]  # fmt: skip


def refusing(minutes: dict[int, str]) -> faults.Fault:
    """Refuse some minutes of data-feeds, each in its words; the others come one by one."""

    async def fault(request: Any, handler: faults.Handler) -> Any:
        if said := minutes.get(int(request.query["offset"])):
            return await faults.status(403, f'{{"message": "{said}"}}')(request, handler)
        return await faults.without("x-suggested-slice-size")(request, handler)

    return fault


@pytest.mark.parametrize("there", [0, 3, 7])
def test_the_bar_of_raw_counts_what_was_there(
    there: int, server: ProviderServer, call: Call, monkeypatch
) -> None:
    at: list[float] = []
    monkeypatch.setattr("tickreel.cli.raw.progress_bars", lambda show: contextlib.nullcontext(Noted(at)))
    for minutes in (there, 7):
        at.clear()
        if minutes:
            assert call(*RAW, "--from", "2024-01-01", "--to", f"2024-01-01T00:0{minutes}")[0] == 0
    assert at[0] == 7
    assert at[-1] == 7
    assert at[1:] == sorted(at[1:])
    assert there == 7 or min(at[1:]) == there + 1


class Noted:
    """Bars that write down their total, and then how far they are."""

    def __init__(self, at: list[float]) -> None:
        self._at = at

    def begin(self, name: str, total: float, *, unit: str = "") -> None:
        self._at.append(total)

    def at(self, name: str, done: float, *, unit: str = "") -> None:
        self._at.append(done)

    def end(self, name: str) -> None:
        self._at.append(self._at[0])

    def waits(self, wait: Any) -> None: ...


RAW = ("raw", "--exchange", "binance", "--channels", "trade", "--cache", "cache")


def test_raw_feeds_are_fetched_once(server: ProviderServer, call: Call) -> None:
    words = ("raw", "--exchange", "binance", "--channels", "trade", "--cache", "cache")
    code, _, err = call(*words, "--from", "2024-01-01", "--to", "2024-01-01T00:07")
    assert (code, "7 minutes: 0 there already, 7 fetched" in err) == (0, True)
    code, found = document(call, *words, "--from", "2024-01-01", "--to", "2024-01-01T00:07")
    assert (code, found["there"], found["fetched"]) == (0, 7, 0)
    code, _, err = call(*words, "--from", "2024-01-02", "--to", "2024-01-02T00:02")
    assert (code, err.count("failed: ")) == (4, 1)
    assert "failed: 2 minutes from 2024-01-02T00:00:00Z to 2024-01-02T00:01:00Z: tardis answered 401" in err
    assert call(*words, "--from", "2024-01-02", "--to", "2024-01-02")[0] == 2


# The canary (RELIABILITY 19)


def test_a_key_is_nowhere_but_in_its_header(
    server: ProviderServer, call: Call, tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every command, good and refused, with every fault that can repeat what it got."""
    caplog.set_level(logging.DEBUG)
    for name in ("TARDIS_API_KEY", "HOLYSHEEP_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    said = []
    echo = faults.status(403, f'{{"message": "no {CANARY} today"}}')
    redirect = faults.redirect(f"http://127.0.0.1:1/{CANARY}")
    broken = faults.raw(f"HTTP/1.1 {CANARY} x\r\n\r\n".encode())
    for known in (False, True):
        if known:
            server.keys[CANARY] = ("2000-01-01", "2100-01-01")
        for fault in (None, echo, redirect, broken, faults.status(500, CANARY)):
            for words in (
                ("provider", "list"), ("provider", "show", "tardis"), ("provider", "test", "tardis"),
                ("provider", "test", "holysheep"), (*WORDS, *TWO), (*WORDS, *TWO, "--json"),
                ("raw", "--exchange", "x", "--channels", "trade", "--from", "2024-01-02", "--to", "2024-01-02T00:02", "--cache", "c"),
            ):  # fmt: skip
                server.heal()
                if fault:
                    server.fail("", fault, times=99)
                said += call(*words)[1:]
    del server.keys[CANARY]
    assert len(said) == 140
    assert any("[key]" in text for text in said)
    assert all(CANARY not in text for text in said)
    assert CANARY not in caplog.text
    for path in tmp_path.rglob("*"):
        assert CANARY not in str(path)
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
    headers = [one.headers.get("Authorization", "") for one in server.seen]
    assert f"Bearer {CANARY}" in headers
    assert all(CANARY not in one.path + str(one.query) for one in server.seen if "/v1/" in one.path)
    assert all(
        CANARY not in text
        for one in server.seen
        for name, text in one.headers.items()
        if name != "Authorization"
    )


def test_a_key_is_in_no_command_line_and_no_traceback(server: ProviderServer) -> None:
    code = (
        "import tickreel.config.keys as keys, sys\n"
        "from tickreel.config import load_profile, find_key\n"
        "key = find_key(load_profile('tardis').profile)\n"
        "raise RuntimeError(key, [key], {'k': key}, f'{key}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TARDIS_API_KEY": CANARY},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Key(environment TARDIS_API_KEY)" in done.stderr
    assert CANARY not in done.stdout + done.stderr
