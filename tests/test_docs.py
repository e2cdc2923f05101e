"""The documents say what is there: names, options, JSON keys, examples and links are compared with the code."""

import contextlib
import gzip
import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import tickreel
from import_sample import put
from provider_server import KEY, ProviderServer
from record_sample import FEED, provide
from tickreel import errors
from tickreel.cli.app import app, run
from tickreel.codecs import CODECS
from tickreel.ingest.files.gaps_beside import keep_gaps
from tickreel.ingest.files.inspect import ODD_KINDS
from tickreel.ingest.record.status import METRICS
from tickreel.instruments import FACTS
from tickreel.instruments.user_toml import parse_toml
from tickreel.measure import Performance
from tickreel.quality.figures import FIGURES
from tickreel.quality.verdicts import EXTRA_RULES, RULES
from tickreel.runs.settings import _TOML
from tickreel.runs.task import OUTPUTS
from tickreel.schema import MARKET_TYPES, RECORD_TYPES
from tickreel.simulate.context import Context
from tickreel.simulate.records import Fill, Trade
from tickreel.simulate.strategy import CALLBACKS
from tickreel.sources.csv_batch import REASONS
from tickreel.store.format import Gap
from tickreel.strategies import BUILT_IN

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tickreel"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *SOURCE.glob("*/*.md")])

COMMON_OPTIONS = {"--json", "--quiet", "--help"}


def commands() -> dict[str, Any]:
    """Return the commands by name, those of a group as "GROUP NAME"."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {word}": below for word, below in inner.items()} if inner else {name: command}
    return found


COMMANDS = commands()

WATCH = (
    "tickreel watch tardis holysheep --exchange binance --symbols BTCUSDT --time-tolerance 1ms --max-missing 0.1% --for 48h"
    " --log watch.jsonl"
)
SHORTER = {
    "make demo": "",  # test_make_has_the_targets
    "make test": "",
    ". .venv/bin/activate": "",  # the fixture puts tickreel on the path
    (
        "tickreel record --provider tardis-machine --exchange binance-futures --symbols BTCUSDT,ETHUSDT"
        " --types trades --for 10m"
    ): "tickreel record --provider tardis-machine --exchange binance --symbols BTCUSDT,ETHUSDT --for 1s",
    "tickreel synth files --symbols BTCUSDT,ETHUSDT --to 2024-01-04": (
        "tickreel synth files --symbols BTCUSDT,ETHUSDT --to 2024-01-04 --scale 0.05"
    ),
    WATCH: f"{WATCH.replace('48h', '0')} --from 2024-01-01",
}
"""Lines of shell blocks that the tests run in another form."""

MADE_BY_RUNS = {"report.html", "metrics.json", "run.json", "sweep.json"}
PLACEHOLDERS = re.compile(r"\b[A-Z]{3,}\b")


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(name: str, heading: str) -> str:
    return text(name).split(f"## {heading}\n")[1].split("\n## ")[0]


def table(part: str) -> list[list[str]]:
    """Return the cells of every row of the tables in a text, without heads."""
    rows = [line.strip()[1:-1].split("|") for line in part.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    heads = {number for number, row in enumerate(cells[1:]) if set("".join(row)) <= set("-: ")}
    return [row for n, row in enumerate(cells) if n not in heads and n - 1 not in heads]


def prose(name: str) -> str:
    """Return a document without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text(name), flags=re.MULTILINE | re.DOTALL)


def words(cell: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`\n]+)`", cell)


def blocks(name: str, *languages: str) -> list[tuple[str, str]]:
    """Return (language, code) of the fenced blocks of a document, in order."""
    found = re.findall(r"^ *```([\w-]*)\n(.*?)^ *```$", text(name), re.MULTILINE | re.DOTALL)
    return [(language, code) for language, code in found if language in languages]


# Names


def test_public_names_are_in_the_readme() -> None:
    assert set(tickreel.__all__) <= set(words(prose("README.md")))


def test_every_command_has_a_row_with_exactly_its_options() -> None:
    rows = {
        re.sub(r" ?\[?[A-Z].*", "", words(row[0])[0]): set(words(row[2]))
        for row in table(section("docs/OPERATIONS.md", "Commands"))
    }
    found = {
        name: {word for parameter in command.params for word in parameter.opts if word.startswith("--")}
        for name, command in COMMANDS.items()
    }
    assert rows == {name: options - COMMON_OPTIONS for name, options in found.items()}


def test_every_built_in_strategy_is_at_run() -> None:
    rows = {
        words(row[0])[0].split()[0]: words(row[1]) for row in table(section("docs/OPERATIONS.md", "Commands"))
    }
    assert set(BUILT_IN) <= set(rows["run"])


def test_every_error_class_has_its_exit_code() -> None:
    classes = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TickreelError)
    }
    rows = table(section("docs/OPERATIONS.md", "Exit codes"))
    documented = {name: int(row[0]) for row in rows for name in words(row[1])}
    assert documented == {n: kind.exit_code for n, kind in classes.items() if n != "TickreelError"}


def test_every_environment_variable_is_documented() -> None:
    read = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", path.read_text("utf-8"))
    }
    assert {"TICKREEL_STORE", "TICKREEL_CACHE"} <= read
    assert read <= set(re.findall(r"`([A-Z_]+)`", section("docs/OPERATIONS.md", "Environment")))


def test_every_record_type_is_in_normalize_or_in_operations() -> None:
    assert [words(row[0])[0] for row in table(section("docs/NORMALIZE.md", "Record types"))] == [
        *MARKET_TYPES
    ]
    others = set(RECORD_TYPES) - set(MARKET_TYPES)
    assert others == {*OUTPUTS, "book_levels"}
    assert others <= set(words(section("docs/OPERATIONS.md", "What a run leaves")))


def test_the_columns_of_every_record_type_are_in_normalize() -> None:
    rows = table(section("docs/NORMALIZE.md", "Columns"))
    csv = [word for row in rows for word in words(row[0])]
    names = [word for row in rows[1:] for word in words(row[1])]
    wanted = {c.csv: c.name for type in MARKET_TYPES for c in RECORD_TYPES[type].widest.columns}
    first = {
        heading: name for heading, name in wanted.items() if re.search(r"\[[1-9]", heading or "") is None
    }
    assert csv == ["exchange", "symbol", *first]
    assert names == list(first.values())


def test_every_reason_and_every_kind_of_oddity_has_a_row() -> None:
    reasons = [row[0] for row in table(section("docs/NORMALIZE.md", "Set aside"))]
    assert sorted(reasons) == sorted(filter(None, REASONS))
    kinds = [words(row[0])[0] for row in table(section("docs/NORMALIZE.md", "Kept and counted"))]
    assert kinds == list(ODD_KINDS)


def test_every_number_of_a_recording_is_in_operations() -> None:
    rows = [(words(row[0])[0], row[1]) for row in table(section("docs/OPERATIONS.md", "Recording"))]
    assert rows == [(name, text) for name, (_, text) in METRICS.items()]


def test_every_figure_and_rule_of_quality_has_its_row() -> None:
    rows = [
        (words(name)[0], unit, doc, words(of))
        for name, unit, doc, of in table(section("docs/QUALITY.md", "Figures"))
    ]
    assert rows == [(f.name, f.unit, f.doc, [*f.types]) for f in FIGURES]
    told = {words(name)[0]: doc for name, doc in table(section("docs/QUALITY.md", "Rules"))}
    assert told == {rule.name: rule.doc for rule in RULES} | EXTRA_RULES


def test_every_fact_of_an_instrument_is_on_its_page_with_its_values_and_in_the_example() -> None:
    rows = table(section("docs/INSTRUMENTS.md", "Facts"))
    assert [row[:3] for row in rows] == [[f"`{n}`", f.allowed, f.doc] for n, f in FACTS.items()]
    for row, fact in zip(rows, FACTS.values(), strict=True):
        assert not fact.tardis or words(row[3])[0] == fact.tardis
    example = parse_toml((ROOT / "examples" / "instruments.toml").read_bytes(), "example")
    assert {fact.name for facts in example.values() for fact in facts} == set(FACTS)


def test_every_metric_is_in_the_glossary() -> None:
    assert metrics() == {field.name for field in fields(Performance)}


def metrics() -> set[str]:
    return {word for row in table(section("docs/GLOSSARY.md", "Metrics")) for word in words(row[0])}


def test_every_codec_is_in_the_format() -> None:
    rows = table(text("src/tickreel/store/FORMAT.md").split("## Codecs\n")[1].split("\n## ")[0])
    assert {row[1] for row in rows} == {codec.NAME for codec in CODECS.values()}


def test_what_a_callback_gets_is_in_the_semantics() -> None:
    part = section("docs/SEMANTICS.md", "What a callback gets")
    told = {re.split(r"\W", word)[0] for word in words(part)}
    offered = {name for name in vars(Context) if name[0] != "_" and name not in Context.__slots__}
    assert offered | set(Trade._fields) | set(Fill._fields) | set(CALLBACKS) <= told


def test_the_layers_and_rooms_are_those_of_the_code() -> None:
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    ((_, drawn),) = blocks("ARCHITECTURE.md", "layers")
    assert drawn.split("\n")[:-1] == contracts[0]["layers"]
    rooms = {words(row[0])[0] for row in table(text("ARCHITECTURE.md")) if words(row[0])}
    assert rooms == {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_the_run_file_has_every_key_and_the_readme_the_example() -> None:
    # The one key that the example's own data forbids is there as a comment.
    keys = set(tomllib.loads(text("examples/run.toml").replace("\n# feed_latency", "\nfeed_latency")))
    assert keys == {"strategy", "store", *_TOML}
    assert text("examples/my_momentum.py") == blocks("README.md", "python")[0][1]
    body = text("examples/my_momentum.py").split("\nclass ")[1].splitlines()
    assert len([line for line in body if line.strip()]) == 10


def test_make_has_the_targets() -> None:
    pages = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    named = set(re.findall(r"`make ([a-z]+)", pages)) | set(
        re.findall(r"^make ([a-z]+)$", pages, re.MULTILINE)
    )
    assert {"demo", "test"} <= named <= set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))


def test_the_changelog_has_the_version_once_it_is_released() -> None:
    headings = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.MULTILINE)
    version, development, _ = tickreel.__version__.partition(".dev")
    assert headings[0] == "Unreleased"
    assert (version in headings) == (not development)


# Links and places


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_named_files_are_there(path: Path) -> None:
    page = prose(str(path.relative_to(ROOT)))
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page) if not link.startswith("https://")]
    for link in links:
        assert (path.parent / link).exists(), link
    for name in re.findall(r"`([\w./-]+\.(?:py|md|toml|json|html))`", page):
        if not PLACEHOLDERS.search(name.removesuffix(".md")) or name.endswith(".md"):
            places = (ROOT / name, SOURCE / name, ROOT / "docs" / name, path.parent / name)
            assert name in MADE_BY_RUNS or any(p.exists() for p in places) or any(SOURCE.rglob(name)), name


def test_decisions_are_numbered_and_whole() -> None:
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, path in enumerate(paths, start=1):
        page = path.read_text("utf-8")
        assert path.name.startswith(f"{number:04}-")
        assert page.startswith(f"# {number}. ")
        for part in ("**Question.**", "**Choice.**", "**What would change our mind.**"):
            assert part in page, (path.name, part)


# Examples run


@pytest.fixture
def live_server() -> Iterator[ProviderServer]:
    """The test server, with a live stream."""
    with ProviderServer() as server:
        server.machine.run(200)
        yield server


@pytest.fixture
def workshop(
    tmp_path: Path, market_files: Path, live_server: ProviderServer, monkeypatch
) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with the examples, files and a store; and an environment in which tickreel is a command."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    provide(tmp_path, live_server, monkeypatch)
    (tmp_path / "files").symlink_to(market_files)
    with quiet_call("import", market_files, "--store", tmp_path / "tape") as (code, _):
        assert code == 0
    command = tmp_path / "bin" / "tickreel"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tickreel "$@"\n')
    command.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "TICKREEL_STORE"}
    path = f"{command.parent}{os.pathsep}{environment['PATH']}"
    yield tmp_path, {**environment, "PATH": path, "PYTHONPATH": str(SOURCE.parent)}


@pytest.fixture
def providers(workshop) -> Iterator[tuple[Path, dict[str, str]]]:
    """The same, of Binance's spot market, and a server that sells its files and serves them as a relay."""
    folder, environment = workshop
    market, spot = (folder / "files").resolve(), folder / "spot"
    for path in market.rglob("*.csv.gz"):
        name = path.relative_to(market).as_posix().replace("binance-futures", "binance")
        put(spot / name, gzip.decompress(path.read_bytes()).replace(b"binance-futures", b"binance"))
    shutil.rmtree(folder / "tape")
    with quiet_call("import", spot, "--store", folder / "tape") as (code, _):
        assert code == 0
    with ProviderServer([spot]) as server:
        keys = {"TARDIS_API_KEY": KEY, "HOLYSHEEP_API_KEY": KEY}
        yield folder, {**environment, **server.hurried(folder), **keys}


@pytest.mark.long
def test_the_migration_runs_from_its_first_command_to_its_last(providers) -> None:
    run_blocks("docs/MIGRATE.md", *providers)
    folder, _ = providers
    looks = [json.loads(line) for line in (folder / "watch.jsonl").read_text().splitlines()]
    assert looks[0]["found"]["matched"] > 1_000
    assert "Equal within the limits" in (folder / "compare.html").read_text()


@pytest.mark.long
@pytest.mark.parametrize("name", ["README.md", "docs/OPERATIONS.md", "docs/INSTRUMENTS.md"])
def test_blocks_run_one_after_the_other(workshop, name: str) -> None:
    folder, environment = workshop
    if name == "README.md":  # begins with nothing
        (folder / "files").unlink()
        (folder / "tape").rename(folder / "elsewhere")
    run_blocks(name, folder, environment)


def run_blocks(name: str, folder: Path, environment: dict[str, str]) -> None:
    """Run the blocks of a document in a folder; each must end with 0."""
    assert blocks(name, "sh")
    for number, (language, code) in enumerate(blocks(name, "sh", "python")):
        if language == "sh":
            code = "\n".join(SHORTER.get(line, line) for line in code.splitlines())
        file = folder / f"block{number}.{language}"
        file.write_text(code)
        start = ["sh", "-eu"] if language == "sh" else [sys.executable, "-W", "error"]
        done = subprocess.run(
            [*start, file.name], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{name}, block {number}:\n{code}\n{done.stdout}\n{done.stderr}"


def test_the_shorter_lines_are_lines_of_the_documents() -> None:
    lines = [
        line
        for name in ("README.md", "docs/OPERATIONS.md", "docs/MIGRATE.md")
        for _, c in blocks(name, "sh")
        for line in c.splitlines()
    ]
    assert set(SHORTER) <= set(lines)


@pytest.mark.long
def test_the_strategy_of_add_a_strategy_runs_compiled_and_plain(workshop, monkeypatch) -> None:
    folder, _ = workshop
    (_, code), *_ = blocks("docs/ADD_A_STRATEGY.md", "python")
    (folder / "reversion.py").write_text(code)
    monkeypatch.chdir(folder)
    found = []
    for plain in ([], ["--no-jit"]):
        with quiet_call("run", "reversion.py", "--workers", 1, *plain) as (exit_code, result):
            assert exit_code == 0
            found.append((result["portfolio"], result["symbols"]))
    assert found[0] == found[1]
    assert found[0][0]["fills"] > 0


# JSON documents


@contextlib.contextmanager
def quiet_call(*arguments: object) -> Iterator[tuple[int, Any]]:
    """Yield (exit code, document) of a command line with --json."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*map(str, arguments), "--json"])
    yield code, json.loads(out.getvalue())


BOOK = """\
exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
binance,XUSDT,1704412800000000,1704412800001000,true,bid,10,0.5
binance,XUSDT,1704412800000000,1704412800001000,true,ask,11,0.5
"""

FLOODING = """
from tickreel import Strategy

class Flooding(Strategy):
    def on_trade(self, trade, ctx):
        if trade.price < 10_000:
            ctx.buy(1, limit=1)
"""
"""Opens too many orders, so that a symbol fails."""

ODD = """\
exchange,symbol,timestamp,local_timestamp,id,side,price,amount
binance,XUSDT,1704412800000000,1704412800001000,1,buy,10,0.5
binance,XUSDT,1704412800000000,1704412800002000,2,buy,0,0.5
binance,XUSDT,1704412800000000,1704412800003000,3,,10,0.5
"""

FEES = """\
exchange,symbol,timestamp,id,side,price,amount,fee
binance,FUSDT,1704412800000000,1,buy,10,0.5,-0.001
"""

TRADED_BOOK = """\
exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
binance-futures,BTCUSDT,1704067200000000,1704067200000001,true,bid,10,0.5
binance-futures,BTCUSDT,1704067200000000,1704067200000001,true,ask,11,0.5
"""


def documents(command: str, files: Path, folder: Path) -> list[Any]:
    """Return the JSON documents of some calls of a command."""
    store = folder / "tape"
    book = folder / "binance-futures_incremental_book_L2_2024-01-01_BTCUSDT.csv"
    book.write_text(TRADED_BOOK)
    with quiet_call("import", files, book, "--store", store):
        pass
    fees = folder / "binance_trades_2024-01-05_FUSDT.csv"
    fees.write_text(FEES)
    keep_gaps(fees, [Gap(1_704_412_800_000_000_000, 1_704_412_801_000_000_000, "lost", True, 50_000_000)])
    with quiet_call("import", fees, "--store", store, "--feed", "relay"):
        pass
    keep_gaps(fees, [])
    (folder / "flooding.py").write_text(FLOODING)
    odd = folder / "binance_trades_2024-01-05_XUSDT.csv"
    odd.write_text(ODD)
    if command == "quality":
        odd_store(odd, store)
    if command in ("compare", "watch", "switch", "rollback"):
        two_feeds(odd, store)
    if command == "ls":
        with quiet_call("record", *recording(folder / "live")) as (code, _):
            assert code == 0
        (folder / "live" / ".journal" / FEED / "2024-01-01.damaged").mkdir()
    (folder / "cut_trades_2024-01-05_XUSDT.csv.gz").write_bytes(b"\x1f\x8b")
    day = ("--from", "2024-01-02", "--to", "2024-01-03")
    plain = ("--no-jit", "--workers", 1)
    if command == "manifest":  # so that there is a gap
        with quiet_call("rm", "--store", store, *day):
            pass
    calls: dict[str, list[tuple[object, ...]]] = {
        "ls": [("--store", store), ("--store", store, "--days"), ("--store", folder / "live")],
        "show": [
            ("--store", store, "--limit", 3),
            ("--store", store, "--feed", "relay"),
            ("--store", store, "--type", "incremental_book_L2,trades", "--exchange", "binance-futures"),
        ],
        "bars": [("--store", store, "--every", "6h")],
        "book": [("BTCUSDT", "--at", "2024-01-01T01:00", "--store", store)],
        "stats": [("--store", store)],
        "quality": [("--store", store, "--symbols", "BTCUSDT,NOUSDT,SPOT"), ("--store", store)],
        "check": [("--store", store)],
        "manifest": [("--store", store, "--provider", "tardis", "--provider", "tardis-machine")],
        "compare": [("tardis", "second", "--store", store, *plain[1:])],
        "watch": [("tardis", "second", "--store", store, "--from", "2024-01-05", "--for", 0, "--window", 0)],
        "switch": [("tardis", "--store", store), ("second", "--store", store)],
        "rollback": [("--store", store)],
        "rm": [("--store", store, *day, "--dry-run"), ("--store", store, *day)],
        "import": [(files, *folder.glob("*.csv*"), "--store", store)],
        "run": [
            ("momentum", "--store", store, *plain, *day, "--out", folder / "a"),
            ("flooding.py", "--store", store, *plain, *day, "--out", folder / "b"),
        ],
        "sweep": [
            (
                "momentum",
                "--store",
                store,
                *plain,
                *day,
                "--set",
                "threshold=0.001,0.002",
                "--out",
                folder / "d",
            ),
            ("flooding.py", "--store", store, *plain, *day, "--out", folder / "e"),
        ],
        "demo": [("--files", files, "--out", folder / "c")],
        "instruments import": [(ROOT / "examples" / "instruments.toml", "--store", folder / "other")],
        "instruments show": [("BTCUSDT", "--store", store), ("--store", store)],
        "cost": [("--trades", "1e9"), ("--from-store", "--store", store)],
        "synth": [(folder / "made", "--symbols", "BTCUSDT", "--to", "2024-01-02", "--scale", 0.05)],
        "warm": [()],
        "download": [
            ("--exchange", "binance-futures", "--symbols", "BTCUSDT,NOUSDT", *day, "--store", folder / "got")
        ],
        "raw": [
            (
                "--exchange",
                "binance",
                "--channels",
                "trade",
                "--symbols",
                "btcusdt",
                *span,
                "--cache",
                folder / "cache",
            )
            for span in (
                ("--from", "2024-01-02", "--to", "2024-01-02T00:03"),
                ("--from", "2200-01-02", "--to", "2200-01-02T00:01"),
            )
        ],
        "record": [recording(folder / "live")],
        "provider list": [()],
        "provider show": [("holysheep",)],
        "provider test": [("tardis",)],
        "failure": [],
    }
    found = []
    for arguments in calls[command]:
        with quiet_call(*command.split(), *arguments) as (_, document):
            found.append(document)
    if command == "failure":
        with quiet_call("ls", "--store", folder / "nowhere") as (code, document):
            assert code == document["error"]["exit_code"]
            found.append(document)
    return found


def recording(store: Path) -> tuple[object, ...]:
    """Return the words of a short recording."""
    asked = ("--provider", FEED, "--exchange", "binance", "--symbols", "BTCUSDT", "--for", "1s")
    return (*asked, "--workers", 1, "--store", store)


def odd_store(odd: Path, store: Path) -> None:
    """Put a group of one odd symbol and a damaged segment into a store."""
    group = odd.with_name("binance_trades_2024-01-05_SPOT.csv")
    group.write_text(odd.read_text())
    with quiet_call("import", group, "--store", store):
        pass
    path = next(store.glob("tardis/trades/*/ETHUSDT/*.reel"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def two_feeds(file: Path, store: Path) -> None:
    """Import a file as a second feed, with another price as the first; make the second primary and back."""
    other = file.with_name("other") / file.name
    other.parent.mkdir()
    other.write_text(ODD.replace("buy,10", "buy,11"))
    imports = (("import", file, "--feed", "second"), ("import", other))
    for words in (*imports, ("switch", "second"), ("switch", "tardis")):
        with quiet_call(*words, "--store", store) as (code, _):
            assert code in (0, 1)


def key_rows() -> dict[str, dict[str, list[str]]]:
    """Return command -> path within its document -> keys as documented, with their marks."""
    rows: dict[str, dict[str, list[str]]] = {}
    for where, keys in table(section("docs/OPERATIONS.md", "JSON documents")):
        for place in words(where):
            command = next(
                (name for name in COMMANDS if f"{place} ".startswith(f"{name} ")), place.split()[0]
            )
            path = place.removeprefix(command).strip()
            named = sorted(metrics()) if "GLOSSARY" in keys else words(keys)
            marks = {"months": "months{}", "reasons": "reasons{}"}
            rows.setdefault(command, {})[path] = [marks.get(key, key) for key in named]
    rows["demo"] = {**rows["run"], **rows["demo"]}
    return rows


@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=[pytest.mark.long] * (name == "warm")) for name in [*COMMANDS, "failure"]],
)
def test_json_keys_are_the_documented_ones(
    command: str, market_files: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.ExitStack() as stack:
        if command.split()[0] in ("download", "raw", "provider", "manifest", "record", "ls"):
            server = stack.enter_context(ProviderServer([market_files]))
            provide(tmp_path, server, monkeypatch)
            server.machine.run(200)
            for name, value in {
                **server.environment,
                "TARDIS_API_KEY": KEY,
                "XDG_CONFIG_HOME": "none",
            }.items():
                monkeypatch.setenv(name, value)
        rows, made = key_rows()[command], documents(command, market_files, tmp_path)
    for path, keys in rows.items():
        nodes = documents_at(made, path)
        assert nodes, (command, path)
        names = {key.rstrip("?").removesuffix("[]").removesuffix("{}") for key in keys}
        assert set().union(*nodes) == (names if command != "demo" else names & set().union(*nodes)), (
            command,
            path,
        )
        for key in keys:
            check_key(key, nodes, f"{path} {key.rstrip('?')}".strip(), rows)


def documents_at(nodes: list[Any], path: str) -> list[dict[str, Any]]:
    for step in path.split():
        name = step.removesuffix("[]")
        nodes = [node[name] for node in nodes if node.get(name) is not None]
        if step.endswith("[]"):
            nodes = [item for items in nodes for item in items]
    return nodes


def check_key(key: str, nodes: list[dict[str, Any]], path: str, rows: dict[str, Any]) -> None:
    """Compare the marks of a key with its values."""
    bare = key.rstrip("?")
    name = bare.removesuffix("[]").removesuffix("{}")
    values = [node[name] for node in nodes if name in node]
    assert key.endswith("?") or len(values) == len(nodes), key
    for value in values:
        if bare.endswith("{}"):
            assert isinstance(value, dict), key
        elif bare.endswith("[]") or path in rows:
            assert path in rows, f"{key} has no row of its own"
        else:
            assert not isinstance(value, dict), key
            assert not (isinstance(value, list) and value and isinstance(value[0], dict)), key
