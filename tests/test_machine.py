"""tardis-machine's normalised messages: raw message -> rows, those that must give nothing included; its addresses."""

import json
import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickreel.errors import UsageError
from tickreel.schema import MARKET_TYPES, RECORD_TYPES
from tickreel.sources import machine, machine_routes
from tickreel.sources.csv_batch import RowBatch
from tickreel.sources.csv_rows import CsvParser
from tickreel.sources.machine import Disconnect, Rows, Trouble, Unknown, Unreadable, read_message, time_us
from tickreel.units import parse_time
from twin_csv import bits

CLOCKS = '"timestamp":"2024-02-29T23:59:59.998Z","localTimestamp":"2024-03-01T00:00:00.001234Z"'
T, L = "1709251199998000", "1709251200001234"
NAMES = '"symbol":"BTCUSDT","exchange":"binance"'

ROWS = {
    # Tardis' own samples (docs, data types).
    f'{{"type":"trade",{NAMES},"id":"3445374963","price":61130.98,"amount":0.00145,"side":"sell",{CLOCKS}}}': (
        "trades", [f"binance,BTCUSDT,{T},{L},3445374963,sell,61130.98,0.00145"],
    ),
    f'{{"type":"trade",{NAMES},"price":7985,"amount":1e-7,"side":"unknown",{CLOCKS}}}': (
        "trades", [f"binance,BTCUSDT,{T},{L},,unknown,7985,1e-07"],
    ),
    f'{{"type":"liquidation",{NAMES},"id":"a-1","price":1.5,"amount":2,"side":"buy",{CLOCKS}}}': (
        "liquidations", [f"binance,BTCUSDT,{T},{L},a-1,buy,1.5,2"],
    ),
    f'{{"type":"liquidation",{NAMES},"id":null,"price":1.5,"amount":2,"side":"buy",{CLOCKS}}}': (
        "liquidations", [f"binance,BTCUSDT,{T},{L},,buy,1.5,2"],
    ),
    f'{{"type":"book_change",{NAMES},"isSnapshot":false,"bids":[],"asks":[{{"price":7985,"amount":283318}}],{CLOCKS}}}': (
        "incremental_book_L2", [f"binance,BTCUSDT,{T},{L},false,ask,7985,283318"],
    ),
    f'{{"type":"book_change",{NAMES},"isSnapshot":true,"bids":[{{"price":1,"amount":0}},{{"price":0.5,"amount":3}}],'
    f'"asks":[{{"price":2,"amount":1}}],{CLOCKS}}}': (
        "incremental_book_L2",
        [
            f"binance,BTCUSDT,{T},{L},true,ask,2,1", f"binance,BTCUSDT,{T},{L},true,bid,1,0",
            f"binance,BTCUSDT,{T},{L},true,bid,0.5,3",
        ],
    ),
    f'{{"type":"book_snapshot",{NAMES},"name":"quote","depth":1,"interval":0,"bids":[{{"price":1,"amount":9}}],'
    f'"asks":[{{}}],{CLOCKS}}}': ("quotes", [f"binance,BTCUSDT,{T},{L},,,1,9"]),
    f'{{"type":"quote",{NAMES},"askAmount":4,"askPrice":3,"bidPrice":2,"bidAmount":1,{CLOCKS}}}': (
        "quotes", [f"binance,BTCUSDT,{T},{L},4,3,2,1"],
    ),
    f'{{"type":"book_snapshot",{NAMES},"name":"book_snapshot_5_0ms","depth":5,"interval":0,'
    f'"bids":[{{"price":5,"amount":1}},{{}},{{}},{{}},{{}}],"asks":[{{"price":6,"amount":2}},{{"price":7,"amount":3}}],{CLOCKS}}}': (
        "book_snapshot_5", [f"binance,BTCUSDT,{T},{L},6,2,5,1,7,3,,,,,,,,,,,,,,"],
    ),
    f'{{"type":"book_ticker",{NAMES},"askAmount":4,"askPrice":3,"bidPrice":2,{CLOCKS}}}': (
        "book_ticker", [f"binance,BTCUSDT,{T},{L},4,3,2,"],
    ),
    f'{{"type":"derivative_ticker",{NAMES},"lastPrice":3.5,"fundingRate":-0.0001,"fundingTimestamp":"2024-03-01T08:00:00.000Z",{CLOCKS}}}': (
        "derivative_ticker", [f"binance,BTCUSDT,{T},{L},1709280000000000,-0.0001,,,3.5,,"],
    ),
    f'{{"type":"option_summary","symbol":"BTC-1MAR24-60000-C","exchange":"deribit","optionType":"call","strikePrice":60000,'
    f'"expirationDate":"2024-03-01T08:00:00Z","bestBidPrice":0.1,"bestBidAmount":5,"bestBidIV":55.91,"markIV":56,"delta":0.5,'
    f'"underlyingPrice":61000.5,"underlyingIndex":"BTC-1MAR24",{CLOCKS}}}': (
        "options_chain",
        [f"deribit,BTC-1MAR24-60000-C,{T},{L},call,60000,1709280000000000,,,0.1,5,55.91,,,,,56,BTC-1MAR24,61000.5,0.5,,,,"],
    ),
    # Nothing changed.
    f'{{"type":"book_change",{NAMES},"isSnapshot":false,"bids":[],"asks":[],{CLOCKS}}}': ("incremental_book_L2", []),
}  # fmt: skip

OTHERS = {
    '{"type":"disconnect","exchange":"deribit","localTimestamp":"2024-03-01T00:00:00.001234Z","symbols":["A"]}': (
        Disconnect("deribit", int(L))
    ),
    '{"type":"error","exchange":"deribit","localTimestamp":"2024-03-01T00:00:00Z","details":"boo","subSequentErrorsCount":3}': (
        Trouble("deribit", "boo")
    ),
    f'{{"type":"trade_bar",{NAMES},"open":1,{CLOCKS}}}': Unknown("trade_bar"),
    f'{{"type":"book_snapshot",{NAMES},"depth":10,"interval":0,"bids":[],"asks":[],{CLOCKS}}}': Unknown(
        "book_snapshot_10_0ms"
    ),
    f'{{"type":"book_snapshot",{NAMES},"depth":5,"interval":50,"bids":[],"asks":[],{CLOCKS}}}': Unknown(
        "book_snapshot_5_50ms"
    ),
    f'{{"type":"book_snapshot",{NAMES},"depth":5,"grouping":10,"interval":0,"bids":[],"asks":[],{CLOCKS}}}': Unknown(
        "book_snapshot_5_grouped_0ms"
    ),
}

UNREADABLE = {
    "": "",
    "garbage": "",
    "[1,2]": "",
    "null": "",
    '{"no":"type"}': "",
    "\x00\x01\x02": "",
    f'{{"type":"trade",{NAMES},"price":1,"amount":1,"side":"buy","timestamp":"yesterday"}}': "trades",
    f'{{"type":"trade",{NAMES},"price":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade",{NAMES},"price":null,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade",{NAMES},"price":1e999,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade",{NAMES},"id":"1,buy,2","price":1,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade",{NAMES},"id":"1\\n","price":1,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade",{NAMES},"id":"1\\r","price":1,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade","symbol":"A,B","exchange":"x","price":1,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"trade","symbol":"","exchange":"x","price":1,"amount":1,"side":"buy",{CLOCKS}}}': "trades",
    f'{{"type":"book_snapshot",{NAMES},"depth":1,"bids":[{{}},{{}}],"asks":[],{CLOCKS}}}': "",
    f'{{"type":"trade",{NAMES},"price":1,"amount":1,"side":"buy",{CLOCKS}}}{{"message":"no"}}': "",
}


@pytest.mark.parametrize("raw", ROWS)
def test_a_message_gives_rows(raw: str) -> None:
    read = read_message(raw.encode())
    assert isinstance(read, Rows)
    type, lines = ROWS[raw]
    assert (read.type, read.text) == (type, "".join(line + "\n" for line in lines))
    assert (read.exchange_us, read.local_us) == (int(T), int(L))


@pytest.mark.parametrize("raw", ROWS)
def test_the_rows_are_what_the_parser_of_files_takes(raw: str) -> None:
    type, lines = ROWS[raw]
    record = RECORD_TYPES[type]
    text = ",".join(record.csv_header) + "\n" + "".join(line + "\n" for line in lines)
    batches = list(CsvParser(record, "x").feed(text.encode(), last=True))
    assert sum(map(len, batches)) == len(lines)
    assert not [line for batch in batches for line in batch.set_aside]


@pytest.mark.parametrize("raw", OTHERS)
def test_a_message_without_rows(raw: str) -> None:
    assert read_message(raw.encode()) == OTHERS[raw]


@pytest.mark.parametrize("raw", UNREADABLE)
def test_what_cannot_be_read_says_why(raw: str) -> None:
    read = read_message(raw.encode())
    assert isinstance(read, Unreadable)
    assert (read.type, bool(read.reason)) == (UNREADABLE[raw], True)


def test_every_type_has_a_message_and_every_message_the_cells_of_its_header() -> None:
    assert set(machine.TYPES) == set(MARKET_TYPES)
    for type, commas in machine._COMMAS.items():
        assert commas == len(RECORD_TYPES[type].csv_header) - 5, type


def test_a_missing_local_time_is_when_it_arrived() -> None:
    raw = f'{{"type":"trade",{NAMES},"price":1,"amount":1,"side":"buy","timestamp":"2024-03-01T00:00:00Z"}}'
    assert read_message(raw.encode(), received_us=77).local_us == 77
    assert read_message(raw.encode()) == Unreadable("trades", "no localTimestamp")


def test_what_is_the_same_event_has_the_same_identity() -> None:
    def identity(**change: Any) -> str:
        message = {
            "type": "trade", "symbol": "A", "exchange": "x", "price": 1, "amount": 2, "side": "buy",
            "timestamp": "2024-03-01T00:00:00Z", "localTimestamp": "2024-03-01T00:00:01Z",
        } | change  # fmt: skip
        return read_message(json.dumps(message).encode()).identity

    assert identity() == identity(localTimestamp="2024-03-01T00:00:09Z")
    assert (
        len(
            {
                identity(),
                identity(price=2),
                identity(timestamp="2024-03-01T00:00:00.1Z"),
                identity(side="sell"),
            }
        )
        == 4
    )
    assert identity(id="7") == identity(id="7", price=3)
    assert len({identity(id="7"), identity(id="8"), identity(id="7", symbol="B")}) == 3


NUMBERS = st.one_of(
    st.floats(min_value=1e-300, max_value=1e20),
    st.integers(1, 2**53),
    st.floats(1e-9, 1e6).map(lambda x: round(x, 4) or 1),
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(10**15, 4 * 10**15)), min_size=1, max_size=5))
def test_numbers_and_times_come_out_as_they_went_in(trades: list[tuple[float, float, int]]) -> None:
    text = ",".join(RECORD_TYPES["trades"].csv_header) + "\n"
    for price, amount, us in trades:
        message = {
            "type": "trade", "symbol": "A", "exchange": "x", "side": "buy", "price": price, "amount": amount,
            "timestamp": iso(us), "localTimestamp": iso(us + 1),
        }  # fmt: skip
        text += read_message(json.dumps(message).encode()).text
    (batch,) = CsvParser(RECORD_TYPES["trades"], "x").feed(text.encode(), last=True)
    assert not batch.set_aside
    assert floats(batch, "price") == [bits(float(price)) for price, _, _ in trades]
    assert floats(batch, "amount") == [bits(float(amount)) for _, amount, _ in trades]
    assert batch.array("local_ns").tolist() == [(us + 1) * 1_000 for *_, us in trades]


def floats(batch: RowBatch, name: str) -> list[int]:
    return batch.columns[name].to_floats().view("<i8").tolist()


def iso(us: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(st.integers(0, 4 * 10**15), st.integers(0, 6))
def test_times_are_exact_to_the_digits_given(us: int, digits: int) -> None:
    cut = us - us % 10 ** (6 - digits)
    text = iso(cut)[:-1]
    text = text[: len(text) - (6 - digits)].rstrip(".") + "Z"
    assert time_us(text) == cut == parse_time(text) // 1_000


def test_the_seventh_digit_is_cut_as_in_files() -> None:
    assert time_us("2024-03-01T00:00:00.1234567Z") == time_us("2024-03-01T00:00:00.123456Z")


@given(st.text(alphabet="0123456789-:T.Z +x²٣", max_size=32))
def test_no_other_form_is_a_time(text: str) -> None:
    try:
        found = time_us(text)
    except ValueError:
        return
    assert text[-1] == "Z"
    assert text[17:19] == "60" or found == math.floor(parse_time(text[:29].rstrip("Z") + "Z") / 1_000)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(b'{"type":"tra\x80e"}')
@example(b'{"type":"trade","symbol":"\xff","price"1}')
@example(b"[" * 5_000 + b"]" * 5_000)
@example(b'{"type":"trade","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}")
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(read_message(data), Unreadable | Unknown)


# Routes


def options_of(url: str) -> Any:
    return json.loads(parse_qs(urlsplit(url).query, strict_parsing=True)["options"][0])


def test_the_address_of_a_stream_says_everything_once() -> None:
    options = machine_routes.stream_options("deribit", ["BTC-PERPETUAL", "A/B"], ["trades", "quotes"])
    url = machine_routes.route("ws://localhost:8001/", machine_routes.STREAM_PATH, options)
    assert url.startswith("ws://localhost:8001/ws-stream-normalized?options=%7B")
    assert options_of(url) == {
        "exchange": "deribit", "symbols": ["BTC-PERPETUAL", "A/B"], "dataTypes": ["trade", "quote"],
        "withDisconnectMessages": True, "withErrorMessages": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("first", "end", "asked"),
    [
        ("00:00:00", "00:01:00", ("00:00:00", "00:01:00")),
        ("00:00:59.999", "00:01:00.001", ("00:00:00", "00:02:00")),
        # Less than a minute is answered with nothing.
        ("00:00:10", "00:00:10", ("00:00:00", "00:01:00")),
        ("00:05:00", "00:05:00", ("00:05:00", "00:06:00")),
    ],
)
def test_a_replay_asks_for_whole_minutes(first: str, end: str, asked: tuple[str, str]) -> None:
    times = [parse_time(f"2024-01-01T{time}") for time in (first, end)]
    options = machine_routes.replay_options("x", ["A"], ["trades"], *times)
    assert (options["from"], options["to"]) == tuple(f"2024-01-01T{time}Z" for time in asked)


@pytest.mark.parametrize(
    ("base", "stream"),
    [
        ("http://localhost:8000", "ws://localhost:8001"),
        ("https://machine.example/x", "wss://machine.example:444/x"),
        ("http://[::1]:90", "ws://[::1]:91"),
    ],
)
def test_web_sockets_are_at_the_next_port(base: str, stream: str) -> None:
    assert machine_routes.stream_base(base) == stream


def test_a_type_that_no_machine_has_is_refused() -> None:
    machine_routes.check_types(MARKET_TYPES)
    with pytest.raises(UsageError, match=r"--types candles: a tardis-machine has trades, "):
        machine_routes.check_types(["candles"])


@given(st.lists(st.binary(max_size=8), max_size=8), st.binary(max_size=12))
def test_the_lines_of_a_replay_do_not_depend_on_its_pieces(pieces: list[bytes], end: bytes) -> None:
    lines = machine_routes.ReplayLines()
    found = [line for piece in [*pieces, end + b"\n"] for line in lines.feed(piece)]
    assert found == [line for line in (b"".join(pieces) + end).split(b"\n") if line.strip()]
    lines.finish()


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b'{"message":"no such day"}', "no such day"),
        (b'{"responseText":"x","message":"401","url":"u"}', "401"),
        (b'{"type":"trade","pri{"message":"cut"}', "cut"),
        (b'{"type":"trade","pri', "in the middle"),
        (b'{"type":"trade","message":"x"}', "in the middle"),
    ],
)
def test_an_error_behind_a_good_beginning_is_found(tail: bytes, said: str) -> None:
    lines = machine_routes.ReplayLines()
    assert list(lines.feed(b'{"a":1}\n' + tail)) == [b'{"a":1}']
    with pytest.raises(machine_routes.ReplayError, match=said):
        lines.finish()
