"""Writes made-up trades as the files of a Tardis.dev dataset mirror."""

import filecmp
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

from tickreel.codecs.digits_kernel import NUMBER_BYTES
from tickreel.errors import UsageError, disk_error
from tickreel.schema import RECORD_TYPES
from tickreel.synth.csv_kernel import format_rows
from tickreel.synth.days import day_rows
from tickreel.synth.market import SyntheticMarket
from tickreel.synth.records_kernel import Rows
from tickreel.synth.tables import four_digits

_ROWS_PER_PIECE = 16_384
_GZIP = 31  # wbits of a gzip container, whose header then holds no time and no name
_LEVEL = 1


def day_path(market: SyntheticMarket, symbol: str, day: str, root: str | Path) -> Path:
    """Return {root}/{exchange}/trades/{YYYY}/{MM}/{DD}/{SYMBOL}.csv.gz."""
    year, month, of_month = day.split("-")
    return Path(root, market.exchange, "trades", year, month, of_month, f"{symbol.upper()}.csv.gz")


def write_day(market: SyntheticMarket, symbol: str, day: str, root: str | Path) -> Path:
    """Write one day's file, in place of one that is there, and return its path.

    A reader sees the old file or the new one, whole. The text is the same on every machine;
    the compressed bytes are for one version of isal on one kind of CPU.
    Raises UsageError (see `day_trades`) and DiskError.
    """
    return _write(market, symbol, day, root, replace=True)[0]


def write_days_task(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, int]:
    """Write several days of one symbol; the task of a process pool, plain data in and out.

    A file that is there stays if its bytes are the same; UsageError names one with others: it may be real.

    arguments  seed, exchange, symbol, days ["YYYY-MM-DD", ...], root, scale; oddities if wanted
    progress   called as progress(days=number done) after each day
    Returns the number of days, trades (rows) and bytes written.
    """
    market = SyntheticMarket(
        seed=arguments["seed"],
        symbols=(arguments["symbol"],),
        exchange=arguments["exchange"],
        scale=arguments["scale"],
        oddities=arguments.get("oddities", False),
    )
    done = {"days": 0, "trades": 0, "bytes": 0}
    for day in arguments["days"]:
        path, rows = _write(market, arguments["symbol"], day, arguments["root"], replace=False)
        done["days"] += 1
        done["trades"] += rows
        done["bytes"] += path.stat().st_size
        progress(days=done["days"])
    return done


def csv_pieces(market: SyntheticMarket, symbol: str, rows: Rows) -> Iterator[bytes | memoryview]:
    """Yield the text of a file, the header line first, in pieces of 16,384 rows.

    A piece is a view that lasts until the next is asked for: fresh memory would cost more than
    the text.
    """
    yield (",".join(RECORD_TYPES["trades"].csv_header) + "\n").encode()
    profile = market.profile(symbol)
    prefix = np.frombuffer(f"{market.exchange},{symbol},".encode(), np.uint8)
    scales = (profile.tick_decimals, profile.lot_decimals)
    total = len(rows.id)
    out = np.empty(min(total, _ROWS_PER_PIECE) * (len(prefix) + 5 * NUMBER_BYTES + 12), np.uint8)
    for start in range(0, total, _ROWS_PER_PIECE):
        span = (start, min(total, start + _ROWS_PER_PIECE))
        yield out[: format_rows(out, prefix, four_digits(), rows, span, scales)].data


def _write(
    market: SyntheticMarket, symbol: str, day: str, root: str | Path, *, replace: bool
) -> tuple[Path, int]:
    rows = day_rows(market, symbol, day)
    path = day_path(market, symbol, day, root)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    packer = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for piece in csv_pieces(market, symbol, rows):
                file.write(packer.compress(piece))
            file.write(packer.flush())
        if replace or not path.exists():
            os.replace(part, path)
        elif not filecmp.cmp(part, path, shallow=False):
            raise UsageError(
                f"{path} is already there with other contents, which are not overwritten: choose another folder,"
                " or move it away"
            )
    except OSError as error:
        raise disk_error(error, f"writing {path}") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return path, len(rows.id)
