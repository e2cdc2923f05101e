"""How near to what the network allows does a download of many small days come?"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.child import ROOT
from bench.model import BenchError, Row, Settings, at_most
from bench.timing import alternate
from tickreel.config import find_key, load_profile
from tickreel.ingest.download.days import download
from tickreel.ingest.download.fetch import Fetching
from tickreel.ingest.download.job import DownloadSettings
from tickreel.ingest.download.plan import Wanted
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.ingest.transport import Background
from tickreel.store.catalog import Store
from tickreel.synth.files import write_day
from tickreel.synth.market import SyntheticMarket
from tickreel.units import NS_PER_DAY, day_of, parse_time

TITLE = "200 small days from a server 30 ms away, 20 at a time"

_DAYS, _LATENCY_S, _PARALLEL = 200, 0.03, 20
_KEY = "TD.canary-5d1e07c3"
_FROM_NS = parse_time("2024-01-01")
_WANTED = Wanted("binance-futures", ("trades",), ("BTCUSDT",), _FROM_NS, _FROM_NS + _DAYS * NS_PER_DAY)
_FLOOR_S = _LATENCY_S * (1 + _DAYS / _PARALLEL)
"""One question about the exchange, then the days in turns of 20."""


def run(settings: Settings) -> list[Row]:
    files = _files(settings.work / "small_days")
    with _server(files) as url, tempfile.TemporaryDirectory(dir=settings.work) as folder:
        place = Path(folder)
        calls = {
            "fetch": lambda: _fetch(url, place / "ours"),
            "official": lambda: _official(url, place / "theirs"),
            "download": lambda: _download(url, place / "tape"),
            "import": lambda: _import(files, place / "tape"),
        }
        took = {name: seconds.wall for name, seconds in alternate(settings.rounds, calls).items()}
    return [
        Row("fetched", took["fetch"], "s", _FLOOR_S, "what the latency allows", at_most(1.3, "ratio")),
        Row("fetched", took["fetch"], "s", took["official"], "tardis-dev"),
        Row(
            "fetched and imported", took["download"], "s", max(took["import"], _FLOOR_S),
            "import of the files alone", at_most(1.3, "ratio"), note="all cores; workers start within both",
        ),
    ]  # fmt: skip


def _files(root: Path) -> Path:
    market = SyntheticMarket(seed=5, symbols=("BTCUSDT",), scale=0.05)
    for n in range(_DAYS if not root.exists() else 0):
        write_day(market, "BTCUSDT", day_of(_FROM_NS + n * NS_PER_DAY), root)
    return root


@contextlib.contextmanager
def _server(files: Path) -> Iterator[str]:
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", "provider_server", str(_LATENCY_S), str(files)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _environment(url: str) -> dict[str, str]:
    return {"TARDIS_BASE_URL": url, "TARDIS_API_KEY": _KEY, "XDG_CONFIG_HOME": "/nowhere"}


def _fetch(url: str, folder: Path) -> None:
    _empty(folder)
    profile = load_profile("tardis", environment=_environment(url)).profile
    fetching = Fetching(
        profile, find_key(profile, _KEY), _WANTED.files(), lambda file: folder / file.name, parallel=_PARALLEL
    )
    with Background() as network:
        network.run(fetching.run())
    _all_there(folder)


def _official(url: str, folder: Path) -> None:
    from tardis_dev import download_datasets_async

    _empty(folder)
    coming = download_datasets_async(
        exchange="binance-futures", data_types=["trades"], symbols=["BTCUSDT"], from_date=day_of(_FROM_NS),
        to_date=day_of(_WANTED.to_ns), api_key=_KEY, download_dir=str(folder), endpoint=url, concurrency=_PARALLEL,
    )  # fmt: skip
    asyncio.run(coming)
    _all_there(folder)


def _download(url: str, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    summary = download(
        Store(root), _WANTED, DownloadSettings(parallel=_PARALLEL), environment=_environment(url)
    )
    if summary.counts["imported"] != _DAYS:
        raise BenchError(f"{summary.counts} of {_DAYS} days")


def _import(files: Path, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    import_files(Store(root), [str(files)], ImportSettings())


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _all_there(folder: Path) -> None:
    found = len(list(folder.glob("*.csv.gz")))
    if found != _DAYS:
        raise BenchError(f"{found} of {_DAYS} files came")
