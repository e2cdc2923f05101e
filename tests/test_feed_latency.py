"""Runs over rows without local times: each is seen so long after its exchange time as was declared."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tickreel
from counts import SOAK
from engine_runs import run_twin
from engine_strategies import Wild
from feed_sample import put_trades
from import_sample import DAY, START_US, TRADES, dataset, fast_folder, put, take, trade, trades
from test_books import HEADER, TYPE, long_days
from test_runs import output_bytes
from test_runs_books import TRADES as TAPE
from test_runs_books import Slow
from tickreel.errors import UsageError
from tickreel.ingest.files.check import check_store
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.runs.backtest import run_backtest
from tickreel.runs.result import RunResult
from tickreel.runs.settings import RunSettings, read_toml, shown
from tickreel.runs.sweep import run_sweep
from tickreel.simulate.account import AccountSettings
from tickreel.store.catalog import Store
from tickreel.strategies.load import find, reference
from tickreel.units import NS_PER_DAY, NS_PER_S, day_start
from twin_engine import TwinTrade


class Wilder(Wild):
    """Wild with a timer that an hour has time for."""

    timer = "100ms"


MOMENTUM = find("momentum")
MIDNIGHT = day_start("2024-01-02")


def outputs(result: RunResult) -> dict[str, bytes]:
    """Return orders, fills, postings and equity byte for byte, and the metrics without the settings."""
    found = output_bytes(result)
    metrics = json.loads(found.pop("metrics.json"))
    return found | {"metrics": json.dumps({**metrics, "settings": None}).encode()}


# The same as over rows whose local times are the exchange's and the latency


@st.composite
def tapes(draw: st.DrawFn) -> list[TwinTrade]:
    """Trades in order of exchange time, about midnight, many of equal times."""
    now = MIDNIGHT + draw(st.sampled_from([-NS_PER_S, -50, -7, 0, NS_PER_S]))
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 5, 20, 1_000, NS_PER_S]), min_size=1, max_size=60))
    price, found = 10_000, []
    for number, step in enumerate(steps):
        now += step
        price += (7 * number * number) % 61 - 30
        found.append(TwinTrade(price / 100, 1 + number % 5, (number % 3) - 1, now, 0))
    return found


@settings(max_examples=1_000 if SOAK else 25, deadline=None)
@given(
    tape=tapes(),
    lag_ns=st.sampled_from([0, 1, 7, 60, NS_PER_S, 3 * 3_600 * NS_PER_S]),
    range_ns=st.tuples(*[st.sampled_from([None, -NS_PER_S, -20, 0, 3, NS_PER_S])] * 2),
    block_rows=st.sampled_from([1, 7, 64]),
    how=st.sampled_from([{}, {"batch_rows": 1}, {"batch_rows": 9}, {"jit": False}]),
    strategy=st.sampled_from([Wilder, "momentum"]),
)
@example([TwinTrade(1.0, 1.0, 1, MIDNIGHT - 7, 0)] * 3, 60, (0, None), 1, {}, Wilder)
def test_a_run_is_that_over_rows_that_arrived_so_late(
    tape: list[TwinTrade], lag_ns: int, range_ns: tuple, block_rows: int, how: dict, strategy: Any
) -> None:
    from_ns, to_ns = (None if ns is None else MIDNIGHT + ns for ns in range_ns)
    seen = [one._replace(local_ns=one.exchange_ns + lag_ns) for one in tape]
    wanted = [
        one
        for one in seen
        if (from_ns is None or one.local_ns >= from_ns) and (to_ns is None or one.local_ns < to_ns)
    ]
    if not wanted or (from_ns is not None and to_ns is not None and from_ns >= to_ns):
        return
    parameters = {"seed": 3, "busy": 0.5} if strategy is Wilder else {"threshold": 0.001}
    asked = RunSettings(
        from_ns=from_ns,
        to_ns=to_ns,
        latency_ns=5,
        every_ns=3_600 * NS_PER_S,
        workers=1,
        parameters=parameters,
        **how,
    )
    ref = reference(strategy)
    with fast_folder() as folder:
        relay, tardis = Store(folder / "relay"), Store(folder / "tardis")
        put_trades(relay, "relay", tape, local=False, block_rows=block_rows)
        put_trades(tardis, "tardis", seen, local=True)
        found = run_backtest(relay, ref, replace(asked, feed_latency_ns=lag_ns), out=folder / "a")
        same = run_backtest(tardis, ref, replace(asked, batch_rows=None, jit=True), out=folder / "b")
        assert not found.failed
        assert outputs(found) == outputs(same)
        (mine,), (theirs,) = found.record.symbols, same.record.symbols
        assert (mine.summary, mine.range_ns) == (theirs.summary, theirs.range_ns)
        if strategy is Wilder:
            check_against_twin(found, parameters, wanted, lag_ns)


def check_against_twin(found: RunResult, parameters: dict, wanted: list[TwinTrade], lag_ns: int) -> None:
    """Compare with the twin, which gets the rows without local times."""
    account = AccountSettings(latency_ns=5)
    rows = [one._replace(local_ns=-1) for one in wanted]
    written, _ = run_twin(Wilder, parameters, account, [0], rows, feed_latency_ns=lag_ns)
    for type in ("orders", "fills", "postings"):
        columns = getattr(found, type)("BTCUSDT")
        for name, values in columns.items():
            assert values.tobytes() == getattr(written, type)[name].tobytes(), (type, name)
    assert found.record.symbols[0].summary["last_ns"] == written.summary.last_ns


# However wide, and in whatever pieces


@pytest.fixture(scope="module")
def relay_files(market_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up market as a relay gives it: without local times, with fees."""
    root = tmp_path_factory.mktemp("relay")
    for file in market_files.rglob("*.csv*"):
        lines = gzip.decompress(file.read_bytes()).decode().splitlines()
        header, *rows = [",".join([*cells[:3], *cells[4:]]) for cells in (line.split(",") for line in lines)]
        text = [f"{header},fee", *(f"{row},{'' if number % 3 else -0.25}" for number, row in enumerate(rows))]
        put(root / file.relative_to(market_files), "\n".join([*text, ""]).encode())
    return root


@pytest.fixture(scope="module")
def relay(relay_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("relay") / "tape")
    assert not import_files(store, [str(relay_files)], ImportSettings(feed="relay", workers=2)).failed
    return store


ASKED = RunSettings(workers=1, feed_latency_ns=40_000_000, latency_ns=5_000_000)


@pytest.fixture(scope="module")
def wanted(relay: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    result = run_backtest(relay, MOMENTUM, ASKED, out=tmp_path_factory.mktemp("runs") / "wanted")
    assert result.metrics.fills > 0
    return output_bytes(result)


@pytest.mark.parametrize("how", [{"workers": 2}, {"batch_rows": 97}, {"jit": False}], ids=str)
def test_the_same_bytes_in_any_way(relay: Store, wanted: dict, how: dict, tmp_path: Path) -> None:
    found = run_backtest(relay, MOMENTUM, replace(ASKED, **how), out=tmp_path / "run")
    assert output_bytes(found) == wanted


def test_the_same_bytes_from_any_blocks(relay_files: Path, wanted: dict, tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    import_files(store, [str(relay_files)], ImportSettings(feed="relay", workers=1, block_rows=513))
    assert output_bytes(run_backtest(store, MOMENTUM, ASKED, out=tmp_path / "run")) == wanted


def test_every_set_of_a_sweep_is_what_its_run_is(relay: Store) -> None:
    axes = {"threshold": [0.0005, 0.001], "fraction": 0.5}
    found = run_sweep(relay, MOMENTUM, replace(ASKED, parameters=axes))
    for one in found.sets:
        assert one.metrics == run_backtest(relay, MOMENTUM, replace(ASKED, parameters=one.parameters)).metrics
    assert "exchange + feed latency of 40ms" in repr(found)


def test_order_books_without_local_times(tmp_path: Path) -> None:
    """Trades and books of one clock: the same as if both had arrived so late."""
    lag_us = 3
    book = [row for row in long_days(900) if row.local_ns < (START_US + 10_000) * 1_000]
    for feed, late in (("relay", None), ("tardis", lag_us)):
        local = {} if late is None else {"local_timestamp": True}
        lines = []
        for us, price, amount in TAPE:
            times = {"timestamp": START_US + us, "local_timestamp": START_US + us + late if local else None}
            lines.append(trade(us, price=price, amount=amount, **times))
        put(dataset(tmp_path / feed), trades(*lines, shape=TRADES.shape(local=bool(local))))
        text = HEADER if local else HEADER.replace(b"local_timestamp,", b"")
        for row in book:
            us = row.local_ns // 1_000
            times = f"{us},{us + late}" if local else f"{us}"
            text += f"binance,BTCUSDT,{times},{str(row.is_snapshot).lower()},{row.side},{row.price},{row.amount}\n".encode()
        put(tmp_path / feed / f"binance_{TYPE}_{DAY}_BTCUSDT.csv.gz", text)
        assert take(tmp_path / "tape", tmp_path / feed, feed=feed, block_rows=32).exit_code == 0
    start = "2024-01-01T00:00:00.002"
    given = {
        "store": tmp_path / "tape", "workers": 1, "latency": "3us", "seed": 3, "busy": 0.3, "start": start,
    }  # fmt: skip
    one = tickreel.backtest(Slow, **given, feed="relay", feed_latency=f"{lag_us}us", out=tmp_path / "a")
    other = tickreel.backtest(Slow, **given, feed="tardis", out=tmp_path / "b")
    assert outputs(one) == outputs(other)
    assert one.metrics.fills > 20
    asked = {
        "store": tmp_path / "tape",
        "workers": 1,
        "feed": "relay",
        "feed_latency": f"{lag_us}us",
        "start": start,
    }
    (found,) = tickreel.sweep(Slow, {"seed": 3, "busy": 0.3}, latency="3us", **asked).sets
    assert found.metrics == one.metrics
    assert (
        check_store(Store(tmp_path / "tape"), list(Store(tmp_path / "tape").find()), workers=1)["problems"]
        == []
    )
    at = tickreel.open_store(tmp_path / "tape", feed="relay").book("BTCUSDT", start)
    late = tickreel.open_store(tmp_path / "tape", feed="tardis").book("BTCUSDT", "2024-01-01T00:00:00.002003")
    assert (at.bids.price.tolist(), at.last_ns + 3_000) == (late.bids.price.tolist(), late.last_ns)


# Refused


@pytest.fixture
def both(tmp_path: Path) -> Store:
    """A store of two feeds, and one, `mixed`, with a day of each kind."""
    store = Store(tmp_path / "tape")
    tape = [TwinTrade(100.0, 1.0, 1, MIDNIGHT + n * NS_PER_S, MIDNIGHT + n * NS_PER_S) for n in range(5)]
    put_trades(store, "mixed", [one._replace(local_ns=one.local_ns + NS_PER_DAY) for one in tape], local=True)
    put_trades(store, "mixed", tape, local=False)
    put_trades(store, "relay", tape, local=False)
    put_trades(store, "tardis", tape, local=True)
    return store


def test_a_run_that_contradicts_its_rows_is_refused(both: Store) -> None:
    needs = (
        "binance:BTCUSDT: rows of relay/trades have no local times, so nothing says when a strategy would have seen"
        ' them; declare how long after its exchange time each arrives: --feed-latency 50ms (in Python feed_latency="50ms")'
    )
    with pytest.raises(UsageError, match=re.escape(needs)):
        tickreel.backtest("momentum", store=both.root, feed="relay")
    with pytest.raises(UsageError, match=re.escape(needs)):
        tickreel.sweep("momentum", {"threshold": [0.1, 0.2]}, store=both.root, feed="relay")
    has = r"rows of tardis/trades have local times, which say when each arrived: --feed-latency 0 contradicts them"
    with pytest.raises(UsageError, match=has):
        tickreel.backtest("momentum", store=both.root, feed="tardis", feed_latency=0)
    for latency in (None, "5ms"):
        with pytest.raises(
            UsageError, match=r"have local times on 2024-01-03 and none on 2024-01-02, and a run has"
        ):
            tickreel.backtest("momentum", store=both.root, feed="mixed", feed_latency=latency)
    apart = tickreel.backtest("momentum", store=both.root, feed="mixed", start="2024-01-03", workers=1)
    assert apart.trades == 5


@pytest.mark.parametrize(
    ("latency", "text"), [("-1s", "feed_latency"), (-1, "feed_latency"), ("1d", "less than a day"), ("x", "feed_latency")]
)  # fmt: skip
def test_a_latency_that_cannot_be_is_refused(both: Store, latency: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        tickreel.backtest("momentum", store=both.root, feed="relay", feed_latency=latency)


# What is said of it


def test_the_latency_is_in_all_that_a_run_leaves(
    both: Store, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from tickreel.cli.app import run

    words = [
        "momentum",
        "--store",
        str(both.root),
        "--feed",
        "relay",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "run"),
    ]
    assert run(["run", *words]) == 2
    assert "--feed-latency 50ms" in capsys.readouterr().err
    assert run(["run", *words, "--feed-latency", "250ms"]) == 0
    assert "exchange + feed latency of 250ms: the rows have no local times" in capsys.readouterr().out
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert settings["feed_latency_ns"] == 250_000_000
    assert settings["from_ns"] == MIDNIGHT + 250_000_000
    assert "exchange + feed latency of 250ms" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert shown(settings | {"feed_latency_ns": None})["clock"] == "local"
    assert "Clock: exchange + feed latency of 250ms" in RunResult.open(tmp_path / "run")._repr_html_()
    (symbol,) = RunResult.open(tmp_path / "run").record.symbols
    assert (symbol.days, symbol.missing_days) == (1, [])


def test_a_file_of_settings_has_it(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('feed_latency = "5ms"\n')
    assert read_toml(file)[2].feed_latency_ns == 5_000_000


def test_the_line_that_runs_a_set_has_it(both: Store) -> None:
    found = tickreel.sweep(
        "momentum", {"threshold": [0.1, 0.2]}, store=both.root, feed="relay", feed_latency="7ms", workers=1
    )
    assert "feed_latency='7ms'" in found.view()["one_set"].begin


def test_days_are_those_of_the_files(tmp_path: Path) -> None:
    """Rows of the last moments of a day are seen on the next: that one is not missing, nor is the one before."""
    store = Store(tmp_path / "tape")
    tape = [TwinTrade(100.0, 1.0, 1, MIDNIGHT + NS_PER_DAY - n, 0) for n in (NS_PER_S, 5, 1)]
    put_trades(store, "relay", tape, local=False)
    for start in (None, "2024-01-02"):
        found = tickreel.backtest("momentum", store=store.root, feed_latency="1s", start=start, workers=1)
        (symbol,) = found.record.symbols
        assert (symbol.days, symbol.missing_days, found.trades) == (1, [], 3)
    found = tickreel.backtest("momentum", store=store.root, feed_latency="1s", start="2024-01-03", workers=1)
    assert found.trades == 3
