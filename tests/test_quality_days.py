"""Days beside each other in a quality report, and what a day alone can tell: too little, healthy, or worst."""

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_files import changed, document, usual, verdicts, without, write
from tickreel.quality.meter import Meter
from tickreel.quality.rule import Verdict
from tickreel.quality.verdicts import few_rows
from tickreel.schema import RECORD_TYPES
from tickreel.units import day_start

DAY_NS = day_start("2024-01-01")


def test_a_day_of_few_rows_stands_out_of_its_stream() -> None:
    assert few_rows(9, [9, 100, 100, 100, 100]) == Verdict(
        "few_rows", 2, "9 rows, where the median day has 100"
    )
    assert few_rows(10, [10, 100, 100, 100, 100]) is None
    assert few_rows(9, [9, 100, 100, 100]) is None
    assert few_rows(1, [1, 1_000]) == Verdict("few_rows", 3, "1 row, where the median day has 1,000")
    assert few_rows(10, [10, 1_000]) is None
    assert few_rows(0, [0, 1_000]) is None


def test_a_nearly_empty_day_is_not_fine(place: Path) -> None:
    write(place / "files", usual(every_us=1_000_000, count=20))
    write(place / "files", usual(day=1), day="2024-01-02")
    for day in (2, 3):
        write(place / "files", usual(day=day), day=f"2024-01-0{day + 1}")
    write(place / "files", usual(day=4, count=1), day="2024-01-05")
    found = document(place)
    sparse = "all rows lie within 19 s of the day, from 00:00:00 to 00:00:19"
    assert verdicts(found, 0)["sparse"] == ("warning", sparse)
    for day, rows in ((0, "20 rows"), (4, "1 row")):
        assert verdicts(found, day)["few_rows"] == ("bad", f"{rows}, where the median day has 8,640")


def test_most_ids_lost_at_once_is_bad(place: Path) -> None:
    write(place / "files", changed(usual(), id=lambda row: row["id"] + (row["id"] > 700) * 100_000))
    assert verdicts(document(place))["id_holes"][0] == "bad"


def test_days_that_join_are_recognised_and_others_too(place: Path) -> None:
    days = (usual(), usual(day=1), changed(usual(day=2), id=lambda row: row["id"] + 5), usual(day=3)[120:])
    for day, rows in enumerate(days):
        write(place / "files", rows, day=f"2024-01-0{day + 1}")
    found = document(place)
    told = [verdicts(found, day).get("join") for day in range(4)]
    assert told[0] is None
    assert told[1] == ("note", "joins the day before after 10 s, no id missing")
    assert told[2] == ("warning", "joins the day before after 10 s, 5 ids missing")
    assert told[3] == ("warning", "a gap of 20.17 min over midnight, 115 ids missing")


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ([8_642, 8_641, 8_643], "no id missing"),
        ([8_640], "the last id comes again"),
        ([8_630], "ids go back by 10"),
    ],
)
def test_ids_join_by_the_lowest_of_the_day(place: Path, first: list[int], says: str) -> None:
    write(place / "files", usual())
    rest = [max(first) + 1 + number for number in range(500)]
    rows = [row | {"id": id} for row, id in zip(usual(day=1), first + rest, strict=False)]
    write(place / "files", rows, day="2024-01-02")
    assert verdicts(document(place), 1)["join"][1].endswith(says)


def test_the_worst_day_is_the_one_shown(place: Path) -> None:
    for day, end in enumerate((1_030, 1_300, 1_040)):
        write(place / "files", without(usual(day=day), 1_000, end), day=f"2024-01-0{day + 1}")
    (gaps,) = [line for line in document(place)["streams"][0]["findings"] if line["rule"] == "gaps"]
    assert (gaps["days"], gaps["day"]) == (3, "2024-01-02")
    assert gaps["text"].startswith("a gap of 50.17 min")


def test_a_clock_that_the_venue_does_not_send_is_but_noted(place: Path) -> None:
    rows = changed(usual("quotes"), timestamp=lambda row: row["local_timestamp"])
    for exchange in ("binance", "okex"):
        write(place / "files", rows, "book_ticker", exchange=exchange)
        write(place / "files", rows, "quotes", exchange=exchange)
    told = {(day["exchange"], day["type"]): day["severity"] for day in document(place)["days"]}
    assert told == {
        ("binance", "book_ticker"): 1, ("binance", "quotes"): 2, ("okex", "book_ticker"): 2, ("okex", "quotes"): 2,
    }  # fmt: skip


def test_a_book_that_no_ladder_holds_leaves_the_other_figures(place: Path) -> None:
    rows = usual("incremental_book_L2")
    rows[0] |= {"is_snapshot": "true"}
    rows[-1] |= {"price": "123456789012345.67"}
    rows[-2] |= {"price": "100.00000001"}
    write(place / "files", rows, "incremental_book_L2")
    (day,) = document(place)["days"]
    assert "error" not in day
    assert (day["figures"]["snapshots"], day["figures"]["books_refused"]) == (1, 1)
    assert not {"crossed_rows", "book_messages"} & set(day["figures"])
    assert [verdict["rule"] for verdict in day["verdicts"]] == ["no_book"]


@pytest.mark.parametrize(("every", "severity"), [(7, "note"), (4_000, "warning")])
def test_prices_that_go_to_and_fro_by_a_wide_step_are_no_outliers(
    place: Path, every: int, severity: str
) -> None:
    rows = [
        row | {"price": 102 if number % every == 20 % every else 100} for number, row in enumerate(usual())
    ]
    write(place / "files", rows)
    assert verdicts(document(place))["outliers"][0] == severity


def test_times_in_milliseconds_are_not_thinned_where_ids_count_every_row(place: Path) -> None:
    rows = changed(
        usual(every_us=8_640_000, count=10_000), local_timestamp=lambda row: row["local_timestamp"] - 3
    )
    write(place / "files", rows)
    assert "thinned" not in verdicts(document(place))


@pytest.mark.parametrize(("count", "severity"), [(10, "note"), (8_640, "warning")])
def test_a_side_that_is_empty_on_half_of_the_rows_is_a_warning(
    place: Path, count: int, severity: str
) -> None:
    rows = usual("quotes")
    write(place / "files", [*changed(rows[:count], bid_price=""), *rows[count:]], "quotes")
    assert verdicts(document(place))["empty_sides"][0] == severity


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(-(4 * 10**12), 4 * 10**12), min_size=1, max_size=4),
    st.lists(st.sampled_from([0, 5_000, -20_000_000, 300_000_000]), min_size=2, max_size=6),
)
def test_drift_is_never_more_than_that_of_the_exact_medians(bases: list[int], moves: list[int]) -> None:
    """And at most two widths of a bin less: 1.6 % of the offset."""
    hours, medians = [], []
    for hour, move in enumerate(moves):
        offsets = [bases[hour % len(bases)] // 1_000 * 1_000 + move + 1_000 * number for number in range(101)]
        medians.append(statistics.median(offsets))
        local = DAY_NS + hour * 3_600 * 10**9 + np.arange(101) * 10**9
        hours.append((local, local - np.array(offsets)))
    cells = {
        name: np.ones(101 * len(moves)) for name in ("ask_price", "bid_price", "ask_amount", "bid_amount")
    }
    meter = Meter(RECORD_TYPES["quotes"], DAY_NS)
    local_ns, exchange_ns = (np.concatenate(parts) for parts in zip(*hours, strict=True))
    meter.add(cells | {"local_ns": local_ns, "exchange_ns": exchange_ns}, np.zeros(len(local_ns), np.bool_))
    found, _ = meter.finish()
    drift = max(medians) - min(medians)
    jump = max(abs(b - a) for a, b in zip(medians, medians[1:], strict=False))
    width = 2 * max(abs(value) for value in medians) / 128 + 2
    assert drift - width <= found["offset_drift_ns"] <= drift
    assert jump - width <= found["offset_jump_ns"] <= jump
    assert found["offset_drift_ns"] <= found["offset_max_ns"] - found["offset_min_ns"]


def test_crossed_intervals_are_told_with_their_ends_in_json_and_page(place: Path) -> None:
    rows = [
        row | ({"bid_price": 102} if number in (9, 10, 20, 30, 40, 50, 60) else {})
        for number, row in enumerate(usual("quotes"))
    ]
    write(place / "files", rows, "quotes")
    (day,) = document(place, "--out", place / "q.html")["days"]
    found = day["places"]["crossed_intervals"]
    assert len(found) == 5
    assert [(end - start) // 10**9 for start, end, _ in found] == [20, 10, 10, 10, 10]
    where = "00:01:30 to 00:01:50, 00:03:20 to 00:03:30, 00:05:00 to 00:05:10"
    assert where in day["verdicts"][0]["text"]
    assert json.dumps(where)[1:-1] in (place / "q.html").read_text("utf-8")
