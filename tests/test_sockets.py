"""The real sockets against the test server and its misbehaviour; TLS, proxies, and the canary key."""

import asyncio
import datetime
import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from import_sample import HEADER, dataset, put, trade
from provider_server import KEY, ProviderServer, faults
from tickreel.config import Key, Profile, find_key, load_profile
from tickreel.errors import NetworkError, RefusedError
from tickreel.ingest.transport import Answer, Background, Client, bodies, open_client
from tickreel.ingest.transport.limiter import Limiter
from tickreel.ingest.transport.sockets import Sockets


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderServer]:
    root = tmp_path_factory.mktemp("files")
    put(dataset(root), HEADER + b"".join(trade(n) for n in range(2_000)))
    with ProviderServer([root]) as running:
        yield running


@pytest.fixture
def asking(server: ProviderServer) -> Iterator["Asking"]:
    server.heal()
    server.seen.clear()
    with Background() as background:
        yield Asking(server, background)
    server.heal()


class Asking:
    """A client of the test server that waits a hundredth of what it should."""

    def __init__(self, server: ProviderServer, background: Background) -> None:
        self.server = server
        self._background = background

    def profile(self, **limits: Any) -> Profile:
        found = load_profile("tardis", environment=self.server.environment).profile
        return msgspec.structs.replace(found, limits=msgspec.structs.replace(found.limits, tries=4, **limits))

    def json(self, path: str = "/api-key-info", key: str = KEY, **limits: Any) -> Any:
        profile = self.profile(**limits)

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds / 100)

        async def ask() -> Any:
            limiter = Limiter(clock=lambda: time.monotonic() * 100, sleep=sleep)
            async with Sockets(profile.limits) as sockets:
                client = Client(
                    profile, find_key(profile, key), sockets.request,
                    limiter=limiter, sleep=sleep, chance=lambda: 0.0,
                )  # fmt: skip
                return await client.json(client.request(self.server.url + path))

        return self._background.run(ask())


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500), faults.status(503, "<html>"), faults.status(429, Retry_After="1"), faults.reset(),
        faults.cut(), faults.cut(0.0), faults.lie(5), faults.lie(-5), faults.shortened(), faults.html(),
        faults.raw(b"garbage\r\n\r\n"), faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99"),
        faults.raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 99_999 + b"\r\n\r\n"),
        faults.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
        faults.body(b"[1, 2", Content_Type="application/json"), faults.body(b""),
        faults.body(gzip.compress(b"[]")[:-4], Content_Encoding="gzip"),
    ],
)  # fmt: skip
def test_an_answer_that_went_wrong_is_asked_for_again(fault: faults.Fault, asking: Asking) -> None:
    asking.server.fail("api-key-info", fault, times=2)
    assert asking.json()[0]["accessType"] == "subscription"
    assert len(asking.server.asked("api-key-info")) >= 3


def test_a_connection_that_is_half_open_is_noticed(asking: Asking) -> None:
    asking.server.fail("api-key-info", faults.silence(1))
    begun = time.monotonic()
    assert asking.json(answer_s=0.3)
    assert time.monotonic() - begun < 3


def test_an_answer_that_drips_has_a_deadline(asking: Asking) -> None:
    asking.server.fail("api-key-info", faults.drip(20, 5))
    begun = time.monotonic()
    assert asking.json(total_s=0.5)
    assert time.monotonic() - begun < 3


def test_a_bomb_is_not_unpacked_beyond_the_cap(asking: Asking) -> None:
    data = gzip.compress(bytes(8 << 20))
    asking.server.fail("api-key-info", faults.body(data, Content_Encoding="gzip"), times=9)
    profile = asking.profile()

    async def ask() -> bytes:
        async with Sockets(profile.limits) as sockets:
            client = Client(profile, Key(KEY, "x"), sockets.request)

            async def take(answer: Answer) -> bytes:
                return await bodies.text(answer, 0, most_bytes=1 << 20)

            return await client.fetch(client.request(asking.server.url + "/api-key-info"), take)

    with pytest.raises(NetworkError, match=r"larger than 1\.0 MiB"):
        asking._background.run(ask())


def test_a_redirect_to_another_port_goes_without_the_key(asking: Asking) -> None:
    with ProviderServer([]) as other:
        asking.server.fail("/exchanges$", faults.redirect(f"{other.url}/exchanges"))
        assert asking.json("/exchanges") == []
        (seen,) = other.asked()
    assert "Authorization" in asking.server.asked("/exchanges$")[0].headers
    assert "Authorization" not in seen.headers


def test_nobody_there_is_said_with_the_address(server: ProviderServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    profile = load_profile("tardis", environment={"TARDIS_BASE_URL": url}).profile
    profile = msgspec.structs.replace(profile, limits=msgspec.structs.replace(profile.limits, tries=1))

    async def ask() -> Any:
        async with open_client(profile, None) as client:
            return await client.json(client.request(url + "/exchanges"))

    with Background() as background, pytest.raises(NetworkError, match=rf"tardis: {url}/exchanges: "):
        background.run(ask())


def test_a_certificate_that_nobody_signed_is_refused_at_once(tmp_path: Path) -> None:
    context = self_signed(tmp_path)
    with ProviderServer([], tls=context) as server, Background() as background:
        profile = load_profile("tardis", environment={"TARDIS_BASE_URL": server.url}).profile

        async def ask() -> Any:
            async with open_client(profile, Key(KEY, "x")) as client:
                return await client.json(client.request(server.url + "/api-key-info"))

        with pytest.raises(NetworkError, match=r"no safe connection .*certificate"):
            background.run(ask())
        assert server.seen == []


def self_signed(folder: Path) -> ssl.SSLContext:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    file = folder / "both.pem"
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_proxy_of_the_environment_is_not_for_this_machine(asking: Asking, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert asking.json()


def test_the_key_is_sent_and_appears_nowhere_else(asking: Asking) -> None:
    assert asking.json()
    (seen,) = asking.server.asked("api-key-info")
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in seen.path + str(seen.query)
    with pytest.raises(RefusedError) as caught:
        asking.json(key="canary-0c6a")
    assert "canary-0c6a" not in str(caught.value)
    assert "Invalid API key: [key]" in str(caught.value)
    told = [str(caught.value.__cause__), str(caught.value.__context__)]
    assert "canary-0c6a" not in "".join(told)
