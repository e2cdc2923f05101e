"""Figures against published values and against plain-Python twins."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickreel.errors import UsageError
from tickreel.measure import (
    Account,
    Conventions,
    Trading,
    add_curves,
    downsample,
    drawdown_curve,
    hold_return,
    keep_extremes,
    performance,
    portfolio_performance,
    trading_of,
    within,
)
from tickreel.units import NS_PER_DAY, parse_time

START = parse_time("2024-01-01")
FEW = Conventions(min_samples=2)
EMPYRICAL_PERCENT = [1, 10, -4, 2, 3, 2, 1, -10]
BUY, SELL = 1, 2


def days(count: int) -> np.ndarray:
    return START + np.arange(count, dtype=np.int64) * NS_PER_DAY


def curve(percents: list[float], capital: float = 100.0) -> np.ndarray:
    return capital * np.cumprod([1.0, *(1 + p / 100 for p in percents)])


def close(found: float | None, wanted: float | None, tolerance: float = 1e-9) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, rel_tol=tolerance, abs_tol=1e-12)


# Published values --------------------------------------------------------------------------


def test_empyrical_reference_values() -> None:
    found = performance(days(9), curve(EMPYRICAL_PERCENT), conventions=replace(FEW, periods_per_year=252))
    assert close(found.sharpe, 1.7238613961706866)
    assert close(found.volatility, 0.9136465399704637)
    assert close(found.max_drawdown_sampled, 0.1)


def test_risk_free_rate_is_spread_over_the_periods() -> None:
    conventions = replace(FEW, periods_per_year=252, risk_free=0.02)
    found = performance(days(9), curve(EMPYRICAL_PERCENT), conventions=conventions)
    wanted = (np.mean(EMPYRICAL_PERCENT) / 100 - 0.02 / 252) / (np.std(EMPYRICAL_PERCENT, ddof=1) / 100)
    assert close(found.sharpe, wanted * math.sqrt(252))


# Twins ----------------------------------------------------------------------------------------


def twin_risk(equity: list[float], rf: float, periods: float) -> dict[str, float | None]:
    returns = [b / a - 1 for a, b in pairwise(equity)]
    n = len(returns)
    mean = sum(returns) / n
    deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / (n - 1))
    downside = math.sqrt(sum(min(r - rf, 0.0) ** 2 for r in returns) / n)
    peak, deepest = equity[0], 0.0
    for value in equity:
        peak = max(peak, value)
        deepest = max(deepest, 1 - value / peak)
    return {
        "volatility": deviation * math.sqrt(periods),
        "sharpe": (mean - rf) / deviation * math.sqrt(periods) if deviation >= 1e-14 else None,
        "sortino": (mean - rf) / downside * math.sqrt(periods) if downside >= 1e-14 else None,
        "max_drawdown_sampled": deepest,
        "total_return": equity[-1] / equity[0] - 1,
    }


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(-3000, 3000).map(lambda bps: bps / 100), min_size=2, max_size=80),
    st.sampled_from([0.0, 0.02, 0.5]),
    st.sampled_from([None, 252.0]),
)
def test_risk_figures_equal_the_twin(percents: list[float], risk_free: float, periods: float | None) -> None:
    conventions = replace(FEW, risk_free=risk_free, periods_per_year=periods)
    equity = curve(percents)
    found = performance(days(len(equity)), equity, conventions=conventions)
    wanted = twin_risk(equity.tolist(), risk_free / conventions.periods, conventions.periods)
    for name, value in wanted.items():
        assert close(getattr(found, name), value, 1e-7), name
        assert (name in found.reasons) == (value is None)
    assert found.periods == len(percents)


def twin_trips(fills: list[tuple[int, float, float, int, float]]) -> list[float]:
    """Walk the fills one by one; a fill through zero is split there."""
    results, held, result = [], 0.0, 0.0
    for side, quantity, price, fee_nanos, position in fills:
        cash = (-1 if side == BUY else 1) * quantity * price - fee_nanos / 1e9
        if abs(position) <= 1e-9 * quantity:
            position = 0.0
        if held * position < 0:
            closing = abs(held) / (abs(held) + abs(position))
            results.append(result + cash * closing)
            result = cash * (1 - closing)
        else:
            result += cash
            if position == 0:
                results.append(result)
                result = 0.0
        held = position
    return results


@st.composite
def fill_lists(draw: st.DrawFn) -> list[tuple[int, float, float, int, float]]:
    """Fills whose positions are sums of tenths, so that float residue occurs as it does in a run."""
    fills, tenths, position = [], 0, 0.0
    for _ in range(draw(st.integers(0, 30))):
        lots = draw(st.integers(1, 5))
        side = draw(st.sampled_from([BUY, SELL]))
        sign = 1 if side == BUY else -1
        tenths += sign * lots
        position += sign * lots * 0.1
        price, fee = draw(st.integers(1, 500)) / 4, draw(st.integers(-(10**8), 10**9))
        fills.append((side, lots * 0.1, price, fee, position))
    return fills


@settings(max_examples=100, deadline=None)
@given(fill_lists())
def test_round_trips_equal_the_twin(fills: list[tuple[int, float, float, int, float]]) -> None:
    found = traded(fills)
    results = twin_trips(fills)
    assert found.trips == len(results)
    assert close(found.gross_profit, sum(r for r in results if r > 0), 1e-6)
    assert close(found.gross_loss, -sum(r for r in results if r < 0), 1e-6)
    near_zero = sum(abs(r) < 1e-9 for r in results)
    assert abs(found.wins - sum(r > 0 for r in results)) <= near_zero
    assert found.fees_nanos == sum(fill[3] for fill in fills)
    assert close(found.notional, sum(fill[1] * fill[2] for fill in fills))


def traded(fills: list[tuple[int, float, float, int, float]]) -> Trading:
    side, quantity, price, fee, position = zip(*fills) if fills else ((), (), (), (), ())
    return trading_of(
        np.array(side, np.uint8),
        np.array(quantity, float),
        np.array(price, float),
        fee_nanos=np.array(fee, np.int64),
        position=np.array(position, float),
    )


def test_a_flip_ends_one_trip_and_begins_the_next() -> None:
    fee = 3 * 10**9
    found = traded([(BUY, 1, 10, 0, 1), (SELL, 3, 12, fee, -2), (BUY, 2, 15, 0, 0)])
    assert (found.trips, found.wins) == (2, 1)
    assert close(found.gross_profit, 12 - 10 - 1)
    assert close(found.gross_loss, 2 * 15 - 2 * 12 + 2)


def test_a_trip_that_breaks_even_is_no_win() -> None:
    found = traded([(BUY, 1, 10, 0, 1), (SELL, 1, 10, 0, 0)])
    assert (found.trips, found.wins, found.gross_profit, found.gross_loss) == (1, 0, 0.0, 0.0)


def test_a_residue_of_floating_point_is_flat_and_an_open_trip_is_not_counted() -> None:
    assert 0.1 + 0.2 - 0.3 != 0
    fills = [(BUY, 0.1, 10, 0, 0.1), (BUY, 0.2, 10, 0, 0.1 + 0.2), (SELL, 0.3, 11, 0, 0.1 + 0.2 - 0.3)]
    assert traded(fills).trips == 1
    assert traded([*fills, (BUY, 1.0, 10, 0, 1.0)]).trips == 1


# Figures by hand ---------------------------------------------------------------------------


def test_trading_figures() -> None:
    fills = [
        (BUY, 1, 100, 10**8, 1),
        (SELL, 1, 110, 10**8, 0),
        (SELL, 1, 110, 0, -1),
        (BUY, 1, 115, 0, 0),
    ]
    trading = replace(traded(fills), orders=5, in_position_ns=25, total_ns=100)
    found = performance(days(2), np.array([1000.0, 1004.8]), 0.007, trading=trading, buy_and_hold=0.15)
    assert (found.orders, found.fills, found.round_trips) == (5, 4, 2)
    assert close(found.fees, 0.2)
    assert close(found.turnover, 435 / 1002.4)
    assert close(found.exposure, 0.25)
    assert close(found.hit_rate, 0.5)
    assert close(found.profit_factor, 9.8 / 5)
    assert close(found.average_trade, 4.8 / 2)
    assert (found.max_drawdown, found.buy_and_hold) == (0.007, 0.15)
    assert found.max_drawdown_sampled == 0.0
    assert hold_return(200.0, 230.0) == 230 / 200 - 1
    assert hold_return(0.0, 230.0) is None
    assert hold_return(200.0, math.nan) is None


def test_annual_return_and_calmar() -> None:
    equity = np.full(74, 1000.0)
    equity[-1] = 1100.0
    found = performance(days(74), equity, 0.2)
    assert close(found.annual_return, 1.1**5 - 1)
    assert close(found.calmar, (1.1**5 - 1) / 0.2)
    assert performance(days(30), equity[-30:], 0.2).reasons["annual_return"] == "29 days; 30 are needed"


def test_months_end_on_the_first_instant_of_the_next() -> None:
    equity = np.linspace(100.0, 200.0, 61)
    found = performance(days(61), equity).months
    assert list(found) == ["2024-01", "2024-02"]
    assert close(found["2024-01"], equity[31] / equity[0] - 1)
    assert close(found["2024-02"], equity[60] / equity[31] - 1)
    assert datetime.fromtimestamp(days(61)[60] / 1e9, UTC).date().isoformat() == "2024-03-01"


def test_a_missing_boundary_repeats_the_sample_and_a_part_of_a_period_is_left_out() -> None:
    times, equity = days(41), curve([1, -2, 3, 0, 0, 4, -1, 2] * 5)
    gap = np.delete(np.arange(41), [4, 5, 12, 13])  # rows whose return is 0
    full = performance(times, equity)
    assert performance(times[gap], equity[gap]).sharpe == pytest.approx(full.sharpe, rel=1e-12)
    part = np.append(times, times[-1] + NS_PER_DAY // 2)
    with_part = performance(part, np.append(equity, equity[-1] * 2))
    assert (with_part.periods, with_part.sharpe) == (full.periods, full.sharpe)
    assert close(with_part.total_return, (1 + full.total_return) * 2 - 1)


def test_samples_closer_than_the_interval_count_at_its_boundaries() -> None:
    hourly = START + np.arange(200, dtype=np.int64) * (NS_PER_DAY // 24)
    found = performance(hourly, np.linspace(100, 120, 200))
    assert found.sharpe is None
    assert found.reasons["sharpe"] == "8 whole periods of 1d; 30 are needed"


# What is not defined -----------------------------------------------------------------------


def test_only_intervals_wholly_inside_count_and_the_rest_counts_for_the_return() -> None:
    hour = NS_PER_DAY // 24
    times = START + np.arange(41, dtype=np.int64) * NS_PER_DAY
    equity = curve([1, -2, 3, 0, 0, 4, -1, 2] * 5)
    begin, end = int(times[0]) + 5 * hour, int(times[-1]) - 3 * hour
    found = performance(*within(times, equity, (begin, end)))
    whole = performance(times[1:-1], equity[1:-1])
    assert found.periods == whole.periods == 38
    assert (found.sharpe, found.volatility) == (whole.sharpe, whole.volatility)
    assert found.total_return == equity[-1] / equity[0] - 1
    days = 40 - 8 / 24
    assert close(found.annual_return, (1 + found.total_return) ** (365 / days) - 1)


def test_a_curve_says_the_same_whatever_its_grid_covers() -> None:
    short = (days(41), curve([1, -2, 3, 0, 0, 4, -1, 2] * 5))
    times = START + np.arange(-30, 80, dtype=np.int64) * NS_PER_DAY
    wide = np.concatenate((np.full(30, short[1][0]), short[1], np.full(39, short[1][-1])))
    range_ns = (START + 7, START + 39 * NS_PER_DAY + 5)
    assert performance(*within(times, wide, range_ns)) == performance(*within(*short, range_ns))
    account = Account(times, wide, None, Trading(), None, range_ns)
    later = account._replace(range_ns=(START + NS_PER_DAY, START + 50 * NS_PER_DAY))
    assert portfolio_performance([account, later])[2].periods == 49


def test_what_is_not_defined_is_none_with_a_reason() -> None:
    found = performance(days(40), np.full(40, 100.0))
    assert found.volatility == 0.0
    assert found.reasons["sharpe"] == "equity returns do not vary"
    assert found.reasons["sortino"] == "no period below the risk-free rate"
    assert found.reasons["calmar"] == "no drawdown"
    assert found.reasons["hit_rate"] == "no round trip"
    assert found.reasons["profit_factor"] == "no losing round trip"
    assert found.reasons["max_drawdown"] == "not measured at event resolution"
    assert found.reasons["buy_and_hold"] == "no price"
    for name, reason in found.reasons.items():
        assert getattr(found, name) is None and reason
    steady = performance(days(40), 100 * 1.01 ** np.arange(40))
    assert steady.reasons["sharpe"] == "equity returns do not vary"
    short = performance(days(20), np.linspace(100, 110, 20))
    assert short.reasons["sharpe"] == "19 whole periods of 1d; 30 are needed"


@pytest.mark.parametrize("values", [[100, 50, 0, 10], [100, -20, -30, -40], [0, 1, 2, 3], [-5, -6, -4, -3]])
def test_equity_of_zero_or_below_is_said(values: list[float]) -> None:
    found = performance(days(4), np.array(values, float), 0.5, conventions=FEW)
    assert "equity is" in found.reasons["sharpe"]
    for name in ("volatility", "sharpe", "sortino"):
        assert getattr(found, name) is None
    if values[0] <= 0:
        assert found.total_return is None and found.max_drawdown_sampled is None
        assert None in found.months.values() and "months" in found.reasons
    else:
        assert close(found.total_return, values[-1] / values[0] - 1)
        assert close(found.max_drawdown_sampled, max(1 - v / 100 for v in values))


def test_an_explosive_return_is_too_large_to_state() -> None:
    equity = np.full(40, 1.0)
    equity[-1] = 1e50
    assert performance(days(40), equity).reasons["annual_return"] == "too large to state"


@pytest.mark.parametrize(
    ("times", "equity", "words"),
    [
        ([], [], "no sample"),
        ([1, 2], [1.0], "1 values for 2 times"),
        ([2, 2], [1.0, 1.0], "row 1"),
        ([1, 2], [1.0, math.nan], "nan at"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(times: list[int], equity: list[float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        performance(np.array(times, np.int64), np.array(equity, float))


def test_conventions_say_themselves_and_refuse_nonsense() -> None:
    assert Conventions().periods == 365
    assert Conventions(interval_ns=NS_PER_DAY // 24).periods == 8760
    guide = Conventions(periods_per_year=252, risk_free=0.02).text()
    for part in ("every 1d", "UTC", "252 periods", "2 % a year", "ddof 1", "simple returns", "at least 30"):
        assert part in guide
    assert "\n" not in guide
    bad = [
        {"interval_ns": 0},
        {"periods_per_year": 0},
        {"risk_free": math.nan},
        {"ddof": 2},
        {"min_samples": 1},
    ]
    for setting in bad:
        with pytest.raises(UsageError):
            Conventions(**setting)


# Portfolio ---------------------------------------------------------------------------------


def test_curves_are_added_on_the_union_of_their_times() -> None:
    times, total = add_curves(
        [
            (np.array([10, 20, 30]), np.array([1.0, 2.0, 3.0])),
            (np.array([20, 40]), np.array([100.0, 200.0])),
        ]
    )
    assert times.tolist() == [10, 20, 30, 40]
    assert total.tolist() == [101.0, 102.0, 103.0, 203.0]
    with pytest.raises(UsageError, match="no account"):
        add_curves([])


def test_portfolio_is_the_sum_of_its_accounts() -> None:
    rises, falls = curve([1] * 40, 300.0), curve([-1] * 40, 100.0)
    accounts = [
        Account(days(41), rises, 0.01, Trading(orders=2, fills=2, trips=1, wins=1, gross_profit=5.0), 0.5),
        Account(days(41), falls, 0.4, Trading(orders=3, fills=3, trips=1, gross_loss=2.0), -0.1),
        Account(days(41), np.full(41, 100.0), 0.0, Trading(), None),
    ]
    times, equity, found = portfolio_performance(accounts)
    assert times.tolist() == days(41).tolist()
    assert np.allclose(equity, rises + falls + 100.0, rtol=1e-15)
    assert (found.orders, found.fills, found.round_trips) == (5, 5, 2)
    assert close(found.hit_rate, 0.5) and close(found.profit_factor, 2.5)
    assert close(found.buy_and_hold, (300 * 0.5 - 100 * 0.1) / 500)
    assert found.max_drawdown is None and found.max_drawdown_sampled is not None
    assert portfolio_performance(accounts[1:2])[2].max_drawdown == 0.4


def test_drawdown_curve() -> None:
    assert drawdown_curve(np.array([100.0, 120.0, 90.0, 150.0])).tolist() == [0.0, 0.0, 0.25, 0.0]
    assert drawdown_curve(np.array([-1.0, -2.0])).tolist() == [0.0, 0.0]


# Down-sampling -----------------------------------------------------------------------------


def twin_keep(times: list[int], values: list[float], points: int) -> list[int]:
    if len(times) <= points:
        return list(range(len(times)))
    width = (times[-1] - times[0]) // (points // 4) + 1
    buckets: dict[int, list[int]] = {}
    for row, time in enumerate(times):
        buckets.setdefault((time - times[0]) // width, []).append(row)
    kept = set()
    for rows in buckets.values():
        numbers = [row for row in rows if not math.isnan(values[row])]
        kept |= {rows[0], rows[-1]}
        if numbers:
            kept |= {min(numbers, key=lambda r: values[r]), max(numbers, key=lambda r: values[r])}
    return sorted(kept)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3 * 10**15), st.sampled_from([0.0, 1.0, -1.0, 2.5, math.nan, math.inf])),
        max_size=120,
    ),
    st.integers(4, 40),
)
def test_kept_points_equal_the_twin(rows: list[tuple[int, float]], points: int) -> None:
    steps, values = zip(*rows) if rows else ((), ())
    times = np.cumsum(np.array(steps, np.int64))
    kept = keep_extremes(times, np.array(values, float), points)
    assert kept.tolist() == twin_keep(times.tolist(), list(values), points)
    assert len(kept) <= max(points, 4)


def test_spikes_of_a_million_points_survive() -> None:
    times = START + np.arange(1_000_000, dtype=np.int64) * 1_000_000_000
    values = np.sin(np.arange(1_000_000) / 5e4)
    values[123_457], values[765_433] = 9.0, -9.0
    kept_times, kept = downsample(times, values, 2000)
    assert len(kept) <= 2000
    assert kept.max() == 9.0 and kept.min() == -9.0
    assert kept_times[0] == times[0] and kept_times[-1] == times[-1]
    assert (np.diff(kept_times) > 0).all()
    with pytest.raises(UsageError, match="points: 3"):
        downsample(times, values, 3)


def test_conventions_in_brief_say_all_that_a_sharpe_ratio_rests_on() -> None:
    brief = Conventions(interval_ns=NS_PER_DAY // 24, periods_per_year=252, risk_free=0.02).brief()
    assert brief == "simple returns of 1h (UTC), 252 periods a year, ddof 1, risk-free 2 % a year"
