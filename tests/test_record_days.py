"""Days of a recording, on a clock of the test: midnight, outages across it, restarts, what history has late or never."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from import_sample import contents
from journal_sample import DAY, START, at, trade
from recorder_sample import BEGAN, LATE, MIDNIGHT, NEXT, Recorder, segments
from tickreel.errors import FailedError, RefusedError
from tickreel.ingest.record import sealing as record_sealing
from tickreel.ingest.record.day_state import read_state
from tickreel.ingest.record.fill import GIVEN_UP
from tickreel.ingest.record.sealed import sealed_days
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S


def test_a_day_is_sealed_when_nothing_more_of_it_comes(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1), at(2), MIDNIGHT - 1_000)
    run.hear(MIDNIGHT + 1_000_000, MIDNIGHT + 599 * NS_PER_S)
    run.now_ns = MIDNIGHT + 599 * NS_PER_S
    run.stream.message(trade(7, MIDNIGHT - 5_000))
    run.look(LATE)
    assert run.feed.journal.days == [DAY, NEXT]
    # What came late had its ten minutes more.
    run.look(MIDNIGHT + 1_200 * NS_PER_S)
    assert run.feed.journal.days == [NEXT]
    run.end()
    assert segments(place) == {DAY: ([1, 2, 7, 86_399], [BEGAN]), NEXT: ([86_400, 86_999], [])}
    assert sealed_days(run.folder) == {DAY}
    assert [path.name for path in run.folder.iterdir() if path.is_dir()] == [NEXT]


def test_a_day_can_be_read_while_it_goes_on(recorder: Any, place: Path, tmp_path: Path) -> None:
    """Sealed now and then, and once, it is the same at the end; a day of which nothing came is not sealed anew."""
    run, once = recorder(at(0), seal_every_ns=0), Recorder(tmp_path, at(0))
    for first in (1, 11):
        for each in (run, once):
            each.hear(*(at(first + n) for n in range(3)))
        seal_so_far(run)
        assert segments(place)[DAY][0] == [n + k for n in range(1, first + 1, 10) for k in range(3)]
    before = contents(place, "*.reel")
    inode = Path(place, next(iter(before))).stat().st_ino
    seal_so_far(run)
    assert Path(place, next(iter(before))).stat().st_ino == inode
    assert segments(tmp_path) == {}
    for each in (run, once):
        each.end()
    assert contents(place, "*.reel") == contents(tmp_path, "*.reel")
    assert [report.day for report in run.feed.sealing.reports.values()] == [DAY]


def test_a_day_of_which_nothing_came_yet_is_not_sealed(recorder: Any, place: Path) -> None:
    """After midnight, before the first message."""
    run = recorder(at(0), seal_every_ns=0)
    run.hear(at(1))
    for now_ns in (LATE, LATE + 1, LATE + 2):
        run.look(now_ns)
        if run.feed.sealing._going_on:
            run.feed.sealing._going_on[1].result(60)
    assert run.feed.journal.days == []
    run.end()
    assert list(segments(place)) == [DAY]


def test_slow_sealing_is_done_less_often(recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorder(at(0), seal_every_ns=0)
    run.hear(at(1))
    sealing = record_sealing.seal_day
    monkeypatch.setattr(record_sealing, "seal_day", lambda *a, **k: (time.sleep(0.2), sealing(*a, **k))[1])
    seal_so_far(run)
    asked = []
    monkeypatch.setattr(record_sealing, "seal_day", lambda *a, **k: asked.append(a))
    run.hear(at(2))
    run.look(at(3))
    assert not asked


def seal_so_far(run: Recorder) -> None:
    """Look, and wait until what that look seals is sealed."""
    run.feed.sealing._again_s = 0.0
    run.look(run.now_ns)
    assert run.feed.sealing._going_on is not None
    run.feed.sealing._going_on[1].result(60)
    run.feed.sealing._again_s, again_s = float("inf"), run.feed.sealing._again_s
    run.look(run.now_ns)
    run.feed.sealing._again_s = again_s


def test_an_outage_across_midnight_is_a_gap_of_both_days(recorder: Any, place: Path) -> None:
    run = recorder(at(0), types=("trades", "incremental_book_L2"))
    run.hear(at(1))
    run.stream.lost("cut")
    run.history.error = RefusedError("401")
    # History is asked, refuses, and is not asked again, but by a recording that begins within half a day.
    run.look(LATE)
    run.look(LATE + 600 * NS_PER_S)
    run.look(LATE + 601 * NS_PER_S)
    assert (run.history.asked, run.feed.journal.days) == (1, [DAY])
    run.hear(MIDNIGHT + 2_000 * NS_PER_S)
    run.look(LATE + 13 * 3_600 * NS_PER_S)
    assert (run.history.asked, run.feed.journal.days) == (2, [NEXT])
    run.end()
    assert segments(place) == {
        DAY: ([1], [BEGAN, (at(1), MIDNIGHT, "cut", False)]),
        NEXT: ([88_400], [(MIDNIGHT, MIDNIGHT + 2_000 * NS_PER_S, "cut", False)]),
    }


def test_a_day_waits_half_a_day_for_its_history(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.stream.lost("cut")
    run.hear(MIDNIGHT - NS_PER_S, MIDNIGHT + NS_PER_S)
    for minutes in range(0, 12 * 60, 5):
        run.look(LATE + minutes * 60 * NS_PER_S)
        assert DAY in run.feed.journal.days or run.history.asked == 6
    assert 2 <= run.history.asked <= 6
    run.look(MIDNIGHT + 12 * 3_600 * NS_PER_S + 1)
    assert DAY not in run.feed.journal.days
    run.end()
    assert segments(place)[DAY][1] == [BEGAN, (at(1), MIDNIGHT - NS_PER_S, "cut", False)]


def test_a_restart_days_later_ends_the_day_it_finds(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1), at(2))
    run.end()
    assert segments(place) == {DAY: ([1, 2], [BEGAN])}
    later = START + 3 * NS_PER_DAY
    run = recorder(later + 5 * NS_PER_S)
    run.history.error = RefusedError("401")
    run.look(later + 6 * NS_PER_S)
    run.hear(later + 7 * NS_PER_S)
    for seconds in (*range(606, 620), *range(46_000, 46_020)):
        run.look(later + seconds * NS_PER_S)
        if run.feed.sealing._going_on:
            run.feed.sealing._going_on[1].result(60)
    assert run.history.asked == 4
    run.end()
    absent, days = "the recorder was not running", [MIDNIGHT + n * NS_PER_DAY for n in range(3)]
    assert segments(place) == {
        DAY: ([1, 2], [BEGAN, (at(2), MIDNIGHT, absent, False)]),
        NEXT: ([], [(days[0], days[1], absent, False)]),
        "2024-03-03": ([], [(days[1], days[2], absent, False)]),
        "2024-03-04": ([259_207], [(later, later + 7 * NS_PER_S, absent, False)]),
    }
    assert sealed_days(run.folder) == {DAY, NEXT, "2024-03-03"}
    assert run.feed.troubles == [
        "tardis-machine: history that gaps were to be filled from did not come, it is asked for again when the recording is started anew: 401"
    ]


def test_a_gap_that_history_refused_is_asked_for_by_the_next_recording(recorder: Any) -> None:
    """As where its key was wrong."""
    run = recorder(at(0))
    run.hear(at(1))
    run.stream.lost("cut")
    run.hear(at(10))
    run.history.error = RefusedError("401")
    for seconds in (611, 612, 9_000):
        run.look(at(seconds))
    assert (run.history.asked, run.feed.fills.waiting) == (1, 1)
    run.feed.journal.close()
    run = recorder(at(9_001))
    run.look(at(9_002))
    assert run.history.asked == 1
    run.feed.journal.close()


def test_a_restart_half_a_year_later_notes_every_day_and_says_so(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.feed.journal.close()
    later = START + 180 * NS_PER_DAY
    run = recorder(later)
    before = len(os.listdir("/proc/self/fd"))
    run.hear(later + NS_PER_S)
    assert len(os.listdir("/proc/self/fd")) - before < 8
    assert len(run.feed.journal.days) == 181
    (trouble,) = run.feed.troubles
    assert "goes to 2024-03-01" in trouble
    assert "each day between is noted as a gap, at most 400; history is asked for the latest 31" in trouble
    # Today, the days whose end is not longer ago, and none besides.
    assert run.feed.fills.waiting == 32
    run.feed.journal.close()
    state = read_state(run.folder / "2024-03-02")
    assert state.settled == {1: "it is more than 31 days ago, and whole days of history are long"}


def test_a_gap_is_noted_of_so_many_days_at_most(recorder: Any) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.feed.journal.close()
    run = recorder(START + 1_000 * NS_PER_DAY)
    run.hear(START + 1_000 * NS_PER_DAY + 1)
    assert len(run.feed.journal.days) == 401


def test_days_whose_turn_has_not_come_are_not_given_up(recorder: Any) -> None:
    """History is asked for one day after the other, each for half a day if it must be."""
    run = recorder(at(0))
    run.hear(at(1))
    run.feed.journal.close()
    later = START + 20 * NS_PER_DAY
    run = recorder(later)
    run.hear(later + NS_PER_S)
    for minutes in range(0, 13 * 60, 7):
        run.look(later + minutes * 60 * NS_PER_S)
    assert run.history.asked > 60
    for state in map(run.feed.journal.state, run.feed.journal.days):
        assert set(state.settled.values()) <= {"no history yet", GIVEN_UP, "nothing was recorded before"}
    if run.feed.sealing._going_on:
        run.feed.sealing._going_on[1].result(60)


def test_after_a_day_that_was_sealed_whole_what_follows_is_a_gap(recorder: Any, place: Path) -> None:
    """The recorder was stopped before anything of the next day came."""
    run = recorder(at(0))
    run.hear(at(1), MIDNIGHT - 1_000)
    run.look(LATE)
    run.look(LATE)
    run.end()
    assert sealed_days(run.folder) == {DAY}
    run = recorder(MIDNIGHT + NS_PER_DAY)
    run.hear(MIDNIGHT + NS_PER_DAY + NS_PER_S)
    run.end()
    absent = "the recorder was not running"
    assert segments(place)[NEXT] == ([], [(MIDNIGHT, MIDNIGHT + NS_PER_DAY, absent, False)])


def test_a_restart_with_other_streams_ends_those_that_are_gone(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.feed.journal.close()
    run = recorder(at(100), exchange="deribit")
    run.hear(at(101))
    run.hear(MIDNIGHT + NS_PER_S)
    run.look(LATE + NS_PER_S)
    run.end()
    store = Store(place)
    gaps = {
        key.exchange: [(gap.from_ns, gap.to_ns) for gap in store.open(key).meta.parts[0].gaps]
        for key in store.find(type="trades") if key.day == DAY
    }  # fmt: skip
    assert gaps == {
        "binance": [(START, at(1)), (at(1), at(100)), (at(100), MIDNIGHT)],
        "deribit": [(START, at(101))],
    }


def test_nothing_ever_heard_is_a_day_looked_at_in_vain(recorder: Any, place: Path) -> None:
    run = recorder(at(10))
    run.stream.lost("refused")
    run.now_ns = at(500)
    run.end()
    assert segments(place) == {DAY: ([], [(START, at(500), "recording began", False)])}


def test_a_stop_within_an_outage_tells_it_and_a_restart_goes_on(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.stream.lost("cut")
    run.now_ns = at(50)
    run.end()
    assert segments(place) == {DAY: ([1], [BEGAN, (at(1), at(50), "cut", False)])}
    run = recorder(at(60))
    run.hear(at(70))
    run.end()
    absent = (at(50), at(70), "the recorder was not running", False)
    assert segments(place) == {DAY: ([1, 70], [BEGAN, (at(1), at(50), "cut", False), absent])}


def test_a_day_that_cannot_be_sealed_is_told_and_its_journal_kept(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1))
    run.end()
    # Rows of the same time from elsewhere, in the same feed.
    folder = run.folder / DAY
    run = recorder(at(10))
    run.hear(at(11))
    run.feed.journal.close()
    from import_sample import put, take

    rows = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount"]
    rows += [f"binance,BTCUSDT,{at(11) // 1000},{at(11) // 1000},x,buy,1,1", ""]
    put(place / "f.csv", "\n".join(rows).encode())
    assert take(Store(place), place / "f.csv", feed="tardis-machine", types=("trades",)).exit_code == 0
    run.feed.seal()
    assert "is not sealed, and its journal is kept" in run.feed.troubles[-1]
    assert folder.exists()
    assert run.feed.sealing.unsealed == run.feed.numbers(None).unsealed == [DAY]
    count = len(run.feed.troubles)
    run.feed.seal()
    assert len(run.feed.troubles) == count


def test_a_day_that_could_not_be_sealed_is_tried_again(
    recorder: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorder(at(0))
    run.hear(at(1), MIDNIGHT + NS_PER_S)
    sealing = record_sealing.seal_day

    def refuses(*words: Any, **named: Any) -> None:
        raise FailedError("no")

    monkeypatch.setattr(record_sealing, "seal_day", refuses)
    run.look(LATE)
    run.feed.sealing._going_on[1].result(60)
    run.look(LATE)
    assert run.feed.sealing.unsealed == [DAY]
    monkeypatch.setattr(record_sealing, "seal_day", sealing)
    run.feed.sealing._again_s = 0.0
    run.look(LATE)
    run.feed.sealing._going_on[1].result(60)
    assert (run.feed.sealing.unsealed, segments(place)) == ([], {DAY: ([1], [BEGAN])})
    run.end()
