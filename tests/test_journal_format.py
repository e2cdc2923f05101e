"""The bytes of a journal: torn tails, damaged middles, pieces of any size."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tickreel.ingest.record
from tickreel.ingest.record.journal_format import HEADER_BYTES, MAGIC, Damage, Kind, Record, Scan, pack

PAGE = (Path(tickreel.ingest.record.__file__).parent / "JOURNAL.md").read_text("utf-8")
RECORDS = st.lists(
    st.builds(
        Record, st.sampled_from(Kind).map(int), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1),
        st.integers(-(2**63), 2**63 - 1), st.binary(max_size=20) | st.sampled_from([MAGIC, MAGIC * 3, b"x" * 300]),
    ), max_size=6,
)  # fmt: skip


def scan(data: bytes, size: int = 1 << 20) -> tuple[list[Record], list[Damage], int]:
    reader = Scan()
    found = list(reader.records(data[at : at + size] for at in range(0, len(data), size)))
    return found, reader.damage, reader.whole


@given(RECORDS, st.integers(1, 60))
def test_what_was_written_is_read(records: list[Record], size: int) -> None:
    data = b"".join(pack(*record) for record in records)
    assert scan(data, size) == (records, [], len(data))


@given(RECORDS, st.integers(1, 60), st.integers(0, 400))
@example([Record(2, 0, 0, 0, b"x")], 7, 32)
def test_a_torn_tail_is_left_out(records: list[Record], size: int, cut: int) -> None:
    sizes = [HEADER_BYTES + len(record.payload) for record in records]
    whole = sum(sizes)
    data = b"".join(pack(*record) for record in records)[: max(0, whole - cut)]
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    kept = [record for record, end in zip(records, ends, strict=True) if end <= len(data)]
    assert scan(data, size) == (kept, [], max([end for end in ends if end <= len(data)], default=0))


@given(RECORDS, st.integers(1, 60), st.data())
def test_a_damaged_middle_is_passed_over_and_told(
    records: list[Record], size: int, data: st.DataObject
) -> None:
    first, last = Record(2, 1, 2, 3, b"first"), Record(2, 1, 2, 3, b"last")
    packed = [pack(*record) for record in (first, *records, last)]
    text = b"".join(packed)
    edge = len(packed[0])
    place = data.draw(st.integers(edge, len(text) - len(packed[-1]) - 1)) if records else None
    if place is None:
        return
    flipped = bytearray(text)
    flipped[place] ^= data.draw(st.integers(1, 255))
    found, damage, whole = scan(bytes(flipped), size)
    starts = [sum(map(len, packed[:n])) for n in range(len(packed) + 1)]
    hit = max(n for n, start in enumerate(starts) if start <= place)
    assert found == [record for n, record in enumerate((first, *records, last)) if n != hit]
    assert damage == [Damage(starts[hit], starts[hit + 1])]
    assert whole == len(text)


@given(st.binary(max_size=200), st.integers(1, 60))
def test_bytes_that_are_no_journal_give_nothing(data: bytes, size: int) -> None:
    assert scan(data, size) == ([], [], 0)


def test_the_worked_example_of_the_page_is_a_record() -> None:
    block = re.search(r"```\n((?:[0-9a-f]{4}  .*\n)+)```", PAGE)
    assert block
    written = b""
    for line in block.group(1).splitlines():
        what = line[6:].split(";")[0].strip()
        written += what[1:].encode() if what.startswith("'") else bytes.fromhex(what.replace(" ", ""))
    assert scan(written) == (
        [Record(Kind.MESSAGE, 0, 7, 1_709_251_200_001_234_000, b'{"type":"x"}')],
        [],
        len(written),
    )


@pytest.mark.parametrize("kind", Kind)
def test_the_page_names_every_kind(kind: Kind) -> None:
    assert f"| {int(kind)} | {kind.name} |" in PAGE
