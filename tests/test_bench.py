"""The benchmark: its command prints every section, and it notices when a peer reads other values."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tickreel

ROOT = Path(__file__).resolve().parent.parent

pytest.importorskip("pyarrow")
pytest.importorskip("polars")
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bench import peers, timing  # noqa: E402
from bench.model import BenchError, Row, at_least, at_most  # noqa: E402
from bench.sections import SECTIONS  # noqa: E402
from bench.trades import ALL, Trades, Unfit, digest, load, must_agree, read_csv, save  # noqa: E402

QUICK = ("size", "scan", "query", "import")
REST = tuple(name for name in SECTIONS if name not in QUICK)
LINUX = Path("/proc/self/smaps_rollup").exists()


@pytest.mark.parametrize("names", [QUICK, pytest.param(REST, marks=pytest.mark.long)], ids=["quick", "rest"])
def test_every_section_prints_figures(names: tuple[str, ...], market_files: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    words = [
        sys.executable,
        "-m",
        "bench",
        "--trades",
        "20000",
        "--rounds",
        "1",
        "--work",
        str(tmp_path / "work"),
    ]
    words += ["--real", str(market_files), "--json", str(figures)]
    path = os.pathsep.join([str(Path(tickreel.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*words, *(word for name in names for word in ("--only", name))],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    document = json.loads(figures.read_text())
    assert document["settings"]["trades"] == 20_000
    assert document["machine"]["python"] in done.stdout
    assert tuple(document["sections"]) == names
    for name in names:
        rows = document["sections"][name]["rows"]
        assert f"{name}: {SECTIONS[name].TITLE}" in done.stdout
        assert any(row["ours"] is not None for row in rows) or (name == "memory" and not LINUX)
        for row in rows:
            assert row["ours"] is None or row["ours"] > 0 or "growth" in row["what"] or "numba" in row["what"]
            assert row["bar"] is None or row["ours"] is None or row["met"] in (True, False)


def _trades(count: int = 1_000) -> Trades:
    random = np.random.default_rng(3)
    times = 1_704_067_200_000_000_000 + np.cumsum(random.integers(0, 10**9, count)) // 1_000 * 1_000
    return Trades(
        times - 2_000_000, times, np.arange(count) + 7, random.integers(0, 3, count).astype(np.uint8),
        random.integers(4_200_000, 4_300_000, count), 2, random.integers(1, 10**6, count), 3,
    )  # fmt: skip


@pytest.mark.parametrize("peer", peers.STORES, ids=[peer.NAME for peer in peers.STORES])
def test_a_peer_gives_back_what_it_was_given_and_a_difference_is_found(peer, tmp_path):
    trades = _trades()
    file = tmp_path / f"one{peer.SUFFIX}"
    peer.write(file, trades)
    found = digest(peer.read(file, ALL), ALL)
    must_agree(peer.NAME, found, digest([trades.columns()], ALL))
    ticks = trades.price_ticks.copy()
    ticks[500] += 1
    other = digest([replace(trades, price_ticks=ticks).columns()], ALL)
    with pytest.raises(BenchError, match="other values than the file's in price"):
        must_agree(peer.NAME, found, other)


def test_a_csv_file_becomes_the_integers_of_its_text(tmp_path):
    import gzip

    header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    rows = ["x,A,5,20,2,sell,1e-7,3\n", "x,A,4,10,1,buy,0.25,0.50\n", "x,A,6,20,3,unknown,12,1.5\n"]
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress((header + "".join(rows)).encode()))
    trades = read_csv(file)
    assert trades.local_ns.tolist() == [10_000, 20_000, 20_000]
    assert trades.exchange_ns.tolist() == [4_000, 5_000, 6_000]
    assert trades.id.tolist() == [1, 2, 3]
    assert trades.side.tolist() == [1, 2, 0]
    assert (trades.price_scale, trades.price_ticks.tolist()) == (7, [2_500_000, 1, 120_000_000])
    assert (trades.amount_scale, trades.amount_lots.tolist()) == (1, [5, 30, 15])
    assert trades.columns()["price"].tolist() == [0.25, 1e-7, 12.0]
    save(tmp_path / "kept.npz", trades)
    again = digest([load(tmp_path / "kept.npz").columns()], ALL)
    must_agree("kept", again, digest([trades.columns()], ALL))
    file.write_bytes(gzip.compress((header + rows[0].replace(",2,", ",a-b,")).encode()))
    with pytest.raises(Unfit, match="no whole numbers"):
        read_csv(file)


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row("speed", 5.0, "M/s", 2.0, bar=at_least(2.5, "ratio")), 2.5, True),
        (Row("speed", 4.9, "M/s", 2.0, bar=at_least(2.5, "ratio")), 2.45, False),
        (Row("size", 5.0, "B", 4.0, bar=at_most(1.25, "ratio")), 1.25, True),
        (Row("size", 5.1, "B", 4.0, bar=at_most(1.25, "ratio")), 1.275, False),
        (Row("time", 0.9, "ms", bar=at_most(1.0)), None, True),
        (Row("time", 1.1, "ms", 9.0, bar=at_most(1.0)), 1.1 / 9, False),
        (Row("peer missing", 5.0, "B", bar=at_most(1.25, "ratio")), None, None),
        (Row("no bar", 5.0, "B", 4.0), 1.25, None),
    ],
    ids=lambda value: value.what if isinstance(value, Row) else None,
)
def test_a_bar_is_met_by_our_figure_or_by_the_ratio(row, ratio, met):
    assert row.ratio == (None if ratio is None else pytest.approx(ratio))
    assert row.met is met


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    assert peers.missing(("pyarrow", "polars")) == ""
    monkeypatch.setitem(sys.modules, "polars", None)
    assert peers.missing(("pyarrow", "polars")) == "polars not installed: pip install polars"


def test_times_are_taken_in_turn_after_one_untimed_call_each():
    called = []
    found = timing.alternate(3, {"a": lambda: called.append("a"), "b": lambda: called.append("b")})
    assert "".join(called) == "ab" * 4
    assert set(found) == {"a", "b"}
