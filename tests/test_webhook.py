"""Alerts to a webhook: posted as they are in the log, tried again, and never the end of a watch."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from test_cli import call
from test_compare_watch import Pair, words
from tickreel.errors import UsageError
from tickreel.ingest.transport.webhook import Webhook

SECRET = "s3cret-path"


class Listener:
    """A server on loopback that takes posts, after some refusals."""

    def __init__(self) -> None:
        listener, self.taken, self.refusals = self, list[tuple[str, str, bytes]](), list[int]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = listener.refusals.pop(0) if listener.refusals else 200
                if status == 200:
                    listener.taken.append((self.path, self.headers["Content-Type"], body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{SECRET}"


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def pair(place: Path) -> Pair:
    """A lacks nothing, B lacks every row after the first 80 seconds but the last ones."""
    made = Pair(place)
    made.add("a", range(200))
    made.add("b", range(80))
    made.add("b", range(150, 200))
    return made


def test_an_alert_is_posted_as_it_is_in_the_log(
    pair: Pair, listener: Listener, tmp_path: Path, capfd
) -> None:
    log = tmp_path / "log"
    code, _, _ = call(capfd, *words(pair, "--for", "200ms", "--log", log, "--webhook", listener.url))
    assert code == 1
    ((path, kind, body),) = listener.taken
    assert (path, kind) == (f"/{SECRET}", "application/json")
    alert, *others = [json.loads(line) for line in log.read_text().splitlines()]
    assert json.loads(body) == alert
    assert alert["alert"]
    assert not any(other["alert"] for other in others)


def test_what_is_not_taken_is_tried_again_at_the_next_look(
    pair: Pair, listener: Listener, monkeypatch, capfd
) -> None:
    listener.refusals = [404]
    monkeypatch.setenv("TICKREEL_WEBHOOK", listener.url)
    code, _, said = call(capfd, *words(pair, "--for", "200ms"))
    assert (code, len(listener.taken)) == (1, 1)
    assert (
        "the webhook at 127.0.0.1: answered 404; 1 alert not delivered, tried again at the next look" in said
    )
    assert SECRET not in said


def test_a_busy_webhook_is_asked_again(listener: Listener) -> None:
    listener.refusals = [503]
    assert Webhook(listener.url).post([b"1", b"2"]) == (2, None)
    assert [body for _, _, body in listener.taken] == [b"1", b"2"]


def test_nobody_listening_does_not_end_the_watch(pair: Pair, listener: Listener, capfd) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as nobody:
        url = f"http://127.0.0.1:{nobody.server_port}/{SECRET}"
    code, _, said = call(capfd, *words(pair, "--for", "0", "--webhook", url))
    assert code == 1
    assert "1 alert not delivered" in said
    assert SECRET not in said


@pytest.mark.parametrize("url", ["", "ftp://x/", "//x", "http://", "x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="begins with http:// or https://"):
        Webhook(url)
