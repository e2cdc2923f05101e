"""Messages as a tardis-machine sends them, and the journals of them, for tests."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tickreel.ingest.record.journal import Begin, StreamInfo, message_files, read_records
from tickreel.ingest.record.journal_format import Kind, Record
from tickreel.ingest.record.journal_writer import Journal
from tickreel.units import NS_PER_S, parse_time

DAY = "2024-03-01"
START = parse_time(DAY)
STREAM = StreamInfo("binance", ["BTCUSDT"], ["trades", "incremental_book_L2"])


def iso(ns: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1_000)).strftime(
        "%Y-%m-%dT%H:%M:%S.%fZ"
    )


def trade(number: int, local_ns: int, **change: Any) -> bytes:
    """Return a trade; its exchange time is 1 ms before its local time."""
    fields = {
        "type": "trade", "symbol": "BTCUSDT", "exchange": "binance", "id": str(number), "price": 100 + number % 7,
        "amount": 0.5, "side": "buy", "timestamp": iso(local_ns - 1_000_000), "localTimestamp": iso(local_ns),
    } | change  # fmt: skip
    return message({name: value for name, value in fields.items() if value is not None})


def message(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def at(seconds: float) -> int:
    """Return a time so long after the start of DAY, ns."""
    return START + int(seconds * NS_PER_S)


def new_journal(root: Path, streams: tuple[StreamInfo, ...] = (STREAM,), **settings: Any) -> Journal:
    root.mkdir(exist_ok=True)
    journal = Journal(root / ".journal" / "feed", root, "feed", streams, **settings)
    for place in range(len(streams)):
        journal.connected(place)
    return journal


def records(folder: Path) -> Iterator[tuple[Begin, Record]]:
    """Yield the records of a day's files of messages."""
    for path in message_files(folder):
        yield from read_records(path)


def payloads(folder: Path) -> list[bytes]:
    return [record.payload for _, record in records(folder) if record.kind == Kind.MESSAGE]
