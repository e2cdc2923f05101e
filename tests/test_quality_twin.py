"""The figures of `quality` beside those of a slow, obvious twin, for every record type and any blocks."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin_quality
from import_sample import fast_folder
from tickreel.codecs.decimals import NULL_MANTISSA, Decimals
from tickreel.quality.figures import FIGURES, OF_ONE_SYMBOL, PER_SEGMENT
from tickreel.quality.meter import Meter
from tickreel.quality.offsets import ERROR, middle_ns
from tickreel.quality.segments import BOOK_TYPES, measure_segment
from tickreel.quality.times_kernel import HALF, bin_of
from tickreel.quality.watch import Watch
from tickreel.schema import MARKET_TYPES, NULL_TIME, RECORD_TYPES, Kind, RecordType
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Meta
from tickreel.store.writer import SegmentWriter
from tickreel.units import NS_PER_DAY, NS_PER_S, day_of, day_start

DAY = "2024-01-01"
DAY_NS = day_start(DAY)
TYPES = [name for name in MARKET_TYPES if name != "book_snapshot_25"]

SPACINGS_US = st.sampled_from([0, 0, 0, 1, 7, 1_000, 1_000_000, 30_000_000, 61_000_000, 7_200_000_000])
OFFSETS_US = st.sampled_from([0, 0, 1, 127, 128, -1, -1_270_000, 5_000, 5_020, 160_000, 3_000_000])
PRICES = st.sampled_from([100.0, 100.0, 100.5, 101.0, 101.2, 110.0, 1.0])
AMOUNTS = st.sampled_from([0.5, 1.0, 2.0, 1e6])
IDS = st.sampled_from([b"1", b"2", b"3", b"4", b"7", b"900", b"", b"007", b"x-1", b"9" * 18, b"1" * 19])
CELLS: dict[str, Any] = {
    "funding_ns": st.sampled_from([NULL_TIME, DAY_NS, DAY_NS + NS_PER_DAY]),
    "funding_rate": st.sampled_from([float("nan"), 0.0001, -0.0002]),
    "id": IDS,
}
OPEN = st.sampled_from([float("nan"), 0.0, 100.0, 100.5, 101.0])


def cell(record_type: str, name: str) -> Any:
    column = RECORD_TYPES[record_type].column(name)
    if name in CELLS:
        return CELLS[name]
    if column.kind is Kind.ENUM:
        return st.integers(0, len(column.choices) - 1)
    if column.kind is Kind.TEXT:
        return st.sampled_from([b"", b"index"])
    if column.kind is Kind.TIME:
        return st.just(DAY_NS)
    if record_type in ("trades", "liquidations"):
        return PRICES if name == "price" else AMOUNTS
    return OPEN


@st.composite
def days(draw: st.DrawFn, record_type: str) -> list[dict[str, Any]]:
    """Return rows of one day in order of local time; some repeat the row before them."""
    names = RECORD_TYPES[record_type].names[2:]
    varied = names if len(names) < 10 else (names[0], names[2], "bid_price", "ask_price")
    fixed = {name: draw(cell(record_type, name)) for name in names}
    local = DAY_NS + 1_000 * draw(st.sampled_from([0, 1, 500_000, 40_000_000_000]))
    rows: list[dict[str, Any]] = []
    for spacing, offset, again in draw(
        st.lists(st.tuples(SPACINGS_US, OFFSETS_US, st.booleans()), min_size=1, max_size=24)
    ):
        if again and rows:
            rows.append(rows[-1])
            continue
        local = min(local + 1_000 * spacing, DAY_NS + NS_PER_DAY - 1_000)
        cells = {name: draw(cell(record_type, name)) for name in names if name in varied}
        rows.append({"exchange_ns": local - 1_000 * offset, "local_ns": local} | fixed | cells)
    return (
        rows * draw(st.sampled_from([1, 1, 1, 110])) if len({row["local_ns"] for row in rows}) == 1 else rows
    )


def none(rows: int) -> np.ndarray:
    return np.zeros(rows, np.bool_)


def of_exchange(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows as if no local clock had been there: in order of exchange time."""
    kept = [{name: cell for name, cell in row.items() if name != "local_ns"} for row in rows]
    # Within the day: the file's rows of others go elsewhere.
    kept = [
        row | {"exchange_ns": min(max(row["exchange_ns"], DAY_NS), DAY_NS + NS_PER_DAY - 1_000)}
        for row in kept
    ]
    return sorted(kept, key=lambda row: row["exchange_ns"])


def shape_of(record_type: str, rows: list[dict[str, Any]]) -> RecordType:
    return RECORD_TYPES[record_type].shape(local=not rows or "local_ns" in rows[0])


def columns(record_type: str, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    record = shape_of(record_type, rows)
    return {
        column.name: np.array(
            [row[column.name] for row in rows], "S19" if column.kind is Kind.TEXT else column.kind.dtype
        )
        for column in record.columns
    }


@pytest.mark.parametrize("record_type", TYPES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_figure_is_the_twins_whatever_the_blocks(record_type: str, data: st.DataObject) -> None:
    rows = data.draw(days(record_type))
    if data.draw(st.booleans()):
        rows = of_exchange(rows)
    gap_ns = data.draw(st.sampled_from([None, NS_PER_S, 45 * NS_PER_S]))
    step = data.draw(st.integers(1, len(rows)))
    whole = columns(record_type, rows)
    meter = Meter(shape_of(record_type, rows), DAY_NS, gap_ns)
    whole.setdefault("local_ns", whole["exchange_ns"])
    for _ in range(2):  # the second time over what the first left
        meter.begin()
        for start in range(0, len(rows), step):
            part = {name: values[start : start + step] for name, values in whole.items()}
            meter.add(part, none(len(part["local_ns"])))
        found, places = meter.finish()
        assert found == {"duplicate_rows": 0} | twin_quality.figures(record_type, rows, DAY_NS, gap_ns)
        assert len(places.get("gaps", [])) == min(found["gaps"], 5)
        if found["gaps"]:
            start_ns, end_ns, _ = places["gaps"][0]
            assert end_ns - start_ns == found["gap_max_ns"]


def stored(record_type: str, found: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return columns as a writer takes them; their decimals have one place."""
    batch: dict[str, Any] = dict(found)
    for column in RECORD_TYPES[record_type].columns:
        if column.kind is Kind.DECIMAL and column.name in found:
            values = found[column.name]
            tenths = [NULL_MANTISSA if value != value else round(value * 10) for value in values.tolist()]
            batch[column.name] = Decimals(np.array(tenths, np.int64), np.full(len(tenths), 1, np.int8))
    return batch


def put_day(store: Store, key: SegmentKey, rows: list[dict[str, Any]], block_rows: int = 64) -> None:
    """Put a segment in its place: the rows are of the symbol A."""
    path = store.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = SegmentWriter(path, shape_of(key.type, rows), block_rows=block_rows)
    if rows:
        writer.append(stored(key.type, columns(key.type, rows)))
    meta = Meta(key.feed, key.type, key.exchange, key.symbol, key.day, key.grouped, [])
    writer.finish(meta, [("A", len(rows))] if rows else [])


def measured(store: Store, key: SegmentKey) -> dict[str, Any]:
    return measure_segment(store, store.open(key), key).figures


@pytest.mark.parametrize("record_type", ["trades", "quotes", "incremental_book_L2"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_segments_figures_are_the_twins_whatever_its_blocks(record_type: str, data: st.DataObject) -> None:
    rows, block_rows = data.draw(days(record_type)), data.draw(st.sampled_from([1, 2, 7, 64]))
    if data.draw(st.booleans()):
        rows = of_exchange(rows)
    key = SegmentKey("f", record_type, "x", "A", DAY)
    with fast_folder() as folder:
        store = Store(folder)
        put_day(store, key, rows, block_rows)
        found = measured(store, key)
    wanted = twin_quality.figures(record_type, rows, DAY_NS, None)
    wanted |= {
        "duplicate_rows": twin_quality.duplicates(rows),
        "parts": 0,
        "lines": 0,
        "set_aside": 0,
        "missed": 0,
        "missed_ns": 0,
        "lagged": 0,
        "lagged_ns": 0,
        "lag_declared_ns": 0,
        "out_of_order": 0,
    }
    if record_type == "incremental_book_L2":
        wanted |= {"books_refused": 0} | twin_quality.watched(rows)
    assert found == wanted | ({"id_twice": 0} if record_type == "trades" else {})


def earlier(rows: list[dict[str, Any]], days: int) -> list[dict[str, Any]]:
    return [row | {"local_ns": row["local_ns"] - days * NS_PER_DAY} for row in rows]


@pytest.mark.parametrize("grouped", [False, True])
@settings(max_examples=25, deadline=None)
@given(
    before=st.lists(days("incremental_book_L2"), max_size=2), rows=days("incremental_book_L2"), gap=st.booleans()
)  # fmt: skip
def test_a_book_goes_on_with_the_day_before(
    grouped: bool, before: list[list[dict[str, Any]]], rows: list[dict[str, Any]], gap: bool
) -> None:
    """The day before may go on with one before it; a day that is missing ends all knowledge."""
    key = SegmentKey("f", "incremental_book_L2", "x", "PERPETUALS" if grouped else "A", DAY, grouped)
    past = [earlier(found, back) for back, found in enumerate(before, 1)]
    with fast_folder() as folder:
        store = Store(folder)
        put_day(store, key, rows)
        for back, found in enumerate(past, 1 + gap):
            put_day(store, replace(key, day=day_of(DAY_NS - back * NS_PER_DAY)), found)
        found = measured(store, key)
    known = [] if gap else [row for day in reversed(past) for row in day]
    wanted = twin_quality.watched(rows, known)
    assert {name: found[name] for name in wanted} == wanted


def test_a_day_before_that_cannot_be_read_is_not_gone_on_with(tmp_path: Path) -> None:
    store, key = Store(tmp_path), SegmentKey("f", "incremental_book_L2", "x", "A", DAY)
    row = {
        "exchange_ns": DAY_NS,
        "local_ns": DAY_NS,
        "is_snapshot": 0,
        "side": 0,
        "price": 1.0,
        "amount": 1.0,
    }
    put_day(store, key, [row])
    day_before = replace(key, day=day_of(DAY_NS - 1))
    put_day(store, day_before, earlier([row | {"is_snapshot": 1}], 1))
    assert measured(store, key)["rows_skipped"] == 0
    store.path(day_before).write_bytes(b"no segment")
    assert measured(store, key)["rows_skipped"] == 1


def test_every_figure_is_declared_for_the_types_that_have_it() -> None:
    for name in MARKET_TYPES:
        record = RECORD_TYPES[name]
        meter = Meter(record, DAY_NS)
        cells = {
            column.name: np.zeros(1, "S1" if column.kind is Kind.TEXT else column.kind.dtype)
            for column in record.columns
        }
        meter.add(cells | {"local_ns": np.array([DAY_NS]), "exchange_ns": np.array([DAY_NS])}, none(1))
        declared = {figure.name for figure in FIGURES if not figure.types or name in figure.types}
        declared -= {*OF_ONE_SYMBOL}  # there is no id
        watched = {**Watch().finish()[0], "books_refused": 0} if name in BOOK_TYPES else {}
        assert {*meter.finish()[0], *watched, *PER_SEGMENT} - {"id_twice"} == declared - {"id_twice"}


def test_the_median_of_each_hour_is_the_twins() -> None:
    rows = []
    for hour, offset_us, count in ((0, 500, 150), (1, 90_500, 99), (3, 250_500, 100), (23, -700, 300)):
        start = DAY_NS + hour * 3_600 * NS_PER_S
        for number in range(count):
            local = start + number * 1_000_000
            rows.append({"exchange_ns": local - 1_000 * (offset_us + number % 7), "local_ns": local})
    cells = {"ask_amount": 1.0, "ask_price": 2.0, "bid_price": 1.0, "bid_amount": 1.0}
    rows = [row | cells for row in rows]
    meter = Meter(RECORD_TYPES["quotes"], DAY_NS)
    meter.add(columns("quotes", rows), none(len(rows)))
    found, _ = meter.finish()
    assert found == {"duplicate_rows": 0} | twin_quality.figures("quotes", rows, DAY_NS, None)
    assert found["offset_drift_ns"] >= found["offset_jump_ns"] > 250_000_000


@settings(deadline=None)
@given(st.integers(-(2**62), 2**62))
def test_a_bin_is_within_its_error_of_every_value_in_it(value: int) -> None:
    place = bin_of(value)
    assert 0 <= place < 2 * HALF
    assert middle_ns(place) == twin_quality.binned(value)
    assert abs(middle_ns(place) - value) <= ERROR * abs(value) + 1


def test_bins_ascend_with_their_offsets() -> None:
    middles = [middle_ns(place) for place in range(2 * HALF)]
    assert middles == sorted(middles)
    assert len(set(middles)) == 2 * HALF


@pytest.mark.long
def test_the_twin_agrees_with_plain_python_too() -> None:
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("this is that run")
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    files = [str(Path(__file__).with_name(f"test_quality_{name}.py")) for name in ("twin", "ids", "same")]
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *files]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
