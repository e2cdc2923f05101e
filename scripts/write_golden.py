"""Writes the golden segments of the format's present version into tests/golden, once per version.

    python scripts/write_golden.py

Each NAME.reel comes with NAME.json, the rows that went into it. Files of a version that was
released are never written again: a reader of today must read what was written then.
"""

import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import store_sample as sample  # noqa: E402
from tickreel.schema import RECORD_TYPES, Kind, RecordType  # noqa: E402
from tickreel.store.catalog import SegmentKey  # noqa: E402
from tickreel.store.format import WRITER_VERSION  # noqa: E402
from tickreel.store.maintain import Source, merge  # noqa: E402
from tickreel.store.reader import Segment  # noqa: E402

ROWS, BLOCK_ROWS = 50, 20
SHIFT_NS = 3_600 * 10**9
IDS = {
    "number-ids": [b"%d" % (7_294_395_046 + 3 * number) for number in range(ROWS)],
    "uuid-ids": [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC060)).encode() for number in range(ROWS)],
    "text-ids": [b"ETH-%d" % (10**number) for number in range(ROWS)],
    "mixed-ids": [(b"", b"007", "ü".encode(), b"9" * 19, b"x" * 255)[number % 5] for number in range(ROWS)],
    "counted-ids": [b"%d" % (7_294_395_046 + number) for number in range(ROWS)],
}


def main() -> None:
    folder = ROOT / "tests" / "golden" / f"v{WRITER_VERSION}"
    if folder.exists():
        sys.exit(f"{folder} is there already; golden files of a version are written once")
    folder.mkdir(parents=True)
    for seed, record in enumerate(RECORD_TYPES.values()):
        write(folder, record.name, record, sample.random_cells(record, ROWS, seed))
    trades, quotes = RECORD_TYPES["trades"], RECORD_TYPES["quotes"]
    for seed, (name, ids) in enumerate(IDS.items()):
        cells = sample.random_cells(trades, ROWS, 100 + seed)
        write(folder, f"trades-{name}", trades, {**cells, "id": ids})
    write(folder, "trades-plain", trades, sample.random_cells(trades, ROWS, 200), optimise="plain")
    fast = sample.random_cells(trades, ROWS, 204)
    write(folder, "trades-speed", trades, fast, optimise="speed")
    write(folder, "trades-millis", trades, millis(sample.random_cells(trades, ROWS, 205)), optimise="size")
    write(folder, "trades-empty", trades, sample.random_cells(trades, 0, 201))
    write(folder, "trades-one", trades, sample.random_cells(trades, 1, 202))
    odd = sample.random_cells(quotes, 2 * len(sample.ODD_DECIMALS), 203)
    odd["ask_price"] = list(sample.ODD_DECIMALS) * 2
    write(folder, "quotes-odd-decimals", quotes, odd)
    write_shapes(folder)
    write_group(folder)
    write_merged(folder)


def millis(cells: sample.Cells) -> sample.Cells:
    """Return the rows with exchange times of whole milliseconds."""
    return {**cells, "exchange_ns": [time - time % 1_000_000 for time in cells["exchange_ns"]]}


def write_shapes(folder: Path) -> None:
    """Write segments with an optional column, and without a local clock."""
    for seed, (name, shape) in enumerate({
        "trades-fee": RECORD_TYPES["trades"].shape(["fee"]),
        "trades-no-local": RECORD_TYPES["trades"].shape(local=False),
        "trades-no-local-fee": RECORD_TYPES["trades"].shape(["fee"], local=False),
        "incremental_book_L2-no-local": RECORD_TYPES["incremental_book_L2"].shape(local=False),
    }.items()):  # fmt: skip
        write(folder, name, shape, sample.random_cells(shape, ROWS, 500 + seed))


def write(folder: Path, name: str, record: RecordType, cells: sample.Cells, **options: Any) -> None:
    about = [sample.part(record, cells)]
    sample.write(folder / f"{name}.reel", record, cells, block_rows=BLOCK_ROWS, parts=about, **options)
    directory = options.get("symbols") or [("BTCUSDT", len(cells[record.time]))]
    describe(folder, name, record, cells, directory)


def write_group(folder: Path) -> None:
    record = RECORD_TYPES["options_chain"]
    symbols = [("BTC-27DEC24-100000-C", 20), ("ETH-27DEC24-3000-P", 1), ("Ü", 29)]
    cells: sample.Cells = {name: [] for name in record.names}
    for seed, (_, rows) in enumerate(symbols):
        for name, values in sample.random_cells(record, rows, 300 + seed).items():
            cells[name] += values
    write(folder, "options_chain-group", record, cells, symbols=symbols)


def write_merged(folder: Path) -> None:
    """Write a segment of two parts, as a second file of the same day leaves it."""
    record = RECORD_TYPES["trades"]
    morning, later = (sample.random_cells(record, ROWS, seed) for seed in (400, 401))
    morning["local_ns"] = [sample.START + number for number in range(ROWS)]
    later["local_ns"] = [sample.START + SHIFT_NS + number for number in range(ROWS)]
    sources, temporary = [], []
    for number, cells in enumerate((morning, later)):
        path = folder / f"part-{number}"
        about = [sample.part(record, cells, f"/tape/{number}.csv.gz")]
        segment = Segment.open(sample.write(path, record, cells, parts=about))
        sources.append(Source(segment, segment.meta.parts[0]))
        temporary.append(path)
    key = SegmentKey("tardis", "trades", "binance", "BTCUSDT", sample.DAY)
    merge(key, sources, folder / "trades-merged.reel", block_rows=BLOCK_ROWS)
    for path in temporary:
        path.unlink()
    cells = {name: morning[name] + later[name] for name in record.names}
    describe(folder, "trades-merged", record, cells, [("BTCUSDT", 2 * ROWS)])


def describe(
    folder: Path, name: str, record: RecordType, cells: sample.Cells, symbols: Sequence[tuple[str, int]]
) -> None:
    """Write the rows as JSON: texts as Latin-1, floats in hexadecimal, decimals as their text."""
    columns = {}
    for column in record.columns:
        values = cells[column.name]
        if column.kind is Kind.TEXT:
            values = [value.decode("latin-1") for value in values]
        elif column.kind is Kind.FLOAT:
            values = [value.hex() for value in values]
        columns[column.name] = values
    document = {"type": record.name, "symbols": symbols, "block_rows": BLOCK_ROWS, "columns": columns}
    with open(folder / f"{name}.json", "x", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
