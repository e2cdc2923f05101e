"""Checkpoints of books: derived, made anew where they do not fit, and a short way off at any time."""

import errno
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from import_sample import DAY, DAY_US, START_US, contents, fast_folder, put, take
from test_books import START_NS, TYPE, assert_book_at, csv, long_days, row, snap, store_of
from tickreel.books import checkpoints
from tickreel.books.at import book_at
from tickreel.cli.app import run
from tickreel.errors import CorruptionError, InputError, UsageError
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_US, day_of
from twin_book import L2, TwinBook


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


def test_no_checkpoint_lies_within_a_message(tmp_path: Path) -> None:
    """A message of many blocks is uncrossed at its end alone, by all of its rows."""
    rows = [snap(1, "bid", 8, 1), snap(1, "ask", 20, 1), row(2, "ask", 10, 1)]
    rows += [row(2, "bid", 12, 1)] * 200 + [row(9, "bid", 1, 1)]
    store = store_of(tmp_path, rows, block_rows=4)
    for us in (1, 2, 9):
        at_ns = START_NS + us * NS_PER_US
        assert_book_at(store, TwinBook(uncross=True).play(rows, at_ns), at_ns, uncross=True)


def test_checkpoints_are_derived(tmp_path: Path) -> None:
    """Made by the import; deleted, damaged or of other rows they are made anew; the book stays the same."""
    rows = long_days()
    store = store_of(tmp_path, rows, block_rows=64)
    files = sorted((store.root / ".books").rglob("*.reel"))
    assert [file.name for file in files] == ["2024-01-01.reel", "2024-01-02.reel"]
    made = {file: file.read_bytes() for file in files}
    assert all(list(verify(checkpoints.Segment.open(file))) == [] for file in files)
    times = [START_NS + us * NS_PER_US for us in (20_000, DAY_US + 3, DAY_US + 7_000, DAY_US + 20_000)]
    wanted = [TwinBook().play(rows, at) for at in times]

    def look() -> None:
        for at, twin in zip(times, wanted, strict=True):
            assert_book_at(store, twin, at)

    look()
    shutil.rmtree(store.root / ".books")
    look()
    assert {file: file.read_bytes() for file in files} == made
    files[0].write_bytes(made[files[0]][:-100])
    files[1].write_bytes(made[files[0]])
    look()
    assert {file: file.read_bytes() for file in files} == made
    damaged = bytearray(made[files[1]])
    damaged[200] ^= 1
    files[1].write_bytes(damaged)
    look()
    assert {file: file.read_bytes() for file in files} == made
    files[1].write_bytes(damaged)
    store_of(tmp_path, rows, block_rows=64)
    assert {file: file.read_bytes() for file in files} == made


def test_checkpoints_of_other_rules_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of another version, and those of the other policy under this one's name."""
    rows = [snap(1, "bid", 8, 1), snap(1, "ask", 10, 1), row(2, "bid", 12, 1), row(3, "bid", 6, 1)]
    store, at_ns = store_of(tmp_path, rows), rows[-1].local_ns
    for uncross in (False, True):
        assert_book_at(store, TwinBook(uncross=uncross).play(rows), at_ns, uncross=uncross)
    kept, uncrossed = sorted((store.root / ".books").rglob("*.reel"))
    made = uncrossed.read_bytes()
    shutil.copy(kept, uncrossed)
    assert_book_at(store, TwinBook(uncross=True).play(rows), at_ns, uncross=True)
    assert uncrossed.read_bytes() == made
    monkeypatch.setattr(checkpoints, "RULES", checkpoints.RULES + 1)
    book_at(store, "BTCUSDT", at_ns, uncross=True)
    assert uncrossed.read_bytes() != made


def test_an_import_removes_what_was_left_unfinished_and_no_more(tmp_path: Path) -> None:
    rows = long_days(20)
    store = store_of(tmp_path, rows)
    left, busy = (store.root / ".books" / ".partial" / name for name in ("left", "busy"))
    left.parent.mkdir()
    for path in (left, busy):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    store_of(tmp_path, rows)
    assert (left.exists(), busy.exists()) == (False, True)


def test_an_import_makes_what_is_missing_and_replaces_what_is_old(tmp_path: Path) -> None:
    rows = long_days(200)
    store = store_of(tmp_path, rows)
    whole = contents(store.root)
    shutil.rmtree(store.root / ".books")
    assert contents(store_of(tmp_path, rows).root) == whole
    other = [*rows, row(DAY_US + 10**6, "bid", 98.5, 7)]
    store = store_of(tmp_path, other)
    assert contents(store.root) != whole
    assert_book_at(store, TwinBook().play(other), other[-1].local_ns)


def test_a_store_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = long_days(200)
    store = store_of(tmp_path, rows)
    twin = TwinBook().play(rows)
    for file in (store.root / ".books").rglob("*.reel"):
        file.unlink()
    with monkeypatch.context() as patch:
        read_only_file_system(patch)
        assert_book_at(store, twin, rows[-1].local_ns)
    shutil.rmtree(store.root / ".books")
    (store.root / ".books").write_text("in the way")
    assert_book_at(store, twin, rows[-1].local_ns)


def read_only_file_system(patch: pytest.MonkeyPatch) -> None:
    """Folders that are there may be made again; no file may be opened for writing, or removed."""

    def refuse(path: object, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def opened(path: str, flags: int, *words: int, **named: int) -> int:
        return refuse(path) if flags & os.O_CREAT else real(path, flags, *words, **named)  # type: ignore[return-value]

    real = os.open
    patch.setattr(os, "open", opened)
    patch.setattr(Path, "unlink", refuse)


def bad_row(path: Path) -> None:
    """A price beyond the integers of a ladder, as the last row but two of a file."""
    lines = path.read_bytes().splitlines(keepends=True)
    cells = lines[-3].split(b",")
    lines[-3] = b",".join([*cells[:6], b"1e17", b"1\n"])
    path.write_bytes(b"".join(lines))


def corrupt_block(path: Path) -> None:
    segment = Segment.open(path)
    offset = int(segment.footer.chunks[-2, segment.record.names.index("price")]["offset"])
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= 1
    path.write_bytes(damaged)


@pytest.mark.parametrize("what", ["a row", "a block"])
@pytest.mark.parametrize("uncross", [False, True])
def test_what_cannot_be_read_late_in_a_day_leaves_earlier_books(
    tmp_path: Path, what: str, uncross: bool
) -> None:
    rows = [one for one in long_days() if day_of(one.local_ns) == DAY]
    path = tmp_path / f"binance_{TYPE}_{DAY}_BTCUSDT.csv"
    path.write_bytes(csv(rows))
    store = Store(tmp_path / "tape")
    if what == "a row":
        bad_row(path)
        error, text = InputError, "too many digits"
        (problem,) = take(store, path, block_rows=64).books
        assert text in problem
    else:
        error, text = CorruptionError, "checksum does not fit"
        take(store, path, block_rows=64)
        corrupt_block(store.path(SegmentKey("tardis", TYPE, "binance", "BTCUSDT", DAY)))
        shutil.rmtree(store.root / ".books")
    for number in (0, 9, 2_000, 3_700):
        at_ns = rows[number].local_ns
        assert_book_at(store, TwinBook(uncross=uncross).play(rows, at_ns), at_ns, uncross=uncross)
    with pytest.raises(error, match=text):
        book_at(store, "BTCUSDT", rows[-1].local_ns, uncross=uncross)
    ((key, source),) = [
        (key, checkpoints.Source(segment, "BTCUSDT", 0, segment.rows))
        for key in store.find(type=TYPE)
        for segment in [store.open(key)]
    ]
    point = checkpoints.find(store, key, source, len(rows), uncross=uncross)
    assert point is not None and len(rows) // 2 < point.row < len(rows)
    assert not checkpoints.is_made(store, key, source, uncross=uncross)


def test_rm_takes_the_checkpoints_along(tmp_path: Path) -> None:
    store = store_of(tmp_path, long_days(50))
    book_at(store, "BTCUSDT", START_NS + NS_PER_US * 300, uncross=True)
    assert len(list((store.root / ".books").rglob("*.reel"))) == 3
    assert run(["rm", "--store", str(store.root), "--to", "2024-01-02", "--quiet"]) == 0
    assert [file.name for file in (store.root / ".books").rglob("*.reel")] == ["2024-01-02.reel"]


def crossing_days(*, first: float = 99.99) -> list[L2]:
    """Three days with the snapshot on the first alone, where bids and asks meet now and then."""
    chance = random.Random(4)
    rows = [snap(5, "bid", first, 1), snap(5, "ask", 101, 1)]
    for day in range(3):
        for number in range(1_500):
            price = round(100 + chance.gauss(0, 0.3), 2)
            side = ("bid", "ask")[(price > 100) ^ (chance.random() < 0.01)]
            rows.append(row(day * DAY_US + 10 + number * 7, side, price, chance.choice((0, 1, 2))))
    return rows


def last_point(store: Store, day: str) -> checkpoints.Checkpoint | None:
    """Return the last checkpoint of an uncrossed day as it lies in the store."""
    file = Segment.open(store.root / f".books/tardis/binance/BTCUSDT/{day}.uncrossed.reel")
    return checkpoints._last_before(file, 10**9)


def test_uncrossed_days_without_a_snapshot_have_checkpoints_of_their_own(tmp_path: Path) -> None:
    rows = crossing_days()
    store = store_of(tmp_path, rows, block_rows=64)
    times = [START_NS + (day * DAY_US + us) * NS_PER_US for day in (2, 1, 0) for us in (9_000, 11, 10)]
    for at_ns in times:
        assert_book_at(store, TwinBook(uncross=True).play(rows, at_ns), at_ns, uncross=True)
    for number, day in enumerate(("2024-01-01", "2024-01-02", "2024-01-03")):
        point = last_point(store, day)
        assert point is not None and point.is_whole
        assert (point.row, len(point.rests_on)) == (1_500 + 2 * (number == 0), number)
    made = contents(store.root)
    for at_ns in times:
        book_at(store, "BTCUSDT", at_ns, uncross=True)
    assert contents(store.root) == made


def test_uncrossed_checkpoints_follow_the_days_that_they_rest_on(tmp_path: Path) -> None:
    rows = crossing_days()
    at_ns = rows[-1].local_ns
    later = [one for one in rows if day_of(one.local_ns) != DAY]
    store = store_of(tmp_path, later, block_rows=64)
    with pytest.raises(UsageError, match="no snapshot between 2024-01-02"):
        book_at(store, "BTCUSDT", at_ns, uncross=True)
    for bid in (99.99, 98.5):
        now = crossing_days(first=bid)
        store = store_of(tmp_path, now, block_rows=64)
        assert_book_at(store, TwinBook(uncross=True).play(now, at_ns), at_ns, uncross=True)
        point = last_point(store, "2024-01-03")
        assert point is not None and len(point.rests_on) == 2
    assert (
        run(["rm", "--store", str(store.root), "--from", "2024-01-02", "--to", "2024-01-03", "--quiet"]) == 0
    )
    with pytest.raises(UsageError, match="no snapshot between 2024-01-03"):
        book_at(store, "BTCUSDT", at_ns, uncross=True)


@pytest.mark.long
@pytest.mark.parametrize("uncross", [False, True])
def test_ten_thousand_levels_far_apart_are_a_short_way_off(tmp_path: Path, uncross: bool) -> None:
    chance, middle = random.Random(1), 10**9
    prices = [(middle - 33 * level, middle + 33 * level) for level in range(1, 10_001)]
    rows = [
        snap(1, side, price, 1) for pair in prices for side, price in zip(("bid", "ask"), pair, strict=True)
    ]
    for us in range(2, 200_000):
        side = chance.randrange(2)
        level = min(int(chance.expovariate(0.01)), 9_999)
        rows.append(row(us, ("bid", "ask")[side], prices[level][side], chance.randrange(1, 9)))
    store, took = store_of(tmp_path, rows, block_rows=65_536), []
    for share in (0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        at_ns = rows[int(share * len(rows))].local_ns
        book_at(store, "BTCUSDT", at_ns, uncross=uncross)
        begun = time.process_time()
        book_at(store, "BTCUSDT", at_ns, uncross=uncross)
        took.append(time.process_time() - begun)
    assert max(took) < 0.2, took


@pytest.mark.long
def test_any_time_of_a_long_day_is_a_short_way_off(tmp_path: Path) -> None:
    """Half a million rows: the last quarter of the day costs no more than its beginning."""
    chance = random.Random(1)
    rows = [snap(0, side, price, 1) for side in ("bid", "ask") for price in range(1_000, 2_000)]
    lines = [csv(rows)]
    for us in range(1, 500_000):
        side = chance.choice(("bid", "ask"))
        lines.append(
            f"binance,BTCUSDT,{START_US + us * 100},{START_US + us * 100},false,{side},"
            f"{chance.randrange(1_000, 2_000)},{chance.randrange(9)}\n".encode()
        )
    store = Store(tmp_path / "tape")
    take(store, put(tmp_path / f"binance_{TYPE}_{DAY}_BTCUSDT.csv", b"".join(lines)))
    took = []
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        at_ns = START_NS + int(share * 500_000) * 100 * NS_PER_US
        book_at(store, "BTCUSDT", at_ns)
        begun = time.process_time()
        book_at(store, "BTCUSDT", at_ns)
        took.append(time.process_time() - begun)
    assert max(took) < 0.2, took
