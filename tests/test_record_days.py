"""Days of a recording, on a clock of the test: midnight, outages across it, restarts, what history has late or never."""

import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from import_sample import contents, segment_rows
from journal_sample import DAY, START, at, trade
from tickreel.errors import NetworkError, RefusedError
from tickreel.ingest.record import feed as record_feed
from tickreel.ingest.record.clock import Clock
from tickreel.ingest.record.feed import FeedRecorder, RecordSettings
from tickreel.ingest.record.journal import journal_folder
from tickreel.ingest.record.plan import plan_feeds
from tickreel.ingest.record.seal import seal_day, sealed_days
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S

NEXT = "2024-03-02"
MIDNIGHT = START + NS_PER_DAY
LATE = MIDNIGHT + 601 * NS_PER_S
"""When a day is over that nothing waits for."""


class History:
    """A `Background` whose answers fail as the test says."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def start(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        work.close()
        self.asked += 1
        future: Future[None] = Future()
        future.set_exception(self.error)
        return future


class Recorder:
    """A `FeedRecorder` and its clock."""

    def __init__(
        self,
        place: Path,
        now_ns: int,
        *,
        types: tuple[str, ...] = ("trades",),
        exchange: str = "binance",
        seal_every_ns: int | None = None,
    ) -> None:
        self.now_ns = now_ns
        store = Store(place)
        (feed,) = plan_feeds(["tardis-machine"], exchange, ["BTCUSDT"], types)
        folder = journal_folder(store, feed.name)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        settings = RecordSettings(workers=1, seal_every_ns=seal_every_ns)
        self.set_ns = 0
        """By how much the clock was set since the start."""
        clock = Clock(lambda: self.now_ns, lambda: self.now_ns - self.set_ns)
        self.feed = FeedRecorder(store, feed, folder, settings, clock)
        self.stream = self.feed.streams[0]
        self.history = History(NetworkError("no history yet"))
        self._number = 0

    def hear(self, *times_ns: int) -> None:
        """Let trades come; their numbers are the seconds of the day before midnight."""
        for time_ns in times_ns:
            self.now_ns = time_ns
            self.stream.message(trade((time_ns - START) // NS_PER_S, time_ns, exchange=self.stream.exchange))
        self.feed.commit()

    def set(self, step_ns: int) -> None:
        """Set the clock."""
        self.now_ns += step_ns
        self.set_ns += step_ns

    def look(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.feed.commit()
        self.feed.look(self.history)  # type: ignore[arg-type]

    def end(self) -> None:
        self.feed.stop()
        self.feed.seal()


@pytest.fixture
def recorder(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    # A process for each day would take most of the time.
    monkeypatch.setattr(record_feed, "seal_day", partial(seal_day, isolate=False))
    return lambda now_ns, **settings: Recorder(place, now_ns, **settings)


def segments(place: Path) -> dict[str, tuple[list[int], list[tuple[int, int, str, bool]]]]:
    """Return the numbers of the rows, and the gaps, of each day."""
    store, found = Store(place), {}
    for key in store.find(type="trades", symbol="BTCUSDT"):
        (part,) = store.open(key).meta.parts
        rows = [int(row[3]) for row in segment_rows(store, key)]
        gaps = [(gap.from_ns, gap.to_ns, gap.reason, gap.filled) for gap in part.gaps]
        found[key.day] = rows, gaps
    return found


BEGAN = (START, at(1), "recording began", False)


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
    assert [report.day for report in run.feed.reports.values()] == [DAY]


def test_slow_sealing_is_done_less_often(recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorder(at(0), seal_every_ns=0)
    run.hear(at(1))
    sealing = record_feed.seal_day
    monkeypatch.setattr(record_feed, "seal_day", lambda *a, **k: (time.sleep(0.2), sealing(*a, **k))[1])
    seal_so_far(run)
    asked = []
    monkeypatch.setattr(record_feed, "seal_day", lambda *a, **k: asked.append(a))
    run.hear(at(2))
    run.look(at(3))
    assert not asked


def seal_so_far(run: Recorder) -> None:
    """Look, and wait until what that look seals is sealed."""
    run.feed._seal_again_s = 0.0
    run.look(run.now_ns)
    assert run.feed._sealing is not None
    run.feed._sealing[1].result(60)
    run.feed._seal_again_s, again_s = float("inf"), run.feed._seal_again_s
    run.look(run.now_ns)
    run.feed._seal_again_s = again_s


def test_an_outage_across_midnight_is_a_gap_of_both_days(recorder: Any, place: Path) -> None:
    run = recorder(at(0), types=("trades", "incremental_book_L2"))
    run.hear(at(1))
    run.stream.lost("cut")
    run.history.error = RefusedError("401")
    # History is asked, refuses, and is not asked again.
    run.look(LATE)
    run.look(LATE + 600 * NS_PER_S)
    run.look(LATE + 601 * NS_PER_S)
    assert (run.history.asked, run.feed.journal.days) == (1, [])
    run.hear(MIDNIGHT + 2_000 * NS_PER_S)
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
    run.look(later + 700 * NS_PER_S)
    run.hear(later + 701 * NS_PER_S)
    run.look(later + 702 * NS_PER_S)
    run.end()
    absent = "the recorder was not running"
    assert segments(place) == {
        DAY: ([1, 2], [BEGAN, (at(2), MIDNIGHT, absent, False)]),
        "2024-03-04": ([259_901], [(later, later + 701 * NS_PER_S, absent, False)]),
    }
    assert sealed_days(run.folder) == {DAY}


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
    assert gaps == {"binance": [(START, at(1)), (at(1), MIDNIGHT)], "deribit": [(START, at(101))]}


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


def sealed_until_midnight(recorder: Any) -> Recorder:
    """Return a recorder that has sealed DAY, and heard a trade after it."""
    run = recorder(at(0))
    run.hear(at(1), MIDNIGHT - NS_PER_S, MIDNIGHT + NS_PER_S)
    run.look(LATE)
    run.feed._sealing[1].result(60)
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
    assert run.feed.reports[NEXT].late == 1
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


def test_a_clock_set_back_and_a_stop_in_an_outage_tell_it(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(7_200))
    run.stream.lost("cut")
    run.set(-3_600 * NS_PER_S)
    run.now_ns += 60 * NS_PER_S
    run.end()
    assert segments(place)[DAY][1][1] == (at(3_600), at(3_660), "cut", False)
    run = recorder(at(4_000))
    assert "how long nothing was recorded cannot be told" in run.feed.troubles[0]


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
