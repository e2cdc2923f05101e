"""Days of a journal that tests seal, and what is in their segments."""

from pathlib import Path

import msgspec

from import_sample import segment_rows
from journal_sample import DAY, STREAM, at
from tickreel.ingest.record.journal import Begin, fill_file
from tickreel.ingest.record.journal_format import VERSION, Kind, pack
from tickreel.ingest.record.seal import SealReport, seal_day
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.format import Part

TRADES = SegmentKey("feed", "trades", "binance", "BTCUSDT", DAY)
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


def fill(place: Path, gap: int, *messages: bytes, day: str = DAY) -> None:
    begin = Begin(VERSION, "feed", day, [STREAM], gaps=[gap])
    data = [pack(Kind.BEGIN, 0, 0, 0, msgspec.json.encode(begin))]
    data += [pack(Kind.MESSAGE, 0, gap, at(9_000), one) for one in messages]
    fill_file(folder(place, day), gap).write_bytes(b"".join(data))
