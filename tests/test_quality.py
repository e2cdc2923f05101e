"""`tickreel quality` over made-up files: each oddity is named, what is missing is listed, the page is whole."""

import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from import_sample import DAY_US, START_US, take
from quality_files import EVERY_US, Rows, called, changed, document, fill, usual, verdicts, without, write
from tickreel.cli.app import run
from tickreel.quality.asked import Asked, StreamKey
from tickreel.quality.figures import FIGURES
from tickreel.quality.rule import Rule, Severity
from tickreel.quality.segments import Measured
from tickreel.quality.survey import Stream, survey
from tickreel.quality.verdicts import RULES, join, judge
from tickreel.quality.view import view
from tickreel.quality.words import clock_text
from tickreel.report.quality_html import quality_html
from tickreel.report.quality_terminal import quality_table
from tickreel.report.words import spoken_ns
from tickreel.store.catalog import SegmentKey, Store
from tickreel.units import NS_PER_DAY, day_of, day_start


def test_nothing_is_said_of_a_day_as_it_should_be(place: Path) -> None:
    write(place / "files", usual())
    found = document(place)
    assert verdicts(found) == {}
    assert found["days"][0]["figures"]["rows"] == DAY_US // EVERY_US
    assert found["streams"][0]["severity"] == 0


BEFORE = {"timestamp": lambda row: row["local_timestamp"] + 1_271_000}
ODD: dict[str, tuple[str, Rows, str, str]] = {
    "no_local": ("trades", [{name: cell for name, cell in row.items() if name != "local_timestamp"} for row in usual()[1:]], "note", "no local times: how late a row arrived is not known"),
    "clock": ("trades", changed(usual(), **BEFORE), "bad", "1.271 s (1.271 s to 1.271 s) before exchange time on every row"),
    "one_clock": ("trades", changed(usual(), timestamp=lambda row: row["local_timestamp"]), "warning", "equals exchange time on every row"),
    "lag": ("trades", changed(usual(), timestamp=lambda row: row["local_timestamp"] - 134_000 - row["id"] % 576 * 1_000), "note", "134 ms to 709 ms"),
    "drift": ("trades", changed(usual(), timestamp=lambda row: row["local_timestamp"] - 1_000 - row["id"] * 20), "warning", "over the day"),
    "backwards": ("trades", [*usual()[:500], usual()[500] | {"timestamp": START_US}, *usual()[501:]], "note", "steps back once, at most by 83.17 min"),
    "coverage": ("trades", changed(usual(every_us=1_000_000, count=360), local_timestamp=lambda row: row["local_timestamp"] + DAY_US - 360_000_000), "bad", "0.417 % of the day: the first at 23:54:00, the last at 23:59:59"),
    "gaps": ("trades", without(usual(), 1_000, 1_039), "warning", "a gap of 400 s; 02:46:30 to 02:53:10"),
    "bursts": ("trades", [row for row in usual() for _ in "xxxx"], "note", "75 % the local time and 75 % the exchange time"),
    "thinned": ("trades", changed(usual(every_us=8_640_000, count=10_000), local_timestamp=lambda row: row["local_timestamp"] - 3 + row["id"] % 2 * 1_000, id=""), "warning", "whole milliseconds and 0 % of them repeat"),
    "duplicates": ("trades", [*usual()[:9], usual()[8], *usual()[9:]], "note", "1 of 8,641 rows (0.0116 %)"),
    "set_aside": ("trades", [*usual(), usual()[-1] | {"price": 0}], "warning", "import set aside 1 line of its files"),
    "order": ("trades", [*usual()[:9], usual()[7] | {"id": 10}, *changed(usual()[9:], id=lambda row: row["id"] + 1)], "note", "import put in order 1 row of its files"),
    "no_ids": ("trades", changed(usual(), id=""), "note", "no row has an id"),
    "id_holes": ("trades", changed(usual(), id=lambda row: row["id"] + (row["id"] > 700) * 3), "warning", "3 ids missing (0.0347 %) in 1 hole, at most 3 in one"),
    "ids_twice": ("trades", [*usual()[:9], usual()[8] | {"price": 101}, *usual()[9:]], "warning", "1 row has an id that came before; 00:01:20"),
    "ids_text": ("trades", changed(usual(), id=lambda row: f"{row['id']}-x" if row["id"] == 10 else row["id"]), "note", "the id is no number in 1 of 8,640 rows (0.0116 %): of these none can be missed; 00:01:30"),
    "ids_late": ("trades", [*usual()[:9], usual()[9] | {"id": 11}, usual()[10] | {"id": 10}, *usual()[11:]], "note", "ids come after higher ones in 1 of 8,640 rows (0.0116 %); 00:01:40"),
    "ids_backwards": ("trades", [*usual()[:9], usual()[9] | {"id": 3}, *usual()[10:]], "warning", "ids go backwards in 1 of"),
    "sides": ("trades", changed(usual(), side="unknown"), "warning", "the side is unknown on every row"),
    "outliers": ("trades", [*usual()[:9], usual()[9] | {"price": 102}, *usual()[10:]], "warning", "1 price stands more than 1 % off the trades around it and comes back; 00:01:30: 102 where its neighbours have 100"),
    "amount": ("trades", [*usual()[:9], usual()[9] | {"amount": 1e6}, *usual()[10:]], "warning", "one row has 99.1 % of the day's amount"),
    "late_snapshot": ("incremental_book_L2", [*usual("incremental_book_L2")[:328], *changed(usual("incremental_book_L2")[328:], is_snapshot="true")], "warning", "after 328 rows of changes"),
    "snapshot_zeros": ("incremental_book_L2", changed(usual("incremental_book_L2"), is_snapshot="true", amount=0), "warning", "8,640 levels with amount 0"),
    "sparse": ("trades", usual(every_us=800_000_000, count=99), "note", "only 99 seconds of the day have rows"),
    "reconnects": ("incremental_book_L2", [row | {"is_snapshot": "true" if number in (0, 50) else "false"} for number, row in enumerate(usual("incremental_book_L2"))], "note", "1 snapshot after the first"),
    "no_book": ("incremental_book_L2", [row | {"is_snapshot": "true" if number < 2 else "false", "price": (99, "123456789012345.67", "100.00000001")[min(number, 2)]} for number, row in enumerate(usual("incremental_book_L2"))], "warning", "prices lie too far apart for one book"),
    "absent": ("incremental_book_L2", [row | {"is_snapshot": "false" if number else "true", "amount": int(number != 1), "price": 100 + (number == 1)} for number, row in enumerate(usual("incremental_book_L2"))], "note", "1 of 1 removal is of levels that the book has not"),
    "book_cells": ("incremental_book_L2", changed(usual("incremental_book_L2"), is_snapshot="true", price=""), "warning", "no price or no amount in 8,640 of 8,640 rows (100 %)"),
    "crossed": ("quotes", [*usual("quotes")[:9], *changed(usual("quotes")[9:11], bid_price=102), *usual("quotes")[11:]], "warning", "in 1 interval, 20 s in all, the longest 20 s; 00:01:30 to 00:01:50"),
    "locked": ("quotes", [*usual("quotes")[:9], *changed(usual("quotes")[9:10], bid_price=101), *usual("quotes")[10:]], "note", "in 1 of 8,640 rows"),
    "empty_sides": ("quotes", [*usual("quotes")[:9], *changed(usual("quotes")[9:10], bid_price=""), *usual("quotes")[10:]], "note", "no bid or no ask in 1 of"),
    "funding": ("derivative_ticker", [*usual("derivative_ticker")[:9], *changed(usual("derivative_ticker")[9:], funding_timestamp=START_US - 1_000_000)], "warning", "steps back once; 00:01:30"),
}  # fmt: skip


@pytest.mark.parametrize("rule", ODD)
def test_each_oddity_is_named_with_its_severity(place: Path, rule: str) -> None:
    type, rows, severity, text = ODD[rule]
    write(place / "files", rows, type)
    told = verdicts(document(place))[rule]
    assert told[0] == severity
    assert text in told[1]


def test_without_local_times_nothing_is_said_of_clocks(place: Path) -> None:
    type, rows, *_ = ODD["no_local"]
    rows = [*rows[:500], rows[500] | {"timestamp": START_US}, *rows[501:]]
    write(place / "files", [row for row in rows for _ in "xx"], type)
    (day,) = (found := document(place))["days"]
    told = verdicts(found)
    assert {"no_local", "bursts", "order"} <= set(told)
    assert told["bursts"][1] == "rows that share a time with the row before: 50 % the exchange time"
    assert not {"clock", "one_clock", "lag", "drift", "backwards"} & set(told)
    assert not [name for name in day["figures"] if "offset" in name or "exchange" in name]
    assert day["figures"]["first_ns"] == START_US * 1_000
    assert call_page(place).startswith("<!doctype html>")


def call_page(place: Path) -> str:
    called(place, "--out", place / "page.html")
    return (place / "page.html").read_text("utf-8")


def test_a_book_that_crosses_is_named(place: Path) -> None:
    sides = [{"side": "bid", "price": 100}, {"side": "ask", "price": 101}, {"side": "bid", "price": 102}]
    last = {"side": "bid", "price": 102, "amount": 0}
    rows = usual("incremental_book_L2")
    flags = ("true", "false", "false", "false")
    crossed = [
        row | side | {"is_snapshot": flag}
        for row, side, flag in zip(rows, [*sides, last], flags, strict=False)
    ]
    write(place / "files", [*crossed, *(row | {"price": 99} for row in rows[4:])], "incremental_book_L2")
    told = verdicts(document(place))
    assert told["crossed"] == (
        "warning", "the bid is above the ask in 1 interval, 10 s in all, the longest 10 s; 00:00:20 to 00:00:30",
    )  # fmt: skip
    assert told["empty_sides"] == ("note", "no bid or no ask in 1 of 8,640 messages (0.0116 %); 00:00:00")


def test_every_rule_has_its_oddity() -> None:
    # What a recorder missed, or was given later, is in no file: see test_seal, test_record_relay.
    assert {*ODD, "missed", "lagged"} == {rule.name for rule in RULES}


NOWHERE = {
    "missed",
    "lagged",
    "no_local",
    "sparse",
    "coverage",
    "bursts",
    "thinned",
    "set_aside",
    "order",
    "no_book",
}
"""Rules of the day as a whole, or of lines of files."""


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.name not in NOWHERE], ids=lambda rule: rule.name)  # fmt: skip
def test_every_rule_that_counts_says_where(place: Path, rule: Rule) -> None:
    type, rows, _, _ = ODD[rule.name]
    if rule.name in ("clock", "one_clock", "no_ids", "sides", "book_cells", "snapshot_zeros"):
        rows = [
            *rows[:1],
            *usual(type)[1:1_000],
            *rows[1_000:2_000],
            *usual(type)[2_000:],
        ]  # not on every row
    write(place / "files", rows, type)
    (day,) = document(place)["days"]
    first = day["places"][rule.kind][0]
    assert 1 <= len(day["places"][rule.kind]) <= 5
    (text,) = [verdict["text"] for verdict in day["verdicts"] if verdict["rule"] == rule.name]
    assert f"; {clock_text(first[0])}" in text


def test_places_are_named(place: Path) -> None:
    rows = changed(without(usual(), 1_000, 1_157), id=lambda row: row["id"])
    rows[2_000] |= {"price": 50}
    write(place / "files", rows)
    places = document(place)["days"][0]["places"]
    (gap,) = places["gaps"]
    assert gap[:2] == [rows[999]["local_timestamp"] * 1_000, rows[1_000]["local_timestamp"] * 1_000]
    assert places["id_holes"] == [[rows[1_000]["local_timestamp"] * 1_000, None, "157 missing after 1000"]]
    assert places["outliers"] == [
        [rows[2_000]["local_timestamp"] * 1_000, None, "50 where its neighbours have 100"]
    ]


def test_a_threshold_that_is_given_takes_the_place_of_the_usual_one(place: Path) -> None:
    write(place / "files", without(usual(), 1_000, 1_005))
    assert "gaps" not in verdicts(document(place))
    assert verdicts(called(place, "--gap", "11s"))["gaps"] == (
        "warning",
        "a gap of 60 s; 02:46:30 to 02:47:30",
    )


def test_sparse_rows_have_no_gap_at_their_usual_pace(place: Path) -> None:
    write(place / "files", usual()[::90])  # one in 15 minutes
    figures = document(place)["days"][0]["figures"]
    assert figures["gaps"] == 0
    assert figures["gap_threshold_ns"] == 20 * 900 * 10**9


# Damage, workers


def test_a_damaged_segment_is_named_and_the_others_are_measured(place: Path) -> None:
    fill(place)
    take(place / "tape", place / "files")
    path = sorted((place / "tape").rglob("*.reel"))[0]
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    found = called(place, code=1)
    (bad,) = [day for day in found["days"] if "error" in day]
    assert found["totals"]["unreadable"] == 1
    assert "checksum" in bad["error"]
    assert bad["verdicts"][0]["rule"] == "unreadable"
    assert len(found["days"]) == 6


def test_workers_change_nothing(market_store: Store) -> None:
    found = []
    for workers in (1, 2):
        feed, streams = survey(market_store, Asked(), workers=workers)
        found.append(msgspec.json.encode(view("x", feed, Asked(), streams)))
    assert found[0] == found[1]


# Verdicts


def test_a_duration_is_spoken_in_its_unit() -> None:
    told = {
        0: "0 us",
        1_500: "1.5 us",
        134_000_000: "134 ms",
        -1_271_000_000: "-1.271 s",
        314_700_000_000: "314.7 s",
    }
    assert {ns: spoken_ns(ns) for ns in told} == told
    assert spoken_ns(86_400 * 10**9) == "24 h"


@pytest.mark.parametrize(
    ("count", "severity"), [(1, "note"), (9, "note"), (10, "warning"), (5_000, "warning")]
)
def test_reconnects_are_a_warning_from_ten_on(count: int, severity: str) -> None:
    (rule,) = [rule for rule in RULES if rule.name == "reconnects"]
    found = rule.look({"reconnects": count})
    assert found is not None
    assert Severity(found[0]).word == severity


def test_an_empty_day_has_no_seam() -> None:
    assert join({"rows": 0}, {"rows": 5}) is None
    assert [
        verdict.rule for verdict in judge({"rows": 0}, SegmentKey("f", "trades", "x", "A", "2024-01-01"))
    ] == ["empty"]


# Terminal and page


def test_the_terminal_says_what_the_document_says(place: Path, capfd) -> None:
    fill(place)
    take(place / "tape", place / "files")
    assert run(["quality", "--store", str(place / "tape"), "--workers", "1", "--quiet"]) == 0
    out = capfd.readouterr().out
    assert "6 days of 3 streams, 200 rows" in out
    assert "3/4" in out and "Missing" in out and "2024-01-03" in out
    assert "sparse: all rows lie within 390 s of the day" in out


def test_the_page_is_whole_and_loads_nothing(place: Path) -> None:
    fill(place)
    hostile = '<script>alert("x")</script>'
    document(place, "--out", place / "q.html")
    page = (place / "q.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    ids = set(re.findall(r"\bid=\"([\w-]+)\"", page))
    assert set(re.findall(r"byId\(\"([\w-]+)\"\)", page)) <= ids
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert [stream["map"] for stream in data["streams"]] == ["22-2", "2e  ", "2   "]
    feed, streams = survey(Store(place / "tape"), Asked(), workers=1)
    shown = view(hostile, feed, Asked(), streams)
    for entry in (*shown["streams"], *shown["days"]):
        entry["symbol"] = hostile
    text = quality_html(shown, figures=[], rules=[], version="0", created="now")
    assert hostile not in text


def test_a_large_page_stays_small_and_says_what_it_left_out() -> None:
    figures = {figure.name: 3 for figure in FIGURES if not figure.types or "trades" in figure.types}
    days = [day_of(day_start("2024-01-01") + n * NS_PER_DAY) for n in range(180)]
    streams = []
    for number in range(10):
        stream = Stream(StreamKey(0, "x", f"S{number}", False), days)
        for day in days:
            key = SegmentKey("f", "trades", "x", stream.key.symbol, day)
            stream.found[day] = Measured(key, figures | {"rows": 1_000 + number})
        streams.append(stream)
    page = quality_html(view("x", "f", Asked(), streams), figures=[], rules=[], version="0", created="now")
    assert len(page) < 2_000_000
    assert "worst are in this file" in page


@pytest.mark.parametrize("width", [50, 80, 200])
def test_nothing_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    name = "BTC-1MAR24-50000-C-OF-A-VERY-LONG-NAME"
    stream = Stream(StreamKey(0, "binance-futures", name, False), ["2024-01-01", "2024-01-02"])
    key = SegmentKey("f", "trades", "binance-futures", name, "2024-01-01")
    stream.found["2024-01-01"] = Measured(key, error="beyond all words " * 12 + "end")
    text = io.StringIO()
    shown = view("x", "f", Asked(), [stream])
    Console(file=text, width=width).print(quality_table(shown))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(text.getvalue().split())
    assert words.count(name) == 3
    for part in (
        "trades",
        "unreadable: cannot be read: beyond",
        "end",
        "1 bad, 0 warnings, 0 notes; 1 day missing",
        "2024-01-02",
    ):
        assert part in words
    assert "1 day of 1 stream, 0 rows" in words


def test_what_cannot_be_written_is_refused_before_anything_is_measured(place: Path, monkeypatch) -> None:
    fill(place)
    take(place / "tape", place / "files")
    monkeypatch.setattr("tickreel.quality.survey._measure", lambda *rest: pytest.fail("measured"))
    message = called(place, "--out", place, code=2)["error"]["message"]
    assert message.endswith(f"is a folder; name a file, e.g. {place / 'quality.html'}")
    called(place, "--out", place / "nowhere" / "q.html", code=5)
    assert not [path for path in place.parent.glob(f".{place.name}*")]
    assert sorted(path.name for path in place.iterdir()) == ["files", "tape"]
