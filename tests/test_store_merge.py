"""Merging the parts of a segment: the result depends on the parts alone."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import store_sample as sample
import twin_reader as twin
from tickreel.schema import RECORD_TYPES, RecordType
from tickreel.store.catalog import SegmentKey
from tickreel.store.maintain import Source, merge, verify
from tickreel.store.reader import Segment
from tickreel.units import NS_PER_DAY

NAMES = ("trades", "quotes", "derivative_ticker", "incremental_book_L2", "options_chain")
SHIFT_NS = NS_PER_DAY // 4


def key_of(name: str) -> SegmentKey:
    return SegmentKey("tardis", name, "binance", "BTCUSDT", sample.DAY)


def parts_of(
    name: str, counts: list[int], seed: int, shapes: list[RecordType] | None = None
) -> list[sample.Cells]:
    """Return the rows of each part, a quarter of the day apart, in columns of its own if shapes are given."""
    parts = []
    for number, rows in enumerate(counts):
        record = shapes[number] if shapes else RECORD_TYPES[name]
        cells = sample.random_cells(record, rows, seed + number)
        start = sample.START + number * SHIFT_NS
        cells[record.time] = sorted(start + (time - sample.START) % SHIFT_NS for time in cells[record.time])
        parts.append(cells)
    return parts


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_parts_merge_to_the_same_bytes_in_every_order(name: str, data: st.DataObject, tmp_path: Path) -> None:
    key = key_of(name)
    counts = data.draw(st.lists(st.integers(0, 20), min_size=2, max_size=4), label="rows of the parts")
    local = data.draw(st.booleans(), label="local times")
    some = st.sampled_from([one for one in RECORD_TYPES[name].shapes if one.has_local == local])
    # What is staged without rows is of the type's own columns.
    shapes = [data.draw(some, label="columns") if rows else RECORD_TYPES[name] for rows in counts]
    parts = parts_of(name, counts, data.draw(st.integers(0, 2**32), label="seed"), shapes)
    order = data.draw(st.permutations(range(len(parts))), label="order")
    block_rows = data.draw(st.integers(1, 25), label="block_rows")
    for old in tmp_path.iterdir():
        old.unlink()
    staged = []
    for number, cells in enumerate(parts):
        path = tmp_path / f"part {number}"
        # A source of few rows may lie in other blocks than it will be merged into.
        about = [sample.part(shapes[number], cells, f"/tape/{number}")]
        staged.append(Segment.open(sample.write(path, shapes[number], cells, block_rows=7, parts=about)))
    at_once = tmp_path / "at once"
    merge(key, [Source(s, s.meta.parts[0]) for s in staged], at_once, block_rows=block_rows)
    there = staged[order[0]]
    for number in order[1:]:
        sources = [Source(there, part) for part in there.meta.parts]
        path = tmp_path / f"merged {number}"
        merge(
            key, [*sources, Source(staged[number], staged[number].meta.parts[0])], path, block_rows=block_rows
        )
        there = Segment.open(path)
    extras = {name for shape in shapes for name in shape.extras}
    record = RECORD_TYPES[name].shape(extras, local=local or not any(counts))
    assert there.record.names == record.names
    whole = {
        column: [
            cell for cells, rows in zip(parts, counts, strict=True) for cell in cells.get(column, [""] * rows)
        ]
        for column in record.names
    }
    assert sample.read(there) == sample.expected(record, whole)
    assert there.path.read_bytes() == at_once.read_bytes()
    assert list(verify(there)) == []
    assert there.footer.names == (("BTCUSDT",) if any(counts) else ())


def test_a_part_can_be_left_out(tmp_path: Path) -> None:
    record = RECORD_TYPES["trades"]
    first, second = parts_of("trades", [5, 9], 1)
    staged = []
    for number, cells in enumerate((first, second)):
        about = [sample.part(record, cells, f"/tape/{number}")]
        staged.append(Segment.open(sample.write(tmp_path / f"{number}", record, cells, parts=about)))
    merge(key_of("trades"), [Source(s, s.meta.parts[0]) for s in staged], tmp_path / "both")
    both = Segment.open(tmp_path / "both")
    assert merge(key_of("trades"), [Source(both, both.meta.parts[1])], tmp_path / "second") == 9
    assert sample.read(Segment.open(tmp_path / "second")) == sample.expected(record, second)


def test_an_optional_column_goes_with_the_last_part_that_has_it(tmp_path: Path) -> None:
    trades = RECORD_TYPES["trades"]
    shapes = [trades, trades.widest, trades]
    staged = []
    for number, cells in enumerate(parts_of("trades", [5, 6, 7], 1, shapes)):
        about = [sample.part(shapes[number], cells, f"/tape/{number}")]
        path = sample.write(tmp_path / f"{number}", shapes[number], cells, parts=about)
        staged.append(Segment.open(path))
    merge(key_of("trades"), [Source(s, s.meta.parts[0]) for s in staged], tmp_path / "all")
    whole = Segment.open(tmp_path / "all")
    assert whole.record.extras == ("fee",)
    merge(key_of("trades"), [Source(whole, whole.meta.parts[n]) for n in (0, 2)], tmp_path / "without")
    merge(key_of("trades"), [Source(s, s.meta.parts[0]) for s in staged[::2]], tmp_path / "never")
    assert (tmp_path / "without").read_bytes() == (tmp_path / "never").read_bytes()
    assert Segment.open(tmp_path / "without").record is trades


def test_sixteen_digits_do_not_depend_on_the_company_they_kept(tmp_path: Path) -> None:
    record, key = RECORD_TYPES["quotes"], key_of("quotes")
    staged = []
    for number, price in enumerate(("8.277970047745921", "1e300", "5")):
        (cells,) = parts_of("quotes", [1], 3)
        cells["local_ns"], cells["ask_price"] = [sample.START + number * SHIFT_NS], [price]
        about = [sample.part(record, cells, f"/tape/{number}")]
        staged.append(Segment.open(sample.write(tmp_path / f"part {number}", record, cells, parts=about)))

    def merged(name: str, segments: list[Segment], block_rows: int) -> Segment:
        sources = [Source(segment, part) for segment in segments for part in segment.meta.parts]
        merge(key, sources, tmp_path / name, block_rows=block_rows)
        return Segment.open(tmp_path / name)

    a, b, c = staged
    with_float = merged("whole 1", [merged("1", [a, b], 9), c], 1)  # b brings a's block to floats
    without = merged("whole 2", [merged("2", [a, c], 9), b], 1)
    assert with_float.path.read_bytes() == without.path.read_bytes()


def test_groups_merge_symbol_by_symbol(tmp_path: Path) -> None:
    record = RECORD_TYPES["options_chain"]
    staged, rows = [], {}
    for number, names in enumerate((["B", "D"], ["A", "B"])):
        cells: sample.Cells = {name: [] for name in record.names}
        for name in names:
            (one,) = parts_of("options_chain", [6], seed=10 * number + ord(name))
            one["local_ns"] = [time + number * SHIFT_NS for time in one["local_ns"]]
            rows.setdefault(name, []).append(one)
            for column in record.names:
                cells[column] += one[column]
        about = [sample.part(record, cells, f"/tape/{number}")]
        path = tmp_path / f"{number}"
        symbols = [(name, 6) for name in names]
        staged.append(
            Segment.open(sample.write(path, record, cells, block_rows=5, symbols=symbols, parts=about))
        )
    group = SegmentKey("tardis", "options_chain", "binance", "OPTIONS", sample.DAY, grouped=True)
    merge(group, [Source(s, s.meta.parts[0]) for s in staged], tmp_path / "all", block_rows=5)
    merged = Segment.open(tmp_path / "all")
    tape = twin.read_tape((tmp_path / "all").read_bytes())
    assert tape.symbols == [("A", 0, 6), ("B", 6, 12), ("D", 18, 6)]
    whole = {c: [v for name in "ABD" for cells in rows[name] for v in cells[c]] for c in record.names}
    assert sample.read(merged) == sample.expected(record, whole)
    assert list(verify(merged)) == []
