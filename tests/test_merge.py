"""Many streams merged into one order: against sorted(), whatever blocks, budget and order of names."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import store_sample as sample
from counts import SOAK
from import_sample import fast_folder
from merge_sample import TYPES, Row, empty_folder, make_primary, merged, put_segment, twin
from tickreel.cli.app import run
from tickreel.errors import FailedError, UsageError
from tickreel.scan import merge as merging
from tickreel.scan.merge import Order, Windows
from tickreel.scan.merge_kernel import merge_windows
from tickreel.scan.plan import Question, plan
from tickreel.schema import GROUPS, RECORD_TYPES
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment
from tickreel.tape import Tape, open_store
from tickreel.units import NS_PER_DAY, day_of

FEEDS, EXCHANGES, SYMBOLS = ("a", "b"), ("binance", "okex"), ("BTC", "BTC-1", "eth", "Ü")
DAYS = [day_of(sample.START + n * NS_PER_DAY) for n in range(3)]


@pytest.fixture(scope="module")
def fast() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder


# The order, against sorted()


def times_of(day: int) -> st.SearchStrategy[list[int]]:
    """Return times of a day with many ties, its first and its last ns among them."""
    start = sample.START + day * NS_PER_DAY
    picks = st.sampled_from([0, 0, 1, 2, 3, 1_000, NS_PER_DAY - 1])
    return st.lists(picks, max_size=12).map(lambda found: sorted(start + ns for ns in found))


@st.composite
def stores(draw: st.DrawFn) -> dict[SegmentKey, dict[str, list[int]]]:
    """Return the times of some segments, own and grouped ones, of a few days; a symbol's day lies in one of them."""
    found, taken = {}, set()
    for _ in range(draw(st.integers(1, 9))):
        day = draw(st.integers(0, len(DAYS) - 1))
        place = [draw(st.sampled_from(names)) for names in (FEEDS, TYPES, EXCHANGES)]
        symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
        grouped = draw(st.booleans())
        name = GROUPS[0] if grouped else symbols[0]
        key = SegmentKey(*place, name, DAYS[day], grouped)
        if key in found:
            continue
        new = {symbol: (*place, symbol, day) for symbol in (symbols if grouped else symbols[:1])}
        found[key] = {symbol: [] if at in taken else draw(times_of(day)) for symbol, at in new.items()}
        taken.update(new.values())
    return found


@settings(max_examples=2_000 if SOAK else 60, deadline=None)
@given(segments=stores(), data=st.data())
def test_the_merged_order_is_that_of_sorted(fast: Path, segments, data: st.DataObject) -> None:
    store = Store(empty_folder(fast / "tape"))
    make_primary(store, "a")
    for key, times in segments.items():
        put_segment(store, key, times, data.draw(st.integers(1, 5), label="block_rows"))
    edges = st.none() | st.integers(-2, 3 * NS_PER_DAY) | st.sampled_from([1, 2, NS_PER_DAY, NS_PER_DAY + 1])
    low, high = (data.draw(edges, label="edge") for _ in range(2))
    from_ns, to_ns = (None if edge is None else sample.START + edge for edge in (low, high))
    budget = data.draw(st.sampled_from([1, 300, 3_000, 1 << 26]), label="budget")
    streams = [
        stream
        for feed, type in {(key.feed, key.type) for key in segments}
        for stream in planned(store, Question(type, feed), opened=data.draw(st.booleans(), label="opened"))
    ]
    data.draw(st.randoms(use_true_random=False), label="shuffled").shuffle(streams)
    found = merged(merging.merge(store, streams, from_ns=from_ns, to_ns=to_ns, budget_bytes=budget))
    wanted = [
        row
        for row in twin(segments)
        if (from_ns is None or row.local_ns >= from_ns) and (to_ns is None or row.local_ns < to_ns)
    ]
    assert found == wanted


def planned(store: Store, question: Question, *, opened: bool) -> list:
    """Return the plan; a question that finds nothing has none."""
    try:
        return plan(store, question, opened=opened)
    except UsageError as error:
        assert "no rows" in str(error)
        return []


@settings(max_examples=5_000 if SOAK else 200, deadline=None)
@given(windows=st.lists(st.lists(st.integers(0, 5), max_size=8).map(sorted), max_size=7), data=st.data())
def test_the_kernel_writes_what_is_certain_and_no_more(windows, data: st.DataObject) -> None:
    """Against the definition: rows sorted by (time, place), up to the last one of a window that goes on."""
    ends = [not window or data.draw(st.booleans(), label="ends") for window in windows]
    most = data.draw(st.integers(0, 40), label="most")
    rows = sorted((ns, place, row) for place, times in enumerate(windows) for row, ns in enumerate(times))
    dry = [n for n, (_, place, row) in enumerate(rows) if not ends[place] and row == len(windows[place]) - 1]
    wanted = rows[: min([most, *(n + 1 for n in dry)])]
    counts = np.array([len(window) for window in windows], np.int64)
    stop = np.cumsum(counts)
    head, first = stop - counts, stop - counts
    times = np.array([ns for window in windows for ns in window], np.int64)
    numbers = np.arange(len(windows), dtype=np.int32) * 10
    order = Order(np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.int64))
    heap = np.empty((2, len(windows)), np.int64)
    done = merge_windows(Windows(times, head, stop, np.array(ends, bool), numbers, first), *heap, order)
    found = list(zip(*(values[:done].tolist() for values in order)))
    assert found == [(ns, 10 * place, row) for ns, place, row in wanted]
    taken = [sum(1 for _, place, _ in wanted if place == k) for k in range(len(windows))]
    assert (head - first).tolist() == taken


@pytest.mark.long
def test_the_twins_agree_uncompiled() -> None:
    """The same tests in a process where nothing is compiled."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-k", "sorted or certain", "-p", "no:cacheprovider"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_block_of_one_time_goes_by_stream(tmp_path: Path) -> None:
    """65,536 rows of one ns, in whole blocks, in three streams."""
    store, times = Store(tmp_path / "tape"), [sample.START] * 65_536
    make_primary(store, "a")
    for type in TYPES[:2]:
        put_segment(store, SegmentKey("a", type, "binance", "BTC", DAYS[0]), {"BTC": times})
    put_segment(store, SegmentKey("a", "trades", "binance", "ETH", DAYS[0]), {"ETH": [*times, times[0] + 1]})
    batches = list(
        open_store(store.root).merge(types=TYPES[:2], columns={type: ["price"] for type in TYPES[:2]})
    )
    stream = np.concatenate([batch.stream for batch in batches])
    assert stream.tolist() == [0] * 65_536 + [1] * 65_536 + [2] * 65_536 + [1]
    assert [s.name for s in batches[0].streams] == ["binance:BTC", "binance:ETH", "binance:BTC"]


def test_a_symbols_day_in_two_segments_is_refused(tmp_path: Path) -> None:
    """No import makes such a store, but folders are copied."""
    store, times = Store(tmp_path / "tape"), [sample.START, sample.START + 1]
    own = SegmentKey("a", "trades", "binance", "BTC", DAYS[0])
    group = SegmentKey("a", "trades", "binance", GROUPS[0], DAYS[0], grouped=True)
    make_primary(store, "a")
    put_segment(store, own, {"BTC": times})
    put_segment(store, group, {"BTC": times, "ETH": times})
    tape = open_store(store.root)
    for read in (tape.scan, tape.merge):
        with pytest.raises(FailedError, match=f"{own} and {group} both have rows of BTC"):
            next(iter(read("BTC")))
    assert sum(map(len, tape.merge("ETH"))) == 2
    store.path(own).unlink()
    put_segment(store, own, {"BTC": []})
    assert sum(map(len, tape.merge("BTC"))) == 2


# What is read


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A store of one day: trades, liquidations and a book in two feeds."""
    store = Store(tmp_path / "tape")
    make_primary(store, "a")
    day = [sample.START + n for n in (0, 5, 5, 9)]
    for feed in FEEDS:
        for type in TYPES:
            put_segment(store, SegmentKey(feed, type, "binance", "BTC", DAYS[0]), {"BTC": day}, block_rows=3)
    return store.root


def test_only_the_columns_asked_for_are_there_and_the_times_always(tape: Path) -> None:
    asked = {"trades": ["price", "side"], "liquidations": ["id"]}
    (batch, *_) = open_store(tape).merge("BTC", types=TYPES, columns=asked)
    assert [list(columns) for columns in batch.columns][::2] == [["price", "side"], ["id"]]
    assert "is_snapshot" in batch.columns[1], "a type that is left out has all its columns"
    assert batch.time_ns.tolist()[:3] == [sample.START] * 3


def test_nothing_else_is_decoded(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tickreel.store.reader import Segment

    decoded, read = set(), Segment.read
    monkeypatch.setattr(
        Segment, "read", lambda self, name, *rest: decoded.add(name) or read(self, name, *rest)
    )
    for _ in open_store(tape).merge("BTC", columns={"trades": ["price"]}):
        pass
    assert decoded == {"local_ns", "price"}


@pytest.mark.parametrize("spread_ns", [0, 1_000])
def test_more_streams_than_may_be_open_are_decoded_once_for_each_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spread_ns: int
) -> None:
    """300 streams of 2 blocks of 4 rows, in windows of 2 rows: in step, or one after the other."""
    streams, windows, names = 300, 4, [f"S{n:03d}" for n in range(300)]
    store = Store(tmp_path / "tape")
    make_primary(store, "a")
    for number, name in enumerate(names):
        times = [sample.START + number * spread_ns + ns for ns in range(8)]
        put_segment(store, SegmentKey("a", "trades", "binance", name, DAYS[0]), {name: times}, block_rows=4)
    decoded: list[tuple[Path, int, str]] = []
    opened: list[SegmentKey] = []
    read, open_slice = Segment.read, merging.open_slice
    monkeypatch.setattr(
        Segment, "read", lambda self, *a: (decoded.append((self.path, a[1], a[0])), read(self, *a))[1]
    )
    monkeypatch.setattr(merging, "open_slice", lambda *a: (opened.append(a[1].key), open_slice(*a))[1])
    row_bytes = merging._ORDER_BYTES + 8
    budget = 2 * streams * 2 * row_bytes
    batches = list(open_store(store.root).merge(columns={"trades": ["price"]}, budget_bytes=budget))
    wanted = sorted((number * spread_ns + ns, number) for ns in range(8) for number in range(streams))
    assert [n for batch in batches for n in batch.stream.tolist()] == [number for _, number in wanted]
    # The same block twice in a row is decoded once.
    assert len(decoded) == 2 * streams * (windows if spread_ns == 0 else windows - 1)
    spare = streams - merging.MOST_OPEN
    assert len(opened) <= streams + windows * (spare + 1)


def test_without_columns_there_is_the_order_alone(tape: Path) -> None:
    """And no other chunk is decoded than those of the time."""
    asked = {"trades": [], "liquidations": ["price"]}
    whole, bare = (
        list(open_store(tape).merge(types=["trades", "liquidations"], columns=columns))
        for columns in (None, asked)
    )
    for one, other in zip(whole, bare, strict=True):
        assert [list(columns) for columns in other.columns] == [asked[s.type] for s in other.streams]
        for name in ("time_ns", "stream", "row"):
            assert getattr(one, name).tolist() == getattr(other, name).tolist()


def test_a_scan_without_columns_is_refused(tape: Path) -> None:
    with pytest.raises(UsageError, match="columns is empty"):
        list(open_store(tape).scan("BTC", columns=[]))


@pytest.mark.parametrize("name", ["to_arrow", "to_polars", "to_pandas"])
def test_frames_take_what_a_scan_takes(tape: Path, name: str) -> None:
    """But `reuse`: what is overwritten is no frame."""
    wanted = dict(inspect.signature(Tape.scan).parameters)
    del wanted["reuse"]
    assert dict(inspect.signature(getattr(Tape, name)).parameters) == wanted
    pytest.importorskip({"to_arrow": "pyarrow"}.get(name, name.removeprefix("to_")))
    asked = {"exchange": "binance", "type": "liquidations", "end": sample.START + 6, "columns": ["price"]}
    (frame,) = getattr(open_store(tape), name)("BTC", **asked)
    columns = frame.schema.names if name == "to_arrow" else list(frame.columns)
    assert (columns, len(frame)) == (["exchange", "symbol", "price"], 3)


def test_feeds_are_merged_by_name(tape: Path) -> None:
    batches = [open_store(tape).merge("BTC", feeds=feeds) for feeds in (["b", "a"], ["a", "b", "a"])]
    first, second = (merged(found) for found in batches)
    assert first == second
    assert [row.feed for row in first] == ["a", "b", "a", "a", "b", "b", "a", "b"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"symbols": "ETH"}, "no rows of ETH in a/trades"),
        ({"types": ["trades", "quotes"]}, "no rows in a/quotes"),
        ({"types": ["trade"]}, "'trade' is not a record type"),
        ({"types": []}, "types is empty"),
        ({"feeds": ["c"]}, "no feed 'c'; it has a, b"),
        ({"columns": {"trades": ["prise"]}}, "trades has no column 'prise'"),
        ({"columns": {"quotes": ["ask_price"]}}, "columns of quotes: types has trades"),
        ({"budget_bytes": 0}, "budget_bytes is 0"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_read(tape: Path, asked, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_store(tape).merge(**asked)


def test_partial_takes_what_is_there_and_refuses_what_is_nowhere(tape: Path) -> None:
    """ETH has trades in feed a and quotes' place is empty; nothing has a book of it."""
    store = Store(tape)
    put_segment(store, SegmentKey("a", "trades", "okex", "ETH", DAYS[0]), {"ETH": [sample.START + 3]})
    asked = {"symbols": ["ETH", "binance:BTC"], "types": ["liquidations", "quotes", "trades"]}
    with pytest.raises(UsageError, match=r"no rows of ETH in a/liquidations .*; partial \(--partial\) takes"):
        open_store(tape).merge(**asked)
    batches = list(open_store(tape).merge(**asked, partial=True))
    names = [f"{stream.type} {stream.name}" for stream in batches[0].streams]
    assert names == ["trades binance:BTC", "trades okex:ETH", "liquidations binance:BTC"]
    assert sum(map(len, batches)) == 9
    feeds = open_store(tape).merge(**asked, feeds=["a", "b"], partial=True)
    assert {(s.feed, s.symbol) for s in next(feeds).streams} == {("a", "BTC"), ("a", "ETH"), ("b", "BTC")}
    for more, message in (
        ({"symbols": ["BTC", "NONE"]}, "no rows of NONE in any of a/liquidations, a/quotes, a/trades"),
        ({"symbols": "okex:BTC"}, "no rows of okex:BTC in any of"),
        ({"symbols": (), "types": ["quotes", "book_ticker"]}, "no rows in any of a/quotes, a/book_ticker"),
        ({"types": ["trade"]}, "'trade' is not a record type"),
        ({"feeds": ["c"]}, "no feed 'c'"),
    ):
        with pytest.raises(UsageError, match=message):
            open_store(tape).merge(**{**asked, **more}, partial=True)


def test_show_takes_what_is_there(tape: Path, capfd) -> None:
    put_segment(Store(tape), SegmentKey("a", "trades", "okex", "ETH", DAYS[0]), {"ETH": [sample.START + 3]})
    words = ("--type", "trades,liquidations", "--symbol", "ETH,BTC", "--limit", 2)
    code, _, error = shown(capfd, tape, *words)
    assert (code, "ETH" in error, "--partial" in error) == (2, True, True)
    code, out, note = shown(capfd, tape, *words, "--partial")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "2 of 9 rows" in note


def test_a_segment_removed_meanwhile_is_named(tape: Path) -> None:
    batches = open_store(tape).merge("BTC", types=TYPES)
    (tape / "a" / "liquidations" / "binance" / "BTC" / f"{DAYS[0]}.reel").unlink()
    with pytest.raises(FailedError, match="a/liquidations/binance/BTC/2024-01-01 was removed"):
        list(batches)


def test_a_segment_that_is_opened_again_must_be_the_same(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MOST_OPEN", 1)
    store = open_store(tape)
    assert merged(store.merge(types=TYPES, budget_bytes=1)) == sorted(merged(store.merge(types=TYPES)))
    batches = store.merge(types=TYPES, budget_bytes=1)
    next(batches)
    put = SegmentKey("a", "trades", "binance", "BTC", DAYS[0])
    store.store.path(put).unlink()
    put_segment(store.store, put, {"BTC": [sample.START]})
    with pytest.raises(FailedError, match="a/trades/binance/BTC/2024-01-01 was replaced"):
        list(batches)


# The command line


def shown(capfd: pytest.CaptureFixture, root: Path, *words: object) -> tuple[int, str, str]:
    code = run(["show", "--store", str(root), *map(str, words)])
    return (code, *capfd.readouterr())


@pytest.mark.parametrize("limit", [0, 1, 5, 8])
def test_show_prints_the_merged_order(tape: Path, capfd, limit: int) -> None:
    words = ("--type", "liquidations,trades,liquidations", "--limit", limit)
    code, out, _ = shown(capfd, tape, *words, "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    wanted = [row for row in twin_of_tape() if row.order != 1][: limit or None]
    assert code == 0
    assert [(row["local_ns"], RECORD_TYPES[row["type"]].order, row["price"]) for row in rows] == [
        (row.local_ns, row.order, row.number) for row in wanted
    ]
    code, out, _ = shown(capfd, tape, *words, "--json")
    assert json.loads(out) == {"types": ["liquidations", "trades"], "rows": rows}
    code, out, _ = shown(capfd, tape, *words)
    assert [line.split()[0] for line in out.splitlines()] == ["type", *(row["type"] for row in rows)]


def twin_of_tape() -> list[Row]:
    day = {"BTC": [sample.START + n for n in (0, 5, 5, 9)]}
    return twin({SegmentKey("a", type, "binance", "BTC", DAYS[0]): day for type in TYPES})


def test_show_leaves_cells_empty_that_a_type_has_not(tape: Path, capfd) -> None:
    _, out, _ = shown(capfd, tape, "--type", "trades,incremental_book_L2", "--limit", 2)
    head, trade, book = (line.split() for line in out.splitlines())
    assert head == [
        "type", "exchange", "symbol", "exchange_ns", "local_ns", "id", "side", "price", "amount", "is_snapshot"
    ]  # fmt: skip
    assert trade[-2:] == ["1", "1.5"]
    assert book[-3:] == ["1", "1.5", "false"]


def test_show_keeps_the_type_of_a_row_and_that_of_an_option_apart(tape: Path, capfd) -> None:
    cells = sample.random_cells(RECORD_TYPES["options_chain"], 1, 1)
    store, keys = Store(tape), [
        SegmentKey("tardis", type, "binance", "BTCUSDT", DAYS[0]) for type in ("options_chain", "trades")
    ]  # fmt: skip
    store.path(keys[0]).parent.mkdir(parents=True)
    sample.write(store.path(keys[0]), RECORD_TYPES["options_chain"], cells)
    put_segment(store, keys[1], {"BTCUSDT": [sample.START]})
    words = ("--feed", "tardis", "--type", "options_chain,trades", "--format", "jsonl")
    _, out, _ = shown(capfd, tape, *words)
    trade, option = (json.loads(line) for line in out.splitlines())
    assert (trade["type"], option["type"]) == ("trades", "options_chain")
    assert option["option_type"] in ("put", "call")


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_file_of_several_types_is_refused(tape: Path, tmp_path: Path, capfd, format: str) -> None:
    out = tmp_path / "out"
    code, printed, error = shown(capfd, tape, "--type", "trades,quotes", "--format", format, "--out", out)
    assert (code, printed, out.exists()) == (2, "", False)
    assert f"--format {format}" in error
    assert "table, jsonl and --json" in error
