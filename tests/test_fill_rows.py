"""A day with rows of a relay in its gaps: each event once, told with the delay that was declared."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from import_sample import dataset, put, segment_rows, take
from import_sample import trade as csv_trade
from import_sample import trades as csv_trades
from journal_sample import DAY, START, at, message, new_journal, trade
from seal_sample import TRADES, fill, folder, ids, part, relay_fill, relay_line, seal
from tickreel.ingest.files.check import check_store
from tickreel.ingest.files.gaps_beside import keep_gaps
from tickreel.ingest.record import fill_rows
from tickreel.ingest.record.day_state import read_events
from tickreel.ingest.record.fill_rows import OTHER_SYMBOL, Fill, read_line
from tickreel.ingest.record.journal import GapNote, StreamInfo, fill_file, read_fills
from tickreel.ingest.record.journal_format import Scan
from tickreel.ingest.record.seal_rows import DayText
from tickreel.sources.machine import Rows, Unreadable
from tickreel.store import gaps as store_gaps
from tickreel.store.catalog import Store
from tickreel.store.format import Gap
from tickreel.units import NS_PER_DAY, NS_PER_MS, NS_PER_S

MIDNIGHT, NEXT = START + NS_PER_DAY, "2024-03-02"
LAG_NS = 50 * NS_PER_MS
ASKED = StreamInfo("binance", ["BTCUSDT"], ["trades"])


def drop(place: Path, *, asked: StreamInfo = ASKED, late: tuple[float, ...] = ()) -> None:
    """Record trades each half a second, without those from 10 to 20 s; late: of those, that come after it."""
    journal = new_journal(place, (asked,))
    for half in range(60):
        seconds = half / 2
        if seconds <= 10 or seconds >= 20:
            if seconds == 20:
                journal.connected(0)
                journal.gap(asked, at(10), at(20), "lost", at_ns=at(20))
            journal.message(0, at(seconds), trade(half, at(seconds)))
        if seconds == 26:
            for one in late:
                journal.message(0, at(26), trade(int(one * 2), at(one)))
    journal.close()


def times(place: Path, day: str = DAY) -> list[tuple[int, int, int]]:
    """Return (number, -1 without an id; local ns; exchange ns) of each trade."""
    return [
        (int(row[3] or -1), row[1], row[2]) for row in segment_rows(Store(place), replace(TRADES, day=day))
    ]


def answer(from_s: float, to_s: float, **cells: object) -> list[str]:
    return [relay_line(half, at(half / 2), **cells) for half in range(int(from_s * 2), int(to_s * 2))]


def test_rows_without_ids_fill_the_gap_and_live_ones_stay_as_they_came(place: Path) -> None:
    drop(place)
    relay_fill(place, 1, *answer(0, 30), lag_ns=LAG_NS)
    report = seal(place)
    found = times(place)
    assert len(found) == report.rows == 60
    filled = [one for one in found if one[0] < 0]
    assert [exchange for _, _, exchange in filled] == [at(half / 2) - NS_PER_MS for half in range(21, 40)]
    assert {local - exchange for _, local, exchange in filled} == {LAG_NS}
    assert {local - exchange for number, local, exchange in found if number >= 0} == {NS_PER_MS}
    assert part(place).gaps == [Gap(at(10), at(20), "lost", True, LAG_NS)]
    assert (report.gaps, report.filled, report.lag_ns) == (1, 1, LAG_NS)


def test_a_live_row_that_comes_after_history_s_is_dropped(place: Path) -> None:
    drop(place, late=(15, 15.5))
    relay_fill(place, 1, *answer(5, 25), lag_ns=LAG_NS)
    seal(place)
    found = times(place)
    assert len(found) == 60
    assert {30, 31}.isdisjoint(number for number, _, _ in found)


def test_alike_live_rows_are_two_and_of_history_the_third_is_new(place: Path) -> None:
    drop(place)
    journal = new_journal(place / "more", (ASKED,))
    for id in ("a1", "a2"):
        journal.message(0, at(9), trade(1, at(9), id=id, timestamp="2024-03-01T00:00:08.5001Z"))
    journal.gap(ASKED, at(9), at(12), "lost", at_ns=at(12))
    journal.message(0, at(12), trade(9, at(12)))
    journal.close()
    relay_fill(place / "more", 1, *[relay_line(1, at(8.5) + NS_PER_MS)] * 3)
    report = seal(place / "more")
    assert (report.rows, report.overlaps) == (4, 2)


@pytest.mark.parametrize("unit_us", [1, 1_000, 1_000_000])
def test_times_of_any_unit_are_compared_by_it(place: Path, unit_us: int) -> None:
    """Also where a relay writes more digits than it knows."""
    drop(place)
    lines = [
        relay_line(half, at(half / 2), timestamp=(at(half / 2) - NS_PER_MS) // 1_000 // unit_us * unit_us)
        for half in range(10, 50)
    ]
    relay_fill(place, 1, *lines, lag_ns=NS_PER_S)
    assert seal(place).rows == 60


def test_a_column_that_history_sometimes_lacks_is_not_compared(place: Path) -> None:
    drop(place)
    relay_fill(place, 1, *(relay_line(n, at(n / 2), side="" if n % 2 else "buy") for n in range(60)))
    assert seal(place).rows == 60


@pytest.mark.parametrize("next_s", [None, 5, 60])
def test_a_row_that_the_delay_puts_into_a_day_without_a_gap_is_the_last_of_its_own(
    place: Path, next_s: int | None
) -> None:
    """A gap ends 10 ms before midnight; what fills one soon after midnight takes such rows itself."""
    journal = new_journal(place, (ASKED,))
    spans = [(-10_000, -10), *([(next_s * 1_000, next_s * 1_000 + 500)] if next_s else [])]
    for from_ms, to_ms in spans:
        from_ns, to_ns = MIDNIGHT + from_ms * NS_PER_MS, MIDNIGHT + to_ms * NS_PER_MS
        journal.message(0, from_ns, trade(1, from_ns))
        journal.gap(ASKED, from_ns, to_ns, "lost", at_ns=to_ns)
        journal.message(0, to_ns, trade(2, to_ns))
    journal.close()
    lines = [relay_line(9 + ms, 0, timestamp=(MIDNIGHT + ms * NS_PER_MS) // 1_000) for ms in (-70, -40, -20)]
    for day in (DAY, NEXT) if next_s else (DAY,):
        (number,) = read_events(folder(place, day)).gaps
        relay_fill(place, number, *lines, day=day, lag_ns=LAG_NS)
        seal(place, day=day)
    found = [local - MIDNIGHT for number, local, _ in times(place) if number < 0]
    if next_s == 5:
        assert found == [-20 * NS_PER_MS]
        found = [local - MIDNIGHT for number, local, _ in times(place, NEXT) if number < 0]
        assert found == [10 * NS_PER_MS, 30 * NS_PER_MS]
    else:
        assert found == [-20 * NS_PER_MS, -1_000, -1_000]


def test_a_type_that_no_history_has_is_never_filled() -> None:
    """What was asked for may have named it all the same."""
    note = GapNote("binance", at(1), at(2), "lost", ["BTCUSDT"], ["trades", "incremental_book_L2"])
    given = {"binance": {1: dict.fromkeys(note.types)}}
    text = DayText(gaps={"binance": {1: note}}, filled={"binance": [1]}, given=given)
    for type in note.types:
        (missed,) = text.gaps_of(type, "binance")
        assert missed.gaps == [Gap(at(1), at(2), "lost", type == "trades")]


def test_history_with_ids_is_compared_by_them(place: Path) -> None:
    drop(place)
    lines = [relay_line(0, at(half / 2), id=half, price=7) for half in range(10, 50)]
    relay_fill(place, 1, *lines)
    seal(place)
    assert ids(place) == list(range(60))


def test_local_times_of_history_are_kept_and_no_delay_is_told(place: Path) -> None:
    drop(place)
    lines = [
        relay_line(half, at(half / 2), local_timestamp=at(half / 2) // 1_000 + 7) for half in range(10, 50)
    ]
    relay_fill(place, 1, *lines, lag_ns=None)
    seal(place)
    assert [local for number, local, _ in times(place) if number < 0] == [
        at(half / 2) + 7_000 for half in range(21, 40)
    ]
    assert part(place).gaps == [Gap(at(10), at(20), "lost", True)]


def test_a_type_that_history_was_not_asked_for_stays_open(place: Path) -> None:
    drop(place, asked=StreamInfo("binance", ["BTCUSDT"], ["trades", "liquidations"]))
    relay_fill(place, 1, *answer(0, 30), lag_ns=LAG_NS)
    seal(place)
    assert part(place).gaps == [Gap(at(10), at(20), "lost", True, LAG_NS)]
    assert part(place, replace(TRADES, type="liquidations")).gaps == [Gap(at(10), at(20), "lost")]


def test_what_cannot_be_read_is_set_aside_with_its_reason(place: Path) -> None:
    drop(place)
    bad = {
        "timestamp '?soon' is no time": relay_line(1, at(11), timestamp="?soon"),
        "9 cells and not 8": relay_line(1, at(12), side="buy,x"),
        OTHER_SYMBOL: relay_line(1, at(13), symbol="ETHUSDT"),
        "of another exchange than binance": relay_line(1, at(14), exchange="ftx"),
        "free": relay_line(1, at(15), price="free"),
    }
    relay_fill(place, 1, *bad.values(), relay_line(1, at(16)), lag_ns=LAG_NS)
    report = seal(place)
    assert (report.set_aside, report.rows, report.filled) == (5, 43, 1)
    (rejects,) = report.rejects
    text = Path(rejects).read_text()
    assert [reason for reason in bad if reason not in text] == []


def test_symbols_that_were_asked_for_are_made_ready_once_for_all_rows(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(place)
    relay_fill(place, 1, *answer(0, 30), lag_ns=LAG_NS, symbols=["btcusdt", "ETHUSDT"])
    given: list[Collection[str]] = []

    def noted(type: str, symbols: Collection[str], line: bytes, lag_ns: int | None) -> Rows | Unreadable:
        given.append(symbols)
        return read_line(type, symbols, line, lag_ns)

    monkeypatch.setattr(fill_rows, "read_line", noted)
    ((path, head),) = read_fills(folder(place)).items()
    reads = [read for read, _ in Fill(path, head, {}).read(Scan())]
    assert all(isinstance(read, Rows) for read in reads) and len(reads) == len(given) == 60
    assert all(symbols is given[0] for symbols in given) and given[0] == {"BTCUSDT", "ETHUSDT"}


def test_without_a_local_time_and_a_delay_a_row_is_none(place: Path) -> None:
    drop(place)
    relay_fill(place, 1, relay_line(1, at(11)), lag_ns=None)
    report = seal(place)
    assert report.set_aside == 1
    assert "local_timestamp '' is no time" in Path(report.rejects[0]).read_text()


def test_a_damaged_answer_fills_nothing_that_counts(place: Path) -> None:
    drop(place)
    relay_fill(place, 1, *answer(0, 30), lag_ns=LAG_NS)
    path = fill_file(folder(place), 1)
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:3_000] + b"?" + whole[3_001:]):
        path.write_bytes(damaged)
        report = seal(place)
        assert [f"{path} is damaged" in trouble for trouble in report.troubles] == [True]
        # What could be read is there, and has declared times.
        assert part(place).gaps == [Gap(at(10), at(20), "lost", False, LAG_NS)]
        assert 59 <= report.rows <= 60


def test_states_are_taken_within_the_gap_and_compared_by_what_history_has(place: Path) -> None:
    asked = StreamInfo("binance", ["BTCUSDT"], ["derivative_ticker"])

    def ticker(seconds: float) -> bytes:
        return message(msgspec.json.decode(trade(0, at(seconds))) | {
            "type": "derivative_ticker", "lastPrice": seconds, "markPrice": 1, "fundingTimestamp": "2024-03-01T08:00:00.000000Z",
        })  # fmt: skip

    def line(seconds: float) -> str:
        us = (at(seconds) - NS_PER_MS) // 1_000
        return f"binance,BTCUSDT,{us},,1709280000000000,,,,{seconds},,"

    journal = new_journal(place, (asked,))
    journal.message(0, at(10), ticker(10))
    journal.gap(asked, at(10), at(20), "lost", at_ns=at(20))
    journal.message(0, at(20), ticker(20))
    journal.close()
    relay_fill(place, 1, *map(line, (7, 10, 12, 20, 23)), lag_ns=NS_PER_MS, types=["derivative_ticker"])
    seal(place)
    key = replace(TRADES, type="derivative_ticker")
    assert Store(place).open(key).read("last_price", 0).tolist() == [10, 12, 20]


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize(("live_ms", "lag_ms"), [(-1, 4), (3, 0)])
def test_an_event_that_the_delay_puts_into_the_other_day_is_there_once(
    place: Path, final: bool, live_ms: int, lag_ms: int
) -> None:
    """It came live at one side of midnight; exchange time + the declared delay lies at the other."""
    journal = new_journal(place, (ASKED,))
    times_ns = {1: MIDNIGHT - NS_PER_S, 2: MIDNIGHT + live_ms * NS_PER_MS, 4: MIDNIGHT + NS_PER_S}
    exchange_ns = {1: times_ns[1] - NS_PER_MS, 2: MIDNIGHT - 2 * NS_PER_MS, 4: times_ns[4] - NS_PER_MS}
    for number, local_ns in times_ns.items():
        stamp = f"2024-03-0{1 + (exchange_ns[number] >= MIDNIGHT)}T" + _clock(exchange_ns[number])
        journal.message(0, local_ns, trade(number, local_ns, timestamp=stamp))
    spread_ns = 20 * NS_PER_MS
    journal.gap(ASKED, MIDNIGHT - spread_ns, MIDNIGHT + spread_ns, "lost", at_ns=MIDNIGHT + NS_PER_S)
    journal.close()
    # 3 came to no one live.
    events = {**exchange_ns, 3: MIDNIGHT - 3 * NS_PER_MS}
    for day in (DAY, NEXT):
        lines = [
            relay_line(number, 0, timestamp=events[number] // 1_000)
            for number in sorted(events, key=events.get)
        ]
        relay_fill(place, 1, *lines, day=day, lag_ns=lag_ms * NS_PER_MS)
    seal(place, final=final)
    seal(place, day=NEXT)
    found = [(row[0], row[2]) for day in (DAY, NEXT) for row in times(place, day)]
    assert sorted(found) == sorted((-1 if number == 3 else number, ns) for number, ns in events.items())


def _clock(ns: int) -> str:
    ms = ns // NS_PER_MS % 86_400_000
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}.{ms % 1_000:03}000Z"


def test_a_machine_s_answer_beside_a_relay_s_is_read_as_ever(place: Path) -> None:
    """Another kind of provider under the same name: of ids in one answer, and none in the other."""
    drop(place)
    fill(place, 1, *(trade(half, at(half / 2)) for half in range(10, 50)))
    seal(place)
    assert ids(place) == list(range(60))
    assert part(place).gaps == [Gap(at(10), at(20), "lost", True)]


def test_of_gaps_that_are_joined_for_want_of_room_the_greatest_delay_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_gaps, "MOST_GAPS", 2)
    some = [Gap(1, 2, "a", True, 5), Gap(3, 4, "b", True, 7), Gap(5, 6, "c"), Gap(90, 91, "d", True)]
    assert store_gaps.few(some) == [Gap(1, 6, "many gaps", False, 7), some[3]]


def test_a_delay_below_zero_is_told_by_check(place: Path, tmp_path: Path) -> None:
    file = put(dataset(tmp_path), csv_trades(csv_trade(1)))
    keep_gaps(file, [Gap(at(1), at(2), "lost", True, -1)])
    take(Store(place), tmp_path)
    (problem,) = check_store(Store(place), list(Store(place).find()), workers=1)["problems"]
    assert "a gap whose rows came -1 ns after their exchange time" in str(problem)
