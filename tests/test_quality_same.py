"""Rows of a quality report that equal an earlier one of their time, whatever the blocks and symbols."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import test_quality_twin as twins
import twin_quality
from import_sample import fast_folder
from tickreel.quality import same
from tickreel.quality.segments import measure_segment
from tickreel.schema import RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Meta
from tickreel.store.writer import SegmentWriter

Rows = list[dict[str, Any]]

ROW = st.tuples(
    st.sampled_from([0, 0, 0, 0, 1]), st.sampled_from([0, 1]), st.sampled_from([b"", b"1", b"2", b"33"])
)


@st.composite
def days(draw: st.DrawFn) -> Rows:
    """Return trades of few times, of which many are equal."""
    local = twins.DAY_NS
    rows = []
    for later, price, id in draw(st.lists(ROW, min_size=1, max_size=40)):
        local += later * 1_000
        cells = {"id": id, "side": 0, "price": 1.0 + price, "amount": 1.0}
        rows.append({"exchange_ns": twins.DAY_NS, "local_ns": local} | cells)
    return rows


def again(folder: Any, symbols: list[Rows], block_rows: int) -> tuple[int, list[Any]]:
    """Store the rows of symbols as a group; return its duplicates, and what SameRows says of each row."""
    key = SegmentKey("f", "trades", "x", "SPOT", twins.DAY, True)
    path = Store(folder).path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = SegmentWriter(path, RECORD_TYPES["trades"], block_rows=block_rows)
    for rows in symbols:
        writer.append(twins.stored("trades", twins.columns("trades", rows)))
    writer.finish(
        Meta("f", "trades", "x", "SPOT", twins.DAY, True, []),
        [(f"S{n:02}", len(rows)) for n, rows in enumerate(symbols)],
    )
    store = Store(folder)
    segment = store.open(key)
    looker = same.SameRows(segment, segment.footer.symbols["row"].astype(np.int64))
    flags = np.concatenate([looker.look(block) for block in range(len(segment.blocks))]).tolist()
    return measure_segment(store, segment, key).figures["duplicate_rows"], flags


def repeats(rows: Rows, most: int = 10**9) -> list[bool]:
    """Return which rows equal one before them, among the first `most` of their time."""
    flags, seen, run = [], [], 0
    for place, row in enumerate(rows):
        if place and row["local_ns"] != rows[place - 1]["local_ns"]:
            seen, run = [], 0
        run += 1
        flags.append(run <= most and twin_quality.plain(row) in seen)
        seen.append(twin_quality.plain(row))
    return flags


@settings(max_examples=60, deadline=None)
@given(
    st.lists(days(), min_size=1, max_size=3),
    st.sampled_from([1, 2, 3, 7, 64]),
    st.sampled_from([2, 5, 65_536]),
)
def test_rows_equal_an_earlier_one_of_their_symbol_and_time(
    symbols: list[Rows], block_rows: int, most: int
) -> None:
    usual, same.MOST_OF_A_TIME = same.MOST_OF_A_TIME, most
    try:
        with fast_folder() as folder:
            count, flags = again(folder, symbols, block_rows)
    finally:
        same.MOST_OF_A_TIME = usual
    assert flags == [flag for rows in symbols for flag in repeats(rows, most)]
    assert count == sum(flags)


@pytest.mark.parametrize("block_rows", [3, 64])
def test_a_message_that_comes_twice_is_seen_whole(block_rows: int) -> None:
    rows = []
    for number in range(20):
        message = [
            {
                "exchange_ns": 0,
                "local_ns": twins.DAY_NS + number * 1_000,
                "id": b"",
                "side": 0,
                "price": float(price),
                "amount": 1.0,
            }
            for price in (1, 2, 3)
        ]
        rows += message + message
    with fast_folder() as folder:
        count, _ = again(folder, [rows], block_rows)
    assert count == 60
