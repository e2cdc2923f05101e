"""How many bytes does a trade take, sealed with the default settings, beside what others need?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import market, peers
from bench.child import call
from bench.model import Bar, Row, Settings, at_most
from bench.peers import pco
from bench.trades import ALL, Columns, Digest, digest, must_agree
from tickreel.store.catalog import Store
from tickreel.store.reader import Segment

TITLE = "bytes per trade, six columns, whole files"
_BAR = at_most(1.25, "ratio")


def run(settings: Settings) -> list[Row]:
    found = call("bench.sections.size:measure", settings.plain())
    rows = []
    for data in found["sets"]:
        many = [one for one in data["files"] if data["name"] != "synthetic"]
        rows += [_row(one["name"], one["rows"], one["bytes"], pco.NAME, _BAR) for one in many]
        total = {name: sum(one["bytes"][name] for one in data["files"]) for name in found["stores"]}
        count = sum(one["rows"] for one in data["files"])
        for name in found["stores"][1:]:
            bar = _BAR if name == pco.NAME else None
            rows.append(_row(f"{data['name']}, together", count, total, name, bar))
        rows += [Row("left out", note=text) for text in data["left_out"]]
    return rows + [Row("peer", note=text) for text in found["missing"]]


def _row(what: str, count: int, size: dict[str, int], peer: str, bar: Bar | None) -> Row:
    return Row(
        f"{what}: {count:,} trades", size["tickreel"] / count, "B", size[peer] / count, against=peer, bar=bar
    )


def measure(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes of every file of every data set: in a child."""
    settings = Settings.of(plain)
    absent = {peer.NAME: peers.missing(peer.NEEDS) for peer in peers.STORES}
    stores = [peer for peer in peers.STORES if not absent[peer.NAME]]
    sets = []
    for data in (market.real(settings), market.deep(settings)):
        if data is not None:
            files, odd = _files(data, stores)
            sets.append({"name": data.name, "files": files, "left_out": [*data.left_out, *odd]})
    missing = [f"{name}: {text}" for name, text in absent.items() if text]
    return {"sets": sets, "missing": missing, "stores": ["tickreel", *(peer.NAME for peer in stores)]}


def _files(data: market.Dataset, stores: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return one row per file, and what was left out because an import would not take all of it."""
    store = Store(data.store)
    kept = [data.kept_by(peer) for peer in stores]
    files, odd = [], []
    for number, file in enumerate(data.files):
        segment = store.open(data.keys[file.path])
        name = "/".join(file.path.parts[-6:]).removesuffix(".csv.gz")
        if segment.meta.parts[0].set_aside:
            odd.append(f"{name}: rows that an import sets aside")
            continue
        trades = file.trades()
        truth = digest([trades.columns()], ALL)
        must_agree("tickreel", digest(_blocks(segment), ALL), truth)
        size = {"tickreel": segment.file_bytes}
        for peer, paths in zip(stores, kept, strict=True):
            must_agree(peer.NAME, _read(peer, paths[number]), truth)
            size[peer.NAME] = paths[number].stat().st_size
        files.append({"name": name, "rows": len(trades), "bytes": size})
    return files, odd


def _blocks(segment: Segment) -> Iterator[Columns]:
    for block in range(len(segment.blocks)):
        yield {name: segment.read(name, block) for name in ALL}


def _read(peer: Any, path: Path) -> Digest:
    return digest(peer.read(path, ALL), ALL)
