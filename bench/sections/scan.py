"""How fast do four columns become arrays, on one core?"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench import market, peers
from bench.child import call
from bench.model import Row, Settings, at_least
from bench.peers import parquet, pco
from bench.timing import alternate
from bench.trades import HOT, Columns, digest, must_agree
from tickreel.tape import open_store

TITLE = "full scan of local_ns, side, price, amount into arrays, one core, per CPU second"
_BAR = at_least(2.5, "ratio")
_PASS_TRADES = 1_000_000
_INTEGERS = "pcodec, ticks left as integers"


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.scan:measure", settings.plain(), pinned=True)
    speed = found["speed"]
    rows = [
        Row(
            f"{found['trades']:,} trades", speed["tickreel"], "M trades/s", speed[name], against=name,
            bar=_BAR if name == pco.NAME else None,
        )
        for name in speed if name != "tickreel"
    ]  # fmt: skip
    return rows + [Row("peer", note=text) for text in found["missing"]]


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return M trades per CPU second of each reader, after all have shown equal values: in a child."""
    settings = Settings.of(plain)
    data = market.deep(settings)
    store = open_store(data.store)
    readers: dict[str, Callable[[], Iterator[Columns]]] = {
        "tickreel": lambda: (block.columns for block in store.scan(columns=HOT, reuse=True)),
        pco.NAME: lambda: _all(data.kept_by(pco), pco.read),
    }
    absent = peers.missing(parquet.NEEDS)
    if not absent:
        _one_thread()
        readers[parquet.NAME] = lambda: _all(data.kept_by(parquet), parquet.read)
    truth = digest((file.trades().columns() for file in data.files), HOT)
    for name, blocks in readers.items():
        must_agree(name, digest(blocks(), HOT), truth)
    readers[_INTEGERS] = lambda: _all(data.kept_by(pco), pco.read_integers)
    trades = sum(len(block["side"]) for block in readers["tickreel"]())
    passes = max(1, _PASS_TRADES // trades)
    calls = {name: partial(_drain, blocks, passes) for name, blocks in readers.items()}
    times = alternate(settings.rounds, calls)
    speed = {name: passes * trades / taken.cpu / 1e6 for name, taken in times.items()}
    return {"trades": trades, "speed": speed, "missing": [absent] if absent else []}


def _all(paths: list[Path], read: Callable[..., Iterator[Columns]]) -> Iterator[Columns]:
    for path in paths:
        yield from read(path, HOT)


def _drain(blocks: Callable[[], Iterator[Columns]], passes: int) -> None:
    for _ in range(passes):
        for _ in blocks():
            pass


def _one_thread() -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
