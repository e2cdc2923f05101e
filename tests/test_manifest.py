"""`tickreel manifest`: what a store holds, and between which times."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from import_sample import DAY_US, START_US, dataset, put, take, trade, trades
from provider_server import KEY, ProviderServer
from test_cli import call, document
from tickreel.ingest.files import stage
from tickreel.store.catalog import Store
from tickreel.store.format import Gap, Part
from tickreel.store.gaps import joined
from tickreel.store.holdings import _without, holdings
from tickreel.units import NS_PER_DAY

DAY_NS = START_US * 1_000


def us(time_ns: int) -> int:
    return (time_ns - DAY_NS) // 1_000


def spans(entry: dict, name: str) -> list[tuple[int, int]]:
    return [(us(span["from_ns"]), us(span["to_ns"])) for span in entry[name]]


def test_days_that_follow_each_other_are_one_interval(place: Path) -> None:
    for day, name in ((0, "2024-01-01"), (1, "2024-01-02"), (4, "2024-01-05")):
        put(dataset(place / "data", name), trades(*(trade(DAY_US * day + second) for second in (7, 9))))
    take(place / "tape", place / "data")
    (entry,) = holdings(Store(place / "tape"))
    assert (entry["days"], entry["rows"], entry["from"], entry["to"]) == (3, 6, "2024-01-01", "2024-01-05")
    assert spans(entry, "intervals") == [(7, DAY_US + 9), (4 * DAY_US + 7, 4 * DAY_US + 9)]
    assert spans(entry, "gaps") == [(DAY_US + 9, 4 * DAY_US + 7)]
    assert entry["bytes"] == sum(path.stat().st_size for path in (place / "tape").rglob("*.reel"))


def test_files_that_make_up_a_day_have_an_interval_each(place: Path) -> None:
    for number, start in enumerate((10, 500, 90)):
        put(dataset(place / str(number)), trades(trade(start), trade(start + 5)))
        take(place / "tape", place / str(number))
    (entry,) = holdings(Store(place / "tape"))
    assert spans(entry, "intervals") == [(10, 15), (90, 95), (500, 505)]
    assert spans(entry, "gaps") == [(15, 90), (95, 500)]


def test_a_file_without_rows_covers_its_day(place: Path) -> None:
    put(dataset(place / "data", "2024-01-01"), trades(trade(5)))
    put(dataset(place / "data", "2024-01-02"), trades())
    put(dataset(place / "data", "2024-01-03"), trades(trade(2 * DAY_US + 5)))
    take(place / "tape", place / "data")
    (entry,) = holdings(Store(place / "tape"))
    assert entry["days"] == 3
    assert spans(entry, "intervals") == [(5, 2 * DAY_US + 5)]


spans_ = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), max_size=6)


@given(spans_, spans_)
def test_what_was_missed_is_in_no_interval(
    covered: list[tuple[int, int]], lost: list[tuple[int, int]]
) -> None:
    whole, away = (joined((a, a + n) for a, n in found) for found in (covered, lost))
    left = list(_without(whole, away))
    held, gone, kept = ({t for a, b in found for t in range(a, b)} for found in (whole, away, left))
    assert kept == held - gone
    assert sorted(left) == left
    assert all(a < b for a, b in left)


def test_a_recording_s_gaps_are_those_that_ls_counts(place: Path, monkeypatch, capfd) -> None:
    """One within a day, one over midnight, the time before it began, and one that history filled."""
    day, hour = NS_PER_DAY, NS_PER_DAY // 24
    noted = [
        [Gap(0, hour, "recording began"), Gap(3 * hour, 4 * hour, "lost"), Gap(5 * hour, 6 * hour, "lost", filled=True),
         Gap(23 * hour, day, "lost")],
        [Gap(day, day + hour, "lost")],
    ]  # fmt: skip

    def part(**named: Any) -> Part:
        gaps = noted[(named["interval"][0] - DAY_NS) // day]
        moved = [replace(gap, from_ns=gap.from_ns + DAY_NS, to_ns=gap.to_ns + DAY_NS) for gap in gaps]
        return Part(**named | {"gaps": moved})

    monkeypatch.setattr(stage, "Part", part)
    hours_us = DAY_US // 24
    put(dataset(place / "data", "2024-01-01"), trades(*(trade(hours_us * hour) for hour in (1, 3, 4, 22))))
    put(dataset(place / "data", "2024-01-02"), trades(*(trade(DAY_US + hours_us * hour) for hour in (1, 2))))
    assert take(place / "tape", place / "data").exit_code == 0
    (entry,) = holdings(Store(place / "tape"))
    (row,) = document(capfd, "ls", "--store", place / "tape")[1]["entries"]
    one = hours_us
    assert spans(entry, "intervals") == [
        (one, 3 * one), (4 * one, 23 * one), (DAY_US + one, DAY_US + 2 * one)
    ]  # fmt: skip
    assert spans(entry, "gaps") == [(0, one), (3 * one, 4 * one), (23 * one, DAY_US + one)]
    assert row["gaps_ns"] == 4 * hour
    assert row["gaps"] == 4


def test_feeds_and_groups_have_entries_of_their_own(place: Path) -> None:
    put(dataset(place / "data", symbol="SPOT"), trades(*(trade(n, symbol=f"S{n}") for n in range(4))))
    put(dataset(place / "data"), trades(trade(1)))
    for feed in ("tardis", "holysheep"):
        take(place / "tape", place / "data", feed=feed)
    found = [(e["feed"], e["symbol"], e["group"], e["symbols"]) for e in holdings(Store(place / "tape"))]
    assert found == [
        (feed, symbol, group, symbols)
        for feed in ("holysheep", "tardis")
        for symbol, group, symbols in (("BTCUSDT", False, 1), ("SPOT", True, 4))
    ]


def test_what_an_account_may_read_or_why_that_is_not_known(place: Path, monkeypatch, capfd) -> None:
    put(dataset(place / "data"), trades(trade(1)))
    take(place / "tape", place / "data")
    words = ("manifest", "--store", place / "tape")

    def accounts(*providers: str) -> list[dict]:
        named = [word for name in providers for word in ("--provider", name)]
        code, found = document(capfd, *words, *named)
        assert code == 0
        assert found["holdings"], "the store's part stands whatever the network says"
        return found["accounts"]

    with ProviderServer([place / "data"]) as server:
        for name, value in {**server.hurried(place), "TARDIS_API_KEY": KEY, "HOLYSHEEP_API_KEY": KEY}.items():
            monkeypatch.setenv(name, value)
        tardis, relay, machine = accounts("tardis", "holysheep", "tardis-machine")
        assert (tardis["reason"], tardis["key"]) == (None, "environment TARDIS_API_KEY")
        assert {"exchange", "from", "to", "symbols"} <= tardis["access"][0].keys()
        assert [one.path for one in server.asked()] == ["/v1/api-key-info"]
        assert (relay["access"], relay["reason"]) == (None, "it does not say what a key may read")
        assert machine["reason"] == "it has no accounts"
        monkeypatch.setenv("TARDIS_API_KEY", "wrong")
        monkeypatch.setenv("HOLYSHEEP_ENABLED", "false")
        tardis, relay = accounts("tardis", "holysheep")
        assert "environment TARDIS_API_KEY" in tardis["reason"]
        assert "401" in tardis["reason"]
        assert relay["reason"] == "switched off"
        monkeypatch.delenv("TARDIS_API_KEY")
        (tardis,) = accounts("tardis")
        assert tardis["reason"].startswith("without a key: there is none in the environment (TARDIS_API_KEY)")
    monkeypatch.setenv("TARDIS_API_KEY", KEY)
    (tardis,) = accounts("tardis")
    assert tardis["access"] is None
    assert "127.0.0.1" in tardis["reason"], "nobody answers there any more"
    assert call(capfd, *words, "--provider", "nobody")[0] == 2


def test_damage_is_told_and_ends_nothing(place: Path, capfd) -> None:
    put(dataset(place / "data"), trades(trade(1)))
    put(dataset(place / "data", symbol="ETHUSDT"), trades(trade(1, symbol="ETHUSDT")))
    take(place / "tape", place / "data")
    path = next((place / "tape").rglob("BTCUSDT/*.reel"))
    path.write_bytes(path.read_bytes()[:100])
    code, found = document(capfd, "manifest", "--store", place / "tape")
    assert code == 1
    first, second = found["holdings"]
    assert (first["days"], first["rows"], len(first["damaged"])) == (1, 0, 1)
    assert (second["rows"], second["damaged"]) == (1, [])
    assert call(capfd, "manifest", "--store", place / "nowhere")[0] == 2
