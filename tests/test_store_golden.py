"""Segments written by every version of the format so far, read by this one.

They are written by scripts/write_golden.py alone; a file that is missing is a failure.
"""

import json
from pathlib import Path

import pytest

import store_sample as sample
import twin_reader as twin
from tickreel.codecs import CODECS
from tickreel.schema import RECORD_TYPES, Kind
from tickreel.store.format import WRITER_VERSION
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "v1": (
        *("trades", "incremental_book_L2", "book_snapshot_25", "book_snapshot_5", "quotes", "book_ticker"),
        *(
            "derivative_ticker",
            "liquidations",
            "options_chain",
            "orders",
            "fills",
            "postings",
            "equity",
            "book_levels",
        ),
        *(
            "trades-number-ids",
            "trades-counted-ids",
            "trades-uuid-ids",
            "trades-text-ids",
            "trades-mixed-ids",
            "trades-plain",
            "trades-speed",
            "trades-millis",
        ),
        *("trades-fee", "trades-no-local", "trades-no-local-fee", "incremental_book_L2-no-local"),
        *("trades-empty", "trades-one", "quotes-odd-decimals", "options_chain-group", "trades-merged"),
    )
}


def test_no_golden_file_is_missing_and_none_is_unknown() -> None:
    assert set(FILES) == {f"v{version}" for version in range(1, WRITER_VERSION + 1)}
    for version, names in FILES.items():
        found = sorted(path.name for path in (GOLDEN / version).iterdir())
        assert found == sorted(f"{name}.{kind}" for name in names for kind in ("json", "reel"))


@pytest.mark.parametrize(("version", "name"), [(v, name) for v, names in FILES.items() for name in names])
def test_a_golden_file_reads_as_it_was_written(version: str, name: str) -> None:
    path = GOLDEN / version / f"{name}.reel"
    wanted = json.loads(path.with_suffix(".json").read_text("utf-8"))
    cells = wanted["columns"]
    (record,) = (one for one in RECORD_TYPES[wanted["type"]].shapes if one.names == tuple(cells))
    for column in record.columns:
        if column.kind is Kind.TEXT:
            cells[column.name] = [value.encode("latin-1") for value in cells[column.name]]
        elif column.kind is Kind.FLOAT:
            cells[column.name] = [float.fromhex(value) for value in cells[column.name]]
    segment = Segment.open(path)
    assert sample.read(segment) == sample.expected(record, cells)
    assert segment.footer.block_rows == wanted["block_rows"]
    directory = zip(segment.footer.names, segment.footer.symbols["rows"].tolist(), strict=True)
    assert [list(symbol) for symbol in directory] == wanted["symbols"]
    assert list(verify(segment)) == []
    tape = twin.read_tape(path.read_bytes())
    read = {c.name: sample.comparable(c.kind, tape.columns[c.name]) for c in record.columns}
    assert read == sample.expected(record, cells)


def test_every_codec_is_in_a_golden_file() -> None:
    used: set[int] = set()
    for version, names in FILES.items():
        for name in names:
            used |= set(
                Segment.open(GOLDEN / version / f"{name}.reel").footer.chunks["codec"].flatten().tolist()
            )
    assert used == set(CODECS)
