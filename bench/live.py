"""A live stream that sends as fast as it is read: python -m bench.live COUNT; its address on stdout, ends with stdin.

Each connection gets so many trades, each of its own id and a time of today, and then nothing more.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.child import ROOT

_BATCH = 1_000
_MOST_WAITING_BYTES = 1 << 20


def frames(count: int) -> list[bytes]:
    """Return batches of WebSocket frames, one trade each."""
    now_us = time.time_ns() // 1_000
    texts = []
    for number in range(count):
        at_us = now_us + number
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_us // 1_000_000))
        fraction = at_us % 1_000_000
        texts.append(
            f'{{"type":"trade","symbol":"BTCUSDT","exchange":"binance","id":"{number}","price":{60_000 + number % 999 / 10},'
            f'"amount":0.00{number % 89 + 10},"side":"{("buy", "sell")[number % 2]}",'
            f'"timestamp":"{moment}.{fraction // 1_000:03}Z","localTimestamp":"{moment}.{fraction:06}Z"}}'.encode()
        )
    wire = [bytes([0x81, 126]) + len(text).to_bytes(2, "big") + text for text in texts]
    return [b"".join(wire[at : at + _BATCH]) for at in range(0, count, _BATCH)]


async def serve(count: int) -> None:
    from aiohttp import web

    batches = frames(count)

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        transport = request.transport
        assert transport is not None
        for batch in batches:
            transport.write(batch)
            while transport.get_write_buffer_size() > _MOST_WAITING_BYTES and not transport.is_closing():
                await asyncio.sleep(0.001)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/ws-stream-normalized", stream)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"ws://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", flush=True)  # type: ignore[union-attr]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


@contextlib.contextmanager
def server(count: int) -> Iterator[str]:
    """Run it in a process of its own; yield its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.live", json.dumps(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
