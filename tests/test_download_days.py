"""Which days are asked for, which are taken as whole, and how those that are not there are told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from import_sample import dataset, put, trade, trades
from journal_sample import START as RECORDED_NS
from provider_server import KEY, ProviderServer, faults
from tickreel.cli.app import run
from tickreel.errors import UsageError
from tickreel.ingest.download import plan
from tickreel.ingest.download.days import DownloadSummary, download
from tickreel.ingest.download.job import DownloadSettings
from tickreel.ingest.download.plan import Wanted
from tickreel.ingest.record.seal import seal_day
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, parse_time

START_NS = parse_time("2024-01-01")
DAYS = [day_of(START_NS + n * NS_PER_DAY) for n in range(3)]
RELAY, MACHINE = "holysheep", "tardis-machine"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a symbol, some trades each, and nothing of any other."""
    root = tmp_path_factory.mktemp("files")
    for number, day in enumerate(DAYS):
        rows = [trade(number * 86_400_000_000 + 7_000_000 * n, price=100 + n) for n in range(1, 30)]
        put(dataset(root, day), trades(*rows))
    return root


@pytest.fixture(scope="module")
def running(files: Path) -> Iterator[ProviderServer]:
    with ProviderServer([files]) as server:
        yield server


@pytest.fixture
def server(running: ProviderServer) -> ProviderServer:
    return running.renew()


def environment_of(server: ProviderServer, folder: Path) -> dict[str, str]:
    """Return the variables that make all providers the server, with keys and no limit of calls."""
    found = {**server.hurried(folder), "HOLYSHEEP_API_KEY": KEY, "TARDIS_API_KEY": KEY}
    path = Path(found["TICKREEL_CONFIG"])
    path.write_text(
        path.read_text().replace("[holysheep.limits]", "[holysheep.limits]\ncalls_per_minute = 0")
    )
    return found


def get(
    server: ProviderServer,
    store: Path,
    provider: str = "tardis",
    symbols: tuple[str, ...] = ("BTCUSDT",),
    days: int = 3,
    **settings: Any,
) -> DownloadSummary:
    asked = Wanted("binance", ("trades",), symbols, START_NS, START_NS + days * NS_PER_DAY)
    chosen = DownloadSettings(provider, workers=1, **settings)
    return download(Store(store), asked, chosen, environment=environment_of(server, store.parent))


def counted(summary: DownloadSummary) -> dict[str, int]:
    return {state: count for state, count in summary.counts.items() if count}


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run a command line; return its exit code, standard output and error."""
    capsys.readouterr()
    code = run([*map(str, words)])
    return (code, *capsys.readouterr())


# Days that are not over


@pytest.mark.parametrize("provider", ["tardis", RELAY, MACHINE])
def test_a_day_is_whole_ten_minutes_after_its_end_where_nobody_says_when_it_is(
    provider: str, server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fail("/exchanges/", faults.status(404), times=9)
    for seconds, whole in ((-1, 1), (599, 1), (600, 2)):
        now_ns = START_NS + 2 * NS_PER_DAY + seconds * NS_PER_S
        monkeypatch.setattr(plan.time, "time_ns", lambda now_ns=now_ns: now_ns)
        place = tmp_path / str(seconds)
        place.mkdir()
        summary = get(server, place / "a", provider)
        assert counted(summary) == {"imported": whole, "missing": 3 - whole}
        assert summary.exit_code == 0
        assert summary.days[2].error == (
            f"{provider} does not have it: its day is not over: ask when it has been for 10 minutes"
        )
    # Asked for again next time, and there then.
    monkeypatch.undo()
    assert counted(get(server, tmp_path / "-1" / "a", provider)) == {"there": 1, "imported": 2}


def test_a_provider_that_says_what_is_exported_is_believed_whatever_the_clock_here_says(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan.time, "time_ns", lambda: START_NS)
    assert counted(get(server, tmp_path / "a")) == {"imported": 3}


# Days that are too early or too late


def test_days_that_a_provider_does_not_have_are_told_in_a_line_for_each_reason(
    server: ProviderServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment_of(server, tmp_path).items():
        monkeypatch.setenv(name, value)
    symbol = {"id": "BTCUSDT", "dataTypes": ["trades"], "availableSince": DAYS[1], "availableTo": DAYS[1]}
    sets = {"exportedUntil": "2024-01-10T00:00:00Z", "symbols": [symbol]}
    server.fail("/exchanges/", faults.body(json.dumps({"datasets": sets}).encode()))
    words = [
        "download",
        "--exchange",
        "binance",
        "--symbols",
        "BTCUSDT",
        "--store",
        tmp_path / "a",
        "--workers",
        1,
    ]
    code, _, err = call(capsys, *words, "--from", "2019-03-30", "--to", "2030-01-01")
    assert code == 0
    lines = [line for line in err.splitlines() if line.startswith("missing: ")]
    assert [line.partition(":")[2].partition(": ")[0].strip() for line in lines] == [
        "trades BTCUSDT, 1,739 days from 2019-03-30 to 2024-01-01",
        "trades BTCUSDT, 7 days from 2024-01-03 to 2024-01-09",
        "trades BTCUSDT, 2,183 days from 2024-01-10 to 2029-12-31",
    ]
    assert "before its first day, 2024-01-02" in lines[0]
    server.fail("BTCUSDT.csv.gz", *(faults.status(404, "no such day") for _ in DAYS))
    code, _, err = call(capsys, *words[:-3], tmp_path / "b", "--from", DAYS[0], "--to", DAYS[2])
    assert (code, err.count("missing: ")) == (4, 1)


@pytest.mark.parametrize(
    ("provider", "start", "end", "said"),
    [
        ("tardis", "0024-01-01", "2024-01-01", "days of 2009-01-03 to 2100-01-01 can be asked for; Tardis' history begins"),
        ("tardis", "1900-01-01", "2024-01-01", "days of 2009-01-03"),
        ("tardis", "2024-01-01", "2240-01-02", "days of 2009-01-03"),
        ("tardis", "2019-03-29", "2024-01-01", "--from 2019-03-29: Tardis' history begins 2019-03-30"),
        (MACHINE, "2018-01-01", "2024-01-01", "begins 2019-03-30; ask for days from then on"),
        (RELAY, "2008-01-01", "2024-01-01", "days of 2009-01-03"),
    ],
)  # fmt: skip
def test_years_that_nobody_has_are_refused_at_once(
    provider: str, start: str, end: str, said: str, server: ProviderServer, tmp_path: Path
) -> None:
    asked = Wanted("binance", ("trades",), ("BTCUSDT",), parse_time(start), parse_time(end))
    with pytest.raises(UsageError, match=said):
        download(
            Store(tmp_path / "a"),
            asked,
            DownloadSettings(provider),
            environment=environment_of(server, tmp_path),
        )
    assert server.seen == []


# Names that are no symbols


@pytest.mark.parametrize("provider", [RELAY, MACHINE])
def test_days_without_rows_of_an_unknown_symbol_are_missing_and_leave_nothing(
    provider: str, server: ProviderServer, tmp_path: Path
) -> None:
    place, kept = tmp_path / "a", tmp_path / "kept"
    for _ in range(2):
        server.seen.clear()
        summary = get(server, place, provider, ("NOPE",), keep_files=kept)
        assert (counted(summary), summary.exit_code) == ({"missing": 3}, 4)
        assert {day.error for day in summary.days} == {"NOPE has no rows on any day: is the symbol right?"}
        assert len(server.seen) >= 3
        assert not list(Store(place).find())
        assert not list(tmp_path.rglob("*.gz*"))
    # Beside one that exists it does not fail the others.
    summary = get(server, place, provider, ("NOPE", "BTCUSDT"))
    assert (counted(summary), summary.exit_code) == ({"imported": 3, "missing": 3}, 0)
    assert not list((place / ".downloads").rglob("*.gz*"))


@pytest.mark.parametrize("provider", [RELAY, MACHINE])
def test_days_without_rows_of_a_known_symbol_are_kept_as_such(
    provider: str, server: ProviderServer, tmp_path: Path
) -> None:
    """Known by a day that comes with them, in either order, by the store, and by what a killed download left."""
    for store, days in (("a", 9), ("b", 3)):
        summary = get(
            server, tmp_path / store, provider, ("btcusdt",) if provider == MACHINE else ("BTCUSDT",), days
        )
        assert counted(summary) == {"imported": 3} | ({"empty": 6} if days == 9 else {})
    assert counted(get(server, tmp_path / "b", provider, days=9)) == {"there": 3, "empty": 6}
    get(server, tmp_path / "c", provider, days=9, keep_files=tmp_path / "kept")
    server.seen.clear()
    assert counted(get(server, tmp_path / "d", provider, days=9, keep_files=tmp_path / "kept")) == {
        "imported": 3, "empty": 6,
    }  # fmt: skip
    assert server.seen == []


# Files that are kept


def test_files_that_one_provider_brought_are_never_taken_for_anothers(
    server: ProviderServer, tmp_path: Path
) -> None:
    """A relay's days are others than Tardis': of exchange time, without local times."""
    path = tmp_path / "providers.toml"
    mirror = '[mirror]\nlike = "tardis"\n'
    kept = tmp_path / "kept"
    for number, provider in enumerate(("tardis", RELAY, MACHINE, "mirror")):
        environment = environment_of(server, tmp_path) | {
            "MIRROR_API_KEY": KEY,
            "MIRROR_BASE_URL": server.url,
        }
        path.write_text(path.read_text() + mirror)
        asked = Wanted("binance", ("trades",), ("BTCUSDT",), START_NS, START_NS + NS_PER_DAY)
        for place in ("a", "b"):
            server.seen.clear()
            settings = DownloadSettings(provider, keep_files=kept, workers=1)
            summary = download(Store(tmp_path / place), asked, settings, environment=environment)
            assert counted(summary) == {"imported": 1}
            fetched = [one.path for one in server.seen if "exchanges" not in one.path]
            assert bool(fetched) == (place == "a"), provider
        assert len(list(kept.rglob("*.csv.gz"))) == number + 1
    name = f"binance_trades_{DAYS[0]}_BTCUSDT.csv.gz"
    assert sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*.gz")) == sorted(
        [name, *(f"{provider}/{name}" for provider in (RELAY, MACHINE, "mirror"))]
    )
    (key,) = Store(tmp_path / "b").find(feed=RELAY)
    assert not Store(tmp_path / "b").open(key).record.has_local


# Days that were recorded


def record_day(recorder: Any, place: Path, *times_ns: int) -> Path:
    """Record a day, seal it as far as it is, and return the folder of its journal."""
    run = recorder(RECORDED_NS)
    run.hear(*times_ns)
    run.feed.stop()
    run.feed.seal()
    return Path(place, ".journal", MACHINE, day_of(RECORDED_NS))


def test_a_recorded_day_is_there_and_never_fetched(
    recorder: Any, server: ProviderServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, with gaps, or not sealed for good: what history has would be in its way."""
    asked = Wanted("binance", ("trades",), ("btcusdt",), RECORDED_NS, RECORDED_NS + NS_PER_DAY)
    gone = {"TARDIS_MACHINE_BASE_URL": "http://127.0.0.1:9", "XDG_CONFIG_HOME": "/nowhere"}
    heard = record_day(recorder, place, *(RECORDED_NS + n * 600 * NS_PER_S for n in range(144)))
    for lacks in ("it is recorded, and not sealed for good yet", ""):
        (day,) = download(Store(place), asked, DownloadSettings(MACHINE), environment=gone).days
        assert (day.state, day.lacks) == ("there", lacks)
        if lacks:
            seal_day(Store(place), MACHINE, heard, final=True, isolate=False, workers=1)
    for name, value in gone.items():
        monkeypatch.setenv(name, value)
    words = ["--exchange", "binance", "--symbols", "BTCUSDT", "--from", "2024-03-01", "--to", "2024-03-02"]
    words += ["--store", str(place), "--workers", "1"]
    assert run(["run", "momentum", "--fetch", "--no-jit", *words, "--out", str(place / "run")]) == 0
    # Books of a machine are not downloaded, but those that were recorded are there.
    books = Wanted("binance", ("incremental_book_L2",), ("BTCUSDT",), RECORDED_NS, RECORDED_NS + NS_PER_DAY)
    with pytest.raises(UsageError, match="of a tardis-machine's history days of trades"):
        download(Store(place), books, DownloadSettings(MACHINE), environment=gone)
    monkeypatch.setattr(plan, "is_covered", lambda *about: True)
    assert counted(download(Store(place), books, DownloadSettings(MACHINE), environment=gone)) == {"there": 1}


def test_a_recorded_day_with_gaps_says_so(
    recorder: Any, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = record_day(recorder, place, RECORDED_NS + NS_PER_S, RECORDED_NS + NS_PER_DAY - NS_PER_S)
    seal_day(Store(place), MACHINE, heard, final=True, isolate=False, workers=1)
    words = ["download", "--provider", MACHINE, "--exchange", "binance", "--symbols", "BTCUSDT"]
    words += ["--from", "2024-03-01", "--to", "2024-03-02", "--store", str(place)]
    code, _, err = call(capsys, *words)
    assert code == 0
    assert "there already: trades BTCUSDT, 2024-03-01: it was recorded, with 1 gap that is not filled" in err
    code, out, _ = call(capsys, *words, "--json")
    (day,) = json.loads(out)["days"]
    assert (day["state"], day["lacks"]) == ("there", "it was recorded, with 1 gap that is not filled")
