"""What a scan and a merge hold: decoded rows within a budget, segments open while they are read."""

import gc
import mmap
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import store_sample as sample
from counts import SOAK
from import_sample import fast_folder
from merge_sample import make_primary, put_segment
from tickreel.scan.merge import shares
from tickreel.scan.plan import Question, plan
from tickreel.store.catalog import SegmentKey, Store
from tickreel.tape import open_store
from tickreel.units import NS_PER_DAY, day_of

DAYS = [day_of(sample.START + n * NS_PER_DAY) for n in range(3)]


@pytest.fixture(scope="module")
def fast() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


@pytest.mark.parametrize(("needs", "budget", "wanted"), [
    ([], 10, []), ([5, 5], 10, [5, 5]), ([1, 100, 100], 21, [1, 10, 10]), ([7, 7], 1, [0, 1]),
])  # fmt: skip
def test_what_small_ones_leave_the_others_share(needs, budget, wanted) -> None:
    assert shares(needs, budget) == wanted


@given(needs=st.lists(st.integers(0, 50)), budget=st.integers(0, 300))
def test_shares_keep_to_the_budget_and_waste_nothing(needs: list[int], budget: int) -> None:
    given = shares(needs, budget)
    assert all(got <= need for got, need in zip(given, needs))
    assert sum(given) == min(sum(needs), budget)


@pytest.mark.long
def test_memory_keeps_to_the_budget(fast: Path) -> None:
    """Thirty streams of a day: nine megabytes as their blocks are, and budgets of one and two."""
    store, streams, block_rows = Store(fast / "wide"), 30, 2_048
    make_primary(store, "a")
    drawn = random.Random(1)
    for n in range(streams):
        times = sorted(sample.START + drawn.randrange(4_000) * 10**9 for _ in range(4_000))
        key = SegmentKey("a", "trades", "x", f"S{n}", DAYS[0])
        put_segment(store, key, {f"S{n}": times}, block_rows)
    wanted, free = peak_of(store, 1 << 30)
    assert free > 5 << 20
    fixed = streams * 25_000 + 2 * block_rows * 64  # Python objects of open segments; the block decoded last
    for budget in (1 << 20, 1 << 21):
        found, peak = peak_of(store, budget)
        assert found == wanted
        assert peak < budget + fixed


def peak_of(store: Store, budget: int) -> tuple[tuple[int, int], int]:
    """Return the digest of a merge and the bytes that it had allocated at most; the first warms up."""
    digest(store, budget)
    gc.collect()
    tracemalloc.start()
    try:
        return digest(store, budget), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def digest(store: Store, budget: int) -> tuple[int, int]:
    """Return what depends on the order of all rows, and their number; batches are let go one by one."""
    total = count = 0
    for batch in open_store(store.root).merge(budget_bytes=budget):
        place = np.arange(count, count + len(batch), dtype=np.uint64)
        total += int((place * (batch.stream.astype(np.uint64) * 10_007 + 1)).sum())
        count += len(batch)
    return total % 2**64, count


class Maps:
    """Counts the memory maps that are open, and the most there were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = self.most = self.made = 0
        counter, plain = self, mmap.mmap

        class Counted(plain):
            def __new__(cls, *arguments, **named):
                counter.made += 1
                counter.open += 1
                counter.most = max(counter.most, counter.open)
                return super().__new__(cls, *arguments, **named)

            def __del__(self):
                counter.open -= 1

        monkeypatch.setattr(mmap, "mmap", Counted)


@pytest.fixture(scope="module")
def thousands(fast: Path) -> Store:
    """100 symbols, each with a segment a day: 100 days when soaking, else 6."""
    store = Store(fast / "thousands")
    make_primary(store, "a")
    for day in range(100 if SOAK else 6):
        start = sample.START + day * NS_PER_DAY
        for n in range(100):
            times = [start + n, start + 1_000, start + NS_PER_DAY - 1]
            put_segment(store, SegmentKey("a", "trades", "x", f"S{n:02}", day_of(start)), {f"S{n:02}": times})
    return store


def test_segments_are_opened_when_they_are_read_and_let_go(thousands: Store, monkeypatch) -> None:
    maps = Maps(monkeypatch)
    tape = open_store(thousands.root)
    batches = tape.merge(columns={"trades": ["price"]})
    assert maps.made == 0, "a plan opens nothing"
    rows = sum(len(batch) for batch in batches)
    days = len({key.day for key in tape.segments()})
    assert rows == days * 300
    assert (maps.made, maps.open) == (days * 100, 0)
    assert maps.most <= 100 + 2
    (block,) = tape.scan("S07", start=DAYS[1], end=DAYS[2])
    assert len(block) == 3
    assert maps.made == days * 100 + 1


def test_a_plan_opens_the_groups_that_can_answer(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path)
    make_primary(store, "a")
    for day in DAYS:
        for exchange in ("binance", "okex"):
            put_segment(store, SegmentKey("a", "trades", exchange, "OPTIONS", day, True), {"BTC-1": [1]})
            put_segment(store, SegmentKey("a", "trades", exchange, "ETH", day), {"ETH": [1]})
    maps = Maps(monkeypatch)
    asked = Question("trades", None, "okex", ("BTC-1",), sample.START, sample.START + NS_PER_DAY)
    (stream,) = plan(store, asked)
    assert (stream.name, stream.rows, maps.made) == ("okex:BTC-1", 1, 1)


def test_one_day_of_one_symbol_is_found_without_looking_at_the_others(thousands: Store) -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        blocks = list(open_store(thousands.root).scan("S42", start=DAYS[1], end=DAYS[2]))
        seconds.append(time.perf_counter() - began)
        assert len(blocks) == 1
    assert min(seconds) < 0.05
