"""Raw feeds into the official clients' cache: the same files, once each, whatever the server does."""

import asyncio
import gzip
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_sample import contents
from provider_server import KEY, ProviderServer, faults, feeds
from tickreel.errors import NetworkError, UsageError
from tickreel.ingest.download import history_files, raw_feeds
from tickreel.ingest.download.raw_feeds import FeedsSummary, download_feeds
from tickreel.ingest.transport import Broken
from tickreel.sources.tardis_feeds import (
    MINUTE_NS,
    Feed,
    SliceOf,
    lacking,
    middle_slices,
    named_slice,
    wrong_lines,
)
from tickreel.units import parse_time

FROM = parse_time("2024-03-02T00:00")
FEED = Feed("binance", ("trade", "depth"), ("ethusdt", "btcusdt"))


@pytest.fixture(scope="module")
def running():
    with ProviderServer([]) as server:
        yield server


@pytest.fixture
def server(running: ProviderServer) -> ProviderServer:
    return running.renew()


def get(
    server: ProviderServer, cache: Path, minutes: int = 23, feed: Feed = FEED, key: str = KEY
) -> FeedsSummary:
    environment = {**server.hurried(cache.parent), "TARDIS_API_KEY": key}
    return download_feeds(cache, feed, FROM, FROM + minutes * MINUTE_NS, environment=environment)


def lines(cache: Path, minutes: int, feed: Feed = FEED) -> bytes:
    """Return the messages of the first minutes in a cache."""
    found, at = b"", FROM
    while at < FROM + minutes * MINUTE_NS:
        part = next(
            SliceOf(at, size)
            for size in range(1, 11)
            if (cache / feed.folder / SliceOf(at, size).path).exists()
        )
        found += gzip.decompress((cache / feed.folder / part.path).read_bytes())
        at += part.minutes * MINUTE_NS
    return found


def wanted(minutes: int, feed: Feed = FEED) -> bytes:
    filters = [{"channel": channel, "symbols": sorted(feed.symbols)} for channel in sorted(feed.channels)]
    begin = datetime(2024, 3, 2, tzinfo=UTC)
    return b"".join(feeds.minute(begin.replace(minute=n), filters) for n in range(minutes))


def test_the_cache_is_that_of_the_official_client(server: ProviderServer, tmp_path: Path) -> None:
    tardis_dev = pytest.importorskip("tardis_dev")

    async def replay() -> list[object]:
        channels = [
            tardis_dev.Channel("trade", ["btcusdt", "ethusdt"]),
            tardis_dev.Channel("depth", ["ethusdt", "btcusdt"]),
        ]
        found = tardis_dev.replay(
            "binance", "2024-03-02", "2024-03-02T00:23:00Z", channels, api_key=KEY,
            cache_dir=str(tmp_path / "theirs"), endpoint=server.url, decode_response=False, with_disconnects=True,
        )  # fmt: skip
        return [one async for one in found]

    theirs = asyncio.run(replay())
    summary = get(server, tmp_path / "ours")
    assert (summary.fetched, summary.there, summary.failed) == (23, 0, [])
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    mine = lines(tmp_path / "ours", 23)
    assert mine == wanted(23)
    got = [one if one is None else one.local_timestamp + b" " + one.message for one in theirs]
    assert got == [None if not line else line + b"\n" for line in mine.split(b"\n")[:-1]]


def test_what_lies_in_the_cache_needs_no_network(server: ProviderServer, tmp_path: Path) -> None:
    get(server, tmp_path)
    server.seen.clear()
    assert (get(server, tmp_path).there, server.seen) == (23, [])
    gone = {"TARDIS_BASE_URL": "http://127.0.0.1:9", "XDG_CONFIG_HOME": "/nowhere"}
    assert download_feeds(tmp_path, FEED, FROM, FROM + 9 * MINUTE_NS, environment=gone).there == 9
    summary = get(server, tmp_path, 40)
    assert (summary.there, summary.fetched) == (23, 17)
    assert lines(tmp_path, 40) == wanted(40)


@pytest.mark.parametrize("fault", [
    faults.status(500), faults.cut(), faults.shortened(), faults.unpacked(), faults.html(), faults.lie(3),
    faults.without("x-slice-size"), faults.without("content-encoding"), faults.without("x-suggested-slice-size"),
    faults.status(400, '{"code": 1, "message": "from must be in ISO 8601 format"}'),
    faults.body(gzip.compress(b"2024-03-03T00:00:00.0000001Z {}\n"), Content_Encoding="gzip", x_slice_size="1"),
    faults.body(gzip.compress(b"no time\n"), Content_Encoding="gzip"),
    faults.body(gzip.compress(b"2024-03-02T00:00:00.0000001Z {}"), Content_Encoding="gzip"),
    faults.body(gzip.compress(b""), Content_Encoding="gzip", x_slice_size="77"),
])  # fmt: skip
def test_a_slice_that_comes_wrong_comes_right_in_the_end(
    fault: faults.Fault, server: ProviderServer, tmp_path: Path
) -> None:
    server.fail("data-feeds", fault)
    assert get(server, tmp_path, 4).failed == []
    assert lines(tmp_path, 4) == wanted(4)
    assert not list(tmp_path.rglob("*.unconfirmed"))


def test_a_short_slice_is_completed(server: ProviderServer, tmp_path: Path) -> None:
    """Both official clients hang for ever here."""

    async def short(request, handler):
        changed = request.clone(rel_url=request.rel_url.update_query(sliceSize="2"))
        return await handler(changed)

    async def good(request, handler):
        return await handler(request)

    server.fail("data-feeds", good, good, short)
    summary = get(server, tmp_path, 8)
    assert (summary.fetched, summary.failed) == (8, [])
    assert lines(tmp_path, 8) == wanted(8)


def test_what_is_refused_is_in_the_summary_and_the_rest_comes(server: ProviderServer, tmp_path: Path) -> None:
    server.fail("data-feeds", faults.status(404))
    summary = get(server, tmp_path, 4)
    assert [(part.minutes, error.exit_code) for part, error in summary.failed] == [(1, 4)]
    assert (summary.fetched, summary.exit_code) == (3, 4)
    assert "no key was sent" in str(get(server, tmp_path / "b", 2, key="").failed[0][1])
    server.fail("data-feeds", faults.status(429, Retry_After="1000"))
    summary = get(server, tmp_path / "c", 20)
    assert len({str(error) for _, error in summary.failed}) == 1
    assert summary.fetched == 0
    assert isinstance(summary.failed[0][1], NetworkError)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\0", "it has a line of more than 16.0 MiB"),
        (b"2024-03-02T00:00:00.0000001Z {}\n", "unpack to more than"),
    ],
)
def test_a_bomb_is_given_up_in_flat_memory(
    line: bytes, said: str, server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_files, "_ALWAYS_FINE_BYTES", 40 << 20)
    peaks = []
    for size in (64, 256):
        server.seen.clear()
        server.heal()
        bomb = faults.bomb(size << 20, line, Content_Encoding="gzip", x_slice_size="1")
        server.fail("data-feeds", bomb, times=9)
        tracemalloc.start()
        begun = time.monotonic()
        (failure,) = get(server, tmp_path / str(size), 1).failed
        peaks.append(tracemalloc.get_traced_memory()[1] >> 20)
        tracemalloc.stop()
        assert said in str(failure[1])
        assert len(server.seen) == 1  # once, for another try gets the same
        assert time.monotonic() - begun < 5
    assert max(peaks) < 64
    assert not list(tmp_path.rglob("*.json.gz*"))


@settings(deadline=None)
@given(st.lists(st.integers(0, 90), max_size=12), st.integers(1, 200), st.booleans())
def test_pieces_of_any_size_are_looked_at_line_by_line(sizes: list[int], piece: int, ended: bool) -> None:
    text = b"".join(b"2024-03-02T00:00:00.0000001Z " + b"x" * size + b"\n" for size in sizes)
    text = text if ended else text[:-1]
    looked = raw_feeds._Lines(SliceOf(FROM, 1))
    for start in range(0, len(text), piece):
        looked.take(text[start : start + piece])
    assert looked.bytes == len(text)
    if ended or not text:
        looked.finish()
    else:
        with pytest.raises(Broken, match="its last line has no end"):
            looked.finish()


def test_filters_are_sorted_and_hashed_as_the_clients_do() -> None:
    assert FEED.filters == (
        '[{"channel":"depth","symbols":["btcusdt","ethusdt"]},{"channel":"trade","symbols":["btcusdt","ethusdt"]}]'
    )
    assert (
        Feed("x", ("b", "b", "a")).filters
        == '[{"channel":"a","symbols":null},{"channel":"b","symbols":null}]'
    )
    assert SliceOf(FROM + 61 * MINUTE_NS, 5).path == "2024/03/02/01/01.size-5.json.gz"
    assert named_slice(FROM, "07.size-5.json.zst") == SliceOf(FROM + 7 * MINUTE_NS, 5)
    assert [named_slice(FROM, name) for name in ("7.json.gz", "61.json.gz", "01.size-11.json.gz", "x")] == [
        None
    ] * 4


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 10))
def test_slices_and_what_they_lack_make_the_range(minutes: int, size: int) -> None:
    end = FROM + minutes * MINUTE_NS
    ends = [SliceOf(FROM, 1), SliceOf(end - MINUTE_NS, 1)]
    cut = middle_slices(FROM, end, size)
    covered = [
        ns
        for part in {*ends, *cut}
        for ns in range(part.from_ns, part.from_ns + part.minutes * MINUTE_NS, MINUTE_NS)
    ]
    assert sorted(covered) == list(range(FROM, end, MINUTE_NS))
    assert lacking(FROM, end, [*ends, *cut]) == []
    holes = lacking(FROM, end, cut[::2])
    lack = {ns for begin, stop in holes for ns in range(begin, stop, MINUTE_NS)}
    have = {
        ns
        for part in cut[::2]
        for ns in range(part.from_ns, part.from_ns + part.minutes * MINUTE_NS, MINUTE_NS)
    }
    assert lack | have == set(range(FROM, end, MINUTE_NS))
    assert not lack & have


def test_ranges_are_minutes_and_lines_have_times_within() -> None:
    for begin, end in ((FROM + 1, FROM + MINUTE_NS), (FROM, FROM)):
        with pytest.raises(UsageError):
            download_feeds(Path("x"), FEED, begin, end, environment={"XDG_CONFIG_HOME": "/nowhere"})
    with pytest.raises(UsageError, match="raw feeds are Tardis' own; this is a relay"):
        download_feeds(Path("x"), FEED, FROM, FROM + MINUTE_NS, provider="holysheep", environment={})
    part = SliceOf(FROM, 1)
    assert wrong_lines([b"", b"2024-03-02T00:00:59.9999999Z {}"], part) == ""
    for line in (b"2024-03-02T00:01:00.0000000Z {}", b"2024-03-02T00:00:59.9999999Z{}", b"x", b"\xff" * 40):
        assert "which is no time of 1 min from 2024-03-02T00:00:00Z" in wrong_lines([line], part)
