"""Every rule of docs/SEMANTICS.md by example: tables of trades and orders, and what must follow.

A file of tests/scenarios is named after its rule, and reads like this:

    capital 1000 | fee 0.01 | latency 5 | short yes | multiplier 0.1 | samples 10 20    settings, one a line
    feed_latency 5                             the trades have no local times: TIME is the exchange's
    trade TIME PRICE AMOUNT [: COMMANDS]       what the strategy does in on_trade stands after the colon
    on start|fill N|timer N|end: COMMANDS      what it does in other callbacks; a timer falls due every 10 ns
    COMMANDS                                   [N times] buy|sell QUANTITY [at LIMIT], close, cancel ID|all; ...

    fill TIME ORDER buy|sell QUANTITY at PRICE taker|maker        all fills
    order ID[-ID] STATE [sent|arrived|closed|answered|filled VALUE ...] [: REASON]   all, as answered
    posting ORDER trade|fee AMOUNT             all postings, if one is named
    sample TIME EQUITY DRAWDOWN POSITION       all samples, if one is named
    calls KIND@TIME ...                        all calls of the strategy
    sees KIND N [now|price|position|cash|open VALUE ...]           what it knew at its N-th call of that kind
    summary NAME VALUE ...
    stops orders|money                         the run ends with an error
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine_runs import Written, assert_same, run_engine, run_twin
from engine_strategies import (
    CANCEL,
    CANCEL_ALL,
    CLOSE,
    LIMIT_BUY,
    LIMIT_SELL,
    MARKET_BUY,
    MARKET_SELL,
    SCRIPT_LINES,
    TRADE,
    Script,
)
from feed_sample import through_a_store
from tickreel.schema import ORDER_STATES, POSTINGS, REASONS, SIDES
from tickreel.simulate.account import AccountSettings
from tickreel.store.catalog import Store
from twin_engine import TwinTrade

FOLDER = Path(__file__).parent / "scenarios"
FILES = sorted(FOLDER.glob("*.txt"))
PAGE = Path(__file__).parents[1] / "docs" / "SEMANTICS.md"
KINDS = ("start", "trade", "fill", "timer", "end")
SEEN = {"now": "times", "price": "prices", "position": "positions", "cash": "cashes", "open": "opens"}


@dataclass
class Scenario:
    settings: dict[str, Any] = field(default_factory=dict)
    grid: list[int] = field(default_factory=list)
    feed_latency_ns: int | None = None
    trades: list[TwinTrade] = field(default_factory=list)
    script: list[tuple[float, ...]] = field(default_factory=list)
    wanted: dict[str, list[list[str]]] = field(default_factory=dict)

    def state(self) -> dict[str, np.ndarray]:
        fields = {name: np.zeros(SCRIPT_LINES) for name in ("when", "number", "what", "quantity", "limit")}
        for place, values in enumerate(self.script):
            for column, value in zip(fields.values(), values, strict=True):
                column[place] = value
        return fields


def read(file: Path) -> Scenario:
    found = Scenario()
    for line in file.read_text("utf-8").splitlines():
        head, _, tail = line.split("#")[0].partition(":")
        word, *rest = head.split() or [""]
        if word == "trade":
            now, price, amount = rest
            found.trades.append(TwinTrade(float(price), float(amount), 0, int(now), int(now)))
            found.script += commands(TRADE, len(found.trades), tail)
        elif word == "on":
            found.script += commands(KINDS.index(rest[0]), int(rest[1]) if len(rest) > 1 else 1, tail)
        elif word in ("capital", "fee", "multiplier"):
            found.settings[word] = float(rest[0])
        elif word == "latency":
            found.settings["latency_ns"] = int(rest[0])
        elif word == "feed_latency":
            found.feed_latency_ns = int(rest[0])
        elif word == "short":
            found.settings["allow_short"] = {"yes": True, "no": False}[rest[0]]
        elif word == "samples":
            found.grid = [int(time) for time in rest]
        elif word == "order":
            first, _, last = rest[0].partition("-")
            for order in range(int(first), int(last or first) + 1):
                found.wanted.setdefault(word, []).append([str(order), *rest[1:], ":", tail.strip()])
        elif word:
            assert word in CHECKS, f"{file.name}: {line}"
            found.wanted.setdefault(word, []).append(rest)
    return found


def commands(kind: int, number: int, text: str) -> list[tuple[float, ...]]:
    lines = []
    for command in filter(None, (part.strip() for part in text.split(";"))):
        times, what, rest = re.fullmatch(r"(?:(\d+) times )?(\w+) ?(.*)", command).groups()
        if what == "close":
            op = (CLOSE, 0.0, 0.0)
        elif what == "cancel":
            op = (CANCEL_ALL, 0.0, 0.0) if rest == "all" else (CANCEL, float(rest), 0.0)
        else:
            quantity, _, limit = rest.partition(" at ")
            codes = {"buy": (MARKET_BUY, LIMIT_BUY), "sell": (MARKET_SELL, LIMIT_SELL)}[what]
            op = (codes[bool(limit)], float(quantity), float(limit or 0))
        lines += [(kind, number, *op)] * int(times or 1)
    return lines


def rules() -> list[str]:
    return re.findall(r"^\*\*([A-Z]\d+) ", PAGE.read_text("utf-8"), re.MULTILINE)


def test_every_rule_has_a_scenario_and_every_scenario_a_rule():
    numbered = rules()
    assert len(numbered) == len(set(numbered)) > 20
    # These tables hold no books (tests/test_engine_books.py), figures (tests/test_runs_grid.py), arithmetic
    # (tests/test_interpret.py) or files of strategies (tests/test_strategy_load.py).
    elsewhere = {"C8", "M6", "M7", "P1", "P2", "S1", "S2", "S3"}
    assert {file.name.split("_")[0] for file in FILES} == set(numbered) - elsewhere


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_must_follow(file, tmp_path):
    scenario = read(file)
    settings = AccountSettings(**{"capital": 1_000.0, "fee": 0.0, **scenario.settings})
    arguments = (Script, {}, settings, scenario.grid)
    lag_ns, trades = scenario.feed_latency_ns, scenario.trades
    wanted, _ = run_twin(*arguments, trades, state=scenario.state(), feed_latency_ns=lag_ns)
    if lag_ns is not None:
        trades = through_a_store(Store(tmp_path), trades, lag_ns)
    for how in ({}, {"split": 1}, {"jit": False}):
        written, known = run_engine(*arguments, trades, state=scenario.state(), **how)
        check(scenario, written, known)
        assert_same(written, wanted)


def check(scenario: Scenario, written: Written, known: Any) -> None:
    assert written.stop == " ".join(scenario.wanted.get("stops", [[""]])[0])
    if not written.stop:
        for word, test in CHECKS.items():
            test(scenario.wanted.get(word, []), written, known)


def fills(wanted: list[list[str]], written: Written, known: Any) -> None:
    found = [
        (int(row["venue_ns"]), int(row["order_id"]), SIDES[row["side"]], row["quantity"], row["price"],
         ("taker", "maker")[row["maker"]])
        for row in written.fills
    ]  # fmt: skip
    assert found == [
        (int(now), int(order), side, float(quantity), float(price), maker)
        for now, order, side, quantity, _, price, maker in wanted
    ]


def orders(wanted: list[list[str]], written: Written, known: Any) -> None:
    assert written.orders["order_id"].tolist() == [int(words[0]) for words in wanted]
    for row, (order, state, *facts, _, reason) in zip(written.orders, wanted, strict=True):
        assert (order, ORDER_STATES[row["state"]], REASONS[row["reason"]]) == (order, state, reason)
        for name, value in zip(facts[::2], facts[1::2], strict=True):
            assert row[name if name == "filled" else f"{name}_ns"] == float(value), (order, name)


def postings(wanted: list[list[str]], written: Written, known: Any) -> None:
    found = [(int(row["order_id"]), POSTINGS[row["kind"]], int(row["nanos"])) for row in written.postings]
    assert not wanted or found == [
        (int(order), kind, int(Fraction(amount) * 10**9)) for order, kind, amount in wanted
    ]


def samples(wanted: list[list[str]], written: Written, known: Any) -> None:
    assert not wanted or written.samples.tolist() == [
        (int(time), *map(float, values)) for time, *values in wanted
    ]


def calls(wanted: list[list[str]], written: Written, known: Any) -> None:
    count = int(known["lines"][0])
    log = zip(known["kinds"][0][:count], known["times"][0][:count], strict=True)
    found = [f"{KINDS[int(kind)]}@{int(now)}" for kind, now in log]
    assert not wanted or found == [call for line in wanted for call in line]


def sees(wanted: list[list[str]], written: Written, known: Any) -> None:
    kinds = known["kinds"][0][: int(known["lines"][0])]
    for kind, number, *facts in wanted:
        place = np.flatnonzero(kinds == KINDS.index(kind))[int(number) - 1]
        for name, value in zip(facts[::2], facts[1::2], strict=True):
            assert known[SEEN[name]][0][place] == float(value), (kind, number, name)


def summary(wanted: list[list[str]], written: Written, known: Any) -> None:
    for words in wanted:
        for name, value in zip(words[::2], words[1::2], strict=True):
            assert getattr(written.summary, name) == float(value), name


CHECKS = {
    "fill": fills,
    "order": orders,
    "posting": postings,
    "sample": samples,
    "calls": calls,
    "sees": sees,
    "summary": summary,
    "stops": lambda wanted, written, known: None,
}
