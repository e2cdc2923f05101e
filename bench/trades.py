"""Trades as the integers that every peer is given, from a CSV file or from the generator."""

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from bench.model import BenchError
from tickreel.schema import SIDES

ALL = ("exchange_ns", "local_ns", "id", "side", "price", "amount")
HOT = ("local_ns", "side", "price", "amount")
"""The columns that a scan reads."""

Columns = Mapping[str, np.ndarray]
"""By name of ALL: times and id int64, side uint8 (0 unknown, 1 buy, 2 sell), price and amount float64."""

_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class Trades:
    """One file's trades in order of local time. price = price_ticks / 10^price_scale, amount alike."""

    exchange_ns: np.ndarray
    local_ns: np.ndarray
    id: np.ndarray
    side: np.ndarray
    price_ticks: np.ndarray
    price_scale: int
    amount_lots: np.ndarray
    amount_scale: int

    def __len__(self) -> int:
        return len(self.id)

    def columns(self) -> Columns:
        return {
            "exchange_ns": self.exchange_ns,
            "local_ns": self.local_ns,
            "id": self.id,
            "side": self.side,
            "price": self.price_ticks / 10.0**self.price_scale,
            "amount": self.amount_lots / 10.0**self.amount_scale,
        }


class Unfit(Exception):
    """A file that not every peer can hold; the text says why."""


def read_csv(path: Path) -> Trades:
    """Return the trades of a Tardis .csv.gz file, by the standard library alone: slow, and sure.

    Where no row has an id, ids are 0. Raises Unfit where some are no whole numbers: pcodec has no text.
    """
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    ids = [row["id"] for row in rows]
    if not any(ids):
        ids = ["0"] * len(rows)
    if not rows or not all(text.isascii() and text.isdigit() and len(text) < 19 for text in ids):
        raise Unfit("ids that are no whole numbers" if rows else "no rows")
    local = np.array([int(row["local_timestamp"]) for row in rows], np.int64) * _NS_PER_US
    order = np.argsort(local, kind="stable")
    ticks, price_scale = _integers([row["price"] for row in rows])
    lots, amount_scale = _integers([row["amount"] for row in rows])
    exchange = np.array([int(row["timestamp"]) for row in rows], np.int64) * _NS_PER_US
    side = np.array([SIDES.index(row["side"]) for row in rows], np.uint8)
    number = np.array(ids, np.int64)
    return Trades(
        exchange[order], local[order], number[order], side[order],
        ticks[order], price_scale, lots[order], amount_scale,
    )  # fmt: skip


def save(path: Path, trades: Trades) -> None:
    names = Trades.__dataclass_fields__
    np.savez_compressed(path, allow_pickle=False, **{name: getattr(trades, name) for name in names})


def load(path: Path) -> Trades:
    with np.load(path, allow_pickle=False) as found:
        values: dict[str, Any] = {name: found[name] for name in found.files}
    scales = {name: int(value) for name, value in values.items() if not value.ndim}
    return Trades(**{**values, **scales})


class Digest:
    """A hash of each column's values in order, whatever the blocks they come in."""

    def __init__(self, names: Iterable[str]) -> None:
        self._hashes = {name: xxhash.xxh3_64() for name in names}

    def add(self, columns: Columns) -> None:
        """Add rows; an id may be text."""
        for name, found in self._hashes.items():
            values = _whole(columns[name]) if name == "id" else columns[name]
            found.update(np.ascontiguousarray(values).data)

    def text(self) -> dict[str, str]:
        return {name: found.hexdigest() for name, found in self._hashes.items()}


def _whole(ids: np.ndarray) -> np.ndarray:
    """Return ids as int64, zeros where none of the rows has one."""
    if ids.dtype.kind == "S" and not np.strings.str_len(ids).any():
        return np.zeros(len(ids), np.int64)
    return ids.astype(np.int64)


def digest(blocks: Iterable[Columns], names: Iterable[str]) -> Digest:
    found = Digest(names)
    for block in blocks:
        found.add(block)
    return found


def must_agree(who: str, found: Digest, truth: Digest) -> None:
    """Raise BenchError naming the columns in which a reader does not give the file's values."""
    mine, right = found.text(), truth.text()
    wrong = [name for name in right if mine[name] != right[name]]
    if wrong:
        raise BenchError(f"{who}: other values than the file's in {', '.join(wrong)}")


def _integers(texts: list[str]) -> tuple[np.ndarray, int]:
    """Return decimal texts as integers times 10^-scale, the scale as small as it can be."""
    try:
        numbers = {text: Decimal(text).normalize() for text in set(texts)}
    except InvalidOperation:
        raise Unfit("cells that are no decimal numbers") from None
    scale = max(0, *(-int(number.as_tuple().exponent) for number in numbers.values()))
    whole = {text: int(number.scaleb(scale)) for text, number in numbers.items()}
    return np.array([whole[text] for text in texts], np.int64), scale
