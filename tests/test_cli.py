"""The command line as a user meets it: exit codes, JSON documents, formats, errors that say what to do."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tickreel.cli.app import run
from tickreel.store.catalog import Store


def call(capfd: pytest.CaptureFixture, *words: object) -> tuple[int, str, str]:
    code = run([str(word) for word in words])
    out, err = capfd.readouterr()
    return code, out, err


def document(capfd: pytest.CaptureFixture, *words: object) -> tuple[int, dict]:
    code, out, _ = call(capfd, *words, "--json")
    return code, json.loads(out)


def test_ls_show_bars_stats_check(market_store: Store, capfd) -> None:
    store = ("--store", market_store.root)
    code, listing = document(capfd, "ls", *store)
    assert code == 0
    assert [entry["symbol"] for entry in listing["entries"]] == ["BTCUSDT", "ETHUSDT", "LINKUSDT"]
    assert {entry["days"] for entry in listing["entries"]} == {3}
    code, days = document(capfd, "ls", *store, "--days", "--symbols", "ETHUSDT")
    assert [entry["from"] for entry in days["entries"]] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    total = sum(entry["rows"] for entry in listing["entries"])
    code, stats = document(capfd, "stats", *store)
    assert stats["types"][0]["rows"] == total
    assert sum(c["bytes"] for c in stats["types"][0]["columns"]) < stats["types"][0]["bytes"]
    code, check = document(capfd, "check", *store)
    assert (code, check["rows"], check["problems"]) == (0, total, [])
    code, bars = document(capfd, "bars", *store, "--symbol", "LINKUSDT", "--every", "1d")
    assert sum(bar["trades"] for bar in bars["bars"]) == days_rows(listing, "LINKUSDT")
    code, rows = document(capfd, "show", *store, "--symbol", "LINKUSDT", "--limit", 5)
    assert len(rows["rows"]) == 5
    for words in (("ls",), ("stats",), ("show", "--limit", 3), ("bars", "--every", "6h", "--limit", 4)):
        code, out, _ = call(capfd, *words, *store)
        assert code == 0
        assert "USDT" in out or "price" in out


def days_rows(listing: dict, symbol: str) -> int:
    return sum(entry["rows"] for entry in listing["entries"] if entry["symbol"] == symbol)


def test_show_csv_is_the_file_that_was_imported(market_store: Store, market_files: Path, capfd) -> None:
    code, out, _ = call(
        capfd, "show", "--store", market_store.root, "--exchange", "binance-futures", "--symbol", "ETHUSDT",
        "--from", "2024-01-02", "--to", "2024-01-03", "--format", "csv", "--limit", 0,
    )  # fmt: skip
    source = market_files / "binance-futures/trades/2024/01/02/ETHUSDT.csv.gz"
    assert code == 0
    assert out == gzip.decompress(source.read_bytes()).decode()


def test_show_jsonl_and_parquet_hold_the_same_rows(market_store: Store, tmp_path: Path, capfd) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    words = ("show", "--store", market_store.root, "--symbol", "ETHUSDT", "--limit", 0)
    code, out, _ = call(capfd, *words, "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert call(capfd, *words, "--format", "parquet", "--out", tmp_path / "x.parquet")[0] == 0
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column("price").to_pylist() == [row["price"] for row in rows]
    assert table.column("id").to_pylist() == [row["id"] for row in rows]
    assert table.column("side").to_pylist() == [row["side"] for row in rows]
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
    assert call(capfd, *words, "--format", "parquet")[0] == 2


def test_import_reports_and_exit_codes(market_files: Path, tmp_path: Path, capfd) -> None:
    store = ("--store", tmp_path / "tape")
    code, first = document(capfd, "import", market_files, *store, "--workers", 1)
    assert (code, first["totals"]["imported"], first["totals"]["failed"]) == (0, 9, 0)
    assert first["totals"]["rows"] == first["totals"]["lines"]
    code, second = document(capfd, "import", market_files, *store)
    assert (code, second["totals"]["skipped"]) == (0, 9)
    cut = tmp_path / "binance_trades_2024-01-01_CUTUSDT.csv.gz"
    whole = (market_files / "binance-futures/trades/2024/01/02/ETHUSDT.csv.gz").read_bytes()
    cut.write_bytes(whole[:-1000])
    code, failed = document(capfd, "import", cut, *store)
    assert code == 3
    assert "fetch it again" in failed["files"][0]["error"]
    code, mixed = document(capfd, "import", cut, market_files, *store)
    assert (code, mixed["totals"]["failed"], mixed["totals"]["skipped"]) == (1, 1, 9)
    code, _, err = call(capfd, "import", cut, *store)
    assert code == 3
    assert "cut gzip" in err


def test_rm_says_and_does(market_files: Path, tmp_path: Path, capfd) -> None:
    store = ("--store", tmp_path / "tape")
    call(capfd, "import", market_files, *store, "--workers", 1)
    assert call(capfd, "rm", *store)[0] == 2
    words = ("rm", *store, "--symbols", "ETHUSDT", "--from", "2024-01-02")
    code, dry = document(capfd, *words, "--dry-run")
    assert (code, len(dry["segments"]), dry["dry_run"]) == (0, 2, True)
    assert document(capfd, "ls", *store, "--days")[1]["entries"].__len__() == 9
    code, wet = document(capfd, *words)
    assert wet["segments"] == dry["segments"]
    assert wet["bytes"] == dry["bytes"] > 0
    left = {(e["symbol"], e["from"]) for e in document(capfd, "ls", *store, "--days")[1]["entries"]}
    assert len(left) == 7
    assert ("ETHUSDT", "2024-01-01") in left
    assert call(capfd, "rm", *store, "--from", "2024-01-01T12:00")[0] == 2
    call(capfd, "rm", *store, "--all")
    assert document(capfd, "ls", *store)[1]["entries"] == []


def test_run_prints_a_table_and_writes_a_report(
    market_store: Store, tmp_path: Path, capfd, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = call(capfd, "run", "momentum", "--store", market_store.root, "--set", "threshold=0.002")
    assert code == 0
    assert "Average return" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"report: {folder.relative_to(tmp_path)}" in out or str(folder) in out
    code, result = document(
        capfd, "run", "momentum", "--store", market_store.root, "--out", tmp_path / "b", "--symbols",
        "binance-futures:ETHUSDT", "--capital", 5000, "--fee", 0, "--latency", "10ms",
    )  # fmt: skip
    assert code == 0
    assert result["symbols"][0]["metrics"]["initial_equity"] == 5000
    assert result["portfolio"]["fees"] == 0
    config = tmp_path / "run.toml"
    config.write_text(f'strategy = "momentum"\nstore = "{market_store.root}"\nfee = 0.001\n')
    code, result = document(capfd, "run", "--config", config, "--out", tmp_path / "c")
    assert (code, result["settings"]["fee"]) == (0, 0.001)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["frobnicate"], 2, "frobnicate"),
        (["ls", "--colour"], 2, "--colour"),
        (["ls", "--store", "/nowhere/tape"], 2, "holds no store"),
        (["show", "--store", "{store}", "--from", "yesterday"], 2, "--from"),
        (["show", "--store", "{store}", "--symbol", "NONE"], 2, "NONE"),
        (["show", "--store", "{store}", "--type", "ticks"], 2, "ticks"),
        (["bars", "--store", "{store}", "--every", "0"], 2, "--every"),
        (["import", "/nowhere", "--store", "{store}"], 2, "/nowhere"),
        (["run", "--store", "{store}"], 2, "strategy"),
        (["run", "momentum", "--store", "{store}", "--set", "threshold"], 2, "NAME=VALUE"),
        (["run", "momentum", "--store", "{store}", "--workers", "0"], 2, "workers"),
        (["run", "--config", "/nowhere.toml"], 2, "/nowhere.toml"),
        (["synth", "{tmp}", "--symbols", "NOPE", "--from", "2024-01-01", "--to", "2024-01-02"], 2, "NOPE"),
        (["synth", "{tmp}", "--from", "2024-01-02", "--to", "2024-01-02"], 2, "--from"),
    ],
)
def test_wrong_usage_is_2_and_says_what(
    market_store: Store, tmp_path: Path, capfd, words, code, message
) -> None:
    filled = [word.format(store=market_store.root, tmp=tmp_path) for word in words]
    found, out, err = call(capfd, *filled)
    assert found == code
    assert message in err
    assert out == ""
    found, problem = document(capfd, *filled)
    assert found == problem["error"]["exit_code"] == code
    assert message in problem["error"]["message"]


def test_check_finds_a_flipped_bit_and_exits_1(market_files: Path, tmp_path: Path, capfd) -> None:
    store = ("--store", tmp_path / "tape")
    call(capfd, "import", market_files, *store, "--workers", 1)
    victim = tmp_path / "tape/tardis/trades/binance-futures/ETHUSDT/2024-01-02.reel"
    data = bytearray(victim.read_bytes())
    data[len(data) // 3] ^= 16
    victim.write_bytes(data)
    code, out, _ = call(capfd, "check", *store)
    assert code == 1
    assert str(victim) in out
    assert "block" in out
    code, out, err = call(capfd, "show", *store, "--symbol", "ETHUSDT", "--limit", 0, "--format", "csv")
    assert code == 1
    assert str(victim) in err


def test_the_store_comes_from_the_environment(market_store: Store, capfd, monkeypatch) -> None:
    monkeypatch.setenv("TICKREEL_STORE", str(market_store.root))
    assert document(capfd, "ls")[1]["store"] == str(market_store.root)


def test_a_reader_that_leaves_is_no_error(market_store: Store) -> None:
    words = [
        sys.executable,
        "-m",
        "tickreel",
        "show",
        "--store",
        str(market_store.root),
        "--limit",
        "0",
        "--format",
        "csv",
    ]
    shown = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert shown.stdout is not None
    shown.stdout.read(100)
    shown.stdout.close()
    assert shown.wait(30) == 0
    assert shown.stderr is not None
    assert shown.stderr.read() == b""
    shown.stderr.close()


def test_help_and_import_stay_light() -> None:
    """Neither `--help` nor `import tickreel` loads what is heavy."""
    code = (
        "import sys, tickreel; from tickreel import Strategy, Param\n"
        "heavy = {'numba', 'pandas', 'polars', 'pyarrow', 'pcodec', 'rich', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        "import sys\nfrom tickreel.cli.app import run\n"
        "assert run(['--help']) == 0\n"
        "heavy = {'numba', 'numpy', 'pandas', 'polars', 'pyarrow', 'pcodec'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_shell_completion_is_printed() -> None:
    environment = {
        **os.environ,
        "_TICKREEL_COMPLETE": "complete_bash",
        "COMP_WORDS": "tickreel im",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([sys.executable, "-m", "tickreel"], env=environment, capture_output=True, text=True)
    assert "import" in done.stdout.split()


def test_demo_and_synth(tmp_path: Path, capfd, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, made = document(
        capfd,
        "synth",
        tmp_path / "files",
        "--symbols",
        "BTCUSDT",
        "--from",
        "2024-01-01",
        "--to",
        "2024-01-03",
    )
    assert (code, made["files"], made["synthetic"]) == (0, 2, True)
    code, out, err = call(capfd, "demo", "--files", tmp_path / "files", "--out", tmp_path / "own")
    assert code == 0
    assert "synthetic" not in out
    assert document(capfd, "ls")[1]["entries"][0]["days"] == 2, "the usual store, which stays"
    code, _, err = call(capfd, "demo", "--files", tmp_path / "files", "--scale", 1)
    assert (code, "--scale are of the made-up market" in err) == (2, True)
    code, result = document(capfd, "demo", "--scale", 0.002, "--out", tmp_path / "demo")
    assert code == 0
    assert document(capfd, "ls")[1]["entries"][0]["feed"] == "tardis", "nothing made up gets into it"
    assert len(result["symbols"]) == 15
    assert result["source"].startswith("synthetic")
    assert "synthetic" in (tmp_path / "demo" / "report.html").read_text("utf-8")
