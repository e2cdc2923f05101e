"""Which rows are partners, beside the slow twin: any rows, any windows, any tolerances, compiled and plain."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin_compare as twin
from counts import SOAK
from tickreel.quality import compare_terms as terms_of
from tickreel.quality.compare_day import match_windows
from tickreel.quality.compare_rows import empty_window
from tickreel.quality.compare_terms import FIELDS, NO_ID, Terms, Window
from tickreel.quality.offsets import ends_ns
from tickreel.quality.times_kernel import PLACES

PRICES = st.sampled_from(
    [None, *map(Decimal, ("0", "0.1", "0.3", "100.01", "100.02", "100.03", "-1", "1e-7"))]
)
AMOUNTS = st.sampled_from([*map(Decimal, ("1", "1.5", "2"))])
IDS = st.one_of(st.none(), st.integers(0, 12))
TOLERANCES = st.sampled_from([*map(Decimal, ("0", "0.01", "0.02", "1"))])
MOST = 1 << 20
EXAMPLES = 600


@st.composite
def feeds(draw: st.DrawFn) -> tuple[list[twin.Row], list[twin.Row]]:
    """Return the rows of A, and as those of B the same ones: late, permuted, left out, doubled, altered."""
    with_ids = draw(st.booleans())
    cells = st.tuples(
        st.integers(0, 3), st.integers(0, 9), PRICES, AMOUNTS, st.sampled_from([0, 0, 1, 256]), IDS
    )
    a, order = [], 100
    for number, (step, exchange, price, amount, rest, id) in enumerate(draw(st.lists(cells, max_size=24))):
        order += step * step
        a.append(twin.Row(number, order, order, exchange, price, amount, rest, id if with_ids else None))
    changes = st.tuples(
        st.sampled_from(["keep", "keep", "keep", "drop", "double", "price", "time", "fee"]), st.integers(0, 6)
    )
    lag, b = draw(st.integers(-4, 8)), []
    for row in a:
        what, late = draw(changes)
        moved = replace(row, own_ns=row.own_ns + lag + (late if late > 4 else 0))
        if what == "price":
            moved = replace(moved, price=draw(PRICES))
        if what == "time":
            moved = replace(moved, exchange_ns=moved.exchange_ns + draw(st.integers(-2, 2)))
        if what == "fee":
            moved = replace(moved, rest=moved.rest ^ 512)
        b += [moved] * {"drop": 0, "double": 2}.get(what, 1)
    b.sort(key=lambda row: row.own_ns)
    return a, [replace(row, number=number, order_ns=row.own_ns) for number, row in enumerate(b)]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[twin.Row], list[twin.Row]]:
    """Return rows of two feeds of which many are equal or near: who gets whom is all that matters."""
    with_ids = draw(st.sampled_from([0, 0, 1]))
    cells = st.tuples(
        st.integers(0, 2), st.integers(0, 4), st.sampled_from([*map(Decimal, ("1", "1.01", "1.02"))]),
        st.integers(0, with_ids), st.integers(0, 3),
    )  # fmt: skip
    both = []
    for rows in (draw(st.lists(cells, max_size=14)), draw(st.lists(cells, max_size=14))):
        order, made = 100, []
        for number, (step, exchange, price, has_id, id) in enumerate(rows):
            order += step
            made.append(
                twin.Row(number, order, order, exchange, price, Decimal(1), 0, id if has_id else None)
            )
        both.append(made)
    return both[0], both[1]


@st.composite
def asked(draw: st.DrawFn) -> twin.Terms:
    near = draw(st.booleans())
    return twin.Terms(
        window_ns=draw(st.sampled_from([0, 1, 2, 3, 5, 9, 50, 1_000])),
        time_ns=draw(st.sampled_from([0, 1, 3])) if near else 0,
        price=draw(TOLERANCES) if near else Decimal(0),
        amount=draw(TOLERANCES) if near else Decimal(0),
        late_ns=draw(st.integers(-2, 9)),
        from_ns=draw(st.sampled_from([0, 100, 105])),
        to_ns=draw(st.sampled_from([110, 1_000_000])),
        has_lag=draw(st.booleans()),
    )


def floats(values: list[Decimal | None]) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in values]) + 0.0


def windows(rows: list[twin.Row], cuts: list[int]) -> Iterator[Window]:
    """Yield the rows in windows that end at `cuts`, then an empty one."""
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(rows)), len(rows)]
    for start, stop in zip(edges, edges[1:]):
        part = rows[start:stop]
        order, own, exchange = (
            np.array([getattr(row, name) for row in part], np.int64)
            for name in ("order_ns", "own_ns", "exchange_ns")
        )
        price, amount = floats([row.price for row in part]), floats([row.amount for row in part])
        ids = np.array([int(NO_ID) if row.id is None else row.id for row in part], np.uint64)
        yield Window(
            order, own, exchange, exchange.view(np.uint64), price, price.view(np.uint64),
            amount, amount.view(np.uint64), np.array([row.rest for row in part], np.uint64), ids,
            np.array([start]), np.zeros(1, np.bool_),
        )  # fmt: skip
    yield empty_window(is_last=True)


def compiled(t: twin.Terms, most: int = MOST) -> Terms:
    return Terms(
        t.window_ns, t.time_ns, float(t.price), float(t.amount), t.near, t.late_ns, t.from_ns, t.to_ns,
        t.has_lag, most,
    )  # fmt: skip


CUTS = st.lists(st.integers(0, 40), max_size=6)


@settings(deadline=None, max_examples=20 * EXAMPLES if SOAK else EXAMPLES)
@given(st.one_of(feeds(), crowds()), asked(), CUTS, CUTS)
def test_partners_are_those_of_the_twin(rows, terms: twin.Terms, cuts_a, cuts_b) -> None:
    a, b = rows
    wanted = twin.compare(a, b, terms)
    counts, bins = match_windows(windows(a, cuts_a), windows(b, cuts_b), compiled(terms))
    for name in ("rows_a", "rows_b", "matched", "different", "missing", "extra", "late"):
        assert counts[name] == wanted.counts[name], (name, wanted)
    assert {f: int(n) for f, n in zip(FIELDS, counts["fields"])} == {f: wanted.counts[f] for f in FIELDS}
    assert counts["missing_at"][: counts["missing"]].tolist() == wanted.missing[:PLACES]
    assert counts["extra_at"][: counts["extra"]].tolist() == wanted.extra[:PLACES]
    assert counts["rows_a"] == counts["matched"] + counts["different"] + counts["missing"]
    assert counts["given_up"] == 0
    check_lags(bins, wanted.lags, counts)


def check_lags(bins: np.ndarray, lags: list[int], counts: Any) -> None:
    """Small lags have a bin each."""
    found = [ends_ns(place, -999, 999)[0] for place in np.flatnonzero(bins) for _ in range(bins[place])]
    assert found == sorted(lags)
    if lags:
        assert (counts["lag_min_ns"], counts["lag_max_ns"]) == (min(lags), max(lags))


@settings(deadline=None, max_examples=150)
@given(feeds(), asked(), CUTS, CUTS, st.sampled_from([1, 2, 4, MOST]))
def test_where_windows_end_changes_nothing(rows, terms: twin.Terms, cuts_a, cuts_b, most: int) -> None:
    """Not even which rows are given up when too many wait, nor which ones are the examples."""
    a, b = rows
    one, one_bins = match_windows(windows(a, []), windows(b, []), compiled(terms, most))
    other, bins = match_windows(windows(a, cuts_a), windows(b, cuts_b), compiled(terms, most))
    assert one_bins.tolist() == bins.tolist()
    for name in one.dtype.names:
        if not name.startswith("head_"):
            assert one[name].tolist() == other[name].tolist(), name
    assert one["rows_a"] == one["matched"] + one["different"] + one["missing"]


@settings(deadline=None, max_examples=100)
@given(feeds(), asked(), st.randoms(use_true_random=False))
def test_the_same_rows_in_another_order_are_all_matched(rows, terms: twin.Terms, chance) -> None:
    """Whatever the tolerances are: rows that are equal are paired before those that are near."""
    a, _ = rows
    moved = list(a)
    chance.shuffle(moved)
    b = [
        replace(row, number=place, order_ns=a[place].order_ns, own_ns=a[place].own_ns)
        for place, row in enumerate(moved)
    ]
    terms = replace(terms, window_ns=10_000, late_ns=10_000, from_ns=0, to_ns=10**9)
    unique = [replace(row, id=None) for row in a], [replace(row, id=None) for row in b]
    counts, _ = match_windows(windows(unique[0], []), windows(unique[1], []), compiled(terms))
    assert (counts["matched"], counts["missing"], counts["extra"]) == (len(a), 0, 0)


def test_many_rows_that_wait_get_room_up_to_the_limit() -> None:
    """A has 3,000 rows that B has not: they wait, or the oldest are given up; both are counted as missing."""
    a = [twin.Row(n, n, n, n, Decimal(1), Decimal(1), 0) for n in range(3_000)]
    b = [replace(row, price=Decimal(2)) for row in a]
    terms = twin.Terms(10_000, 0, Decimal(0), Decimal(0), 0, 0, 10_000, True)
    for most, given_up in ((MOST, 0), (2_048, 2 * (3_000 - 2_048)), (16, 2 * (3_000 - 16))):
        counts, _ = match_windows(windows(a, [1_000]), windows(b, []), compiled(terms, most))
        assert (counts["missing"], counts["extra"]) == (3_000, 3_000)
        assert 0 <= given_up - counts["given_up"] <= 1, "once A has ended, rows of B need not wait"


def test_the_bits_of_differing_fields_are_in_order() -> None:
    bits = {
        "time": terms_of.TIME,
        "price": terms_of.PRICE,
        "amount": terms_of.AMOUNT,
        "side": terms_of.SIDE,
        "fee": terms_of.OTHER,
    }
    assert [bits[name] for name in FIELDS] == [1, 2, 4, 8, 16]


@pytest.mark.long
def test_plain_python_gives_the_same() -> None:
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("this is that run")
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not long", __file__]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
