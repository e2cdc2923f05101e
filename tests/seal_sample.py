"""Days of a journal that tests seal, and what is in their segments."""

from pathlib import Path
from typing import Any

import msgspec

from import_sample import segment_rows
from journal_sample import DAY, at
from tickreel.ingest.record.fill_rows import ASKED as ASKED_FOR
from tickreel.ingest.record.journal import Begin, StreamInfo, fill_file
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.ingest.record.seal import SealReport, seal_day
from tickreel.sources.machine_routes import REPLAYED
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Part

TRADES = SegmentKey("feed", "trades", "binance", "BTCUSDT", DAY)
ASKED = StreamInfo("binance", ["BTCUSDT"], [*REPLAYED])
"""What a history is asked for."""
BOOK = SegmentKey("feed", "incremental_book_L2", "binance", "BTCUSDT", DAY)


def folder(place: Path, day: str = DAY) -> Path:
    return place / ".journal" / "feed" / day


def seal(place: Path, *, final: bool = False, day: str = DAY) -> SealReport:
    return seal_day(Store(place), "feed", folder(place, day), final=final, isolate=False, workers=1)


def ids(place: Path, key: SegmentKey = TRADES) -> list[int]:
    return [int(row[3]) for row in segment_rows(Store(place), key)]


def part(place: Path, key: SegmentKey = TRADES) -> Part:
    (found,) = Store(place).open(key).meta.parts
    return found


def relay_fill(
    place: Path,
    gap: int,
    *lines: str,
    day: str = DAY,
    lag_ns: int | None = 0,
    **asked: Any,
) -> None:
    """Let a relay have given lines of CSV for a gap: of trades, unless `types` has others."""
    what = {"exchange": "binance", "symbols": ["BTCUSDT"], "types": ["trades"]} | asked
    lags_ns = {} if lag_ns is None else dict.fromkeys(what["types"], lag_ns)
    begin = Begin(VERSION, "feed", day, [StreamInfo(**what)], gaps=[gap], lags_ns=lags_ns)
    data = [pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))]
    data += [pack(Kind.ROW, 0, ASKED_FOR, 0, line.encode()) for line in lines]
    fill_file(folder(place, day), gap).write_bytes(b"".join(data))


def relay_line(number: int, ns: int, **cells: Any) -> str:
    """Return what a relay says of `journal_sample.trade`, which came at a time: without its id, in milliseconds."""
    given = {
        "exchange": "binance", "symbol": "BTCUSDT", "timestamp": (ns - 1_000_000) // 1_000_000 * 1_000,
        "local_timestamp": "", "id": "", "side": "buy", "price": 100 + number % 7, "amount": "0.50",
    } | cells  # fmt: skip
    return ",".join(map(str, given.values()))


def fill(place: Path, gap: int, *messages: bytes, day: str = DAY) -> None:
    begin = Begin(VERSION, "feed", day, [ASKED], gaps=[gap])
    data = [pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))]
    data += [pack(Kind.MESSAGE, 0, gap, at(9_000), one) for one in messages]
    fill_file(folder(place, day), gap).write_bytes(b"".join(data))
