"""Checkpoints of books: derived, made anew where they do not fit, and a short way off at any time."""

import errno
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from import_sample import DAY, DAY_US, START_US, contents, fast_folder, put, take
from test_books import START_NS, TYPE, assert_book_at, csv, long_days, row, snap, store_of
from tickreel.books import checkpoints
from tickreel.books.at import book_at
from tickreel.books.check import check_checkpoints
from tickreel.books.checkpoint_rows import ANEW, Checkpoint, CheckpointFile
from tickreel.books.rows import Source
from tickreel.cli.app import run
from tickreel.errors import CorruptionError, InputError, UsageError
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment
from tickreel.store.writer import SegmentWriter
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
    assert all(list(verify(Segment.open(file))) == [] for file in files)
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
    ((key, source),) = sources(store)
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


def last_point(store: Store, day: str) -> Checkpoint | None:
    """Return the last checkpoint of an uncrossed day as it lies in the store."""
    file = Segment.open(store.root / f".books/tardis/binance/BTCUSDT/{day}.uncrossed.reel")
    segment = store.open(SegmentKey("tardis", TYPE, "binance", "BTCUSDT", day))
    return CheckpointFile(file, Source(segment, "BTCUSDT", 0, segment.rows)).before(10**9)


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


class Forged(NamedTuple):
    """A store of two days, the file of checkpoints of the second as it was made, and its columns."""

    store: Store
    rows: list[L2]
    path: Path
    made: bytes
    columns: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def forged() -> Iterator[Forged]:
    with fast_folder() as folder:
        rows = few_levels()
        store = store_of(folder, rows, block_rows=16)
        path = store.root / ".books/tardis/binance/BTCUSDT/2024-01-02.reel"
        file = Segment.open(path)
        assert len(file.blocks) == 1
        assert len(np.unique(file.read("row", 0))) > 3 and set(file.read("kind", 0).tolist()) == {0, 1}
        yield Forged(store, rows, path, path.read_bytes(), {n: file.read(n, 0) for n in file.record.names})


def few_levels() -> list[L2]:
    """Two days of the same few prices; the second has its snapshot halfway, and changes before it."""
    chance = random.Random(3)
    rows = [snap(5, "bid", 99.5, 1), snap(5, "ask", 101, 1)]
    for number in range(800):
        price = round(100 + chance.choice((-1, 1)) * chance.randrange(1, 6) / 100, 2)
        us = DAY_US * (number >= 400) + 10 + number * 7
        side = "bid" if price < 100 else "ask"
        rows.append(row(us, side, price, chance.choice((0, 1, 2)), snapshot=600 <= number < 603))
    return rows


def write_rows(path: Path, columns: dict[str, np.ndarray], block_rows: int = 1 << 14) -> None:
    """Put other rows into a file of checkpoints, with right checksums and the meta data that it has."""
    file, partial = Segment.open(path), path.with_suffix(".other")
    meta = msgspec.structs.replace(
        file.meta,
        parts=[msgspec.structs.replace(file.meta.parts[0], rows=len(columns["row"])), *file.meta.parts[1:]],
    )
    with SegmentWriter(partial, file.record, block_rows=block_rows) as writer:
        writer.append(columns)
        writer.finish(meta, [("BTCUSDT", writer.rows)])
    partial.rename(path)


def each(name: str, value: object) -> Callable[[dict[str, np.ndarray]], None]:
    """Set a column in all rows, or in those that a slice names."""
    column, _, places = name.partition(" ")
    where = {
        "": slice(None),
        "of the first": slice(0, 1),
        "of the second": slice(1, 2),
        "of the last": slice(-1, None),
    }
    return lambda columns: columns[column].__setitem__(where[places], value)


def swapped(*names: str) -> Callable[[dict[str, np.ndarray]], None]:
    """Let the second and the third row of the file change places in some columns."""

    def forge(columns: dict[str, np.ndarray]) -> None:
        for name in names:
            columns[name][[1, 2]] = columns[name][[2, 1]]

    return forge


def upside_down(columns: dict[str, np.ndarray]) -> None:
    columns["row"][:] = columns["row"][::-1].copy()


def more_levels_than_rows(columns: dict[str, np.ndarray]) -> None:
    count = 300_000
    for name, values in columns.items():
        columns[name] = np.repeat(values[:1], count)
    columns["part"][1:] = 1
    columns["price"][1:] = np.arange(count - 1)[::-1]
    columns["amount"][1:] = 1


FORGERIES = {
    "row before the first": each("row", -5),
    "row beyond the last": each("row of the last", 2**62),
    "no row": each("row of the first", 0),
    "rows that descend": upside_down,
    "scale -1": each("scale", -1),
    "scale 2^62": each("scale", 2**62),
    "scale 10^6": each("scale", 10**6),
    "scale of no block": each("scale", 3),
    "scale that changes": each("scale of the second", 1),
    "price below all": each("price of the second", -(2**63)),
    "price above all": each("price of the second", 2**62),
    "one price": each("price", 10_000),
    "prices not best first": swapped("price"),
    "no amount": each("amount", np.nan),
    "amounts of 0": lambda columns: columns["amount"].__setitem__(columns["kind"] == 1, 0.0),
    "no state": each("part of the first", 1),
    "states alone": each("part", 0),
    "asks before bids": each("part of the second", 2),
    "a book that is a change": each("kind", 0),
    "changes that are a book": each("kind", 1),
    "a kind that changes": each("kind of the last", 0),
    "snapshot to come": lambda columns: columns["snapshot_ns"].__setitem__(columns["kind"] == 1, 2**62),
    "a row of a snapshot": each("in_snapshot", 1),
    "a time to come": each("local_ns", START_NS + 3 * DAY_US * NS_PER_US),
    "a time long past": each("local_ns", START_NS),
    "a time that changes": lambda columns: columns["local_ns"].__isub__(np.arange(len(columns["local_ns"]))[::-1]),
    "more levels than rows": more_levels_than_rows,
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_checkpoint_that_cannot_be_is_made_anew_or_left_aside(
    forged: Forged, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged.path.write_bytes(forged.made)
    columns = {column: values.copy() for column, values in forged.columns.items()}
    FORGERIES[name](columns)
    write_rows(forged.path, columns)
    forgery = forged.path.read_bytes()
    ((key, source),) = [found for found in sources(forged.store) if found[0].day == "2024-01-02"]
    assert not checkpoints.is_made(forged.store, key, source)
    count, problems = check_checkpoints(forged.store, key)
    assert count == 1
    assert problems and all(text.startswith(f"{forged.path}: ") and ANEW in text for text in problems)
    points = np.unique(forged.columns["row"]).tolist()
    times = [forged.rows[number].local_ns for number in (405, *(401 + point for point in points))]
    twins = [TwinBook().play(forged.rows, at_ns) for at_ns in times]
    with monkeypatch.context() as patch:
        read_only_file_system(patch)
        for at_ns, twin in zip(times, twins, strict=True):
            assert_book_at(forged.store, twin, at_ns)
    assert forged.path.read_bytes() == forgery
    for at_ns, twin in zip(times, twins, strict=True):
        assert_book_at(forged.store, twin, at_ns)
    assert forged.path.read_bytes() == forged.made


def sources(store: Store) -> list[tuple[SegmentKey, Source]]:
    segments = [(key, store.open(key)) for key in store.find(type=TYPE)]
    return [(key, Source(segment, "BTCUSDT", 0, segment.rows)) for key, segment in segments]


def odd_days(seed: int) -> list[L2]:
    """Three days of messages of some rows, snapshots among them, with prices of many digits and empty cells."""
    chance = random.Random(seed)
    prices = [100.25, 99.5, 101, 102.125, 98, *chance.choice(([], [1e-9, 123456789.123], [-0.0, 0.5]))]
    rows, us = [], 0
    for number in range(600):
        us += chance.choice((0, 1, 7)) + (DAY_US - us % DAY_US) * (number % 200 == 199)
        cells = chance.choice([*prices, None][chance.randrange(-1, 1) :]), chance.choice((0, 1, 2.5, None))
        side = ("bid", "ask")[(cells[0] or 0) > 100]
        rows.append(
            row(us, side, *cells, snapshot=chance.random() < 0.01 or number == chance.choice((0, 150)))
        )
    return rows


@pytest.mark.parametrize("seed", range(6))
def test_what_is_made_is_taken(tmp_path: Path, seed: int) -> None:
    """Every checkpoint of both policies passes its own rules, those of groups, too."""
    rows = odd_days(seed)
    store = store_of(tmp_path, rows, block_rows=random.Random(seed).choice((5, 16, 50)))
    chance = random.Random(seed)
    for one, uncross in product(chance.sample(rows, 8) + rows[-1:], (False, True)):
        assert_book_at(
            store, TwinBook(uncross=uncross).play(rows, one.local_ns), one.local_ns, uncross=uncross
        )
    files = {path: path.read_bytes() for path in (store.root / ".books").rglob("*.reel")}
    looked_at = 0
    for key, source in sources(store):
        assert check_checkpoints(store, key) == (len(checkpoints.files_of(store, key)), [])
        for path in checkpoints.files_of(store, key):
            looked_at += len(list(CheckpointFile(Segment.open(path), source)))
        assert checkpoints.is_made(store, key, source)
    assert looked_at > 12
    assert_book_at(store, TwinBook().play(rows), rows[-1].local_ns)
    assert {path: path.read_bytes() for path in files} == files


def test_check_looks_at_checkpoints_and_counts_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = store_of(tmp_path, long_days(50))
    group = put(
        tmp_path / f"binance_{TYPE}_{DAY}_FUTURES.csv", csv(long_days(9)[:11]).replace(b"BTC", b"ETH")
    )
    take(store, group)
    book_at(store, "BTCUSDT", START_NS + 300 * NS_PER_US, uncross=True)
    book_at(store, "ETHUSDT", START_NS + 300 * NS_PER_US)
    words = ["check", "--store", str(store.root), "--workers", "1"]
    assert run(words) == 0
    assert "3 segments, 113 rows, " in (said := capfd.readouterr().err)
    assert ", 4 files of checkpoints: all is well" in said
    for path in sorted((store.root / ".books").rglob("*.reel")):
        made = path.read_bytes()
        for place in (3, 200, len(made) - 100, len(made) - 3):
            path.write_bytes(made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :])
            assert run([*words, "--json"]) == 1
            found = json.loads(capfd.readouterr().out)
            assert found["checkpoints"] == 4
            assert all(str(path) in text and ANEW in text for text in found["problems"])
        path.write_bytes(made)
    files = sorted((store.root / ".books").rglob("BTCUSDT/2024-01-0?.reel"))
    shutil.copy(files[0], files[1])
    assert run(words) == 1
    assert (
        f"{files[1]}: it holds book_levels of BTCUSDT on 2024-01-01, which is of another"
        in capfd.readouterr().out
    )


def test_check_leaves_alone_what_waits_to_be_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints by other rules, and of days before that are other ones now."""
    rows = crossing_days()
    store = store_of(tmp_path, rows, block_rows=64)
    book_at(store, "BTCUSDT", rows[-1].local_ns, uncross=True)
    key, _ = sources(store)[-1]
    assert check_checkpoints(store, key) == (2, [])
    store.path(sources(store)[0][0]).unlink()
    assert check_checkpoints(store, key) == (2, [])
    monkeypatch.setattr(checkpoints, "RULES", checkpoints.RULES + 1)
    assert check_checkpoints(store, key) == (2, [])
