"""A feed's journal: what was committed is there, by day; restarts, torn tails, failing disks."""

import errno
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from journal_sample import DAY, START, STREAM, at, new_journal, payloads, records, trade
from tickreel.errors import DiskError, FormatError, LockedError
from tickreel.ingest.record import day_state
from tickreel.ingest.record.day_state import DayState, read_state
from tickreel.ingest.record.journal import (
    GapNote,
    StreamInfo,
    feed_lock,
    is_day,
    journal_days,
    message_files,
)
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_DAY, NS_PER_S

OTHER = StreamInfo("deribit", ["BTC-PERPETUAL"], ["trades"])
NEXT = "2024-03-02"


def day(place: Path, name: str = DAY) -> Path:
    return place / ".journal" / "feed" / name


def test_what_is_committed_is_there_and_nothing_before(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    assert not journal_days(place / ".journal" / "feed")
    assert journal.waiting_bytes
    journal.commit()
    assert payloads(day(place)) == [trade(1, at(1))]
    assert journal.waiting_bytes == 0
    journal.message(0, at(2), b"not even JSON")
    journal.close()
    assert payloads(day(place)) == [trade(1, at(1)), b"not even JSON"]
    assert read_state(day(place)).last == {"binance": at(2)}


def test_a_message_lies_in_the_day_of_its_local_time_else_of_its_arrival(place: Path) -> None:
    journal = new_journal(place)
    midnight = START + NS_PER_DAY
    journal.message(0, midnight + 5, late := trade(1, midnight - 1_000))
    journal.message(0, midnight + 6, early := trade(2, midnight + 6_000))
    journal.message(0, midnight - 2, b"garbage")
    journal.message(0, midnight + 7, b'{"localTimestamp":"9999-99-99"}')
    journal.message(0, midnight + 8, later := trade(3, midnight - 2_000))
    journal.close()
    assert payloads(day(place)) == [late, b"garbage", later]
    assert payloads(day(place, NEXT)) == [early, b'{"localTimestamp":"9999-99-99"}']


@pytest.mark.parametrize("blank", [": ", " : ", ":\t", ":\n  "])
def test_a_message_with_blanks_lies_in_the_day_of_its_local_time_too(place: Path, blank: str) -> None:
    journal = new_journal(place)
    midnight = START + NS_PER_DAY
    sent = []
    for number, local_ns in enumerate((midnight - 2_000, midnight + 1_000, midnight - 1_000)):
        fields = json.loads(trade(number, local_ns))
        sent.append(json.dumps(fields, separators=(", ", blank)).encode())
        journal.message(0, midnight + NS_PER_S // 5, sent[-1])
    journal.close()
    assert payloads(day(place)) == [sent[0], sent[2]]
    assert payloads(day(place, NEXT)) == [sent[1]]


def test_days_far_from_the_arrival_are_none_of_the_journal(place: Path) -> None:
    """Each has files that are open: a message of any day could take all that a process may have."""
    journal = new_journal(place)
    sent = [trade(number, START + number * NS_PER_DAY) for number in range(-300, 300)]
    before = len(os.listdir("/proc/self/fd"))
    for payload in sent:
        journal.message(0, at(10), payload)
        journal.commit()
    assert len(os.listdir("/proc/self/fd")) - before <= 6
    journal.close()
    assert journal_days(day(place).parent) == ["2024-02-29", DAY, NEXT]
    assert payloads(day(place)) == [*sent[:299], sent[300], *sent[302:]]


def test_a_closed_day_takes_nothing_more(place: Path) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.close_day(DAY, at_ns=at(2))
    assert read_state(day(place)).ended == {"binance"}
    journal.message(0, START + NS_PER_DAY, trade(2, at(3)))
    journal.message(0, at(4), trade(3, at(4)))  # the clock was set back
    journal.close()
    assert payloads(day(place)) == [trade(1, at(1))]
    assert payloads(day(place, NEXT)) == [trade(2, at(3)), trade(3, at(4))]


def test_each_connection_has_a_number_of_its_own_in_each_day(place: Path) -> None:
    journal = new_journal(place, (STREAM, OTHER))
    midnight = START + NS_PER_DAY
    for number, (stream, local) in enumerate([(0, at(1)), (1, at(2)), (0, at(3)), (0, midnight)]):
        journal.message(stream, at(4), trade(number, local))
    journal.connected(0)
    journal.message(0, at(5), trade(5, at(5)))
    journal.close()
    found = [(record.stream, record.number) for _, record in records(day(place))]
    assert found == [(0, 1), (1, 2), (0, 1), (0, 3)]
    assert [record.number for _, record in records(day(place, NEXT))] == [1]
    assert read_state(day(place)).connections == 3


def test_gaps_are_noted_in_each_of_their_days(place: Path) -> None:
    journal = new_journal(place, (STREAM, OTHER))
    midnight = START + NS_PER_DAY
    journal.open_day(DAY)
    journal.open_day(NEXT)
    assert journal.gap(OTHER, midnight - 5, midnight + 7, "lost", at_ns=midnight + 7) == [
        (DAY, 1),
        (NEXT, 1),
    ]
    assert journal.gap(STREAM, at(1), at(1), "nothing", at_ns=at(1)) == []
    assert journal.gap(STREAM, at(1), at(2), "again", at_ns=at(3)) == [(DAY, 2)]
    journal.settle(DAY, 2, "no history", at_ns=at(4))
    journal.close()
    state = read_state(day(place))
    assert state.gaps == {
        1: GapNote("deribit", midnight - 5, midnight, "lost", ["BTC-PERPETUAL"], ["trades"]),
        2: GapNote("binance", at(1), at(2), "again", STREAM.symbols, STREAM.types),
    }
    assert state.settled == {2: "no history"}
    assert read_state(day(place, NEXT)).gaps == {
        1: GapNote("deribit", midnight, midnight + 7, "lost", ["BTC-PERPETUAL"], ["trades"])
    }


def test_a_restart_goes_on_in_new_files(place: Path) -> None:
    for start in range(3):
        states = [read_state(day(place), mend=True)] if start else []
        journal = new_journal(place, states=states)
        journal.message(0, at(start), trade(start, at(start)))
        journal.gap(STREAM, at(start), at(start + 1), "x", at_ns=at(start))
        journal.close()
    assert [path.name for path in message_files(day(place))] == [f"00000{n}.journal" for n in (1, 2, 3)]
    state = read_state(day(place))
    assert (state.connections, sorted(state.gaps), state.last) == (3, [1, 2, 3], {"binance": at(2)})
    assert payloads(day(place)) == [trade(n, at(n)) for n in range(3)]


def test_files_roll_and_a_restart_reads_the_last_alone(place: Path, monkeypatch) -> None:
    journal = new_journal(place, (STREAM, OTHER), roll_bytes=1)
    journal.message(1, at(1), trade(1, at(1)))
    journal.commit()
    journal.message(0, at(2), trade(2, at(2)))
    journal.commit()
    journal.close()
    assert len(message_files(day(place))) == 2
    read = []
    whole = day_state.read_records
    monkeypatch.setattr(
        day_state, "read_records", lambda path, *a, **k: (read.append(path.name), whole(path, *a, **k))[1]
    )
    assert read_state(day(place)).last == {"deribit": at(1), "binance": at(2)}
    assert read == ["events.journal", "000002.journal"]


@pytest.mark.parametrize("name", ["000001.journal", "events.journal"])
def test_a_torn_tail_is_cut_at_recovery_wherever_it_is_torn(place: Path, name: str) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.commit()
    path = day(place) / name
    whole = path.read_bytes()
    torn = pack(Kind.MESSAGE, 0, 1, at(2), trade(2, at(2)))
    for cut in range(1, len(torn)):
        path.write_bytes(whole + torn[:cut])
        assert read_state(day(place)).last == {"binance": at(1)}
        assert path.stat().st_size == len(whole) + cut
        (trouble,) = read_state(day(place), mend=True).troubles
        assert f"its last {cut} bytes are no whole record" in trouble
        assert path.read_bytes() == whole
        assert read_state(day(place), mend=True).troubles == []
    journal.close()


def test_a_damaged_middle_is_told_and_passed_over(place: Path) -> None:
    journal = new_journal(place)
    for number in range(3):
        journal.message(0, at(number), trade(number, at(number)))
    journal.close()
    path = day(place) / "000001.journal"
    data = bytearray(path.read_bytes())
    data[data.index(trade(1, at(1))) + 5] ^= 1
    path.write_bytes(data)
    assert payloads(day(place)) == [trade(0, at(0)), trade(2, at(2))]
    (trouble,) = read_state(day(place), mend=True).troubles
    assert "are damaged" in trouble
    assert path.read_bytes() == data


def test_a_journal_of_a_later_version_is_refused(place: Path) -> None:
    folder = day(place)
    folder.mkdir(parents=True)
    begin = b'{"version":%d,"feed":"feed","day":"2024-03-01","streams":[],"more":1}' % (VERSION + 1)
    (folder / "000001.journal").write_bytes(pack(Kind.BEGIN, 0, 0, 0, begin))
    with pytest.raises(FormatError, match="journal of version 2, this tickreel reads 1: upgrade"):
        read_state(folder)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_after_a_failure_nothing_is_acknowledged_any_more(place: Path, monkeypatch, call: str) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.commit()

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        journal.message(0, at(2), trade(2, at(2)))
        with pytest.raises(DiskError, match="make room"):
            journal.commit()
    journal.message(0, at(3), trade(3, at(3)))
    with pytest.raises(DiskError, match="make room"):
        journal.commit()
    assert journal.waiting_bytes
    journal.close()
    assert trade(3, at(3)) not in payloads(day(place))
    assert payloads(day(place))[0] == trade(1, at(1))


def test_a_disk_that_takes_a_part_leaves_what_the_next_recorder_cuts_off(place: Path, monkeypatch) -> None:
    journal = new_journal(place)
    journal.message(0, at(1), trade(1, at(1)))
    journal.commit()
    write = os.write

    def short(fd: int, data: bytes) -> int:
        if len(data) > 40:
            return write(fd, data[:40])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        journal.message(0, at(2), trade(2, at(2)))
        with pytest.raises(DiskError):
            journal.commit()
    assert read_state(day(place), mend=True).troubles
    assert payloads(day(place)) == [trade(1, at(1))]


def test_one_thread_appends_while_another_commits(place: Path) -> None:
    journal = new_journal(place, roll_bytes=20_000)
    sent = [trade(number, at(number / 100)) for number in range(5_000)]

    def append() -> None:
        for number, payload in enumerate(sent):
            journal.message(0, at(number / 100), payload)

    thread = threading.Thread(target=append)
    thread.start()
    while thread.is_alive():
        journal.commit()
    journal.close()
    assert payloads(day(place)) == sent


def test_gaps_of_two_threads_have_numbers_of_their_own(place: Path) -> None:
    """One receives and knows of a gap's end, another one knows that a day ends."""
    streams = (STREAM, OTHER)
    journal, count = new_journal(place, streams), 400
    noted: list[tuple[str, int]] = []

    def note(asked: StreamInfo) -> None:
        for number in range(count):
            noted.extend(journal.gap(asked, at(number), at(number + 1), "lost", at_ns=at(count)))

    threads = [threading.Thread(target=note, args=(asked,)) for asked in streams]
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)
    journal.close()
    assert sorted(number for _, number in noted) == [*range(1, 2 * count + 1)]
    assert len(read_state(day(place)).gaps) == 2 * count


def test_one_recorder_a_feed_beside_a_writer_of_the_store(place: Path) -> None:
    store = Store(place)
    with store.writing(), feed_lock(store, "feed") as folder, feed_lock(store, "other"):
        assert folder == place / ".journal" / "feed"
        with (
            pytest.raises(LockedError, match=f"feed feed of .* recorded by process {os.getpid()}"),
            feed_lock(store, "feed"),
        ):
            pass
    with feed_lock(store, "feed"):
        pass
    assert store.feeds() == []


@pytest.mark.parametrize(
    ("name", "ok"),
    [("2024-02-29", True), ("2023-02-29", False), ("1999-01-01", False), ("2100-01-01", False), ("20240101", False),
     ("../../..", False), ("2024-1-01 ", False), ("", False)],
)  # fmt: skip
def test_what_is_a_day(name: str, ok: bool) -> None:
    assert is_day(name) is ok


def test_only_days_are_listed(place: Path) -> None:
    folder = place / "feed"
    for name in (DAY, "x", "sealed"):
        (folder / name).mkdir(parents=True)
    (folder / NEXT).symlink_to(folder / DAY)
    assert journal_days(folder) == [DAY]
    assert journal_days(place / "nothing") == []
    assert read_state(folder / DAY) == DayState(DAY)
