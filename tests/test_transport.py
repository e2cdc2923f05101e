"""The client with a function in the place of the sockets: retries, limits, redirects, bodies, refusals."""

import asyncio
import contextlib
import gzip
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tickreel.config import Key, Profile, load_profile
from tickreel.errors import MissingError, NetworkError, QuotaError, RefusedError, UsageError
from tickreel.ingest.transport import Answer, Broken, Client, OnWait, Request, Wait, bodies, redirects, retry
from tickreel.ingest.transport import client as client_module
from tickreel.ingest.transport.limiter import Limiter
from tickreel.ingest.transport.refusals import message_of

CANARY = "canary-5d1e07"
KEY = Key(CANARY, "environment TARDIS_API_KEY")
URL = "https://api.tardis.dev/v1/exchanges"
Fake = Callable[[Request], Any]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, pieces())


def profile(**limits: Any) -> Profile:
    found = load_profile("tardis", environment={"XDG_CONFIG_HOME": "/nowhere"}).profile
    return msgspec.structs.replace(found, limits=msgspec.structs.replace(found.limits, **limits))


def client(
    function: Fake,
    *,
    key: Key | None = KEY,
    time: Time | None = None,
    on_wait: OnWait = lambda wait: None,
    **limits: Any,
) -> Client:
    """Return a client whose sockets are a function from a request to an answer, or to what it raises."""
    time = time or Time()

    @contextlib.asynccontextmanager
    async def send(request: Request) -> AsyncIterator[Answer]:
        yield function(request)

    limiter = Limiter(limits.get("calls_per_minute", 0), clock=time.clock, sleep=time.sleep)
    return Client(
        profile(**limits), key, send, limiter=limiter, on_wait=on_wait, sleep=time.sleep, chance=lambda: 1.0
    )


def script(*answers: Any) -> tuple[Fake, list[Request]]:
    """Return a function that gives these answers in turn, the last for ever, and the list of what it was asked."""
    asked: list[Request] = []
    following = itertools.chain(answers, itertools.repeat(answers[-1]))

    def function(request: Request) -> Answer:
        asked.append(request)
        found = next(following)
        if isinstance(found, Exception):
            raise found
        return answer(**found) if isinstance(found, dict) else found

    return function, asked


def get(function: Fake, **more: Any) -> Any:
    asking = client(function, **more)
    return asyncio.run(asking.json(asking.request(URL)))


GOOD = {"body": b'{"a": 1}'}


# Retries


@pytest.mark.parametrize("first", [
    {"status": 500}, {"status": 502}, {"status": 408}, Broken("reset"), {"body": b"not json"},
    {"status": 400, "body": b'{"message": "from must be in ISO 8601 format"}'},
    {"body": b"<html>", "content_type": "text/html; charset=utf-8"},
    {"body": b"{}", "content_length": "3"}, {"body": gzip.compress(b"{}")[:-9], "content_encoding": "gzip"},
    {"body": b"{}", "content_encoding": "gzip"},
])  # fmt: skip
def test_what_may_pass_is_asked_again_with_longer_waits(first: Any) -> None:
    function, asked = script(first, first, first, GOOD)
    time = Time()
    assert get(function, time=time) == {"a": 1}
    assert len(asked) == 4
    assert time.slept == [1, 2, 4]


def test_there_is_an_end_to_trying() -> None:
    for first, said in (
        ({"status": 503}, "answered 503 .*again at every try"),
        (Broken("reset"), "reset at 5 tries"),
    ):
        function, asked = script(first)
        time = Time()
        with pytest.raises(NetworkError, match=said) as caught:
            get(function, time=time, tries=5)
        assert type(caught.value) is NetworkError
        assert (len(asked), time.slept) == (5, [1, 2, 4, 8])


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        ({"status": 401}, RefusedError),
        ({"status": 403}, RefusedError),
        ({"status": 404}, MissingError),
        ({"status": 414}, NetworkError),
        ({"status": 400}, NetworkError),
        ({"status": 304}, NetworkError),
        ({"status": 429, "retry_after": "301"}, QuotaError),
        ({"body": b"{}", "content_encoding": "br"}, NetworkError),
        (Broken("certificate", lasting=True), NetworkError),
    ],
)
def test_what_stays_so_is_asked_once(first: Any, kind: type[Exception]) -> None:
    function, asked = script(first)
    with pytest.raises(NetworkError) as caught:
        get(function)
    assert type(caught.value) is kind
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", 8), ("60", 61), ("61", 62), ("300", 301), ("0", 1), ("-5", 1), (None, 1), ("soon", 1), ("", 1), ("1.5", 2.5),
        ("Thu, 01 Feb 2024 00:00:09 GMT", 10), ("Thu, 01 Feb 2024 00:00:00 GMT", 1), ("31 Feb 2024", 1),
    ],
)  # fmt: skip
def test_every_form_of_retry_after(said: str | None, wait: float) -> None:
    headers = {"date": "Thu, 01 Feb 2024 00:00:00 GMT"} | ({} if said is None else {"retry_after": said})
    function, _ = script({"status": 429, **headers}, GOOD)
    time = Time()
    get(function, time=time)
    assert time.slept == [wait]
    # Whoever is away may say so, too; what it does not say is as any failure.
    function, _ = script({"status": 503, **headers}, GOOD)
    time = Time()
    get(function, time=time)
    assert time.slept == [wait]


def test_who_is_away_for_long_says_so_and_is_not_waited_for() -> None:
    function, asked = script({"status": 503, "retry_after": "301", "body": b'{"message": "maintenance"}'})
    with pytest.raises(
        NetworkError, match=r"answered 503 \(maintenance\) .*: it says to wait 301 s, .*"
    ) as caught:
        get(function)
    assert (type(caught.value), len(asked)) == (NetworkError, 1)


def test_a_quota_is_reported_with_its_time() -> None:
    for said in (str(10**9), "Thu, 01 Feb 2024 00:06:00 GMT"):
        function, _ = script({"status": 429, "retry_after": said, "date": "Thu, 01 Feb 2024 00:00:00 GMT"})
        with pytest.raises(QuotaError, match=r"quota is used up; it says to wait [\d,]+ s"):
            get(function)


def test_a_date_is_measured_by_the_servers_clock_if_it_tells_it() -> None:
    now = datetime(2024, 2, 1, tzinfo=UTC)
    assert retry.retry_after_s("Thu, 01 Feb 2024 00:00:09 GMT", None, now) == 9
    assert retry.retry_after_s("Thu, 01 Feb 2024 00:00:09 GMT", "Thu, 01 Feb 2024 00:00:04 GMT", now) == 5


def test_backoff_doubles_to_its_most_and_half_of_it_is_chance() -> None:
    assert [retry.backoff_s(n, 1.0) for n in (1, 2, 3, 6, 7, 8, 10**6)] == [1, 2, 4, 32, 60, 60, 60]
    assert [retry.backoff_s(n, 0.0) for n in (1, 7)] == [0.5, 30]
    assert retry.backoff_s(3, 1.0, first_s=0.5, most_s=1.5) == 1.5


def test_who_waits_while_others_are_served_does_not_fail() -> None:
    """Ten workers under a limit that their profile does not know: every second call is told to wait."""
    turns = itertools.count()

    def function(request: Request) -> Answer:
        return answer(429, retry_after="1") if next(turns) % 2 else answer()

    asking = client(function, tries=3)

    async def everybody() -> None:
        await asyncio.gather(*(asking.json(asking.request(URL)) for _ in range(10)))

    asyncio.run(everybody())


def test_while_a_provider_is_away_the_others_do_not_try_as_often() -> None:
    answers = {"/a": Broken("refused"), "/b": Broken("refused"), "/c": answer(), "/d": Broken("refused")}
    asked: list[str] = []

    def function(request: Request) -> Answer:
        path = request.url.removeprefix(URL)
        asked.append(path)
        if isinstance(answers[path], Exception):
            raise answers[path]
        return answers[path]

    asking = client(function, tries=5)

    async def one(path: str) -> None:
        with contextlib.suppress(NetworkError):
            await asking.json(asking.request(URL + path))

    async def all_of_them() -> None:
        for path in answers:
            await one(path)

    asyncio.run(all_of_them())
    assert [asked.count(path) for path in answers] == [5, 2, 1, 5]


def test_where_no_connection_could_be_made_two_tries_are_enough_until_one_was() -> None:
    """Whoever asks: a probe that gives up early says nothing of the tries of others."""
    gone = Broken("refused", away=True)
    for answers, tries in (([gone], 2), ([{"status": 404}, gone], 5), ([Broken("reset")], 5)):
        function, asked = script(*answers)
        asking = client(function, tries=5)

        async def all_of_them(asking: Client = asking, count: int = len(answers)) -> None:
            for _ in range(count):
                with contextlib.suppress(NetworkError):
                    await asking.json(asking.request(URL))

        asyncio.run(all_of_them())
        assert len(asked) == tries + len(answers) - 1
    function, asked = script({"status": 503})
    asking = client(function, tries=5)

    async def probe_and_ask() -> None:
        for tries in (2, None):
            with contextlib.suppress(NetworkError):
                await asking.json(asking.request(URL), tries=tries)

    asyncio.run(probe_and_ask())
    assert len(asked) == 2 + 5


def test_every_wait_is_told_with_its_reason_and_without_the_key() -> None:
    told: list[Wait] = []
    answers = ({"status": 503}, Broken(f"boo {CANARY}"), {"status": 429, "retry_after": "7"}, GOOD)
    get(script(*answers)[0], on_wait=told.append)
    assert told == [
        Wait(1, "tardis answered 503"), Wait(2, "tardis boo [key]"), Wait(8, "tardis asks to wait, answered 429"),
    ]  # fmt: skip


def test_a_server_that_is_silent_is_told_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_SILENT_S", 0.02)
    told: list[Wait] = []

    async def ask() -> list[Wait | None]:
        @contextlib.asynccontextmanager
        async def send(request: Request) -> AsyncIterator[Answer]:
            await asyncio.sleep(0.1)
            yield answer()

        asking = Client(profile(answer_s=9.0), KEY, send, on_wait=told.append)
        coming = asyncio.ensure_future(asking.json(asking.request(URL)))
        await asyncio.sleep(0.06)
        during = asking.waits.now()
        await coming
        return [during, asking.waits.now()]

    during, after = asyncio.run(ask())
    assert told == [Wait(8.98, "tardis has not answered yet")]
    assert during is not None
    assert during.why == told[0].why
    assert 8 < during.seconds < 8.98
    assert after is None


# The limiter


def test_so_many_calls_in_any_minute() -> None:
    time = Time()
    function, _ = script(GOOD)
    begun = []

    def noted(request: Request) -> Answer:
        begun.append(time.now)
        return function(request)

    asking = client(noted, time=time, calls_per_minute=10)

    async def everybody() -> None:
        await asyncio.gather(*(asking.json(asking.request(URL)) for _ in range(35)))

    asyncio.run(everybody())
    assert all(later - earlier >= 60 for earlier, later in zip(begun, begun[10:], strict=False))
    assert begun[-1] - begun[0] < 190


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_pause_is_kept_by_all_and_told(status: int) -> None:
    time = Time()
    first = iter([True])
    told: list[Wait] = []
    begun = []

    def function(request: Request) -> Answer:
        begun.append(time.now)
        return answer(status, retry_after="90") if next(first, False) else answer()

    asking = client(function, time=time, on_wait=told.append)

    async def everybody() -> None:
        await asking.json(asking.request(URL))
        await asyncio.gather(*(asking.json(asking.request(URL)) for _ in range(5)))

    asyncio.run(everybody())
    assert [at - begun[0] >= 90 for at in begun] == [False] + [True] * 6
    assert told == [Wait(91, f"tardis asks to wait, answered {status}")]


# Redirects and keys


def moved(url: str, status: int = 302) -> dict[str, Any]:
    return {"status": status, "location": url}


def test_a_redirect_keeps_https_and_drops_the_key_across_hosts() -> None:
    function, asked = script(
        moved("/v1/other"), moved("https://files.example/x"), moved("https://api.tardis.dev/"), GOOD
    )
    get(function)
    assert [request.url for request in asked] == [
        URL, "https://api.tardis.dev/v1/other", "https://files.example/x", "https://api.tardis.dev/",
    ]  # fmt: skip
    assert [request.key is not None for request in asked] == [True, True, False, False]


@pytest.mark.parametrize("url", [
    "http://api.tardis.dev/v1/exchanges", "http://files.example/", "ftp://files.example/", "//[bad",
    "https://u:p@api.tardis.dev/", "file:///etc/passwd", "https://api.tardis.dev:port/", None,
])  # fmt: skip
def test_a_redirect_that_must_not_be_followed_is_not(url: str | None) -> None:
    function, asked = script({"status": 302} | ({"location": url} if url else {}), GOOD)
    with pytest.raises(NetworkError, match="it answered 302"):
        get(function)
    assert len(asked) == 1


def test_redirects_have_an_end_and_a_method() -> None:
    function, asked = script(moved(URL))
    with pytest.raises(NetworkError, match="redirects more than 5 times"):
        get(function)
    assert len(asked) == redirects.MOST + 1
    post = Request(URL, "POST", body=b"{}", own={"X-A": "b"})
    assert redirects.follow(post, 307, "/y").body == b"{}"
    assert redirects.follow(post, 303, "/y") == Request("https://api.tardis.dev/y", own={"X-A": "b"})
    assert redirects.follow(post, 308, "https://api.tardis.dev:8443/y").own == {}


@pytest.mark.parametrize("url", ["http://mirror.example/v1", "http://127.0.0.1.example/", "http://10.0.0.1/"])
def test_a_key_does_not_go_over_an_open_wire(url: str) -> None:
    asking = client(script(GOOD)[0])
    with pytest.raises(UsageError, match="unencrypted") as caught:
        asking.request(url)
    assert CANARY not in str(caught.value)
    assert client(script(GOOD)[0], key=None).request(url).key is None
    for local in ("http://127.0.0.1:80/", "http://localhost:8000/", "http://[::1]:1/"):
        assert asking.request(local).key is KEY


# Refusals


def test_a_refusal_says_which_key_and_what_to_do() -> None:
    body = b'{"code": 7, "message": "bad key %s\\u001b[2J"}' % CANARY.encode()
    with pytest.raises(RefusedError) as caught:
        get(script({"status": 401, "body": body})[0])
    said = str(caught.value)
    assert "tardis answered 401 (bad key [key] [2J) to https://api.tardis.dev/v1/exchanges" in said
    assert "the key of environment TARDIS_API_KEY is not valid, has ended, or may not read that" in said
    assert "the first day of every month is free" in said
    assert "keys are made and renewed at https://tardis.dev" in said
    with pytest.raises(
        RefusedError, match=r"no key was sent, for there is none in the environment \(TARDIS_API_KEY\)"
    ):
        get(script({"status": 401})[0], key=None)


@pytest.mark.parametrize("body", [
    b'{"error": "Unauthorized", "message": "why"}', b'{"error": {"message": "why"}}', b'{"code": 1, "message": "why"}',
    b'{"error": "why"}', b" why ", b'{"message": 3, "error": "why"}',
])  # fmt: skip
def test_the_message_of_an_error_is_found_in_every_shape(body: bytes) -> None:
    assert message_of(body, profile().errors, None) == "why"


def test_what_an_error_says_is_cut_and_cleaned() -> None:
    assert message_of(b"<!doctype html>", (), None) == "an HTML page"
    assert len(message_of(b"x" * 9_999, (), None)) == 300
    assert message_of(b"a\x00b\r\n\xff", (), None) == "a b  �"
    assert message_of(b"[" * 100_000, ("a",), None)[:2] == "[["


# Bodies


def read(found: Answer, **more: Any) -> bytes:
    return asyncio.run(bodies.text(found, 0, **more))


def test_a_body_is_unpacked_and_checked_to_its_end() -> None:
    text = b"".join(b"%d\n" % (n * n) for n in range(5_000))
    packed = gzip.compress(text)
    assert read(answer(body=packed, content_encoding="gzip", content_length=str(len(packed)))) == text
    assert read(answer(body=packed + packed, content_encoding="x-gzip")) == text + text
    assert read(answer(body=b"", content_encoding="gzip")) == b""
    for body in (
        packed[:-1],
        packed[:50],
        packed[:40] + bytes([packed[40] ^ 1]) + packed[41:],
        packed + b"more",
        b"plain",
    ):
        with pytest.raises(Broken):
            read(answer(body=body, content_encoding="gzip"))


def test_a_bomb_ends_at_the_cap() -> None:
    body = gzip.compress(bytes(64 << 20))
    with pytest.raises(Broken, match=r"larger than 1\.0 MiB") as caught:
        read(answer(body=body, content_encoding="gzip"), most_bytes=1 << 20)
    assert caught.value.lasting


def test_a_body_that_trickles_is_given_up_and_a_slow_reader_is_not() -> None:
    time = Time()

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await time.sleep(1)
            yield b"x"

    async def use(least: int, most: float, reader_s: float = 0) -> float:
        begun = time.now
        async for _ in bodies.arriving(Answer(200, {}, trickle()), least, clock=time.clock):
            time.now += reader_s
            if time.now - begun > most:
                break
        return time.now - begun

    with pytest.raises(Broken, match=r"30 bytes came in 30 s; the least is 1000 a second"):
        asyncio.run(use(1_000, 1_000))
    assert asyncio.run(use(1, 100, reader_s=50)) > 100


def test_a_body_that_stops_is_given_up() -> None:
    async def stops() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)
        yield b"y"

    async def use() -> None:
        async for _ in bodies.arriving(Answer(200, {}, stops()), 1, window_s=0.05):
            pass

    with pytest.raises(Broken, match=r"nothing came for 0\.05 s"):
        asyncio.run(use())
