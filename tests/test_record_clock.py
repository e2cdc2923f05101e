"""A recorder whose clock is set, forward or back, while it runs or between."""

from pathlib import Path
from typing import Any

import pytest

from import_sample import contents
from journal_sample import DAY, at, trade
from recorder_sample import BEGAN, LATE, MIDNIGHT, NEXT, Recorder, segments
from tickreel.ingest.record.sealed import sealed_days
from tickreel.units import NS_PER_DAY, NS_PER_S


def sealed_until_midnight(recorder: Any) -> Recorder:
    """Return a recorder that has sealed DAY, and heard a trade after it."""
    run = recorder(at(0))
    run.hear(at(1), MIDNIGHT - NS_PER_S, MIDNIGHT + NS_PER_S)
    run.look(LATE)
    run.feed.sealing._going_on[1].result(60)
    run.look(LATE)
    assert sealed_days(run.folder) == {DAY}
    return run


def test_a_start_with_the_clock_in_a_sealed_day_leaves_that_day_alone(recorder: Any, place: Path) -> None:
    sealed_until_midnight(recorder).end()
    before = contents(place, f"*/{DAY}.reel")
    assert before
    run = recorder(at(100))
    run.look(at(101))
    run.end()
    assert contents(place, f"*/{DAY}.reel") == before
    assert run.feed.journal.days == [NEXT]
    (trouble, _) = run.feed.troubles
    assert f"says {DAY}, a day that is sealed for good: what comes lies in {NEXT}" in trouble


def test_a_clock_set_back_into_a_sealed_day_leaves_that_day_alone(recorder: Any, place: Path) -> None:
    run = sealed_until_midnight(recorder)
    before = segments(place)[DAY]
    run.set(-606 * NS_PER_S)
    run.stream.lost("cut")
    run.hear(MIDNIGHT - 4 * NS_PER_S)
    run.look(MIDNIGHT - 3 * NS_PER_S)
    run.look(LATE + NS_PER_S)
    run.end()
    assert segments(place)[DAY] == before
    assert segments(place)[NEXT][0] == [86_401]
    assert run.feed.sealing.reports[NEXT].late == 1
    assert ["was set back" in trouble for trouble in run.feed.troubles] == [True, False]
    assert "set the clock right" in run.feed.troubles[1]


def test_a_clock_set_forward_for_a_while_ends_no_day(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.set(NS_PER_DAY)
    # A machine whose clock is right stamps what comes.
    run.stream.message(trade(2, at(2)))
    for seconds in range(1, 590):
        run.look(MIDNIGHT + seconds * NS_PER_S)
    run.set(-NS_PER_DAY)
    run.look(at(591))
    run.hear(at(592), at(50_000))
    assert sealed_days(run.folder) == set()
    assert [line.split(", to")[0].split("clock ")[1] for line in run.feed.troubles] == [
        "was set forward by 86,400 s", "was set back by 86,400 s",
    ]  # fmt: skip
    run.look(LATE)
    run.look(LATE)
    run.end()
    assert sealed_days(run.folder) == {DAY}
    assert segments(place)[DAY][0] == [1, 2, 592, 50_000]


def test_a_day_ends_when_a_clock_that_was_set_has_stayed(recorder: Any) -> None:
    run = recorder(at(86_000))
    run.hear(at(86_001))
    run.look(at(86_002))
    run.set(7_200 * NS_PER_S)
    for seconds in (0, 300, 599):
        run.look(at(93_202 + seconds))
        assert run.feed.journal.days == [DAY]
    run.look(at(93_202 + 600))
    assert run.feed.journal.days == []
    run.end()


def test_a_clock_set_back_in_an_outage_leaves_a_gap_as_long_as_it_lasted(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1), at(7_200))
    run.stream.lost("cut")
    run.set(-3_600 * NS_PER_S)
    run.hear(at(7_200 - 3_600 + 1_800))
    run.end()
    # By either clock: which was right is not known.
    assert segments(place)[DAY][1] == [
        BEGAN, (at(3_600), at(5_400), "cut", False), (at(7_200), at(9_000), "cut", False),
    ]  # fmt: skip


def test_a_clock_set_back_a_little_in_a_short_outage_leaves_a_gap_too(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1), at(10))
    run.stream.lost("cut")
    run.set(-NS_PER_S * 7 // 10)
    run.hear(at(9.8))
    run.end()
    assert segments(place)[DAY][1] == [BEGAN, (at(9.3), at(9.8), "cut", False)]


def test_a_clock_set_back_and_a_stop_in_an_outage_tell_it(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(7_200))
    run.stream.lost("cut")
    run.set(-3_600 * NS_PER_S)
    run.now_ns += 60 * NS_PER_S
    run.end()
    assert segments(place)[DAY][1][1] == (at(3_600), at(3_660), "cut", False)
    run = recorder(at(4_000))
    (trouble,) = run.feed.troubles
    assert "goes to 2024-03-01T02:01:00" in trouble
    assert "noted from 2024-03-01T01:01:00" in trouble
    run.feed.journal.close()


def test_a_start_with_a_clock_behind_all_that_was_recorded_says_so(recorder: Any) -> None:
    run = recorder(at(3_600))
    run.hear(at(3_601))
    run.feed.journal.close()
    run = recorder(at(100))
    (trouble,) = run.feed.troubles
    assert "one of them is wrong; how long nothing was recorded cannot be told" in trouble
    run.feed.journal.close()


@pytest.mark.parametrize("local", [True, False])
def test_a_clock_that_was_ahead_for_seconds_hides_no_absence_after(
    recorder: Any, place: Path, local: bool
) -> None:
    """Of messages with a local time, which the wrong clock wrote, and without."""

    def hear(*seconds: int) -> None:
        for second in seconds:
            run.now_ns = at(second)
            change = {} if local else {"localTimestamp": None}
            run.stream.message(trade(second, at(second), **change))
        run.feed.commit()

    run = recorder(at(0))
    hear(1)
    run.stream.lost("cut")
    run.set(NS_PER_DAY)
    hear(86_403)
    run.set(-NS_PER_DAY)
    hear(10, 3_600)
    run.feed.journal.close()
    run = recorder(at(7_200))
    hear(7_205, 9_000)
    (trouble,) = run.feed.troubles
    assert "goes to 2024-03-02T00:00:03" in trouble
    assert "noted from 2024-03-01T01:00:00" in trouble
    assert "set the clock right" not in trouble
    run.feed.journal.close()
    run = recorder(at(12_000))
    hear(12_001)
    run.end()
    absent = "the recorder was not running"
    assert segments(place)[DAY][1] == [
        BEGAN, (at(1), MIDNIGHT, "cut", False), (at(3_600), at(7_205), absent, False),
        (at(9_000), at(12_001), absent, False),
    ]  # fmt: skip


def test_a_clock_set_forward_asks_no_history_early(recorder: Any) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.stream.lost("cut")
    run.hear(at(20))
    run.set(3_600 * NS_PER_S)
    run.look(at(3_621))
    assert run.history.asked == 0
    run.look(at(3_620 + 600))
    assert run.history.asked == 1
