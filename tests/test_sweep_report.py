"""What a person sees of a sweep: the best sets in a terminal of any width, the page with its table and map."""

import shlex
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import tickreel
from report_sample import sample_view
from test_report import Page
from tickreel.cli.app import run
from tickreel.cli.sweeping import run_line
from tickreel.report.sweep_html import ALL_FIGURES_SETS, page_data, sweep_html
from tickreel.report.sweep_summary import cautions, key_figures, ranked
from tickreel.report.sweep_terminal import sweep_table
from tickreel.report.view import OneSet, SweepView
from tickreel.runs import RunResult, SweepResult
from tickreel.store.catalog import Store


def many(sets: int) -> SweepView:
    view = sample_view()
    metrics = next(row["metrics"] for row in view["symbols"] if row["metrics"])
    shared = {name: view[name] for name in SweepView.__annotations__ if name in view and name != "symbols"}
    return {
        **shared, "axes": {"<b>": list(range(sets)), "one": [1]}, "symbols": ["a:X", "a:</script>"],
        "parameters": [{"<b>": number, "one": 1} for number in range(sets)], "played": sets * view["trades"],
        "metrics": [metrics] * sets, "returns": {"a:X": [0.1] * sets, "a:</script>": [None] * sets},
        "failed": [1] * sets, "errors": [("a:</script>", "Traceback\n<i>: no", sets)], "one_set": None,
    }  # fmt: skip


def with_gains(gains: list[float | None], failed: list[int] | None = None) -> SweepView:
    """Return a view of sets with these returns, and as many failed symbols."""
    view = many(len(gains))
    (metrics,) = {id(one): one for one in view["metrics"]}.values()
    view["metrics"] = [None if gain is None else replace(metrics, total_return=gain) for gain in gains]
    view["failed"] = failed or [0] * len(gains)
    return view


def printed(view: SweepView, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(sweep_table(view))
    return console.file.getvalue()


def figure(view: SweepView, label: str) -> tuple[str, str]:
    return next((one.value, one.note) for one in key_figures(view) if one.label == label)


def test_the_page_holds_every_set_and_escapes_what_is_foreign() -> None:
    page = Page(sweep_html(many(5)))
    data = page.data()
    assert [axis["name"] for axis in data["axes"]] == ["<b>", "one"]
    names = [figure["name"] for figure in data["figures"]]
    assert {"total_return", "sharpe", "return of a:</script>"} <= set(names)
    assert "buy_and_hold" not in names
    assert all(len(column) == 5 for column in data["columns"])
    assert len(data["columns"]) == len(names)
    assert data["failed"] == [1] * 5
    assert "The best of 5 sets is chosen by chance too" in page.text
    assert not any(tag in ("b", "i") for tag, _ in page.elements)


def test_a_page_of_very_many_sets_keeps_the_chief_figures() -> None:
    view = many(ALL_FIGURES_SETS + 1)
    assert not any(figure["extra"] for figure in page_data(view)["figures"] if "of" not in figure["name"])
    assert "metrics.json has all" in sweep_html(view)


def test_one_set_is_no_choice() -> None:
    assert "by chance" not in sweep_html(many(1))
    assert sweep_table(many(1))


@pytest.fixture(scope="module")
def result(market_store: Store, tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    out = tmp_path_factory.mktemp("sweeps") / "sweep"
    asked = {"threshold": "0.0001:0.001:4", "fraction": [0.25, 0.95]}
    return tickreel.sweep("momentum", asked, store=market_store.root, symbols="ETHUSDT", workers=1, out=out)


def test_metrics_are_plain(result: SweepResult) -> None:
    assert asdict(result.sets[0].metrics) == result.document()["sets"][0]["metrics"]


def test_of_two_sets_that_with_which_fewer_symbols_failed_is_better() -> None:
    view = with_gains([0.1, 0.5, None, 0.3], [0, 1, 2, 0])
    assert ranked(view) == [3, 0, 1]
    data = page_data(view)
    assert (data["best"], data["failed"]) == (3, [0, 1, 2, 0])
    assert figure(view, "Best return") == ("+30.00%", "of 2 sets that ran all symbols")
    assert figure(view, "Median return")[0] == "+20.00%"
    assert "2 sets did not run all symbols" in printed(view, 200)
    lines = [line.split() for line in printed(view, 200).split("Best sets")[1].splitlines()]
    assert [line[:3] for line in lines[1:5]] == [
        ["<b>", "return", "failed"], ["3", "+30.00%", "0"], ["0", "+10.00%", "0"], ["1", "+50.00%", "1"]
    ]  # fmt: skip


def test_where_no_set_ran_all_symbols_it_is_said() -> None:
    view = with_gains([0.1, 0.5], [1, 1])
    (_, told) = cautions(view)
    assert told.startswith(
        "No set ran all 2 symbols: the best is one of those that ran most, without the 1 that"
    )
    assert told in Page(sweep_html(view)).text


def test_without_a_set_that_was_measured_nothing_is_best() -> None:
    view = with_gains([None, None], [2, 2])
    assert page_data(view)["best"] is None
    assert cautions(view) == []
    assert {
        note for label in ("Best return", "Median return", "Buy & hold") for _, note in [figure(view, label)]
    } == {"no set was measured"}
    assert sweep_html(view)


@pytest.mark.parametrize(
    ("gains", "median"), [([0.1, 0.4, 0.2], "+20.00%"), ([0.1, 0.4, 0.2, 0.3], "+25.00%")]
)
def test_the_median_of_an_even_number_lies_between(gains, median) -> None:
    assert figure(with_gains(gains), "Median return")[0] == median


def test_the_page_picks_the_best_before_it_rounds() -> None:
    data = page_data(with_gains([0.123456789, 0.1234567891]))
    assert data["best"] == 1
    (column,) = (
        c for c, one in zip(data["columns"], data["figures"], strict=True) if one["name"] == "total_return"
    )
    assert column == [0.123456789, 0.1234567891]


def test_the_page_has_integers_that_its_script_has_no_numbers_for() -> None:
    view = many(3)
    large = [9007199254740993, 9007199254740992, 3]
    view["axes"]["<b>"] = large
    view["parameters"] = [{"<b>": value, "one": 1} for value in large]
    axis, single = page_data(view)["axes"]
    assert axis == {
        "name": "<b>", "texts": ["9007199254740993", "9007199254740992", "3"], "ranks": [2, 1, 0], "places": [0, 1, 2]
    }  # fmt: skip
    assert single["places"] is None


def test_the_page_has_sets_as_their_own_parameters_say() -> None:
    view = many(4)
    view["parameters"].reverse()
    assert page_data(view)["axes"][0]["places"] == [3, 2, 1, 0]


def test_figures_are_left_out_only_where_all_sets_have_the_same() -> None:
    view = with_gains([0.1, 0.2])
    assert "buy_and_hold" not in [one["name"] for one in page_data(view)["figures"]]
    view["metrics"][1] = replace(view["metrics"][1], buy_and_hold=0.7)
    assert "buy_and_hold" in [one["name"] for one in page_data(view)["figures"]]


def test_the_drawdown_shown_first_is_that_of_the_best() -> None:
    view = with_gains([0.1, 0.5], [0, 1])
    view["metrics"][0] = replace(view["metrics"][0], max_drawdown=None)
    extra = {one["name"]: one["extra"] for one in page_data(view)["figures"]}
    assert (extra["max_drawdown"], extra["max_drawdown_sampled"]) == (True, False)
    assert figure(view, "Drawdown of the best")[1] == "on the equity samples"


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("names", [["threshold", "fraction"], ["entry_threshold_for_longs", "lookback_window_length",
    "use_trend_filter", "exit_threshold_for_longs", "smoothing"]])  # fmt: skip
def test_parameters_and_returns_are_whole_at_any_width(names: list[str], width: int) -> None:
    view = with_gains([0.1, -0.25])
    values = [0.0001666666666666667, 0.3333333333333333, True, 20, 0.1234567890123]
    view["axes"] = {name: [value, 7] for name, value in zip(names, values, strict=False)}
    view["parameters"] = [dict(zip(names, values, strict=False)), dict.fromkeys(names, 7)]
    told = printed(view, width)
    assert max(map(len, told.splitlines())) <= width
    best = "".join(told.split("Best sets")[1].split())
    assert all(repr(value) in best for value, _ in zip(values, names, strict=False))
    assert "+10.00%" in best
    assert "-25.00%" in best
    assert all(word in best for name in names for word in name.split("_"))


# The line that runs one set


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "sweep momentum --set a=1,2 --symbols BTCUSDT --out x --json",
            "tickreel run momentum --symbols BTCUSDT",
        ),
        ("sweep m.py:X --set=a=1,2 --out=x -q --fee 0", "tickreel run m.py:X --fee 0"),
        ("sweep --config 'a b.toml' --quiet", "tickreel run --config 'a b.toml'"),
    ],
)
def test_the_command_of_a_run_has_all_of_the_sweep_s_but_its_own(words: str, line: str) -> None:
    assert run_line(shlex.split(words)) == line


def line_of(page: Path, number: int) -> str:
    """Return what sweep.js shows."""
    data = Page(page.read_text("utf-8")).data()
    begin, before, end = OneSet(*data["one_set"])
    chosen = [
        (axis["name"], axis["texts"][axis["places"][number] if axis["places"] else 0])
        for axis in data["axes"]
    ]
    return begin + "".join(f"{before}{name}={value}" for name, value in chosen) + end


def test_the_line_of_a_command_runs_the_set(market_store: Store, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(market_store.root), "--symbols", "ETHUSDT", "--workers", "1"]
    words = [
        "sweep",
        "momentum",
        *store,
        "--set",
        "threshold=0.0001:0.001:4",
        "--set",
        "fraction=0.25,0.95",
        "--out",
        "a",
    ]
    monkeypatch.setattr("sys.argv", ["tickreel", *words])
    assert run(words) == 0
    line = line_of(tmp_path / "a/report.html", 3)
    assert run([*shlex.split(line)[1:], "--out", "b"]) == 0
    wanted = SweepResult.open("a").sets[3]
    assert RunResult.open("b").metrics == wanted.metrics
    capsys.readouterr()


def test_the_line_of_python_runs_the_set(result: SweepResult) -> None:
    line = line_of(result.report, 5)
    assert line.startswith("tickreel.backtest('momentum', store=")
    assert eval(line, {"tickreel": tickreel}).metrics == result.sets[5].metrics
