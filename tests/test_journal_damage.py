"""A journal with bytes that cannot be read: the rest is there, what may be lost is a gap, and the journal is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from journal_sample import DAY, START, STREAM, at, new_journal, trade
from seal_sample import fill, folder, ids, part, seal
from tickreel.cli.app import run
from tickreel.ingest.record.day_state import read_state
from tickreel.ingest.record.journal import StreamInfo, message_files, parts
from tickreel.ingest.record.sealed import note_sealed
from tickreel.store.format import Gap
from tickreel.units import NS_PER_DAY

DERIBIT = StreamInfo("deribit", ["BTC-PERPETUAL"], ["trades"])
DAMAGED = "the journal is damaged"


def kept(place: Path) -> Path:
    return place / ".journal" / "feed" / f"{DAY}.damaged"


def gaps(place: Path) -> list[Gap]:
    return part(place).gaps


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def journal_of(place: Path, numbers: range, *streams: StreamInfo, **settings: Any) -> None:
    """Journal trades, a second apart, each in a commit of its own."""
    states = [read_state(folder(place), mend=True)] if folder(place).exists() else []
    journal = new_journal(place, streams or (STREAM,), states=states, **settings)
    for number in numbers:
        journal.message(len(streams[1:]), at(number), trade(number, at(number)))
        journal.commit()
    journal.close()


BEGIN = 40


def test_a_damaged_beginning_costs_no_message(place: Path) -> None:
    journal_of(place, range(10, 1_010))
    flip(message_files(folder(place))[0], BEGIN)
    report = seal(place, final=True)
    assert ids(place) == list(range(10, 1_010))
    # What its bytes were cannot be told.
    assert gaps(place) == [Gap(START, at(10), DAMAGED)]
    assert "are damaged" in report.troubles[0]


def test_a_damaged_beginning_is_that_of_its_connection(place: Path) -> None:
    """The file before is of a recorder with other streams."""
    journal_of(place, range(3))
    journal_of(place, range(3, 6), DERIBIT, STREAM)
    flip(message_files(folder(place))[1], BEGIN)
    assert read_state(folder(place)).last == {"binance": at(5)}
    seal(place, final=True)
    assert ids(place) == [*range(6)]
    assert gaps(place) == [Gap(at(2), at(3), DAMAGED)]


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_damaged_beginning_is_that_of_a_neighbour_where_events_are_lost(place: Path, damaged: int) -> None:
    journal_of(place, range(3), roll_bytes=1)
    files = message_files(folder(place))
    assert len(files) == 3
    (folder(place) / "events.journal").unlink()
    flip(files[damaged], BEGIN)
    state = read_state(folder(place))
    assert (state.last, state.heard) == ({"binance": at(2)}, dict.fromkeys(parts(STREAM), at(2)))
    seal(place, final=True)
    assert ids(place) == [0, 1, 2]


def test_a_file_whose_streams_nothing_tells_is_a_gap_and_kept(place: Path) -> None:
    journal_of(place, range(3))
    (folder(place) / "events.journal").unlink()
    flip(folder(place) / "000001.journal", BEGIN)
    report = seal(place, final=True)
    assert report.rows == 0
    assert (kept(place) / "000001.journal").exists()

    other = place / "other"
    journal_of(other, range(3))
    journal_of(other, range(10, 13), DERIBIT, STREAM)
    flip(folder(other) / "events.journal", BEGIN)
    assert read_state(folder(other)).connections == 2
    seal(other, final=True)
    assert ids(other) == [0, 1, 2, 10, 11, 12]


def test_the_last_record_of_a_file_that_is_not_written_any_more_is_a_gap(place: Path) -> None:
    journal_of(place, range(3), roll_bytes=1)
    for number in (0, 2):
        flip(folder(place) / f"00000{number + 1}.journal", -3)
    assert seal(place).troubles != []
    assert ids(place) == [1]
    assert gaps(place) == [Gap(START, at(1), DAMAGED)]
    seal(place, final=True)
    assert gaps(place) == [Gap(START, at(1), DAMAGED), Gap(at(1), START + NS_PER_DAY, DAMAGED)]


def test_a_gap_whose_event_is_damaged_is_seen_by_the_connections(place: Path) -> None:
    journal = new_journal(place, (STREAM,))
    for number in (1, 2, 20, 21, 40):
        if number in (20, 40):
            journal.connected(0)
            journal.gap(STREAM, at({20: 2, 40: 21}[number]), at(number), "lost", at_ns=at(number))
        journal.message(0, at(number), trade(number, at(number)))
    journal.close()
    events = folder(place) / "events.journal"
    flip(events, events.read_bytes().index(b'"lost"'))
    seal(place, final=True)
    assert gaps(place) == [Gap(at(2), at(20), DAMAGED), Gap(at(21), at(40), "lost")]


@pytest.mark.parametrize("how", ["filled", "a damaged fill", "settled"])
def test_the_number_of_a_gap_whose_event_is_damaged_is_not_given_again(place: Path, how: str) -> None:
    """What is known of that gap, as that history filled it, would be said of another one."""
    journal = new_journal(place, (STREAM,))
    journal.gap(STREAM, at(2), at(20), "lost", at_ns=at(20))
    for number in (1, 20):
        journal.message(0, at(number), trade(number, at(number)))
    if how == "settled":
        journal.settle(DAY, 1, "given up", at_ns=at(21))
    journal.close()
    if how != "settled":
        fill(place, 1, trade(5, at(5)))
    if how == "a damaged fill":
        flip(folder(place) / "fill-000001.journal", BEGIN)
    events = folder(place) / "events.journal"
    flip(events, events.read_bytes().index(b'"lost"'))
    journal = new_journal(place, (STREAM,), states=[read_state(folder(place), mend=True)])
    assert journal.gap(STREAM, at(21), at(40), "lost again", at_ns=at(40)) == [(DAY, 2)]
    journal.message(0, at(40), trade(40, at(40)))
    journal.close()
    seal(place, final=True)
    assert gaps(place)[-1] == Gap(at(21), at(40), "lost again")


@pytest.mark.parametrize("are_there", [True, False])
def test_the_number_of_a_connection_whose_event_is_damaged_is_not_given_again(
    place: Path, are_there: bool
) -> None:
    """Only messages tell of it, and not those of the last file."""
    journal = new_journal(place, (DERIBIT, STREAM), roll_bytes=1)
    for number, stream in enumerate((0, 1, 0)):
        journal.message(stream, at(number), trade(number, at(number)))
        journal.commit()
    journal.close()
    events = folder(place) / "events.journal"
    if are_there:
        flip(events, events.read_bytes().rindex(b'"binance"'))
    else:
        events.unlink()
    assert read_state(folder(place), mend=True).connections == 2


def test_what_a_connection_repeats_is_there_once_though_the_event_before_is_damaged(place: Path) -> None:
    journal_of(place, range(3))
    journal_of(place, range(2, 6))
    events = folder(place) / "events.journal"
    flip(events, events.read_bytes().rindex(b'"binance"'))
    journal_of(place, range(4, 8))
    assert seal(place, final=True).overlaps == 3
    assert ids(place) == [*range(8)]


def test_a_damaged_journal_is_kept_under_another_name(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journal_of(place, range(3))
    flip(folder(place) / "events.journal", -3)
    report = seal(place, final=True)
    assert "the gaps and connections in them are lost" in report.troubles[0]
    assert f"{kept(place)}: some of this journal is damaged, so it is kept (" in report.troubles[1]
    assert not folder(place).exists()
    assert run(["ls", "--store", str(place), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    size = sum(path.stat().st_size for path in kept(place).iterdir())
    assert told["kept"] == [{"feed": "feed", "day": DAY, "bytes": size, "path": str(kept(place))}]
    assert told["unsealed"] == []
    assert run(["ls", "--store", str(place)]) == 0
    assert f"are kept in {kept(place)}" in capfd.readouterr().err.replace("\n", " ")


def test_a_damaged_journal_is_kept_after_a_kill_too(recorder: Any, place: Path) -> None:
    run = recorder(at(0))
    run.hear(at(1), at(2))
    run.feed.journal.close()
    day = run.folder / DAY
    (day / "keep").touch()
    note_sealed(run.folder, DAY, [])
    run = recorder(at(3))
    assert (run.folder / f"{DAY}.damaged" / "000001.journal").exists()
    assert "it is kept" in run.feed.troubles[0]
