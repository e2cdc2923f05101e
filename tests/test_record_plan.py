"""Words to feeds and the addresses of their streams; what is refused, with the reason."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tickreel.cli.app import run
from tickreel.errors import NetworkError, UsageError
from tickreel.ingest.record.journal import StreamInfo
from tickreel.ingest.record.plan import plan_feeds


@pytest.fixture(autouse=True)
def _no_user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKREEL_CONFIG", str(tmp_path / "providers.toml"))
    (tmp_path / "providers.toml").write_text("")


def asked(url: str) -> object:
    return json.loads(parse_qs(urlsplit(url).query)["options"][0])


def test_each_exchange_has_a_stream_of_its_own() -> None:
    (feed,) = plan_feeds(
        ["tardis-machine"],
        "binance",
        ["ETHUSDT", "BTCUSDT", "deribit:BTC-PERPETUAL", "ETHUSDT"],
        ["trades", "quotes", "trades"],
    )
    assert feed.streams == (
        StreamInfo("binance", ["BTCUSDT", "ETHUSDT"], ["trades", "quotes"]),
        StreamInfo("deribit", ["BTC-PERPETUAL"], ["trades", "quotes"]),
    )
    assert feed.calls[1].url.startswith("ws://localhost:8001/ws-stream-normalized?options=")
    assert asked(feed.calls[0].url) == {
        "exchange": "binance", "symbols": ["BTCUSDT", "ETHUSDT"], "dataTypes": ["trade", "quote"],
        "withDisconnectMessages": True, "withErrorMessages": True,
    }  # fmt: skip


def test_all_symbols_of_an_exchange_are_asked_for_without_naming_any() -> None:
    (feed,) = plan_feeds(["tardis-machine"], "bybit", [], ["liquidations"])
    assert feed.streams == (StreamInfo("bybit", [], ["liquidations"]),)
    assert "symbols" not in asked(feed.calls[0].url)  # type: ignore[operator]


def test_a_symbol_may_have_a_colon() -> None:
    (feed,) = plan_feeds(["tardis-machine"], "okex", ["BTC/USD:BTC"], ["trades"])
    assert feed.streams[0].symbols == ["BTC/USD:BTC"]


def test_a_relay_is_told_what_is_wanted_under_its_own_names(monkeypatch) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "HS.secret-1")
    (feed,) = plan_feeds(["holysheep"], "okex", ["BTC-USDT"], ["trades", "incremental_book_L2"])
    assert feed.streams == (StreamInfo("okex", ["BTC-USDT"], ["trades", "incremental_book_L2"], "okx"),)
    assert feed.calls[0].url == "wss://stream.holysheep.ai/v1/market"
    assert json.loads(feed.calls[0].subscribe) == {
        "action": "subscribe", "exchange": "okx", "symbols": ["BTC-USDT"], "types": ["trade", "book_change"],
    }  # fmt: skip
    assert "secret-1" not in f"{feed!r}"


@pytest.mark.parametrize(
    ("providers", "exchange", "symbols", "types", "text"),
    [
        (
            ["tardis"],
            "binance",
            ["A"],
            ["trades"],
            "no hosted stream.*run tardis-machine.*--provider tardis-machine",
        ),
        (["nobody"], "binance", ["A"], ["trades"], "--provider nobody: known are tardis, "),
        (["tardis-machine"], "binance", ["A"], ["candles"], "--types candles: known are trades, "),
        (["tardis-machine"], None, ["A"], ["trades"], "--symbols A: of which exchange. add --exchange"),
        (["tardis-machine"], None, [], ["trades"], "nothing to record"),
        (["quiet-relay"], "binance", ["A"], ["trades"], r"has no stream; set url in \[quiet-relay.stream\]"),
        (["holysheep"], "kraken", ["A"], ["trades"], "has no exchange kraken"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    tmp_path: Path,
    providers: list[str],
    exchange: str | None,
    symbols: list[str],
    types: list[str],
    text: str,
) -> None:
    relay = '[quiet-relay]\nlike = "holysheep"\n[quiet-relay.stream]\nurl = ""\n'
    (tmp_path / "providers.toml").write_text(relay)
    with pytest.raises(UsageError, match=text):
        plan_feeds(providers, exchange, symbols, types)


def test_a_key_that_is_needed_and_missing_is_named_before_anything_is_asked(monkeypatch) -> None:
    monkeypatch.delenv("HOLYSHEEP_API_KEY", raising=False)
    with pytest.raises(NetworkError, match="HOLYSHEEP_API_KEY"):
        plan_feeds(["holysheep"], "binance", ["A"], ["trades"])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--fsync-interval", "2s"), "--fsync-interval 2s: from 1ms to 1s"),
        (("--fsync-interval", "0"), "--fsync-interval 0: from 1ms to 1s"),
        (("--for", "soon"), "--for: 'soon' is not a duration"),
    ],
)
def test_wrong_words_end_it_before_it_begins(
    tmp_path: Path, capfd, words: tuple[str, ...], text: str
) -> None:
    asked = ("--provider", "tardis-machine", "--exchange", "binance", "--store", str(tmp_path / "tape"))
    assert run(["record", *asked, *words]) == 2
    assert text in capfd.readouterr().err
    assert not (tmp_path / "tape").exists()
