"""A loop in a thread of its own: who waits for it is interrupted at once, whatever a socket or a resolver does."""

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_CLOSE_S = 0.7


class Background:
    """Runs coroutines in a thread; used as `with`. At its end what still runs is cancelled, and waited for briefly."""

    def __init__(self) -> None:
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        ended = asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        try:
            ended.result(_CLOSE_S)
        except TimeoutError:
            # Its thread is a daemon's, and nothing of it is waited for.
            return
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Start a coroutine; its future gives what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns."""
        return self.start(work).result()


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up in daemon threads: those of an executor are waited for when Python ends, for as long as they hang."""

    async def getaddrinfo(self, *name: Any, **kind: Any) -> Any:
        found: asyncio.Future[Any] = self.create_future()

        def look_up() -> None:
            try:
                answer: Any = socket.getaddrinfo(*name, **kind)
            except Exception as error:  # noqa: BLE001 - passed on to who asks
                answer = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
                self.call_soon_threadsafe(_answer, found, answer)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return await found


def _answer(found: "asyncio.Future[Any]", answer: Any) -> None:
    if found.done():
        return
    if isinstance(answer, Exception):
        found.set_exception(answer)
    else:
        found.set_result(answer)


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
