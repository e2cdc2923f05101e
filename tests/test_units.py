"""Times and durations, to and from text."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickreel.errors import UsageError
from tickreel.units import (
    day_of,
    day_start,
    format_duration,
    format_time,
    human_bytes,
    parse_duration,
    parse_time,
)


@given(st.integers(-(2**60), 2**62))
def test_times_read_back(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns
    assert day_start(day_of(ns)) <= ns < day_start(day_of(ns)) + 86_400 * 10**9


@given(st.integers(0, 2**62))
def test_durations_read_back(ns: int) -> None:
    assert parse_duration(format_duration(ns)) == ns


def test_times_of_every_kind() -> None:
    ns = 1_704_067_200_000_000_000
    for same in ("2024-01-01", "2024-01-01T00:00", "2024-01-01 00:00:00Z", "2024-01-01T02:00:00+02:00",
                 date(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), ns,
                 datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), np.int64(ns), np.uint64(ns)):  # fmt: skip
        assert parse_time(same) == ns
    assert parse_time("2024-01-01T00:00:00.000000001") == ns + 1


@pytest.mark.parametrize(
    "text", ["", "today", "2024-13-01", "2024-02-30", "2024-01-01T25:00", "20240101", "1e9"]
)
def test_other_times_are_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="--from"):
        parse_time(text, "--from")


@pytest.mark.parametrize(
    "value",
    [None, 1.7e18, True, 10**30, -(10**30), b"2024-01-01", np.array([1, 2]), "0001-01-01T00:00+14:00"],
)
def test_what_is_no_time_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UsageError, match="at: "):
        parse_time(value, "at")


@pytest.mark.parametrize(
    ("text", "ns"), [("5ms", 5_000_000), ("1.5s", 1_500_000_000), ("0", 0), ("1d", 86_400 * 10**9)]
)
def test_durations(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize("text", ["", "5", "-1s", "5 lightyears", "0.1ns", "1e3s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--every"):
        parse_duration(text, "--every")


def test_sizes_for_people() -> None:
    assert [human_bytes(n) for n in (5, 1536, 3 * 2**40)] == ["5 B", "1.5 KiB", "3.0 TiB"]
