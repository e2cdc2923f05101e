"""A journal's day to segments: rows, overlaps, gaps, history; the same journal gives the same bytes."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from counts import SOAK
from import_sample import contents
from journal_sample import DAY, START, STREAM, at, iso, message, new_journal, trade
from seal_sample import BOOK, TRADES, fill, folder, ids, part, seal
from tickreel.cli.app import run
from tickreel.errors import FailedError
from tickreel.ingest.record import seal_rows
from tickreel.ingest.record.journal import StreamInfo
from tickreel.ingest.record.journal_format import Kind, pack
from tickreel.ingest.record.journal_writer import Journal
from tickreel.ingest.record.seal import seal_day
from tickreel.ingest.record.sealed import sealed_days
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Gap
from tickreel.units import NS_PER_DAY, NS_PER_S


def book(local_ns: int, *levels: tuple[float, float], snapshot: bool = False) -> bytes:
    return message({
        "type": "book_change", "symbol": "BTCUSDT", "exchange": "binance", "isSnapshot": snapshot, "bids": [],
        "asks": [{"price": price, "amount": amount} for price, amount in levels], "timestamp": iso(local_ns),
        "localTimestamp": iso(local_ns),
    })  # fmt: skip


def test_messages_become_segments_of_their_day(place: Path) -> None:
    journal = new_journal(place)
    for number in range(5):
        journal.message(0, at(number), trade(number, at(number)))
    journal.message(0, at(6), book(at(6), (1, 2), (3, 4), snapshot=True))
    journal.close()
    report = seal(place)
    assert (report.messages, report.rows, report.segments) == (6, 7, [str(BOOK), str(TRADES)])
    assert ids(place) == [0, 1, 2, 3, 4]
    assert Store(place).primary() == "feed"
    found = part(place)
    assert (found.source, found.lines, found.rows) == (f"record://feed/trades/binance/{DAY}", 5, 5)
    assert folder(place).exists()
    assert not (folder(place) / "seal").exists()


def test_a_day_that_goes_on_is_sealed_anew_and_removed_when_it_has_ended(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.commit()
    seal(place)
    before = contents(place, "*.reel")
    assert seal(place).rows == 1
    assert contents(place, "*.reel") == before
    journal.message(0, at(2), trade(2, at(2)))
    journal.close()
    assert seal(place, final=True).final
    assert ids(place) == [1, 2]
    assert not folder(place).exists()
    assert sealed_days(folder(place).parent) == {DAY}


def test_a_day_that_is_sealed_for_good_is_not_sealed_again(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.close()
    seal(place, final=True)
    folder(place).mkdir()
    with pytest.raises(FailedError, match="2024-03-01 is sealed for good, and its segments stay as they are"):
        seal(place)
    assert ids(place) == [1]


def test_a_journal_that_is_being_written_is_sealed_up_to_its_last_whole_record(place: Path) -> None:
    journal = new_journal(place, (StreamInfo("binance", ["BTCUSDT"], ["trades"]),))
    for number in range(3):
        journal.message(0, at(number), trade(number, at(number)))
    journal.close()
    for name in ("000001.journal", "events.journal"):
        path = folder(place) / name
        whole = path.read_bytes()
        for size in range(0, len(whole) + 1, 1 if SOAK else 23):
            path.write_bytes(whole[:size])
            report = seal(place)
            assert report.troubles == []
            assert ids(place) == list(range(report.rows))
            assert report.rows == 3 or size < len(whole)
        path.write_bytes(whole)


def test_what_comes_while_a_day_is_sealed_is_not_half_of_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second connection repeats a row after the events were read, or before: never is one there twice."""
    journal = new_journal(place, (StreamInfo("binance", ["BTCUSDT"], ["trades"]),))
    connections(journal, [trade(1, at(1)), trade(2, at(2))])
    journal.commit()
    reading = seal_rows.read_events

    def read_events(*words: Any, **named: Any) -> Any:
        connections(journal, [trade(2, at(2)), trade(3, at(3))], start=2)
        journal.commit()
        state = reading(*words, **named)
        connections(journal, [trade(3, at(3)), trade(4, at(4))], start=4)
        journal.commit()
        return state

    with monkeypatch.context() as patch:
        patch.setattr(seal_rows, "read_events", read_events)
        seal(place)
    assert ids(place) == [1, 2]
    assert seal(place).overlaps == 2
    assert ids(place) == [1, 2, 3, 4]
    journal.close()


def test_the_same_journal_gives_the_same_bytes(place: Path) -> None:
    for name in ("a", "b"):
        # Other files and commits, the same messages.
        journal = new_journal(place / name, roll_bytes=1 if name == "a" else 1 << 20)
        for number in range(50):
            journal.message(0, at(number), trade(number, at(number)))
            if number % 7 == 0 and name == "a":
                journal.commit()
        journal.close()
        seal(place / name)
    assert contents(place / "a", "*.reel") == contents(place / "b", "*.reel")


def test_rows_of_an_exchange_that_was_not_asked_for_are_set_aside(place: Path) -> None:
    journal = new_journal(place, (StreamInfo("okex", ["BTCUSDT"], ["trades"]), STREAM))
    journal.message(0, at(1), trade(1, at(1)))
    journal.message(1, at(2), trade(2, at(2)))
    journal.close()
    report = seal(place)
    assert (report.rows, report.unreadable, report.set_aside) == (1, 1, 1)
    (rejects,) = (path for path in map(Path, report.rejects) if "okex" in path.read_text())
    assert "of another exchange than okex: " in rejects.read_text()
    assert {key.exchange: Store(place).open(key).rows for key in Store(place).find(type="trades")} == {
        "binance": 1, "okex": 0,
    }  # fmt: skip


def test_a_symbol_without_a_row_was_looked_at(place: Path) -> None:
    journal = new_journal(place, (StreamInfo("binance", ["btcusdt", "ETHUSDT"], ["trades", "liquidations"]),))
    journal.message(0, at(1), trade(1, at(1)))
    journal.close()
    seal(place)
    rows = {(key.type, key.symbol): Store(place).open(key).rows for key in Store(place).find()}
    assert rows == {
        ("trades", "BTCUSDT"): 1, ("trades", "ETHUSDT"): 0,
        ("liquidations", "BTCUSDT"): 0, ("liquidations", "ETHUSDT"): 0,
    }  # fmt: skip


def connections(journal: Journal, *spans: list[bytes], start: float = 0) -> None:
    """Write messages, those of each span over a connection of its own, a second apart."""
    seconds = start
    for span in spans:
        journal.connected(0)
        for payload in span:
            journal.message(0, at(seconds), payload)
            seconds += 1


def test_what_two_connections_bring_is_kept_once(place: Path) -> None:
    journal = new_journal(place)
    sent = [trade(number, at(number)) for number in range(9)]
    connections(journal, sent[:5], sent[3:7], sent[2:9])
    journal.close()
    report = seal(place)
    assert ids(place) == list(range(9))
    assert (report.overlaps, report.rows) == (7, 9)
    assert part(place).odd["overlap_dropped"].count == 7


def test_equal_rows_without_ids_count_as_often_as_one_connection_had_them(place: Path) -> None:
    def same(number: int) -> bytes:
        # Its arrival at the machine differs each time; all else is equal.
        return trade(0, at(5) + number * 1_000, id=None, timestamp=iso(at(5)))

    for name, spans, rows in (
        ("max", [[same(1), same(2)], [same(3), same(4), same(5)]], 3),
        ("one", [[same(1)], [same(2)], [same(3)]], 1),
        ("alone", [[same(1), same(2), same(3)]], 3),
    ):
        journal = new_journal(place / name)
        connections(journal, *spans)
        journal.close()
        seal(place / name)
        assert Store(place / name).open(TRADES).rows == rows, name


def test_a_liquidation_and_a_trade_of_one_id_are_two_events(place: Path) -> None:
    """The live connection brought the trade; history has its liquidation, too."""
    asked = StreamInfo("deribit", ["BTC-PERPETUAL"], ["liquidations", "trades"])
    name = {"symbol": "BTC-PERPETUAL", "exchange": "deribit"}
    journal = new_journal(place, (asked,))
    journal.message(0, at(20), trade(77, at(20), **name))
    journal.gap(asked, at(20), at(25), "lost", at_ns=at(25))
    connections(journal, [trade(99, at(25), **name)], start=25)
    journal.close()
    both = (trade(77, at(20), **name, type="liquidation"), trade(77, at(20), **name))
    fill(place, 1, *both, trade(99, at(25), **name))
    assert seal(place).overlaps == 2
    rows = {key.type: Store(place).open(key).rows for key in Store(place).find()}
    assert rows == {"liquidations": 1, "trades": 2}


def test_what_comes_again_long_after_is_another_row(place: Path) -> None:
    journal = new_journal(place)
    connections(journal, [trade(1, at(0)), *(trade(n, at(n)) for n in range(2, 150))])
    connections(journal, [trade(1, at(200))], start=200)
    journal.close()
    assert seal(place).overlaps == 0


def test_rows_of_books_are_never_taken_for_repetitions(place: Path) -> None:
    journal = new_journal(place)
    snapshot, change = book(at(1), (1, 2), snapshot=True), book(at(2), (1, 0))
    connections(journal, [snapshot, change], [snapshot, change])
    journal.close()
    assert seal(place).overlaps == 0
    assert Store(place).open(BOOK).rows == 4


def test_gaps_are_told_with_what_history_filled(place: Path) -> None:
    journal = new_journal(place)
    sent = [trade(number, at(number)) for number in range(60)]
    for number in (*range(10), *range(20, 30), *range(50, 60)):
        if number in (20, 50):
            journal.connected(0)
        journal.message(0, at(number), sent[number])
        if number in (20, 50):
            journal.gap(STREAM, at({20: 9, 50: 29}[number]), at(number), f"lost {number}", at_ns=at(number))
    journal.settle(DAY, 2, "no history", at_ns=at(60))
    journal.close()
    # A minute around it, as history is asked for; some rows are of the next day.
    fill(place, 1, *(trade(n, at(n) + 3_000) for n in range(60)), trade(99, START + NS_PER_DAY))
    report = seal(place)
    assert (report.gaps, report.filled) == (2, 1)
    assert ids(place) == [*range(30), *range(50, 60)]
    lost = [Gap(at(9), at(20), "lost 20", True), Gap(at(29), at(50), "lost 50")]
    assert part(place).gaps == lost
    assert part(place, BOOK).gaps == [Gap(at(9), at(20), "lost 20"), lost[1]]


def test_what_was_missed_is_seen_by_ls_stats_and_quality(place: Path, capfd) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.gap(STREAM, at(1), at(71), "lost", at_ns=at(71))
    journal.gap(STREAM, at(60), at(81), "lost", at_ns=at(81))
    journal.message(0, at(81), trade(2, at(81)))
    journal.close()
    seal(place)

    def told(*words: str) -> Any:
        assert run([*words, "--store", str(place), "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    listed = told("ls", "--type", "trades")
    assert [(entry["gaps"], entry["gaps_ns"]) for entry in listed["entries"]] == [(1, 80 * NS_PER_S)]
    assert [(entry["feed"], entry["day"]) for entry in listed["unsealed"]] == [("feed", DAY)]
    assert [(entry["gaps"], entry["gaps_ns"]) for entry in told("stats", "--type", "trades")["types"]] == [
        (1, 80 * NS_PER_S)
    ]
    (day,) = told("quality", "--types", "trades")["days"]
    assert (day["figures"]["missed"], day["figures"]["missed_ns"]) == (1, 80 * NS_PER_S)
    (verdict,) = [verdict for verdict in day["verdicts"] if verdict["rule"] == "missed"]
    assert (verdict["severity"], verdict["text"]) == (2, "the recorder missed 80 s, once")
    assert run(["ls", "--store", str(place)]) == 0
    table, notes = capfd.readouterr()
    assert "1 gap of 80 s" in table
    assert f"feed {DAY} goes on, or is not sealed" in notes
    assert told("check")["problems"] == []


def test_a_gap_that_history_has_too_is_not_filled(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.gap(STREAM, at(1), at(9), "lost", at_ns=at(9))
    journal.message(0, at(9), trade(9, at(9)))
    journal.close()
    fill(
        place,
        1,
        trade(2, at(2)),
        message({"type": "disconnect", "exchange": "binance", "localTimestamp": iso(at(3))}),
    )
    assert seal(place).filled == 0
    assert ids(place) == [1, 2, 9]
    assert part(place).gaps == [Gap(at(1), at(9), "lost")]


def test_states_of_history_are_taken_within_the_gap_alone(place: Path) -> None:
    def ticker(seconds: float, **fields: Any) -> bytes:
        return message({
            "type": "derivative_ticker", "symbol": "BTCUSDT", "exchange": "binance", "lastPrice": seconds,
            "timestamp": iso(at(seconds)), "localTimestamp": iso(at(seconds)),
        } | fields)  # fmt: skip

    journal = new_journal(place, (StreamInfo("binance", ["BTCUSDT"], ["derivative_ticker"]),))
    journal.message(0, at(10), ticker(10, markPrice=1))
    journal.gap(STREAM, at(10), at(20), "lost", at_ns=at(20))
    journal.message(0, at(20), ticker(20, markPrice=1))
    journal.close()
    # Replays begin without what earlier messages set.
    fill(place, 1, *(ticker(seconds) for seconds in (7, 9, 12, 20, 23)))
    seal(place)
    key = SegmentKey("feed", "derivative_ticker", "binance", "BTCUSDT", DAY)
    assert Store(place).open(key).read("last_price", 0).tolist() == [10, 12, 20]


def test_other_gaps_of_the_same_rows_are_another_part(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.commit()
    seal(place)
    assert part(place).gaps == []
    journal.gap(STREAM, at(1), at(9), "lost", at_ns=at(9))
    journal.close()
    seal(place)
    assert part(place).gaps == [Gap(at(1), at(9), "lost")]


def test_what_is_no_row_is_set_aside_with_its_text(place: Path) -> None:
    journal = new_journal(place)
    forged = b"binance,BTCUSDT,1709251200000000,1709251200000000,1,buy,1,1"
    for payload in (
        b"garbage",
        forged,
        b'{"type":"trade","symbol":"A"}',
        b'{"type":"trade_bar"}',
        trade(1, at(1)),
    ):
        journal.message(0, at(1), payload)
    midnight = START + NS_PER_DAY
    journal.close_day(DAY, at_ns=midnight)
    journal.message(0, midnight + 1, trade(7, at(7)))
    journal.message(0, midnight + 2, trade(8, midnight))
    journal.close()
    report = seal(place, final=True)
    assert (report.rows, report.set_aside, report.unreadable, report.unknown) == (1, 3, 3, {"trade_bar": 1})
    (rejects,) = report.rejects
    text = Path(rejects).read_text()
    assert "garbage" in text
    assert forged.decode().replace(",", ";") in text
    late = seal(place, day="2024-03-02")
    assert (late.rows, late.late, late.set_aside) == (1, 1, 1)
    assert "it came when its day was sealed" in Path(late.rejects[0]).read_text()


def test_what_is_of_a_day_far_away_is_set_aside(place: Path) -> None:
    journal = new_journal(place)
    for number, local_ns in enumerate((at(1), START - 2 * NS_PER_DAY, START + 2 * NS_PER_DAY)):
        journal.message(0, at(1), trade(number, local_ns))
    journal.close()
    report = seal(place)
    assert (report.rows, report.late, report.set_aside) == (1, 2, 2)
    assert Path(report.rejects[0]).read_text().count("its local time is days from its arrival") == 2


def test_damage_is_told_and_the_rest_is_sealed(place: Path) -> None:
    journal = new_journal(place, roll_bytes=1)
    for number in range(3):
        journal.message(0, at(number), trade(number, at(number)))
        journal.commit()
    journal.close()
    path = folder(place) / "000002.journal"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data + pack(Kind.MESSAGE, 0, 1, at(1), trade(7, at(1))))
    report = seal(place)
    assert ids(place) == [0, 7, 2]
    assert ["are damaged" in trouble for trouble in report.troubles] == [True]
    assert part(place).gaps == [Gap(at(0), at(1), "the journal is damaged")]


def test_an_import_beside_is_waited_for(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.close()
    import_ = ExitStack()
    import_.enter_context(Store(place).writing())
    asked = []

    def on_wait(why: str) -> None:
        asked.append(why)
        if len(asked) == 2:
            assert not list(Store(place).find())
            import_.close()

    seal_day(Store(place), "feed", folder(place), final=False, isolate=False, on_wait=on_wait)
    assert f"is being written by process {os.getpid()}" in asked[0]
    assert ids(place) == [1]


def test_a_worker_of_its_own_does_the_same(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.close()
    report = seal_day(Store(place), "feed", folder(place), final=False, workers=1)
    assert (report.rows, ids(place)) == (1, [1])
