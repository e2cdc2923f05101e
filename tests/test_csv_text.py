"""Rows written as CSV: the shortest text of each number, as JavaScript has it, which reads back to the same bits."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from import_sample import START_US, put, take
from tickreel.cli.app import run
from tickreel.codecs.decimals import FLOAT_BITS, MAX_SCALE, NULL_MANTISSA
from tickreel.schema import RECORD_TYPES
from tickreel.sources.csv_text import number_texts
from tickreel.store.catalog import Store
from twin_csv import bits

ODD_FLOATS = (-0.0, 0.0, float("nan"), 5e-324, 1.7976931348623157e308, -1e-7, 1e21, 1e22, 123456789.0)


def shortest(value: float) -> str:
    """Return the figures of Python's repr, point and exponent where JavaScript puts them; NaN is empty."""
    if value != value:
        return ""
    exact, sign = Decimal(repr(abs(value))), "-" if np.signbit(value) else ""
    digits, power = "".join(map(str, exact.as_tuple().digits)).rstrip("0") or "0", exact.adjusted()
    if value == 0:
        return f"{sign}0"
    if not -7 < power < 21:
        return f"{sign}{digits[0]}{digits[1:] and '.'}{digits[1:]}e{power:+d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    whole, fraction = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return f"{sign}{whole}{fraction and '.'}{fraction}"


@settings(deadline=None)
@given(st.lists(st.floats(allow_infinity=False) | st.sampled_from(ODD_FLOATS), min_size=1, max_size=20))
def test_floats_are_written_as_javascript_does(values: list[float]) -> None:
    texts = number_texts(np.array(values).view(np.int64), FLOAT_BITS).tolist()
    assert [text.decode() for text in texts] == [shortest(value) for value in values]
    assert [bits(float(text) if text else None) for text in texts] == [
        bits(None if value != value else value) for value in values
    ]


@settings(deadline=None)
@given(
    st.lists(st.integers(-(2**53), 2**53) | st.integers(-99, 99) | st.just(NULL_MANTISSA), min_size=1),
    st.integers(0, MAX_SCALE),
)
def test_decimals_are_written_as_their_floats(integers: list[int], scale: int) -> None:
    texts = number_texts(np.array(integers), scale).tolist()
    values = [float("nan") if integer == NULL_MANTISSA else integer / 10**scale for integer in integers]
    assert [text.decode() for text in texts] == [shortest(value) for value in values]


@pytest.mark.parametrize("optimise", ["balanced", "plain"])
def test_a_negative_zero_comes_out_and_in_again(tmp_path: Path, capfd, optimise: str) -> None:
    record, day = RECORD_TYPES["derivative_ticker"], "binance_derivative_ticker_2024-01-01_BTCUSDT.csv"
    cells = dict.fromkeys(record.csv_header, "") | {"exchange": "binance", "symbol": "BTCUSDT"}
    lines = [
        ",".join((cells | {"timestamp": us, "local_timestamp": us, "funding_rate": rate}).values())
        for us, rate in ((str(START_US + n), rate) for n, rate in enumerate(("-0", "0.0001", "", "0")))
    ]
    source = "\n".join([",".join(record.csv_header), *lines, ""]).encode()
    for name in ("first", "again"):
        root = tmp_path / name
        take(Store(root), put(tmp_path / name / day, source), optimise=optimise)
        assert run(["show", "--store", str(root), "--symbol", "BTCUSDT", "--type", "derivative_ticker",
                    "--format", "csv", "--limit", "0"]) == 0  # fmt: skip
        assert capfd.readouterr().out.encode() == source
        (key,) = Store(root).find()
        rates = Store(root).open(key).read("funding_rate", 0)
        assert [bits(rate) for rate in rates.tolist()] == [bits(-0.0), bits(0.0001), bits(None), bits(0.0)]
