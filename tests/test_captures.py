"""Raw messages of Binance, Bybit, OKX and Deribit, where their folder is at hand: rows counted, values equal.

TICKREEL_CAPTURES names the folder; without it ../shared/data/captures beside the checkout is taken.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import capture_rows
from import_sample import fast_folder, put, take
from tickreel.schema import NULL_TIME, RECORD_TYPES, Kind
from tickreel.store.catalog import Store
from tickreel.store.maintain import verify
from tickreel.tape import open_store
from tickreel.units import day_of
from twin_csv import bits, read_csv

FOLDER = Path(
    os.environ.get("TICKREEL_CAPTURES") or Path(__file__).parents[2] / "shared" / "data" / "captures"
)
FILES = sorted(FOLDER.glob("*.gz"))
COUNTS = {
    "binance-futures_btcusdt_2024-08-08.gz": {
        "trades": 21_313,
        "book_ticker": 66_089,
        "incremental_book_L2": 445_521,
    },
    "cryptofeed_BINANCE_FUTURES.ws.1.0.gz": {"book_ticker": 613},
    "cryptofeed_BYBIT.ws.25.0.gz": {"trades": 101},
    "cryptofeed_BYBIT.ws.26.0.gz": {"trades": 150},
    "cryptofeed_DERIBIT.ws.1.0.gz": {"options_chain": 89},
    "cryptofeed_OKX.ws.1.0.gz": {"trades": 74, "book_ticker": 28},
}
"""What is known of some captures: whose converter made the files beside them, or words counted in the text."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not FILES, reason=f"no captures in {FOLDER}; TICKREEL_CAPTURES names a folder of them"
    ),
]


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def capture(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as found:
        yield found


def test_a_capture_as_files_is_stored_value_by_value(capture: Path, folder: Path) -> None:
    found: dict[tuple[str, str, str, str], list[capture_rows.Cells]] = {}
    for type, cells in capture_rows.read(capture):
        day = day_of(int(str(cells["local_timestamp"])) * 1_000)
        found.setdefault((str(cells["exchange"]), type, day, str(cells["symbol"])), []).append(cells)
    counts = Counter(type for (_, type, _, _), rows in found.items() for _ in rows)
    assert counts.items() >= COUNTS.get(capture.name, {}).items()
    if not found:
        pytest.skip("it holds descriptions of instruments alone")
    store = Store(folder / "tape")
    texts = {key: capture_rows.text(RECORD_TYPES[key[1]].csv_header, rows) for key, rows in found.items()}
    paths = [
        put(folder.joinpath(exchange, type, *day.split("-"), f"{symbol}.csv.gz"), data)
        for (exchange, type, day, symbol), data in texts.items()
    ]
    for report in take(store, *paths).files:
        assert report.state == "imported", report.error
        assert report.result is not None
        assert report.result.set_aside == {}
    for key in store.find():
        assert list(verify(store.open(key))) == []
    for (exchange, type, day, symbol), data in texts.items():
        check_values(store, exchange, type, symbol, day, data)


def check_values(store: Store, exchange: str, type: str, symbol: str, day: str, data: bytes) -> None:
    record = RECORD_TYPES[type]
    reading = read_csv(record, data)
    assert reading.aside == []
    rows = sorted(reading.rows, key=lambda row: row.values["local_ns"])
    start = np.datetime64(day, "ns").astype(int)
    blocks = list(
        open_store(store.root).scan(
            f"{exchange}:{symbol}", type=type, start=int(start), end=int(start) + 86_400 * 10**9
        )
    )
    for column in record.columns:
        values = np.concatenate([block[column.name] for block in blocks])
        wanted = [row.values[column.name] for row in rows]
        if column.kind is Kind.DECIMAL:
            assert values.view("<i8").tolist() == [bits(value) for value in wanted], column.name
        else:
            empty = NULL_TIME if column.kind is Kind.TIME else None
            assert values.tolist() == [empty if value is None else value for value in wanted], column.name
