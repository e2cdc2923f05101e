"""The tree of folders: what is found, what is refused, and no link followed on the way."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import store_sample as sample
from test_store_names import HOSTILE, KEY
from tickreel.errors import CorruptionError, UsageError
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import PRIMARY, SegmentKey, Store
from tickreel.store.format import Meta
from tickreel.store.kept import KeptStore
from tickreel.store.reader import Segment
from tickreel.store.writer import SegmentWriter

TRADES = RECORD_TYPES["trades"]


def put(store: Store, key: SegmentKey = KEY, seed: int = 1) -> Path:
    """Publish a segment of three rows under a key."""
    cells = sample.random_cells(TRADES, 3, seed)
    with store.writing() as writing:
        path = writing.staging / "0.reel"
        with SegmentWriter(path, TRADES) as writer:
            writer.append(sample.batch(TRADES, cells))
            meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, [])
            writer.finish(meta, [(key.symbol, 3)])
        writing.publish([(path, writing.path(key))])
        if writing.primary() is None:
            writing.set_primary(key.feed)
    return store.path(key)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "tape")
    put(store)
    return store


def test_every_kind_of_name_is_found_again(store: Store) -> None:
    keys = [replace(KEY, symbol=symbol) for symbol in HOSTILE if symbol != "BTCUSDT"]
    keys += [replace(KEY, exchange="Ünicode.", symbol="x"), replace(KEY, symbol="OPTIONS", grouped=True)]
    for key in keys:
        put(store, key)
    found = list(store.find())
    assert sorted(found) == sorted([KEY, *keys])
    assert found == sorted(found)
    for key in found:
        assert store.open(key).symbol_rows(key.symbol) == (0, 3)


def test_find_answers_what_is_asked(store: Store) -> None:
    later, other = replace(KEY, day="2024-01-03"), replace(KEY, exchange="okex", symbol="A")
    liquidations = replace(KEY, feed="a", type="liquidations")
    for key in (later, other):
        put(store, key)
    store.path(liquidations).parent.mkdir(parents=True)
    store.path(liquidations).touch()
    day = sample.NS_PER_DAY
    assert list(store.find(feed="tardis")) == [KEY, later, other]
    assert list(store.find()) == [liquidations, KEY, later, other]
    assert list(store.find(type="liquidations")) == [liquidations]
    assert list(store.find(exchange="okex")) == [other]
    assert list(store.find(symbol="BTCUSDT", type="trades")) == [KEY, later]
    assert list(store.find(from_ns=sample.START + day, to_ns=sample.START + 2 * day + 1)) == [later]
    assert list(store.find(from_ns=sample.START + day - 1, to_ns=sample.START + 2 * day, feed="tardis")) == [
        KEY,
        other,
    ]
    assert list(store.find(type="no_such")) == []
    assert store.feeds() == ["a", "tardis"]


def test_named_symbols_are_found_without_a_look_at_the_others(store: Store) -> None:
    own, group = (replace(KEY, symbol="OPTIONS", grouped=grouped) for grouped in (False, True))
    for key in (own, group):
        store.path(key).parent.mkdir(parents=True)
        store.path(key).touch()
    exchange = store.path(KEY).parent.parent
    (exchange / "x y").mkdir()
    (exchange / "LINK").symlink_to(exchange / "BTCUSDT")
    assert list(store.find(symbol=["OPTIONS", "LINK", "BTCUSDT", "ETHUSDT", "", "a\nb"])) == [KEY, own, group]
    assert list(store.find(symbol="OPTIONS")) == [own, group]
    assert list(store.find(symbol=())) == []
    (exchange / "FUTURES").symlink_to(exchange / "OPTIONS")
    assert list(store.find(symbol={"FUTURES"})) == []


@pytest.mark.parametrize(
    "place", ["tardis/trades/Binance", "tardis/trades/binance/btcusdt", "tardis/trades/x y"]
)
def test_a_foreign_folder_is_named(place: str, store: Store) -> None:
    (store.root / place).mkdir()
    with pytest.raises(UsageError, match=re.escape(str(store.root / place))):
        list(store.find())


def test_a_folder_whose_name_is_no_text_is_named(store: Store) -> None:
    os.mkdir(os.fsencode(store.root / "tardis/trades/binance") + b"/\xff\xfe")
    with pytest.raises(UsageError, match="no name is encoded so"):
        list(store.find())


@pytest.mark.parametrize("name", ["2024-1-1", "2024-02-30", "2024-W01-1", "20240101", "x", "", " 2024-01-01"])
def test_a_segment_not_named_after_a_day_is_named(name: str, store: Store) -> None:
    path = store.path(KEY).with_name(f"{name or '2024-01-01.reel'}.reel")
    path.touch()
    with pytest.raises(UsageError, match=re.escape(str(path))):
        list(store.find())


def test_what_others_leave_lying_about_is_passed_over(store: Store) -> None:
    for folder in (".git", "lost+found", "Notes", "tardis/.trash", "tardis/notes", "tardis/trades/.snapshot"):
        (store.root / folder).mkdir()
    (store.root / "tardis/trades/binance/.x/").mkdir()
    for file in ("README", "tardis/trades/README", "tardis/trades/binance/x"):
        (store.root / file).touch()
    for file in (".DS_Store", "._2024-01-01.reel", "2024-01-01.checkpoints", "2024-01-01.reel.tmp"):
        store.path(KEY).with_name(file).touch()
    store.path(KEY).with_name("2024-01-09.reel").mkdir()
    assert list(store.find()) == [KEY]
    assert store.feeds() == ["tardis"]


def test_a_segment_under_anothers_name_is_refused(store: Store) -> None:
    for other in (
        replace(KEY, symbol="ETHUSDT"), replace(KEY, exchange="okex"), replace(KEY, day="2024-01-02"),
        replace(KEY, type="liquidations"), replace(KEY, symbol="OPTIONS", grouped=True),
    ):  # fmt: skip
        path = store.path(other)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(store.path(KEY), path)
        with pytest.raises(
            CorruptionError, match=f"{path.name} holds tardis/trades/binance/BTCUSDT/2024-01-01"
        ):
            store.open(other)
    moved = replace(KEY, feed="elsewhere")
    (store.root / "tardis").rename(store.root / "elsewhere")
    assert store.open(moved).rows == 3


def test_no_store_and_a_broken_one_are_told_apart(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="holds no store"):
            Store.existing(path)
    store = Store(tmp_path / "tape")
    put(store)
    assert Store.existing(store.root).primary() == "tardis"
    for junk in (b"", b"../x\n", b"\xff\n", b"A" * 10**6):
        (store.root / PRIMARY).write_bytes(junk)
        with pytest.raises(CorruptionError, match="write one of tardis into it"):
            Store.existing(store.root)


def test_a_pipe_in_the_place_of_a_segment_does_not_hold_the_reader(store: Store) -> None:
    store.path(KEY).unlink()
    os.mkfifo(store.path(KEY))
    assert list(store.find()) == []
    with pytest.raises(CorruptionError, match="too few"):
        store.open(KEY)


# Links planted at every level of the store

LEVELS = ("tardis", "tardis/trades", "tardis/trades/binance", "tardis/trades/binance/BTCUSDT")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A whole store elsewhere, to which the links lead; nothing in it may change."""
    elsewhere = Store(tmp_path / "outside")
    put(elsewhere)

    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in elsewhere.root.rglob("*") if path.is_file()}

    before = state()
    yield elsewhere.root
    assert state() == before


def plant(store: Store, outside: Path, place: str) -> None:
    """Put a link to the same place outside where a folder or file of the store was."""
    path = store.root / place
    path.rename(store.root.parent / "taken away")
    path.symlink_to(outside / place)


@pytest.mark.parametrize("place", LEVELS)
def test_a_link_in_place_of_a_folder_is_not_followed(place: str, store: Store, outside: Path) -> None:
    plant(store, outside, place)
    assert list(store.find()) == []
    assert list(store.find(feed="tardis", type="trades", exchange="binance", symbol="BTCUSDT")) == []
    with pytest.raises(UsageError, match=f"{re.escape(place)} is a symbolic link"):
        store.open(KEY)
    with pytest.raises(UsageError, match=f"{re.escape(place)} is a symbolic link"):
        put(store)
    with pytest.raises(UsageError, match=f"{re.escape(place)} is a symbolic link"):
        put(store, replace(KEY, day="2024-01-02"))
    with (
        store.writing() as writing,
        pytest.raises(UsageError, match=f"{re.escape(place)} is a symbolic link"),
    ):
        writing.remove([writing.path(KEY)])


def test_a_link_in_place_of_a_segment_is_not_followed(store: Store, outside: Path) -> None:
    path = store.path(KEY)
    plant(store, outside, str(path.relative_to(store.root)))
    assert list(store.find()) == []
    with pytest.raises(UsageError, match=f"{path.name} is a symbolic link"):
        store.open(KEY)
    put(store)  # takes the link's place
    assert not path.is_symlink()
    assert store.open(KEY).rows == 3
    path.unlink()
    path.symlink_to(outside / path.relative_to(store.root))
    with store.writing() as writing:
        writing.remove([path])
    assert not path.is_symlink()


def test_a_link_in_place_of_primary_is_not_followed(store: Store, outside: Path) -> None:
    plant(store, outside, PRIMARY)
    with pytest.raises(UsageError, match="primary is a symbolic link"):
        Store.existing(store.root)
    with store.writing() as writing:
        writing.set_primary("other")
    assert (outside / PRIMARY).read_text() == "tardis\n"
    assert store.primary() == "other"


@pytest.mark.parametrize("place", [".lock", ".staging"])
def test_a_link_in_place_of_the_writers_own_is_not_followed(place: str, store: Store, outside: Path) -> None:
    (outside / place).mkdir(exist_ok=True) if place == ".staging" else None
    (outside / ".staging").mkdir(exist_ok=True)
    (outside / ".staging" / "precious").write_text("kept")
    (store.root / place).unlink(missing_ok=True)
    (store.root / place).symlink_to(outside / place)
    with pytest.raises(UsageError, match=f"{re.escape(place)} is a symbolic link"), store.writing():
        pass
    assert (outside / ".staging" / "precious").read_text() == "kept"
    (outside / ".staging" / "precious").unlink()


def test_a_link_to_the_store_itself_is_the_users_business(store: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store.root)
    assert list(Store.existing(tmp_path / "link").find()) == [KEY]


def test_removing_leaves_no_empty_folders_and_touches_nothing_else(store: Store) -> None:
    other = replace(KEY, symbol="ETHUSDT")
    put(store, other)
    with store.writing() as writing:
        writing.remove([store.path(KEY)])
    assert list(store.find()) == [other]
    assert not store.path(KEY).parent.exists()
    with store.writing() as writing:
        writing.remove([store.path(other)])
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", PRIMARY]
    assert list(store.find()) == []


def test_a_segment_that_is_replaced_stays_readable(store: Store) -> None:
    old: Segment = store.open(KEY)
    before = sample.read(old)
    put(store)
    with store.writing() as writing:
        writing.remove([store.path(KEY)])
    assert sample.read(old) == before
    with pytest.raises(FileNotFoundError):
        store.open(KEY)


def test_a_segment_that_is_kept_open_is_the_one_that_lies_there(store: Store) -> None:
    kept = KeptStore(store.root)
    first = kept.open(KEY)
    assert kept.open(KEY) is first
    put(store, seed=2)
    second = kept.open(KEY)
    assert second is not first
    assert sample.read(second) == sample.read(store.open(KEY)) != sample.read(first)
    store.path(KEY).unlink()
    with pytest.raises(FileNotFoundError):
        kept.open(KEY)


def test_each_thread_keeps_segments_of_its_own_and_not_too_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, other = KeptStore(store.root), replace(KEY, symbol="ETHUSDT")
    put(store, other)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(kept.open, KEY).result() is not kept.open(KEY)
    monkeypatch.setattr("tickreel.store.kept.MOST_KEPT", 1)
    first = kept.open(KEY)
    assert kept.open(other) is kept.open(other)
    assert kept.open(KEY) is not first
