"""The report: complete, escaped, small, and loading nothing."""

import base64
import dataclasses
import hashlib
import io
import json
import math
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from report_sample import START, sample_view
from tickreel.measure import Performance
from tickreel.report.charts import BEST_AND_WORST, PORTFOLIO_POINTS, SYMBOL_POINTS, symbol_curves
from tickreel.report.figures import FIGURES, number, rounded
from tickreel.report.html import report_html
from tickreel.report.notebook import summary_html
from tickreel.report.payload import page_data, payload
from tickreel.report.summary import average_return, key_figures, ranked
from tickreel.report.terminal import run_table
from tickreel.report.view import RunView
from tickreel.units import NS_PER_DAY

ASSETS = files("tickreel.report") / "assets"
MEGABYTE = 1_000_000
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "]]>{{7*7}}${data}$title",
    "line\u2028separator\u2029\x00\x1b[31mred\u202eltr",
    "[bold red]markup[/bold red]",
    "\ud800 alone",
)


class Page(HTMLParser):
    """Elements of a page with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, dict[str, str | None], str]] = []
        self.shown: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style") and self.cdata_elem:
            self.texts.append((*self.elements[-1], data))
        else:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.shown)

    def data(self) -> dict:
        (found,) = (text for _, attributes, text in self.texts if attributes.get("id") == "data")
        return json.loads(found)


@pytest.fixture(scope="module")
def view() -> RunView:
    return sample_view()


@pytest.fixture(scope="module")
def page(view: RunView) -> Page:
    return Page(report_html(view))


def printed(view: RunView, limit: int = 10) -> str:
    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(run_table(view, limit))
    return out.getvalue()


def hostile_view() -> RunView:
    view = sample_view(symbols=len(HOSTILE) + 2, days=40, failing=2)
    for row, name in zip(view["symbols"], HOSTILE):
        row["symbol"], row["exchange"] = name, name[::-1]
    view["symbols"][-1]["error"] = "</pre><script>alert(3)</script>\n" + HOSTILE[1]
    view["strategy"] = view["source"] = view["command"] = "".join(HOSTILE)
    view["created"] = view["version"] = HOSTILE[1]
    view["settings"] = {name: name for name in HOSTILE}
    view["conventions"] = list(HOSTILE)
    return view


# Nothing is loaded -----------------------------------------------------------------------------


def test_the_page_refers_to_nothing_outside(view: RunView, page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "img", "base", "form", "video", "audio")
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            target = attributes.get(name) or ""
            assert target == "" or target.startswith("#") or target == "data:,", (tag, name, target)
    links = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)<]*", report_html(view)))
    assert links == {"https://github.com/leeoniya/uPlot", "http://www.w3.org/2000/svg"}
    assert "@import" not in report_html(view) and "url(" not in report_html(view)


def test_the_policy_lets_in_exactly_the_inline_texts(page: Page) -> None:
    (policy,) = (
        attributes["content"]
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    parts = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert parts["default-src"] == ["'none'"] and parts["img-src"] == ["data:"]
    for tag in ("script", "style"):
        hashes = {
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for name, attributes, text in page.texts
            if name == tag and attributes.get("type") != "application/json"
        }
        assert set(parts[f"{tag}-src"]) == hashes
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)


def test_assets_stay_inside_their_elements() -> None:
    for name in (
        "uplot/uPlot.iife.min.js",
        "format.js",
        "charts.js",
        "table.js",
        "sections.js",
        "report.js",
        "quality_map.js",
        "quality.js",
    ):
        text = (ASSETS / name).read_text("utf-8")
        assert "</script" not in text.lower() and "<!--" not in text and "\r" not in text


def test_the_scripts_ask_only_for_elements_that_exist(page: Page) -> None:
    known = {attributes.get("id") for _, attributes in page.elements}
    for name in ("format.js", "charts.js", "table.js", "sections.js", "report.js"):
        asked = set(re.findall(r'byId\("([\w-]+)"\)', (ASSETS / name).read_text("utf-8")))
        assert asked <= known


def test_the_vendored_library_is_named_with_its_licence(page: Page) -> None:
    version = re.search(r"\(v([\d.]+)\)", (ASSETS / "uplot/uPlot.iife.min.js").read_text("utf-8")[:200])
    assert version and version.group(1) == "1.6.32"
    assert "uPlot 1.6.32, MIT" in (ASSETS / "uplot/README.md").read_text("utf-8")
    assert "uPlot 1.6.32, MIT" in page.text
    assert "Copyright (c) 2022 Leon Sorokin" in page.text


# Foreign text ------------------------------------------------------------------------------


def test_hostile_names_add_no_element_and_survive_as_text() -> None:
    view, plain = hostile_view(), sample_view(symbols=len(HOSTILE) + 2, days=40, failing=2)
    plain["settings"] = {str(n): "" for n in range(len(HOSTILE))}
    plain["conventions"] = [""] * len(HOSTILE)
    plain["symbols"][-1]["error"] = "another"
    text = report_html(view)
    found, wanted = Page(text), Page(report_html(plain))
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in wanted.elements]
    assert found.data()["symbols"]["symbol"] == [row["symbol"] for row in view["symbols"]]
    assert found.data()["symbols"]["exchange"] == [row["exchange"] for row in view["symbols"]]
    (generator,) = (a["content"] for _, a in found.elements if a.get("name") == "generator")
    assert generator == f"tickreel {view['version']}"
    for name in HOSTILE[:5]:
        assert found.text.count(name) >= 4
    text.encode("utf-8")
    assert "\x00" not in text and "\x1b" not in text


@given(st.text(max_size=30))
def test_any_text_survives_the_data_element(name: str) -> None:
    view = sample_view(symbols=0, days=1, failing=0)
    view["symbols"] = [{**_FAILED, "symbol": name}]
    text = payload(view)
    assert text.isascii() and not set(text) & set("<>&")
    assert json.loads(text)["symbols"]["symbol"] == [name]


_FAILED = sample_view(symbols=1, days=1, failing=1)["symbols"][0]


def test_the_terminal_and_the_notebook_are_not_steered() -> None:
    view = hostile_view()
    shown = printed(view, limit=20)
    assert "\x1b" not in shown and "\x00" not in shown and "\u202e" not in shown
    assert "[bold red]markup[/bold red]" in shown
    fragment = summary_html(view)
    assert {tag for tag, _ in Page(fragment).elements} <= {
        *("div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "svg", "polyline", "span")
    }
    fragment.encode("utf-8")


# Nothing is missing ------------------------------------------------------------------------


def test_every_figure_of_a_performance_is_shown() -> None:
    fields = {field.name for field in dataclasses.fields(Performance)} - {"months", "reasons"}
    assert {figure.name for figure in FIGURES} == fields | {"trades"}


def test_every_number_of_the_view_is_in_the_page(view: RunView, page: Page) -> None:
    data = page.data()
    rows = view["symbols"]
    for place, metrics, trades, found in [
        ("portfolio", view["portfolio"]["metrics"], view["trades"], data["portfolio"]),
        *(
            (row["symbol"], row["metrics"], row["trades"], {k: v[n] for k, v in data["symbols"].items()})
            for n, row in enumerate(rows)
        ),
    ]:
        for figure, value in zip(FIGURES, found["figures"], strict=True):
            wanted = trades if figure.name == "trades" else getattr(metrics, figure.name, None)
            assert value == wanted, (place, figure.name)
        reasons = {name: data["reasons"][number] for name, number in found["reasons"].items()}
        assert reasons == (metrics.reasons if metrics else {})
        for month, value in zip(data["months"], found["months"], strict=True):
            wanted = metrics.months.get(month) if metrics else None
            assert value == wanted
    assert data["months"] == [f"2024-0{month}" for month in range(1, 7)]


def test_curves_hold_every_daily_sample(view: RunView, page: Page) -> None:
    data = page.data()
    subjects = [view["portfolio"], *view["symbols"]]
    for row, found in zip(subjects, [data["portfolio"]["curve"], *data["symbols"]["curve"]], strict=True):
        if not len(row["equity"]):
            assert found is None
            continue
        assert "at" not in found
        assert (found["start"], found["step"]) == (START // 10**6, NS_PER_DAY // 10**6)
        change = np.array(found["change"])
        assert found["base"] + change == pytest.approx(row["equity"], rel=1e-15)
        assert np.allclose(found["drawdown"], row["drawdown"], rtol=1e-5, atol=1e-12)


def test_coverage_keeps_every_missing_day(view: RunView, page: Page) -> None:
    days = page.data()["days"]
    assert days == {"first": START // NS_PER_DAY, "count": 182}
    some, longest = 0, 0
    for row, found in zip(view["symbols"], page.data()["symbols"]["coverage"], strict=True):
        missing = [offset + n for offset, length in found["missing"] for n in range(length)]
        named = [str(np.datetime64(days["first"] + day, "D")) for day in missing]
        assert named == row["coverage"]["missing_days"]
        assert (found["asked"], found["found"]) == (182, 182 - len(named))
        some += len(named)
        longest = max([longest, *(length for _, length in found["missing"])])
    assert some > 0 and longest > 1


def test_the_head_of_the_page_says_what_was_run(view: RunView, page: Page) -> None:
    for text in [
        *("Momentum", "synthetic data, seed 7", "2024-01-01 to 2024-07-01", "15 on binance-futures, bybit"),
        *("9.84 s", "2 workers", view["created"], view["command"], *view["conventions"]),
        *(part for pair in view["settings"].items() for part in pair),
        number(view["trades"], "count"),
        number(view["trades"] / view["wall_seconds"], "count") + " trades/s",
        *(
            "1 failed symbol",
            "ZeroDivisionError: float division by zero",
            "Traceback (most recent call last)",
        ),
    ]:
        assert text in page.text, text
    for figure in key_figures(view):
        assert figure.value.replace("-", "\u2212") in page.text
    banners = [a for tag, a in page.elements if a.get("class") == "banner" and a.get("role") == "note"]
    assert len(banners) == 1
    assert 'role="note"' not in report_html({**view, "source": None})


def test_equal_tracebacks_are_told_once_and_long_ones_are_cut() -> None:
    same = sample_view(symbols=40, days=31, failing=40)
    text = Page(report_html(same)).text
    assert text.count("Traceback") == 1 and "40 failed symbols" in text and "and 37 more" in text
    for number_, row in enumerate(same["symbols"]):
        row["error"] = f"{number_}\n" + "frame\n" * 20_000 + f"ValueError: end of {number_}"
    cut = report_html(same)
    assert len(cut) < 2 * MEGABYTE
    assert all(f"ValueError: end of {n}" in cut for n in range(40))


# Size ----------------------------------------------------------------------------------------


def many(view: RunView, copies: int) -> RunView:
    """Repeat the symbols under other names with other returns."""
    rows = []
    for number_ in range(copies):
        for row in view["symbols"]:
            metrics = row["metrics"]
            if metrics:
                gain = metrics.total_return * (1 + number_ / 1e6)
                metrics = dataclasses.replace(metrics, total_return=gain)
            rows.append({**row, "symbol": f"{row['symbol']}-{number_}", "metrics": metrics})
    return {**view, "symbols": rows}


def test_five_thousand_symbols_stay_small() -> None:
    view = many(sample_view(symbols=200, days=182, failing=1), 25)
    text = report_html(view)
    assert len(text.encode()) < 8 * MEGABYTE
    kept = {n for n, found in enumerate(symbol_curves(view)) if found}
    order = sorted(
        (row["metrics"].total_return, n) for n, row in enumerate(view["symbols"]) if row["metrics"]
    )
    assert kept == {n for _, n in order[:BEST_AND_WORST] + order[-BEST_AND_WORST:]}
    assert "the 100 best and the 100 worst" in text
    assert len(json.loads(payload(view))["symbols"]["figures"]) == 5_000


def test_a_million_samples_stay_small_and_keep_their_spikes() -> None:
    view = sample_view(symbols=1, days=182, failing=0, samples_per_day=5_495)
    row = view["symbols"][0]
    assert len(row["equity"]) > 1_000_000
    for subject in (row, view["portfolio"]):
        subject["equity"][543_210] = 5e6
        subject["drawdown"][654_321] = 0.987
    data = page_data(view)
    assert len(report_html(view)) < MEGABYTE
    for found, points in [
        (data["symbols"]["curve"][0], SYMBOL_POINTS),
        (data["portfolio"]["curve"], PORTFOLIO_POINTS),
    ]:
        assert points // 2 < len(found["change"]) <= points
        assert len(found["change"]) == len(found["drawdown"]) == len(found["at"])
        times = np.array(found["at"]) * found["step"] + found["start"]
        spike = row["times_ns"][543_210] // 10**6
        assert times[np.argmax(found["change"])] == spike
        assert max(found["drawdown"]) == 0.987


@pytest.mark.parametrize("failing", [0, 3])
def test_a_run_with_nothing_measured_has_a_page(failing: int) -> None:
    view = sample_view(symbols=failing, days=10, failing=failing)
    page = Page(report_html(view))
    assert page.data()["portfolio"]["curve"] is None
    assert "no symbol was measured" in page.text
    assert average_return(view) is None
    assert "Symbols tested" in printed(view)
    assert summary_html(view).startswith("<div ")
    assert "<svg" not in summary_html(view)


# Words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (None, "gain", "–"),
        (math.nan, "ratio", "–"),
        (math.inf, "ratio", "–"),
        (0.1234567, "gain", "+12.35%"),
        (-0.1234567, "gain", "-12.35%"),
        (-0.00001, "gain", "0.00%"),
        (0.1234567, "share", "12.35%"),
        (123456.0, "gain", "+1.23e+07%"),
        (1.7238613961706866, "ratio", "1.72"),
        (-0.001, "ratio", "0.00"),
        (1234567.891, "money", "1,234,567.89"),
        (0.00012345678, "money", "0.0001235"),
        (2_300_000_000, "count", "2,300,000,000"),
    ],
)
def test_numbers_as_text(value: float | None, style: str, text: str) -> None:
    assert number(value, style) == text


@pytest.mark.skipif(not shutil.which("node"), reason="runs the page's script")
def test_the_page_rounds_as_the_terminal_does_once() -> None:
    """Money of any size, also where the shortest text ends in 5, or the float lies between two cents."""
    random_ = random.Random(3)
    money = [
        3939784741.7889924,
        100442.63479,
        442.63479,
        2.675,
        1.005,
        0.125,
        8.375,
        -8.125,
        1e11 + 0.125,
        99.995,
    ]
    money += [random_.randrange(10**12) / random_.choice((8, 16, 1e3, 1e4)) for _ in range(2_000)]
    asked = [(value, style) for value in money for style in ("money", "ratio", "gain", "share")]
    script = (ASSETS / "format.js").read_text("utf-8") + (
        "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(([value, style]) => show(value, style))))"
    )
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    shown = [text.replace("\u2212", "-") for text in json.loads(done.stdout)]
    assert shown == [number(value, style) for value, style in asked]


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(3, 9))
def test_rounded_numbers_are_near_and_are_json(value: float, digits: int) -> None:
    found = rounded(value, digits)
    if not math.isfinite(value):
        assert found is None
    else:
        assert found == pytest.approx(value, rel=10.0 ** (1 - digits), abs=1e-300)
        json.dumps(found, allow_nan=False)


def test_average_and_ranking(view: RunView) -> None:
    gains = [row["metrics"].total_return for row in view["symbols"] if row["metrics"]]
    assert average_return(view) == pytest.approx(sum(gains) / 14)
    order = [row["metrics"].total_return if row["metrics"] else None for row in ranked(view)]
    assert order == [*sorted(gains, reverse=True), None]


def test_the_terminal_shows_the_best_and_the_errors(view: RunView) -> None:
    shown = printed(view, limit=5)
    best = [row for row in ranked(view) if row["metrics"]]
    for row in best[:5]:
        assert row["symbol"] in shown
        for name, style in (("total_return", "gain"), ("sharpe", "ratio"), ("max_drawdown", "share")):
            assert number(getattr(row["metrics"], name), style) in shown
    assert not any(row["symbol"] in shown for row in best[5:])
    for text in [
        "Symbols tested",
        "Average return",
        "Trades processed",
        "Top performers (5 of 14)",
        "1000PEPEUSDT",
    ]:
        assert text in shown
    assert "ZeroDivisionError" in shown and number(average_return(view), "gain") in shown
    assert "synthetic data, seed 7" in shown


def test_the_notebook_fragment_names_the_best(view: RunView) -> None:
    fragment = summary_html(view)
    best = ranked(view)[0]
    assert f"{best['symbol']} ({best['exchange']})" in fragment
    assert number(average_return(view), "gain") in fragment
    assert "1000PEPEUSDT (bybit)" in fragment and "synthetic data, seed 7" in fragment
    assert len(fragment) < 30_000


def test_the_notebook_fragment_shows_the_curve_within_its_frame() -> None:
    for view in (sample_view(3, 182), sample_view(1, 1, failing=0), sample_view(2, 3_000)):
        (points,) = re.findall(r'<polyline points="([^"]+)"', summary_html(view))
        places = [tuple(map(float, point.split(","))) for point in points.split()]
        assert 2 <= len(places) <= 402
        assert (places[0][0], places[-1][0]) == (0.0, 720.0)
        assert all(0.0 <= y <= 180.0 for _, y in places)
        assert {min(y for _, y in places), max(y for _, y in places)} == {4.0, 176.0}
