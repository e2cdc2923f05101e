"""`tickreel compare`: two feeds of a store, or of two, imported from files that differ in known ways."""

import gzip
import json
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import store_sample as sample
from import_sample import DAY_US, START_US, dataset, put, take, trade, trades
from test_cli import call, document
from test_real_data import FILES, REAL
from tickreel.errors import CorruptionError, UsageError
from tickreel.quality.compare import Asked, Day, Feed, compare, feed_of
from tickreel.quality.compare_day import Rules
from tickreel.quality.compare_limits import Limits, parse_limit
from tickreel.quality.compare_view import view
from tickreel.report.compare_html import compare_html
from tickreel.schema import MARKET_TYPES, RECORD_TYPES, RecordType
from tickreel.store.catalog import SegmentKey, Store
from tickreel.units import NS_PER_S, day_start

DAY_NS = day_start(sample.DAY)


def feeds(folder: Path, **lines: list[bytes]) -> Store:
    """Return a store with a feed of trades for each name; days are those of the rows."""
    for name, rows in lines.items():
        put(dataset(folder / name), trades(*rows))
        assert take(folder / "tape", folder / name, feed=name).exit_code == 0
    return Store(folder / "tape")


def asked(store: Store, **words: Any) -> Asked:
    rules = Rules(**words.pop("rules", {}))
    return Asked(Feed("a", str(store.root), "a"), Feed("b", str(store.root), "b"), rules=rules, **words)


def found(store: Store, **words: Any) -> list[Day]:
    return list(compare(asked(store, **words), workers=1))


def one(store: Store, **words: Any) -> dict[str, Any]:
    """Return the totals of a comparison."""
    question = asked(store, **words)
    return dict(view(question, Limits(), compare(question, workers=1))["totals"])


def some(totals: dict[str, Any]) -> tuple[int, ...]:
    return tuple(totals[name] for name in ("matched", "missing", "extra", "different", "late"))


# What is asked


def test_a_name_that_neither_feed_has_is_refused_with_what_they_have(place: Path, capfd) -> None:
    feeds(place, a=[trade(1)], b=[trade(1)])
    put(dataset(place / "c", symbol="ETHUSDT"), trades(trade(1, symbol="ETHUSDT")))
    assert take(place / "tape", place / "c", feed="b").exit_code == 0
    words = ("--store", place / "tape", "--workers", 1)
    for command in ("compare", "watch"):
        for asked_, said in (
            (("--symbols", "NOPE1"), "--symbols NOPE1: neither a nor b has rows of that; they have binance:BTCUSDT, binance:ETHUSDT"),
            (("--symbols", "BTCUSDT,NOPE1,NOPE2"), "--symbols NOPE1, NOPE2: neither a nor b has"),
            (("--exchange", "okex"), "--exchange okex: neither a nor b has rows of that; they have binance"),
            (("--types", "quotes"), "--types quotes: neither a nor b has rows of that; they have trades"),
        ):  # fmt: skip
            code, out, err = call(capfd, command, "a", "b", *asked_, *words)
            assert (code, out, said in err) == (2, "", True), err
    code, found_ = document(capfd, "compare", "a", "b", *words, "--symbols", "BTCUSDT,ETHUSDT")
    assert [(s["symbol"], s["days"], s["days_b"]) for s in found_["streams"]] == [
        ("BTCUSDT", 1, 0),
        ("ETHUSDT", 0, 1),
    ]


def test_the_heading_names_the_days(place: Path, capfd) -> None:
    feeds(place, a=[trade(1), trade(DAY_US)], b=[trade(1)])
    words = ("compare", "a", "b", "--store", place / "tape", "--workers", 1)
    assert "A a, B b  2024-01-01 to 2024-01-03 UTC\n" in call(capfd, *words)[1]
    given = call(capfd, *words, "--from", "2024-01-01T06:00", "--to", "2024-01-02")[1]
    assert "  2024-01-01 06:00:00 to 2024-01-02 UTC\n" in given


# What is a partner


def later(us: int, by_us: int, **cells: object) -> bytes:
    """Return the line of `trade(us)` as another recorder has it, `by_us` later."""
    return trade(us + by_us, **{"id": us, "timestamp": START_US + us - 1_000} | cells)


def test_rows_are_matched_by_id_and_what_differs_is_told(place: Path) -> None:
    a = [trade(us) for us in range(1, 9)]
    b = [
        later(1, 5, timestamp=START_US), later(2, 5, price=1.25, amount=7), later(4, 5, side="sell", timestamp=START_US),
        *(later(us, 5) for us in range(5, 9)), trade(20, id=99),
    ]  # fmt: skip
    totals = one(feeds(place, a=a, b=b), rules={"late_ns": 4_000})
    assert some(totals) == (4, 1, 1, 3, 7)
    assert totals["fields"] == {"time": 2, "price": 1, "amount": 1, "side": 1, "fee": 0}
    assert (totals["lag_min_ns"], totals["lag_max_ns"]) == (5_000, 5_000)


def test_without_ids_rows_are_matched_by_time_price_amount_and_side(place: Path) -> None:
    a = [trade(us, id="", side=side) for us in (1, 2, 2, 2, 3) for side in ("buy", "sell")]
    b = [*a[:3], *a[4:], a[-1], trade(9, id="", price=7)]
    store = feeds(place, a=a, b=b)
    (day,) = found(store)
    assert day.found.matched_by == "content"
    assert some(one(store)) == (9, 1, 2, 0, 0)


def test_ids_of_one_feed_alone_match_nothing(place: Path) -> None:
    """The relay gives none: its rows are matched by what they are."""
    store = feeds(place, a=[trade(us) for us in range(5)], b=[trade(us, id="") for us in range(5)])
    assert some(one(store)) == (5, 0, 0, 0, 0)


def test_ids_that_are_no_numbers_and_come_out_of_order(place: Path) -> None:
    ids = ["00f4e7b4-8a2b-5f3e-9d1c-0123456789ab", "x-1", "007", "9" * 19, "12", "é", "y" * 40, "0", ""]
    a = [trade(us, id=id) for us, id in enumerate(ids)]
    moved = random.Random(1).sample(range(len(ids)), len(ids))
    b = [later(us, 50 + place - us, id=ids[us]) for place, us in enumerate(moved)]
    assert some(one(feeds(place, a=a, b=b))) == (9, 0, 0, 0, 0)


def test_tolerances(place: Path) -> None:
    """A relay that cuts times to milliseconds and rounds prices."""
    a = [trade(1_000 * n + 7 * n, id="", price=f"{100 + n * 0.01:.2f}") for n in range(50)]
    b = [
        trade(1_000 * n + 7 * n, id="", price=f"{100 + n * 0.01:.1f}", timestamp=(START_US + 1_007 * n - 1_000) // 1_000 * 1_000)
        for n in range(50)
    ]  # fmt: skip
    store = feeds(place, a=a, b=b)
    assert one(store)["matched"] < 10
    assert one(store, rules={"time_ns": 1_000_000})["missing"] > 0
    assert some(one(store, rules={"time_ns": 1_000_000, "price": 0.05})) == (50, 0, 0, 0, 0)


def test_a_tolerance_is_met_by_what_is_apart_by_just_as_much(place: Path) -> None:
    """100.02 - 100.01 is more than 0.01 in float64."""
    a = [trade(n, price=f"{n}.01", amount="0.3") for n in range(1, 300)]
    b = [trade(n, price=f"{n}.02", amount="0.1") for n in range(1, 300)]
    store = feeds(place, a=a, b=b)
    assert some(one(store, rules={"price": 0.01, "amount": 0.2})) == (299, 0, 0, 0, 0)
    assert one(store, rules={"price": 0.0099999, "amount": 0.2})["fields"]["price"] == 299


def test_partners_further_apart_than_the_window_are_none(place: Path) -> None:
    store = feeds(
        place,
        a=[trade(0, id=1), trade(1, id=2)],
        b=[trade(10, id=2, timestamp=START_US - 999), trade(2_000_000, id=1, timestamp=START_US - 1_000)],
    )
    assert some(one(store, rules={"window_ns": NS_PER_S, "late_ns": 10 * NS_PER_S})) == (1, 1, 1, 0, 0)
    assert some(one(store, rules={"window_ns": 2 * NS_PER_S, "late_ns": NS_PER_S})) == (2, 0, 0, 0, 1)


# Feeds without local times, and with fees

TRADES = RECORD_TYPES["trades"]
RELAY = TRADES.shape(local=False)


def without_local(lines: list[bytes]) -> list[bytes]:
    """Return lines as a relay has them: without local times."""
    return [b",".join((*line.split(b",")[:3], *line.split(b",")[4:])) for line in lines]


def shaped(folder: Path, **lines: tuple[RecordType, list[bytes]]) -> Store:
    """Return a store with a feed for each name, of files with those columns."""
    for name, (shape, rows) in lines.items():
        put(dataset(folder / name), trades(*rows, shape=shape))
        assert take(folder / "tape", folder / name, feed=name).exit_code == 0
    return Store(folder / "tape")


@pytest.mark.parametrize("swapped", [False, True])
def test_a_feed_without_local_times_is_matched_by_the_exchanges(place: Path, swapped: bool) -> None:
    """Whose rows come a second and more after that: the order is another one, and there are no lags."""
    early = 2_000_000
    a = [
        trade(early + 10**6 * n, id=n, timestamp=START_US + 10**6 * n + 400_000 * (n % 3)) for n in range(60)
    ]
    b = without_local(sorted(a, key=lambda line: int(line.split(b",")[2])))[:-3]
    del b[17]
    first, second = ("b", "a") if swapped else ("a", "b")
    totals = one(shaped(place, **{first: (TRADES, a), second: (RELAY, b)}))
    assert some(totals) == (56, *((0, 4) if swapped else (4, 0)), 0, None)
    assert totals["lag_p50_ns"] is None
    assert "no local clock" in totals["lag_none"]


def test_two_feeds_without_local_times(place: Path) -> None:
    lines = without_local([trade(2_000 + n, id="") for n in range(30)])
    assert some(one(shaped(place, a=(RELAY, lines), b=(RELAY, lines[:-2])))) == (28, 2, 0, 0, None)


def test_an_exchange_time_from_the_future_costs_itself(place: Path) -> None:
    """Of 100 rows a second apart one says that it is of tomorrow: in B, ordered by that, it is another day's."""
    a = [trade(2_000 + 10**6 * n, id=n) for n in range(100)]
    a[50] = trade(2_000 + 50 * 10**6, id=50, timestamp=START_US + DAY_US)
    totals = one(shaped(place, a=(TRADES, a), b=(RELAY, without_local(a))))
    assert (totals["matched"], totals["missing"]) == (99, 1)


def test_fees_count_where_both_feeds_have_them(place: Path) -> None:
    shape = TRADES.shape(("fee",))
    a = [trade(n, fee=fee) for n, fee in enumerate(("0.1", "0.2", "", "0.4"))]
    b = [trade(n, fee=fee) for n, fee in enumerate(("0.1", "0.3", "", ""))]
    store = shaped(place, a=(shape, a), b=(shape, b), c=(TRADES, [trade(n) for n in range(4)]))
    totals = one(store)
    assert some(totals) == (2, 0, 0, 2, 0)
    assert totals["fields"] == {"time": 0, "price": 0, "amount": 0, "side": 0, "fee": 2}
    other = replace(asked(store), b=Feed("c", str(store.root), "c"))
    assert some(dict(view(other, Limits(), compare(other, workers=1))["totals"])) == (4, 0, 0, 0, 0)


# Days and ranges


def around_midnight(folder: Path) -> Store:
    """A row a second, ids from -5 to 5 around the midnight of day 2; B's recorder is 1.5 s behind."""
    seconds = [second for second in range(-5, 6)]
    a = [trade(DAY_US + 10**6 * s, id=s + 10) for s in seconds]
    b = [later(DAY_US + 10**6 * s, 1_500_000, id=s + 10) for s in seconds]
    return feeds(folder, a=a, b=b)


def test_partners_on_the_other_side_of_midnight_are_found(place: Path) -> None:
    store = around_midnight(place)
    days = found(store)
    assert [day.day for day in days] == ["2024-01-01", "2024-01-02"]
    assert [(d.found.rows_a, d.found.rows_b, d.found.matched) for d in days] == [(5, 4, 5), (6, 7, 6)]
    assert some(one(store)) == (11, 0, 0, 0, 11)


@pytest.mark.parametrize("start", [-4.2, -2.0, 0.0, 1.7])
@pytest.mark.parametrize("length", [0.5, 2.0, 4.0])
def test_a_range_counts_its_own_rows_and_finds_partners_outside(
    place: Path, start: float, length: float
) -> None:
    store = around_midnight(place)
    middle = DAY_NS + 86_400 * NS_PER_S
    span = middle + int(start * NS_PER_S), middle + int((start + length) * NS_PER_S)
    totals = one(store, from_ns=span[0], to_ns=span[1])
    seconds = [s for s in range(-5, 6) if start <= s < start + length]
    assert some(totals) == (len(seconds), 0, 0, 0, len(seconds))


def test_days_of_one_feed_alone_are_counted_apart(place: Path) -> None:
    lines = [trade(DAY_US * day + us, id=day * 100 + us) for day in range(3) for us in range(4)]
    store = feeds(place, a=lines[:8], b=lines[4:])
    put(dataset(place / "more", symbol="ETHUSDT"), trades(trade(1, symbol="ETHUSDT")))
    take(store, place / "more", feed="b")
    days = found(store)
    assert [(d.of.symbol, d.day, d.alone, d.rows) for d in days] == [
        ("BTCUSDT", "2024-01-01", "a", 4), ("BTCUSDT", "2024-01-02", None, 0), ("BTCUSDT", "2024-01-03", "b", 4),
        ("ETHUSDT", "2024-01-01", "b", 1),
    ]  # fmt: skip
    totals = one(store)
    assert some(totals) == (4, 0, 0, 0, 0)
    assert [totals[name] for name in ("days", "days_a", "days_b", "alone_a", "alone_b")] == [1, 1, 2, 4, 5]


def test_a_symbol_of_a_group_is_compared_with_its_own_file(place: Path) -> None:
    lines = [trade(us, symbol=f"S{us % 3}", id=us) for us in range(30)]
    put(dataset(place / "group", symbol="SPOT"), trades(*lines))
    take(place / "tape", place / "group", feed="a")
    for symbol in ("S0", "S1", "S2"):
        own = [line for line in lines if f",{symbol},".encode() in line]
        put(dataset(place / "own", symbol=symbol), trades(*own[1:]))
    take(place / "tape", place / "own", feed="b")
    store = Store(place / "tape")
    assert [(d.of.symbol, d.found.matched, d.found.missing) for d in found(store)] == [
        (symbol, 9, 1) for symbol in ("S0", "S1", "S2")
    ]
    assert [d.of.symbol for d in found(store, symbols=("S1",))] == ["S1"]


def test_feeds_of_two_stores(place: Path) -> None:
    lines = [trade(us) for us in range(5)]
    feeds(place / "one", a=lines)
    feeds(place / "two", b=lines, a=lines[1:])
    here, there = place / "one" / "tape", place / "two" / "tape"
    for b, missing in (("b", 0), ("a", 1)):
        question = Asked(feed_of("a", str(here)), feed_of(f"{b}@{there}", str(here)))
        assert view(question, Limits(), compare(question, workers=1))["totals"]["missing"] == missing


# Every record type


def write(store: Store, feed: str, type: str, cells: sample.Cells, **how: Any) -> None:
    key = SegmentKey(feed, type, "binance", "BTCUSDT", sample.DAY)
    path = store.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    sample.write(path, RECORD_TYPES[type], cells, **how)


def both(store: Store, type: str, a: sample.Cells, b: sample.Cells) -> dict[str, Any]:
    shutil.rmtree(store.root, ignore_errors=True)
    store.root.mkdir()
    (store.root / "primary").write_text("a\n")
    write(store, "a", type, a, block_rows=64, optimise="size")
    write(store, "b", type, b, block_rows=32, optimise="speed")
    return one(store)


@pytest.mark.parametrize("type", MARKET_TYPES)
def test_rows_of_every_type(place: Path, type: str) -> None:
    """Whatever codecs and blocks they lie in: equal rows are matched, those that are left out are missing."""
    store, record, chance = Store(place / "tape"), RECORD_TYPES[type], random.Random(5)
    for seed in range(3 if len(record.columns) > 50 else 6):
        cells = sample.random_cells(record, 150, seed)
        if "id" in cells and seed % 3:
            cells["id"] = [b"%d" % (n * 7) if seed % 3 == 1 else b"" for n in range(150)]
        assert some(both(store, type, cells, cells)) == (150, 0, 0, 0, 0)
        if "id" in cells and not seed % 3:
            continue  # ids that repeat: what is left out cannot be told from what follows
        gone = set(chance.sample(range(150), 9))
        kept = {name: [v for n, v in enumerate(values) if n not in gone] for name, values in cells.items()}
        assert some(both(store, type, cells, kept)) == (141, 9, 0, 0, 0)
        assert some(both(store, type, kept, cells)) == (141, 0, 9, 0, 0)


def test_every_column_of_a_row_without_id_counts(place: Path) -> None:
    store = Store(place / "tape")
    for type in ("incremental_book_L2", "derivative_ticker", "options_chain", "book_snapshot_5", "quotes"):
        record = RECORD_TYPES[type]
        cells = sample.random_cells(record, 40, 1)
        for column in record.columns[2:]:
            values = list(cells[column.name])
            others = {"time": DAY_NS + 77, "decimal": "3.25", "text": b"zz"}
            values[7] = 1 - values[7] if column.kind == "enum" else others[column.kind]
            totals = both(store, type, cells, cells | {column.name: values})
            assert (totals["missing"], totals["extra"]) == (1, 1), (type, column.name)


# Refusals


def test_what_is_refused(place: Path) -> None:
    store = feeds(place, a=[trade(1)], b=[trade(1)])
    here = str(store.root)
    for words, message in (
        ({"types": ("ticks",)}, "--types ticks: no record type"),
        ({"symbols": ("NOUSDT",)}, "--symbols NOUSDT: neither a nor b has rows of that"),
        ({"from_ns": 2, "to_ns": 1}, "--from must be before --to"),
        ({"from_ns": 0, "to_ns": 1}, "neither a nor b has rows of what is asked for in that time"),
        ({"from_ns": DAY_NS + 86_400 * NS_PER_S, "to_ns": DAY_NS + 86_401 * NS_PER_S}, "neither a nor b has a day"),
        ({"exchange": "foo"}, "--exchange foo: neither a nor b has rows of that; they have binance"),
        ({"from_ns": day_start("0001-01-01"), "to_ns": day_start("0001-01-02")}, "neither a nor b has rows of what is asked for in that time"),
        ({"from_ns": day_start("9999-12-30"), "to_ns": day_start("9999-12-31")}, "neither a nor b has rows of what is asked for in that time"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=re.escape(message)):
            found(store, **words)
    for a, b, message in (
        ("a", "a", "are one feed"),
        ("a", "c", "has no such feed; it has a, b"),
        ("a", "b@", "name the store after the @"),
        ("A", "b", "cannot name a folder"),
        ("a", "b@/nowhere", "holds no store"),
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            list(compare(Asked(feed_of(a, here), feed_of(b, here)), workers=1))


def test_damage_is_an_error(place: Path) -> None:
    store = feeds(place, a=[trade(1)], b=[trade(1)])
    path = next(store.root.glob("b/trades/*/*/*.reel"))
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptionError, match=f"{path.name}: block 0"):
        found(store)


# Limits


@pytest.mark.parametrize(
    ("text", "count", "whole", "is_passed"),
    [
        ("0", 0, 0, False), ("0", 1, 10, True), ("3", 3, 10, False), ("3", 4, 10, True), ("none", 10, 10, False),
        ("10%", 1, 10, False), ("10%", 2, 10, True), ("0.01%", 1, 10_000, False), ("0.01%", 1, 9_999, True),
        ("0%", 1, 10**9, True), ("50%", 1, 0, True),
    ],
)  # fmt: skip
def test_limits(text: str, count: int, whole: int, is_passed: bool) -> None:
    assert parse_limit(text, "--max").is_passed(count, whole) == is_passed


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "1e3", "%", "x", "nan", "None"])
def test_wrong_limits_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--max-extra .*write a count"):
        parse_limit(text, "--max-extra")


# The command


@pytest.fixture
def two(place: Path) -> Store:
    a = [trade(us) for us in range(1, 201)]
    b = [later(us, 7) for us in range(1, 201) if us % 50]
    b[9] = later(10, 7, price=9)
    return feeds(place, a=a, b=b)


def test_the_command(two: Store, capfd, tmp_path: Path) -> None:
    here = ("a", "b", "--store", two.root, "--workers", 1)
    code, found = document(capfd, "compare", *here)
    assert (code, found["equal"]) == (1, False)
    assert found["exceeded"] == ["4 rows of A missing in B: more than 0", "1 row different: more than 0"]
    assert [example["kind"] for example in found["examples"]] == ["missing"] * 4 + ["different"]
    assert found["examples"][0]["a"] == {
        "exchange_ns": DAY_NS - 950_000, "local_ns": DAY_NS + 50_000, "id": "50", "side": "buy", "price": 1.5, "amount": 2.0,
    }  # fmt: skip
    assert [found["examples"][4][side]["price"] for side in "ab"] == [1.5, 9.0]
    limits = ("--max-missing", "2%", "--max-different", 1)
    assert document(capfd, "compare", *here, *limits)[0] == 0
    assert document(capfd, "compare", *here, *limits, "--late", "1us", "--max-late", 10)[0] == 1
    code, out, _ = call(capfd, "compare", *here, *limits, "--html", tmp_path / "out.html")
    assert code == 0
    assert "equal within the limits" in out
    assert "7 us (median)" in out
    page = (tmp_path / "out.html").read_text()
    assert "Equal within the limits" in page
    for words, message in (
        (("--html", tmp_path), "is a folder; name a file"),
        (("--window", "2h"), "--window 2h: at most 1h"),
        (("--price-tolerance", "x"), "--price-tolerance 'x': write a number of 0 or more"),
        (("--max-missing", "some"), "--max-missing 'some'"),
    ):
        code, _, said = call(capfd, "compare", *here, *words)
        assert (code, message in said) == (2, True), said


def test_workers_change_nothing(place: Path, market_files: Path, capfd) -> None:
    for feed in ("a", "b"):
        take(place / "tape", market_files, feed=feed)
    found = [
        document(capfd, "compare", "a", "b", "--store", place / "tape", "--workers", workers)
        for workers in (1, 2)
    ]
    assert found[0] == found[1]
    assert (found[0][0], found[0][1]["totals"]["days"]) == (0, 9)


def test_foreign_text_on_the_page_is_no_markup(place: Path) -> None:
    symbol = "<img src=x>&'\""
    for feed, rows in (("a", 3), ("b", 2)):
        lines = [trade(us, symbol=symbol.replace('"', ""), id=f"</script>{us}") for us in range(rows)]
        put(place / feed / "binance_trades_2024-01-01_X.csv", trades(*lines))
        take(place / "tape", place / feed, feed=feed)
    question = asked(Store(place / "tape"))
    page = compare_html(view(question, Limits(), compare(question, workers=1)), version="1", created="now")
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert "http:" not in page.replace("http://www.w3.org", "")
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page)
    assert json.loads(data)["examples"][0][5].count("</script>2") == 1


# Real files


@pytest.mark.long
@pytest.mark.skipif(not FILES, reason=f"no real files in {REAL}")
@pytest.mark.parametrize("type", ["trades", "incremental_book_L2", "book_ticker"])
def test_a_real_day_beside_itself_with_rows_taken_out_and_changed(type: str, place: Path) -> None:
    """Every row that was taken out is missing, every changed one different (by id) or missing and extra."""
    source = REAL / "binance-futures" / type / "2024" / "08" / "08" / "BTCUSDT.csv.gz"
    head, *lines = gzip.decompress(source.read_bytes()).splitlines(keepends=True)
    chance = random.Random(3)
    places = chance.sample(range(len(lines)), 600)
    gone, changed, doubled = set(places[:200]), set(places[200:400]), set(places[400:])
    altered = []
    for number, line in enumerate(lines):
        if number in changed:
            line = line.rstrip().rpartition(b",")[0] + b",987654.125\n"
        altered += [line] * ((number not in gone) + (number in doubled))
    for feed, rows in (("a", lines), ("b", altered)):
        path = place / feed / source.relative_to(REAL)
        put(path, head + b"".join(rows))
        take(place / "tape", place / feed, feed=feed)
    totals = one(Store(place / "tape"))
    rows = len(lines)
    if type == "trades":
        assert some(totals) == (rows - 400, 200, 200, 200, 0)
        assert totals["fields"] == {"time": 0, "price": 0, "amount": 200, "side": 0, "fee": 0}
    else:
        assert some(totals) == (rows - 400, 400, 400, 0, 0)


@pytest.mark.long
@pytest.mark.skipif(not FILES, reason=f"no real files in {REAL}")
def test_all_real_files_beside_themselves(place: Path) -> None:
    for feed in ("a", "b"):
        assert take(place / "tape", REAL, feed=feed, workers=None).exit_code == 0
    totals = one(Store(place / "tape"))
    assert totals["rows_a"] == totals["rows_b"] == totals["matched"] > 2_000_000
    assert some(totals)[1:] == (0, 0, 0, 0)
