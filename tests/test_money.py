"""`nanos`, against fractions: exact, rounded once, half to even; compiled, and as plain Python."""

import math
from fractions import Fraction
from types import FunctionType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import engine_runs  # noqa: F401 - sets the folder of machine code
from tickreel.jit import specialised
from tickreel.simulate import money_kernel
from tickreel.simulate.money_kernel import OVERFLOW, nanos
from tickreel.simulate.records import LIMBS

LIMIT = 2**62
LIMBS_USED = np.zeros(LIMBS, np.int64)
plain_nanos = specialised(money_kernel, "nanos", {}, None)
assert isinstance(plain_nanos, FunctionType)


def twin(a: float, b: float, c: float, d: float = 1.0) -> int:
    if not all(map(math.isfinite, (a, b, c, d))):
        return OVERFLOW
    value = round(Fraction(a) * Fraction(b) * Fraction(c) * Fraction(d) * 10**9)
    return value if abs(value) < LIMIT else OVERFLOW


def both(a: float, b: float, c: float, d: float = 1.0) -> int:
    """Return what the compiled and the plain function agree on."""
    LIMBS_USED[:] = -1  # whatever the last call left
    found = nanos(a, b, c, d, LIMBS_USED)
    with np.errstate(over="raise"):
        assert int(plain_nanos(a, b, c, d, LIMBS_USED)) == found
    return int(found)


ANY = st.floats() | st.floats(1e-9, 1e9) | st.integers(-(2**53), 2**53).map(float)
MONEY = st.decimals(min_value="1e-8", max_value="1e6", places=8).map(float)


@settings(max_examples=1500, deadline=None)
@given(ANY, ANY, ANY, ANY)
@example(5e-324, 5e-324, 5e-324, 5e-324)
@example(5e-324, 5e-324, 1e308, 1e308)
@example(1.7976931348623157e308, 5e-324, 1.0, 1.0)
@example(2.2250738585072014e-308, 4e307, 3e5, 1.0)
@example(*[1.9999999999999998] * 4)
@example(-0.0, 1.0, 1.0, 1.0)
@example(0.0, math.inf, 1.0, 1.0)
@example(math.nan, 0.0, 1.0, 1.0)
@example(1.0, 1.0, 1.0, -math.inf)
def test_any_floats(a, b, c, d):
    assert both(a, b, c, d) == twin(a, b, c, d)


@settings(max_examples=500, deadline=None)
@given(MONEY, MONEY, st.sampled_from([1.0, 0.01, 0.0001, 10.0]), st.sampled_from([1.0, 0.0004, -0.0001]))
def test_quantity_price_multiplier_and_rate(quantity, price, multiplier, rate):
    assert both(quantity, price, multiplier, rate) == twin(quantity, price, multiplier, rate)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**33), st.integers(0, 50), st.booleans(), st.sampled_from([0.0, 1.0, -1.0]))
def test_ties_go_to_the_even_side_and_their_neighbours_do_not(odd, shift, negative, nudge):
    """(2k+1) x 2^-10 is (2k+1) x 976562.5 units: half way, whatever k."""
    a = (2 * odd + 1) * 2.0**-shift
    b = 2.0 ** (shift - 10) * (-1 if negative else 1)
    exact = Fraction(a) * Fraction(b) * 10**9
    if abs(exact) < LIMIT:
        assert exact.denominator == 2
        assert both(a, b, 1.0) == twin(a, b, 1.0)
        assert both(a, b, 1.0) % 2 == 0
    beside = math.nextafter(a, a + nudge) if nudge else a
    assert both(beside, b, 1.0) == twin(beside, b, 1.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_amount_is_one_below_2_to_the_62(sign):
    below = Fraction(LIMIT - 1, 10**9)
    a = float(below)
    while Fraction(a) >= below:
        a = math.nextafter(a, 0)
    assert both(a, sign, 1.0) == twin(a, sign, 1.0) != OVERFLOW
    above = math.nextafter(float(Fraction(LIMIT, 10**9)), math.inf)
    assert both(above, sign, 1.0) == OVERFLOW


@settings(max_examples=300, deadline=None)
@given(st.floats(1.0, 2.0), st.integers(-3, 3))
def test_amounts_around_the_limit(a, steps):
    """b is chosen so that a x b is nearly 2^62 units, then moved by some steps of the last digit."""
    b = float(Fraction(LIMIT, 10**9) / Fraction(a))
    for _ in range(abs(steps)):
        b = math.nextafter(b, math.copysign(math.inf, steps))
    assert both(a, b, 1.0) == twin(a, b, 1.0)


def test_an_amount_that_rounds_up_to_the_limit_is_beyond_it():
    """Found by search: a x b x 10^9 lies between 2^62 - 0.5 and 2^62."""
    a, b = rounds_up_to_the_limit()
    assert round(Fraction(a) * Fraction(b) * 10**9) == LIMIT
    assert both(a, b, 1.0) == OVERFLOW


def rounds_up_to_the_limit() -> tuple[float, float]:
    a = 1.0
    while True:
        a = math.nextafter(a, 2.0)
        b = float(Fraction(LIMIT, 10**9) / Fraction(a))
        if LIMIT - Fraction(1, 2) <= Fraction(a) * Fraction(b) * 10**9 < LIMIT:
            return a, b
