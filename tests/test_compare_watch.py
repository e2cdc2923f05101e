"""`tickreel watch`: what is due is compared once, alerts are told, and a watch that was ended goes on from its log."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import store_sample as sample
from import_forks import ENVIRONMENT
from import_sample import dataset, put, take, trade, trades
from test_cli import call, document
from tickreel.errors import FailedError, InputError, UsageError
from tickreel.quality import compare_watch
from tickreel.quality.compare import Asked, Feed
from tickreel.quality.compare_limits import Limits, parse_limit
from tickreel.quality.compare_watch import Look, Watch, append_log, read_log
from tickreel.store.catalog import Store
from tickreel.units import NS_PER_S, day_start

DAY_NS = day_start(sample.DAY)
MINUTE_NS = 60 * NS_PER_S


class Pair:
    """Two feeds that grow: `add` gives a feed more rows, a second apart, as files of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.files = folder, Store(folder / "tape"), 0

    def add(self, feed: str, seconds: range, **cells: Any) -> None:
        self.files += 1
        lines = [trade(10**6 * second, id=second, **cells) for second in seconds]
        put(dataset(self.folder / str(self.files)), trades(*lines))
        assert take(self.store, self.folder / str(self.files), feed=feed).exit_code == 0

    @property
    def asked(self) -> Asked:
        root = str(self.store.root)
        return Asked(Feed("a", root, "a"), Feed("b", root, "b"), from_ns=DAY_NS)

    def watch(self, limits: Limits = Limits(), **words: Any) -> Watch:
        return Watch(self.asked, limits, delay_ns=10 * MINUTE_NS, workers=1, **words)


@pytest.fixture
def pair(place: Path) -> Pair:
    made = Pair(place)
    made.add("a", range(100))
    made.add("b", range(90))
    return made


def seen(look: Look) -> tuple[Any, ...]:
    return (
        (look.to_ns - DAY_NS) / NS_PER_S,
        *(look.found[name] for name in ("matched", "missing", "extra")),
        look.alert,
    )


def test_each_row_is_compared_once_when_it_is_due(pair: Pair) -> None:
    """What both have, less the window; then what one has had for the delay, whatever the other has."""
    watch = pair.watch()
    assert seen(watch.look(0)) == (79, 79, 0, 0, False)
    assert seen(watch.look(1)) == (79, 0, 0, 0, False)
    pair.add("b", range(90, 100))
    pair.add("a", range(100, 200))
    assert seen(watch.look(MINUTE_NS)) == (89, 10, 0, 0, False)
    look = watch.look(10 * MINUTE_NS)
    assert seen(look) == (pytest.approx(99), 11, 0, 0, False)
    look = watch.look(11 * MINUTE_NS)
    assert seen(look) == (pytest.approx(199), 0, 100, 0, True)
    assert look.exceeded == [
        "100 rows of A missing in B: more than 0", "in all 100 rows of A missing in B: more than 0"
    ]  # fmt: skip
    assert (look.since["matched"], look.since["missing"], look.since["rows_a"]) == (100, 100, 200)
    assert watch.look(12 * MINUTE_NS).alert is False


def test_a_stream_that_one_feed_does_not_have_yet_is_waited_for(pair: Pair) -> None:
    """Symbols are published one after the other: what is compared meanwhile must not call the last of them missing."""
    pair.add("b", range(90, 100))
    for feed in "ab":
        pair.add(feed, range(100), symbol="ETHUSDT")
    watch = pair.watch()
    assert watch.look(0).found["matched"] == 2 * 89
    for second in (range(100, 200), range(200, 300)):
        pair.add("a", second)
        pair.add("a", second, symbol="ETHUSDT")
        pair.add("b", second)
        assert watch.look(MINUTE_NS).found["rows_a"] == 0
        pair.add("b", second, symbol="ETHUSDT")
        look = watch.look(2 * MINUTE_NS)
        assert (look.found["matched"], look.found["missing"], look.alert) == (200, 0, False)
    # One that is silent keeps others waiting for the delay, not longer.
    for feed in "ab":
        pair.add(feed, range(1_000, 1_100))
    assert watch.look(3 * MINUTE_NS).found["matched"] == 2 * 11 + 89


def test_a_day_that_several_looks_see_is_counted_once(pair: Pair) -> None:
    watch = pair.watch()
    looks = [watch.look(0)]
    for seconds in (range(100, 200), range(86_400, 86_500), range(86_500, 86_600)):
        for feed in "ab":
            pair.add(feed, seconds)
        looks.append(watch.look(MINUTE_NS))
    assert [look.found["days"] for look in looks] == [1, 1, 2, 1]
    assert [look.since["days"] for look in looks] == [1, 1, 2, 2]
    for feed in "ab":
        pair.add(feed, range(86_600, 86_700))
    assert pair.watch(looks=looks).look(2 * MINUTE_NS).since["days"] == 2
    assert pair.watch(looks=looks[:2]).look(2 * MINUTE_NS).since["days"] == 2


def test_an_alert_is_by_a_look_or_once_by_all_of_them(pair: Pair) -> None:
    watch = pair.watch(Limits(missing=parse_limit("8", "")))
    watch.look(0)
    alerts = []
    for step in range(1, 4):
        pair.add("a", range(100 * step, 100 * step + 100))
        pair.add("b", range(100 * step, 100 * step + 95))
        alerts.append(watch.look(step * MINUTE_NS).alert)
    assert alerts == [True, False, False], "10 missing of the first files; then 5 a look, and no news in all"


def test_days_of_one_feed_alone_are_told_once(pair: Pair) -> None:
    watch = pair.watch()
    watch.look(0)
    pair.add("a", range(86_400, 86_500))
    assert watch.look(MINUTE_NS).found["days_a"] == 0
    look = watch.look(20 * MINUTE_NS)
    assert (look.found["days_a"], look.alert) == (1, True)
    pair.add("a", range(86_500, 86_600))
    watch.look(21 * MINUTE_NS)
    look = watch.look(40 * MINUTE_NS)
    assert (look.found["days_a"], look.since["days_a"], look.alert) == (0, 1, False)


def test_it_goes_on_from_its_log(pair: Pair, tmp_path: Path) -> None:
    log, whole = tmp_path / "log", pair.watch()
    for step in range(4):
        told = whole.look(step * 6 * MINUTE_NS)
        again = pair.watch(looks=read_log(log, pair.asked)).look(step * 6 * MINUTE_NS)
        assert again == told
        append_log(log, again)
        pair.add("a", range(100 * (step + 1), 100 * (step + 2)))
    assert len(read_log(log, pair.asked)) == 4


@pytest.mark.parametrize("torn", [b'{"at_ns":7', b"{", b'{"at_ns":1700000000000000000,"a":"'])
def test_a_line_that_was_cut_off_is_passed_over(pair: Pair, tmp_path: Path, torn: bytes) -> None:
    log, look = tmp_path / "log", pair.watch().look(0)
    for place in range(2):
        append_log(log, look)
        with log.open("ab") as file:
            file.write(torn)
        assert read_log(log, pair.asked) == [look] * (place + 1)


def test_a_log_of_something_else_is_refused(pair: Pair, tmp_path: Path) -> None:
    log = tmp_path / "log"
    append_log(log, pair.watch().look(0))
    with pytest.raises(UsageError, match="is of a and b; name another for b and a"):
        read_log(log, replace(pair.asked, a=pair.asked.b, b=pair.asked.a))
    log.write_text("a text without an end")
    with pytest.raises(InputError, match="its last line is no look of a watch, nor the beginning of one"):
        read_log(log, pair.asked)
    assert log.read_text() == "a text without an end"
    log.write_text("exchange,symbol\nbinance,BTCUSDT\n")
    with pytest.raises(InputError, match="line 1 is no look of a watch"):
        read_log(log, pair.asked)


def test_names_that_are_nowhere_are_refused_at_once(pair: Pair) -> None:
    for asked in (replace(pair.asked, symbols=("NOUSDT",)), replace(pair.asked, types=("ticks",))):
        with pytest.raises(UsageError):
            Watch(asked, Limits(), delay_ns=1)


def test_a_segment_that_is_replaced_meanwhile_is_looked_at_again(pair: Pair, monkeypatch) -> None:
    def replaced(*_: Any, **__: Any) -> Any:
        raise FailedError("replaced while it was being read")

    watch = pair.watch()
    monkeypatch.setattr(compare_watch, "compare", replaced)
    assert seen(watch.look(0)) == (0, 0, 0, 0, False)
    monkeypatch.undo()
    assert seen(watch.look(1)) == (79, 79, 0, 0, False)


# The command


def words(pair: Pair, *more: object) -> list[object]:
    return ["watch", "a", "b", "--store", pair.store.root, "--every", "100ms", "--from", "2024-01-01", *more]


def test_the_command(pair: Pair, tmp_path: Path, capfd) -> None:
    log = tmp_path / "log"
    code, found = document(capfd, *words(pair, "--for", "300ms", "--log", log))
    assert (code, found["alerts"], found["since"]["matched"]) == (0, [], 79)
    assert found["looks"] == len(log.read_text().splitlines()) >= 3
    pair.add("a", range(100, 200))
    pair.add("b", range(150, 200))
    code, _, said = call(capfd, *words(pair, "--for", "0", "--log", log, "-q"))
    assert code == 1
    assert "60 rows of A missing in B: more than 0" in said
    code, found = document(capfd, *words(pair, "--for", "1h", "--stop"))
    assert (code, found["looks"], len(found["alerts"])) == (1, 1, 1)
    assert call(capfd, *words(pair, "--every", "1ms"))[0] == 2


def test_ctrl_c_ends_it_within_a_second(pair: Pair, tmp_path: Path) -> None:
    log = tmp_path / "log"
    line = [sys.executable, "-m", "tickreel", *map(str, words(pair, "--every", "1h", "--log", log))]
    process = subprocess.Popen(line, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not (log.exists() and log.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, time.monotonic() - began < 1) == (130, True), said
    assert "with --log it goes on where it was" in said
    assert json.loads(log.read_text())["found"]["matched"] == 79
