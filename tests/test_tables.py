"""Every table of the command line in a narrow terminal: no number, time or name of it is cut."""

import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from import_sample import dataset, put, take, trade, trades
from provider_server import KEY, ProviderServer
from test_cli import call
from tickreel.cli import output, recording
from tickreel.ingest.record.status import FeedNumbers, StreamNumbers
from tickreel.report.columns import Sheet
from tickreel.store.catalog import Store

LONG = "BTC-USDT-PERPETUAL-1000X"


def rows(first: int, end: int, exchange: str = "okex-swap") -> bytes:
    """Return a file of trades, the last of which are odd."""
    named = {"symbol": LONG, "exchange": exchange}
    fine = (trade(us, price=123456.789 + us, **named) for us in range(first, end))
    return trades(*fine, trade(end, price=-1, **named), trade(end - 1, amount=0, **named))


@pytest.fixture(scope="module")
def tape(market_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of several feeds, symbols and exchanges with long names, and the files of one."""
    folder = tmp_path_factory.mktemp("tables")
    subprocess.run(["cp", "-a", market_store.root, folder / "tape"], check=True)
    for exchange in ("binance-futures", "okex-swap"):
        put(dataset(folder / "files", symbol=LONG, exchange=exchange), rows(1, 400, exchange))
    assert take(folder / "tape", folder / "files", feed="a-relay-of-mine").exit_code == 0
    put(dataset(folder / "other", symbol=LONG, exchange="okex-swap"), rows(100, 600))
    assert take(folder / "tape", folder / "other", feed="another").exit_code == 0
    (folder / "tape" / "primary").write_text("a-relay-of-mine\n1700000000123456789 tardis a-relay-of-mine\n")
    return folder


COMMANDS: dict[str, list[str]] = {
    "ls --days": ["2024-01-03", "tardis", "a-relay-of-mine*", "binance-futures", LONG],
    "show --feed tardis": ["2024-01-01T00:02:22.523693Z", "BTCUSDT"],
    "show --limit 400": ["2024-01-01T00:00:00.000399Z", LONG, "123855.789"],
    "bars --every 1s": ["2024-01-01T00:00", LONG, "123855.789"],
    "bars --every 1d --feed tardis": ["2024-01-03T00:00", "BTCUSDT"],
    "stats --feed tardis": ["exchange_ns", "amount"],
    "quality": [LONG, "2024-01-01"],
    "compare tardis a-relay-of-mine": ["6,341 rows", "lag p50", "BTCUSDT", "2024-01-03"],
    "compare a-relay-of-mine another": ["300", "2024-01-01T00:00:00.000001Z", LONG, "okex-swap"],
    "switch --history": ["2023-11-14T22:13:20.123456789Z", "a-relay-of-mine"],
    "cost --trades 9e13 --per day --migration-cost 5000": [],
    "instruments show --feed tardis": ["2024-01-03T00:00:00Z", "binance-futures", "run taken"],
    f"instruments show okex-swap:{LONG}": ["0.001", "tick"],
    "provider list": ["environment HOLYSHEEP_API_KEY", "holysheep", "kind machine"],
    "provider test tardis": ["binance-futures", "2000-01-01"],
    "run momentum --feed tardis --to 2024-01-02 --no-jit --workers 1 --out {tmp}/run": [
        "LINKUSDT",
        "binance-futures",
        "Average return",
    ],
    "run momentum --exchange okex-swap --no-jit --workers 1 --out {tmp}/run": [LONG, "okex-swap"],
    "sweep momentum --feed tardis --symbols LINKUSDT --to 2024-01-01T03:00 --set threshold=0.001,0.002 --no-jit --workers 1 --out {tmp}/sweep": [
        "Best sets"
    ],
    "import {tmp}/again --replace --store {tmp}/new": ["price", LONG],
}
"""Words to what is found in the output, whole, at any width."""


@pytest.mark.parametrize("words", COMMANDS)
def test_nothing_of_a_table_is_cut(words: str, tape: Path, tmp_path: Path, capfd, monkeypatch) -> None:
    with ProviderServer([tape / "files"]) as server:
        for name, value in {
            **server.hurried(tmp_path),
            "TARDIS_API_KEY": KEY,
            "HOLYSHEEP_API_KEY": KEY,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TICKREEL_STORE", str(tape / "tape"))
        put(dataset(tmp_path / "again", symbol=LONG, exchange="okex-swap"), rows(1, 3))
        monkeypatch.setattr(output, "_console", lambda **_: Console(file=sys.stdout, width=80))
        code, out, err = call(capfd, *words.format(tmp=tmp_path).split())
        assert code in (0, 1), err
        assert "…" not in out
        for text in COMMANDS[words]:
            assert text in " ".join(out.split()), out


def feeds(more: int) -> list[FeedNumbers]:
    """Return what a recorder counts, in numbers that grow with `more`."""
    stream = StreamNumbers(
        "binance-futures", "waiting", 10**more, 10.0**more, 10**more, 10 ** (more + 3), 10, 10**9, 3, 1, 0, None,
        "no close frame received or sent by wss://relay.example.com/stream",
    )  # fmt: skip
    return [FeedNumbers("tardis-machine", True, [stream], 10**more, 1, 2, [], "", 10**12, 10**15, [])]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("more", [0, 6, 11])
def test_the_live_table_of_a_recording_has_the_columns_that_fit(width: int, more: int) -> None:
    file = StringIO()
    Console(file=file, width=width).print(recording._table(feeds(more)))
    out = file.getvalue()
    head, row = out.splitlines()[:2]
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    assert row.split()[:4] == ["tardis-machine*", "binance-futures", "waiting", f"{10**more:,}"]
    assert re.split("  +", head.strip())[:4] == ["feed", "exchange", "state", "messages/s"]
    assert width != 80 or {"messages/s", "gaps"} <= set(head.split())
    assert width != 200 or "held" in head
    assert "wss://relay.example.com/stream" in " ".join(out.split())


cell = st.text("abc1 2,.", max_size=30)
kinds = st.sampled_from(["left", "right", "words"])


@given(st.lists(st.tuples(st.text("xyz", max_size=12), kinds), min_size=1, max_size=6), st.data())
def test_a_sheet_keeps_to_its_width_and_leaves_no_word_out(columns: list[tuple[str, str]], data) -> None:
    rows = data.draw(st.lists(st.tuples(*[cell] * len(columns)), max_size=4))
    ranks = data.draw(st.none() | st.tuples(*[st.integers(0, 2)] * len(columns)))
    width = data.draw(st.integers(40, 120))
    file = StringIO()
    sheet = Sheet(columns, rows, ranks=ranks, names=data.draw(st.integers(0, len(columns))))
    Console(file=file, width=width).print(sheet)
    out = file.getvalue()
    assert "…" not in out
    assert all(len(line) <= width for line in out.splitlines())
    shown = sheet.shown(width)
    places = range(len(columns)) if shown is None else shown
    words = [word for row in rows for place in places for word in row[place].split()]
    squeezed: Callable[[str], list[str]] = lambda text: sorted(text.replace(",", " ").split())  # noqa: E731
    found = squeezed(out)
    assert not [word for word in squeezed(" ".join(words)) if word not in found]
    assert ranks or not sheet.left_out(width)
