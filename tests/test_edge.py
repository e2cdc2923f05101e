"""Events near midnight that history has in another day than they came live."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from journal_sample import DAY, START, at, new_journal, trade
from seal_sample import TRADES, fill, folder, ids, seal
from tickreel.ingest.record.edge import events_beside
from tickreel.ingest.record.journal import StreamInfo
from tickreel.units import NS_PER_DAY, NS_PER_S

MIDNIGHT, NEXT, AFTER = START + NS_PER_DAY, "2024-03-02", "2024-03-03"


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize(("live_ns", "history_ns"), [(-1, 2), (1, -2)])
def test_an_event_that_history_has_in_another_day_is_there_once(
    place: Path, final: bool, live_ns: int, history_ns: int
) -> None:
    """It came at one side of midnight, and at the other one to whom history's recorder listened."""
    asked = StreamInfo("binance", ["BTCUSDT"], ["trades"])
    journal = new_journal(place, (asked,))
    times_ns = {1: MIDNIGHT - NS_PER_S, 2: MIDNIGHT + live_ns * 1_000_000, 4: MIDNIGHT + NS_PER_S}
    for number, local_ns in times_ns.items():
        journal.message(0, local_ns, trade(number, local_ns))
    for spread_ns in (10_000_000, 20_000_000):
        journal.gap(asked, MIDNIGHT - spread_ns, MIDNIGHT + spread_ns, "lost", at_ns=MIDNIGHT + NS_PER_S)
    journal.close()
    # 3 came to no one live; two answers have the same.
    answer = [(2, history_ns), (3, 3)]
    for day in (DAY, NEXT):
        for gap in (1, 2):
            fill(place, gap, *(trade(n, MIDNIGHT + ms * 1_000_000) for n, ms in answer), day=day)
    seal(place, final=final)
    seal(place, day=NEXT)
    found = [number for day in (DAY, NEXT) for number in ids(place, replace(TRADES, day=day))]
    assert sorted(found) == [1, 2, 3, 4]


@pytest.mark.parametrize(("live_ns", "history_ns"), [(-1, 2), (1, -2)])
@pytest.mark.parametrize("order", list(permutations((DAY, NEXT, AFTER))))
def test_so_it_is_in_whatever_order_days_are_sealed(
    place: Path, order: tuple[str, ...], live_ns: int, history_ns: int
) -> None:
    """One that could not be sealed is sealed later; then no edge is left but the latest day's."""
    asked = StreamInfo("binance", ["BTCUSDT"], ["trades"])
    journal = new_journal(place, (asked,))
    later = MIDNIGHT + NS_PER_DAY
    times_ns = {1: at(1), 2: MIDNIGHT + live_ns * 1_000_000, 3: later - NS_PER_S, 4: later + NS_PER_S}
    for number, local_ns in times_ns.items():
        journal.message(0, local_ns, trade(number, local_ns))
    journal.gap(asked, MIDNIGHT - 10_000_000, MIDNIGHT + 10_000_000, "lost", at_ns=later)
    journal.close()
    for day in (DAY, NEXT):
        fill(place, 1, trade(2, MIDNIGHT + history_ns * 1_000_000), day=day)
    for day in order:
        assert seal(place, final=True, day=day).troubles == []
    found = [number for day in sorted(order) for number in ids(place, replace(TRADES, day=day))]
    assert sorted(found) == [1, 2, 3, 4]
    assert [path.name for path in folder(place).parent.glob("*.edge")] == [f"{AFTER}.edge"]


def test_a_damaged_edge_is_told_and_costs_no_day(place: Path) -> None:
    asked = StreamInfo("binance", ["BTCUSDT"], ["trades"])
    journal = new_journal(place, (asked,))
    for number, local_ns in enumerate((MIDNIGHT - NS_PER_S, MIDNIGHT + NS_PER_S)):
        journal.message(0, local_ns, trade(number, local_ns))
    journal.gap(asked, MIDNIGHT, MIDNIGHT + NS_PER_S, "lost", at_ns=MIDNIGHT + NS_PER_S)
    journal.close()
    fill(place, 1, trade(5, MIDNIGHT + 5), day=NEXT)
    seal(place, final=True)
    edge = folder(place).with_name(f"{DAY}.edge")
    edge.write_bytes(b"\xc1")
    (trouble,) = seal(place, final=True, day=NEXT).troubles
    assert f"{edge}: damaged" in trouble
    assert ids(place, replace(TRADES, day=NEXT)) == [5, 1]
    assert [path.name for path in edge.parent.glob("*.damaged")] == []


def test_what_is_known_of_the_edge_of_a_day_is_kept_until_the_next_is_sealed(place: Path) -> None:
    journal = new_journal(place)
    for number, local_ns in enumerate((at(1), MIDNIGHT - NS_PER_S, MIDNIGHT + NS_PER_S)):
        journal.message(0, local_ns, trade(number, local_ns))
    journal.close()
    feed = folder(place).parent
    seal(place)
    assert list(feed.glob("*.edge")) == []
    seal(place, final=True)
    assert [path.name for path in feed.glob("*.edge")] == [f"{DAY}.edge"]
    assert events_beside(folder(place, NEXT), "binance", {}, lambda told: None).total() == 1
    seal(place, final=True, day=NEXT)
    assert [path.name for path in feed.glob("*.edge")] == [f"{NEXT}.edge"]
