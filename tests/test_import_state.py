"""Batches in any order, repeated, replaced: the same final files give the same rows and the same bytes."""

import random
from functools import cache
from itertools import count
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from counts import SOAK
from import_sample import (
    START_US,
    TRADES,
    contents,
    dataset,
    fast_folder,
    plain,
    put,
    stored,
    take,
    trade,
    trades,
)
from tickreel.schema import RecordType
from tickreel.store.catalog import Store
from tickreel.store.maintain import verify
from twin_csv import Reading, read_csv, segments

SLOTS = (
    "BTCUSDT", "BTCUSDT", "BTCUSDT", "BTCUSDT and ETHUSDT", "OPTIONS", "OPTIONS", "OPTIONS", "SOLUSDT", "SOLUSDT",
)  # fmt: skip
"""What each file is about. All are of one day, each has a tenth of a second of its own."""
WITHOUT_CLOCK = ("SOLUSDT",)
VERSIONS = 3
BLOCK_ROWS = 4

Choice = tuple[int, int]
History = list[list[Choice]]


def shape(slot: int, version: int) -> RecordType:
    """Return the columns of a file: one in three has fees."""
    return TRADES.shape(["fee"] if (slot + version) % 3 == 1 else [], local=SLOTS[slot] not in WITHOUT_CLOCK)


@cache
def text(slot: int, version: int) -> bytes:
    """Return one version of a slot's file; the last one has no rows, where that leaves no other segment behind."""
    chance = random.Random(f"{slot} {version}")
    about = SLOTS[slot].split(" and ")
    cells = {"fee": "-1e-9"} if shape(slot, version).extras else {}
    cells |= {} if shape(slot, version).has_local else {"local_timestamp": None}
    lines = [trade(slot * 100_000, price=0, id=f"{slot}-{version}", **cells)]
    symbols = [f"O{n}" for n in range(5)] if about == ["OPTIONS"] else about
    rows = 0 if len(about) == 1 and version == VERSIONS - 1 else chance.randrange(2, 14)
    for row in range(rows):
        cells |= (
            {"fee": chance.choice(["", "", "0.01", "1e-9", "-3", "0.3333333333333333"])}
            if "fee" in cells
            else {}
        )
        lines.append(trade(
            slot * 100_000 + chance.randrange(100_000), **cells, symbol=symbols[row % len(symbols)],
            id=chance.choice([row, chance.randrange(10**6), "", f"id-{row}", "e7b1c0de-0000-4000-8000-00000000000a"]),
            price=chance.choice(["1.5", "0.6514930603731664", "1e-9", "123456789", "0.1", "2e19", "30000.25"]),
            amount=chance.choice(["1", "0.001", "1e-22", "9007199254740993"]), side=chance.choice(["buy", "sell", "unknown"]),
        ))  # fmt: skip
    return trades(*lines, shape=shape(slot, version))


class World:
    """Source files at fixed paths, for the paths are part of what a segment says of itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._wanted: dict[tuple[Choice, ...], tuple[dict, dict]] = {}

    def play(self, history: History) -> tuple[Store, dict[int, int]]:
        """Import batch after batch into a new store; return it with the version that each slot ended with."""
        store = Store(self._folder / f"tape{next(self._numbers)}")
        final: dict[int, int] = {}
        for batch in history:
            paths = []
            for slot, version in dict(batch).items():
                path = dataset(self._folder / str(slot), symbol=SLOTS[slot].split(" ")[0], end=".csv")
                paths.append(put(path, text(slot, version)))
                final[slot] = version
            summary = take(store, *paths, block_rows=BLOCK_ROWS)
            assert not summary.failed, summary.failed[0].error
        return store, final

    def wanted(self, final: dict[int, int]) -> tuple[dict, dict]:
        """Return the bytes and the rows of a store into which the final files came once, all in one batch."""
        choice = tuple(sorted(final.items()))
        if choice not in self._wanted:
            store, _ = self.play([list(choice)])
            self._wanted[choice] = contents(store.root, "*.reel"), stored(store)
        return self._wanted[choice]


def twin_rows(final: dict[int, int]) -> dict:
    """Return the rows as the twin orders them; empty segments are left out."""
    rows: dict = {}
    for group in ("", "OPTIONS"):
        slots = [slot for slot in final if (SLOTS[slot] == "OPTIONS") == bool(group)]
        found = [row for slot in sorted(slots) for row in reading(slot, final[slot]).rows]
        rows |= {name: plain(part) for name, part in segments(found, group).items()}
    return rows


def reading(slot: int, version: int) -> Reading:
    return read_csv(shape(slot, version), text(slot, version))


choices = st.tuples(st.integers(0, len(SLOTS) - 1), st.integers(0, VERSIONS - 1))
histories = st.lists(st.lists(choices, min_size=1, max_size=4), min_size=1, max_size=6)


def test_the_history_leaves_no_trace() -> None:
    with fast_folder() as folder:
        world = World(folder)

        @settings(max_examples=2_000 if SOAK else 30, deadline=None)
        @example([[(0, 0), (1, 0)], [(0, 1)], [(1, 2), (0, 2)], [(0, 0)], [(1, 0)]])
        @example([[(7, 0), (8, 0)], [(7, 1)], [(8, 2), (7, 2)], [(8, 1)]])
        @example([[(6, 0), (5, 0), (4, 0)], [(4, 1)], [(4, 0)], [(3, 0)], [(3, 1), (0, 0)]])
        @given(histories)
        def check(history: History) -> None:
            store, final = world.play(history)
            bytes_wanted, rows_wanted = world.wanted(final)
            assert contents(store.root, "*.reel") == bytes_wanted
            rows = stored(store)
            assert rows == rows_wanted
            assert {name: found for name, found in rows.items() if found} == twin_rows(final)

        check()


@settings(max_examples=200 if SOAK else 6, deadline=None)
@given(st.permutations(range(len(SLOTS))), st.integers(0, 1 << 16))
def test_files_in_any_order_and_in_any_batches(order: list[int], cuts: int) -> None:
    with fast_folder() as folder:
        world = World(folder)
        batches: History = [[]]
        for place, slot in enumerate(order):
            batches[-1].append((slot, 0))
            if cuts >> place & 1:
                batches.append([])
        store, final = world.play([batch for batch in batches if batch])
        assert contents(store.root, "*.reel") == world.wanted(final)[0]
        for key in store.find():
            assert list(verify(store.open(key))) == []
        again = contents(store.root)
        paths = [
            dataset(folder / str(slot), symbol=SLOTS[slot].split(" ")[0], end=".csv")
            for slot in reversed(order)
        ]
        assert {report.state for report in take(store, *paths, block_rows=BLOCK_ROWS).files} == {"skipped"}
        assert contents(store.root) == again


def test_the_versions_differ_and_stay_in_their_slots() -> None:
    """What the two tests above stand on."""
    for slot in range(len(SLOTS)):
        found = [reading(slot, version) for version in range(VERSIONS)]
        assert len({text(slot, version) for version in range(VERSIONS)}) == VERSIONS
        early = 1_000 if SLOTS[slot] in WITHOUT_CLOCK else 0
        for one in found:
            times = [row.time // 1_000 - START_US + early for row in one.rows]
            assert all(slot * 100_000 <= us < (slot + 1) * 100_000 for us in times)
        symbols = {frozenset(row.symbol for row in one.rows) for one in found}
        assert SLOTS[slot] != "BTCUSDT and ETHUSDT" or symbols == {frozenset({"BTCUSDT", "ETHUSDT"})}
