"""Facts of instruments: values, times, sources, the user's TOML, and what is money."""

from decimal import Decimal
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickreel.errors import InputError, UsageError
from tickreel.instruments import FACTS, Fact, Instrument, Terms, dataset_symbol
from tickreel.instruments.facts import convert, value_text
from tickreel.instruments.model import history
from tickreel.instruments.money import money_facts, toml_line
from tickreel.instruments.user_toml import parse_toml
from tickreel.instruments.venues import RULES, amounts, venue_facts
from tickreel.units import parse_time

DAY = parse_time("2024-01-01")
LINEAR = (Fact("contract", "linear", "a"), Fact("multiplier", Decimal(1), "a"))


def of(*facts: Fact, exchange: str = "nowhere", symbol: str = "X") -> Instrument:
    return Instrument(exchange, symbol, facts)


def refusal(instrument: Instrument, from_ns: int = DAY, to_ns: int = DAY + 1) -> str:
    with pytest.raises(UsageError, match=r"^refused: ") as caught:
        money_facts(instrument, from_ns, to_ns)
    return str(caught.value)


# Values


def test_terms_have_every_fact_and_no_other():
    assert list(get_type_hints(Terms)) == ["facts", *FACTS]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("tick", "0.10", "0.1"),
        ("tick", Decimal("1E-8"), "0.00000001"),
        ("tick", "1e-8", "0.00000001"),
        ("multiplier", 100, "100"),
        ("multiplier", "12345678901234567890.12345", "12345678901234567890.12345"),
        ("min_notional", 0, "0"),
        ("maker_fee", "-0.00025", "-0.00025"),
        ("kind", "option", "option"),
        ("base", "1INCH", "1INCH"),
        ("expiry", "2024-06-28T08:00:00.000Z", "2024-06-28T08:00:00Z"),
    ],
)
def test_values_are_exact(name, value, text):
    assert value_text(name, convert(name, value)) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("tick", wrong) for wrong in (0, "0", -1, "", "x", "1_0", " 1", "nan", "inf", True, None, [], 0.5, "1e99")],
        *[("min_amount", wrong) for wrong in (-1, "-0.1")],
        *[("taker_fee", wrong) for wrong in ("0.1", -1, "5%")],
        *[("kind", wrong) for wrong in ("swap", "", 1, None)],
        *[("base", wrong) for wrong in ("", 1, None)],
        *[("expiry", wrong) for wrong in ("soon", 1719561600000, "", None, True)],
        ("tick", "1" * 400),
    ],
)  # fmt: skip
def test_other_values_are_refused(name, value):
    with pytest.raises(ValueError) as caught:
        convert(name, value)
    assert str(caught.value) == FACTS[name].allowed


# Times


def test_a_change_ends_at_its_very_nanosecond():
    facts = history("tick", Decimal(3), [(200, Decimal(2)), (100, Decimal(1))], "a")
    instrument = of(*facts)
    for time, value in ((-(10**18), 1), (99, 1), (100, 2), (199, 2), (200, 3), (10**18, 3)):
        assert instrument.at(time).tick == value
    assert [(fact.from_ns, fact.to_ns) for fact in facts] == [(None, 100), (100, 200), (200, None)]


def test_a_value_that_was_not_known_before_stays_so():
    instrument = of(*history("tick", Decimal(3), [(100, None)], "a"))
    assert (instrument.at(99).tick, instrument.at(100).tick) == (None, 3)
    assert of(*history("tick", None, [(100, Decimal(1))], "a")).at(100).tick is None


FACT = st.builds(
    lambda value, bounds: Fact("tick", Decimal(value), "a", bounds[0], bounds[1]),
    st.integers(1, 3),
    st.tuples(st.none() | st.integers(-5, 5), st.none() | st.integers(-5, 8)),
)


@given(st.lists(FACT, max_size=4), st.integers(-7, 7), st.integers(1, 8))
def test_spans_say_of_every_moment_what_the_strongest_fact_says(facts, start, length):
    """The twin: each moment by itself."""
    instrument = of(*facts)
    spans = instrument.spans("tick", start, start + length)
    assert [span.from_ns for span in spans[1:]] == [span.to_ns for span in spans[:-1]]
    assert (spans[0].from_ns, spans[-1].to_ns) == (start, start + length)
    for moment in range(start, start + length):
        (held,) = [span.fact for span in spans if span.from_ns <= moment < span.to_ns]
        strongest = next(
            (
                fact
                for fact in facts
                if (fact.from_ns is None or fact.from_ns <= moment)
                and (fact.to_ns is None or moment < fact.to_ns)
            ),
            None,
        )
        assert held == strongest == instrument.at(moment).facts.get("tick")


def test_spans_without_an_end():
    instrument = of(Fact("tick", Decimal(1), "a", None, 5))
    assert [(s.from_ns, s.to_ns, s.fact is None) for s in instrument.spans("tick")] == [
        (None, 5, False),
        (5, None, True),
    ]


# The user's TOML

WHOLE = b"""
[okex-swap.BTC-USDT-SWAP]
kind = "perpetual"
contract = "linear"
multiplier = 0.01
base = "BTC"
quote = "USDT"
settlement = "USDT"
tick = "0.1"
lot = 0.010
min_amount = "0.01"
min_notional = 0
maker_fee = 0.0002
taker_fee = "0.0005"
listed = 2019-11-08
expiry = 2026-01-01T08:00:00Z
strike = 1
option_type = "call"

[[okex-swap.BTC-USDT-SWAP.changes]]
until = 2022-01-01
multiplier = "0.1"

[kraken."XBT/USD"]
tick = 0.1
"""


def test_every_fact_can_be_given():
    facts = parse_toml(WHOLE, "my.toml")
    assert set(facts) == {("okex-swap", "BTC-USDT-SWAP"), ("kraken", "XBT-USD")}
    terms = of(*facts["okex-swap", "BTC-USDT-SWAP"]).at(DAY)
    assert list(terms.facts) and set(terms.facts) == set(FACTS)
    assert (terms.multiplier, terms.lot, terms.taker_fee) == (
        Decimal("0.01"),
        Decimal("0.01"),
        Decimal("0.0005"),
    )
    assert terms.expiry == parse_time("2026-01-01T08:00")
    assert terms.multiplier_currency == "BTC"
    assert of(*facts["okex-swap", "BTC-USDT-SWAP"]).at(parse_time("2022-01-01") - 1).multiplier == Decimal(
        "0.1"
    )
    assert {fact.source for fact in terms.facts.values()} == {"my.toml"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a.X = {multiplyer = 1}', r"f: a\.X: 'multiplyer' is no fact; did you mean multiplier\?"),
        ('a.X = {zzz = 1}', r"f: a\.X: 'zzz' is no fact; known are kind, contract, .*, changes"),
        ('a.X = {until = 2024-01-01}', "'until' is no fact"),
        ('a.X = {tick = 0.0}', r"f: a\.X\.tick: 0\.0; a number above 0 belongs there"),
        ('a.X = {tick = true}', r"f: a\.X\.tick: True; a number above 0 belongs there"),
        ('a.X = {kind = "swap"}', r"f: a\.X\.kind: 'swap'; one of spot, perpetual, .* belongs there"),
        ('a.X = {expiry = 5}', r"f: a\.X\.expiry: 5; an ISO 8601 time belongs there"),
        ('a.X = 5', r"f: a\.X: 5; a table \[EXCHANGE\.SYMBOL\] of facts belongs there"),
        ('a = 5', r"f: a: 5; a table \[EXCHANGE\.SYMBOL\]"),
        ('a.X = {changes = 5}', r"f: a\.X\.changes: 5; a list of tables"),
        ('a.X = {changes = [{tick = 1}]}', r"f: a\.X\.changes\[0\]\.until: nothing; an ISO 8601 time"),
        ('a.X = {changes = [{until = 2024-01-01, changes = 1}]}', r"changes\[0\]: 'changes' is no fact"),
        ('a.X = {changes = [{until=2024-01-01, tick=1}, {until=2024-01-01, tick=2}]}', "tick has two values"),
        ('a.x = {tick = 1}\na.X = {tick = 1}', "X is here twice"),
        ('a.X = {tick = }', "f: .*line 1"),
        ('a.X = {tick = 1e99999999999999999999}', "f: "),
        ("a.X = " + "[" * 100_000, "f: "),
        ('a.X = {contract = "linear|inverse|quanto"}', "one of linear, inverse, quanto belongs there"),
        ('a.X = {multiplier = "NUMBER"}', "a number above 0 belongs there"),
    ],
)  # fmt: skip
def test_a_wrong_toml_is_refused_with_its_place(text, message):
    with pytest.raises(InputError, match=message):
        parse_toml(text.encode(), "f")


def test_a_toml_that_is_no_text_is_refused():
    with pytest.raises(InputError, match=r"f: .*utf-8"):
        parse_toml(b"\xff", "f")


# What is money


@pytest.mark.parametrize(
    ("exchange", "symbol", "word"),
    [
        ("binance", "BTCUSDT", ""),
        ("binance-futures", "BTCUSDT", ""),
        ("binance-futures", "BTCUSDT_240628", ""),
        ("binance-delivery", "BTCUSD_PERP", "inverse"),
        ("bybit", "BTCUSDT", ""),
        ("bybit", "BTCPERP", ""),
        ("bybit", "BTC-29MAR24", ""),
        ("bybit", "BTCUSD", "inverse"),
        ("bybit", "BTCUSDH24", "inverse"),
        ("bybit", "btcusd", "inverse"),
        ("bybit", "btcusdH24", "inverse"),
        ("bybit", "btcusdt", ""),
        ("bybit", "BTCEUR", "its contract .* and its multiplier .* are not known"),
        ("bybit-spot", "BTCUSDC", ""),
        ("bybit-options", "BTC-29MAR24-60000-C", ""),
        ("kraken", "XBT/USD", ""),
        ("okex", "BTC-USDT", ""),
        ("okex-swap", "BTC-USDT-SWAP", "count contracts, and its multiplier"),
        ("okex-swap", "BTC-USD-SWAP", "inverse"),
        ("okex-swap", "BTC-USD_UM-SWAP", "count contracts, and its contract .* and its multiplier"),
        ("okex-options", "BTC-USD-240628-50000-C", "inverse"),
        ("deribit", "BTC-PERPETUAL", "inverse"),
        ("deribit", "BTC-28JUN24", "inverse"),
        ("deribit", "BTC-28JUN24-60000-C", "inverse"),
        ("deribit", "BTC-FS-28JUN24_PERP", "a combo"),
        ("deribit", "BTC_USDC-PERPETUAL", ""),
        ("deribit", "BTC_USDC-FS-28JUN24_PERP", "a combo"),
        ("deribit", "AVAX_USDC-29MAY26-8D6-P", ""),
        ("deribit", "AVAX_USDC-29MAY26-8d6-P", ""),
        ("deribit", "btc-perpetual", "inverse"),
        ("okex-swap", "btc-usd-swap", "inverse"),
        ("okex-swap", "btc-usdt-swap", "its amounts count contracts, and its multiplier"),
        ("deribit", "BTC_USDT", ""),
        ("bitmex", "XBTUSD", "count contracts, and its contract"),
        ("somewhere", "BTCUSDT", "its contract .* and its multiplier .* are not known"),
    ],
)
def test_what_exchange_and_symbol_tell(exchange, symbol, word):
    instrument = of(*venue_facts(exchange, symbol), exchange=exchange, symbol=symbol)
    if not word:
        assert money_facts(instrument, DAY, DAY + 1)["multiplier"].value == 1
        return
    with pytest.raises(UsageError, match=f"^refused: .*{word}"):
        money_facts(instrument, DAY, DAY + 1)


SYMBOL = st.sampled_from(
    ["BTCUSD", "BTCUSDH24", "BTCUSDT", "BTCPERP", "XBT/USD", "BTC-USD-SWAP", "BTC-USDT-240628", "BTC-PERPETUAL",
     "BTC-28JUN24-60000-C", "AVAX_USDC-29MAY26-8d6-P", "BTC_USDC-PERPETUAL", "BTCF0:USTF0"]
) | st.text("AbC1dUSDTusdt-_/:", min_size=1, max_size=12)  # fmt: skip


@given(st.sampled_from(sorted(RULES)), SYMBOL, st.data())
def test_a_symbol_tells_the_same_in_any_case_and_as_its_dataset(exchange, symbol, data):
    cases = [data.draw(st.sampled_from([str.lower, str.upper])) for _ in symbol]
    mixed = "".join(case(letter) for case, letter in zip(cases, symbol, strict=True))
    told = venue_facts(exchange, symbol)
    for other in (dataset_symbol(symbol), mixed):
        assert venue_facts(exchange, other) == told
        assert amounts(exchange, other) == amounts(exchange, symbol)


@pytest.mark.parametrize("missing", [["contract"], ["multiplier"], ["contract", "multiplier"]])
def test_the_line_that_a_refusal_names_supplies_what_is_missing(missing):
    instrument = of(*[fact for fact in LINEAR if fact.name not in missing], exchange="x-1", symbol="BTC/USD")
    message = refusal(instrument)
    line = toml_line(instrument, missing)
    assert f"write {line} into" in message
    with pytest.raises(InputError):  # pasted as it stands it is refused, not guessed
        parse_toml(line.encode(), "f")
    mended = line.replace("linear|inverse|quanto", "linear").replace("NUMBER", "0.01")
    facts = parse_toml(mended.encode(), "f")["x-1", "BTC-USD"]
    assert set(money_facts(of(*facts, *LINEAR), DAY, DAY + 1)) == {"contract", "multiplier"}


def test_a_multiplier_that_changes_within_the_range_is_refused_with_the_date():
    changes = history("multiplier", Decimal(10), [(DAY, Decimal(1))], "f")
    instrument = of(LINEAR[0], *changes)
    assert money_facts(instrument, DAY - 5, DAY)["multiplier"].value == 1
    assert money_facts(instrument, DAY, DAY + 5)["multiplier"].value == 10
    message = refusal(instrument, DAY - 1, DAY + 1)
    assert "its multiplier changes from 1 to 10 at 2024-01-01T00:00:00Z (f)" in message


def test_one_value_of_two_sources_is_no_change():
    instrument = of(LINEAR[0], Fact("multiplier", Decimal("1.0"), "f", None, DAY), LINEAR[1])
    assert money_facts(instrument, DAY - 1, DAY + 1)["multiplier"].source == "f"


def test_a_multiplier_that_is_known_for_a_part_only_is_refused_with_the_dates():
    instrument = of(LINEAR[0], Fact("multiplier", Decimal(1), "f", DAY, None))
    message = refusal(instrument, DAY - 10**9, DAY + 10**9)
    assert "is not known from 2023-12-31T23:59:59Z to 2024-01-01T00:00:00Z" in message


def test_life_and_range():
    instrument = of(*LINEAR, Fact("listed", DAY, "f, listing"), Fact("expiry", DAY + 10, "f"))
    assert money_facts(instrument, DAY + 9, DAY + 50)
    assert money_facts(instrument, DAY - 5, DAY + 1)
    assert "expired at 2024-01-01T00:00:00.000000010Z (f), before the range" in refusal(
        instrument, DAY + 10, DAY + 50
    )
    assert "not listed before 2024-01-01T00:00:00Z (f, listing)" in refusal(instrument, DAY - 5, DAY)


def test_inverse_and_quanto_are_refused_by_name_whatever_the_multiplier():
    for word in ("inverse", "quanto"):
        assert f"it is {word} (f)" in refusal(of(Fact("contract", word, "f"), *LINEAR))
    assert "it is a prediction (f)" in refusal(of(Fact("kind", "prediction", "f"), *LINEAR))


def test_symbols_are_compared_as_the_datasets_write_them():
    assert [dataset_symbol(text) for text in ("btcusdt", "XBT/USD", "a:b/c")] == [
        "BTCUSDT",
        "XBT-USD",
        "A-B-C",
    ]
