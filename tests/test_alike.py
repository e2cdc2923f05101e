"""Rows of a history without ids: of m that came live and n of history that are alike, max(m, n) stay."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tickreel.ingest.record.alike import Likeness
from tickreel.ingest.record.fill_rows import read_line
from tickreel.ingest.record.overlap import Overlaps
from tickreel.schema import Kind
from tickreel.sources.machine import Rows

LIVE = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("1234")), max_size=8)
PIECE = st.tuples(st.sampled_from("live live history ids".split()), LIVE)


@dataclass
class Kept:
    """A row that stayed. id: "" while only history brought it; by: sources of which a row was this one."""

    like: str
    id: str
    by: set[int] = field(default_factory=set)


def twin(kept: list[Kept], source: int, like: str, id: str) -> bool:
    """Keep a row, unless it is one that stayed and that no row of its source was: by its id, or by what it is like."""
    free = [one for one in kept if one.like == like and source not in one.by]
    of_id = [one for one in free if one.id == id] if id else []
    of_none = [one for one in free if not one.id] if id else free
    for one in (*of_id, *of_none):
        one.id = one.id or id
        one.by.add(source)
        return False
    kept.append(Kept(like, id, {source}))
    return True


@given(st.lists(PIECE, max_size=8))
def test_rows_are_kept_as_the_plain_rule_says(pieces: list[tuple[str, list[tuple[str, str]]]]) -> None:
    """Connections, and between them answers of a history with ids and without; an id is of one event."""
    overlaps, kept = Overlaps([(0, 10)]), list[Kept]()
    for number, (kind, rows) in enumerate(pieces, start=1):
        for like, digit in rows:
            id = "" if kind == "history" else like + digit
            source = number if kind == "live" else -number
            assert overlaps.is_new(source, id, 5, like) == twin(kept, source, like, id)


@given(LIVE, LIVE, st.integers(0, 8))
def test_the_more_of_both_stay_also_where_live_rows_come_late(
    live: list[tuple[str, str]], history: list[tuple[str, str]], cut: int
) -> None:
    overlaps = Overlaps([(0, 10)])
    kept: Counter[str] = Counter()
    for source, rows in ((1, live[:cut]), (-1, history), (1, live[cut:])):
        kept.update(
            like for like, id in rows if overlaps.is_new(source, like + id if source > 0 else "", 5, like)
        )
    assert kept == Counter(like for like, _ in live) | Counter(like for like, _ in history)


def test_every_live_row_stays_by_its_own_id() -> None:
    overlaps = Overlaps([(0, 10)])
    assert [overlaps.is_new(1, id, 5, "a") for id in ("1", "2", "2")] == [True] * 3
    assert [overlaps.is_new(2, id, 5, "a") for id in ("1", "2", "3")] == [False, False, True]
    assert [overlaps.is_new(-1, "", 5, "a") for _ in range(5)] == [False] * 4 + [True]
    # Late, and the one that only history brought; the next is another.
    assert [overlaps.is_new(2, id, 5, "a") for id in ("4", "5")] == [False, True]
    assert not overlaps.is_new(3, "4", 5, "a")
    assert overlaps.dropped == 8


def rows(line: str) -> Rows:
    read = read_line("trades", ["BTCUSDT"], line.encode(), None)
    assert isinstance(read, Rows)
    return read


def test_rows_are_alike_by_numbers_and_by_times_that_are_cut() -> None:
    of_trades = Likeness("trades", 1_000, ((5, Kind.ENUM), (6, Kind.DECIMAL), (7, Kind.DECIMAL)))
    live = rows("okex,BTCUSDT,1700000000123456,1700000000200000,77,buy,100.50,1e-7")
    assert of_trades.of(live) == of_trades.of(
        rows("okex,BTCUSDT,1700000000123000,1700000000999999,,buy,100.5,0.0000001")
    )
    others = (
        "okex,BTCUSDT,1700000000124000,1,,buy,100.5,1e-7", "okex,BTCUSDT,1700000000123000,1,,sell,100.5,1e-7",
        "okex,BTCUSDT,1700000000123000,1,,buy,100.51,1e-7", "okex,BTCUSDT,1700000000123000,1,,buy,100.5,2e-7",
        "okex,BTCUSDT,1700000000123000,1,,buy,,1e-7",
    )  # fmt: skip
    assert of_trades.of(live) not in {of_trades.of(rows(other)) for other in others}
