"""What comes again over another connection is dropped; equal rows of one connection are not."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickreel.ingest.record import overlap
from tickreel.ingest.record.overlap import Overlaps
from tickreel.units import NS_PER_S

SPAN = st.lists(st.sampled_from("abcd"), max_size=8)
SPANS = st.lists(SPAN, max_size=6)


@given(SPANS)
def test_the_most_that_one_source_brought_stays(spans: list[list[str]]) -> None:
    overlaps = Overlaps([(0, 10)])
    kept: Counter[str] = Counter()
    for source, span in enumerate(spans, start=1):
        # Every third is an answer of history, in between two pieces of what else would be one connection.
        kept.update(name for name in span if overlaps.is_new(-source if source % 3 == 0 else source, name, 5))
    most: Counter[str] = Counter()
    for span in spans:
        most |= Counter(span)
    assert kept == most
    assert overlaps.dropped == sum(map(len, spans)) - sum(most.values())


@given(SPAN, SPAN, st.integers(0, 8))
def test_a_connection_goes_on_after_history_was_put_in(live: list[str], history: list[str], cut: int) -> None:
    overlaps = Overlaps([(0, 10)])
    kept: Counter[str] = Counter()
    for source, names in ((1, live[:cut]), (-1, history), (1, live[cut:])):
        kept.update(name for name in names if overlaps.is_new(source, name, 5))
    assert kept == Counter(live) | Counter(history)


@pytest.mark.parametrize(
    ("at_s", "is_new"), [(29, True), (41, False), (99, False), (159, False), (161, True)]
)
def test_rows_are_compared_around_the_moments_alone(at_s: int, is_new: bool) -> None:
    overlaps = Overlaps([(100 * NS_PER_S, 100 * NS_PER_S)])
    assert overlaps.is_new(1, "a", at_s * NS_PER_S)
    assert overlaps.is_new(2, "a", at_s * NS_PER_S) is is_new


def test_moments_that_are_near_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    overlaps = Overlaps([(0, 0), (100 * NS_PER_S, 100 * NS_PER_S), (400 * NS_PER_S, 401 * NS_PER_S)])
    assert overlaps.is_new(1, "a", 10 * NS_PER_S)
    assert not overlaps.is_new(2, "a", 150 * NS_PER_S)
    assert overlaps.is_new(3, "a", 400 * NS_PER_S)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "MOST_ROWS", 10)
    overlaps = Overlaps([(0, 0)])
    for number in range(100):
        assert overlaps.is_new(1, str(number), 0)
    assert (len(overlaps._kept), len(overlaps._order), len(overlaps._counts[1])) == (10, 10, 10)
    assert not overlaps.is_new(2, "99", 0)
    assert overlaps.is_new(2, "5", 0)
