"""What a restart knows of the time before: every time without a recorder is a gap, whatever was killed, sealed or set."""

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from journal_sample import DAY, START, at, trade
from recorder_sample import BEGAN, LATE, MIDNIGHT, NEXT, Recorder, Told, gaps, segments
from tickreel.errors import RefusedError
from tickreel.ingest.record import journal_writer
from tickreel.ingest.record.sealed import KNOWN, read_known, sealed_days
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S

ABSENT = "the recorder was not running"


class Killed(BaseException):
    """Ends a recorder in the middle of what it does."""


@pytest.mark.parametrize("writes", range(6))
def test_a_kill_within_the_first_commit_after_days_costs_no_gap(
    recorder: Any, place: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The gaps of all days are durable before a message that follows them. writes: how many the commit gets done."""
    run = recorder(at(0))
    run.hear(at(1))
    run.feed.journal.close()
    later = START + 3 * NS_PER_DAY + 3_600 * NS_PER_S
    run = recorder(later)
    append, left = journal_writer._File.append, [None] * writes

    def write(file: Any, data: bytes) -> None:
        if not left:
            raise Killed
        left.pop()
        append(file, data)

    with monkeypatch.context() as patched, contextlib.suppress(Killed):
        patched.setattr(journal_writer._File, "append", write)
        run.hear(later + NS_PER_S)
        assert writes == 5
    run = recorder(later + 10 * NS_PER_S)
    run.hear(later + 12 * NS_PER_S)
    run.end()
    missing = [gap[:2] for _, gaps in segments(place).values() for gap in gaps]
    assert missing[0] == BEGAN[:2]
    assert missing[-1][1] == later + 12 * NS_PER_S
    assert all(gap[1] == following[0] for gap, following in pairwise(missing))


TWO = ("BTCUSDT", "deribit:BTC-PERPETUAL")


def hear(run: Recorder, name: str, *times_ns: int) -> None:
    """Let trades of one exchange come."""
    (stream,) = (one for one in run.feed.streams if one.asked.exchange == name)
    (symbol,) = stream.asked.symbols
    for now_ns in times_ns:
        run.now_ns = now_ns
        stream.message(trade((now_ns - START) // NS_PER_S, now_ns, exchange=name, symbol=symbol))
    run.feed.commit()


def look_until_sealed(run: Recorder, day: str) -> None:
    run.history.error = RefusedError("401")
    for seconds in range(601, 660):
        run.look(MIDNIGHT + seconds * NS_PER_S)
        if run.history.asked:  # else the day would wait for half a day
            run.feed.fills._wanted.clear()
        if run.feed.sealing._going_on:
            run.feed.sealing._going_on[1].result(60)
    assert day in sealed_days(run.folder)


def told(place: Path, exchange: str) -> dict[str, Told]:
    """Return the gaps of each day of an exchange."""
    store = Store(place)
    return {key.day: gaps(store, key) for key in store.find(type="trades", exchange=exchange)}


def heard_until_midnight(recorder: Any, *, cut: bool) -> Recorder:
    """Return a recorder of two exchanges that has sealed DAY; of one nothing has come since."""
    run = recorder(at(0), symbols=TWO)
    for name in ("binance", "deribit"):
        hear(run, name, at(1), MIDNIGHT - 60 * NS_PER_S)
    if cut:
        run.feed.streams[1].lost("cut")
    hear(run, "binance", MIDNIGHT + NS_PER_S)
    look_until_sealed(run, DAY)
    hear(run, "binance", LATE + 600 * NS_PER_S)
    return run


@pytest.mark.parametrize("cut", [True, False])
def test_an_exchange_that_is_silent_since_midnight_is_known_to_it(
    recorder: Any, place: Path, cut: bool
) -> None:
    """Or one in an outage across it: its past lay in the sealed day's journal."""
    heard_until_midnight(recorder, cut=cut).feed.journal.close()
    later = MIDNIGHT + NS_PER_DAY + 3_600 * NS_PER_S
    run = recorder(later, symbols=TWO)
    for name in ("binance", "deribit"):
        hear(run, name, later + NS_PER_S)
    run.end()
    midnights = [MIDNIGHT, MIDNIGHT + NS_PER_DAY]
    lost = [(MIDNIGHT - 60 * NS_PER_S, MIDNIGHT, "cut", False)] if cut else []
    assert told(place, "deribit") == {
        DAY: [BEGAN, *lost],
        NEXT: [(*midnights, ABSENT, False)],
        "2024-03-03": [(midnights[1], later + NS_PER_S, ABSENT, False)],
    }
    assert told(place, "binance")[NEXT] == [(LATE + 600 * NS_PER_S, midnights[1], ABSENT, False)]


def test_what_is_added_after_a_day_was_sealed_begins(recorder: Any, place: Path) -> None:
    heard_until_midnight(recorder, cut=False).feed.journal.close()
    run = recorder(LATE + 3_600 * NS_PER_S, symbols=(*TWO, "okex:BTC-USDT"))
    hear(run, "okex", LATE + 3_601 * NS_PER_S)
    run.end()
    assert told(place, "okex") == {NEXT: [(MIDNIGHT, LATE + 3_601 * NS_PER_S, BEGAN[2], False)]}


def test_what_was_dropped_is_new_once_its_day_is_sealed(recorder: Any, place: Path) -> None:
    run = recorder(at(0), symbols=TWO)
    for name in ("binance", "deribit"):
        hear(run, name, at(1))
    run.feed.journal.close()
    run = recorder(at(100))
    hear(run, "binance", at(101), MIDNIGHT + NS_PER_S)
    look_until_sealed(run, DAY)
    run.feed.journal.close()
    assert read_known(run.folder) == {("binance", "trades", "BTCUSDT"): MIDNIGHT}
    run = recorder(LATE + 3_600 * NS_PER_S, symbols=TWO)
    for name in ("binance", "deribit"):
        hear(run, name, LATE + 3_601 * NS_PER_S)
    run.end()
    assert told(place, "deribit")[NEXT] == [(MIDNIGHT, LATE + 3_601 * NS_PER_S, BEGAN[2], False)]


@pytest.mark.parametrize("found", [b"[[", b"", None])
def test_where_what_was_known_is_damaged_all_is_missing_since_the_latest_sealed_day(
    recorder: Any, place: Path, found: bytes | None
) -> None:
    run = heard_until_midnight(recorder, cut=False)
    run.feed.journal.close()
    if found is None:
        (run.folder / KNOWN).unlink()
    else:
        (run.folder / KNOWN).write_bytes(found)
    later = LATE + 3_600 * NS_PER_S
    run = recorder(later, symbols=TWO)
    assert (
        "known: damaged or missing: what was recorded until when cannot be told; a gap from 2024-03-02"
        in run.feed.troubles[0]
    )
    hear(run, "deribit", later + NS_PER_S)
    run.end()
    assert told(place, "deribit")[NEXT] == [(MIDNIGHT, later + NS_PER_S, ABSENT, False)]
