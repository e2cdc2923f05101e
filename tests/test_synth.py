"""The market generator: equal settings give equal bytes, in the shape that its docstring promises."""

import gzip
import hashlib
import os
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickreel.codecs.digits_kernel import NUMBER_BYTES, put_decimal
from tickreel.errors import DiskError, UsageError
from tickreel.schema import RECORD_TYPES
from tickreel.synth import (
    DEMO_FROM,
    DEMO_SYMBOLS,
    DEMO_TO,
    SymbolProfile,
    SyntheticMarket,
    day_path,
    day_trades,
    write_day,
    write_days_task,
)
from tickreel.synth.days import day_rows
from tickreel.synth.files import csv_pieces
from tickreel.synth.oddities import KINDS, add_oddities
from tickreel.synth.plan import plan_day
from tickreel.synth.trades_kernel import next32
from tickreel.units import NS_PER_DAY, NS_PER_MS, day_start

MARKET = SyntheticMarket(seed=1)
SMALL = SyntheticMarket(seed=1, scale=0.03)
DAY = "2024-01-10"


def text(market, symbol, day):
    return b"".join(bytes(piece) for piece in csv_pieces(market, symbol, day_rows(market, symbol, day)))


def days_from(first, count):
    return [(date.fromisoformat(first) + timedelta(at)).isoformat() for at in range(count)]


def prices(trades):
    return trades["price_ticks"] / 10.0 ** trades["price_scale"]


# Numbers as text: the twin follows ECMAScript's Number::toString from the digits that repr finds.


def javascript(value, scale):
    number = float(Decimal(value).scaleb(-scale))
    if number == 0:
        return "0"
    _, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent
    if exponent >= 0:
        return digits + "0" * exponent
    if point > 0:
        return digits[:point] + "." + digits[point:]
    if point > -6:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e-{1 - point}"


def kernel_text(value, scale):
    out = np.zeros(NUMBER_BYTES, np.uint8)
    return bytes(out[: put_decimal(out, 0, value, scale)]).decode()


@given(st.integers(0, 10**15), st.integers(0, 18))
@settings(max_examples=250, deadline=None)
def test_decimals_look_as_javascript_prints_them(value, scale):
    assert kernel_text(value, scale) == javascript(value, scale)


@given(st.integers(1, 9_999), st.integers(0, 13), st.integers(0, 18))
@settings(max_examples=150, deadline=None)
def test_decimals_with_many_zeros_look_as_javascript_prints_them(digits, zeros, scale):
    value = digits * 10 ** min(zeros, 11)
    assert kernel_text(value, scale) == javascript(value, scale)


@given(st.integers(0, 2**63 - 1), st.integers(0, 18))
@settings(max_examples=150, deadline=None)
def test_decimals_of_any_size_keep_every_digit(value, scale):
    assert Decimal(kernel_text(value, scale)) == Decimal(value).scaleb(-scale)


def test_known_decimals():
    known = {
        (1, 7): "1e-7",
        (125, 9): "1.25e-7",
        (1, 6): "0.000001",
        (15, 7): "0.0000015",
        (10, 7): "0.000001",
    }
    known |= {(422653, 1): "42265.3", (422650, 1): "42265", (0, 3): "0", (7, 0): "7", (100, 1): "10"}
    assert {key: kernel_text(*key) for key in known} == known


# Sameness.


def test_the_generator_is_xoshiro128plusplus():
    """First numbers of the authors' reference code for the state 1, 2, 3, 4."""
    state = np.array([1, 2, 3, 4], np.int64)
    assert [int(next32(state)) for _ in range(5)] == [641, 1573767, 3222811527, 3517856514, 836907274]


def test_a_day_does_not_depend_on_the_days_made_before_it():
    asked = [("BTCUSDT", DAY), ("DOGEUSDT", "2019-09-01"), ("BTCUSDT", "2031-02-03"), ("ETHUSDT", DAY)]
    first = {key: text(SMALL, *key) for key in asked}
    assert {key: text(SMALL, *key) for key in reversed(asked)} == first
    assert len(set(first.values())) == len(asked)
    narrow = SyntheticMarket(seed=1, scale=0.03, symbols=("ETHUSDT",))
    assert text(narrow, "ETHUSDT", DAY) == first["ETHUSDT", DAY]


def test_every_setting_counts():
    others = [
        SyntheticMarket(seed=2, scale=0.03),
        SyntheticMarket(seed=1, scale=0.04),
        SyntheticMarket(seed=1, scale=0.03, exchange="binance"),
        SyntheticMarket(seed=1, scale=0.03, oddities=True),
    ]
    assert len({text(market, "BTCUSDT", DAY) for market in [SMALL, *others]}) == 5


def test_the_bytes_of_a_known_day_stay():
    digest = hashlib.sha256(text(SMALL, "BTCUSDT", DAY) + text(SMALL, "ADAUSDT", "2024-06-30")).hexdigest()
    assert digest == "c9137f11153a0721aff67b9fa3d3bb3126d3dc9f0e7f1b6630b6403e2fc95033"


def test_plain_python_writes_the_same_bytes():
    script = (
        "import hashlib, numba\n"
        "from tickreel.synth.days import day_rows\n"
        "from tickreel.synth.files import csv_pieces\n"
        "from tickreel.synth.market import SyntheticMarket\n"
        "from tickreel.synth.trades_kernel import draw_trades\n"
        "assert not hasattr(draw_trades, 'py_func')\n"
        "market = SyntheticMarket(seed=1, scale=0.03, oddities=True)\n"
        "for symbol, day in (('BTCUSDT', '2024-01-10'), ('DOGEUSDT', '2024-01-11')):\n"
        "    pieces = csv_pieces(market, symbol, day_rows(market, symbol, day))\n"
        "    print(hashlib.sha256(b''.join(bytes(piece) for piece in pieces)).hexdigest())\n"
    )
    plain = dict(os.environ, NUMBA_DISABLE_JIT="1", PYTHONPATH=os.pathsep.join(sys.path))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], env=plain, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    odd = SyntheticMarket(seed=1, scale=0.03, oddities=True)
    asked = [("BTCUSDT", "2024-01-10"), ("DOGEUSDT", "2024-01-11")]
    assert run.stdout.split() == [hashlib.sha256(text(odd, *key)).hexdigest() for key in asked]


# Files.


def test_a_file_says_what_the_arrays_say(tmp_path):
    path = write_day(SMALL, "BTCUSDT", DAY, tmp_path)
    assert path == tmp_path / "binance-futures/trades/2024/01/10/BTCUSDT.csv.gz"
    header, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert header == "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    assert header == ",".join(RECORD_TYPES["trades"].csv_header)
    trades = day_trades(SMALL, "BTCUSDT", DAY)
    assert len(lines) == len(trades["id"]) > 300
    names = ("exchange_ns", "local_ns", "id", "side", "price_ticks", "amount_lots")
    for line, exchange, local, ident, side, ticks, lots in zip(
        lines, *(trades[n] for n in names), strict=True
    ):
        assert line == (
            f"binance-futures,BTCUSDT,{exchange // 1000},{local // 1000},{ident},"
            f"{('unknown', 'buy', 'sell')[side]},{javascript(int(ticks), 1)},{javascript(int(lots), 3)}"
        )


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path):
    path = day_path(SMALL, "BTCUSDT", DAY, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    write_day(SMALL, "BTCUSDT", DAY, tmp_path)
    first = path.read_bytes()
    write_day(SMALL, "BTCUSDT", DAY, tmp_path)
    assert path.read_bytes() == first
    assert first[4:8] == bytes(4), "the gzip header holds a time"
    assert [entry.name for entry in path.parent.iterdir()] == ["BTCUSDT.csv.gz"]


def test_the_task_overwrites_nothing_but_the_same_bytes(tmp_path):
    arguments = {"seed": 1, "exchange": "binance-futures", "symbol": "ETHUSDT", "scale": 0.03}
    arguments |= {"days": [DAY], "root": str(tmp_path)}
    done = write_days_task(arguments, lambda **_: None)
    path = day_path(SMALL, "ETHUSDT", DAY, tmp_path)
    before = path.stat()
    assert write_days_task(arguments, lambda **_: None) == done
    assert path.stat().st_ino == before.st_ino
    path.write_bytes(b"real")
    with pytest.raises(UsageError, match=r"ETHUSDT\.csv\.gz is already there with other contents"):
        write_days_task(arguments, lambda **_: None)
    assert path.read_bytes() == b"real"
    assert [entry.name for entry in path.parent.iterdir()] == ["ETHUSDT.csv.gz"]


def test_the_task_writes_what_write_day_writes(tmp_path):
    days = days_from(DAY, 3)
    seen = []
    arguments = {"seed": 1, "exchange": "binance-futures", "symbol": "ETHUSDT", "scale": 0.03}
    done = write_days_task(
        {**arguments, "days": days, "root": str(tmp_path / "task")}, lambda *, days: seen.append(days)
    )
    assert seen == [1, 2, 3]
    paths = [write_day(SMALL, "ETHUSDT", day, tmp_path / "alone") for day in days]
    for path in paths:
        assert (tmp_path / "task" / path.relative_to(tmp_path / "alone")).read_bytes() == path.read_bytes()
    rows = sum(len(day_trades(SMALL, "ETHUSDT", day)["id"]) for day in days)
    assert done == {"days": 3, "trades": rows, "bytes": sum(path.stat().st_size for path in paths)}


def test_a_file_in_the_way_is_a_disk_error_that_names_the_path(tmp_path):
    (tmp_path / "binance-futures").write_text("")
    with pytest.raises(DiskError, match=r"BTCUSDT\.csv\.gz"):
        write_day(SMALL, "BTCUSDT", DAY, tmp_path)


def test_wrong_settings_are_named():
    cheap = SymbolProfile("XUSDT", 0.5, 1, 0, 0.01, 1000)
    climbing = SymbolProfile("../../X", 500.0, 1, 0, 0.01, 1000)
    for market, symbol, day, words in (
        (MARKET, "NONE", DAY, "'NONE'.*BTCUSDT"),
        (MARKET, "BTCUSDT", "2019-08-31", "2019-09-01"),
        (MARKET, "BTCUSDT", "2100-01-01", "2099-12-31"),
        (MARKET, "BTCUSDT", "2024-02-30", "2024-02-30"),
        (SyntheticMarket(scale=0), "BTCUSDT", DAY, "scale is 0"),
        (SyntheticMarket(scale=1e6), "BTCUSDT", DAY, "20,000,000"),
        (SyntheticMarket(exchange="a/b"), "BTCUSDT", DAY, "'a/b'"),
        (SyntheticMarket(symbols=("XUSDT",), profiles=(cheap,)), "XUSDT", DAY, "price is 0.5"),
        (SyntheticMarket(symbols=("../../X",), profiles=(climbing,)), "../../X", DAY, "letters"),
    ):
        with pytest.raises(UsageError, match=words):
            day_trades(market, symbol, day)


# The shape of a day.


@pytest.mark.parametrize("symbol", ["BTCUSDT", "XRPUSDT", "UNIUSDT"])
def test_clocks_and_ids_of_a_day(symbol):
    before_midnight = last_id = 0
    for day in days_from(DAY, 12):
        trades = day_trades(MARKET, symbol, day)
        start, exchange, local = day_start(day), trades["exchange_ns"], trades["local_ns"]
        assert start <= local[0] and local[-1] < start + NS_PER_DAY
        assert (np.diff(local) >= 0).all() and (np.diff(exchange) >= 0).all()
        assert (exchange % NS_PER_MS == 0).all() and (local % 1_000 == 0).all()
        assert exchange[0] > start - 20 * NS_PER_MS
        before_midnight += exchange[0] < start
        assert exchange[-1] > start + NS_PER_DAY * 0.97
        lag = (local - exchange) / NS_PER_MS
        assert lag.min() >= 2 and 4 < np.median(lag) < 7 and 25 < np.percentile(lag, 99) < 80
        assert trades["id"][0] > last_id
        last_id, steps = trades["id"][-1], np.diff(trades["id"])
        assert (steps >= 1).all() and (steps == 1).mean() > 0.998 and steps.max() <= 4
        assert trades["price_ticks"].min() > 0 and trades["amount_lots"].min() > 0
    assert before_midnight < 6


def test_some_days_open_with_a_trade_from_before_midnight():
    days = days_from(DEMO_FROM, 64)
    opened = [day_trades(SMALL, "BTCUSDT", day)["exchange_ns"][0] < day_start(day) for day in days]
    assert 2 <= sum(opened) <= 18


@pytest.mark.parametrize("symbol", ["BTCUSDT", "XRPUSDT", "UNIUSDT"])
def test_trades_come_in_bursts_as_real_ones_do(symbol):
    trades = day_trades(MARKET, symbol, DAY)
    side, ticks = trades["side"], trades["price_ticks"]
    shared = np.diff(trades["exchange_ns"]) == 0
    assert 0.55 < shared.mean() < 0.68
    lengths = np.diff(np.flatnonzero(np.concatenate(([True], ~shared, [True]))))
    assert 0.45 < (lengths == 1).mean() < 0.60 and 40 < lengths.max() <= 97
    assert (side[1:] == side[:-1])[shared].all(), "a burst has one taker"
    assert 0.6 < (side[1:] == side[:-1])[~shared].mean() < 0.78
    assert 0.4 < (side == 1).mean() < 0.6 and set(np.unique(side)) == {1, 2}
    moves = np.diff(ticks)
    assert 0.5 < (moves == 0).mean() < 0.75
    assert (np.abs(moves) <= 5).mean() > (0.7 if symbol == "BTCUSDT" else 0.98)
    swept = shared & (moves != 0)
    assert (np.sign(moves[swept]) == np.where(side[1:][swept] == 1, 1, -1)).all(), "a sweep goes one way"


@pytest.mark.parametrize("symbol", ["BTCUSDT", "XRPUSDT", "UNIUSDT"])
def test_amounts_repeat_and_have_a_heavy_tail(symbol):
    lots = day_trades(MARKET, symbol, DAY)["amount_lots"]
    _, counts = np.unique(lots, return_counts=True)
    assert 0.7 < counts[counts > 1].sum() / len(lots) < 0.995
    assert 0.05 < (lots[1:] == lots[:-1]).mean() < 0.35
    assert np.percentile(lots, 99.8) > 100 * np.median(lots)


def test_activity_follows_the_hours_and_the_week():
    hours, week = np.zeros(24), np.zeros(7)
    for symbol in DEMO_SYMBOLS[:4]:
        for day in days_from("2024-02-05", 28):
            exchange = day_trades(MARKET, symbol, day)["exchange_ns"]
            hours += np.bincount(exchange // (3600 * 10**9) % 24, minlength=24)
            week[date.fromisoformat(day).weekday()] += len(exchange)
    assert hours[13:17].mean() > 1.6 * hours[2:6].mean()
    assert week[:5].mean() > 1.15 * week[5:].mean()


def test_the_demo_has_over_20_million_trades():
    days = days_from(DEMO_FROM, (date.fromisoformat(DEMO_TO) - date.fromisoformat(DEMO_FROM)).days)
    rows = sum(plan_day(MARKET, symbol, day).rows for symbol in DEMO_SYMBOLS for day in days)
    assert len(days) == 182 and 20_000_000 < rows < 22_000_000


def test_scale_changes_the_number_of_trades_and_little_else():
    busy = day_trades(SyntheticMarket(seed=1, scale=20), "LTCUSDT", DAY)
    usual = day_trades(MARKET, "LTCUSDT", DAY)
    assert 19.9 < len(busy["id"]) / len(usual["id"]) < 20.1
    assert abs(prices(busy)[-1] / prices(usual)[-1] - 1) < 0.001
    large = [np.abs(np.diff(np.log(prices(trades)))) > 0.001 for trades in (busy, usual)]
    assert all(2 <= found.sum() <= 14 for found in large)


# The price.


@pytest.mark.parametrize("symbol", ["BTCUSDT", "DOGEUSDT"])
def test_days_join(symbol):
    days = [prices(day_trades(MARKET, symbol, day)) for day in days_from("2023-12-27", 12)]
    gaps = [abs(after[0] / before[-1] - 1) for before, after in pairwise(days)]
    assert max(gaps) < 0.002
    opened = day_trades(MARKET, symbol, "2024-01-01")
    assert prices(opened)[0] == pytest.approx(MARKET.profile(symbol).price, rel=0.002)


def test_momentum_trades_a_few_times_a_day():
    """Buy after a rise of more than 0.1 %, sell after such a fall: one order for each turn."""
    orders = days = 0
    for symbol in ("BTCUSDT", "XRPUSDT", "ETCUSDT"):
        for day in days_from("2024-03-01", 14):
            change = np.diff(price := prices(day_trades(MARKET, symbol, day))) / price[:-1]
            signs = np.sign(change[np.abs(change) > 0.001])
            orders += np.count_nonzero(np.diff(signs)) + 1
            days += 1
            assert np.abs(change).max() < 0.0125
    assert 1 < orders / days < 6


def test_jumps_persist_but_knowing_the_last_one_does_not_pay():
    signs, jumps, drifts = [], [], []
    for day in days_from("2020-01-01", 1500):
        plan = plan_day(SMALL, "SOLUSDT", day)
        assert (np.diff(plan.jump_at) > 0).all()
        jumps += plan.jump_ppb.tolist()
        drifts += np.diff(plan.drift_ppb).tolist()
    jumps, drifts = np.array(jumps, float), np.array(drifts, float)
    taken = np.flatnonzero(jumps)
    assert 5.6 < len(taken) / 1500 < 6.4
    sizes = np.abs(jumps[taken])
    assert sizes.min() >= 1e6 and sizes.max() <= 6e6
    signs = np.sign(jumps[taken])
    assert 0.62 < (signs[1:] == signs[:-1]).mean() < 0.68
    last = np.repeat(signs, np.diff(np.append(taken, len(jumps))))[:-1]
    after = slice(taken[0] + 1, None)
    gain, fair = last * jumps[after], last * (jumps + drifts)[after]
    error = gain.std() / np.sqrt(len(gain))
    assert gain.mean() > 20 * error
    assert abs(fair.mean()) < 3 * error


def test_volatility_comes_in_spells():
    """Absolute moves over 10 minutes of one symbol are alike within the hour, not across days."""
    near, far = [], []
    for day in days_from("2024-02-05", 40):
        trades = day_trades(MARKET, "BTCUSDT", day)
        grid = day_start(day) + np.arange(1, 143) * 600 * 10**9
        price = prices(trades)[np.searchsorted(trades["exchange_ns"], grid) - 1]
        moves = np.minimum(np.abs(np.diff(np.log(price))), 0.002)
        near.append(np.corrcoef(moves[:-1], moves[1:])[0, 1])
        far.append(np.corrcoef(moves[:-70], moves[70:])[0, 1])
    assert np.mean(near) > 0.1 and np.mean(near) > np.mean(far) + 0.05


# Oddities.


def test_oddities_are_put_in_and_counted():
    clean = day_rows(MARKET, "ETHUSDT", DAY)
    odd, found = add_oddities(day_rows(MARKET, "ETHUSDT", DAY), "a seed")
    assert set(found) == set(KINDS) and min(found.values()) >= 1
    assert 0.5 < sum(found.values()) * 1_000 / len(clean.id) < 2
    assert len(odd.id) == len(clean.id) + found["duplicate"]
    same = np.logical_and.reduce([np.diff(column.astype(np.int64)) == 0 for column in odd])
    assert same.sum() == found["duplicate"]
    assert (odd.side == 0).sum() == found["unknown side"]
    assert (np.diff(odd.local_us) < 0).sum() == found["local backwards"]
    assert (np.diff(odd.id) < 0).sum() == found["id backwards"] + found["local backwards"]
    back = (np.diff(odd.exchange_us) < 0).sum()
    assert found["exchange backwards"] <= back <= found["exchange backwards"] + found["local backwards"]
    again, _ = add_oddities(day_rows(MARKET, "ETHUSDT", DAY), "a seed")
    assert all((a == b).all() for a, b in zip(odd, again, strict=True))


def test_a_day_of_few_rows_has_few_oddities():
    tiny = SyntheticMarket(seed=1, scale=0.0005, oddities=True)
    trades = day_trades(tiny, "UNIUSDT", DAY)
    assert 1 <= len(trades["id"]) <= 10 and (trades["side"] > 0).all()
