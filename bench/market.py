"""The data: a synthetic market and real files, and what tickreel and the peers keep of them.

Everything lies in the work folder and is made again only when what made it has changed.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import tickreel
from bench import peers
from bench.model import BenchError, Settings
from bench.trades import Trades, Unfit, load, read_csv, save
from tickreel.sources.tardis_names import read_name
from tickreel.store.catalog import SegmentKey, Store
from tickreel.synth import DEMO_PROFILES, SyntheticMarket, day_path, day_trades, write_day
from tickreel.units import NS_PER_DAY, day_of, day_start

SYMBOLS = ("BTCUSDT", "ETHUSDT")
FIRST_DAY, WIDE_DAYS = "2024-01-01", 10
FILE_ROWS = 2_000_000
"""Of a file of the deep market: what a busy future has in a day."""
_FEW_BYTES = 1 << 24  # less is imported faster than workers start
_PACKAGE, _PEERS = Path(tickreel.__file__).parent, Path(peers.__file__).parent


@dataclass(frozen=True)
class File:
    """One Tardis file; `trades` gives its rows as integers."""

    path: Path
    trades: Callable[[], Trades]


@dataclass(frozen=True)
class Dataset:
    """Some Tardis files, in the order of a scan over their store.

    name      as a table shows it
    folder    where what is made of them lies
    key       changes with the files' content
    left_out  files that were not taken, with the reason
    """

    name: str
    folder: Path
    key: str
    files: tuple[File, ...]
    left_out: tuple[str, ...] = ()

    @cached_property
    def store(self) -> Path:
        """A store sealed from all the files with the default settings."""
        return self._imported("store", self.files)

    @cached_property
    def tenth(self) -> Path:
        """A store of one day of all symbols: the day nearest to a tenth of all rows, and not above."""
        rows: dict[str, int] = {}
        for key in self.keys.values():
            rows[key.day] = rows.get(key.day, 0) + Store(self.store).open(key).rows
        day = max((day for day in rows if 10 * rows[day] <= sum(rows.values())), key=lambda day: rows[day])
        return self._imported("tenth", tuple(file for file in self.files if self.keys[file.path].day == day))

    @cached_property
    def keys(self) -> dict[Path, SegmentKey]:
        """The segment of `store` that each file became."""
        store = Store(self.store)
        found = {key: store.open(key).meta.parts for key in store.find(type="trades")}
        return {Path(parts[0].source): key for key, parts in found.items() if len(parts) == 1}

    def kept_by(self, peer: ModuleType) -> list[Path]:
        """Return the peer's files, one for each of ours."""
        made_of = f"{self.key}{peers.versions()}{_source(_PEERS)}"

        def make(folder: Path) -> None:
            for number, file in enumerate(self.files):
                peer.write(folder / f"{number:04}{peer.SUFFIX}", file.trades())

        folder = kept(self.folder / peer.SUFFIX[1:], made_of, make)
        return [folder / f"{number:04}{peer.SUFFIX}" for number in range(len(self.files))]

    def _imported(self, name: str, files: tuple[File, ...]) -> Path:
        return sealed(self.folder / name, [file.path for file in files], self.key)


def deep(settings: Settings) -> Dataset:
    """Return one symbol, about `settings.trades` rows in as few days as `FILE_ROWS` allows."""
    days = -(-settings.trades // FILE_ROWS)
    folder = settings.work / f"deep-{settings.trades}"
    return _synthetic(folder, SYMBOLS[:1], days, settings.trades // days)


def wide(settings: Settings) -> Dataset:
    """Return two symbols over ten days, about `settings.trades` rows together."""
    daily = settings.trades // (len(SYMBOLS) * WIDE_DAYS)
    return _synthetic(settings.work / f"wide-{settings.trades}", SYMBOLS, WIDE_DAYS, daily)


def real(settings: Settings) -> Dataset | None:
    """Return the real trade files, in order of path until `settings.trades` rows are taken; None without."""
    if settings.real is None:
        return None
    root = settings.real.resolve()
    names = {path: read_name(path.as_posix()) for path in sorted(root.rglob("*.csv.gz"))}
    folder = settings.work / f"real-{_hash(str(root))}-{settings.trades}"
    files, left_out, rows, key = [], [], 0, ""
    for path, name in names.items():
        if name is None or name.type != "trades" or name.grouped or rows >= settings.trades:
            continue
        try:
            trades = _read(path, folder)
        except Unfit as reason:
            left_out.append(f"{path.relative_to(root)}: {reason}")
            continue
        rows += len(trades)
        key += _stamp(path)
        files.append(File(path, partial(_read, path, folder)))
    return Dataset("real files", folder, _hash(key), tuple(files), tuple(left_out)) if files else None


def paths(plain: dict[str, Any]) -> dict[str, Any]:
    """Make the wide stores; return where they are and how many trades they hold: for a child."""
    data = wide(Settings.of(plain))
    rows = {
        str(path): sum(Store(path).open(key).rows for key in Store(path).find(type="trades"))
        for path in (data.store, data.tenth)
    }
    return {"store": str(data.store), "tenth": str(data.tenth), "rows": rows}


def sealed(folder: Path, files: list[Path], key: str = "") -> Path:
    """Return a store of Tardis files; key changes with their content, where their sizes and times do not tell."""
    from tickreel.ingest.files.importer import ImportSettings, import_files

    def make(root: Path) -> None:
        few = sum(path.stat().st_size for path in files) < _FEW_BYTES
        settings = ImportSettings(feed="bench", workers=1 if few else None)
        summary = import_files(Store(root), [str(path) for path in files], settings)
        if summary.failed:
            raise BenchError(f"import: {summary.failed[0].error}")

    return kept(folder, (key or "".join(map(_stamp, files))) + _source(_PACKAGE), make)


def kept(folder: Path, made_of: str, make: Callable[[Path], None]) -> Path:
    """Return `folder`, filled by `make` unless it was already, from the same things."""
    key, mark = _hash(made_of), folder / ".made-of"
    if not mark.exists() or mark.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part)
        (part / ".made-of").write_text(key)
        part.rename(folder)
    return folder


def _synthetic(folder: Path, symbols: tuple[str, ...], count: int, daily: int) -> Dataset:
    """Return files of `count` days, about `daily` rows each, written if they are not there."""
    days = [day_of(day_start(FIRST_DAY) + number * NS_PER_DAY) for number in range(count)]
    profiles = tuple(replace(profile, trades_per_day=daily) for profile in DEMO_PROFILES)
    market = SyntheticMarket(seed=1, symbols=symbols, profiles=profiles)
    key = f"{market}{days}{_source(_PACKAGE / 'synth')}{_source(_PACKAGE / 'schema.py')}"
    wanted = [(symbol, day) for symbol in symbols for day in days]

    def make(root: Path) -> None:
        for symbol, day in wanted:
            write_day(market, symbol, day, root)

    root = kept(folder / "files", key, make)
    files = tuple(
        File(day_path(market, symbol, day, root), partial(_generated, market, symbol, day))
        for symbol, day in wanted
    )
    return Dataset("synthetic", folder, key, files)


def _generated(market: SyntheticMarket, symbol: str, day: str) -> Trades:
    return Trades(**day_trades(market, symbol, day))


def _read(path: Path, folder: Path) -> Trades:
    """Return a file's trades from the copy that was kept of them, for reading the text takes long."""
    copy = kept(folder / "columns" / _stamp(path), "", lambda made: save(made / "trades.npz", read_csv(path)))
    return load(copy / "trades.npz")


def _stamp(path: Path) -> str:
    found = path.stat()
    return _hash(f"{path} {found.st_size} {found.st_mtime_ns}")


def _source(base: Path) -> str:
    """Return a hash of a Python file, or of all in a folder."""
    texts = sorted(base.rglob("*.py")) if base.is_dir() else [base]
    return _hash("".join(_hash(path.read_text()) for path in texts))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
