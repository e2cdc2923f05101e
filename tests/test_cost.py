"""`tickreel cost`: exact sums from a rate card, the guide's figures, cards that are wrong, volumes of a store."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_sample import DAY_US, dataset, put, take, trade, trades
from test_cli import call, document
from tickreel.config.bills import Use, bills, money, per_month
from tickreel.config.rates import UNITS, Card, Discount, Price, Provider, card_text, load_card, parse_card
from tickreel.errors import InputError, UsageError

BUILT_IN = load_card(environment={})
HEAD = 'currency = "USD"\n'
ONE = HEAD + '[x]\nname = "X"\ncurrency = "EUR"\nrate = 1.5\ndate = 2026-01-01\nsource = "s"\n'


# The guide's figures


def test_a_billion_trades_a_month_cost_what_the_guide_says() -> None:
    found = bills(BUILT_IN, Use(trades=Decimal(10**9)))
    assert [(bill.provider.key, f"{bill.month:,.0f}") for bill in found] == [
        ("relay", "847"), ("competitor", "4,402"), ("official", "6,183"),
    ]  # fmt: skip
    assert [bill.provider.rate for bill in found] == [1, Decimal("5.2"), Decimal("7.3")]
    assert [money(bill.saves_year) for bill in found] == ["0.00", "42,660.00", "64,033.20"]


def test_the_guides_third_sum_is_not_its_rate_times_the_first() -> None:
    """What rates.toml says of it."""
    assert Decimal(847) * Decimal("7.3") == Decimal("6183.1")
    assert Decimal(847) * Decimal("5.2") == Decimal("4404.4")
    assert round(Decimal(4402) / Decimal("5.2"), 4) == Decimal("846.5385")
    assert f"{6183 * round(Decimal('5.2') / Decimal('7.3'), 3):.0f}" == "4402"
    for number in ("6,183.10", "4,404.40", "846.5385", "0.712"):
        assert number in card_text()


def test_the_discount_from_a_million_calls() -> None:
    use = Use(trades=Decimal(10**9), calls=Decimal(10**6))
    relay = bills(BUILT_IN, use)[0]
    assert (relay.discount, relay.month, relay.items) == (15, Decimal("719.95"), {"trades": 847})
    few = bills(BUILT_IN, replace(use, calls=Decimal(10**6 - 1)))[0]
    assert (few.discount, few.month) == (0, 847)


def test_when_moving_pays() -> None:
    relay, competitor, official = bills(BUILT_IN, Use(trades=Decimal(10**9)), migration_cost=Decimal(10_000))
    assert (relay.payback, relay.payback_none) == (None, "the cheapest already")
    assert (official.payback, competitor.payback) == (Decimal("1.87"), Decimal("2.81"))
    assert bills(BUILT_IN, Use(trades=Decimal(1)))[1].payback_none == "no --migration-cost was given"


# Exactness

NUMBERS = st.decimals(0, 10**6, places=6)
PRICES = st.builds(Price, NUMBERS, st.sampled_from([1, 3, 7, 1_000_000]), st.integers(0, 1_000))
DISCOUNTS = st.dictionaries(
    st.text("abc", min_size=1),
    st.builds(Discount, st.sampled_from(UNITS), st.integers(0, 2_000), st.decimals(0, 100, places=3)),
    max_size=3,
)
PROVIDERS = st.builds(
    Provider, st.text("xyz"), st.just("n"), st.just("EUR"), st.decimals("0.000001", 100, places=6),
    st.just(date(2026, 1, 1)), st.just("s"), NUMBERS, PRICES, PRICES, PRICES, PRICES, DISCOUNTS,
)  # fmt: skip
USES = st.builds(Use, *[st.decimals(0, 10**12, places=3)] * 4)


def twin(provider: Provider, use: Use) -> Fraction:
    """The month's sum in fractions, by the card's own words."""
    items = Fraction(0)
    for unit in UNITS:
        price, count = getattr(provider, unit), Fraction(getattr(use, unit))
        items += max(count - price.free, Fraction(0)) * Fraction(price.price) / price.per
    reached = [d.percent for d in provider.discounts.values() if getattr(use, d.unit) >= d.at_least]
    less = 1 - Fraction(max(reached, default=Decimal(0))) / 100
    return Fraction(provider.rate) * (items * less + Fraction(provider.monthly))


@settings(max_examples=200, deadline=None)
@given(st.lists(PROVIDERS, min_size=1, max_size=4), USES, st.decimals(0, 10**9, places=2))
def test_sums_are_exact_to_the_last_digit_that_is_shown(providers, use: Use, once: Decimal) -> None:
    found = bills(Card("c", "USD", "", tuple(providers)), use, migration_cost=once)
    wanted = sorted(twin(provider, use) for provider in providers)
    for bill, exact in zip(found, wanted):
        for value, whole in (
            (bill.month, exact), (bill.year, 12 * exact),
            (bill.saves_month, exact - wanted[0]), (bill.saves_year, 12 * (exact - wanted[0])),
        ):  # fmt: skip
            assert abs(Fraction(value) - whole) <= Fraction(1, 2 * 10**9)
        if exact > wanted[0] + Fraction(1, 10**9):
            assert abs(Fraction(bill.payback) - Fraction(once) / (exact - wanted[0])) <= Fraction(1, 199)


def test_counts_of_a_day_and_of_a_year() -> None:
    assert per_month(Decimal(12), "day") == 365
    assert per_month(Decimal(12), "year") == 1
    assert per_month(Decimal(12), "month") == 12


# Cards


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "card.toml: is no TOML: Expected '='"),
        ("[x]\n", "card.toml: currency = None: the currency of all sums belongs there"),
        (HEAD, "card.toml: has no provider"),
        (HEAD + "note = 1\n", "card.toml: note = 1: a text belongs there"),
        (HEAD + "x = 1\n", "x = 1: a table belongs there"),
        (ONE + "rates = 1\n", "[x] 'rates' is no key; did you mean rate?"),
        (ONE.replace("source", "origin"), "[x] 'origin' is no key"),
        (ONE.replace('source = "s"\n', ""), "[x] source is missing; a text belongs there"),
        (ONE.replace('"X"', '""'), "[x] name = '': a text belongs there"),
        (ONE.replace("1.5", "0"), "[x] rate = '0': a number above 0"),
        (ONE.replace("1.5", "-1"), "[x] rate = '-1': a number above 0"),
        (ONE.replace("1.5", "nan"), "[x] rate = 'NaN': a number above 0"),
        (ONE.replace("1.5", "true"), "[x] rate = true: a number above 0"),
        (ONE.replace("1.5", "1e15"), "a number above 0, below 1e15"),
        (ONE.replace("2026-01-01", '"soon"'), "[x] date = 'soon': a date, e.g. 2026-11-22"),
        (ONE + "[x.trades]\nprice = -0.1\n", "[x.trades] price = '-0.1': a number of 0 or more"),
        (ONE + "[x.trades]\nprice = inf\n", "[x.trades] price = 'Infinity': a number of 0 or more"),
        (ONE + "[x.trades]\nprice = 1e-999999999\n", "[x.trades] price"),
        (ONE + "[x.trades]\nprice = 1\nper = 0\n", "[x.trades] per = 0: a whole number of 1 or more"),
        (ONE + "[x.trades]\nper = 1\n", "[x.trades] price is missing"),
        (ONE + "[x.calls]\nprice = 1\nfree = 1.5\n", "[x.calls] free"),
        (ONE + "[x.call]\nprice = 1\n", "[x] 'call' is no key; did you mean calls?"),
        (ONE + "[x.discounts.a]\nunit = 'call'\nat_least = 1\npercent = 1\n", "[x.discounts.a] unit = 'call': 'trades', 'messages', 'calls' or 'gigabytes'"),
        (ONE + "[x.discounts.a]\nunit = 'calls'\nat_least = 1\npercent = 101\n", "[x.discounts.a] percent = '101': a number from 0 to 100"),
    ],
)  # fmt: skip
def test_a_wrong_card_is_told_where_and_what_belongs_there(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse_card(text, "card.toml")


def test_numbers_of_a_card_are_never_floats() -> None:
    card = parse_card(ONE.replace("1.5", "0.100000000000000005551115123126"), "c")
    assert card.providers[0].rate == Decimal("0.100000000000000005551115123126")


def test_a_users_card_takes_the_place_of_the_built_in_one(tmp_path: Path, monkeypatch, capfd) -> None:
    mine = tmp_path / "rates.toml"
    mine.write_text(ONE + "monthly = 10\n[x.trades]\nprice = 2\nper = 1_000\nfree = 500\n")
    for words, environment in ((("--card", mine), {}), ((), {"TICKREEL_RATES": str(mine)})):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            code, found = document(capfd, "cost", "--trades", 1_500, *words)
        (x,) = found["providers"]
        assert (code, found["card"], x["month"], x["items"], x["fixed"]) == (
            0,
            str(mine),
            "18",
            {"trades": "3"},
            "15",
        )
    with pytest.raises(UsageError, match="TICKREEL_RATES /nowhere: no such file"):
        load_card(environment={"TICKREEL_RATES": "/nowhere"})
    mine.write_bytes(b"\xff")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        load_card(mine)


def test_the_printed_card_is_one(tmp_path: Path, capfd) -> None:
    code, out, _ = call(capfd, "cost", "--print-card")
    assert code == 0
    assert parse_card(out, "printed").providers == BUILT_IN.providers


# The command


def test_the_command(capfd) -> None:
    code, out, said = call(capfd, "cost", "--trades", "1e9", "--per", "month", "--migration-cost", 5_000)
    assert code == 0
    assert re.search(r"HolySheep relay +847\.00 +10,164\.00", out)
    assert re.search(r"Tardis.dev, official +6,183\.10 +74,197\.20 +5,336\.10 +64,033\.20 +0\.94", out)
    assert "rate 7.3 (CNY); 2026-11-22, migration guide" in said
    code, found = document(capfd, "cost", "--trades", "1e9")
    assert [found["providers"][place]["month"] for place in range(3)] == ["847", "4402.0002", "6183.1"]
    assert (found["cheapest"], found["use"]["trades"]) == ("relay", "1000000000")
    code, found = document(capfd, "cost", "--trades", "12e9", "--per", "year")
    assert found["providers"][0]["year"] == "10164"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to price"),
        (("--trades", "0"), "nothing to price"),
        (("--trades", "many"), "--trades 'many': write a number from 0 to below 1e18"),
        (("--trades", "-1"), "--trades '-1'"),
        (("--calls", "nan"), "--calls 'nan'"),
        (("--trades", "1", "--migration-cost", "1e99"), "--migration-cost '1e99'"),
        (("--trades", "1", "--from-store"), "leave --trades out"),
        (("--trades", "1", "--card", "/nowhere"), "--card /nowhere: no such file"),
        (("--trades", "1", "--per", "week"), "'week' is not one of"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], message: str, capfd) -> None:
    code, _, said = call(capfd, "cost", *words)
    assert (code, message in said) == (2, True), said


def test_the_volumes_of_a_store(place: Path, capfd) -> None:
    """Files count once, however many days and symbols they gave rows to."""
    lines = [trade(DAY_US * day + n, symbol=f"S{n % 2}") for day in range(2) for n in range(50)]
    put(place / "data" / "binance_trades_2024-01-01_S0.csv", trades(*lines))
    put(
        dataset(place / "data", "2024-01-04", "S1"),
        trades(*(trade(3 * DAY_US + n, symbol="S1") for n in range(20))),
    )
    take(place / "tape", place / "data")
    code, found = document(capfd, "cost", "--from-store", "--store", place / "tape")
    counted = found["from_store"]
    size = sum(path.stat().st_size for path in (place / "data").rglob("*.csv*"))
    assert [counted[name] for name in ("days", "trades", "messages", "files", "bytes")] == [
        3,
        120,
        0,
        2,
        size,
    ]
    assert found["use"]["trades"] == f"{Decimal(120) / 3 * 365 / 12:.9f}".rstrip("0")
    code, _, said = call(capfd, "cost", "--from-store", "--store", place / "tape")
    assert (code, f"120 trades, 0 other rows in 2 files of {size:,} bytes on 3 days" in said) == (0, True)
