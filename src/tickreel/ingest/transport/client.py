"""A provider's client: asks, waits, asks again, checks, and gives up with the error that says what to do."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from tickreel import __version__
from tickreel.config import Key, Profile
from tickreel.errors import NetworkError, UsageError
from tickreel.ingest.transport import redirects, retry
from tickreel.ingest.transport.bodies import MOST_TEXT_BYTES, text
from tickreel.ingest.transport.limiter import Limiter
from tickreel.ingest.transport.refusals import message_of, refusal, shown_url
from tickreel.ingest.transport.waits import OnWait, Waits
from tickreel.ingest.transport.wire import Answer, Broken, Request, Send, is_local

T = TypeVar("T")
_MOST_SAID_BYTES = 1 << 16
_TRIES_WHEN_AWAY = 2
_SILENT_S = 5.0


class Client:
    """Asks one provider, for all workers together.

    send   the sockets, or a function in a test
    on_wait  called when a request waits: to ask again, for a provider that wants it so, or in silence
    sleep, chance  what waits, and how much of a wait is chance (0 to 1)
    """

    def __init__(
        self,
        profile: Profile,
        key: Key | None,
        send: Send,
        *,
        limiter: Limiter | None = None,
        on_wait: OnWait = lambda wait: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.profile = profile
        self.key = key
        self._send = send
        self._limiter = limiter or Limiter(profile.limits.calls_per_minute, sleep=sleep)
        self.waits = Waits(on_wait)
        self._sleep = sleep
        self._chance = chance
        self._succeeded = 0
        self._away_since = -1
        self._has_answered = False

    def request(
        self, url: str, *, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Request:
        """Return a request of the provider, with its key. UsageError where the key would go over an open wire."""
        if self.key and urlsplit(url).scheme != "https" and not is_local(url):
            raise UsageError(
                f"{shown_url(url)} would get the key of {self.key.place} unencrypted; use an https:// address,"
                f' or set use = "never" in [{self.profile.name}.key] of your providers.toml'
            )
        asked = {"Accept-Encoding": "gzip", "User-Agent": f"tickreel/{__version__}", **(headers or {})}
        packed = b""
        if body is not None:
            asked["Content-Type"] = "application/json"
            packed = msgspec.json.encode(body)
        rule = self.profile.key
        return Request(url, method, asked, self.profile.headers, packed, self.key, rule.header, rule.scheme)

    async def json(
        self, request: Request, *, most_bytes: int = MOST_TEXT_BYTES, tries: int | None = None
    ) -> Any:
        """Return the JSON that is answered; tries: at most, if fewer than the profile says are enough."""

        async def take(answer: Answer) -> Any:
            found = await self._whole(answer, most_bytes)
            try:
                return msgspec.json.decode(found)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Broken(f"what it answered is no JSON ({error})") from None

        return await self.fetch(request, take, tries=tries)

    async def fetch(
        self,
        request: Request,
        take: Callable[[Answer], Awaitable[T]],
        *,
        tries: int | None = None,
        answer_s: float | None = None,
    ) -> T:
        """Return what `take` makes of a good answer; it is called anew for every try, and may raise Broken.

        answer_s  how long its beginning is waited for, if not as long as the profile says
        Raises NetworkError, or the class of it that tells what to do: RefusedError, MissingError, QuotaError.
        """
        limits = self.profile.limits
        patience = retry.Patience(tries or limits.tries, limits.backoff_first_s, limits.backoff_most_s)
        failures, before = 0, self._succeeded
        while True:
            await self._limiter.turn()
            try:
                async with self._answer(request, answer_s or limits.answer_s) as answer:
                    if 200 <= answer.status < 300:
                        taken = await take(answer)
                        self._succeeded += 1
                        return taken
                    if answer.status == 429 and self._succeeded > before:
                        # It is no failure to be told to wait while others are served.
                        failures, before = 0, self._succeeded
                    wait = await self._after_status(request, answer, failures + 1, patience)
                    why = f"answered {answer.status}"
            except Broken as broken:
                wait = self._after_break(request, broken, failures + 1, patience)
                why = self._hidden(str(broken))
            failures += 1
            why = "asks to wait, " * wait.shared + why
            self.waits.begin(wait.wait_s, f"{self.profile.name} {why}")
            if wait.shared:
                self._limiter.pause(wait.wait_s)
            else:
                await self._sleep(wait.wait_s)

    @contextlib.asynccontextmanager
    async def _answer(self, request: Request, answer_s: float) -> AsyncIterator[Answer]:
        """Ask, and follow redirects."""
        for _ in range(redirects.MOST + 1):
            async with contextlib.AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(answer_s):
                        with self._told_of_silence(answer_s):
                            answer = await stack.enter_async_context(self._send(request))
                except TimeoutError:
                    raise Broken(f"no answer began within {answer_s:g} s") from None
                self._has_answered = True
                if answer.status not in redirects.STATUSES:
                    yield answer
                    return
                request = redirects.follow(request, answer.status, answer.headers.get("location"))
        raise Broken(f"it redirects more than {redirects.MOST} times", lasting=True)

    @contextlib.contextmanager
    def _told_of_silence(self, answer_s: float) -> Iterator[None]:
        """Note a wait where an answer does not begin for a while."""
        numbers: list[int] = []

        def tell() -> None:
            numbers.append(
                self.waits.begin(answer_s - _SILENT_S, f"{self.profile.name} has not answered yet")
            )

        timer = asyncio.get_running_loop().call_later(_SILENT_S, tell) if answer_s > _SILENT_S else None
        try:
            yield
        finally:
            if timer:
                timer.cancel()
            for number in numbers:
                self.waits.end(number)

    async def _whole(self, answer: Answer, most_bytes: int) -> bytes:
        limits = self.profile.limits
        try:
            async with asyncio.timeout(limits.total_s):
                return await text(answer, limits.least_bytes_per_s, most_bytes=most_bytes)
        except TimeoutError:
            raise Broken(f"the answer did not end within {limits.total_s:g} s") from None

    async def _after_status(
        self, request: Request, answer: Answer, failures: int, patience: retry.Patience
    ) -> retry.Again:
        try:
            body = await self._whole(answer, _MOST_SAID_BYTES)
        except Broken:
            body = b""
        told = retry.retry_after_s(answer.headers.get("retry-after"), answer.headers.get("date"))
        step = retry.after_status(
            answer.status, body, told, failures, patience=self._shortened(patience), chance=self._chance()
        )
        if isinstance(step, retry.Again):
            return step
        self._note(step, patience)
        said = message_of(body, self.profile.errors, self.key)
        raise refusal(
            step.why, answer.status, said,
            profile=self.profile, key=self.key, url=request.url, wait_s=told,
        )  # fmt: skip

    def _after_break(
        self, request: Request, broken: Broken, failures: int, patience: retry.Patience
    ) -> retry.Again:
        if broken.away and not self._has_answered:
            patience = replace(patience, tries=min(patience.tries, _TRIES_WHEN_AWAY))
        step = retry.after_break(
            failures, patience=self._shortened(patience), chance=self._chance(), lasting=broken.lasting
        )
        if isinstance(step, retry.Again):
            return step
        self._note(step, patience)
        times = f" at {failures} tries" if failures > 1 else ""
        said = self._hidden(str(broken))
        raise NetworkError(f"{self.profile.name}: {shown_url(request.url)}: {said}{times}") from None

    def _hidden(self, text: str) -> str:
        return self.key.hide_in(text) if self.key else text

    def _note(self, step: retry.GiveUp, patience: retry.Patience) -> None:
        """Keep that a provider is away; who asked less often than its profile says does not know."""
        if step.why is retry.Why.TRIES and patience.tries >= self.profile.limits.tries:
            self._away_since = self._succeeded

    def _shortened(self, patience: retry.Patience) -> retry.Patience:
        """Return fewer tries while nobody was served since somebody gave up: the provider, or the network, is away."""
        if self._away_since < self._succeeded:
            return patience
        return replace(patience, tries=min(patience.tries, _TRIES_WHEN_AWAY))


@contextlib.asynccontextmanager
async def open_client(
    profile: Profile,
    key: Key | None,
    *,
    limiter: Limiter | None = None,
    on_wait: OnWait = lambda wait: None,
) -> AsyncIterator[Client]:
    """Yield a provider's client over sockets. limiter: one that several clients keep, one after the other."""
    from tickreel.ingest.transport.sockets import Sockets

    async with Sockets(profile.limits) as sockets:
        yield Client(profile, key, sockets.request, limiter=limiter, on_wait=on_wait)
