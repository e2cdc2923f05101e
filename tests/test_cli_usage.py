"""Wrong or contradicting words are refused by name; what is printed where, and to whom, does not depend on luck."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from test_cli import call, document
from tickreel.cli.app import app
from tickreel.store.catalog import Store


def shell(line: str, store: Store, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $T is the command and TICKREEL_STORE the store."""
    environment = {**os.environ, "T": f"{sys.executable} -m tickreel", "TICKREEL_STORE": str(store.root)}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


ASKED = ("--exchange", "binance", "--symbols", "X", "--from", "2024-01-01", "--to", "2024-01-02")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rm", "--symbols", ","], "--symbols ',' names nothing"),
        (["run", "momentum", "--symbols", ""], "--symbols '' names nothing"),
        (["show", "--symbol", " , "], "names nothing"),
        (["import", ".", "--types", ","], "--types ',' names nothing"),
        (["run", "momentum", "--set", ""], "NAME=VALUE"),
        (["run", "momentum", "--set", "a=1", "--set", "a=2"], "a is given twice"),
        (["check", "--feed", "foo"], "--feed foo: the store has tardis"),
        (["check", "--exchange", "foo"], "it has binance-futures"),
        (["check", "--type", "quotes"], "it has trades"),
        (["check", "--type", "ticks"], "known are trades"),
        (["stats", "--exchange", "foo"], "it has binance-futures"),
        (["stats", "--exchange", ""], "it has binance-futures"),
        (["ls", "--exchange", "foo"], "it has binance-futures"),
        (["ls", "--type", "quotes"], "it has trades"),
        (["rm", "--exchange", "foo", "--dry-run"], "it has binance-futures"),
        (["rm", "--from", "2030-01-01"], "there are: 2024-01-01 to 2024-01-03"),
        (["rm", "--from", "2024-01-03", "--to", "2024-01-02"], "no day lies in that range"),
        (["rm", "--symbols", "BTCUSDT", "--to", "2020-01-01"], "BTCUSDT: not in the store in that time"),
        (["show", "--out", "x.txt"], "*.csv, *.jsonl, *.parquet"),
        (["show", "--out", "nowhere/x.csv"], "no folder nowhere"),
        (["show", "--format", "table", "--out", "x.csv"], "--format table goes to the screen"),
        (["bars", "--out", "."], "is a folder"),
        (["run", "momentum", "--out", "{tmp}/file"], "already there"),
        (["run", "momentum", "--out", "{tmp}/file/x"], "is a file"),
        (["ls", "--store", "{tmp}/file"], "a store is a folder"),
        (["import", ".", "--store", "{tmp}/file/x"], "a store is a folder"),
        (["show", "--format", "xml"], "'--format': 'xml' is not one of"),
        (["imprt"], "Did you mean 'import'? see tickreel --help"),
        (["ls", "--store", ""], "--store '': write a folder"),
        (["quality", "--limit", "0"], "--limit 0: write a whole number of 1 or more"),
        (["book", "X", "--at", "2024-01-01", "--depth", "-1"], "--depth -1: write a whole number of 0 or more"),
        (["check", "--workers", "two"], "--workers 'two': write a whole number of 1 or more"),
        (["run", "momentum", "--fee", "much"], "--fee 'much': write a number, e.g. 0.0004"),
        (["demo", "--seed", "x"], "--seed 'x': write a whole number"),
        (["show", "--type", ","], "or leave the option out for trades"),
        (["download", *ASKED, "--parallel", "0"], "--parallel 0: write a whole number from 1 to 200"),
        (["download", *ASKED, "--parallel", "500"], "--parallel 500: write a whole number from 1 to 200"),
        (["download", *ASKED, "--parallel", "two"], "--parallel 'two': write a whole number from 1 to 200"),
        (["download", *ASKED[:2], "--symbols", "", *ASKED[4:]], "--symbols '' names nothing: write A,B; the option is required"),
        (["download", *ASKED, "--keep-files", ""], "--keep-files '': write a path, e.g. files"),
        (["download", *ASKED, "--provider", ""], "--provider '' names nobody"),
        (["raw", *ASKED, "--channels", ","], "--channels ',' names nothing: write A,B; the option is required"),
        (["raw", "--exchange", "BINANCE", *ASKED[2:], "--channels", "trade"], "--exchange 'BINANCE': an exchange's name"),
        (["record", "--provider", "tardis-machine", "--exchange", ""], "--exchange '': an exchange's name has a-z 0-9 -"),
        (["record", "--provider", "tardis-machine", "--provider", "nobody", "--exchange", "x"], "nobody"),
        (["record", "--provider", "nobody", "--provider", "tardis-machine", "--exchange", "x"], "nobody"),
        (["record", "--provider", "tardis-machine", "--exchange", "x", "--metrics", "99999"],
         "--metrics 99999: write a whole number from 0 to 65,535"),
        (["manifest", "--provider", "tardis,nobody"], "nobody"),
        (["cost", "--trades", "1", "--card", "{tmp}"], "--card {tmp}: is a folder"),
        (["cost", "--trades", "0", "--calls", "0"], "--trades 0 --calls 0: nothing to price"),
        (["cost", "--trades", "1e30"], "--trades '1e30': write a number from 0 to below 1e18"),
        (["watch", "tardis", "mine@{tmp}/other", "--log", "{tmp}"], "--log {tmp}: is a folder"),
        (["watch", "tardis", "mine@{tmp}/other", "--log", ""], "--log '': write a path"),
    ],
)  # fmt: skip
def test_it_is_refused_and_says_why(market_store, tmp_path, capfd, monkeypatch, words, message) -> None:
    monkeypatch.setenv("TICKREEL_STORE", str(market_store.root))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, out, err = call(capfd, *(word.format(tmp=tmp_path) for word in words))
    assert (code, out) == (2, "")
    assert message.format(tmp=tmp_path) in err


def test_json_goes_with_no_other_format(market_store: Store, tmp_path: Path, capfd) -> None:
    for words in (["show", "--format", "csv"], ["bars", "--out", tmp_path / "x.csv"]):
        code, problem = document(capfd, *words, "--store", market_store.root)
        assert (code, problem["error"]["exit_code"]) == (2, 2)
        assert "--json prints one document" in problem["error"]["message"]


def test_an_empty_store_is_checked_without_complaint(tmp_path: Path, capfd) -> None:
    (tmp_path / "primary").write_text("tardis\n")
    assert call(capfd, "check", "--store", tmp_path)[0] == 0
    assert call(capfd, "check", "--store", tmp_path, "--feed", "tardis")[0] == 2


@pytest.mark.parametrize("command", ["show", "bars"])
def test_the_format_is_that_of_the_file_s_name(market_store: Store, tmp_path: Path, capfd, command) -> None:
    words = (command, "--store", market_store.root, "--symbol", "LINKUSDT")
    for name in ("csv", "jsonl"):
        file = tmp_path / f"rows.{name}"
        assert call(capfd, *words, "--out", file)[:2] == (0, "")
        assert file.read_text() == call(capfd, *words, "--format", name)[1]
    pytest.importorskip("pyarrow")
    assert call(capfd, *words, "--out", tmp_path / "rows.parquet")[0] == 0
    assert (tmp_path / "rows.parquet").read_bytes()[:4] == b"PAR1"


def test_only_a_table_has_a_limit_of_its_own_and_says_that_it_is_cut(market_store: Store, capfd) -> None:
    words = ("show", "--store", market_store.root, "--symbol", "LINKUSDT", "--from", "2024-01-02T06:00")
    rows = document(capfd, *words)[1]["rows"]
    assert len(rows) > 20
    assert len(call(capfd, *words, "--format", "jsonl")[1].splitlines()) == len(rows)
    code, out, err = call(capfd, *words)
    assert (code, len(out.splitlines())) == (0, 21)
    assert err == f"20 of {len(rows):,} rows; --limit 0 shows all\n"
    assert call(capfd, *words, "--quiet")[2] == ""
    assert call(capfd, *words, "--limit", len(rows))[2] == ""
    err = call(capfd, "bars", "--store", market_store.root, "--every", "1h", "--limit", 3)[2]
    assert err == "3 bars shown, there are more; --limit 0 shows all\n"


def test_ls_lists_what_is_whole_and_marks_what_is_not(market_store: Store, tmp_path: Path, capfd) -> None:
    subprocess.run(["cp", "-a", market_store.root, tmp_path / "tape"], check=True)
    victim = tmp_path / "tape/tardis/trades/binance-futures/ETHUSDT/2024-01-02.reel"
    victim.write_bytes(victim.read_bytes()[:-9])
    code, listing = document(capfd, "ls", "--store", tmp_path / "tape")
    assert code == 1
    assert [len(entry["damaged"]) for entry in listing["entries"]] == [0, 1, 0]
    assert [entry["days"] for entry in listing["entries"]] == [3, 3, 3]
    code, out, err = call(capfd, "ls", "--store", tmp_path / "tape")
    assert code == 1
    assert "1 damaged" in out
    assert str(victim) in err


def test_quiet_leaves_tables(market_store: Store, tmp_path: Path, capfd) -> None:
    words = ("--store", market_store.root, "--quiet")
    code, out, err = call(
        capfd, "run", "momentum", *words, "--out", tmp_path / "run", "--no-jit", "--workers", 1
    )
    assert code == 0
    assert "Average return" in out
    assert err == ""
    code, out, err = call(capfd, "rm", *words, "--symbols", "LINKUSDT", "--dry-run")
    assert (code, len(out.splitlines()), err) == (0, 3, "")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$T ls --json >&-", 0),
        ("$T ls 2>&- >&-", 0),
        ("$T show --format csv >&-", 0),
        ("$T check 2>&-", 0),
        ("$T check 2> >(true)", 0),
        ("$T rm --symbols LINKUSDT --dry-run | true", 0),
        ("$T ls --symbols NONE | true", 2),
        ("$T ls > /dev/full", 5),
    ],
)
def test_whoever_listens_the_exit_code_is_the_command_s(market_store: Store, tmp_path, line, code) -> None:
    done = shell(line, market_store, tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if "/dev/full" in line:
        assert "writing the output: No space left" in done.stderr


def test_without_a_command_the_help_is_printed(market_store: Store, tmp_path: Path) -> None:
    for words in ("$T", "$T instruments"):
        done = shell(words, market_store, tmp_path)
        assert (done.returncode, done.stderr) == (2, "")
        assert "Commands:" in done.stdout


def test_the_help_cuts_no_sentence() -> None:
    for name, command in typer.main.get_command(app).commands.items():
        assert not command.get_short_help_str(62).endswith("..."), name
        assert "e.g" not in command.get_short_help_str(62), name


def test_an_error_on_the_way_leaves_no_half_of_a_document(market_store: Store, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", market_store.root, tmp_path / "tape"], check=True)
    victim = tmp_path / "tape/tardis/trades/binance-futures/ETHUSDT/2024-01-02.reel"
    data = bytearray(victim.read_bytes())
    data[len(data) // 3] ^= 16
    victim.write_bytes(data)
    done = shell(f"$T show --json --store {tmp_path / 'tape'}", market_store, tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["type"] == "CorruptionError"


def test_a_note_follows_no_empty_line_where_no_terminal_is(market_store: Store, tmp_path: Path) -> None:
    for words in (
        "run momentum --no-jit --workers 1 --symbols LINKUSDT --out run",
        "check",
        "run nothing",
        "quality",
    ):
        done = shell(f"$T {words}", market_store, tmp_path)
        assert all(line.strip() for line in done.stderr.splitlines()), words


EARLY = """
import sys

class Interrupted:
    def find_spec(self, name, *rest):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
sys.argv = ["tickreel", "ls", *{words!r}]
from tickreel.cli import main
main()
"""


@pytest.mark.parametrize("module", ["tickreel.cli.streams", "typer", "tickreel.cli.listing"])
def test_a_command_that_is_interrupted_while_it_is_loaded_says_so(module: str, market_store: Store) -> None:
    environment = {**os.environ, "TICKREEL_STORE": str(market_store.root)}
    for words in ([], ["--json"]):
        code = EARLY.format(module=module, words=words)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr.splitlines()[0][:18]) == (130, "error: interrupted")
        assert len(done.stderr.splitlines()) == 1
        if words:
            assert json.loads(done.stdout)["error"]["exit_code"] == 130


def test_what_was_fetched_is_not_said_to_be_lost() -> None:
    code = EARLY.replace('["tickreel", "ls", *{words!r}]', '["tickreel", "run", "momentum", "--fetch"]')
    code = code.format(module="tickreel.runs.settings")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, "what was fetched is kept" in done.stderr) == (130, True)
