"""FORMAT.md, a reader written after it, and the compiled reader agree on every record type."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import store_sample as sample
import tickreel.store
import twin_reader as twin
from counts import SOAK
from tickreel.codecs.choice import PURPOSES
from tickreel.errors import InputError, UsageError
from tickreel.schema import RECORD_TYPES, RecordType
from tickreel.store import format as fmt
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment
from tickreel.store.writer import SegmentWriter

FORMAT = (Path(tickreel.store.__file__).parent / "FORMAT.md").read_text("utf-8")
MOST_ROWS = 40


SHAPES = {
    f"{name} {number}": shape
    for name, record in RECORD_TYPES.items()
    for number, shape in enumerate(record.shapes)
}
"""What columns segments may have."""


def by_twin(path: Path, record: RecordType) -> tuple[twin.Tape, sample.Cells]:
    tape = twin.read_tape(path.read_bytes())
    assert tape.description["type"] == record.name
    assert list(tape.kinds) == list(record.names)
    found = {c.name: sample.comparable(c.kind, tape.columns[c.name]) for c in record.columns}
    return tape, found


@pytest.mark.parametrize("name", SHAPES)
@settings(
    max_examples=100 if SOAK else 8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_segment_and_twin_read_what_was_written(name: str, data: st.DataObject, tmp_path: Path) -> None:
    record = SHAPES[name]
    # An empty segment is of the type's own columns.
    rows = data.draw(st.integers(int(record is not RECORD_TYPES[record.name]), MOST_ROWS), label="rows")
    cells = sample.random_cells(record, rows, data.draw(st.integers(0, 2**32), label="seed"))
    block_rows = data.draw(st.integers(1, MOST_ROWS + 1), label="block_rows")
    cuts = data.draw(st.lists(st.integers(0, rows), max_size=5), label="cuts")
    optimise = data.draw(st.sampled_from(PURPOSES), label="optimise")
    parts = [sample.part(record, cells)]
    paths = [tmp_path / "one", tmp_path / "many"]
    for path, edges in zip(paths, ([], cuts), strict=True):
        path.unlink(missing_ok=True)
        sample.write(path, record, cells, block_rows=block_rows, cuts=edges, optimise=optimise, parts=parts)
    assert paths[0].read_bytes() == paths[1].read_bytes(), "what is stored depends on the batches"
    segment = Segment.open(paths[0])
    tape, found = by_twin(paths[0], record)
    assert sample.read(segment) == sample.expected(record, cells)
    assert found == sample.expected(record, cells)
    assert tape.block_rows == segment.blocks["rows"].tolist()
    assert tape.symbols == [("BTCUSDT", 0, rows)]
    assert not [problem for problem in verify(segment)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9).map(
            str
        )
        | st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE]-?[0-9]{1,2})?", fullmatch=True)
        | st.floats(allow_nan=False, allow_infinity=False).map(repr)
        | st.just(""),
        min_size=1,
        max_size=30,
    ),
    block_rows=st.integers(1, 9),
)
def test_decimals_read_as_the_float_nearest_to_their_text(
    texts: list[str], block_rows: int, tmp_path: Path
) -> None:
    record = RECORD_TYPES["quotes"]
    cells = sample.random_cells(record, len(texts), 1)
    cells["ask_price"] = texts
    path = tmp_path / "decimals"
    path.unlink(missing_ok=True)
    sample.write(path, record, cells, block_rows=block_rows)
    assert sample.read(Segment.open(path))["ask_price"] == sample.expected(record, cells)["ask_price"]
    assert by_twin(path, record)[1]["ask_price"] == sample.expected(record, cells)["ask_price"]


def test_a_group_reads_symbol_by_symbol(tmp_path: Path) -> None:
    record = RECORD_TYPES["options_chain"]
    counts = {"BTC-1": 3, "BTC-2": 0, "ETH": 30, "Ü": 8}
    cells: sample.Cells = {name: [] for name in record.names}
    for seed, rows in enumerate(counts.values()):
        for name, values in sample.random_cells(record, rows, seed).items():
            cells[name] += values
    path = sample.write(tmp_path / "group", record, cells, block_rows=7, symbols=list(counts.items()))
    segment, (tape, _) = Segment.open(path), by_twin(path, record)
    starts = [0, 3, 3, 33]
    assert tape.symbols == [(*pair, rows) for pair, rows in zip(zip(counts, starts), counts.values())]
    for (symbol, rows), start in zip(counts.items(), starts, strict=True):
        assert segment.symbol_rows(symbol) == (start, start + rows)
    assert segment.symbol_rows("BTC-3") is None
    assert sample.read(segment) == sample.expected(record, cells)
    assert list(verify(segment)) == []


def test_plain_numbers_are_views_of_the_file(tmp_path: Path) -> None:
    segment = Segment.open(sample.three_trades(tmp_path / "plain"))
    view = np.frombuffer(segment.chunk_bytes("local_ns", 0), np.int64)
    assert view.tolist() == segment.read("local_ns", 0).tolist()
    assert not view.flags.owndata
    assert not view.flags.writeable


def test_reading_into_a_buffer_gives_its_beginning(tmp_path: Path) -> None:
    record = RECORD_TYPES["trades"]
    cells = sample.random_cells(record, 10, 3)
    segment = Segment.open(sample.write(tmp_path / "a", record, cells, block_rows=8))
    buffer = np.full(8, -1.0)
    values = segment.read("price", 1, buffer)
    assert len(values) == 2
    assert np.shares_memory(values, buffer)
    assert sample.comparable("decimal", values.tolist()) == sample.expected(record, cells)["price"][8:]


@pytest.mark.parametrize("block_rows", [0, -1, fmt.MAX_BLOCK_ROWS + 1])
def test_blocks_that_no_reader_takes_are_refused(block_rows: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(block_rows)):
        SegmentWriter(tmp_path / "a", RECORD_TYPES["trades"], block_rows=block_rows)
    assert list(tmp_path.iterdir()) == []


def test_a_footer_that_no_reader_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fmt, "MAX_FOOTER_BYTES", 5_000)
    record = RECORD_TYPES["trades"]
    cells = sample.random_cells(record, 20, 1)
    with pytest.raises(UsageError, match="larger blocks"):
        sample.write(tmp_path / "a", record, cells, block_rows=1)
    assert list(tmp_path.iterdir()) == []


def test_a_text_too_long_to_store_is_refused(tmp_path: Path) -> None:
    record = RECORD_TYPES["trades"]
    cells = sample.random_cells(record, 3, 1)
    cells["id"] = [b"1", b"x" * 256, b""]
    with pytest.raises(InputError, match="column id: a text of 256 bytes"):
        sample.write(tmp_path / "a", record, cells)
    assert list(tmp_path.iterdir()) == []


def test_format_md_draws_the_records_as_they_are() -> None:
    for title, dtype in (
        ("Header", fmt.HEADER), ("Trailer", fmt.TRAILER), ("Head", fmt.FOOTER), ("Column", fmt.COLUMN),
        ("Block", fmt.BLOCK), ("Chunk", fmt.CHUNK), ("Symbol", fmt.SYMBOL),
    ):  # fmt: skip
        section = FORMAT.split(f"### {title}\n")[1].split("\n#")[0]
        drawn = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \|(.*)\|$", section, re.MULTILINE)
        real = [(str(offset), str(kind.itemsize), name) for name, (kind, offset) in dtype.fields.items()]
        assert [row[:3] for row in drawn] == real, title
        signed = {name for *_, name, meaning in drawn if "signed" in meaning}
        assert signed <= {name for name in dtype.names if dtype[name].kind == "i"}, title


def test_format_md_names_limits_versions_and_codecs() -> None:
    from tickreel.codecs import CODECS, READABLE

    assert f"1 to {fmt.MAX_BLOCK_ROWS:,}" in FORMAT
    assert f"at most {fmt.MAX_FOOTER_BYTES >> 20} MiB" in FORMAT
    assert f"| {fmt.READER_VERSION} | {fmt.WRITER_VERSION} |" in FORMAT
    kinds = ", ".join(f"{code} {kind}" for kind, code in fmt.KIND_CODES.items())
    assert kinds in FORMAT
    table = FORMAT.split("## Codecs\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\w+) \| ([^|]*) \|", table, re.MULTILINE)
    assert [(int(number), name) for number, name, _ in rows] == [
        (n, c.NAME) for n, c in sorted(CODECS.items())
    ]
    for number, _, kinds in rows:
        readable = {kind for kind, ids in READABLE.items() if int(number) in ids}
        named = {kind for kind in READABLE if kind in kinds}
        assert readable == {"all": set(READABLE), "all but text": set(READABLE) - {"text"}}.get(kinds, named)


def test_format_mds_example_is_what_the_writer_writes(tmp_path: Path) -> None:
    dump = FORMAT.split("## A segment, byte by byte\n")[1].split("```")[1].strip().splitlines()
    data = b""
    for line in dump:
        offset, text = line.split("  ", 1)
        assert int(offset, 16) == len(data), line
        if text.startswith("'"):
            data += text[1:].encode()
        else:
            for token in text.split(";")[0].split():
                byte, _, count = token.partition("*")
                data += bytes.fromhex(byte) * int(count or 1)
    assert data == sample.three_trades(tmp_path / "three").read_bytes()
    tape = twin.read_tape(data)
    assert tape.columns["price"] == [42283.6, 42283.55, 42283.0]
    assert tape.columns["amount"] == [0.001, 1e-7, 2.0]
    assert tape.columns["side"] == [1, 2, 2]


def test_a_buffer_that_is_too_short_is_refused(tmp_path: Path) -> None:
    record = RECORD_TYPES["trades"]
    path = sample.write(tmp_path / "x.reel", record, sample.random_cells(record, 40, seed=5))
    with pytest.raises(ValueError, match="room for 39 of 40 rows"):
        Segment.open(path).read("price", 0, np.empty(39))
