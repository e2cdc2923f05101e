"""The relay of a profile: requests, rows to CSV text, pages to days; held against a plain model."""

import json
import math
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_sample import dataset, put, trade, trades
from provider_server import KEY, ProviderServer, faults
from tickreel.codecs.decimals import parse_decimal
from tickreel.config import Key, Profile, load_profile
from tickreel.errors import NetworkError
from tickreel.ingest.download import history_relay
from tickreel.ingest.download.fetched import Fetched
from tickreel.ingest.gunzip import Gunzip
from tickreel.ingest.transport import Background, open_client
from tickreel.sources.relay import Ask, Relay, Row, at_path, query_of
from tickreel.sources.relay_paging import Paging
from tickreel.sources.tardis_http import DayFile

DAY = 1_704_067_200_000  # ms of 2024-01-01


@cache
def profile() -> Profile:
    return load_profile("holysheep", environment={"XDG_CONFIG_HOME": "/nowhere"}).profile


def history(**fields: Any) -> Profile:
    """Return the built-in relay with other fields of its trades."""
    relay = profile()
    trades_ = msgspec.structs.replace(relay.types["trades"], **fields)
    return msgspec.structs.replace(relay, types={"trades": trades_})


def relay_of(relay: Profile | None = None, **names: str) -> Relay:
    names = {"type": "trades", "exchange": "binance", "symbol": "BTCUSDT", **names}
    return Relay(relay or profile(), **names)


def line(row: dict[str, Any], relay: Relay | None = None) -> str:
    (found,) = (relay or relay_of()).page({"trades": [row]}).rows
    return found.line.decode()


GUIDE = {
    "timestamp": DAY,
    "price": 42_000.5,
    "volume": 1e-7,
    "side": "buy",
    "fee": 0.021,
    "exchange": "binance",
}


# Requests


def test_the_request_is_the_guides() -> None:
    ask = Ask(DAY * 10**6, (DAY + 3_600_000) * 10**6)
    assert relay_of(exchange="okex").request(ask) == (
        "POST",
        "/tardis/trades",
        {"query": {"symbol": "BTCUSDT", "exchange": "okx", "start_ms": DAY, "end_ms": DAY + 3_600_000}},
    )


def test_a_request_in_other_words(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "PROVIDERS.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    assert "other-relay" in tomllib.loads(example)
    (tmp_path / "p.toml").write_text(example)
    other = load_profile("other-relay", environment={"TICKREEL_CONFIG": str(tmp_path / "p.toml")}).profile
    relay = relay_of(other)
    method, path, fields = relay.request(Ask(DAY * 10**6 + 1, DAY * 10**6 + 10**9, "c/1"))
    assert (method, path) == ("GET", "/history/trades")
    assert query_of(fields) == (
        "symbol=BTCUSDT&exchange=binance&from=2024-01-01T00%3A00%3A00Z&to=2024-01-01T00%3A00%3A01Z&limit=1000&cursor=c%2F1"
    )
    rows = [{"ts": str(DAY * 1000 + 1), "p": "42000.50", "q": 3, "is_buyer_maker": True}]
    found = relay.page({"data": rows, "next_cursor": 17})
    assert found.rows == [Row(DAY * 1000 + 1, b"binance,BTCUSDT,1704067200000001,,sell,42000.50,3,\n")]
    assert found.next == "17"


@pytest.mark.parametrize(
    ("unit", "inclusive", "start", "end"),
    [("s", True, 1_704_067_200, 1_704_067_201), ("ms", False, DAY, DAY + 1), ("us", True, DAY * 1000, DAY * 1000 + 1),
     ("ns", True, DAY * 10**6, DAY * 10**6 + 499), ("ns", False, DAY * 10**6, DAY * 10**6 + 500)],
)  # fmt: skip
def test_the_ends_of_a_request_are_rounded_outwards(unit: str, inclusive: bool, start: int, end: int) -> None:
    relay = relay_of(history(request_time=unit, end_is_inclusive=inclusive))
    fields = relay.request(Ask(DAY * 10**6, DAY * 10**6 + 500))[2]["query"]
    assert (fields["start_ms"], fields["end_ms"]) == (start, end)


# Rows


def test_a_row_of_the_guide_becomes_a_line_of_tardis_without_a_local_time() -> None:
    relay = relay_of()
    assert relay.header == b"exchange,symbol,timestamp,id,side,price,amount,fee\n"
    assert line(GUIDE) == "binance,BTCUSDT,1704067200000000,,buy,42000.5,1e-7,0.021\n"
    assert line(GUIDE | {"fee": None, "id": 7}) == "binance,BTCUSDT,1704067200000000,7,buy,42000.5,1e-7,\n"
    with_local = relay_of(history(columns=profile().types["trades"].columns | {"local_timestamp": "got"}))
    assert with_local.header.startswith(b"exchange,symbol,timestamp,local_timestamp,id")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**17), 10**17))
def test_a_number_reads_back_as_the_number_that_json_gave(value: float) -> None:
    document = msgspec.json.decode(json.dumps({"trades": [GUIDE | {"price": value}]}))
    (row,) = relay_of().page(document).rows
    text = row.line.decode().split(",")[5]
    assert float(text) == float(value)
    if abs(value) < 1e21:
        parse_decimal(text)


def test_what_is_no_number_goes_on_as_text() -> None:
    for value, text in ((None, ""), (True, "true"), ("1.50", "1.50"), ([1, 2], "[1,2]"), (math.inf, "inf")):
        assert line(GUIDE | {"price": value}).split(",", 5)[5].startswith(text)


@pytest.mark.parametrize(
    ("unit", "value", "cell"),
    [
        ("s", 1_704_067_200, "1704067200000000"), ("s", 1_704_067_200.25, "1704067200250000"),
        ("ms", DAY + 0.5, "1704067200000500"), ("us", DAY * 1000, "1704067200000000"),
        ("ns", DAY * 10**6 + 1_999, "1704067200000001"), ("ms", str(DAY), "1704067200000000"),
        ("iso", "2024-01-01T00:00:00.000001Z", "1704067200000001"), ("iso", "2024-01-01T01:00:00+01:00", "1704067200000000"),
        ("magnitude", 1_704_067_200, "1704067200000000"), ("magnitude", DAY, "1704067200000000"),
        ("magnitude", DAY * 1000, "1704067200000000"), ("magnitude", DAY * 10**6, "1704067200000000"),
        ("magnitude", DAY * 10, "?17040672000000"), ("magnitude", 170_406_720, "?170406720"),
        ("magnitude", DAY * 100_000, "?170406720000000000"), ("iso", DAY * 1000, "?1704067200000000"),
        ("ms", "soon", "?soon"), ("ms", None, ""), ("ms", True, "?true"), ("ms", -1, "?-1"), ("ms", "NaN", "?NaN"),
        ("ms", 1e300, "?1e+300"), ("ms", "9" * 5_000, "?" + "9" * 5_000), ("iso", "2024-13-01", "?2024-13-01"),
    ],
)  # fmt: skip
def test_every_unit_of_time_and_no_guess_between(unit: str, value: Any, cell: str) -> None:
    assert line(GUIDE | {"timestamp": value}, relay_of(history(row_time=unit))).split(",")[2] == cell


def test_words_exchanges_and_what_must_not_break_a_line() -> None:
    words = {"b": "buy", "s": "sell", "true": "sell", "false": "buy"}
    relay = relay_of(history(words=words))
    assert [line(GUIDE | {"side": side}, relay).split(",")[4] for side in ("b", "s", True, False, "B", None, 1)] == [
        "buy", "sell", "sell", "buy", "B", "", "1",
    ]  # fmt: skip
    for said, name in (
        ("binance", "binance"),
        (1, "binance"),
        ("okx", "okex"),
        (3, "okex"),
        ("ftx", "ftx"),
        (None, "binance"),
    ):
        assert line(GUIDE | {"exchange": said}).split(",")[0] == name
    assert line(GUIDE | {"id": "a\nbinance,B,1,2,buy,1,1\r"}).count("\n") == 1


@pytest.mark.parametrize(
    "document", [{}, {"trades": None}, {"trades": {}}, {"trades": [1]}, [], "x", None, 3]
)
def test_an_answer_without_its_list_is_refused_with_what_to_change(document: Any) -> None:
    with pytest.raises(
        NetworkError, match=r"no list of rows at 'trades'; see rows of \[holysheep\.types\.trades\]"
    ):
        relay_of().page(document)


def test_paths_into_an_answer() -> None:
    assert at_path({"a": {"b": 1}}, "a.b") == 1
    assert at_path([1], "") == [1]
    assert at_path([1], "a") is None
    assert relay_of(history(rows="")).page([]).rows == []
    assert relay_of(history(rows="data.rows")).page({"data": {"rows": []}}).rows == []


# Pages


class Server:
    """A relay over some rows (ms, id), in order of time: answers at most `most`, the first or the newest."""

    def __init__(
        self, rows: list[tuple[int, int]], most: int, *, inclusive: bool, newest: bool = False
    ) -> None:
        self._rows = sorted(rows)
        self._most, self._inclusive, self._newest = most, inclusive, newest
        self.asked = 0

    def answer(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        query = fields["query"]
        end = query["end_ms"] + self._inclusive
        found = [row for row in self._rows if query["start_ms"] <= row[0] < end]
        begin = int(query.get("cursor", 0))
        cut = found[begin : begin + self._most]
        if self._newest:
            cut = cut[::-1]
        rows = [GUIDE | {"timestamp": ms, "id": id} for ms, id in cut]
        return {"trades": rows, "next": str(begin + self._most) if len(found) > begin + self._most else None}


def collect(relay: Relay, server: Server, from_ms: int, to_ms: int) -> list[bytes]:
    paging, found = Paging(relay, from_ms * 10**6, to_ms * 10**6), []
    while paging.ask:
        found += paging.take(relay.page(server.answer(relay.request(paging.ask)[2])))
        assert server.asked < 3_000
    return [row.line for row in found]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60),
    most=st.integers(1, 12),
    known=st.booleans(),
    inclusive=st.booleans(),
    paging=st.sampled_from(["advance", "cursor"]),
    cut=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_pages_make_the_rows_of_the_range_once_each(rows, most, known, inclusive, paging, cut) -> None:
    """Whatever the answers' size and ends, equal rows among them: those in time that the relay has, or an error."""
    start, end = DAY + min(cut) * 1_000, DAY + max(cut) * 1_000
    rows = [(DAY + second * 1_000, id) for second, id in rows]
    relay = relay_of(
        history(
            paging=paging,
            span="10s",
            page_rows=most if known else 0,
            end_is_inclusive=inclusive,
            next="next",
            request=msgspec.structs.replace(profile().types["trades"].request, cursor="cursor"),
        )
    )
    wanted = sorted((ms, id) for ms, id in rows if start <= ms < end)
    at = Counter(ms for ms, _ in rows)
    crowded = max(at.values(), default=0)
    try:
        found = collect(relay, Server(rows, most, inclusive=inclusive), start, end)
    except NetworkError as error:
        assert "may be lost: more rows have one time" in str(error)
        assert paging == "advance" and crowded >= most
        return
    # Rows cut off from others of their time show, if nobody says how many an answer holds, by the rows after them.
    hidden = any(at[ms] > most and not any(ms < other < min(ms + 10_000, end) for other in at) for ms in at)
    if paging == "cursor" or known or not hidden:
        got = [(int(text.split(b",")[2]) // 1_000, int(text.split(b",")[3])) for text in found]
        assert sorted(got) == wanted
        assert [ms for ms, _ in got] == sorted(ms for ms, _ in got)


def test_answers_that_would_lose_rows_are_refused() -> None:
    rows = [(DAY + n, n) for n in range(50)]
    full = relay_of(history(paging="none", page_rows=10))
    with pytest.raises(NetworkError, match="an answer is full and there is no paging"):
        collect(full, Server(rows, 10, inclusive=True), DAY, DAY + 1_000)
    with pytest.raises(NetworkError, match="do not come oldest first"):
        collect(relay_of(), Server(rows, 10, inclusive=True, newest=True), DAY, DAY + 1_000)
    again = relay_of(history(paging="cursor", next="next"))
    paging = Paging(again, DAY * 10**6, (DAY + 1) * 10**6)
    paging.take(again.page({"trades": [], "next": "a"}))
    with pytest.raises(NetworkError, match="the cursor 'a' leads back to itself"):
        paging.take(again.page({"trades": [], "next": "a"}))


def test_rows_whose_time_cannot_be_read_come_once() -> None:
    relay = relay_of()
    bad = GUIDE | {"timestamp": "soon"}
    paging = Paging(relay, DAY * 10**6, (DAY + 10) * 10**6)
    first = paging.take(relay.page({"trades": [bad, GUIDE]}))
    second = paging.take(relay.page({"trades": [bad, GUIDE]}))
    assert (len(first), len(second)) == (2, 0)
    assert paging.take(relay.page({"trades": []})) == []
    assert paging.ask is None


def test_rows_cut_off_within_one_time_show_by_those_behind_them() -> None:
    """Nobody says how many rows an answer holds: 3 of 4 rows of a millisecond, then one of the next."""
    rows = [(DAY, 0), (DAY + 5, 1), (DAY + 5, 2), (DAY + 5, 3), (DAY + 5, 4), (DAY + 6, 5)]
    with pytest.raises(
        NetworkError, match="more rows have one time than an answer holds: set a larger page_rows"
    ):
        collect(relay_of(), Server(rows, 3, inclusive=True), DAY, DAY + 1_000)
    assert len(collect(relay_of(), Server(rows, 5, inclusive=True), DAY, DAY + 1_000)) == 6


@pytest.mark.parametrize("known", [True, False])
def test_an_answer_that_reaches_past_its_range_is_whole(known: bool) -> None:
    """The end counts at this relay: its row fills the answer, and nothing of the range is missing."""
    relay = relay_of(history(page_rows=2 if known else 0, end_is_inclusive=True))
    rows = [(DAY, 0), (DAY + 1, 1)]
    assert len(collect(relay, Server(rows, 2, inclusive=True), DAY, DAY + 1)) == 1


# A day from the test server


def test_an_error_with_a_good_status_is_told_in_its_own_words_without_the_key(tmp_path: Path) -> None:
    with ProviderServer([]) as server, Background() as background:
        server.fail("trades", faults.body(b'{"error": {"message": "no %s here"}}' % KEY.encode()))
        relay = load_profile(
            "holysheep", environment={**server.environment, "XDG_CONFIG_HOME": "/nowhere"}
        ).profile

        async def fetch() -> Fetched:
            async with open_client(relay, Key(KEY, "x")) as client:
                file = DayFile("binance", "trades", "BTCUSDT", "2024-01-01")
                return await history_relay.fetch_day(client, file, tmp_path / "day")

        with pytest.raises(NetworkError, match=r"no list of rows at 'trades'.*; it says: no \[key\] here"):
            background.run(fetch())
        assert not (tmp_path / "day").exists()


def test_a_day_of_the_relay_is_the_rows_of_its_files(tmp_path: Path) -> None:
    lines = [trade(n * 40_000_000, id=n, price=100 + n % 5, amount=0.5) for n in range(2_000)]
    put(dataset(tmp_path / "f"), trades(*lines))
    with ProviderServer([tmp_path / "f"]) as server, Background() as background:
        server.relay_page_rows = 70
        environment = {**server.environment, "XDG_CONFIG_HOME": "/nowhere"}
        relay = load_profile("holysheep", environment=environment).profile
        relay = msgspec.structs.replace(
            relay, limits=msgspec.structs.replace(relay.limits, calls_per_minute=0)
        )

        async def fetch() -> Fetched:
            async with open_client(relay, Key(KEY, "x")) as client:
                return await history_relay.fetch_day(
                    client, DayFile("binance", "trades", "BTCUSDT", "2024-01-01"), tmp_path / "day"
                )

        fetched = background.run(fetch())
        assert all(
            json.loads(one.body)["query"]["exchange"] == "binance" for one in server.asked("tardis/trades")
        )
    data = (tmp_path / "day").read_bytes()
    assert fetched.bytes == len(data)
    unpack = Gunzip()
    found = (b"".join(unpack.feed(data)) + b"".join(unpack.end())).decode().splitlines()
    assert found[0] == "exchange,symbol,timestamp,id,side,price,amount,fee"
    assert len(found) == 2_001 - 1  # the first trade's exchange time is of the day before
    want = [text.decode().strip().split(",") for text in lines[1:]]
    assert [text.split(",")[4:7] for text in found[1:]] == [[w[5], w[6], w[7]] for w in want]
    assert [int(text.split(",")[2]) for text in found[1:]] == [int(w[2]) // 1_000 * 1_000 for w in want]
