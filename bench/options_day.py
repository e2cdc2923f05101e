"""Makes one day of Deribit's options as a grouped file of any size, from a seed.

python -m bench.options_day FILE.csv.gz --rows 60000000 --symbols 5000
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from isal import igzip

from tickreel.codecs.decimals import NULL_MANTISSA
from tickreel.schema import RECORD_TYPES
from tickreel.sources.csv_text import number_texts
from tickreel.sources.csv_text_kernel import place_cells

DAY_US = 86_400_000_000
START_US = 1_709_251_200_000_000  # 2024-03-01
_BATCH_ROWS = 1 << 17
_MONTHS = ("APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_COINS = (("BTC", 61_000), ("ETH", 3_400), ("SOL_USDC", 130), ("XRP_USDC", 1))


class Board(NamedTuple):
    """The options: names "S<n>", numbers by option; spot is the first price of the underlying."""

    key: np.ndarray
    index: np.ndarray
    kind: np.ndarray
    strike: np.ndarray
    expiration_us: np.ndarray
    spot: np.ndarray
    share: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.options_day", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--symbols", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write(asked.file, rows=asked.rows, symbols=asked.symbols, seed=asked.seed)


def write(path: Path, *, rows: int, symbols: int, seed: int = 1) -> None:
    """Write the file; the same arguments give the same text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with igzip.open(path, "wb", compresslevel=1) as file:
        file.write(",".join(RECORD_TYPES["options_chain"].csv_header).encode() + b"\n")
        for part in text(rows=rows, symbols=symbols, seed=seed):
            file.write(part)


def text(*, rows: int, symbols: int, seed: int) -> Iterator[memoryview]:
    """Yield the lines in order of local time, as bytes."""
    chance = np.random.default_rng(seed)
    options = board(symbols, chance)
    level = 1.0
    for start in range(0, rows, _BATCH_ROWS):
        count = min(_BATCH_ROWS, rows - start)
        moves = level * np.exp(np.cumsum(chance.normal(0, 2e-6, count)))
        level = float(moves[-1])
        local_us = START_US + (np.arange(start, start + count) * (DAY_US / rows)).astype(np.int64)
        yield _lines(options, moves, local_us, chance)


def board(symbols: int, chance: np.random.Generator) -> Board:
    """Return the options of some coins: 36 expiries, then strikes further and further up."""
    rows = []
    for number in range(symbols):
        letter, (coin, spot) = "CP"[number % 2], _COINS[number // 2 % len(_COINS)]
        day, month, strikes = 1 + 7 * (number // 8 % 4), number // 32 % 9, number // 288
        expiry = f"{coin}-{day}{_MONTHS[month]}24"
        strike = round(spot * (0.4 + 0.05 * strikes), 1 if spot > 10 else 3)
        expiration = START_US + (30 * (1 + month) + day) * DAY_US + 8 * 3_600_000_000
        name = f"deribit,{expiry}-{f'{strike:.10g}'.replace('.', 'D')}-{letter}"
        rows.append((name, expiry, letter, strike, expiration, spot))
    keys, expiries, letters, strikes, expirations, spots = zip(*rows, strict=True)
    share = 1 / (1 + chance.permutation(symbols)) ** 0.6
    kind = np.where(np.array(letters) == "C", b"call", b"put")
    return Board(
        np.array(keys, "S"), np.array([f"SYN.{name}" for name in expiries], "S"), kind,
        np.array(strikes), np.array(expirations), np.array(spots, float), np.cumsum(share / share.sum()),
    )  # fmt: skip


def _lines(board: Board, moves: np.ndarray, local_us: np.ndarray, chance: np.random.Generator) -> memoryview:
    count = len(moves)
    which = np.searchsorted(board.share, chance.random(count)).clip(0, len(board.share) - 1)
    under = board.spot[which] * moves
    near = np.log(under / board.strike[which])
    years = (board.expiration_us[which] - local_us) / (365 * DAY_US)
    iv = 55 + 20 * near**2
    spread = iv / 100 * np.sqrt(years)
    delta = 1 / (1 + np.exp(-1.7 * near / spread))
    call = board.kind[which] == b"call"
    mark = spread * np.exp(-((near / spread) ** 2) / 2) * 0.4 + np.maximum(np.where(call, near, -near), 0)
    dead = mark < 0.001
    bid, ask = np.floor(mark * 1990) / 2000, np.ceil(mark * 2010) / 2000
    hour = local_us // 3_600_000_000
    amounts = [1 + (which * 7919 + hour * number) % 40 for number in (31, 37)]
    decay = np.exp(-((near / spread) ** 2) / 2)
    cells = [
        board.key[which], _whole(local_us - local_us % 1000 - 3000), _whole(local_us), board.kind[which],
        _number(board.strike[which], 3), _whole(board.expiration_us[which]), _number(which * 37 % 4001 / 10, 1),
        _number(bid, 4, which % 3 == 0), _number(bid, 4, dead), _number(amounts[0] / 10, 1, dead),
        _number(iv - 1, 2, dead), _number(ask, 4), _number(amounts[1] / 10, 1), _number(iv + 1, 2),
        _number(mark, 4), _number(iv, 2), board.index[which], _number(under, 4),
        _number(np.where(call, delta, delta - 1), 5), _number(decay / under / spread, 5),
        _number(decay * under * np.sqrt(years) / 250, 5), _number(-decay * under * spread / years / 730, 5),
        _number(np.where(call, delta, delta - 1) * years * under / 100, 5),
    ]  # fmt: skip
    return _joined(cells, count)


def _number(values: np.ndarray, places: int, empty: np.ndarray | None = None) -> np.ndarray:
    integers = np.rint(values * 10**places).astype(np.int64)
    if empty is not None:
        integers[empty] = NULL_MANTISSA
    return number_texts(integers, places)


def _whole(values: np.ndarray) -> np.ndarray:
    return number_texts(values * 10, 1) if values.max() < 10**14 else values.astype("S16")


def _joined(cells: list[np.ndarray], count: int) -> memoryview:
    lengths = [np.strings.str_len(cell).astype(np.int64) for cell in cells]
    widths = np.sum(lengths, axis=0) + len(cells)
    ends = np.cumsum(widths)
    out, at = np.empty(int(ends[-1]), np.uint8), ends - widths
    for place, (cell, length) in enumerate(zip(cells, lengths, strict=True)):
        letters = np.ascontiguousarray(cell).view(np.uint8).reshape(count, cell.dtype.itemsize)
        place_cells(out, at, letters, length, ord("\n" if place == len(cells) - 1 else ","))
        at = at + length + 1
    return out.data


if __name__ == "__main__":
    main()
