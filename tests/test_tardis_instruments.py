"""Tardis' instruments JSON of every venue: what is read, and what is refused with its place."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument_sample import ITEMS
from tickreel.errors import InputError, UsageError
from tickreel.instruments import Instrument
from tickreel.instruments.money import money_facts
from tickreel.instruments.venues import venue_facts
from tickreel.sources.tardis_instruments import read_item, split_items
from tickreel.units import parse_time

DAY = parse_time("2024-01-01")


def read(item: dict, **change: object) -> Instrument:
    merged = {name: value for name, value in {**item, **change}.items() if value is not ...}
    return read_item(json.dumps(merged).encode(), "f.json", index=3)


def whole(instrument: Instrument) -> Instrument:
    """Return the instrument with the venue's rules below, as a run sees it."""
    rules = venue_facts(instrument.exchange, instrument.symbol)
    return Instrument(instrument.exchange, instrument.symbol, (*instrument.facts, *rules))


@pytest.mark.parametrize(
    ("venue", "symbol", "kind", "contract", "multiplier", "currency"),
    [
        ("binance", "BTCUSDT", "spot", "linear", "1", "BTC"),
        ("binance-futures", "BTCUSDT_240628", "future", "linear", "1", "BTC"),
        ("binance-delivery", "BTCUSD_PERP", "perpetual", "inverse", "100", "USD"),
        # What one of `amount` is there no document tells, so Tardis' 1 is not taken.
        ("bybit", "BTCUSD", "perpetual", "inverse", None, "USD"),
        ("okex-swap", "BTC-USDT-SWAP", "perpetual", "linear", "0.01", "BTC"),
        # Amounts are in the coin there: the 1000 of its JSON is not what one of `amount` stands for.
        ("deribit", "AVAX_USDC-29MAY26-8D6-P", "option", "linear", "1", "AVAX"),
        ("bitmex", "ETHUSD", "perpetual", "quanto", "0.000001", None),
    ],
)
def test_each_venue(venue, symbol, kind, contract, multiplier, currency):
    instrument = whole(read(ITEMS[venue]))
    terms = instrument.at(DAY)
    assert (instrument.exchange, instrument.symbol) == (venue, symbol)
    assert (terms.kind, terms.contract, terms.multiplier) == (
        kind,
        contract,
        multiplier and Decimal(multiplier),
    )
    assert terms.multiplier_currency == currency
    assert terms.tick == Decimal(str(ITEMS[venue]["priceIncrement"]))
    assert terms.lot == Decimal(str(ITEMS[venue]["amountIncrement"]))


def test_all_fields_of_an_option():
    terms = read(ITEMS["deribit"]).at(DAY)
    assert (terms.base, terms.quote, terms.settlement) == ("AVAX", "USDC", "USDC")
    assert (terms.option_type, terms.strike) == ("put", Decimal("8.6"))
    assert terms.expiry == parse_time("2026-05-29T08:00")
    assert terms.listed == parse_time("2019-03-30")
    assert terms.facts["listed"].source == "Tardis (f.json), availableSince"
    assert terms.facts["tick"].source == "Tardis (f.json)"


def test_numbers_are_exact_as_texts_and_as_numbers():
    for value in ("0.1000000000000000055511151231257827", 0.1, "0.1", "1e-7"):
        found = read(ITEMS["binance"], priceIncrement=value).at(DAY).tick
        assert found == Decimal(str(value))
    raw = json.dumps(ITEMS["binance"]).replace("0.01,", "0.01000000000000000020816681711721685,", 1)
    assert read_item(raw.encode(), "f").at(DAY).tick == Decimal("0.01000000000000000020816681711721685")


def test_changes_hold_until_their_very_nanosecond():
    instrument = read(ITEMS["okex-swap"])
    at = {"2020-06-01": ("1", "0.5"), "2022-01-01": ("0.5", "0.1")}
    for day, (before, after) in at.items():
        moment = parse_time(day)
        assert instrument.at(moment - 1).tick == Decimal(before)
        assert instrument.at(moment).tick == Decimal(after)
    moment = parse_time("2022-01-01")
    assert (instrument.at(moment - 1).multiplier, instrument.at(moment).multiplier) == (
        Decimal("0.1"),
        Decimal("0.01"),
    )
    assert instrument.at(parse_time("2020-05-31")).multiplier == Decimal("0.1")
    tick = instrument.at(moment - 1).facts["tick"]
    assert (tick.from_ns, tick.to_ns) == (parse_time("2020-06-01"), moment)


def test_a_change_of_null_says_that_the_value_was_not_known():
    instrument = read(ITEMS["binance"], changes=[{"until": "2023-01-01", "minNotional": None}])
    assert instrument.at(parse_time("2023-01-01") - 1).min_notional is None
    assert instrument.at(parse_time("2023-01-01")).min_notional == 5


@pytest.mark.parametrize("size", [1, 10, "0.01", ...])
@pytest.mark.parametrize("kind", ["perpetual", "future", "option"])
def test_of_a_venue_without_a_rule_no_multiplier_is_sure(kind, size):
    """Even 1 may be a dollar: only spot is known to count the base coin."""
    instrument = read(ITEMS["binance-futures"], exchange="somewhere", type=kind, contractMultiplier=size)
    assert (instrument.at(DAY).contract, instrument.at(DAY).multiplier) == ("linear", None)
    with pytest.raises(
        UsageError, match=r"^refused: its multiplier .* no money; write somewhere\.BTCUSDT_240628 ="
    ):
        money_facts(whole(instrument), DAY, DAY + 1)
    spot = {"type": "spot", "contractType": ..., "inverse": ..., "contractMultiplier": ...}
    assert read(ITEMS["binance-futures"], exchange="somewhere", **spot).at(DAY).multiplier == 1


@pytest.mark.parametrize(
    ("change", "contract"),
    [
        ({}, "linear"),
        ({"inverse": ...}, "linear"),
        ({"contractType": ...}, "linear"),
        ({"contractType": ..., "inverse": ...}, None),
        ({"contractType": ..., "inverse": True}, "inverse"),
        # Not inverse may be quanto: a price in USD that is paid in BTC.
        ({"contractType": ..., "quoteCurrency": "USD", "settlementCurrency": "BTC"}, None),
        ({"contractType": ..., "quoteCurrency": "USD", "settlementCurrency": ...}, None),
        (
            {"contractType": ..., "quoteCurrency": "USD", "settlementCurrency": "BTC", "quanto": False},
            "linear",
        ),
        ({"contractType": ..., "changes": [{"until": "2020-01-01", "settlementCurrency": "BTC"}]}, None),
        ({"contractType": "put_option", "type": "option", "settlementCurrency": "BTC"}, None),
        ({"contractType": "quanto_future", "settlementCurrency": "BTC"}, "quanto"),
        ({"contractType": "quanto_future", "inverse": ...}, "quanto"),
        ({"contractType": "linear_xperp"}, "linear"),
        ({"contractType": "call_option", "inverse": True}, "inverse"),
        ({"contractType": "call_option", "inverse": ...}, None),
        ({"contractType": "spread"}, None),
        ({"contractType": "interest_rate_swap"}, None),
        ({"contractType": ..., "quanto": True}, "quanto"),
    ],
)
def test_linear_inverse_and_quanto(change, contract):
    assert read(ITEMS["binance-futures"], exchange="somewhere", **change).at(DAY).contract == contract


def test_the_venue_s_own_dates_come_before_those_of_the_recording():
    change = {"listing": "2020-01-01", "expiry": "2024-06-28", "availableTo": "2024-06-27"}
    terms = read(ITEMS["binance-futures"], **change).at(DAY)
    assert (terms.listed, terms.expiry) == (parse_time("2020-01-01"), parse_time("2024-06-28"))
    terms = read(ITEMS["binance"], availableTo="2024-06-27").at(DAY)
    assert terms.expiry == parse_time("2024-06-27")
    assert terms.facts["expiry"].source.endswith("availableTo")


WRONG = [
    ({"exchange": ...}, r"f\.json\[3\]\.exchange: nothing; a text belongs there"),
    ({"id": 5}, r"f\.json\[3\]\.id: 5; a text belongs there"),
    ({"datasetId": ""}, r"f\.json\[3\]\.datasetId: ''; a text belongs there"),
    ({"type": ...}, r"f\.json\[3\]\.type: nothing; one of spot, perpetual, future, .* belongs there"),
    ({"type": "swap"}, r"f\.json\[3\]\.type: 'swap'; one of spot"),
    ({"priceIncrement": 0}, r"f\.json\[3\]\.priceIncrement: 0; a number above 0 belongs there"),
    ({"priceIncrement": -0.5}, r"f\.json\[3\]\.priceIncrement: -0\.5; a number above 0"),
    ({"amountIncrement": "x"}, r"f\.json\[3\]\.amountIncrement: 'x'; a number above 0"),
    ({"contractMultiplier": True}, r"f\.json\[3\]\.contractMultiplier: True; a number above 0"),
    ({"takerFee": 5}, r"f\.json\[3\]\.takerFee: 5; a fraction between -0\.1 and 0\.1"),
    ({"inverse": "no"}, r"f\.json\[3\]\.inverse: 'no'; true or false belongs there"),
    ({"inverse": True}, r"f\.json\[3\]\.contractType: 'linear_future'; a contract type that is inverse"),
    (
        {"contractType": "inverse_future", "settlementCurrency": "BTC"},
        r"f\.json\[3\]\.contractType: 'inverse_future'; a contract type that is not inverse",
    ),
    ({"contractType": "quanto_future"}, r"contractType: 'quanto_future'; a contract type that is linear"),
    ({"expiry": "soon"}, r"f\.json\[3\]\.expiry: 'soon'; an ISO 8601 time"),
    ({"availableTo": 7}, r"f\.json\[3\]\.availableTo: 7; an ISO 8601 time"),
    ({"changes": {}}, None),
    ({"changes": 5}, r"f\.json\[3\]\.changes: 5; a list of objects"),
    ({"changes": [5]}, r"f\.json\[3\]\.changes: \[5\]; a list of objects"),
    ({"changes": [{"makerFee": 0}]}, r"f\.json\[3\]\.changes\[0\]\.until: nothing; an ISO 8601 time"),
    ({"changes": [{"until": "2020-01-01", "makerFee": "x"}]}, r"changes\[0\]\.makerFee: 'x'"),
    (
        {"changes": [{"until": "2020-01-01", "inverse": True}]},
        r"changes\[0\]\.inverse: True; False, which does",
    ),
    (
        {"changes": [{"until": "2020-01-01", "makerFee": 0}] * 2},
        r"changes: .*; one value of makerFee for each",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_item_is_refused_with_file_index_field_value_and_what_belongs_there(change, message):
    if message is None:
        assert read(ITEMS["binance-futures"], **change)
        return
    with pytest.raises(InputError, match=message):
        read(ITEMS["binance-futures"], **change)


@pytest.mark.parametrize("data", [b"", b"[", b"{}{}", b"nonsense", b"[1", b"\xff"])
def test_a_file_that_is_no_json_is_refused_by_name(data):
    with pytest.raises(InputError, match=r"f\.json: .*a list of Tardis' instruments, or one, belongs there"):
        split_items(data, "f.json")


def test_a_list_and_a_single_object():
    one, two = (json.dumps(ITEMS[name], indent=2).encode() for name in ("binance", "bybit"))
    assert [json.loads(raw)["id"] for raw in split_items(b" [" + one + b"," + two + b"]\n", "f")] == [
        "btcusdt",
        "BTCUSD",
    ]
    assert [json.loads(raw)["id"] for raw in split_items(b"\n" + one, "f")] == ["btcusdt"]
    with pytest.raises(InputError, match=r"f\[0\]: b'5'; an object belongs there"):
        read_item(b"5", "f")


def test_an_answer_that_is_an_error_is_refused():
    with pytest.raises(InputError, match=r"f\[0\]\.exchange: nothing"):
        read_item(b'{"code": 401, "message": "no key"}', "f")


def test_an_okx_swap_is_money_once_its_multiplier_is_known():
    found = money_facts(whole(read(ITEMS["okex-swap"])), DAY, DAY + 1)
    assert {name: str(fact.value) for name, fact in found.items()} == {
        "kind": "perpetual",
        "contract": "linear",
        "multiplier": "0.01",
    }


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["until", "id"]), inner, max_size=2)
    ),
    max_leaves=4,
)
FIELDS = sorted({field for item in ITEMS.values() for field in item} | {"availableTo", "listing"})


@given(st.sampled_from(sorted(ITEMS)), st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=3))
def test_whatever_stands_in_a_field_is_read_or_refused(venue, change):
    try:
        read(ITEMS[venue], **change).at(DAY)
    except InputError as error:
        assert str(error).startswith("f.json[3]")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"id": 1e99999999999999999999}'])
def test_what_python_cannot_hold_is_refused(raw):
    with pytest.raises(InputError, match=r"^f"):
        for item in split_items(raw, "f"):
            read_item(item, "f")
