"""Runs: the same bytes however wide and in whatever pieces, failures that stop no other, the run folder."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tickreel
from tickreel.errors import InputError, StrategyError, UsageError
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.runs.backtest import run_backtest
from tickreel.runs.result import RunResult
from tickreel.runs.settings import RunSettings, merged, read_toml
from tickreel.runs.task import OUTPUTS
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment
from tickreel.strategies.load import find

MOMENTUM = find("momentum")


def output_bytes(result: RunResult) -> dict[str, bytes]:
    """Return what a run's result is: orders, fills, postings, equity and metrics, byte for byte."""
    files = [path for type in OUTPUTS for path in sorted((result.path / type).rglob("*.reel"))]
    files.append(result.path / "metrics.json")
    return {str(path.relative_to(result.path)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def reference(market_store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("runs") / "reference"
    return output_bytes(run_backtest(market_store, MOMENTUM, RunSettings(workers=1), out=out))


@pytest.mark.parametrize("workers", [2, 7])
def test_any_number_of_workers_gives_the_same_bytes(market_store, reference, tmp_path, workers) -> None:
    result = run_backtest(market_store, MOMENTUM, RunSettings(workers=workers), out=tmp_path / "run")
    assert output_bytes(result) == reference
    assert result.metrics.fills > 0


@pytest.mark.parametrize("rows", [1, 97])
def test_any_batch_size_gives_the_same_bytes(market_store, reference, tmp_path, rows) -> None:
    settings = RunSettings(workers=1, batch_rows=rows)
    assert output_bytes(run_backtest(market_store, MOMENTUM, settings, out=tmp_path / "run")) == reference


def test_any_block_size_of_the_store_gives_the_same_results(market_files, reference, tmp_path) -> None:
    store = Store(tmp_path / "tape")
    import_files(store, [str(market_files)], ImportSettings(workers=1, block_rows=513))
    result = run_backtest(store, MOMENTUM, RunSettings(workers=1), out=tmp_path / "run")
    assert output_bytes(result) == reference


def test_plain_python_gives_the_same_bytes(market_store, reference, tmp_path) -> None:
    result = run_backtest(market_store, MOMENTUM, RunSettings(workers=1, jit=False), out=tmp_path / "run")
    assert output_bytes(result) == reference


def test_a_symbol_that_fails_stops_no_other(market_store: Store, tmp_path: Path) -> None:
    """A strategy that sends orders without end fails on the symbol whose price makes it do so."""
    file = tmp_path / "flood.py"
    file.write_text(
        "from tickreel import Strategy\n"
        "class Flood(Strategy):\n"
        "    def on_trade(self, trade, ctx):\n"
        "        if trade.price > 10000.0:\n"
        "            while ctx.open_orders < 100 and ctx.buy(1e-9) > 0:\n"
        "                pass\n"
    )
    result = tickreel.backtest(f"{file}:Flood", store=market_store.root, workers=2, out=tmp_path / "run")
    assert list(result.failed) == ["binance-futures:BTCUSDT"]
    error, traceback = result.failed["binance-futures:BTCUSDT"]
    assert "more than 64 orders open" in error
    assert "Traceback" in traceback
    assert sorted(result.symbols) == ["binance-futures:ETHUSDT", "binance-futures:LINKUSDT"]
    assert "more than 64 orders open" in (tmp_path / "run" / "report.html").read_text("utf-8")
    with pytest.raises(tickreel.TickreelError, match="more than 64"):
        result.raise_failed()


def test_a_run_in_which_all_failed_says_so(market_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "beyond.py"
    file.write_text(
        "from tickreel import StateArray, Strategy\n"
        "class Beyond(Strategy):\n"
        "    window = StateArray(3)\n"
        "    def on_trade(self, trade, ctx):\n"
        "        self.window[-4] = 1.0\n"
    )
    result = tickreel.backtest(
        f"{file}:Beyond", store=market_store.root, symbols="ETHUSDT", workers=1, jit=False
    )
    assert "an index of a StateArray lies outside of it" in result.failed["binance-futures:ETHUSDT"][0]
    assert "left out of all sums" in repr(result).replace("\n", " ")
    with pytest.raises(UsageError, match="'ETHUSDT' failed; all of them failed"):
        result.equity("ETHUSDT")


def test_a_damaged_segment_fails_its_symbol_alone(market_files: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "tape")
    import_files(store, [str(market_files)], ImportSettings(workers=1))
    (victim,) = store.find(
        symbol="ETHUSDT", from_ns=1_704_153_600_000_000_000, to_ns=1_704_240_000_000_000_000
    )
    path = store.path(victim)
    data = bytearray(path.read_bytes())
    price = Segment.open(path).footer.chunks[0, RECORD_TYPES["trades"].names.index("price")]
    data[int(price["offset"]) + 20] ^= 1
    path.write_bytes(data)
    result = run_backtest(store, MOMENTUM, RunSettings(workers=2), out=tmp_path / "run")
    assert list(result.failed) == ["binance-futures:ETHUSDT"]
    assert str(path) in result.failed["binance-futures:ETHUSDT"][0]


def test_a_store_that_changes_under_a_run_is_noticed(market_files: Path, tmp_path: Path) -> None:
    from tickreel.scan.plan import Question, plan
    from tickreel.scan.read import StreamReader

    store = Store(tmp_path / "tape")
    import_files(store, [str(market_files)], ImportSettings(workers=1))
    (stream,) = plan(store, Question(symbols=("ETHUSDT",)), opened=True)
    import_files(
        store, [str(market_files)], ImportSettings(workers=1, replace=True, block_rows=100, feed="b")
    )
    first = store.path(stream.slices[0].key)
    os.replace(str(first).replace("/tardis/", "/b/"), first)
    with pytest.raises(tickreel.TickreelError, match="replaced while it was being read"):
        list(StreamReader(store, stream).blocks())


def test_the_run_folder_is_whole_or_absent(market_store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="threshold"):
        tickreel.backtest("momentum", store=market_store.root, out=tmp_path / "a", treshold=1)
    assert list(tmp_path.iterdir()) == []
    result = tickreel.backtest("momentum", store=market_store.root, out=tmp_path / "a", symbols="ETHUSDT")
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {*OUTPUTS, "run.json", "metrics.json", "report.html"}
    with pytest.raises(UsageError, match="already there"):
        tickreel.backtest("momentum", store=market_store.root, out=tmp_path / "a")
    again = RunResult.open(tmp_path / "a")
    assert again.metrics == result.metrics
    run = json.loads((tmp_path / "a" / "run.json").read_text())
    assert run["settings"] == {
        "feed": "tardis", "exchange": None, "symbols": ["binance-futures:ETHUSDT"],
        "from_ns": run["from_ns"], "to_ns": run["to_ns"],
        "capital": 100_000.0, "fee": 0.0004, "latency_ns": 0, "feed_latency_ns": None,
            "allow_short": False, "uncross": False,
        "every_ns": 86_400_000_000_000, "periods": None, "risk_free": 0.0, "instruments": None,
        "set": {"threshold": 0.001, "fraction": 0.95},
    }  # fmt: skip
    shown = result.view()["settings"]
    assert (shown["feed"], shown["fee"]) == ("tardis", "0.0004 of notional")
    assert shown["from"].startswith("2024-01-01T00:00:0")
    assert run["symbols"][0]["data"] == result.record.symbols[0].data


def test_money_adds_up_exactly(market_store: Store) -> None:
    """Postings are integers: their sum is the change of cash, and fees are those of the fills."""
    result = tickreel.backtest("momentum", store=market_store.root, symbols="LINKUSDT")
    postings, fills = result.postings("LINKUSDT"), result.fills("LINKUSDT")
    assert len(fills["price"]) > 2
    assert int(postings["nanos"].sum()) == int(fills["cash_nanos"][-1]) - 100_000 * 10**9
    assert int(postings["nanos"][postings["kind"] == 1].sum()) == -int(fills["fee_nanos"].sum())
    assert (fills["cash_nanos"] >= 0).all()


def test_results_speak_for_themselves(market_store: Store) -> None:
    result = tickreel.backtest("momentum", store=market_store.root)
    assert "Average return" in repr(result)
    assert "LINKUSDT" in repr(result)
    assert "Sharpe: simple returns of 1d (UTC), 365 periods a year, ddof 1, risk-free 0 % a year" in repr(
        result
    )
    assert result._repr_html_().lstrip().startswith("<")
    times, equity = result.equity()
    assert times.dtype == np.int64
    assert len(times) == len(equity) == 4
    assert equity[0] == 300_000.0
    with pytest.raises(UsageError, match="FOO"):
        result.fills("FOO")


def test_values_of_parameters_are_recorded_as_numbers(market_store: Store) -> None:
    settings = RunSettings(symbols=("LINKUSDT",), parameters={"threshold": "0.002"}, jit=False, workers=1)
    assert run_backtest(market_store, MOMENTUM, settings).record.settings["set"] == {
        "threshold": 0.002,
        "fraction": 0.95,
    }


def test_refused_orders_and_days_without_data_are_told(market_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "greedy.py"
    file.write_text(
        "from tickreel import Strategy\nclass Greedy(Strategy):\n    n: int = 0\n"
        "    def on_trade(self, trade, ctx):\n        self.n += 1\n"
        "        if self.n < 4:\n            ctx.buy(1e9)\n"
        "        elif self.n == 4:\n            ctx.sell(1.0)\n"
    )
    result = tickreel.backtest(
        str(file), store=market_store.root, symbols="LINKUSDT", jit=False,
        start="2023-11-10", end="2024-01-04",
    )  # fmt: skip
    refused = {"not enough cash": 3, "short not allowed": 1}
    assert result.document()["symbols"][0]["refused_orders"] == refused
    table = repr(result)
    assert re.search(r"Refused orders +4 +not enough cash \(3\), short not allowed \(1\)", table)
    assert "data on 3 of 55 days; a day without" in table
    page = result.report.read_text("utf-8")
    assert "data on 3 of 55 days" in page
    assert "not enough cash (3)" in page


def test_equity_can_be_sampled_at_any_interval(market_store: Store) -> None:
    result = tickreel.backtest("momentum", store=market_store.root, symbols="LINKUSDT", every="1h")
    times, equity = result.equity("LINKUSDT")
    assert len(times) == 73
    assert set(np.diff(times).tolist()) == {3_600_000_000_000}
    daily = tickreel.backtest("momentum", store=market_store.root, symbols="LINKUSDT").equity("LINKUSDT")[1]
    assert equity[::24].tolist() == daily.tolist()
    assert result.metrics.sharpe is not None


def test_a_range_of_time_is_half_open(market_store: Store) -> None:
    whole = tickreel.backtest("momentum", store=market_store.root, symbols="LINKUSDT")
    split = "2024-01-02T12:34:56.789"
    parts = [
        tickreel.backtest("momentum", store=market_store.root, symbols="LINKUSDT", start=start, end=end)
        for start, end in ((None, split), (split, None))
    ]
    assert sum(part.trades for part in parts) == whole.trades


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capital": 0}, "capital"),
        ({"capital": 5e9}, "capital"),
        ({"fee": 0.5}, "fee"),
        ({"latency": "5 parsecs"}, "latency"),
        ({"every": 0}, "interval"),
        ({"symbols": "FOO"}, "FOO"),
        ({"exchange": "nowhere"}, "nowhere"),
        ({"start": "2024-01-02", "end": "2024-01-02"}, "before"),
        ({"threshold": "high"}, "threshold"),
        ({"workers": 0}, "workers"),
        ({"store": "/nowhere"}, "no store"),
        ({"symbol": "BTCUSDT"}, "did you mean the setting symbols"),
        (
            {"symbols": "BTCUSDT", "start": "2030-01-01"},
            "BTCUSDT is in tardis/trades, but has no rows in that time",
        ),
    ],
)
def test_wrong_settings_are_refused_by_name(market_store: Store, settings, message) -> None:
    with pytest.raises(UsageError, match=message):
        tickreel.backtest("momentum", **{"store": market_store.root, **settings})


def test_strategies_are_found_or_refused(market_store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean momentum"):
        tickreel.backtest("momentun", store=market_store.root)
    with pytest.raises(UsageError, match="no file"):
        tickreel.backtest(str(tmp_path / "no.py:X"), store=market_store.root)
    broken = tmp_path / "broken.py"
    broken.write_text("import tickreel\n\nclass X(tickreel.Strategy)\n    pass\n")
    with pytest.raises(StrategyError, match=r"broken\.py:3"):
        tickreel.backtest(f"{broken}:X", store=market_store.root)
    empty = tmp_path / "empty.py"
    empty.write_text("from tickreel import Strategy\nclass Y(Strategy):\n    pass\n")
    with pytest.raises(StrategyError, match=r"no class X derived from .*; it has Y"):
        tickreel.backtest(f"{empty}:X", store=market_store.root)


def test_a_toml_file_sets_what_options_do_not(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'strategy = "momentum"\nsymbols = ["ETHUSDT"]\nfrom = 2024-01-01\nlatency = "5ms"\ncapital = 5000\n'
        "[set]\nthreshold = 0.002\n"
    )
    strategy, store, settings = read_toml(file)
    assert (strategy, store) == ("momentum", None)
    assert settings.from_ns == 1_704_067_200_000_000_000
    assert (settings.latency_ns, settings.capital, settings.symbols) == (5_000_000, 5000.0, ("ETHUSDT",))
    assert merged(settings, {"capital": 1.0, "fee": None}).capital == 1.0
    for text, message in (("colour = 1", "colour"), ("fee = 'x'", "fee"), ("fee = ", "run.toml")):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            read_toml(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency = 5", "latency is 5; a text with its unit"),
        ("from = 2024", "from is 2024; a date"),
        ("from = 09:30:00", "from is .*; a date"),
        ("to = 1704100000", "to is 1704100000; a date"),
        ("every = 1.5", "every is 1.5; a text with its unit"),
        ("latency = '5 parsecs'", "latency: '5 parsecs' is not a duration"),
        ("latancy = '5ms'", r"'latancy' is no setting; did you mean latency\?"),
        ("sets = {}", r"'sets' is no setting; did you mean set\? known are .* set,"),
        ("workers = 0", "workers is 0; 1 or more"),
        ("capital = 'much'", "capital is 'much'; a number belongs there"),
        ("allow_short = 1", "allow_short is 1; true or false belongs there"),
        ("symbols = []", "symbols is .*not empty"),
        ("symbols = 'A'", "symbols is 'A'; a list of texts"),
    ],
)
def test_a_toml_file_is_refused_by_key(tmp_path: Path, text, message) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"run\.toml: {message}"):
        read_toml(file)


@pytest.mark.parametrize(
    ("timer", "message"),
    [
        ("60", "a duration is a text"),
        ("'0'", "never called with timer"),
        ("'10us'", "up to 25,920,000,000 calls of on_timer"),
    ],
)
def test_a_timer_that_would_never_end_is_refused(market_store: Store, tmp_path: Path, timer, message) -> None:
    file = tmp_path / "timed.py"
    file.write_text(
        f"from tickreel import Strategy\nclass Timed(Strategy):\n    timer = {timer}\n"
        "    def on_timer(self, ctx):\n        ctx.close()\n"
    )
    with pytest.raises(StrategyError, match=message):
        tickreel.backtest(str(file), store=market_store.root, jit=False)


@pytest.mark.long
def test_ctrl_c_ends_a_strategy_that_never_comes_back(market_store: Store, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "from tickreel import Strategy\nclass Endless(Strategy):\n    n: int = 0\n"
        "    def on_trade(self, trade, ctx):\n        print('begun')\n"
        "        while trade.price > 0.0:\n            self.n += 1\n"
    )
    words = [
        "run",
        "endless.py",
        "--store",
        str(market_store.root),
        "--workers",
        "1",
        "--quiet",
        "--out",
        "run",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tickreel", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert "interrupted; run the same command again" in process.stderr.read()
    assert [path.name for path in tmp_path.iterdir() if path.name != "endless.py"] == []
    process.stderr.close()


def test_a_script_that_defines_its_strategy_runs_once(market_store: Store, tmp_path: Path) -> None:
    """No guard needed: the workers get the class, not the script."""
    script = tmp_path / "script.py"
    script.write_text(
        "import math\n"
        "import tickreel\n"
        "from tickreel import Param, Strategy\n"
        "STEP = 0.0005\n"
        "def rises(last, price, threshold):\n"
        "    return price > last * (1 + threshold + STEP) and not math.isnan(price)\n"
        "class Own(Strategy):\n"
        "    threshold = Param(0.0005)\n"
        "    last: float = 0.0\n"
        "    def on_trade(self, trade, ctx):\n"
        "        if self.last and ctx.idle and ctx.flat and rises(self.last, trade.price, self.threshold):\n"
        "            ctx.buy(0.5 * ctx.equity / trade.price)\n"
        "        self.last = trade.price\n"
        "print('once')\n"
        f"result = tickreel.backtest(Own, store={str(market_store.root)!r}, workers=2)\n"
        "assert not result.failed, result.failed\n"
        "print(result.metrics.fills)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    once, fills = done.stdout.split()
    assert once == "once"
    assert int(fills) > 0
