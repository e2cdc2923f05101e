"""Ids of a quality report: what is missing, what comes late, where ids begin anew."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin_quality
from tickreel.quality.contents import Ids
from tickreel.quality.rule import BAD, NOTE, WARNING
from tickreel.quality.verdicts import BY_NAME, join


def looked_at(texts: list[Any], step: int = 1_000) -> dict[str, Any]:
    """Return the figures of some ids, `step` at a time."""
    content = Ids()
    for start in range(0, len(texts), step):
        part = np.array([str(text).encode() for text in texts[start : start + step]])
        content.add({"id": part, "local_ns": np.arange(start, start + len(part))})
    return content.figures()


STEPS = st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 0, -1, -2, 40, -40, -1_025, 5_000, 10**12, -(10**12)])


@settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=120), st.integers(1, 50))
def test_ids_are_walked_as_the_twin_walks_them(steps: list[int], step: int) -> None:
    """Also where more than 16 holes are open, ids step far away, and come back."""
    numbers = [abs(10**13 + number) for number in np.cumsum(steps).tolist()]
    found = looked_at(numbers, step)
    assert found == twin_quality.ids([str(number).encode() for number in numbers])


@settings(deadline=None)
@given(st.data())
def test_what_is_missing_is_what_does_not_come_in_whatever_order(data: st.DataObject) -> None:
    there = data.draw(st.sets(st.integers(0, 40), min_size=1))
    order = data.draw(st.permutations(sorted(there)))
    found = looked_at(order)
    assert found["ids_missing"] == max(there) - min(there) + 1 - len(there)
    assert (found["first_id"], found["highest_id"]) == (min(there), max(there))
    assert found["ids_backwards"] == 0
    assert found["ids_late"] == sum(
        number < max(order[:place]) for place, number in enumerate(order) if place
    )


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        # late: each fills the hole before it
        ([1, 3, 2, 5, 4, 7, 6, 8], {"ids_late": 3, "ids_missing": 0, "id_holes": 0, "ids_backwards": 0}),
        # one that is far too high leaves no hole and hides none
        ([1, 2, 10**12, 3, 4, 9, 10], {"ids_missing": 4, "id_holes": 1, "ids_backwards": 1, "highest_id": 10}),
        ([10**12, 1, 2, 5, 6], {"ids_missing": 2, "id_holes": 1, "ids_backwards": 1}),
        # one that is far too low
        ([5_000, 5_001, 3, 5_002, 5_005], {"ids_missing": 2, "id_holes": 1, "ids_backwards": 1}),
        # a new beginning
        ([10**9, 10**9 + 1, 1, 2, 5], {"ids_missing": 2, "id_holes": 1, "ids_backwards": 1, "highest_id": 5}),
        # two sequences in turns
        ([1, 10**9, 2, 10**9 + 1, 3, 10**9 + 2], {"ids_missing": 0, "ids_backwards": 1}),
        # numbers after the same letters
        (["ETH-1", "ETH-2", "ETH-5"], {"ids_missing": 2, "ids_text": 0, "first_id": 1}),
        (["ETH-1", "BTC-2", "3", "ETH-2x", "ETH-007", "ETH-2"], {"ids_missing": 0, "ids_text": 4}),
    ],
)  # fmt: skip
def test_steps_are_what_they_look_like(ids: list[Any], wanted: dict[str, int]) -> None:
    found = looked_at(ids)
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("rows", "holes", "missing", "severity", "text"),
    [
        (42_000, 1, 50_000, BAD, "50,000 ids missing (54.3 %) in 1 hole, at most 50 in one"),
        (1_000, 1, 1, WARNING, "1 id missing (0.0999 %) in 1 hole"),
        (1_000, 9, 100, BAD, "100 ids missing"),
        (1_000, 10, 100, WARNING, "rows were lost one by one, or the ids count more than this symbol"),
        (1_000, 501, 501, NOTE, "ids are no count of this symbol: 501 numbers lie between those of 1,000 rows"),
    ],
)  # fmt: skip
def test_holes_are_judged_by_how_many_rows_have_one(
    rows: int, holes: int, missing: int, severity: int, text: str
) -> None:
    told = BY_NAME["id_holes"].look(
        {"rows": rows, "id_holes": holes, "ids_missing": missing, "id_hole_max": 50}
    )
    assert told is not None
    assert told[0] == severity
    assert text in told[1]


def test_ids_that_are_no_count_do_not_join() -> None:
    day = {
        "rows": 1_000, "first_ns": 10, "last_ns": 20, "active_seconds": 500, "gap_threshold_ns": 100,
        "first_id": 900, "highest_id": 500, "id_holes": 900,
    }  # fmt: skip
    told = join(day, day)
    assert told is not None
    assert (told.severity, "missing" in told.text) == (NOTE, False)
