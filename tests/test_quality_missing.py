"""What `tickreel quality` looks for, and what it misses."""

from pathlib import Path
from typing import Any

import pytest

from import_sample import take
from quality_files import called, document, fill, usual, write


def missing(found: dict[str, Any]) -> set[tuple[str, str, str | None, str | None, int]]:
    return {
        (stream["type"], stream["symbol"], run["first"], run["last"], run["days"])
        for stream in found["streams"]
        for run in stream["missing"]
    }


def test_without_a_question_a_day_is_missing_between_the_first_and_the_last(place: Path) -> None:
    fill(place)
    found = document(place)
    assert missing(found) == {("trades", "AUSDT", "2024-01-03", "2024-01-03", 1)}
    empty = next(day for day in found["days"] if (day["symbol"], day["day"]) == ("BUSDT", "2024-01-02"))
    assert [verdict["rule"] for verdict in empty["verdicts"]] == ["empty"]
    assert empty["figures"]["rows"] == 0


def test_the_product_of_what_was_asked_is_looked_for(place: Path) -> None:
    fill(place)
    words = (
        "--symbols",
        "AUSDT,BUSDT,CUSDT",
        "--types",
        "trades,quotes",
        "--from",
        "2024-01-01",
        "--to",
        "2024-01-03",
    )
    found = document(place, *words)
    both = ("2024-01-01", "2024-01-02", 2)
    assert missing(found) == {
        ("trades", "CUSDT", *both), ("quotes", "CUSDT", *both), ("quotes", "BUSDT", *both),
        ("quotes", "AUSDT", "2024-01-02", "2024-01-02", 1),
    }  # fmt: skip
    assert {stream["exchange"] for stream in found["streams"] if stream["symbol"] == "CUSDT"} == {None}
    called(place, *words, "--require", code=1)
    called(place, "--symbols", "AUSDT", "--types", "trades", "--to", "2024-01-03", "--require")


def test_a_store_without_what_was_asked_says_so(place: Path) -> None:
    fill(place)
    found = document(place, "--types", "liquidations", "--require", code=1)
    assert missing(found) == {("liquidations", symbol, None, None, 0) for symbol in ("AUSDT", "BUSDT")}
    assert (found["from"], found["totals"]["segments"], found["totals"]["streams_missing"]) == (None, 0, 2)
    found = called(place, "--symbols", "bybit:X", "--require", code=1)
    assert missing(found) == {("trades", "X", None, None, 0)}


def test_symbols_and_types_are_those_of_the_whole_store(place: Path) -> None:
    """Not of the range: what the store has on other days alone is missing."""
    fill(place)
    day = ("--from", "2024-01-02", "--to", "2024-01-03", "--require")
    found = document(place, *day, code=1)
    assert missing(found) == {("quotes", "AUSDT", "2024-01-02", "2024-01-02", 1)}
    late = ("trades", "BUSDT", "2024-01-04", "2024-01-04", 1)
    quotes = ("quotes", "AUSDT", "2024-01-04", "2024-01-04", 1)
    for words in (("--from", "2024-01-04"), ("--from", "2024-01-04", "--to", "2024-01-05")):
        assert missing(called(place, *words, "--require", code=1)) == {late, quotes}
    found = called(place, "--from", "2030-01-01", "--require", code=1)
    assert missing(found) == {
        ("trades", "AUSDT", None, None, 0), ("trades", "BUSDT", None, None, 0), ("quotes", "AUSDT", None, None, 0),
    }  # fmt: skip


@pytest.mark.parametrize("words", [("--symbols", "A:B"), ("--symbols", "bitfinex:A:B"), ("--symbols", "A:B", "--exchange", "bitfinex")])  # fmt: skip
def test_a_symbol_may_have_a_colon(place: Path, words: tuple[str, ...]) -> None:
    write(place / "files", usual(count=40), symbol="A:B", exchange="bitfinex")
    found = document(place, *words, "--require")
    assert [(stream["exchange"], stream["symbol"], stream["days"]) for stream in found["streams"]] == [
        ("bitfinex", "A:B", 1)
    ]
    assert missing(called(place, "--symbols", "A:C", "--require", code=1)) == {("trades", "C", None, None, 0)}


def test_a_symbol_within_a_group_is_not_missing_but_refused(place: Path) -> None:
    write(place / "files", usual(count=40), symbol="AUSDT")
    write(place / "files", [row | {"symbol": "BUSDT"} for row in usual(count=40)], symbol="SPOT")
    document(place, "--require")
    message = called(place, "--symbols", "AUSDT,BUSDT", code=2)["error"]["message"]
    assert "BUSDT lies in a group's file" in message
    assert message.endswith("name the group, binance:SPOT")
    called(place, "--symbols", "AUSDT", "--require")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--types", "ticks"), "--types ticks: no record type"),
        (("--gap", "5ms"), "--gap 5ms: give 1s to 1d"),
        (("--from", "2024-01-01T12:00"), "give a midnight"),
        (("--from", "2024-01-02", "--to", "2024-01-01"), "--from must be before --to"),
        (("--symbols", "bybit:X", "--exchange", "binance"), "--exchange says binance"),
        (("--exchange", "nope"), "--exchange nope: nothing of that is in the store; it has binance"),
        (("--to", "9999-12-31"), "leave --from or --to out"),
        (("--out", "nowhere/x.html"), "nowhere"),
    ],
)
def test_wrong_words_say_what_is_allowed(place: Path, words: tuple[str, ...], says: str, monkeypatch) -> None:
    fill(place)
    take(place / "tape", place / "files")
    monkeypatch.chdir(place)
    code = 5 if "--out" in words else 2
    assert says in called(place, *words, code=code)["error"]["message"]
