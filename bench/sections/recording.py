"""How many messages a second can one core take in from a live stream, durably, and seal?"""

import asyncio
import shutil
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench import live
from bench.child import call
from bench.model import BenchError, Row, Settings, at_least

TITLE = "live trades over a WebSocket into the journal, one core, the sender on another"

_MOST = 1_000_000
_WAIT_S = 120.0


def run(settings: Settings) -> list[Row]:
    count = min(settings.trades, _MOST)
    with live.server(count) as url:
        arguments = {"url": url, "count": count, "work": str(settings.work / "recorded")}
        found = [
            call("bench.sections.recording:measure", arguments, pinned=True) for _ in range(settings.rounds)
        ]
    got = {name: median(one[name] for one in found) for name in found[0]}
    return [
        Row("recorded, fsynced each second", got["recorded"], "messages/s", got["read"], "read by aiohttp, not kept",
            at_least(100_000)),
        Row("CPU of the recorder", got["cpu_us"], "us/message"),
        Row("sealed", got["sealed"], "messages/s", note="afterwards, in another process; reading, mapping, import"),
    ]  # fmt: skip


def measure(arguments: dict[str, Any]) -> dict[str, float]:
    """Record all that is sent, seal it, and read it once more with nothing done to it."""
    url, count, root = arguments["url"], arguments["count"], Path(arguments["work"])
    shutil.rmtree(root, ignore_errors=True)
    return _recorded(url, count, root) | {"read": asyncio.run(_read(url, count))}


def _recorded(url: str, count: int, root: Path) -> dict[str, float]:
    from tickreel.config import load_profile
    from tickreel.ingest.record import journal
    from tickreel.ingest.record.feed import Feed
    from tickreel.ingest.record.recorder import record
    from tickreel.ingest.record.settings import RecordSettings
    from tickreel.ingest.record.status import FeedNumbers
    from tickreel.ingest.transport.streams import Call
    from tickreel.store.catalog import Store

    store, stop, end_s = Store(root), threading.Event(), time.monotonic() + _WAIT_S
    profile = load_profile("tardis-machine", environment={"XDG_CONFIG_HOME": "/nowhere"}).profile
    stream = journal.StreamInfo("binance", ["BTCUSDT"], ["trades"])
    feed = Feed(profile, None, (stream,), (Call(f"{url}/ws-stream-normalized"),))
    sealed: dict[str, float] = {}

    def look(numbers: list[FeedNumbers]) -> None:
        if numbers[0].streams[0].messages >= count or time.monotonic() > end_s:
            stop.set()

    def sealing() -> None:
        sealed["cpu_s"], sealed["begun_s"] = time.process_time(), time.monotonic()

    cpu_s = time.process_time()
    summary = record(store, [feed], RecordSettings(workers=1), stop=stop, on_look=look, on_sealing=sealing)
    cpu_s, seal_s = sealed["cpu_s"] - cpu_s, time.monotonic() - sealed["begun_s"]
    if (got := sum(report.messages for report in summary.sealed)) != count:
        raise BenchError(f"{got} messages of {count}")
    first_ns, last_ns = _span(journal.journal_folder(store, feed.name))
    return {
        "recorded": count / (last_ns - first_ns) * 1e9, "cpu_us": cpu_s / count * 1e6, "sealed": count / seal_s,
    }  # fmt: skip


def _span(folder: Path) -> tuple[int, int]:
    """Return when the first and the last message came, ns."""
    from tickreel.ingest.record import journal

    times = [
        record.received_ns
        for day in journal.journal_days(folder)
        for path in journal.message_files(folder / day)
        for _, record in journal.read_records(path)
    ]
    return times[0], times[-1]


async def _read(url: str, count: int) -> float:
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws-stream-normalized", autoping=False, decode_text=False) as socket,
    ):
        await socket.receive()
        begun_s = time.perf_counter()
        for _ in range(count - 1):
            await socket.receive()
        return (count - 1) / (time.perf_counter() - begun_s)
