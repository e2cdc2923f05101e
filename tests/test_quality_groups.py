"""A group's file in a quality report: no worse than its worst symbol, which is named; time is that of all together."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import twin_quality
from import_sample import DAY_US
from quality_files import EVERY_US, Rows, changed, document, usual, verdicts, without, write
from tickreel.quality.gaps import Together

DAY_NS = 86_400 * 10**9 * 19_723


def group(place: Path, type: str = "trades", **symbols: Rows) -> dict[str, Any]:
    """Return the document of a group's file."""
    rows = [row for name, rows in symbols.items() for row in changed(rows, symbol=name)]
    write(place / "files", rows, type, symbol="SPOT")
    return document(place, "--symbols", "SPOT")


def test_a_group_is_one_line_with_its_worst_symbols(place: Path) -> None:
    found = group(place, AUSDT=usual(), BUSDT=changed(usual(count=300), side="unknown"))
    (day,) = found["days"]
    assert (day["figures"]["symbols"], day["figures"]["rows"]) == (2, 8_940)
    assert day["figures"]["side_unknown"] == 300
    assert [symbol["symbol"] for symbol in day["worst_symbols"]] == ["BUSDT"]
    assert found["streams"][0]["group"] is True


def test_a_group_is_as_bad_as_its_worst_symbol_and_names_it_and_the_place(place: Path) -> None:
    quotes = usual("quotes")
    crossed = [
        row | ({"bid_price": 102} if number in (100, 200) else {}) for number, row in enumerate(quotes)
    ]
    symbols = {f"S{number}": crossed for number in range(4)}
    symbols["S4"] = [*crossed[:300], crossed[300] | {"bid_price": 102}, *crossed[301:]]
    found = group(place, "quotes", **symbols)
    assert found["days"][0]["figures"]["crossed_ns"] >= 60 * 10**9  # the sum would be bad
    assert verdicts(found) == {
        "crossed": (
            "warning",
            "5 of 5 symbols, worst S4: the bid is above the ask in 3 intervals, 30 s in all, the longest 10 s;"
            " 00:16:40 to 00:16:50, 00:33:20 to 00:33:30, 00:50:00 to 00:50:10",
        )
    }


def test_a_group_has_a_gap_where_all_its_symbols_have(place: Path) -> None:
    half = DAY_US // EVERY_US // 2
    rows = usual()
    assert "gaps" not in verdicts(group(place, AUSDT=rows[:half], BUSDT=rows[half:]))


def test_the_gap_of_a_group_is_placed(place: Path) -> None:
    rows = without(usual(), 1_000, 1_039)
    found = group(place, AUSDT=rows[::2], BUSDT=rows[1::2])
    assert verdicts(found)["gaps"] == ("warning", "a gap of 400 s; 02:46:30 to 02:53:10")
    assert "coverage" not in verdicts(found)


SPACINGS = st.sampled_from([0, 1_000, 999_999_000, 10**9, 30 * 10**9, 61 * 10**9, 7_200 * 10**9])


@settings(deadline=None)
@given(
    st.lists(st.tuples(SPACINGS, st.integers(0, 2)), min_size=1, max_size=40),
    st.sampled_from([None, 10**9, 45 * 10**9]),
)
def test_the_time_of_a_group_is_that_of_its_rows_in_one_order(
    steps: list[tuple[int, int]], gap_ns: int | None
) -> None:
    local = DAY_NS
    symbols: list[list[int]] = [[], [], []]
    for spacing, symbol in steps:
        local = min(local + spacing, DAY_NS + 86_400 * 10**9 - 1_000)
        symbols[symbol].append(local)
    together = Together(DAY_NS, gap_ns)
    for times in symbols:
        together.add(np.array(times, np.int64))
    rows = [{"local_ns": ns} for ns in sorted(ns for times in symbols for ns in times)]
    found, places = together.figures()
    wanted = twin_quality.times(rows, DAY_NS, gap_ns)
    assert found == {name: wanted[name] for name in found}
    assert len(places) == min(found["gaps"], 5)


def test_what_import_counted_of_a_file_is_said_to_be_the_files(place: Path) -> None:
    rows = [*changed(usual(), symbol="AUSDT"), *changed(usual(), symbol="BUSDT", side="buy")]
    rows[-1] = rows[-1] | {"price": 0}
    write(place / "files", rows, symbol="AUSDT")
    told = verdicts(document(place), 0)["set_aside"]
    assert told == ("warning", "import set aside 1 line of its files (which hold other symbols or days too)")
